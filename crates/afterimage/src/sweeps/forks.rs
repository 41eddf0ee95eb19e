//! Trials that begin at a checkpoint of another: up to when two runs are the same, and how the run of one
//! becomes the beginning of the other's.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use afterimage_files::{SMALL, read_below};
use afterimage_hooks::{Attached, Beginning};
use afterimage_model::{AnyEncoder, Encoder as _};
use afterimage_sweep::{Forks, Kept, Share};
use afterimage_track::files;
use afterimage_train::{LoopState, Stood, give_config, read_stood};
use serde::Deserialize;
use toml::{Table, Value};

use crate::board::begin_forked;
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
///
/// # Errors
/// A config of which that cannot be told: two that are taken for the same and are not would share a run.
pub(super) fn shares(resolved: &str, declared: &[Declared]) -> Result<Vec<Share>, String> {
    let told = |why: String| format!("what this run shares with others cannot be told: {why}");
    let mut table = toml::from_str::<Table>(resolved).map_err(|error| told(error.to_string()))?;
    let number = |of: Option<&Value>, key: &str| {
        let number = of.and_then(Value::as_integer);
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(|| told(format!("{key} is no number of epochs")))
    };
    let epochs = number(table.get("epochs"), "epochs")?;
    let every = table.get("checkpoints").and_then(|of| of.get("every"));
    let every = number(every, "checkpoints.every")?;
    if every == 0 {
        return Ok(Vec::new());
    }
    let plugins = table.remove("plugins");
    let plugins = plugins.as_ref().and_then(Value::as_array);
    let settings = |index: usize| {
        let settings = plugins.and_then(|all| all.get(index));
        let settings = settings.map(Value::to_string);
        settings.ok_or_else(|| told(format!("it has no plugin of number {index}")))
    };
    // It names folders alone, and they are told what the run does.
    table.remove("name");
    table.remove("sinks");
    let rest = toml::to_string(&table).map_err(|error| told(error.to_string()))?;
    let begins = declared.iter().filter_map(|one| one.begins.as_ref());
    let ends: BTreeSet<u32> = begins
        .map(|begins| begins.epoch.saturating_sub(1))
        .chain([epochs.saturating_sub(1)])
        .filter(|end| *end < epochs && *end >= every)
        .collect();
    let share = |end: u32| {
        let mut text = rest.clone();
        for one in declared {
            text += &one.text;
            match &one.begins {
                Some(begins) if begins.epoch > end => text += &begins.until_then,
                _ => text += &settings(one.index)?,
            }
            text.push('\n');
        }
        Ok(Share::of(&text, end / every * every))
    };
    ends.into_iter().map(share).collect()
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

/// The checkpoints of a run, by step; one that has just been removed is none.
///
/// # Errors
/// A folder or a list of a checkpoint that cannot be read.
fn checkpoints(run: &Path) -> Result<Vec<(Contents, PathBuf)>, String> {
    let folder = run.join("checkpoints");
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|error| told(&folder, &error))?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| told(&folder, &error))?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let number = name.and_then(|name| name.strip_prefix("step-"));
        if number.is_none_or(|number| number.parse::<u64>().is_err()) {
            continue;
        }
        let bytes = match read_below(&path, "contents.json", SMALL) {
            Err(error) if error.is_missing() => continue,
            bytes => bytes.map_err(|error| error.to_string())?,
        };
        let contents = serde_json::from_slice::<Contents>(&bytes);
        let contents = contents.map_err(|error| format!("{}: {error}", path.display()))?;
        found.push((contents, path));
    }
    found.sort_by_key(|(contents, _)| contents.step);
    Ok(found)
}

impl Forks for Forking<'_> {
    fn keep(&self, run: &Path, epoch: u32, to: &Path) -> Result<Kept, String> {
        let all = checkpoints(run)?;
        let Some((at, checkpoint)) = all.iter().find(|(of, _)| of.end_of == Some(epoch)) else {
            let beyond = all
                .iter()
                .any(|(of, _)| of.end_of.unwrap_or(of.epoch) > epoch);
            return Ok(match beyond {
                true => Kept::Never(format!("its checkpoint of epoch {epoch} is gone")),
                false => Kept::NotYet,
            });
        };
        copy(run, to, &|name| {
            OWN.contains(&name) || name == "checkpoints" || name.starts_with('.')
        })?;
        let folder = to.join("checkpoints");
        fs::create_dir(&folder).map_err(|error| told(&folder, &error))?;
        let mut steps = BTreeSet::new();
        for (of, path) in all.iter().filter(|(of, _)| of.step <= at.step) {
            let place = folder.join(path.file_name().unwrap_or_default());
            match link(path, &place) {
                Ok(()) => {
                    steps.insert(of.step);
                }
                Err(why) if of.step == at.step => return Err(why),
                // It was removed meanwhile, as it would be in the other run.
                Err(_) => fs::remove_dir_all(&place).map_err(|error| told(&place, &error))?,
            }
        }
        synced(&folder)?;
        synced(to)?;
        let kept = folder.join(checkpoint.file_name().unwrap_or_default());
        let stood = read_stood(&kept).map_err(|error| error.to_string())?;
        Ok(match unsound(to, run, &stood, &steps)? {
            Some(why) => Kept::Never(why),
            None => Kept::Now,
        })
    }

    fn begin(&self, from: &Path, config: &Path, run: &Path) -> Result<(), String> {
        let loaded = self
            .0
            .load_kept(config, &[])
            .map_err(|error| error.to_string())?;
        copy(from, run, &|name| {
            name == "checkpoints" || name == files::TENSORBOARD
        })?;
        let folder = run.join("checkpoints");
        fs::create_dir(&folder).map_err(|error| told(&folder, &error))?;
        let kept = checkpoints(from)?;
        for (_, path) in &kept {
            let place = folder.join(path.file_name().unwrap_or_default());
            link(path, &place)?;
            give_config(&place, &loaded.resolved).map_err(|error| error.to_string())?;
        }
        synced(&folder)?;
        // As the trial's own run directory will be named, beside those of the others.
        let trials = run.parent().and_then(Path::file_name);
        let names = [trials, config.file_stem()].into_iter().flatten();
        let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
        let group = names.join("/");
        let step = kept.last().map_or(0, |(of, _)| of.step);
        let (theirs, board) = (from.join(files::TENSORBOARD), run.join(files::TENSORBOARD));
        begin_forked(&board, &theirs, step, group, &loaded.resolved)
            .map_err(|error| error.to_string())?;
        for entry in fs::read_dir(&board).map_err(|error| told(&board, &error))? {
            synced(&entry.map_err(|error| told(&board, &error))?.path())?;
        }
        synced(&board)?;
        let place = run.join(files::CONFIG);
        files::write_beside(&place, loaded.resolved.as_bytes())
            .map_err(|error| error.to_string())?;
        synced(run)
    }
}

/// Why what was kept in `kept` of the run in `run`, which stood so, is no beginning of another; it has the
/// checkpoints of `steps`.
fn unsound(
    kept: &Path,
    run: &Path,
    stood: &Stood,
    steps: &BTreeSet<u64>,
) -> Result<Option<String>, String> {
    if !stood.disabled.is_empty() {
        return Ok(Some(format!(
            "its plugins {} failed",
            stood.disabled.join(", ")
        )));
    }
    let state = &stood.state;
    let step = state.clock.step;
    let missing = afterimage_track::missing_scalars(kept, &state.latest, step);
    if !missing.map_err(|error| error.to_string())?.is_empty() {
        return Ok(Some("its metrics.jsonl lacks records".to_owned()));
    }
    if let Some(what) = stood
        .book
        .iter()
        .find_map(|book| book.lost(kept).into_iter().next())
    {
        return Ok(Some(format!("its records are lost: {what}")));
    }
    // The checkpoint of the best evaluation stays in a run until there is a better one: the other run has
    // it, if there was one.
    let best = state.best.map_or(step, |(_, best)| best);
    let gone = !steps.contains(&best) && may_be_checkpoint(run, state, best);
    Ok(gone.then(|| "the checkpoint of its best evaluation is gone".to_owned()))
}

/// Whether the run in `run` may have written a checkpoint at `step`; `state` is that of a later one. Where
/// its config does not tell, it may.
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

/// Waits until a file, or the names in a folder, are on disk: what was copied counts only then.
fn synced(path: &Path) -> Result<(), String> {
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| told(path, &error))
}

fn copy_file(from: &Path, to: &Path) -> Result<(), String> {
    fs::copy(from, to).map_err(|error| told(from, &error))?;
    synced(to)
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
            copy_file(&path, &place)?;
        }
    }
    synced(to)
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
            copy_file(&path, &place)?;
        }
    }
    synced(to)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::unwrap_used)]
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
        shares(config, &[declared]).expect("a config")
    }

    #[test]
    fn a_config_that_cannot_be_compared_is_an_error_and_not_like_others() {
        let declared = |index| Declared {
            index,
            text: "prune".to_owned(),
            begins: None,
        };
        for (config, index, words) in [
            ("epochs = ", 0, "cannot be told"),
            ("name = \"a\"\n", 0, "epochs is no number"),
            (
                &CONFIG.replace("every = 5", "every = \"x\""),
                0,
                "checkpoints.every is no number",
            ),
            (CONFIG, 1, "no plugin of number 1"),
        ] {
            let told = shares(config, &[declared(index)]).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
        let none = CONFIG.replace("every = 5", "every = 0");
        assert_eq!(shares(&none, &[declared(0)]), Ok(Vec::new()));
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
