//! Names of trials: what differs between them, short, readable, safe for a file system.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_config::Report;
use sha2::{Digest, Sha256};
use toml::Value;

/// The most trials of a sweep.
pub(crate) const MOST: usize = 10_000;

/// Bytes of a name; file systems take 255, and log files add to it.
const LENGTH: usize = 150;

/// Whether `name` is a folder's name anywhere: letters, digits, `-`, `_`, `.`, no dot in front.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 60
        && !name.starts_with(['.', '-'])
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// Reports a name at `at` that is no folder's name; `why` says why it must be one.
pub(crate) fn check_plain(name: &str, at: &str, why: &str, report: &mut Report<'_>) {
    report.check(is_plain(name), at, || {
        format!("{name:?} must be letters, digits, '-', '_' and '.'; {why}")
    });
}

/// Whether a trial of this name is one of the stage `stage`: its name begins with the stage's.
pub(crate) fn is_of_stage(trial: &str, stage: &str) -> bool {
    let rest = trial.strip_prefix(stage);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([',', '~']))
}

/// The shortest ends of `keys` that tell them apart: `peak` for `schedule.peak` unless another key
/// ends in `peak`, too. A key that chooses a run, as in `{prune}.arm`, loses its braces.
pub(crate) fn labels(keys: &BTreeSet<String>) -> BTreeMap<String, String> {
    let end = |key: &str, parts: usize| {
        let all = split(key);
        let end = all[all.len().saturating_sub(parts)..].join(".");
        match key.starts_with('{') {
            true => end.replace(['{', '}'], ""),
            false => end,
        }
    };
    keys.iter()
        .map(|key| {
            let parts = split(key).len();
            let unique = |label: &String, n: usize| {
                keys.iter().filter(|other| end(other, n) == *label).count() == 1
                    && (label != "seed" || key == "seed")
                    // An arm of another stage is not the trial's own.
                    && (label != "arm" || !key.starts_with('{'))
            };
            let label = (1..=parts)
                .map(|n| (end(key, n), n))
                .find(|(label, n)| unique(label, *n))
                .map_or_else(|| key.clone(), |(label, _)| label);
            (key.clone(), label)
        })
        .collect()
}

/// The parts of a key, those in quotes without them: `"encoder.res2*"` is one.
fn split(key: &str) -> Vec<&str> {
    let mut quote = None;
    let dots = key.split(move |c: char| {
        match quote {
            None if c == '"' || c == '\'' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ => {}
        }
        c == '.' && quote.is_none()
    });
    dots.map(|part| part.trim_matches(['"', '\''])).collect()
}

/// A value as it stands in names and tables: texts without quotes, small and large numbers short.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Float(x) if *x != 0.0 && !(1e-3..1e6).contains(&x.abs()) => format!("{x:e}"),
        Value::Float(x) => x.to_string(),
        other => other.to_string(),
    }
}

/// A folder's name made of `parts`, joined by commas; what a file system or a shell may refuse
/// becomes `_`, and a name that is too long ends in a hash of the whole.
pub(crate) fn folder_name(parts: &[String]) -> String {
    let whole = parts.join(",");
    let mut name: String = whole
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "._+-=,".contains(c) {
                c
            } else {
                '_'
            }
        })
        .collect();
    if name.is_empty() {
        "base".clone_into(&mut name);
    }
    if name.starts_with(['.', '-']) {
        name.insert(0, '_');
    }
    if name.len() > LENGTH {
        name.truncate(LENGTH - 9);
        name = format!("{name}~{}", hash(&whole));
    }
    name
}

/// Names that differ, also where a file system takes upper and lower case for one: a name that is
/// there already gets a hash of what it stands for.
pub(crate) fn distinct(names: Vec<(String, String)>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    names
        .into_iter()
        .map(|(mut name, meaning)| {
            let plain = name.clone();
            let mut salt = 0;
            while !taken.insert(name.to_lowercase()) {
                name = format!("{plain}~{}", hash(&format!("{meaning}{salt}")));
                salt += 1;
            }
            name
        })
        .collect()
}

/// The first 8 hex digits of a SHA-256.
fn hash(text: &str) -> String {
    let all = Sha256::digest(text.as_bytes());
    hex(&all[..4])
}

/// Bytes as hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_are_as_short_as_they_can_be() {
        let keys = [
            "schedule.peak",
            "a.x",
            "b.x",
            "seed",
            "plugins.p.seed",
            "{b}.arm",
            "{b}.c.y",
            "plugins.prune.fractions.\"encoder.res2*\"",
            "plugins.prune.fractions.\"encoder.res1*\"",
        ];
        let labels = labels(&keys.map(str::to_owned).into());
        let short = |key: &str| labels[key].as_str();
        assert_eq!(short("schedule.peak"), "peak");
        assert_eq!((short("a.x"), short("b.x")), ("a.x", "b.x"));
        assert_eq!((short("seed"), short("plugins.p.seed")), ("seed", "p.seed"));
        assert_eq!((short("{b}.arm"), short("{b}.c.y")), ("b.arm", "y"));
        let by_glob = "plugins.prune.fractions.\"encoder.res2*\"";
        assert_eq!(short(by_glob), "encoder.res2*");
    }

    #[test]
    fn a_stage_is_not_one_whose_name_begins_with_its_own() {
        for (trial, is) in [("a", true), ("a,x=1", true), ("a~2", true), ("ab", false)] {
            assert_eq!(is_of_stage(trial, "a"), is, "{trial}");
        }
        assert_eq!(hex(&[0, 255]), "00ff");
    }

    #[test]
    fn values_are_short() {
        let texts = [
            Value::Float(1e-7),
            Value::Float(0.1),
            Value::Float(3.0),
            Value::String("a b".to_owned()),
            Value::Boolean(true),
        ];
        assert_eq!(
            texts.map(|v| shown(&v)),
            ["1e-7", "0.1", "3", "a b", "true"]
        );
    }

    #[test]
    fn names_of_one_folder_on_any_file_system_are_told_apart() {
        let names = ["kind=A", "kind=a", "kind=a"].map(|n| (n.to_owned(), n.to_owned()));
        let names = distinct(names.into());
        let lower: BTreeSet<String> = names.iter().map(|n| n.to_lowercase()).collect();
        assert_eq!((names[0].as_str(), lower.len()), ("kind=A", 3));
    }

    proptest! {
        #[test]
        fn any_text_becomes_one_visible_folder(parts in prop::collection::vec(".{0,80}", 0..5)) {
            let name = folder_name(&parts);
            prop_assert!(!name.is_empty() && name.len() <= LENGTH && !name.starts_with('.'));
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._+-=,~".contains(c)));
        }
    }
}
