//! Points of a search as values of keys, and the way back.

use std::collections::BTreeMap;

use toml::Value;

use super::Gene;
use crate::config::Search;
use crate::overrides::Override;
use crate::space::{Dimension, dimensions};

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

    /// What is wrong with values that another program asks for, if anything is.
    pub(crate) fn wrong(&self, settings: &Settings) -> Option<String> {
        let known = |key: &String| self.0.iter().any(|of| of.key == *key);
        if let Some(key) = settings.keys().find(|key| !known(key)) {
            let keys: Vec<&str> = self.0.iter().map(|of| of.key.as_str()).collect();
            return Some(format!(
                "{key}: no key of search.space, which has {}",
                keys.join(", ")
            ));
        }
        self.0.iter().find_map(|of| match settings.get(&of.key) {
            None => Some(format!("{}: missing", of.key)),
            Some(value) if of.range.place(value).is_none() => Some(format!(
                "{}: {value} is not in the range of search.space",
                of.key
            )),
            Some(_) => None,
        })
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
