//! A run that several processes compute together: who is first, what the others hear of it, and that all
//! of them have the same program, config and data.

use std::path::Path;

use afterimage_train::{Group, config_difference};

use crate::config::Loaded;
use crate::error::RunError;
use crate::experiment::{Experiment, Renderer};
use crate::finished::Finished;
use crate::prepared::Prepared;
use crate::registry::Registry;
use crate::run::{Begin, Options};
use crate::run_dir::{Owner, RunDir};

/// How the first process says that a run begins.
const AFRESH: u8 = 0;
const AT_CHECKPOINT: u8 = 1;
const NOT_AT_ALL: u8 = 2;

/// What the first process does with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum First {
    /// It begins at its first step.
    Begins,
    /// It goes on from its last checkpoint.
    GoesOn,
    /// It was trained to its end before.
    IsDone,
}

/// Tells the other processes what the first one does.
///
/// # Errors
/// A process that failed.
pub(crate) fn announce(group: &Group, first: First) -> Result<(), RunError> {
    let told = match first {
        First::Begins => AFRESH,
        First::GoesOn => AT_CHECKPOINT,
        First::IsDone => NOT_AT_ALL,
    };
    group.exchange("the start of the run", &[told])?;
    Ok(())
}

/// Whether the processes of `group` can compute the run of `experiment`.
///
/// # Errors
/// A number of processes that cannot share out its shards, or a view that hangs on one process alone.
pub(crate) fn check(group: &Group, experiment: &Experiment) -> Result<(), RunError> {
    if group.is_alone() {
        return Ok(());
    }
    let (shards, batch) = (experiment.batch.shards, experiment.batch_size);
    group
        .check_shards(shards, batch)
        .map_err(RunError::Processes)?;
    if experiment.renderer == Renderer::Tui {
        return Err(RunError::Processes(
            "`renderer = \"tui\"` can end a run from its screen, of which other processes know nothing; \
             take `auto`, `bar` or `lines` for several processes"
                .to_owned(),
        ));
    }
    Ok(())
}

/// Makes sure, before anything is written, that all processes have the same program, config, data and tables.
///
/// # Errors
/// What differs, and in which processes; a process that failed.
pub(crate) fn agree(
    group: &Group,
    loaded: &Loaded<Experiment>,
    prepared: &Prepared,
) -> Result<(), RunError> {
    if group.is_alone() {
        return Ok(());
    }
    let git = option_env!("AFTERIMAGE_GIT").unwrap_or_default();
    let own = [
        format!("{} {git}", env!("CARGO_PKG_VERSION")),
        prepared.digest().to_owned(),
        prepared.tables.clone(),
        loaded.resolved.clone(),
    ];
    let all = group.exchange(
        "the comparison of configs and data",
        own.join("\n").as_bytes(),
    )?;
    let all: Vec<String> = all
        .iter()
        .map(|told| String::from_utf8_lossy(told).into_owned())
        .collect();
    let problems = differences(&all);
    match problems.is_empty() {
        true => Ok(()),
        false => Err(RunError::Processes(format!(
            "{}; nothing was begun. Start all processes with the same program on the same files",
            problems.join("; ")
        ))),
    }
}

/// What differs from the first of `all`, which tell version, digest of the data, digests of tables and resolved
/// config.
fn differences(all: &[String]) -> Vec<String> {
    let parts = |told: &String| -> [String; 4] {
        let mut parts = told.splitn(4, '\n').map(str::to_owned);
        std::array::from_fn(|_| parts.next().unwrap_or_default())
    };
    let Some([version, data, tables, config]) = all.first().map(parts) else {
        return Vec::new();
    };
    let mut problems = Vec::new();
    for (rank, told) in all.iter().enumerate().skip(1) {
        let [their_version, their_data, their_tables, their_config] = parts(told);
        let differs = |what: String| format!("process {rank} of {} has {what}", all.len());
        if their_version != version {
            problems.push(differs(format!(
                "another program than process 0: version {} and not {}",
                their_version.trim(),
                version.trim()
            )));
        }
        if their_config != config {
            problems.push(differs(format!(
                "another config than process 0: {}",
                config_difference(&config, &their_config)
            )));
        } else if their_data != data {
            problems.push(differs(
                "other images or labels than process 0 under the same config".to_owned(),
            ));
        } else if their_tables != tables {
            problems.push(differs(
                "another `table` of a plugin than process 0 under the same config".to_owned(),
            ));
        }
    }
    problems
}

/// Computes the share of a process that is not the first in the run of `loaded`, whose directory is
/// `path`; it writes nothing and says nothing. The result is none where there is nothing to do.
///
/// # Errors
/// Anything that keeps the run from starting.
pub fn follow(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    path: &Path,
    options: Options,
) -> Result<Option<Finished>, RunError> {
    let group = options.processes.clone();
    check(&group, &loaded.value)?;
    let told = group.exchange("the start of the run", &[])?;
    let begin = match told.first().map(Vec::as_slice) {
        Some([AFRESH]) => Begin::New,
        Some([AT_CHECKPOINT]) => Begin::Checkpoint(Vec::new()),
        _ => return Ok(None),
    };
    let resumed = matches!(begin, Begin::Checkpoint(_)).then_some(path);
    let prepared = Prepared::new(registry, loaded, resumed)?;
    agree(&group, loaded, &prepared)?;
    let finished = prepared.launch(
        loaded,
        RunDir::of_another(path),
        Owner::none(),
        options,
        begin,
    );
    finished.map(Some)
}

/// As [`follow`], for the run in the directory `path`, which goes on.
///
/// # Errors
/// As for [`follow`]; and a directory that holds no run.
pub fn follow_resumed(
    registry: &Registry,
    path: &Path,
    options: Options,
) -> Result<Option<Finished>, RunError> {
    let directory = RunDir::open(path)?;
    let loaded = registry.load_kept(&directory.config(), &[])?;
    follow(registry, &loaded, path, options)
}

/// What a process tells the others of how it ended: the error, if there was one.
///
/// # Errors
/// The error, as text.
pub fn ending(result: &Result<Option<Finished>, RunError>) -> Result<(), String> {
    match result {
        Err(error) => Err(error.to_string()),
        Ok(Some(finished)) => finished.ending(),
        Ok(None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_told_with_the_process() {
        let told = |data: &str, config: &str| format!("0.1.0 abc\n{data}\nt1\n{config}");
        let first = told("d1", "seed = 1\nepochs = 2\n");
        assert!(differences(&[first.clone(), first.clone()]).is_empty());
        let problems = differences(&[
            first.clone(),
            told("d2", "seed = 1\nepochs = 2\n"),
            told("d1", "seed = 9\nepochs = 2\n"),
            first.replace("abc", "xyz"),
            first.replace("t1", "t2"),
        ]);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(
            problems[0].starts_with("process 1 of 5 has other images"),
            "{problems:?}"
        );
        assert!(
            problems[1].contains("process 2 of 5 has another config")
                && problems[1].contains("seed"),
            "{problems:?}"
        );
        assert!(
            problems[2].contains("version 0.1.0 xyz and not 0.1.0 abc"),
            "{problems:?}"
        );
        assert!(
            problems[3].starts_with("process 4 of 5 has another `table`"),
            "{problems:?}"
        );
    }
}
