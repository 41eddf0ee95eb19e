//! `afterimage select`: a coreset of an embedding matrix.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use afterimage::Pulse;
use afterimage::coreset::read::{self, Labels, Manner};
use afterimage::coreset::{
    Budget, Coreset, CoresetError, Evidence, Partition, Points, Settings, Strategy, peak_memory,
};
use afterimage::files::{Partial, PartialError, plain};
use afterimage::hooks::{Column, Table};
use afterimage::track::{TrackError, write_table};
use serde_json::json;
use thiserror::Error;

use crate::alive::Alive;
use crate::arguments::Select;
use crate::output::{complain, complain_line, say};
use crate::room::plan;
use crate::select_settings::settings;

/// Notes that are shown of the files that were read.
const NOTES: usize = 50;

/// Why there is no coreset.
#[derive(Debug, Error)]
pub(crate) enum SelectError {
    #[error(transparent)]
    Coreset(#[from] CoresetError),
    #[error("--{flag}: {reason}")]
    Argument { flag: &'static str, reason: String },
    #[error("{}: {reason}", path.display())]
    Counts { path: PathBuf, reason: String },
    #[error("{}: this directory is not empty; choose another with --out", .0.display())]
    NotEmpty(PathBuf),
    #[error("{}: this is no directory; choose another with --out", .0.display())]
    NoDirectory(PathBuf),
    #[error("{}: cannot {verb}: {source}", path.display())]
    Io {
        path: PathBuf,
        verb: &'static str,
        source: io::Error,
    },
    #[error(transparent)]
    Table(#[from] TrackError),
    #[error(transparent)]
    Out(#[from] PartialError),
}

impl SelectError {
    /// 2 for what the user can mend in arguments and input, else 1.
    fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Table(_) | Self::Out(PartialError::Io { .. }) => 1,
            Self::Coreset(CoresetError::Io { source, .. }) => {
                // What cannot be opened is a wrong path; what breaks off is a failure.
                match source.kind() {
                    io::ErrorKind::NotFound
                    | io::ErrorKind::PermissionDenied
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::InvalidInput => 2,
                    _ => 1,
                }
            }
            Self::Coreset(_)
            | Self::Out(_)
            | Self::Argument { .. }
            | Self::Counts { .. }
            | Self::NotEmpty(_)
            | Self::NoDirectory(_) => 2,
        }
    }
}

/// Runs the command; its result is the exit code.
pub fn execute(arguments: &Select) -> u8 {
    match select(arguments) {
        Ok(()) => 0,
        Err(error) => {
            complain_line(&error.to_string());
            error.exit_code()
        }
    }
}

fn select(arguments: &Select) -> Result<(), SelectError> {
    check_out(&arguments.out)?;
    let settings = settings(arguments)?;
    let start = Instant::now();
    let mut manner = manner(arguments)?;
    let alive = Alive::watch(Pulse::default());
    alive.begin("reading the embeddings");
    let manner = &mut manner;
    let points = Points::Rows(read::matrix_in(
        &arguments.embeddings,
        "embeddings",
        manner,
    )?);
    let labels = arguments
        .labels
        .as_deref()
        .map(|path| read::labels_in(path, points.len(), manner))
        .transpose()?;
    let losses = arguments
        .losses
        .as_deref()
        .map(|path| read::numbers_in(path, "losses", Some(points.len()), manner))
        .transpose()?;
    let losses = losses
        .map(|losses| single(losses, arguments.losses.as_deref()))
        .transpose()?;
    let counts = [
        (
            "labels",
            &arguments.labels,
            labels.as_ref().map(|labels| labels.classes.len()),
        ),
        ("losses", &arguments.losses, losses.as_ref().map(Vec::len)),
    ];
    for (role, path, count) in counts {
        if let (Some(path), Some(count)) = (path, count) {
            check_lines(arguments, points.len(), role, path, count)?;
        }
    }
    let files = [
        ("--layermem", arguments.layermem.as_deref()),
        ("--unitmem", arguments.unitmem.as_deref()),
    ];
    let memorization = read::memorization_in(&files, points.len(), manner)?;
    manner
        .notes
        .iter()
        .take(NOTES)
        .for_each(|note| alive.tell(&plain(note)));
    if let more @ 1.. = manner.notes.len().saturating_sub(NOTES) {
        alive.tell(&format!("and {more} notes more"));
    }
    let read_seconds = start.elapsed().as_secs_f64();

    let partition = match (&labels, arguments.clusters, &points) {
        (Some(labels), _, _) => Partition::Classes(&labels.classes),
        (None, Some(count), Points::Rows(rows)) => Partition::Clusters { rows, count },
        _ => Partition::None,
    };
    let evidence = Evidence {
        losses: losses.as_deref(),
        memorization: memorization.as_deref(),
        ..Evidence::of(&points)
    };
    let settings = Settings {
        partition,
        ..settings
    };
    let selection = plan(arguments.memory.is_some(), evidence, settings)?;
    let folder = Partial::beside(&arguments.out)?;
    alive.tell(&selection.memory().to_string());
    alive.begin("choosing");
    let coreset = selection.run()?;
    drop(alive);
    let summary = summary(arguments, &points, labels.as_ref(), &coreset, read_seconds);
    write(folder, &coreset, &summary)?;
    let repeated = repeated(&coreset);
    if repeated > 0 {
        let weights = match (arguments.strategy.as_str(), arguments.weights.as_deref()) {
            ("grad-match", _) => "the fit of grad-match gives them their weights",
            (_, Some("none")) => "each has weight 1",
            (_, Some("radius")) => "each counts the same neighbours",
            _ if arguments.cap.is_some() => {
                "their weight is 0, the one chosen before has it all, as far as --cap leaves it"
            }
            _ => "their weight is 0, the one chosen before has it all",
        };
        complain(&format!(
            "{repeated} of the chosen samples are equal to one chosen before, as far as 24 bits tell: \
             {weights}; choose fewer, or remove the duplicates"
        ));
    }
    let cost = if coreset.cost.is_finite() {
        format!("k-medoids cost {:.6}", coreset.cost)
    } else {
        let left_out = coreset
            .owners
            .iter()
            .filter(|owner| owner.is_none())
            .count();
        format!(
            "{left_out} samples are of groups of which none was chosen (choose more to have some of \
             each)"
        )
    };
    say(&format!(
        "{} of {} samples; {cost}; {:.2} s to build, {:.2} s to select\n{}\n",
        coreset.indices.len(),
        points.len(),
        coreset.build_seconds,
        coreset.select_seconds,
        arguments.out.join("coreset.csv").display()
    ));
    Ok(())
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

/// The number of chosen samples that have an equal one before them.
fn repeated(coreset: &Coreset) -> usize {
    let indices = coreset.indices.iter().zip(0..);
    let other = |(index, place): &(&usize, u32)| coreset.owners[**index] != Some(*place);
    indices.filter(other).count()
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
        notes: Vec::new(),
    })
}

/// Refuses counts that differ by one where the first line of a CSV file may be why.
fn check_lines(
    arguments: &Select,
    samples: usize,
    role: &str,
    path: &Path,
    count: usize,
) -> Result<(), SelectError> {
    if count.abs_diff(samples) != 1 {
        return Ok(());
    }
    let files = [("embeddings", arguments.embeddings.as_path()), (role, path)];
    let lines: Vec<String> = files
        .into_iter()
        .filter_map(|(role, path)| {
            let line: String = read::first_line(path)?.chars().take(60).collect();
            Some(format!(
                "the first line of {} is `{line}`: say --header={role} or --no-header={role}",
                path.display()
            ))
        })
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    Err(SelectError::Counts {
        path: path.to_owned(),
        reason: format!(
            "{role} has {count} entries and embeddings has {samples}; {}",
            lines.join("; ")
        ),
    })
}

fn summary(
    arguments: &Select,
    points: &Points,
    labels: Option<&Labels>,
    coreset: &Coreset,
    read_seconds: f64,
) -> serde_json::Value {
    let storages: Vec<&str> = coreset.plan.storages().iter().map(|s| s.name()).collect();
    let leans = arguments.strategy == Strategy::Memorization.name();
    json!({
        "embeddings": arguments.embeddings.display().to_string(),
        "samples": points.len(),
        "classes": labels.map(|labels| labels.names.len()),
        "groups": coreset.plan.groups.len(),
        "count": coreset.indices.len(),
        "strategy": arguments.strategy,
        "greedy": arguments.greedy.as_deref().unwrap_or("event-driven"),
        "repeated": repeated(coreset),
        "weights": arguments.weights.as_deref().unwrap_or("cluster-size"),
        "prefer": leans.then(|| arguments.prefer.as_deref().unwrap_or("memorized")),
        "bonus": leans.then(|| arguments.bonus.unwrap_or(Settings::new(Budget::Count(1)).bonus)),
        "seed": arguments.seed,
        // A cost is infinite, and then null, if a group has no chosen sample.
        "objective": coreset.objective.is_finite().then_some(coreset.objective),
        "k_medoids_cost": coreset.cost.is_finite().then_some(coreset.cost),
        "seconds_to_read": read_seconds,
        "seconds_to_build": coreset.build_seconds,
        "seconds_to_select": coreset.select_seconds,
        "storage": storages.join(" and "),
        "memory_budget_bytes": coreset.plan.budget,
        "memory_planned_bytes": coreset.plan.bytes(),
        "peak_memory_bytes": peak_memory().map(|bytes| bytes.0),
    })
}

/// Refuses a directory that holds something, before any work is done.
fn check_out(out: &Path) -> Result<(), SelectError> {
    match fs::read_dir(out) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(SelectError::NotEmpty(out.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
            Err(SelectError::NoDirectory(out.to_owned()))
        }
        Err(source) => Err(SelectError::Io {
            path: out.to_owned(),
            verb: "look into",
            source,
        }),
    }
}

/// Writes everything beside `out` and renames it, so that there is all or nothing.
fn write(
    folder: Partial,
    coreset: &Coreset,
    summary: &serde_json::Value,
) -> Result<(), SelectError> {
    let beside = folder.path();
    coreset.write_csv(&beside.join("coreset.csv"))?;
    coreset.write_npy(&beside.join("coreset.npy"))?;
    let indices = coreset.indices.iter().map(|index| *index as i64).collect();
    let table = Table {
        columns: vec![
            ("index".to_owned(), Column::I64(indices)),
            ("weight".to_owned(), Column::F64(coreset.weights.clone())),
        ],
    };
    write_table(&beside.join("coreset.parquet"), &table)?;
    let path = beside.join("summary.json");
    fs::write(&path, format!("{summary:#}\n")).map_err(|source| SelectError::Io {
        path,
        verb: "write",
        source,
    })?;
    Ok(folder.finish()?)
}
