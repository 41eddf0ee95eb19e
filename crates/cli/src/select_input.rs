//! The files of `afterimage select`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use afterimage::coreset::Points;
use afterimage::coreset::read::{self, Labels, Manner};
use afterimage::files::plain;

use crate::alive::Alive;
use crate::arguments::Select;
use crate::select::SelectError;

/// Notes that are shown of the files that were read.
const NOTES: usize = 50;

/// What the files hold, a row or an entry a sample.
pub struct Input {
    pub points: Points<'static>,
    pub labels: Option<Labels>,
    pub losses: Option<Vec<f32>>,
    pub memorization: Option<Vec<f64>>,
    pub ids: Option<Vec<String>>,
    /// Wall seconds until all was read.
    pub seconds: f64,
}

impl Input {
    /// Reads all files that `arguments` name, and tells `alive` what was left out of them.
    pub fn read(arguments: &Select, alive: &Alive) -> Result<Self, SelectError> {
        let start = Instant::now();
        let mut manner = manner(arguments)?;
        let manner = &mut manner;
        let embeddings = &arguments.embeddings;
        let points = Points::Rows(read::matrix_in(embeddings, "embeddings", manner)?);
        let samples = points.len();
        let labels = arguments
            .labels
            .as_deref()
            .map(|path| read::labels_in(path, samples, manner))
            .transpose()?;
        let losses = arguments
            .losses
            .as_deref()
            .map(|path| read::numbers_in(path, "losses", Some(samples), manner))
            .transpose()?;
        let losses = losses
            .map(|losses| single(losses, arguments.losses.as_deref()))
            .transpose()?;
        let classes = labels.as_ref().map(|labels| labels.classes.len());
        let counts = [
            ("labels", &arguments.labels, classes),
            ("losses", &arguments.losses, losses.as_ref().map(Vec::len)),
        ];
        for (role, path, count) in counts {
            if let (Some(path), Some(count)) = (path, count) {
                check_count(arguments, samples, role, path, count)?;
            }
        }
        let files = [
            ("--layermem", arguments.layermem.as_deref()),
            ("--unitmem", arguments.unitmem.as_deref()),
        ];
        let memorization = read::memorization_in(&files, samples, manner)?;
        for note in manner.notes.iter().take(NOTES) {
            alive.tell(&plain(note));
        }
        if let more @ 1.. = manner.notes.len().saturating_sub(NOTES) {
            alive.tell(&format!("and {more} notes more"));
        }
        Ok(Self {
            points,
            labels,
            losses,
            memorization,
            ids: read::ids_in(embeddings, manner)?,
            seconds: start.elapsed().as_secs_f64(),
        })
    }
}

/// Losses with 24 bits.
fn single(losses: Vec<f64>, path: Option<&Path>) -> Result<Vec<f32>, SelectError> {
    let beyond = |loss: &f64| loss.is_finite() && (*loss as f32).is_infinite();
    if let Some(sample) = losses.iter().position(beyond) {
        let count = losses.iter().filter(|loss| beyond(loss)).count();
        return Err(SelectError::Counts {
            path: path.map_or_else(PathBuf::new, Path::to_owned),
            reason: format!(
                "losses beyond what 32 bits hold: {count} (first: {:e}, sample {sample}); scale them",
                losses[sample]
            ),
        });
    }
    Ok(losses.into_iter().map(|loss| loss as f32).collect())
}

/// What is told of first lines.
fn manner(arguments: &Select) -> Result<Manner, SelectError> {
    let twice = arguments
        .header
        .iter()
        .find(|file| arguments.no_header.contains(file));
    if let Some(file) = twice {
        return Err(SelectError::Argument {
            flag: "header",
            reason: format!("--header={file} and --no-header={file} contradict each other"),
        });
    }
    let absent = |file: &&String| match file.as_str() {
        "labels" => arguments.labels.is_none(),
        "losses" => arguments.losses.is_none(),
        "layermem" => arguments.layermem.is_none(),
        "unitmem" => arguments.unitmem.is_none(),
        _ => false,
    };
    for (flag, files) in [
        ("header", &arguments.header),
        ("no-header", &arguments.no_header),
    ] {
        if let Some(file) = files.iter().find(absent) {
            return Err(SelectError::Argument {
                flag,
                reason: format!(
                    "there is no file of {file} here; say --{file} FILE, or leave it out"
                ),
            });
        }
    }
    let of = |files: &[String], named: bool| -> Vec<(String, bool)> {
        files.iter().map(|file| (file.clone(), named)).collect()
    };
    Ok(Manner {
        headers: [of(&arguments.header, true), of(&arguments.no_header, false)].concat(),
        ignore: arguments.ignore.clone(),
        id: arguments.id.clone(),
        keep_missing_words: arguments.keep_missing_words,
        notes: Vec::new(),
    })
}

/// Refuses a file of more or fewer entries than there are samples; where they differ by one, the first line of
/// a CSV file may be why.
fn check_count(
    arguments: &Select,
    samples: usize,
    role: &str,
    path: &Path,
    count: usize,
) -> Result<(), SelectError> {
    if count == samples {
        return Ok(());
    }
    let files = [("embeddings", arguments.embeddings.as_path()), (role, path)];
    let lines: Vec<String> = files
        .into_iter()
        .filter(|_| count.abs_diff(samples) == 1)
        .filter_map(|(role, path)| {
            let line: String = read::first_line(path)?.chars().take(60).collect();
            Some(format!(
                "the first line of {} is `{line}`: say --header={role} or --no-header={role}",
                path.display()
            ))
        })
        .collect();
    let advice = match lines.is_empty() {
        true => "give one of each a sample, in the same order".to_owned(),
        false => lines.join("; "),
    };
    Err(SelectError::Counts {
        path: path.to_owned(),
        reason: format!(
            "{role} has {count} entries and embeddings has {samples} ({}); {advice}",
            arguments.embeddings.display()
        ),
    })
}
