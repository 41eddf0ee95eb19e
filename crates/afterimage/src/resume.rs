//! Going on with a run: from its last checkpoint, from its start, or behind its end.

use std::fs;
use std::path::Path;

use afterimage_files::{LARGE, SMALL, read, read_text};
use afterimage_hooks::{Decision, Outcome};
use afterimage_model::Encoder as _;
use afterimage_track::{catch_up, files, read_table};
use afterimage_train::{
    Checkpoints, LoopState, RunReport, Stood, TrainError, read_book, read_stood,
};
use serde_json::Value;

use crate::config::Loaded;
use crate::doses::{DOSES, write_doses};
use crate::dry_run::default_directory;
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::finished::{Finished, finish, outcome_word};
use crate::launch::subject;
use crate::prepared::Prepared;
use crate::registry::Registry;
use crate::run::{Begin, Options, run, set_up};
use crate::run_dir::{Manifest, Owner, RunDir, is_probe};
use crate::samples;
use crate::summary::Untrained;
use crate::together::{First, agree, announce, check};

/// Names of scalars that a message lists.
const NAMED: usize = 4;

/// Goes on with the run in `path` from its last checkpoint that is whole; a run that was stopped before
/// its first checkpoint starts again, and one that was cut off behind its last one gets the files that
/// it lacks.
///
/// # Errors
/// As for [`run`]; and a directory that holds no run, or one that is complete.
pub fn resume(registry: &Registry, path: &Path, options: Options) -> Result<Finished, RunError> {
    let directory = RunDir::open_whole(path)?;
    if is_probe(path) {
        return Err(RunError::NoRun {
            path: path.to_owned(),
            what: "a probe was made there, and nothing is trained".to_owned(),
        });
    }
    let owner = directory.own()?;
    match go_on(registry, directory, owner, options)? {
        Gone::On(finished) | Gone::ToItsEnd(finished) => Ok(*finished),
    }
}

/// How far a run was when it went on.
enum Gone {
    /// It was trained.
    On(Box<Finished>),
    /// It had been trained, and got the files that it lacked.
    ToItsEnd(Box<Finished>),
}

/// Goes on with the run of `loaded` if its directory holds it, and starts it if the directory is not
/// there, empty, or left by a start that was cut off: the same call, however often the run was cut off.
/// `Err` holds the result of a run that had been trained to its end.
///
/// # Errors
/// As for [`run`] and [`resume`]; and a directory with a run of another config.
pub fn run_or_resume(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    options: Options,
) -> Result<Result<Finished, Value>, RunError> {
    let path = options
        .out
        .clone()
        .unwrap_or_else(|| default_directory(loaded));
    let directory = match RunDir::open(&path) {
        Ok(directory) => directory,
        Err(RunError::NoRun { .. } | RunError::Unbegun { .. }) => {
            return run(registry, loaded, options).map(Ok);
        }
        Err(error) => return Err(error),
    };
    if read_text(&directory.config(), SMALL)? != loaded.resolved {
        return Err(RunError::OtherConfig { path });
    }
    let owner = directory.own()?;
    let group = options.processes.clone();
    match go_on(registry, directory.clone(), owner, options) {
        Err(error @ (RunError::Complete { .. } | RunError::Lost { .. })) => {
            announce(&group, First::IsDone)?;
            let mut result = result_of(&directory);
            if let RunError::Lost { lost } = &error {
                tracing::warn!("{error}");
                let entries = result.as_mut().and_then(Value::as_object_mut);
                if let Some(entries) = entries {
                    entries.insert("exit_code".to_owned(), error.exit_code().into());
                    entries.insert("lost_records".to_owned(), lost.clone().into());
                }
            }
            result.map(Err).ok_or(error)
        }
        Err(error) => Err(error),
        Ok(Gone::On(finished)) => Ok(Ok(*finished)),
        Ok(Gone::ToItsEnd(finished)) => Ok(Err(finished.result())),
    }
}

fn go_on(
    registry: &Registry,
    directory: RunDir,
    owner: Owner,
    options: Options,
) -> Result<Gone, RunError> {
    let on = |finished: Finished| Gone::On(Box::new(finished));
    let loaded = registry.load_kept(&directory.config(), &[])?;
    let group = options.processes.clone();
    check(&group, &loaded.value)?;
    files::remove_half_written(directory.path())?;
    let checkpoints = Checkpoints::new(
        directory.checkpoints(),
        loaded.value.checkpoints.keep_last,
        loaded.resolved.clone(),
    );
    let last = match checkpoints.recover() {
        Ok(last) => last,
        Err(TrainError::NoCheckpoint { .. }) => {
            announce(&group, First::Begins)?;
            let prepared = set_up(registry, &loaded, None, &options)?;
            agree(&group, &loaded, &prepared)?;
            // Behind the agreement: a start that the others refuse removes nothing.
            files::discard(directory.path())?;
            if directory.decisions().exists() {
                let decisions = directory.decisions();
                fs::remove_file(&decisions).map_err(RunError::io(&decisions, "remove"))?;
            }
            let launched = prepared.launch(&loaded, directory, owner, options, Begin::New);
            return launched.map(on);
        }
        Err(error) => return Err(error.into()),
    };
    // Before anything is trained or removed: a list that names files elsewhere was not written here.
    afterimage_track::read_images(directory.path())?;
    let Stood {
        state,
        disabled,
        book,
    } = read_stood(&last)?;
    // A line that is no record ends the call here, so that it can be repaired before anything is lost.
    let scalars = lost_scalars(&directory, &state)?;
    let lost: Vec<String> = match book {
        Some(book) => book.lost(directory.path()),
        // A checkpoint of before there were books knows the last scalars alone.
        None => scalars.into_iter().collect(),
    };
    let finished = state.finished;
    if finished && is_complete(&directory, &loaded.value) {
        let path = directory.path().to_owned();
        return Err(match lost.is_empty() {
            true => RunError::Complete { path },
            false => RunError::Lost { lost },
        });
    }
    checkpoints.check_config(&last)?;
    for what in &lost {
        tracing::warn!(
            "{what}. The run goes on without it and ends with exit code 5; to have it, stop this run, \
             put a copy of the file back, and resume"
        );
    }
    announce(
        &group,
        if finished {
            First::IsDone
        } else {
            First::GoesOn
        },
    )?;
    let prepared = set_up(registry, &loaded, Some(directory.path()), &options)?;
    if !finished {
        agree(&group, &loaded, &prepared)?;
        let begin = Begin::Checkpoint(lost);
        return prepared
            .launch(&loaded, directory, owner, options, begin)
            .map(on);
    }
    checkpoints.remove_old(&state)?;
    (options.started)(&directory);
    let ended = end(&loaded, directory, prepared, state, lost, disabled)?;
    Ok(Gone::ToItsEnd(Box::new(ended)))
}

/// What the run in `path` lacks of the records that it had at its last checkpoint, a line for each kind;
/// nothing is known of a run without checkpoints that are whole.
///
/// # Errors
/// A checkpoint that cannot be read.
pub fn lost_since(path: &Path) -> Result<Vec<String>, RunError> {
    let directory = RunDir::open(path)?;
    match Checkpoints::new(directory.checkpoints(), 1, "").last_good() {
        Ok(last) => {
            let book = read_book(&last.path)?.unwrap_or_default();
            Ok(book.lost(directory.path()))
        }
        Err(TrainError::NoCheckpoint { .. } | TrainError::NoneWhole(_)) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// What `metrics.jsonl` lacks of what was measured up to the checkpoint.
fn lost_scalars(directory: &RunDir, state: &LoopState) -> Result<Option<String>, RunError> {
    let step = state.clock.step;
    let missing = afterimage_track::missing_scalars(directory.path(), &state.latest, step)?;
    if missing.is_empty() {
        return Ok(None);
    }
    let more = match missing.len() {
        0..=NAMED => String::new(),
        count => format!(" and {} more", count - NAMED),
    };
    let names = &missing[..missing.len().min(NAMED)];
    Ok(Some(format!(
        "{} lacks what was measured up to step {step}: {}{more}",
        directory.path().join(files::METRICS).display(),
        names.join(", ")
    )))
}

fn result_of(directory: &RunDir) -> Option<Value> {
    serde_json::from_slice(&read(&directory.result(), SMALL).ok()?).ok()
}

/// Whether a run whose last checkpoint is written has all that comes behind it.
fn is_complete(directory: &RunDir, experiment: &Experiment) -> bool {
    let has = |name: &str| read_table(&directory.path().join(name)).is_ok();
    if !has(files::SAMPLES) || (experiment.doses.is_some() && !has(DOSES)) {
        return false;
    }
    let manifest = read(&directory.path().join(files::MANIFEST), SMALL).ok();
    let manifest: Option<Value> = manifest.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let ended = manifest.is_some_and(|manifest| manifest["outcome"] != "running");
    ended && directory.report().is_file() && result_of(directory).is_some()
}

/// Writes what a run lacks that was cut off behind its last checkpoint; nothing is trained.
fn end(
    loaded: &Loaded<Experiment>,
    directory: RunDir,
    prepared: Prepared,
    state: LoopState,
    lost: Vec<String>,
    disabled_plugins: Vec<String>,
) -> Result<Finished, RunError> {
    let outcome = if state.clock.epoch >= state.clock.epochs {
        Outcome::Completed
    } else {
        Outcome::Stopped(stop_reason(&directory))
    };
    samples::keep(directory.path(), &prepared.data)?;
    if let Some(doses) = &prepared.doses {
        write_doses(&directory, doses)?;
    }
    directory.write_manifest(&Manifest {
        config_digest: &loaded.digest,
        device: &loaded.value.device,
        data_digest: prepared.digest(),
        data_covered: prepared.data.digest_covers(),
        plugins: &prepared.plugin_ids,
        outcome: &outcome_word(&outcome),
        probe: None,
    })?;
    let step = state.clock.step;
    let behind = catch_up(
        &loaded.value.sinks,
        &subject(loaded, &directory),
        step,
        &outcome,
    );
    let lost = lost.into_iter();
    let lost = lost.chain(behind.into_iter().map(|what| format!("the sink {what}")));
    let lost = lost.collect();
    let latest = state.latest.into_iter();
    let (measured, scalars) = latest
        .map(|(tag, (step, value))| ((tag.clone(), step), (tag, value)))
        .unzip();
    let report = RunReport {
        disabled_plugins,
        measured,
        scalars,
        ..RunReport::default()
    };
    let sites = prepared.model.encoder().sites();
    let start = Untrained::of(&loaded.value);
    let finished = finish(directory.clone(), outcome, report, lost, &sites, start);
    directory.write_result(&finished.result())?;
    Ok(finished)
}

/// Why a run was stopped before its last epoch, as its decisions say.
fn stop_reason(directory: &RunDir) -> String {
    let text = read_text(&directory.decisions(), LARGE).unwrap_or_default();
    let mut decisions = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Decision>(line).ok());
    decisions
        .find_map(|decision| Some(decision.what.strip_prefix("stop: ")?.to_owned()))
        .unwrap_or_else(|| "before its last epoch".to_owned())
}
