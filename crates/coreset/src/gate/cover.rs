//! Facility location among admitted samples, with a demand and a bonus of each.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::matrix::{Matrix, distance};

/// What is to be covered by what, in one group.
pub(crate) struct Cover<'a> {
    /// Where samples lie `[n, d]`.
    pub(crate) rows: &'a Matrix,
    /// The samples of the group.
    pub(crate) ids: &'a [usize],
    /// How much each sample of the group is to be covered, at least 0; by sample id.
    pub(crate) demand: &'a [f64],
    /// Which samples may be chosen; by sample id.
    pub(crate) admitted: &'a [bool],
    /// What choosing a sample is worth beside what it covers, at least 0, in units of what covering an
    /// average sample whole is worth; by sample id.
    pub(crate) bonus: Option<&'a [f64]>,
    /// Bytes for distances.
    pub(crate) memory: u64,
}

/// A candidate with the gain that it had when last looked at; gains only fall.
struct Candidate {
    gain: f64,
    place: usize,
    seen: usize,
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.gain
            .total_cmp(&other.gain)
            .then(other.place.cmp(&self.place))
    }
}

impl Cover<'_> {
    /// The samples of the group that may be chosen.
    pub(crate) fn open(&self) -> Vec<usize> {
        let ids = self.ids.iter().copied();
        ids.filter(|id| self.admitted[*id]).collect()
    }

    /// `count` admitted samples, or all if there are fewer, in the order of a lazy greedy choice on
    /// Σᵢ wᵢ max_{j∈S} (d₀ − dᵢⱼ) + Σ_{j∈S} bⱼ, d₀ the largest distance; equal gains go to the lower id.
    ///
    /// Monotone and submodular as Eq. 5 is: scaling by a demand and adding a modular term change
    /// neither (bound: Nemhauser et al. 1978).
    pub(crate) fn choose(&self, count: usize) -> Vec<usize> {
        let candidates = self.open();
        let count = count.min(candidates.len());
        if count == candidates.len() {
            return candidates;
        }
        let bytes = candidates.len() as u64 * self.ids.len() as u64 * 4;
        let held: Option<Vec<Vec<f32>>> = (bytes <= self.memory)
            .then(|| candidates.iter().map(|id| self.distances(*id)).collect());
        let distances = |place: usize| match &held {
            Some(held) => std::borrow::Cow::Borrowed(held[place].as_slice()),
            None => std::borrow::Cow::Owned(self.distances(candidates[place])),
        };
        let mut largest = 0.0f32;
        for place in 0..candidates.len() {
            largest = distances(place).iter().copied().fold(largest, f32::max);
        }
        let demand: Vec<f64> = self.ids.iter().map(|id| self.demand[*id]).collect();
        let average = demand.iter().sum::<f64>() / self.ids.len().max(1) as f64;
        let bonus = |place: usize| {
            let own = self.bonus.map_or(0.0, |bonus| bonus[candidates[place]]);
            own * average * f64::from(largest)
        };
        let mut nearest = vec![largest; self.ids.len()];
        let gain = |place: usize, nearest: &[f32]| -> f64 {
            let own = distances(place);
            let covered = demand.iter().zip(nearest).zip(own.iter());
            let covered = covered.map(|((w, near), d)| w * f64::from((near - d).max(0.0)));
            covered.sum::<f64>() + bonus(place)
        };
        let first = |place| Candidate {
            gain: gain(place, &nearest),
            place,
            seen: 0,
        };
        let mut queue: BinaryHeap<Candidate> = (0..candidates.len()).map(first).collect();
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let Some(top) = queue.pop() else { break };
            if top.seen < chosen.len() {
                queue.push(Candidate {
                    gain: gain(top.place, &nearest),
                    seen: chosen.len(),
                    ..top
                });
                continue;
            }
            for (near, d) in nearest.iter_mut().zip(distances(top.place).iter()) {
                *near = near.min(*d);
            }
            chosen.push(candidates[top.place]);
        }
        chosen
    }

    /// Distances of a sample to all of the group.
    fn distances(&self, id: usize) -> Vec<f32> {
        let own = self.rows.row(id);
        let to = |other: &usize| distance(own, self.rows.row(*other));
        self.ids.iter().map(to).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The same choice by looking at every candidate each time.
    fn naive(cover: &Cover<'_>, count: usize) -> Vec<usize> {
        let d = |i: usize, j: usize| f64::from(distance(cover.rows.row(i), cover.rows.row(j)));
        let open: Vec<usize> = cover
            .ids
            .iter()
            .copied()
            .filter(|id| cover.admitted[*id])
            .collect();
        let largest = open
            .iter()
            .flat_map(|j| cover.ids.iter().map(move |i| d(*i, *j)))
            .fold(0.0, f64::max);
        let average =
            cover.ids.iter().map(|i| cover.demand[*i]).sum::<f64>() / cover.ids.len() as f64;
        let value = |chosen: &[usize]| -> f64 {
            let near = |i: usize| {
                chosen
                    .iter()
                    .map(|j| largest - d(i, *j))
                    .fold(0.0, f64::max)
            };
            let covered: f64 = cover.ids.iter().map(|i| cover.demand[*i] * near(*i)).sum();
            let bonus = |j: &usize| cover.bonus.map_or(0.0, |b| b[*j]) * average * largest;
            covered + chosen.iter().map(bonus).sum::<f64>()
        };
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < count.min(open.len()) {
            let with = |j: &usize| value(&[chosen.as_slice(), &[*j]].concat());
            let mut best: Option<(usize, f64)> = None;
            for j in open.iter().filter(|j| !chosen.contains(j)) {
                let value = with(j);
                if best.is_none_or(|(_, other)| value > other + 1e-9) {
                    best = Some((*j, value));
                }
            }
            chosen.extend(best.map(|(j, _)| j));
        }
        chosen
    }

    proptest! {
        #[test]
        fn lazy_equals_naive_and_neither_leaves_the_gate(
            values in prop::collection::vec(-3.0f32..3.0, 36),
            demand in prop::collection::vec(0.0f64..1.0, 12),
            admitted in prop::collection::vec(any::<bool>(), 12),
            bonus in prop::collection::vec(0.0f64..1.0, 12),
            with_bonus: bool,
            count in 1usize..13,
        ) {
            let rows = Matrix::new("rows", 12, 3, values)?;
            let ids: Vec<usize> = (0..12).collect();
            let cover = Cover {
                rows: &rows,
                ids: &ids,
                demand: &demand,
                admitted: &admitted,
                bonus: with_bonus.then_some(bonus.as_slice()),
                memory: 1 << 20,
            };
            let chosen = cover.choose(count);
            prop_assert!(chosen.iter().all(|id| admitted[*id]));
            let open = admitted.iter().filter(|a| **a).count();
            prop_assert_eq!(chosen.len(), count.min(open));
            if count < open {
                prop_assert_eq!(&chosen, &naive(&cover, count));
                // Rows made again when they are needed choose the same.
                let small = Cover { memory: 0, ..cover };
                prop_assert_eq!(&chosen, &small.choose(count));
            }
        }
    }
}
