//! Points that are asked for and are not there.

use afterimage_hooks::PairSets;
use afterimage_memory::{
    AlignmentGapConfig, ClassMemConfig, LayerMemConfig, OwnershipConfig, UnitMemConfig,
    points_of_both,
};
use serde::de::DeserializeOwned;

use crate::experiment::{Experiment, PluginEntry};

/// How many samples a probe can choose its points from.
pub(crate) struct Available {
    pub(crate) train: usize,
    pub(crate) held_out: usize,
    /// Candidates, as many as independent points, where there is a reference encoder.
    pub(crate) candidates: Option<usize>,
}

impl Available {
    /// What there is in a set of `train` and `held_out` images.
    pub(crate) fn new(train: usize, held_out: usize, pair: Option<&PairSets>) -> Self {
        Self {
            train: pair.map_or(train, |sets| sets.members().len()),
            held_out,
            candidates: pair.map(|sets| sets.candidates.len()),
        }
    }

    /// What `who` looks at where `wanted` points of each split are asked for and one has fewer.
    pub(crate) fn both(&self, who: &str, wanted: usize) -> Option<String> {
        let points = points_of_both(wanted, self.train, self.held_out);
        let (few, other) = match self.held_out <= self.train {
            true => ("held-out", "training"),
            false => ("training", "held-out"),
        };
        (points < wanted).then(|| {
            format!(
                "{who}: {points} {few} points, as many as there are; {wanted} were asked for; and as \
                 many {other} points"
            )
        })
    }

    /// The same where each split gives what it has.
    pub(crate) fn each(&self, who: &str, wanted: usize) -> Vec<String> {
        let splits = [("training", self.train), ("held-out", self.held_out)];
        let few = splits.into_iter().filter(|(_, there)| *there < wanted);
        few.map(|(split, there)| fewer(who, split, there, wanted))
            .collect()
    }

    fn pair(&self, who: &str, wanted: usize) -> Vec<String> {
        let few = self.candidates.filter(|there| *there < wanted);
        few.map(|there| fewer(who, "candidate", there, wanted))
            .into_iter()
            .collect()
    }

    /// What LayerMem looks at fewer of.
    pub(crate) fn layermem(&self, who: &str, wanted: usize) -> Vec<String> {
        let mut notes = self.pair(who, wanted);
        let held_out = self.held_out;
        notes.extend((held_out < wanted).then(|| fewer(who, "held-out", held_out, wanted)));
        notes
    }

    /// What the probes among the plugins of `experiment` look at fewer of than they are told to.
    pub(crate) fn notes(&self, experiment: &Experiment) -> Vec<String> {
        let mut notes = Vec::new();
        for entry in &experiment.plugins {
            let who = format!("plugin {:?}", entry.id());
            let who = who.as_str();
            match entry.kind.as_str() {
                "unitmem" => notes
                    .extend(settings(entry).and_then(|c: UnitMemConfig| self.both(who, c.points))),
                "classmem" => notes
                    .extend(settings(entry).and_then(|c: ClassMemConfig| self.both(who, c.points))),
                "alignment-gap" => notes.extend(
                    settings(entry)
                        .map_or_else(Vec::new, |c: AlignmentGapConfig| self.each(who, c.points)),
                ),
                "layermem" => notes.extend(
                    settings(entry)
                        .map_or_else(Vec::new, |c: LayerMemConfig| self.layermem(who, c.points)),
                ),
                "ownership" => notes.extend(
                    settings(entry)
                        .map_or_else(Vec::new, |c: OwnershipConfig| self.pair(who, c.points)),
                ),
                _ => {}
            }
        }
        notes
    }
}

/// What `who` looks at where `wanted` points are asked for and only so many are `there`.
pub(crate) fn fewer(who: &str, split: &str, there: usize, wanted: usize) -> String {
    format!("{who}: {there} {split} points, as many as there are; {wanted} were asked for")
}

/// The settings of a plugin; what is none has been reported as such.
pub(crate) fn settings<C: DeserializeOwned>(entry: &PluginEntry) -> Option<C> {
    C::deserialize(toml::Value::Table(entry.settings.clone())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_there_is_told() {
        let there = Available::new(1000, 240, None);
        assert_eq!(there.both("a", 240), None);
        assert_eq!(
            there.both("a", 500).as_deref(),
            Some(
                "a: 240 held-out points, as many as there are; 500 were asked for; and as many \
                 training points"
            )
        );
        assert_eq!(
            there.each("a", 500),
            ["a: 240 held-out points, as many as there are; 500 were asked for"]
        );
        assert_eq!(there.each("a", 2000).len(), 2);
        assert!(there.pair("a", 2000).is_empty());
    }
}
