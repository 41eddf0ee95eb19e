//! Sweeps of experiments: trials checked by the experiment's own loader, and their results as
//! tables, TensorBoard sessions and one HTML page. What `afterimage sweep` does, as a library.

mod check;
mod forks;
mod fronts;
mod hparams;
mod images;
mod knowable;
mod page;
mod scatter;
mod status;
mod summary;
pub(crate) mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use afterimage_hooks::{Column, Table};
use afterimage_sweep::{
    Asked, Entry, Folder, Ledger, Line, Plan, Results, SweepConfig, SweepError, SweepFile, journal,
    replay,
};
use afterimage_track::{files::write_beside, write_table};

use crate::config::{ConfigError, ConfigErrors, Loaded, load_file_with};
use crate::error::RunError;
use crate::registry::Registry;

use check::Checks;

pub use forks::Forking;
pub use images::noted;
pub use status::{left, status};
pub use summary::{comparisons, counts, ended_early, generations, overview, table};

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
    let checks = Checks::new(registry);
    let mut plan = None;
    let loaded = load_file_with::<SweepConfig>(file, sets, |sweep, report| {
        let check = |base: &Path, sets: &[String]| checks.check(base, sets, sweep.fork);
        let trials = [
            "set", "grid", "search", "arms", "seeds", "stages", "metric", "aims",
        ];
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
        Some(mut plan) => {
            knowable::check(registry, &loaded, &plan)?;
            plan.notes.extend(knowable::starts(&plan));
            Ok((loaded, plan))
        }
        None => Err(of_file(file, "the trials cannot be told".to_owned()).into()),
    }
}

/// The trials of `loaded` as far as the ledger in `folder` goes: with those that a search asked for later. Without any,
/// those of `first`, which it begins with.
///
/// # Errors
/// As [`load_sweep`], and a ledger that cannot be read.
pub fn plan_so_far(
    registry: &Registry,
    loaded: &Loaded<SweepConfig>,
    file: &Path,
    first: Plan,
    folder: &Folder,
) -> Result<Plan, SweepError> {
    let lines = lines(folder)?;
    let asked = Asked::of(&lines);
    if asked == Asked::default() {
        return Ok(first);
    }
    Ok(plan_with(registry, loaded, file, &lines, &asked)?)
}

/// The trials of `loaded` with those that its searches ask for next, now that all of `plan` are over in `folder`; `None`
/// where nothing is left to ask.
///
/// # Errors
/// As [`plan_so_far`].
pub fn next_plan(
    registry: &Registry,
    loaded: &Loaded<SweepConfig>,
    file: &Path,
    plan: &Plan,
    folder: &Folder,
) -> Result<Option<Plan>, SweepError> {
    if plan.searches.is_empty() {
        return Ok(None);
    }
    let lines = lines(folder)?;
    let names = plan.trials.iter().map(|trial| trial.name.as_str());
    let (standings, _) = replay(names, &lines);
    let mut asked = Asked::of(&lines);
    if !plan.ask(&loaded.value, &standings, &mut asked) {
        return Ok(None);
    }
    Ok(Some(plan_with(registry, loaded, file, &lines, &asked)?))
}

fn lines(folder: &Folder) -> Result<Vec<Line>, SweepError> {
    match folder.ledger().is_file() {
        true => Ledger::read(&folder.ledger()),
        false => Ok(Vec::new()),
    }
}

/// The trials of `loaded` with what its searches `asked`, where the ledger holds `lines`. A new one that the processes
/// of [`slurm.processes`](afterimage_sweep::SlurmConfig) cannot share out is no trial, as one whose config is refused.
///
/// # Errors
/// As [`load_sweep`].
pub fn plan_with(
    registry: &Registry,
    loaded: &Loaded<SweepConfig>,
    file: &Path,
    lines: &[Line],
    asked: &Asked,
) -> Result<Plan, ConfigErrors> {
    let checks = Checks::new(registry);
    let SweepConfig { fork, slurm, .. } = &loaded.value;
    // Begun by another number of processes, perhaps.
    let begun = begun(lines);
    let check = |base: &Path, sets: &[String]| {
        let checked = checks.check(base, sets, *fork)?;
        match knowable::apart(&checked.resolved, slurm.processes) {
            Some(why) if !begun.contains(checked.digest.as_str()) => Err(ConfigError {
                key: "slurm.processes".to_owned(),
                ..of_file(file, why)
            }
            .into()),
            _ => Ok(checked),
        }
    };
    let read = SweepFile {
        value: &loaded.value,
        locations: &loaded.locations,
    };
    Plan::with(read, file, &check, asked)
}

/// Digests of the configs of all trials that a ledger tells of.
fn begun(lines: &[Line]) -> BTreeSet<&str> {
    let trials = lines.iter().filter_map(|line| match &line.entry {
        Entry::Sweep { trials, .. } | Entry::Ask { trials, .. } => Some(trials),
        _ => None,
    });
    trials
        .flatten()
        .map(|(_, digest)| digest.as_str())
        .collect()
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
        let taken = table.column(&name).is_some();
        let name = if taken {
            format!("{name}:{index}")
        } else {
            name
        };
        table.columns.push((name, column));
    }
    table
}
