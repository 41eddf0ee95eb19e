//! Sweeps of experiments: trials checked by the experiment's own loader, and their results as
//! tables, TensorBoard sessions and one HTML page. What `afterimage sweep` does, as a library.

mod hparams;
mod knowable;
mod page;
mod scatter;
mod status;
mod summary;
mod tables;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use afterimage_hooks::{Column, Table};
use afterimage_sweep::{Checked, Folder, Plan, Results, SweepConfig, SweepFile, journal};
use afterimage_track::{files::write_beside, write_table};

use crate::config::{ConfigError, ConfigErrors, Loaded, load_file_with};
use crate::dry_run::dry_run;
use crate::error::RunError;
use crate::registry::Registry;

pub use status::{left, status};
pub use summary::{comparisons, counts, overview, table};

/// What a planned config names its parents' runs by, before their digests.
const MARK: &str = afterimage_sweep::PLANNED_RUN;

/// The HTML page of a sweep.
pub const PAGE: &str = "report.html";

/// The tables of a sweep as Markdown.
pub const STUDY: &str = "study.md";

/// Loads a sweep file, with flags over its own keys (as in `seeds=[1]`), and makes its trials, whose
/// plugins are those of `registry`; each is checked as `afterimage check` does, so that a mistake is
/// told before the first of them starts.
///
/// # Errors
/// Every mistake in the sweep file and in the configs of its trials; in the experiment alone, where the trials cannot
/// be told.
pub fn load_sweep(
    registry: &Registry,
    file: &Path,
    sets: &[String],
) -> Result<(Loaded<SweepConfig>, Plan), ConfigErrors> {
    let seen = RefCell::new(Seen::default());
    let check = |base: &Path, sets: &[String]| check(registry, base, sets, &seen);
    let mut plan = None;
    let loaded = load_file_with::<SweepConfig>(file, sets, |sweep, report| {
        let trials = ["set", "grid", "search", "arms", "seeds", "stages"];
        let read = SweepFile {
            value: sweep,
            locations: report.locations(),
        };
        if !report.is_sound("config") {
            return;
        }
        if !trials.iter().all(|key| report.is_sound(key)) {
            report.extend(Plan::check_base(read, file, &check));
            return;
        }
        match Plan::new(read, file, &check) {
            Ok(made) => plan = Some(made),
            Err(errors) => report.extend(errors),
        }
    })?;
    match plan {
        Some(plan) => {
            knowable::check(registry, &loaded, &plan)?;
            Ok((loaded, plan))
        }
        None => Err(of_file(file, "the trials cannot be told".to_owned()).into()),
    }
}

fn of_file(file: &Path, message: String) -> ConfigError {
    ConfigError {
        file: file.display().to_string(),
        line: None,
        column: None,
        key: String::new(),
        message,
        suggestion: None,
    }
}

fn check(
    registry: &Registry,
    base: &Path,
    sets: &[String],
    seen: &RefCell<Seen>,
) -> Result<Checked, ConfigErrors> {
    let loaded = registry.load(base, sets)?;
    let apart_from_seed = seen
        .borrow()
        .apart_from_seed(&loaded.resolved, loaded.value.seed);
    if !seen.borrow().kinds.contains_key(&apart_from_seed) {
        dry_run(registry, &loaded, false).map_err(|error| match error {
            RunError::Config(errors) => errors,
            other => of_file(base, other.to_string()).into(),
        })?;
    }
    seen.borrow_mut().add(apart_from_seed, &loaded.digest);
    Ok(Checked {
        resolved: loaded.resolved,
        digest: loaded.digest,
        notes: loaded.notes,
    })
}

/// Configs that were checked, but for their seeds: trials that differ in their seed alone have the same
/// plugins in the same order.
#[derive(Default)]
struct Seen {
    /// A number for each, by its text.
    kinds: BTreeMap<String, usize>,
    /// The number of each config by its digest, which children name it by.
    by_digest: BTreeMap<String, usize>,
}

impl Seen {
    /// A config without its seed, and with the numbers of its parents in place of their digests.
    fn apart_from_seed(&self, resolved: &str, seed: u64) -> String {
        let text = resolved.replacen(&format!("seed = {seed}\n"), "", 1);
        let mut parts = text.split(MARK);
        let mut apart = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            apart += MARK;
            let (digest, rest) = part.split_once('}').unwrap_or((part, ""));
            match self.by_digest.get(digest) {
                Some(number) => apart += &format!("{number}}}{rest}"),
                None => apart += part,
            }
        }
        apart
    }

    fn add(&mut self, apart_from_seed: String, digest: &str) {
        let next = self.kinds.len();
        let number = *self.kinds.entry(apart_from_seed).or_insert(next);
        self.by_digest.insert(digest.to_owned(), number);
    }
}

/// Writes all that is made of results into the sweep's folder: `results.csv`, `results.parquet`,
/// `sweep.json`, `study.md`, `report.html`, `optuna.journal`, `tensorboard/` with a session a trial,
/// and `comparisons.csv` where the sweep compares; what an earlier sweep file asked for in its place goes.
///
/// # Errors
/// A file that cannot be written.
pub fn write_results(results: &Results, folder: &Folder) -> Result<(), RunError> {
    let _lock = folder.lock_results()?;
    results.write(folder)?;
    let path = folder.path();
    write_table(&path.join("results.parquet"), &columns(results))?;
    write_beside(&path.join("optuna.journal"), journal(results).as_bytes())?;
    write_beside(&path.join(STUDY), tables::markdown(results).as_bytes())?;
    let comparisons = path.join("comparisons.csv");
    if !results.answers.is_empty() {
        let csv = tables::csv(&results.answers);
        write_beside(&comparisons, csv.as_bytes())?;
    } else if comparisons.exists() {
        // Of questions that the sweep file no longer asks.
        fs::remove_file(&comparisons).map_err(RunError::io(&comparisons, "remove"))?;
    }
    write_beside(&path.join(PAGE), page::render(results).as_bytes())?;
    hparams::write(results, &path.join("tensorboard"))
}

/// The table of trials in typed columns: numbers where all cells that are there are numbers, with
/// NaN for those that are not.
fn columns(results: &Results) -> Table {
    let rows: Vec<Vec<String>> = results.rows.iter().map(|row| results.cells(row)).collect();
    let mut table = Table::default();
    for (index, name) in results.header().into_iter().enumerate() {
        let cells: Vec<String> = rows
            .iter()
            .map(|row| row.get(index).cloned().unwrap_or_default())
            .collect();
        let number = |cell: &String| match cell.as_str() {
            "" => Some(f64::NAN),
            text => text.parse::<f64>().ok(),
        };
        let numbers: Option<Vec<f64>> = cells.iter().map(number).collect();
        let column = match numbers {
            Some(numbers) if numbers.iter().any(|x| !x.is_nan()) => Column::F64(numbers),
            _ => Column::Text(cells),
        };
        // A key may be named as one of the other columns.
        let taken = table.columns.iter().any(|(other, _)| *other == name);
        let name = if taken {
            format!("{name}:{index}")
        } else {
            name
        };
        table.columns.push((name, column));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_of_one_seed_and_of_the_next_are_one_config() {
        let mut seen = Seen::default();
        let parent = |seed: u64| format!("epochs = 1\nseed = {seed}\n");
        let child = |seed: u64, digest: &str| {
            format!("seed = {seed}\n[fine_tune]\nfrom = \"{MARK}{digest}}}@epoch=1\"\n")
        };
        for (seed, digest) in [(1, "aa"), (2, "bb")] {
            let apart = seen.apart_from_seed(&parent(seed), seed);
            seen.add(apart, digest);
            let apart = seen.apart_from_seed(&child(seed, digest), seed);
            assert!(apart.contains("{trial:0}@epoch=1"), "{apart}");
            seen.add(apart, &format!("child{seed}"));
        }
        assert_eq!(seen.kinds.len(), 2);
        // The child of another parent is another config.
        seen.add("epochs = 2\n".to_owned(), "cc");
        let apart = seen.apart_from_seed(&child(1, "cc"), 1);
        assert!(!seen.kinds.contains_key(&apart), "{apart}");
    }
}
