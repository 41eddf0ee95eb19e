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
    // Trials that differ in their seed alone have the same plugins in the same order.
    let seen = RefCell::new(BTreeMap::new());
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
            knowable::check(&loaded, &plan)?;
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
    seen: &RefCell<BTreeMap<String, ()>>,
) -> Result<Checked, ConfigErrors> {
    let loaded = registry.load(base, sets)?;
    let seed = format!("seed = {}\n", loaded.value.seed);
    let apart_from_seed = loaded.resolved.replacen(&seed, "", 1);
    if !seen.borrow().contains_key(&apart_from_seed) {
        dry_run(registry, &loaded, false).map_err(|error| match error {
            RunError::Config(errors) => errors,
            other => of_file(base, other.to_string()).into(),
        })?;
        seen.borrow_mut().insert(apart_from_seed, ());
    }
    Ok(Checked {
        resolved: loaded.resolved,
        digest: loaded.digest,
        notes: loaded.notes,
    })
}

/// Writes all that is made of results into the sweep's folder: `results.csv`, `results.parquet`,
/// `sweep.json`, `study.md`, `report.html`, `optuna.journal`, `tensorboard/` with a session a trial,
/// and `comparisons.csv` where the sweep compares.
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
    if !results.answers.is_empty() {
        let csv = tables::csv(&results.answers);
        write_beside(&path.join("comparisons.csv"), csv.as_bytes())?;
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
