//! The units that are taken out together, and masks for them.

use std::collections::BTreeMap;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Site, Structure, UnitGroup, glob};
use afterimage_model::compact::structure;
use afterimage_model::{AnyEncoder, Encoder as _, Masks, ParameterInfo, parameters};
use afterimage_random::fnv1a_32;

use super::error::SensitivityError;
use crate::error::RunError;

/// Units that go together, wherever residual sums or heads tie them.
pub(super) struct Tied {
    pub(super) group: UnitGroup,
    /// Its units that are not pruned already, ascending.
    pub(super) alive: Vec<usize>,
    /// The first stage of the forward pass that a mask of the group changes.
    pub(super) stage: usize,
    /// The sites that it is masked at.
    sites: Vec<Site>,
}

/// How an encoder hangs together, and which of its groups are studied.
pub(super) struct Groups {
    structure: Structure,
    /// Units of each group that are not pruned already.
    alive: BTreeMap<String, usize>,
    /// The groups that are studied, in forward order.
    pub(super) tied: Vec<Tied>,
}

impl Groups {
    /// The groups of `encoder`, whose units of `masks` are pruned, that `patterns` match, for images of
    /// `side` pixels a side.
    pub(super) fn of(
        encoder: &AnyEncoder,
        masks: &Masks,
        patterns: &[String],
        side: usize,
    ) -> Result<Self, SensitivityError> {
        let (sites, stages) = (encoder.sites(), encoder.stages());
        let named = parameters(encoder).into_iter().map(|info| ParameterInfo {
            path: format!("encoder.{}", info.path),
            ..info
        });
        let named: Vec<ParameterInfo> = named.collect();
        let structure = structure(&encoder.groups(), &named, &encoder.positions([side, side]));
        if structure.groups.is_empty() {
            return Err(SensitivityError::NoGroups);
        }
        let matches = |pattern: &String, group: &UnitGroup| {
            let mut names = group.sites.iter().chain([&group.name]);
            names.any(|name| glob(pattern, name))
        };
        for pattern in patterns {
            if !structure.groups.iter().any(|group| matches(pattern, group)) {
                return Err(SensitivityError::Sites {
                    pattern: pattern.clone(),
                    known: structure.groups.iter().map(|g| g.name.clone()).collect(),
                });
            }
        }
        let tied = |group: &UnitGroup| {
            let at = |site: &&Site| group.masked_at.contains(&site.name);
            let masked_at: Vec<Site> = sites.iter().filter(at).cloned().collect();
            let stage = stages
                .iter()
                .position(|stage| masked_at.iter().any(|site| stage.contains(&site.name)));
            Tied {
                alive: alive(group, masks),
                stage: stage.unwrap_or(0),
                sites: masked_at,
                group: group.clone(),
            }
        };
        let all: Vec<Tied> = structure.groups.iter().map(tied).collect();
        let alive = all
            .iter()
            .map(|tied| (tied.group.name.clone(), tied.alive.len()))
            .collect();
        let wanted = |tied: &Tied| {
            patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, &tied.group))
        };
        let mut tied: Vec<Tied> = all.into_iter().filter(wanted).collect();
        // What flows into a stage is kept for the next one.
        tied.sort_by_key(|tied| tied.stage);
        Ok(Self {
            tied,
            structure,
            alive,
        })
    }

    /// Multiply-accumulate operations of an image with so many units gone of the groups that are named;
    /// 0 where the encoder does not tell.
    pub(super) fn macs(&self, gone: &BTreeMap<String, usize>) -> u64 {
        self.structure.macs(&self.left(gone))
    }

    /// Units of all groups with so many gone.
    pub(super) fn units(&self, gone: &BTreeMap<String, usize>) -> usize {
        self.left(gone).values().sum()
    }

    /// Names of all groups, in forward order.
    pub(super) fn names(&self) -> Vec<String> {
        let groups = self.structure.groups.iter();
        groups.map(|group| group.name.clone()).collect()
    }

    fn left(&self, gone: &BTreeMap<String, usize>) -> BTreeMap<String, usize> {
        let left = |(name, alive): (&String, &usize)| {
            let gone = gone.get(name).copied().unwrap_or(0);
            (name.clone(), alive.saturating_sub(gone))
        };
        self.alive.iter().map(left).collect()
    }
}

impl Tied {
    /// Units that go for a share of those that there are: rounded, and at least one stays.
    pub(super) fn count(&self, fraction: f64) -> usize {
        let wanted = (fraction * self.alive.len() as f64).round() as usize;
        wanted.min(self.alive.len().saturating_sub(1))
    }

    /// Draw number `draw` of `count` units, ascending. The units of a smaller count are among those of
    /// a larger one.
    pub(super) fn random(&self, seed: u64, draw: u32, count: usize) -> Vec<usize> {
        // A name tells apart the draws of groups, whichever are studied.
        let key = RandomKey::new(seed, Stream::Layers).view(fnv1a_32(&self.group.name));
        let mut units = self.alive.clone();
        key.step(u64::from(draw)).generator().shuffle(&mut units);
        units.truncate(count);
        units.sort_unstable();
        units
    }

    /// Prunes `units` in `masks`.
    pub(super) fn mask(&self, masks: &mut Masks, units: &[usize]) -> Result<(), RunError> {
        let channels: Vec<usize> = units
            .iter()
            .flat_map(|&unit| self.group.channels_of(unit))
            .collect();
        for site in &self.sites {
            masks.prune(site, &channels)?;
        }
        Ok(())
    }
}

/// Units of a group that are not masked everywhere that they are made.
fn alive(group: &UnitGroup, masks: &Masks) -> Vec<usize> {
    let pruned = |unit: usize| {
        let channels = group.channels_of(unit);
        let masked = |site: &String| {
            let kept = masks.get(site).and_then(|kept| kept.get(channels.clone()));
            kept.is_some_and(|kept| !kept.contains(&true))
        };
        group.masked_at.iter().all(masked)
    };
    (0..group.units).filter(|unit| !pruned(*unit)).collect()
}
