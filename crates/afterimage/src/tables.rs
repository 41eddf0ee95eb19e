//! Tables about the training images, whose columns a plugin values.

use std::path::Path;

use afterimage_data::{DataError, DataSet};
use afterimage_files::{Bytes, machine_memory};
use afterimage_hooks::{HooksState, SampleId};
use afterimage_train::{Checkpoints, read_plugins};
use afterimage_value::{CellSource, OobValue, OobValueConfig, ValueError};

use crate::error::RunError;
use crate::experiment::{Experiment, PluginEntry};
use crate::points::settings;
use crate::run_dir::RunDir;

impl Experiment {
    /// Reads the tables that plugins of the kind `oob-value` name, and refuses those that do not fit the training
    /// images of `data`, or are not those that the run in the directory `resumed` began with; what there is to
    /// say about them goes to `notes`. Gives their digests, by which processes know that they have the same.
    ///
    /// # Errors
    /// What is wrong with a table, at the key to change.
    pub(crate) fn check_tables(
        &self,
        data: &DataSet,
        resumed: Option<&Path>,
        notes: &mut Vec<String>,
    ) -> Result<String, RunError> {
        let mut digests = Vec::new();
        let mut kept = None;
        for (index, entry) in self.plugins.iter().enumerate() {
            let Some(config) = on_columns(entry) else {
                continue;
            };
            if let Some(run) = resumed {
                let kept = match &kept {
                    Some(kept) => kept,
                    None => kept.insert(state_of(run)?),
                };
                // A plugin that was switched off asks for no table any more.
                let Some(state) = kept.plugin(entry.id()) else {
                    continue;
                };
                // The loop refuses a state that cannot be read, and says why.
                if let Ok(Some(began)) = OobValue::table_of(state) {
                    let same = config.check_table(&began);
                    same.map_err(|error| changed(index, &error))?;
                }
            }
            let name = |id| data.train.name(SampleId(id)).map(|name| name.to_string());
            let read = config.read_table(data.train.len(), &name);
            let read = read.map_err(|(key, reason)| unfit(index, key, reason))?;
            let Some(table) = read else { continue };
            let width: usize = table.columns.widths().iter().sum();
            fits(&config, width, data.train.len(), machine_memory())
                .map_err(|reason| unfit(index, "heads", reason))?;
            let told = table.notes.into_iter();
            notes.extend(told.map(|note| format!("{}: {note}", entry.id())));
            digests.push(table.digest);
        }
        Ok(digests.join(" "))
    }
}

/// Refuses heads on `width` numbers of each of `samples` that take more than the `memory` of the machine.
fn fits(
    config: &OobValueConfig,
    width: usize,
    samples: usize,
    memory: Option<u64>,
) -> Result<(), String> {
    // The weights of a head, their gradient and the two averages of Adam; and what the heads look at.
    let weights = (config.heads as u64)
        .saturating_mul(config.hidden as u64)
        .saturating_mul(width as u64)
        .saturating_mul(4);
    let numbers = weights.saturating_add((samples as u64).saturating_mul(width as u64));
    let bytes = numbers.saturating_mul(size_of::<f32>() as u64);
    match memory {
        Some(memory) if bytes > memory => Err(format!(
            "{} heads of {} hidden units on {width} numbers of each image, which the columns make, take {}, and this \
             machine has {}; lower it, or `hidden`, or name columns of many kinds in `ignore`",
            config.heads,
            config.hidden,
            Bytes(bytes),
            Bytes(memory)
        )),
        _ => Ok(()),
    }
}

/// The settings of a plugin whose cells are columns. What is no config of it has been reported as such.
fn on_columns(entry: &PluginEntry) -> Option<OobValueConfig> {
    if entry.kind != "oob-value" {
        return None;
    }
    settings(entry).filter(|config: &OobValueConfig| config.cells == CellSource::Columns)
}

/// What the plugins kept of the run in the directory `run` at its last checkpoint.
fn state_of(run: &Path) -> Result<HooksState, RunError> {
    let checkpoints = Checkpoints::new(RunDir::open(run)?.checkpoints(), 1, "");
    Ok(read_plugins(&checkpoints.last_good()?.path)?)
}

/// The table of the plugin of this number is another one, or cannot be read any more.
fn changed(index: usize, error: &ValueError) -> RunError {
    match error {
        ValueError::OtherTable { .. } => RunError::OtherTable {
            key: format!("plugins[{index}].table"),
            what: error.to_string(),
        },
        _ => unfit(index, "table", error.to_string()),
    }
}

fn unfit(index: usize, key: &str, reason: String) -> RunError {
    let key = format!("plugins[{index}].{key}");
    RunError::Data(DataError::Config { key, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_that_memory_cannot_hold_are_refused_with_what_to_lower() {
        let config = OobValueConfig {
            heads: 1024,
            hidden: 1024,
            ..OobValueConfig::default()
        };
        // Four numbers of four bytes for each weight: 16 GiB for 1,000 numbers an image.
        let told = fits(&config, 1000, 120, Some(8 << 30))
            .err()
            .unwrap_or_default();
        for word in ["1024 heads", "1000 numbers", "`hidden`", "`ignore`"] {
            assert!(told.contains(word), "no {word:?} in {told:?}");
        }
        assert_eq!(fits(&config, 1000, 120, Some(32 << 30)), Ok(()));
        assert_eq!(fits(&config, usize::MAX, 120, None), Ok(()));
    }
}
