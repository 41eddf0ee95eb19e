//! Which points own units, and whether they keep them.

use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use afterimage_numeric::quantile;

use crate::error::MemoryError;
use crate::summary::ascending_values;
use crate::unitmem::UnitMem;

impl UnitMem {
    /// Share of the units owned in both probes whose owner is another one than in `earlier`, in
    /// [0, 1]; nothing when no unit is owned in both. Probes must look at the same points.
    ///
    /// # Errors
    /// A probe of another site.
    pub fn turnover_since(&self, earlier: &Self) -> Result<Option<f64>, MemoryError> {
        self.same_units(earlier)?;
        let owned: Vec<bool> = self
            .owners()
            .iter()
            .zip(earlier.owners())
            .filter_map(|(now, then)| Some((*now)? != (*then)?))
            .collect();
        let changed = owned.iter().filter(|changed| **changed).count();
        Ok((!owned.is_empty()).then(|| changed as f64 / owned.len() as f64))
    }
}

/// Number of units that each point owns, by point; points that own none are left out.
pub fn units_by_owner<'a>(sites: impl IntoIterator<Item = &'a UnitMem>) -> BTreeMap<SampleId, u32> {
    let sites: Vec<&UnitMem> = sites.into_iter().collect();
    count_owned(&sites, f64::NEG_INFINITY)
}

/// Number of highly memorizing units that each point owns, by point; points that own none are left
/// out.
///
/// A unit is highly memorizing when its score reaches the 90th percentile of all units of `sites`
/// together. Give one site for a count per layer, all for a count per network.
pub fn owned_units<'a>(sites: impl IntoIterator<Item = &'a UnitMem>) -> BTreeMap<SampleId, u32> {
    let sites: Vec<&UnitMem> = sites.into_iter().collect();
    let scores: Vec<_> = sites
        .iter()
        .flat_map(|site| site.scores())
        .copied()
        .collect();
    count_owned(&sites, quantile(&ascending_values(&scores), 0.9))
}

fn count_owned(sites: &[&UnitMem], threshold: f64) -> BTreeMap<SampleId, u32> {
    let scores = sites.iter().flat_map(|site| site.scores());
    let owners = sites.iter().flat_map(|site| site.owners());
    let mut counts = BTreeMap::new();
    for (score, owner) in scores.zip(owners) {
        if let (Some(value), Some(owner)) = (score.value(), owner)
            && value >= threshold
        {
            *counts.entry(*owner).or_insert(0) += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::unit_max::UnitState;

    /// Three points; unit u answers to point `owners[u]` with 3, to the others with `rest[u]`.
    fn probe(owners: &[Option<u32>], rest: &[f32]) -> UnitMem {
        let mut state = UnitState::new(owners.len());
        for point in 0..3 {
            let row: Vec<f32> = owners
                .iter()
                .zip(rest)
                .map(|(owner, rest)| match owner {
                    Some(owner) if *owner == point => 3.0,
                    Some(_) => *rest,
                    None => 0.0,
                })
                .collect();
            state.update(&[SampleId(point)], &row).unwrap();
        }
        UnitMem::paper(&state)
    }

    #[test]
    fn turnover_counts_units_that_are_alive_in_both() {
        let then = probe(&[Some(0), Some(1), Some(2), None, Some(1)], &[1.0; 5]);
        let now = probe(&[Some(0), Some(2), Some(0), Some(1), None], &[1.0; 5]);
        assert_eq!(now.turnover_since(&then).unwrap(), Some(2.0 / 3.0));
        assert_eq!(now.turnover_since(&now).unwrap(), Some(0.0));
        let dead = probe(&[None; 5], &[1.0; 5]);
        assert_eq!(dead.turnover_since(&now).unwrap(), None);
        assert!(probe(&[None], &[1.0]).turnover_since(&now).is_err());
    }

    #[test]
    fn only_the_top_decile_counts_and_dead_units_have_no_owner() {
        // Twenty units, of which three hardly answer to anything but their owner.
        let mut owners = vec![Some(0); 20];
        let mut rest = vec![1.0; 20];
        for (unit, owner) in [(4, 2), (9, 1), (15, 2)] {
            owners[unit] = Some(owner);
            rest[unit] = 0.1;
        }
        owners[0] = None;
        let site = probe(&owners, &rest);
        assert_eq!(
            owned_units([&site]),
            BTreeMap::from([(SampleId(1), 1), (SampleId(2), 2)])
        );
        // Beside a site whose units are all stronger, these three no longer count.
        let stronger = probe(&[Some(0); 20], &[0.0; 20]);
        assert_eq!(
            owned_units([&site, &stronger]),
            BTreeMap::from([(SampleId(0), 20)])
        );
        assert!(owned_units([&probe(&[None; 3], &[1.0; 3])]).is_empty());
        let all = units_by_owner([&site]);
        assert_eq!(all[&SampleId(0)], 16);
        assert_eq!(all.values().sum::<u32>(), 19);
    }
}
