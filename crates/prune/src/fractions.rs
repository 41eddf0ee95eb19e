//! Fractions by site: which pattern decides how much of which group goes.

use std::collections::BTreeMap;

use afterimage_hooks::{UnitGroup, glob};

use crate::config::PruneConfig;

/// A mistake in one entry of `fractions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FractionFault {
    /// The pattern of the entry.
    pub pattern: String,
    /// What is wrong, in a sentence.
    pub message: String,
    /// Whether the pattern names nothing at all, so that another name was meant.
    pub unknown: bool,
}

impl FractionFault {
    fn new(pattern: &str, message: impl Into<String>) -> Self {
        Self {
            pattern: pattern.to_owned(),
            message: message.into(),
            unknown: false,
        }
    }
}

/// Names of a group: its own and those of its sites.
pub(crate) fn names_of(group: &UnitGroup) -> impl Iterator<Item = &str> {
    group.sites.iter().chain([&group.name]).map(String::as_str)
}

fn matches(pattern: &str, group: &UnitGroup) -> bool {
    names_of(group).any(|name| glob(pattern, name))
}

/// The pattern that decides about `group`: a full name before a pattern with `*`; none where no
/// pattern matches. Of several of one kind, which must agree, the first.
fn decides<'f>(fractions: &'f BTreeMap<String, f64>, group: &UnitGroup) -> Option<(&'f str, f64)> {
    let matching = || {
        fractions
            .iter()
            .filter(|(pattern, _)| matches(pattern, group))
    };
    let exact = matching().find(|(pattern, _)| !pattern.contains('*'));
    let any = exact.or_else(|| matching().next());
    any.map(|(pattern, fraction)| (pattern.as_str(), *fraction))
}

impl PruneConfig {
    /// What goes of `group` in the end: what its pattern in `fractions` says; `fraction` for any other
    /// group, which is nothing where there are `fractions` and no `fraction`.
    pub fn fraction_of(&self, group: &UnitGroup) -> f64 {
        match decides(&self.fractions, group) {
            Some((_, fraction)) => fraction,
            None => self.rest(),
        }
    }

    /// What is wrong with the numbers in `fractions`, whatever the model is.
    pub fn fraction_problems(&self) -> Vec<FractionFault> {
        let wrong = |(pattern, fraction): (&String, &f64)| {
            let message = if !(0.0..1.0).contains(fraction) {
                format!("is {fraction}; must be at least 0 and below 1: every group keeps a unit")
            } else if *fraction > self.max_fraction {
                format!(
                    "is {fraction}, above `max_fraction = {}`; lower it, or raise the bound",
                    self.max_fraction
                )
            } else {
                return None;
            };
            Some(FractionFault::new(pattern, message))
        };
        self.fractions.iter().filter_map(wrong).collect()
    }

    /// What is wrong with the patterns in `fractions` for a model of `groups`: patterns that match
    /// nothing or only what may not go, and patterns that want different fractions of one group.
    pub fn misfits(&self, groups: &[UnitGroup]) -> Vec<FractionFault> {
        let mut faults: Vec<FractionFault> = Vec::new();
        for (pattern, fraction) in &self.fractions {
            let matching: Vec<&UnitGroup> = groups
                .iter()
                .filter(|group| matches(pattern, group))
                .collect();
            if let Some(fault) = self.misfit(pattern, *fraction, &matching) {
                faults.push(fault);
            }
        }
        faults
    }

    fn misfit(
        &self,
        pattern: &str,
        fraction: f64,
        matching: &[&UnitGroup],
    ) -> Option<FractionFault> {
        let fault = |message: String| Some(FractionFault::new(pattern, message));
        if matching.is_empty() {
            return Some(FractionFault {
                unknown: true,
                ..FractionFault::new(pattern, "matches no group of units and none of their sites")
            });
        }
        let taken: Vec<&&UnitGroup> = matching
            .iter()
            .filter(|group| self.takes(&group.name))
            .collect();
        if taken.is_empty() {
            return fault(format!(
                "matches only {}, which `groups = {:?}` leaves out",
                listed(matching),
                self.groups
            ));
        }
        if fraction > 0.0 && taken.iter().all(|group| self.protects(names_of(group))) {
            return fault(format!(
                "{} is protected by `protect`, so that nothing of it can go; leave it out of one of \
                 the two",
                listed(matching)
            ));
        }
        let decided = |group: &UnitGroup| decides(&self.fractions, group);
        let rank = |pattern: &str| pattern.contains('*');
        let against = taken.iter().find_map(|group| {
            let (other, theirs) = decided(group)?;
            let clash = theirs != fraction && rank(other) == rank(pattern);
            clash.then_some((group, other, theirs))
        });
        if let Some((group, other, theirs)) = against {
            return fault(format!(
                "wants {fraction} of group `{}`, whose units are tied and go together, but \
                 {other:?} wants {theirs} of it; give both the same, or leave one out",
                group.name
            ));
        }
        let idle = |group: &&UnitGroup| {
            decided(group).is_some_and(|(other, theirs)| other != pattern && theirs != fraction)
        };
        if taken.iter().all(|group| idle(group)) {
            return fault(format!(
                "has no effect: full names decide about all that it matches ({})",
                listed(matching)
            ));
        }
        None
    }
}

fn listed(groups: &[&UnitGroup]) -> String {
    let names: Vec<String> = groups.iter().map(|g| format!("`{}`", g.name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn group(name: &str, sites: &[&str]) -> UnitGroup {
        UnitGroup {
            name: name.to_owned(),
            units: 8,
            channels: 1,
            sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            masked_at: Vec::new(),
            embeds: false,
        }
    }

    fn groups() -> Vec<UnitGroup> {
        vec![
            group("encoder.prep", &["encoder.prep.act"]),
            group("encoder.res2", &["encoder.layer3.act", "encoder.res2b.act"]),
            group("encoder.res2a", &["encoder.res2a.act"]),
        ]
    }

    fn config(text: &str) -> PruneConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn a_full_name_goes_before_a_pattern_and_the_rest_stays() {
        let config = config("fractions = { \"encoder.res2*\" = 0.5, \"encoder.res2a\" = 0.25 }");
        assert_eq!(config.misfits(&groups()), []);
        assert_eq!(config.fraction_problems(), []);
        let of: Vec<f64> = groups().iter().map(|g| config.fraction_of(g)).collect();
        assert_eq!(of, [0.0, 0.5, 0.25]);
    }

    #[test]
    fn a_fraction_beside_is_that_of_the_rest() {
        let config = config("fraction = 0.1\nfractions = { \"*.layer3.*\" = 0.5 }");
        let of: Vec<f64> = groups().iter().map(|g| config.fraction_of(g)).collect();
        assert_eq!(of, [0.1, 0.5, 0.1]);
        // Without the table all is as it was.
        let without: PruneConfig = toml::from_str("").unwrap();
        assert_eq!(without.fraction_of(&groups()[0]), 0.1);
    }

    #[test]
    fn mistakes_are_told_by_pattern() {
        let told = |text: &str| -> Vec<(String, bool, String)> {
            let faults = config(text).misfits(&groups());
            let parts = |f: FractionFault| (f.pattern, f.unknown, f.message);
            faults.into_iter().map(parts).collect()
        };
        let unknown = told("fractions = { \"encoder.res3*\" = 0.5 }");
        assert!(matches!(&unknown[..], [(pattern, true, _)] if pattern == "encoder.res3*"));
        let out = told("groups = \"encoder.res*\"\nfractions = { \"encoder.prep\" = 0.5 }");
        assert!(out[0].2.contains("leaves out"), "{out:?}");
        let kept = told("protect = [\"encoder.prep\"]\nfractions = { \"encoder.prep*\" = 0.5 }");
        assert!(kept[0].2.contains("protected"), "{kept:?}");
        // What a pattern protects among others is no mistake.
        let some = told("protect = [\"encoder.prep\"]\nfractions = { \"encoder.*\" = 0.5 }");
        assert_eq!(some, []);
        let tied =
            told("[fractions]\n\"encoder.layer3.act\" = 0.5\n\"encoder.res2b.act\" = 0.25\n");
        assert_eq!(tied.len(), 1);
        assert!(
            tied[0].2.contains("tied") && tied[0].2.contains("layer3"),
            "{tied:?}"
        );
        let idle = told("[fractions]\n\"encoder.prep*\" = 0.5\n\"encoder.prep\" = 0.25\n");
        assert!(idle[0].2.contains("no effect"), "{idle:?}");
    }

    #[test]
    fn numbers_out_of_range_are_told_by_pattern() {
        let config = config(
            "max_fraction = 0.6\n[fractions]\n\"a\" = 1.0\n\"b\" = -0.1\n\"c\" = nan\n\"d\" = 0.7\n\"e\" = 0.0\n",
        );
        let faults = config.fraction_problems();
        let patterns: Vec<&str> = faults.iter().map(|f| f.pattern.as_str()).collect();
        assert_eq!(patterns, ["a", "b", "c", "d"]);
        assert!(faults[3].message.contains("max_fraction"));
    }
}
