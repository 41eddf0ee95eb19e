//! The units of an encoder, and which of them go.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::Site;
use afterimage_hooks::random::RandomKey;
use afterimage_model::{Masks, ModelError};

use super::controls::choices;
use super::rank::Which;

/// Where units are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// The same share of each layer.
    Layer,
    /// A share of all units together, wherever they are.
    Network,
}

/// Units of the probed sites that are not at zero already.
#[derive(Debug, Clone)]
pub(super) struct Units {
    pub(super) sites: Vec<Site>,
    /// Their numbers, ascending, by site.
    pub(super) alive: Vec<Vec<usize>>,
}

/// Chosen units, ascending, by place of their site.
pub(super) type Chosen = BTreeMap<usize, Vec<usize>>;

impl Units {
    pub(super) fn new(sites: Vec<Site>, masks: &Masks) -> Self {
        let alive = |site: &Site| -> Vec<usize> {
            let kept = masks.get(&site.name);
            let keeps = |unit: &usize| kept.is_none_or(|kept| kept.get(*unit) != Some(&false));
            (0..site.units).filter(keeps).collect()
        };
        Self {
            alive: sites.iter().map(alive).collect(),
            sites,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.alive.iter().map(Vec::len).sum()
    }

    /// The `fraction` of the units with the most extreme of `scores`, by site and unit: at least one
    /// of each group, and each layer keeps at least one. Ties go by place.
    pub(super) fn cut(
        &self,
        scores: &[Vec<f64>],
        which: Which,
        grain: Grain,
        fraction: f64,
    ) -> Chosen {
        let all: Vec<(usize, usize)> = self
            .alive
            .iter()
            .enumerate()
            .flat_map(|(site, units)| units.iter().map(move |unit| (site, *unit)))
            .collect();
        let groups: Vec<Vec<(usize, usize)>> = match grain {
            Grain::Network => vec![all],
            Grain::Layer => (0..self.sites.len())
                .map(|site| all.iter().filter(|unit| unit.0 == site).copied().collect())
                .collect(),
        };
        let mut chosen = Chosen::new();
        for mut group in groups {
            group.sort_by(|a, b| {
                let score = |unit: &(usize, usize)| scores[unit.0][unit.1];
                let by_score = match which {
                    Which::Top => score(b).total_cmp(&score(a)),
                    Which::Low => score(a).total_cmp(&score(b)),
                };
                by_score.then(a.cmp(b))
            });
            let share = (group.len() as f64 * fraction).round() as usize;
            let mut left = share.max(1);
            for (site, unit) in group {
                let taken = chosen.get(&site).map_or(0, Vec::len);
                if left > 0 && taken + 1 < self.alive[site].len() {
                    chosen.entry(site).or_default().push(unit);
                    left -= 1;
                }
            }
        }
        chosen.values_mut().for_each(|units| units.sort_unstable());
        chosen
    }

    /// As many random units of each layer.
    pub(super) fn random(&self, widths: &[(usize, usize)], key: RandomKey) -> Chosen {
        let draw = |&(site, count): &(usize, usize)| {
            let mut units = self.alive[site].clone();
            key.view(site as u32).generator().shuffle(&mut units);
            units.truncate(count);
            units.sort_unstable();
            (site, units)
        };
        widths.iter().map(draw).collect()
    }

    /// `wanted` such choices, or all that there are: no two alike, and none of `taken`, which are as wide.
    pub(super) fn controls(
        &self,
        widths: &[(usize, usize)],
        key: RandomKey,
        wanted: u64,
        taken: impl IntoIterator<Item = Chosen>,
    ) -> Vec<Chosen> {
        let mut seen: BTreeSet<Chosen> = taken.into_iter().collect();
        let ways = widths
            .iter()
            .map(|&(site, count)| choices(self.alive[site].len(), count));
        let ways = ways.fold(1, u64::saturating_mul);
        let there = wanted.min(ways.saturating_sub(seen.len() as u64));
        let mut found = Vec::new();
        let mut draw = 0;
        while (found.len() as u64) < there {
            draw += 1;
            let units = self.random(widths, key.step(draw));
            if seen.insert(units.clone()) {
                found.push(units);
            }
        }
        found
    }

    /// For each chosen unit another of its layer that answers about as much: the nearest in
    /// `activity` that is not taken, the most active first. Fewer where more than half of a layer is
    /// chosen.
    pub(super) fn as_active(&self, chosen: &Chosen, activity: &[Vec<f64>]) -> Chosen {
        let beside = |(&site, units): (&usize, &Vec<usize>)| {
            let activity = &activity[site];
            let mut free: Vec<usize> = self.alive[site].clone();
            free.retain(|unit| !units.contains(unit));
            let mut order = units.clone();
            order.sort_by(|a, b| activity[*b].total_cmp(&activity[*a]).then(a.cmp(b)));
            let mut taken = Vec::new();
            for unit in order {
                let far = |other: &usize| (activity[*other] - activity[unit]).abs();
                let places = 0..free.len();
                let nearest = places.min_by(|a, b| far(&free[*a]).total_cmp(&far(&free[*b])));
                taken.extend(nearest.map(|place| free.remove(place)));
            }
            taken.sort_unstable();
            (site, taken)
        };
        chosen.iter().map(beside).collect()
    }

    /// Masks that hold `chosen` at zero, and their names: a line a site.
    pub(super) fn masks(&self, chosen: &Chosen) -> Result<(Masks, Vec<String>), ModelError> {
        let mut masks = Masks::none();
        let mut what = Vec::new();
        for (site, units) in chosen {
            let site = &self.sites[*site];
            masks.prune(site, units)?;
            what.push(format!("{}: {units:?}", site.name));
        }
        Ok((masks, what))
    }
}

/// How many units go, by place of their site.
pub(super) fn widths(chosen: &Chosen) -> Vec<(usize, usize)> {
    let width = |(site, units): (&usize, &Vec<usize>)| (*site, units.len());
    chosen.iter().map(width).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use afterimage_hooks::SiteKind;
    use afterimage_hooks::random::Stream;

    fn units() -> Units {
        let site = |name: &str, units| Site::new(name, SiteKind::Activation, units);
        let mut masks = Masks::none();
        masks.set("b", vec![true, false, true, true]);
        Units::new(vec![site("a", 2), site("b", 4)], &masks)
    }

    #[test]
    fn units_go_by_score_and_not_twice() {
        let units = units();
        let scores = [vec![0.9, 0.8], vec![0.1, 5.0, 0.3, 0.2]];
        let cut = |which, grain, fraction| units.cut(&scores, which, grain, fraction);
        let layer = cut(Which::Top, Grain::Layer, 0.34);
        assert_eq!(layer, Chosen::from([(0, vec![0]), (1, vec![2])]));
        // Unit 1 of `b` is at zero already, and a layer keeps a unit.
        let network = cut(Which::Top, Grain::Network, 0.6);
        assert_eq!(network, Chosen::from([(0, vec![0]), (1, vec![2, 3])]));
        let low = cut(Which::Low, Grain::Network, 0.2);
        assert_eq!(low, Chosen::from([(1, vec![0])]));
        assert_eq!(units.count(), 5);
    }

    #[test]
    fn controls_have_the_same_widths() {
        let units = units();
        let chosen = Chosen::from([(1, vec![0, 2])]);
        let key = RandomKey::new(1, Stream::Layers);
        let draws: Vec<Chosen> = (0..20)
            .map(|draw| units.random(&widths(&chosen), key.step(draw)))
            .collect();
        for draw in &draws {
            assert_eq!(widths(draw), widths(&chosen));
            assert!(!draw[&1].contains(&1));
        }
        assert!(draws.iter().any(|draw| *draw != draws[0]));
        // Two of three units: two other choices, however many are asked for.
        let controls = |wanted| units.controls(&widths(&chosen), key, wanted, [chosen.clone()]);
        for (wanted, count) in [(0, 0), (1, 1), (2, 2), (1000, 2)] {
            let found = controls(wanted);
            assert_eq!(found.len(), count);
            assert!(!found.contains(&chosen) && (count < 2 || found[0] != found[1]));
        }
        // Where nothing is taken, the draws are those of the key.
        let free = units.controls(&widths(&chosen), key, 1, []);
        assert_eq!(free, [units.random(&widths(&chosen), key.step(1))]);
        assert!(units.controls(&[], key, 5, [Chosen::new()]).is_empty());
        let active = [vec![0.0; 2], vec![1.0, 9.0, 3.0, 2.9]];
        let one = Chosen::from([(1, vec![2])]);
        assert_eq!(units.as_active(&one, &active), Chosen::from([(1, vec![3])]));
        assert_eq!(widths(&units.as_active(&chosen, &active)), [(1, 1)]);
    }
}
