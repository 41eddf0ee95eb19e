//! For how long units keep their owners.

use afterimage_hooks::SampleId;
use serde::{Deserialize, Serialize};

use crate::unitmem::UnitMem;

/// Since when each unit of a site has had its owner without a break, over the probes so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streaks {
    owners: Vec<Option<SampleId>>,
    since: Vec<u32>,
    probes: Vec<u32>,
}

impl Streaks {
    /// Adds the probe at the end of `epoch`. A probe with another number of units starts anew: its
    /// unit numbers name other units.
    pub fn add(&mut self, epoch: u32, probe: &UnitMem) {
        let owners = probe.owners();
        if owners.len() != self.owners.len() {
            *self = Self {
                owners: vec![None; owners.len()],
                since: vec![epoch; owners.len()],
                probes: vec![0; owners.len()],
            };
        }
        for (unit, owner) in owners.iter().enumerate() {
            if owner.is_none() || *owner != self.owners[unit] {
                (self.since[unit], self.probes[unit]) = (epoch, 0);
            }
            self.probes[unit] += u32::from(owner.is_some());
            self.owners[unit] = *owner;
        }
    }

    /// Probes in a row in which `unit` has had its owner, 1 for a new one; 0 without an owner.
    pub fn probes(&self, unit: usize) -> u32 {
        self.probes[unit]
    }

    /// Epoch of the first of these probes; nothing without an owner.
    pub fn since(&self, unit: usize) -> Option<u32> {
        self.owners[unit].map(|_| self.since[unit])
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.owners.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::unit_max::UnitState;

    /// Unit u answers to point `owners[u]` alone, or to nobody.
    fn probe(owners: &[Option<u32>]) -> UnitMem {
        let mut state = UnitState::new(owners.len());
        for point in 0..4 {
            let row: Vec<f32> = owners
                .iter()
                .map(|owner| f32::from(*owner == Some(point)))
                .collect();
            state.update(&[SampleId(point)], &row).unwrap();
        }
        UnitMem::paper(&state)
    }

    #[test]
    fn a_streak_ends_with_another_owner_and_with_silence() {
        let mut streaks = Streaks::default();
        streaks.add(0, &probe(&[Some(1), Some(2), Some(3)]));
        streaks.add(2, &probe(&[Some(1), Some(3), None]));
        streaks.add(4, &probe(&[Some(1), Some(3), Some(3)]));
        let seen = |unit| (streaks.probes(unit), streaks.since(unit));
        assert_eq!(
            [0, 1, 2].map(seen),
            [(3, Some(0)), (2, Some(2)), (1, Some(4))]
        );
        streaks.add(5, &probe(&[None, Some(1), Some(3)]));
        let seen = |unit| (streaks.probes(unit), streaks.since(unit));
        assert_eq!([0, 1, 2].map(seen), [(0, None), (1, Some(5)), (2, Some(4))]);
    }

    #[test]
    fn other_units_start_anew() {
        let mut streaks = Streaks::default();
        streaks.add(1, &probe(&[Some(1), Some(2)]));
        streaks.add(2, &probe(&[Some(1)]));
        assert_eq!((streaks.units(), streaks.probes(0)), (1, 1));
        assert_eq!(streaks.since(0), Some(2));
    }
}
