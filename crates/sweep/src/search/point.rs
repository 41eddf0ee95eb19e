//! Points of a search as values of keys, and the way back.

use std::collections::BTreeMap;

use toml::Value;

use super::Gene;
use crate::config::Search;
use crate::overrides::Override;
use crate::space::{Dimension, Range, dimensions};

/// The values of the keys of a search at a point, by whole key.
pub(crate) type Settings = BTreeMap<String, Value>;

/// The space of a search.
pub(crate) struct Points(Vec<Dimension>);

impl Points {
    /// The space of `search`, which stands at `at`.
    pub(crate) fn of(search: &Search, at: &str) -> Self {
        Self(dimensions(&search.space, at))
    }

    pub(super) fn genes(&self) -> Vec<Gene> {
        let gene = |of: &Dimension| match &of.range.values {
            Some(values) => Gene::Choice(values.len()),
            None => Gene::Number,
        };
        self.0.iter().map(gene).collect()
    }

    /// The values in the middle of the space.
    pub(crate) fn middle(&self) -> Settings {
        self.settings(&vec![0.5; self.0.len()])
    }

    /// The values at a point of the cube.
    pub(super) fn settings(&self, point: &[f64]) -> Settings {
        let values = self.0.iter().zip(point);
        values
            .map(|(of, u)| (of.key.clone(), of.range.at(*u)))
            .collect()
    }

    /// Where values lie in the cube; `None` for such as the space does not hold.
    pub(crate) fn place(&self, settings: &Settings) -> Option<Vec<f64>> {
        let places = self.0.iter();
        places
            .map(|of| of.range.place(settings.get(&of.key)?))
            .collect()
    }

    /// The keys with their ranges.
    pub(super) fn ranges(&self) -> BTreeMap<&str, &Range> {
        let pairs = self.0.iter().map(|of| (of.key.as_str(), &of.range));
        pairs.collect()
    }

    /// Values that another program asks for, as the space has them: `1` is `1.0` where numbers are not whole.
    ///
    /// # Errors
    /// A key that the space lacks, one that is missing, and a value outside of its range.
    pub(super) fn checked(&self, settings: &Settings) -> Result<Settings, String> {
        let known = |key: &String| self.0.iter().any(|of| of.key == *key);
        if let Some(key) = settings.keys().find(|key| !known(key)) {
            let keys: Vec<&str> = self.0.iter().map(|of| of.key.as_str()).collect();
            let keys = keys.join(", ");
            return Err(format!("{key}: no key of search.space, which has {keys}"));
        }
        let one = |of: &Dimension| {
            let given = settings.get(&of.key);
            let given = given.ok_or_else(|| format!("{}: missing", of.key))?;
            let value = match given {
                Value::Integer(n) if !of.range.integer && of.range.values.is_none() => {
                    Value::Float(*n as f64)
                }
                Value::Float(x) if of.range.integer && x.fract() == 0.0 => {
                    Value::Integer(*x as i64)
                }
                other => other.clone(),
            };
            match of.range.place(&value) {
                Some(_) => Ok((of.key.clone(), value)),
                None => Err(format!(
                    "{}: {value} is not in its range of search.space",
                    of.key
                )),
            }
        };
        self.0.iter().map(one).collect()
    }

    /// What a trial at a point sets, in the order of the space.
    pub(crate) fn overrides(&self, settings: &Settings) -> Vec<Override> {
        let one = |of: &Dimension| {
            Some(Override {
                key: of.key.clone(),
                value: settings.get(&of.key)?.clone(),
                place: of.place.clone(),
            })
        };
        self.0.iter().filter_map(one).collect()
    }
}
