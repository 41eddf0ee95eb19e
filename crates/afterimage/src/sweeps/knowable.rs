//! What can be known of a sweep's trials before they run, beyond their own configs: metrics that they
//! will not have, and runs of parents that they cannot use.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use afterimage_sweep::{Plan, SweepConfig, Trial, Use};
use toml::{Table, Value};

use crate::config::{ConfigErrors, KeyPath, Loaded, Report};
use crate::fine_tune::{FineTuneConfig, LayerChoice};
use crate::registry::{PluginKind, Registry};
use crate::start::refused;

/// What the names of the loop's own scalars begin with.
const LOOP: [&str; 4] = ["eval", "loss", "lr", "time"];

/// # Errors
/// Every such mistake at its line of the sweep file.
pub(super) fn check(
    registry: &Registry,
    loaded: &Loaded<SweepConfig>,
    plan: &Plan,
) -> Result<(), ConfigErrors> {
    let mut report = loaded.locations.report();
    let mut told = Told::default();
    // Few configs are of interest, and sweeps can have thousands.
    let mut read: BTreeMap<&str, Table> = BTreeMap::new();
    let parents = plan.trials.iter().flat_map(|trial| &trial.parents);
    let used: BTreeSet<&str> = parents.map(|parent| parent.trial.as_str()).collect();
    for trial in &plan.trials {
        let words = ["every = 0", "linear_probe = false"];
        let suspect = words.iter().any(|word| trial.config.contains(word));
        if (suspect || !trial.parents.is_empty() || used.contains(trial.name.as_str()))
            && let Ok(table) = toml::from_str(&trial.config)
        {
            read.insert(&trial.name, table);
        }
    }
    // Why a trial will not report a scalar.
    let lacks = |trial: &Trial, metric: &str| {
        let off = read.get(trial.name.as_str());
        let why = off
            .and_then(|config| switched_off(config, metric))
            .or_else(|| unreported(registry, &trial.config, metric))?;
        let of = trial.stage.as_ref();
        Some(why + &of.map_or(String::new(), |stage| format!(" (stage {stage:?})")))
    };
    for trial in &plan.trials {
        if !trial.aims.is_empty() {
            for (index, aim) in trial.aims.iter().enumerate() {
                if let Some(why) = lacks(trial, &aim.name) {
                    let at = aims_key(&loaded.value, trial);
                    told.once(&mut report, &format!("{at}[{index}].name"), why);
                }
            }
        } else if let Some(why) = lacks(trial, &trial.metric.name) {
            told.once(&mut report, &metric_key(&loaded.value, trial), why);
        }
    }
    let by_configuration: BTreeMap<&str, &Trial> = plan
        .trials
        .iter()
        .map(|trial| (trial.configuration.as_str(), trial))
        .collect();
    for (index, comparison) in plan.comparisons.iter().enumerate() {
        let own = loaded.value.compare.get(index);
        if own.is_none_or(|compare| compare.metric.is_none()) {
            continue;
        }
        let of = |name: &String| lacks(by_configuration.get(name.as_str())?, &comparison.metric);
        let pairs = comparison.pairs.iter();
        let why: Option<Vec<String>> = pairs
            .map(|(arm, control)| of(arm).or_else(|| of(control)))
            .collect();
        // One pair that has it is an answer.
        if let Some(why) = why.and_then(|all| all.into_iter().next()) {
            report.error(&format!("compare[{index}].metric"), why);
        }
    }
    for trial in &plan.trials {
        let Some(config) = read.get(trial.name.as_str()) else {
            continue;
        };
        for parent in &trial.parents {
            let Some(of) = read.get(parent.trial.as_str()) else {
                continue;
            };
            for one in &parent.uses {
                if let Some(why) = unusable(config, of, &parent.stage, one) {
                    told.once(&mut report, &one.place.to_string(), why);
                }
            }
        }
    }
    if loaded.value.slurm.processes > 1 {
        check_processes(loaded.value.slurm.processes, plan, &mut told, &mut report);
    }
    report.finish()
}

/// Encoders that trials start from, that are no runs of the sweep, and that are not there, or none: a line each. They
/// may still come, and a sweep that is only reported on needs them no more.
pub(super) fn starts(plan: &Plan) -> Vec<String> {
    let mut by_path: BTreeMap<PathBuf, (usize, &str)> = BTreeMap::new();
    for trial in &plan.trials {
        let from = start_of(&trial.config).unwrap_or_default();
        // That of a parent is checked with it.
        if !from.is_empty() && !from.starts_with('{') {
            let (count, _) = by_path.entry(from.into()).or_insert((0, &trial.name));
            *count += 1;
        }
    }
    let told = |(from, (count, first)): (PathBuf, (usize, &str))| {
        let why = refused(&FineTuneConfig {
            from,
            layers: LayerChoice::All,
            layermem: None,
        })?;
        Some(match count {
            1 => format!("{why} ({first})"),
            _ => format!("{why} ({count} trials, the first is {first})"),
        })
    };
    by_path.into_iter().filter_map(told).collect()
}

/// What `fine_tune.from` of a resolved config says. The rest of it is not read: there may be ten thousand.
fn start_of(config: &str) -> Option<String> {
    let (_, table) = config.split_once("\n[fine_tune]\n")?;
    let table = table.split("\n[").next()?;
    let table: Table = toml::from_str(table).ok()?;
    table.get("from")?.as_str().map(str::to_owned)
}

/// Whether so many processes can compute each trial together.
fn check_processes(processes: u32, plan: &Plan, told: &mut Told, report: &mut Report<'_>) {
    for trial in &plan.trials {
        if let Some(why) = apart(&trial.config, processes) {
            told.once(report, "slurm.processes", why);
        }
    }
}

/// Why `processes` processes cannot compute the run of `config` together, if they cannot.
pub(super) fn apart(config: &str, processes: u32) -> Option<String> {
    if processes < 2 {
        return None;
    }
    let config: Table = toml::from_str(config).ok()?;
    let batch = config.get("batch").and_then(Value::as_table);
    let shards = batch.and_then(|batch| batch.get("shards"));
    let shards = shards.and_then(Value::as_integer).unwrap_or(1);
    if shards % i64::from(processes) != 0 {
        let them = if shards == 1 { "shard" } else { "shards" };
        return Some(format!(
            "{processes} processes cannot share out the {shards} {them} of a trial's batches; set \
             `batch.shards` of the trials to a multiple of {processes}"
        ));
    }
    (config.get("renderer").and_then(Value::as_str) == Some("tui")).then(|| {
        "several processes know nothing of a screen (`renderer = \"tui\"`); set `renderer` of the trials to \
         `auto`"
            .to_owned()
    })
}

/// Mistakes that many trials share are told once.
#[derive(Default)]
struct Told(BTreeSet<(String, String)>);

impl Told {
    fn once(&mut self, report: &mut Report<'_>, key: &str, why: String) {
        if self.0.insert((key.to_owned(), why.clone())) {
            report.error(key, why);
        }
    }
}

fn aims_key(sweep: &SweepConfig, trial: &Trial) -> String {
    let own = sweep
        .stages
        .iter()
        .position(|stage| Some(&stage.name) == trial.stage.as_ref() && !stage.aims.is_empty());
    own.map_or("aims".to_owned(), |index| format!("stages[{index}].aims"))
}

fn metric_key(sweep: &SweepConfig, trial: &Trial) -> String {
    let own = sweep
        .stages
        .iter()
        .position(|stage| Some(&stage.name) == trial.stage.as_ref() && stage.metric.is_some());
    own.map_or("metric.name".to_owned(), |index| {
        format!("stages[{index}].metric.name")
    })
}

/// Why no plugin of a run of `config` reports the scalar `name`, as far as the kinds of plugins say.
fn unreported(registry: &Registry, config: &str, name: &str) -> Option<String> {
    let family = name.split('/').next().unwrap_or_default();
    // By its text: there may be ten thousand.
    let has = |kind: &PluginKind| config.contains(&format!("kind = \"{}\"", kind.name()));
    let may = |kind: &PluginKind| kind.families().is_none_or(|all| all.contains(&family));
    if LOOP.contains(&family) || registry.kinds().any(|kind| may(kind) && has(kind)) {
        return None;
    }
    let of = registry
        .kinds()
        .filter(|kind| kind.families().is_some() && may(kind));
    let kinds: Vec<String> = of.map(|kind| format!("{:?}", kind.name())).collect();
    Some(match kinds.as_slice() {
        [] => format!(
            "nothing in these runs reports {name:?}: no plugin of theirs has scalars \"{family}/…\""
        ),
        kinds => format!(
            "runs without the plugin {} report no {name:?}",
            kinds.join(" or ")
        ),
    })
}

/// Why a run of `config` will not report the scalar `name` of an evaluation.
fn switched_off(config: &Table, name: &str) -> Option<String> {
    let evaluation = config.get("evaluation")?;
    if !name.starts_with("eval/") {
        return None;
    }
    if evaluation.get("every").and_then(Value::as_integer) == Some(0) {
        return Some(format!("runs with evaluation.every = 0 report no {name:?}"));
    }
    let off = evaluation.get("linear_probe").and_then(Value::as_bool) == Some(false);
    (name == "eval/linear_probe" && off).then(|| {
        "runs with evaluation.linear_probe = false report no \"eval/linear_probe\"".to_owned()
    })
}

/// Why a run of `config` cannot use the run of `parent`, a trial of `stage`, as `one` says.
fn unusable(config: &Table, parent: &Table, stage: &str, one: &Use) -> Option<String> {
    if let Some(epoch) = one.epoch
        && let Some(why) = not_kept(parent, epoch)
    {
        return Some(format!("runs of {stage:?} {why}"));
    }
    if one.key != "fine_tune.from" {
        return None;
    }
    // How a convolution is computed is no part of the network.
    let network = |of: &Table| {
        let mut encoder = of.get("encoder")?.as_table()?.clone();
        encoder.remove("convolution");
        Some(encoder)
    };
    let (own, theirs) = (network(config)?, network(parent)?);
    let names: KeyPath = KeyPath::root().key("encoder");
    let differs = |key: &&String| own.get(*key) != theirs.get(*key);
    let key = own.keys().chain(theirs.keys()).find(differs)?;
    let shown = |of: &Table| of.get(key).map_or("nothing".to_owned(), Value::to_string);
    Some(format!(
        "runs of {stage:?} have another network: {names}.{key} is {} there and {} here",
        shown(&theirs),
        shown(&own)
    ))
}

/// Why a run of `config` has no checkpoint of `epoch` when it is done; none if it has.
fn not_kept(config: &Table, epoch: u32) -> Option<String> {
    let number = |of: &Value| of.as_integer().and_then(|n| u32::try_from(n).ok());
    let epochs = config.get("epochs").and_then(number)?;
    let checkpoints = config.get("checkpoints")?;
    let every = checkpoints.get("every").and_then(number)?.max(1);
    let keep = checkpoints.get("keep_last").and_then(number)?;
    if epoch == 0 || epoch > epochs {
        return Some(format!("have epochs 1 to {epochs}, none of number {epoch}"));
    }
    let is_written = |epoch: u32| epoch.is_multiple_of(every) || epoch == epochs;
    if !is_written(epoch) {
        return Some(format!(
            "write no checkpoint behind epoch {epoch} (checkpoints.every = {every})"
        ));
    }
    let behind = (epoch + 1..=epochs)
        .filter(|&other| is_written(other))
        .count();
    (behind >= keep as usize).then(|| {
        format!(
            "do not keep the checkpoint of epoch {epoch}: {behind} come behind it and \
             checkpoints.keep_last is {keep}; set it to {} at least",
            behind + 1
        )
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(epochs: u32, every: u32, keep: u32) -> Table {
        toml::from_str(&format!(
            "epochs = {epochs}\ncheckpoints = {{ every = {every}, keep_last = {keep} }}\n"
        ))
        .unwrap()
    }

    #[test]
    fn a_checkpoint_is_kept_or_it_is_said_why_not() {
        assert_eq!(not_kept(&config(30, 10, 3), 10), None);
        assert_eq!(not_kept(&config(30, 10, 1), 30), None);
        assert_eq!(
            not_kept(&config(25, 10, 1), 25),
            None,
            "the last one is always written"
        );
        let why = not_kept(&config(30, 10, 2), 10).unwrap();
        assert!(
            why.contains("2 come behind it") && why.contains("set it to 3"),
            "{why}"
        );
        assert!(
            not_kept(&config(25, 10, 9), 5)
                .unwrap()
                .contains("checkpoints.every = 10")
        );
        assert!(
            not_kept(&config(25, 10, 9), 26)
                .unwrap()
                .contains("epochs 1 to 25")
        );
        assert!(not_kept(&config(25, 10, 9), 0).is_some());
    }

    #[test]
    fn where_a_run_starts_is_read_from_its_table_alone() {
        let text = "epochs = 1\n\n[fine_tune]\nfrom = \"a\\nb\"\nlayers = [\"x\"]\n\n[encoder]\nkind = \"vit\"\n";
        assert_eq!(start_of(text).as_deref(), Some("a\nb"));
        assert_eq!(start_of("epochs = 1\n\n[encoder]\nfrom = 1\n"), None);
    }

    #[test]
    fn processes_must_divide_the_shards_of_a_trial() {
        let told = apart;
        assert_eq!(told("seed = 1", 1), None);
        assert_eq!(told("[batch]\nshards = 4", 2), None);
        assert_eq!(told("[batch]\nshards = 4", 4), None);
        let why = told("seed = 1", 2).unwrap();
        assert!(
            why.contains("the 1 shard of") && why.contains("a multiple of 2"),
            "{why}"
        );
        let why = told("[batch]\nshards = 4", 3).unwrap();
        assert!(
            why.contains("3 processes cannot share out the 4 shards"),
            "{why}"
        );
        let why = told("renderer = \"tui\"\n[batch]\nshards = 2", 2).unwrap();
        assert!(why.contains("renderer"), "{why}");
    }
}
