//! Trials that begin at a checkpoint of another: up to when two runs are the same, and how the run of one
//! becomes the beginning of the other's.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use afterimage_files::{SMALL, read_below};
use afterimage_hooks::{Attached, Beginning};
use afterimage_model::{AnyEncoder, Encoder as _};
use afterimage_sweep::{Forks, Kept, Share};
use afterimage_track::files;
use afterimage_train::{LoopState, TrainError, give_config, read_book, read_disabled, read_state};
use serde::Deserialize;
use toml::{Table, Value};

use crate::config::Loaded;
use crate::dry_run::{attach, in_order};
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::registry::Registry;

/// What of a run directory is no part of what the run was at a checkpoint.
const OWN: [&str; 7] = [
    "lock",
    "log.txt",
    afterimage_track::IDENTITY,
    files::RESULT,
    files::REPORT,
    files::MANIFEST,
    files::CONFIG,
];

/// What a plugin of a config declares, apart from the config's seed.
#[derive(Debug, Clone)]
pub(super) struct Declared {
    /// Its place in the config.
    index: usize,
    /// All that its part in the run hangs on, beside its settings.
    text: String,
    begins: Option<Beginning>,
}

/// What the plugins of `loaded` declare, in the order of a run.
///
/// # Errors
/// Plugins that cannot run together.
pub(super) fn declared(
    registry: &Registry,
    loaded: &Loaded<Experiment>,
    encoder: &AnyEncoder,
) -> Result<Vec<Declared>, RunError> {
    let plugins = attach(registry, loaded)?;
    let order = in_order(&loaded.value, &plugins, encoder.sites())?;
    let declared = |index: usize| {
        plugins.get(index).map(|plugin| Declared {
            index,
            text: text(plugin),
            begins: plugin.manifest().begins.clone(),
        })
    };
    Ok(order.into_iter().filter_map(declared).collect())
}

/// All of a manifest but what a plugin reads, asks for and plans, which do not matter before it does so.
fn text(plugin: &Attached) -> String {
    let m = plugin.manifest();
    format!(
        "{:?}",
        (
            (&m.id, &m.kind, &m.events, &m.taps, &m.provides, &m.writes),
            (m.reads_labels, m.reads_truth, m.oracle, m.on_fault),
            (m.exact, m.reference, m.whole_views),
        )
    )
}

/// Up to which epochs with a checkpoint the run of a resolved config does what others do.
pub(super) fn shares(resolved: &str, declared: &[Declared]) -> Vec<Share> {
    let Ok(mut table) = toml::from_str::<Table>(resolved) else {
        return Vec::new();
    };
    let number = |of: Option<&Value>| {
        of.and_then(Value::as_integer)
            .and_then(|n| u32::try_from(n).ok())
    };
    let epochs = number(table.get("epochs")).unwrap_or(0);
    let checkpoints = table.get("checkpoints").and_then(|of| of.get("every"));
    let Some(every) = number(checkpoints).filter(|every| *every > 0) else {
        return Vec::new();
    };
    let plugins = table.remove("plugins");
    let plugins = plugins.as_ref().and_then(Value::as_array);
    let settings = |index: usize| plugins.and_then(|all| all.get(index)).map(Value::to_string);
    // It names folders alone, and they are told what the run does.
    table.remove("name");
    table.remove("sinks");
    let begins = declared.iter().filter_map(|one| one.begins.as_ref());
    let ends: BTreeSet<u32> = begins
        .map(|begins| begins.epoch.saturating_sub(1))
        .chain([epochs.saturating_sub(1)])
        .filter(|end| *end < epochs)
        .collect();
    let share = |end: u32| {
        let mut text = toml::to_string(&table).unwrap_or_default();
        for one in declared {
            text += &one.text;
            match &one.begins {
                Some(begins) if begins.epoch > end => text += &begins.until_then,
                _ => text += &settings(one.index).unwrap_or_default(),
            }
            text.push('\n');
        }
        let until = end / every * every;
        (until > 0).then(|| Share::of(&text, until))
    };
    ends.into_iter().filter_map(share).collect()
}

/// Forks of runs.
pub struct Forking<'a>(
    /// The plugins of the runs.
    pub &'a Registry,
);

/// What a checkpoint says of itself.
#[derive(Deserialize)]
struct Contents {
    step: u64,
    epoch: u32,
    #[serde(default)]
    end_of: Option<u32>,
}

/// The checkpoints of a run, by step.
fn checkpoints(run: &Path) -> Vec<(Contents, PathBuf)> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten();
    let read = |path: PathBuf| {
        let number = path.file_name()?.to_str()?.strip_prefix("step-")?;
        number.parse::<u64>().ok()?;
        let bytes = read_below(&path, "contents.json", SMALL).ok()?;
        Some((serde_json::from_slice::<Contents>(&bytes).ok()?, path))
    };
    let mut found: Vec<(Contents, PathBuf)> = entries
        .filter_map(|entry| read(entry.ok()?.path()))
        .collect();
    found.sort_by_key(|(contents, _)| contents.step);
    found
}

impl Forks for Forking<'_> {
    fn keep(&self, run: &Path, epoch: u32, to: &Path) -> Result<Kept, String> {
        let all = checkpoints(run);
        let Some((at, checkpoint)) = all.iter().find(|(of, _)| of.end_of == Some(epoch)) else {
            let beyond = all
                .iter()
                .any(|(of, _)| of.end_of.unwrap_or(of.epoch) > epoch);
            return Ok(match beyond {
                true => Kept::Never(format!("its checkpoint of epoch {epoch} is gone")),
                false => Kept::NotYet,
            });
        };
        if let Some(why) = unsound(run, checkpoint, &all)? {
            return Ok(Kept::Never(why));
        }
        copy(run, to, &|name| {
            OWN.contains(&name) || name == "checkpoints" || name.starts_with('.')
        })?;
        let folder = to.join("checkpoints");
        fs::create_dir(&folder).map_err(|error| told(&folder, &error))?;
        for (of, path) in all.iter().filter(|(of, _)| of.step <= at.step) {
            let place = folder.join(path.file_name().unwrap_or_default());
            // An earlier one may be removed meanwhile, as it would be in the other run.
            if link(path, &place).is_err() && of.step < at.step {
                fs::remove_dir_all(&place).map_err(|error| told(&place, &error))?;
            }
        }
        let kept = folder.join(checkpoint.file_name().unwrap_or_default());
        read_state(&kept).map_err(|error| error.to_string())?;
        Ok(Kept::Now)
    }

    fn begin(&self, from: &Path, config: &Path, run: &Path) -> Result<(), String> {
        let loaded = self
            .0
            .load_kept(config, &[])
            .map_err(|error| error.to_string())?;
        copy(from, run, &|name| name == "checkpoints")?;
        let folder = run.join("checkpoints");
        fs::create_dir(&folder).map_err(|error| told(&folder, &error))?;
        for (_, path) in checkpoints(from) {
            let place = folder.join(path.file_name().unwrap_or_default());
            link(&path, &place)?;
            give_config(&place, &loaded.resolved).map_err(|error| error.to_string())?;
        }
        let place = run.join(files::CONFIG);
        files::write_beside(&place, loaded.resolved.as_bytes()).map_err(|error| error.to_string())
    }
}

/// Why the run in `run` is no beginning of another at `checkpoint`, one of `all`.
fn unsound(
    run: &Path,
    checkpoint: &Path,
    all: &[(Contents, PathBuf)],
) -> Result<Option<String>, String> {
    let error = |error: TrainError| error.to_string();
    let state = read_state(checkpoint).map_err(error)?;
    let off = read_disabled(checkpoint).map_err(error)?;
    if !off.is_empty() {
        return Ok(Some(format!("its plugins {} failed", off.join(", "))));
    }
    let step = state.clock.step;
    let missing = afterimage_track::missing_scalars(run, &state.latest, step);
    if !missing.map_err(|error| error.to_string())?.is_empty() {
        return Ok(Some("its metrics.jsonl lacks records".to_owned()));
    }
    let book = read_book(checkpoint).map_err(error)?.unwrap_or_default();
    if let Some(what) = book.lost(run).into_iter().next() {
        return Ok(Some(format!("its records are lost: {what}")));
    }
    // The checkpoint of the best evaluation stays in a run until there is a better one: the other run has
    // it, if there was one.
    let best = state.best.map_or(step, |(_, best)| best);
    let is_there = best == step || all.iter().any(|(of, _)| of.step == best);
    let gone = !is_there && may_be_checkpoint(run, &state, best);
    Ok(gone.then(|| "the checkpoint of its best evaluation is gone".to_owned()))
}

/// Whether the run in `run` may have written a checkpoint at `step`; `state` is that of a later one.
fn may_be_checkpoint(run: &Path, state: &LoopState, step: u64) -> bool {
    let config = read_below(run, files::CONFIG, SMALL).ok();
    let text = config.and_then(|bytes| String::from_utf8(bytes).ok());
    let table: Option<Table> = text.and_then(|text| toml::from_str(&text).ok());
    let every = table.and_then(|table| table.get("checkpoints")?.get("every")?.as_integer());
    let every = every.and_then(|every| u64::try_from(every).ok());
    let clock = &state.clock;
    let per_epoch = clock.steps / u64::from(clock.epochs.max(1));
    let Some(between) = every
        .map(|every| every * per_epoch)
        .filter(|steps| *steps > 0)
    else {
        return true;
    };
    // Epochs of a coreset are shorter, and theirs are not counted here.
    !clock.step.is_multiple_of(per_epoch) || step.is_multiple_of(between)
}

fn told(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// Copies the folder `from` to the new folder `to`, but for the entries of it whose names `leave` takes.
fn copy(from: &Path, to: &Path, leave: &dyn Fn(&str) -> bool) -> Result<(), String> {
    fs::create_dir(to).map_err(|error| told(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| told(from, &error))? {
        let entry = entry.map_err(|error| told(from, &error))?;
        let name = entry.file_name();
        if leave(&name.to_string_lossy()) {
            continue;
        }
        let (path, place) = (entry.path(), to.join(&name));
        let kind = entry.file_type().map_err(|error| told(&path, &error))?;
        if kind.is_dir() {
            copy(&path, &place, &|name| name.starts_with('.'))?;
        } else if kind.is_file() {
            fs::copy(&path, &place).map_err(|error| told(&path, &error))?;
        }
    }
    Ok(())
}

/// Puts the checkpoint at `from` at `to`, too. No process writes into its files; those that another run gets
/// anew are copied.
fn link(from: &Path, to: &Path) -> Result<(), String> {
    fs::create_dir(to).map_err(|error| told(to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| told(from, &error))? {
        let path = entry.map_err(|error| told(from, &error))?.path();
        let place = to.join(path.file_name().unwrap_or_default());
        let own = path
            .extension()
            .is_some_and(|end| end == "toml" || end == "json");
        if own || fs::hard_link(&path, &place).is_err() {
            fs::copy(&path, &place).map_err(|error| told(&path, &error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "name = \"a\"\nepochs = 30\nseed = 1\n[checkpoints]\nevery = 5\n\
                          [[plugins]]\nkind = \"prune\"\nscore = \"x\"\n";

    fn of(epoch: u32, until_then: &str, config: &str) -> Vec<Share> {
        let declared = Declared {
            index: 0,
            text: "prune".to_owned(),
            begins: Some(Beginning {
                epoch,
                until_then: until_then.to_owned(),
            }),
        };
        shares(config, &[declared])
    }

    #[test]
    fn runs_are_the_same_up_to_the_epoch_before_a_plugin_begins() {
        let own = of(12, "all", CONFIG);
        // To the end of epoch 11, and of 29 with all that the plugin is set to.
        assert_eq!(own.len(), 2);
        let first = |share: &[Share]| share.first().cloned();
        let other = CONFIG.replace("\"x\"", "\"y\"").replace("\"a\"", "\"b\"");
        let later = of(28, "all", &other);
        let same =
            |a: Option<Share>, b: Option<Share>| a.zip(b).is_some_and(|(a, b)| a.is_like(&b));
        assert!(same(first(&own), first(&later)), "a name and a score");
        assert!(
            !same(first(&own), first(&of(12, "some", CONFIG))),
            "its state"
        );
        let seed = CONFIG.replace("seed = 1", "seed = 2");
        assert!(
            !same(first(&own), first(&of(12, "all", &seed))),
            "another seed"
        );
        assert_eq!(of(5, "all", CONFIG).len(), 1, "no checkpoint before it");
        assert_eq!(of(1, "all", CONFIG).len(), 1);
    }
}
