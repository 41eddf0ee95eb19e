//! What can be known of a sweep's trials before they run, beyond their own configs: metrics that they
//! will not have, and runs of parents that they cannot use.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_sweep::{Metric, Plan, SweepConfig, Trial, Use};
use toml::{Table, Value};

use crate::config::{ConfigErrors, KeyPath, Loaded, Report};

/// # Errors
/// Every such mistake at its line of the sweep file.
pub(super) fn check(loaded: &Loaded<SweepConfig>, plan: &Plan) -> Result<(), ConfigErrors> {
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
    for trial in &plan.trials {
        let Some(config) = read.get(trial.name.as_str()) else {
            continue;
        };
        if let Some(why) = lacks(config, &trial.metric) {
            let of = trial.stage.as_ref();
            let of = of.map_or(String::new(), |stage| format!(" (stage {stage:?})"));
            told.once(&mut report, &metric_key(&loaded.value, trial), why + &of);
        }
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
    report.finish()
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

fn metric_key(sweep: &SweepConfig, trial: &Trial) -> String {
    let own = sweep
        .stages
        .iter()
        .position(|stage| Some(&stage.name) == trial.stage.as_ref() && stage.metric.is_some());
    own.map_or("metric.name".to_owned(), |index| {
        format!("stages[{index}].metric.name")
    })
}

/// Why a run of `config` will not report `metric`, as far as its config says.
fn lacks(config: &Table, metric: &Metric) -> Option<String> {
    let evaluation = config.get("evaluation")?;
    let name = metric.name.as_str();
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
}
