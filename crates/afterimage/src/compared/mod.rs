//! Several runs on one page: what differs in their configs, how they ended, their curves over each other,
//! and differences between configs over seeds.

mod curves;
mod figures;
mod groups;
mod one;
mod page;
mod settings;

use std::path::{Path, PathBuf};

use afterimage_track::files;

use crate::error::RunError;
use crate::whole::check_page;
use groups::Group;
use one::One;

/// What is said of a comparison that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Runs on the page.
    pub runs: usize,
    /// What a reader should know of them: runs that are not done, or of other data.
    pub notes: Vec<String>,
    /// What could not be read, run by run.
    pub faults: Vec<String>,
}

/// Writes one page that compares `runs` to the file `out`; an earlier page is replaced as a whole. What a run
/// lacks is told, and the others are shown; differences are of the later runs less the first ones.
///
/// # Errors
/// No run that can be read, a folder for the page that is not there, another file in its place, one that cannot be
/// written.
pub fn compare(runs: &[PathBuf], out: &Path) -> Result<Compared, RunError> {
    check_page("--out", out)?;
    let (mut found, mut faults): (Vec<One>, Vec<String>) = (Vec::new(), Vec::new());
    for path in runs {
        match One::read(path, &mut faults) {
            Ok(run) => found.push(run),
            Err(error) => faults.push(error.to_string()),
        }
    }
    if found.is_empty() {
        return Err(RunError::NoneToCompare(faults));
    }
    one::tell_apart(&mut found);
    let compared = Compared {
        runs: found.len(),
        notes: notes(&found),
        faults,
    };
    files::write_beside(out, page::render(&found, &compared).as_bytes())?;
    Ok(compared)
}

/// Runs that are not done, those that say nothing new of their seed, and runs of other data than the first.
fn notes(runs: &[One]) -> Vec<String> {
    let mut notes = Vec::new();
    for run in runs {
        notes.extend(run.undone().map(|why| {
            format!(
                "{}: {why}; its figures so far are shown, and it is in no mean",
                run.name
            )
        }));
    }
    let groups = groups::groups(runs);
    for (run, first, why) in groups.iter().flat_map(|group| &group.strangers) {
        notes.push(format!(
            "{}: other images than {} ({why}), a run of the same config; it is in no mean of them",
            run.name, first.name
        ));
    }
    for (run, first) in groups.iter().flat_map(Group::repeats) {
        notes.push(format!(
            "{}: it has the config and the seed of {}; both are shown, and means and differences count the first",
            run.name, first.name
        ));
    }
    let Some((first, others)) = runs.split_first() else {
        return notes;
    };
    for other in others {
        notes.extend(first.other_data(other).map(|why| {
            format!(
                "{}: other data than {} ({why}); figures that are measured on images are of other images, and \
                 no difference is computed",
                other.name, first.name
            )
        }));
    }
    notes
}
