//! How a stage names the runs of an earlier one.

use toml::Value;

/// What stands in a plan for the run directory of a trial: its config's digest, so that a child's
/// config says all that its parent's does.
const TRIAL: &str = "{trial:";

/// A value such as `{train}`, `{train}@epoch=20` or `{train}/unitmem.parquet`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The stage.
    pub(crate) stage: &'a str,
    /// What of its run.
    pub(crate) what: What<'a>,
}

/// What of a run a value names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What<'a> {
    /// The run directory.
    Run,
    /// The checkpoint behind an epoch.
    Epoch(u32),
    /// A file in the run directory.
    File(&'a str),
}

impl<'a> Reference<'a> {
    /// Reads a text that begins with `{`.
    ///
    /// # Errors
    /// A text that is no reference; says how one is written.
    pub(crate) fn parse(text: &'a str) -> Result<Self, String> {
        let (stage, rest) = text
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
            .ok_or_else(|| wrong(text))?;
        let what = What::parse(rest).ok_or_else(|| wrong(text))?;
        Ok(Self { stage, what })
    }
}

impl<'a> What<'a> {
    /// Reads what follows the name of a stage.
    pub(crate) fn parse(rest: &'a str) -> Option<Self> {
        if rest.is_empty() {
            return Some(Self::Run);
        }
        if let Some(file) = rest.strip_prefix('/') {
            let plain = |part: &str| !part.is_empty() && part != ".." && part != ".";
            return file.split('/').all(plain).then_some(Self::File(file));
        }
        let epoch = rest.strip_prefix("@epoch=")?;
        let digits = epoch.bytes().all(|byte| byte.is_ascii_digit());
        digits
            .then(|| epoch.parse().ok())
            .flatten()
            .map(Self::Epoch)
    }
}

fn wrong(text: &str) -> String {
    format!(
        "{text:?} is no reference to a stage; write \"{{stage}}\" for the directory of its run, \
         \"{{stage}}@epoch=20\" for a checkpoint of it, or \"{{stage}}/file\" for a file in it"
    )
}

/// The texts in `value` that begin with `{`, also inside arrays and tables.
pub(crate) fn references(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) if text.starts_with('{') => vec![text],
        Value::Array(values) => values.iter().flat_map(references).collect(),
        Value::Table(table) => table.values().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// `value` with `by` put in the place of each text for which it gives another.
///
/// # Errors
/// The first error of `by`.
pub(crate) fn replaced<E>(
    value: &Value,
    by: &mut dyn FnMut(&str) -> Result<Option<String>, E>,
) -> Result<Value, E> {
    Ok(match value {
        Value::String(text) => Value::String(by(text)?.unwrap_or_else(|| text.clone())),
        Value::Array(values) => {
            let values: Result<_, E> = values.iter().map(|value| replaced(value, by)).collect();
            Value::Array(values?)
        }
        Value::Table(table) => {
            let pairs: Result<_, E> = table
                .iter()
                .map(|(key, value)| Ok((key.clone(), replaced(value, by)?)))
                .collect();
            Value::Table(pairs?)
        }
        other => other.clone(),
    })
}

/// `text`, a reference, as it stands in the config of a planned trial whose parent's config has this
/// digest.
pub(crate) fn planned(text: &str, digest: &str) -> String {
    let rest = text.split_once('}').map_or("", |(_, rest)| rest);
    format!("{TRIAL}{digest}}}{rest}")
}

/// Digest and part of the run, if `text` is a reference in the config of a planned trial.
pub(crate) fn of_plan(text: &str) -> Option<(&str, What<'_>)> {
    let (digest, rest) = text.strip_prefix(TRIAL)?.split_once('}')?;
    Some((digest, What::parse(rest)?))
}

/// A key such as `{prune}.plugins.prune.fraction` or `{prune}.arm`: which trial of the stage `prune` is
/// meant. It is no key of the config.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Selector<'a> {
    /// The stage.
    pub(crate) stage: &'a str,
    /// The key that is varied there, or `arm`.
    pub(crate) key: &'a str,
}

impl<'a> Selector<'a> {
    /// The selector that `key` is, if it is one.
    pub(crate) fn of(key: &'a str) -> Option<Self> {
        let (stage, rest) = key.strip_prefix('{')?.split_once('}')?;
        let key = rest.strip_prefix('.')?;
        Some(Self { stage, key })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read_and_anything_else_is_told() {
        let of = |text| Reference::parse(text).map(|found| (found.stage, found.what));
        assert_eq!(of("{train}"), Ok(("train", What::Run)));
        assert_eq!(of("{a-b}@epoch=20"), Ok(("a-b", What::Epoch(20))));
        assert_eq!(of("{a}/t/u.npy"), Ok(("a", What::File("t/u.npy"))));
        for text in [
            "{train",
            "{a}@epoch=",
            "{a}@epoch=+2",
            "{a}@step=2",
            "{a}x",
            "{a}/../b",
            "{a}/",
        ] {
            let why = of(text).err();
            assert!(
                why.is_some_and(|why| why.contains("is no reference to a stage")),
                "{text}"
            );
        }
    }

    #[test]
    fn what_a_plan_holds_is_found_again() {
        let text = planned("{train}@epoch=3", "00ff");
        assert_eq!(of_plan(&text), Some(("00ff", What::Epoch(3))));
        assert_eq!(of_plan("{train}"), None);
        assert_eq!(of_plan("/runs/train"), None);
    }

    #[test]
    fn a_selector_is_a_key_behind_a_stage() {
        let of = |key| Selector::of(key).map(|found| (found.stage, found.key));
        assert_eq!(
            of("{prune}.plugins.prune.fraction"),
            Some(("prune", "plugins.prune.fraction"))
        );
        assert_eq!(of("plugins.prune.fraction"), None);
        assert_eq!(of("{prune}"), None);
    }
}
