//! Which configurations a comparison means.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_config::{ConfigError, ConfigErrors, KeyPath};
use toml::Value;

use super::{Choice, Compare, Comparison};
use crate::config::{SweepConfig, SweepFile};
use crate::overrides::{Override, leaves, root};
use crate::plan::Trial;
use crate::problems::error_at;
use crate::stage::Part;

/// A configuration and all that can be said of it.
struct Known<'a> {
    name: &'a str,
    metric: &'a str,
    /// Stage, arm, and every key that it sets.
    all: BTreeMap<String, Value>,
    /// Of these what tells it from others: stage, arm, and its point of grid and search.
    identity: BTreeMap<String, Value>,
}

/// The comparisons of a sweep with these trials.
///
/// # Errors
/// Comparisons that mean no configuration, and arms whose control is not there or not told, at their
/// lines.
pub(crate) fn comparisons(
    loaded: SweepFile<'_>,
    trials: &[Trial],
) -> Result<Vec<Comparison>, ConfigErrors> {
    if loaded.value.compare.is_empty() {
        return Ok(Vec::new());
    }
    let known = known(loaded.value, trials);
    let mut found = Vec::new();
    let mut errors = Vec::new();
    for (index, compare) in loaded.value.compare.iter().enumerate() {
        match comparison(loaded, index, compare, &known) {
            Ok(one) => found.push(one),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(found)
    } else {
        Err(ConfigErrors::new(errors))
    }
}

/// What the trials of a stage, or of a sweep without stages, share.
struct Common {
    keys: BTreeMap<String, Value>,
    /// The keys that each arm sets.
    armed: BTreeMap<String, BTreeSet<String>>,
}

fn common(sweep: &SweepConfig) -> BTreeMap<Option<String>, Common> {
    let of = |part: &Part<'_>| {
        let keys = part.common().into_iter().map(|one| (one.key, one.value));
        let armed = part.arms.iter().map(|arm| {
            let keys = leaves(&arm.set, "").into_iter().map(|one| one.key);
            (arm.name.clone(), keys.collect())
        });
        Common {
            keys: keys.collect(),
            armed: armed.collect(),
        }
    };
    let parts = sweep.parts();
    let parts = parts.iter().map(|part| {
        let stage = part.stage.map(|(_, stage)| stage.name.clone());
        (stage, of(part))
    });
    parts.collect()
}

fn known<'a>(sweep: &SweepConfig, trials: &'a [Trial]) -> Vec<Known<'a>> {
    let parts = common(sweep);
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for trial in trials {
        if !seen.insert(&trial.configuration) {
            continue;
        }
        let part = parts.get(&trial.stage);
        let armed = part.and_then(|part| part.armed.get(trial.arm.as_ref()?));
        let mut identity: BTreeMap<String, Value> = trial
            .settings
            .iter()
            .filter(|(key, _)| armed.is_none_or(|armed| !armed.contains(*key)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let names = [("stage", &trial.stage), ("arm", &trial.arm)];
        for (key, name) in names {
            identity.extend(name.clone().map(|name| (key.to_owned(), name.into())));
        }
        let mut whole = part.map(|part| part.keys.clone()).unwrap_or_default();
        whole.extend(trial.settings.clone());
        whole.extend(identity.clone());
        all.push(Known {
            name: &trial.configuration,
            metric: &trial.metric.name,
            all: whole,
            identity,
        });
    }
    all
}

/// Configurations of one stage by the values of some keys, for as many sets of keys as are asked for.
#[derive(Default)]
struct OfStage<'k> {
    members: Vec<&'k Known<'k>>,
    /// Keys that any of them gives.
    keys: BTreeSet<&'k str>,
    by: BTreeMap<Vec<String>, BTreeMap<String, Vec<&'k Known<'k>>>>,
}

impl<'k> OfStage<'k> {
    /// The configurations of each stage.
    fn all(known: &'k [Known<'k>]) -> BTreeMap<String, Self> {
        let mut stages: BTreeMap<String, Self> = BTreeMap::new();
        for one in known {
            let of = stages.entry(text(one.all.get("stage"))).or_default();
            of.keys.extend(one.all.keys().map(String::as_str));
            of.members.push(one);
        }
        stages
    }

    /// Those that have all of `wanted`.
    fn with(&mut self, wanted: &BTreeMap<String, Value>) -> &[&'k Known<'k>] {
        let members = &self.members;
        let keys: Vec<String> = wanted.keys().cloned().collect();
        let groups = self.by.entry(keys).or_insert_with(|| {
            let mut groups: BTreeMap<String, Vec<&'k Known<'k>>> = BTreeMap::new();
            for &one in members {
                let values: Option<Vec<&Value>> =
                    wanted.keys().map(|key| one.all.get(key)).collect();
                if let Some(values) = values {
                    groups.entry(joined(values)).or_default().push(one);
                }
            }
            groups
        });
        groups
            .get(&joined(wanted.values()))
            .map_or(&[], Vec::as_slice)
    }
}

fn text(value: Option<&Value>) -> String {
    value.map_or(String::new(), Value::to_string)
}

fn joined<'v>(values: impl IntoIterator<Item = &'v Value>) -> String {
    let texts: Vec<String> = values.into_iter().map(Value::to_string).collect();
    texts.join("\n")
}

/// What a choice at `at` asks for.
fn conditions(choice: &Choice, at: &str) -> Vec<Override> {
    match choice {
        Choice::Arm(name) => vec![Override {
            key: "arm".to_owned(),
            value: name.as_str().into(),
            place: root(at),
        }],
        Choice::Keys(table) => leaves(table, at),
    }
}

fn has(known: &Known<'_>, conditions: &[Override]) -> bool {
    let mut conditions = conditions.iter();
    conditions.all(|one| known.all.get(&one.key) == Some(&one.value))
}

fn comparison<'k>(
    loaded: SweepFile<'_>,
    index: usize,
    compare: &Compare,
    known: &'k [Known<'k>],
) -> Result<Comparison, ConfigError> {
    let at = |key: &str| format!("compare[{index}].{key}");
    let fail = |place: &KeyPath, why: String| error_at(loaded, place, why);
    let among = leaves(&compare.among, &at("where"));
    let control = compare.control.as_ref();
    let control = control.map_or_else(Vec::new, |choice| conditions(choice, &at("control")));
    let alone = control.is_empty();
    let arms: Vec<Vec<Override>> = compare
        .arms
        .iter()
        .enumerate()
        .map(|(n, choice)| conditions(choice, &at(&format!("arms[{n}]"))))
        .collect();
    for one in among.iter().chain(&control).chain(arms.iter().flatten()) {
        given(known, one).map_err(|why| fail(&one.place, why))?;
    }
    let mut chosen: Vec<&Known<'_>> = known
        .iter()
        .filter(|one| has(one, &among) && (alone || !has(one, &control)))
        .collect();
    if !arms.is_empty() {
        for (n, arm) in arms.iter().enumerate() {
            if !chosen.iter().any(|one| has(one, arm)) {
                let place = root(&at(&format!("arms[{n}]")));
                let why = "no configuration but the control has this and what `where` says";
                return Err(fail(&place, why.to_owned()));
            }
        }
        chosen.retain(|one| arms.iter().any(|arm| has(one, arm)));
    }
    if chosen.is_empty() {
        let place = if among.is_empty() { "control" } else { "where" };
        let why = "no configuration is left to compare with the control".to_owned();
        return Err(fail(&root(&at(place)), why));
    }
    let mut stages = OfStage::all(known);
    let mut pairs = Vec::new();
    for arm in &chosen {
        if alone {
            pairs.push((arm.name.to_owned(), String::new()));
            continue;
        }
        let other = control_of(arm, &control, &mut stages)
            .map_err(|why| fail(&root(&at("control")), why))?;
        pairs.push((arm.name.to_owned(), other.name.to_owned()));
    }
    let metric = match &compare.metric {
        Some(metric) => metric.clone(),
        None => {
            let metrics: BTreeSet<&str> = chosen.iter().map(|one| one.metric).collect();
            if metrics.len() > 1 {
                let names: Vec<&str> = metrics.into_iter().collect();
                let why = format!(
                    "these arms are judged by {}; say by which they are compared (metric)",
                    names.join(" and ")
                );
                return Err(fail(&root(&at("metric")), why));
            }
            metrics.into_iter().collect()
        }
    };
    Ok(Comparison {
        name: compare.name.clone(),
        metric,
        expects: compare
            .expects
            .map(|expects| (expects, compare.threshold.unwrap_or(0.0))),
        last: compare.last.unwrap_or(1),
        pairs,
    })
}

/// Whether a configuration gives this key this value.
fn given(known: &[Known<'_>], one: &Override) -> Result<(), String> {
    let mut values: Vec<&Value> = Vec::new();
    for value in known.iter().filter_map(|known| known.all.get(&one.key)) {
        if *value == one.value {
            return Ok(());
        }
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Err(if values.is_empty() {
        format!(
            "no configuration of this sweep sets {:?}; name `stage`, `arm`, or a key that a stage sets",
            one.key
        )
    } else {
        let mut shown: Vec<String> = values
            .iter()
            .take(12)
            .map(|value| value.to_string())
            .collect();
        shown.extend((values.len() > 12).then(|| "…".to_owned()));
        format!(
            "no configuration has {} = {}; there are {}",
            one.key,
            one.value,
            shown.join(", ")
        )
    })
}

/// The one configuration that is as `arm` but for what `control` says. A key that the control's stage
/// does not give at all tells nothing.
fn control_of<'k>(
    arm: &Known<'_>,
    control: &[Override],
    stages: &mut BTreeMap<String, OfStage<'k>>,
) -> Result<&'k Known<'k>, String> {
    let mut wanted = arm.identity.clone();
    wanted.extend(
        control
            .iter()
            .map(|one| (one.key.clone(), one.value.clone())),
    );
    let of_stage = stages.entry(text(wanted.get("stage"))).or_default();
    wanted.retain(|key, _| {
        control.iter().any(|one| one.key == *key) || of_stage.keys.contains(key.as_str())
    });
    let found = of_stage.with(&wanted);
    let shown = || {
        let parts: Vec<String> = wanted.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        parts.join(", ")
    };
    match found {
        [one] => Ok(one),
        [] => Err(format!(
            "{} has no control: no configuration has {}",
            arm.name,
            shown()
        )),
        several => Err(format!(
            "{} has {} controls, such as {}: name more keys than {}",
            arm.name,
            several.len(),
            several.first().map_or("", |one| one.name),
            shown()
        )),
    }
}
