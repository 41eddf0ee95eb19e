//! Which samples the encoder under study and its reference encoder see.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::random::{RandomKey, Stream};
use crate::sample::SampleId;

/// The training samples of a pair of encoders.
///
/// The encoder f is trained on `shared` and `candidates`, its reference g on `shared` and
/// `independent`. The i-th independent point stands in g's batches where the i-th candidate stands
/// in f's. What f does better than g on the candidates, it learned from having seen them.
///
/// Source: *Localizing Memorization in SSL Vision Encoders*, NeurIPS 2024, §3 (S_S, S_C, S_I).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairSets {
    /// Seen by both encoders, in ascending order.
    pub shared: Vec<SampleId>,
    /// Seen by f alone, in ascending order.
    pub candidates: Vec<SampleId>,
    /// Seen by g alone; the partner of the candidate at the same place.
    pub independent: Vec<SampleId>,
}

/// How candidates and independent points are chosen among the training samples.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PairChoice {
    /// By the seed, without repetition.
    #[default]
    Random,
    /// The last ones in file order, candidates first: the split of the authors' code, where
    /// 40,000 … 44,999 are candidates and 45,000 … 49,999 independent.
    Last,
}

impl PairSets {
    /// `candidates` candidates and as many independent points out of the samples `0..samples`.
    ///
    /// # Errors
    /// No candidates, or so many that no sample is shared.
    pub fn choose(
        samples: usize,
        candidates: usize,
        choice: PairChoice,
        seed: u64,
    ) -> Result<Self, Fault> {
        if candidates == 0 || candidates.saturating_mul(2) >= samples {
            return Err(Fault::new(format!(
                "{candidates} candidates and as many independent points are to be taken from \
                 {samples} training samples; give at least 1 candidate, and fewer than half of \
                 the samples"
            )));
        }
        let mut ids: Vec<SampleId> = (0..samples as u32).map(SampleId).collect();
        if choice == PairChoice::Random {
            RandomKey::new(seed, Stream::Pair)
                .generator()
                .shuffle(&mut ids);
        }
        let independent = ids.split_off(samples - candidates);
        let mut chosen = ids.split_off(samples - 2 * candidates);
        chosen.sort_unstable();
        ids.sort_unstable();
        Ok(Self {
            shared: ids,
            candidates: chosen,
            independent,
        })
    }

    /// The samples that the encoder under study is trained on, in ascending order.
    pub fn members(&self) -> Vec<SampleId> {
        let mut members = [self.shared.as_slice(), &self.candidates].concat();
        members.sort_unstable();
        members
    }

    /// The independent point that stands in the reference encoder's batches where `id` stands in
    /// those of the encoder under study; `None` for a shared sample.
    pub fn partner(&self, id: SampleId) -> Option<SampleId> {
        let at = self.candidates.binary_search(&id).ok()?;
        self.independent.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_sets_part_the_samples(samples in 3usize..200, share in 0.0f64..1.0, seed: u64) {
            let candidates = 1 + ((samples - 1) / 2 - 1) * (share * 100.0) as usize / 100;
            for choice in [PairChoice::Random, PairChoice::Last] {
                let sets = PairSets::choose(samples, candidates, choice, seed).unwrap();
                prop_assert_eq!(sets.candidates.len(), candidates);
                prop_assert_eq!(sets.independent.len(), candidates);
                let mut all = [sets.members(), sets.independent.clone()].concat();
                all.sort_unstable();
                prop_assert_eq!(all, (0..samples as u32).map(SampleId).collect::<Vec<_>>());
                for (candidate, partner) in sets.candidates.iter().zip(&sets.independent) {
                    prop_assert_eq!(sets.partner(*candidate), Some(*partner));
                }
                prop_assert!(sets.shared.iter().all(|id| sets.partner(*id).is_none()));
            }
        }
    }

    #[test]
    fn last_is_the_split_of_the_authors_code() {
        let sets = PairSets::choose(50_000, 5_000, PairChoice::Last, 1).unwrap();
        assert_eq!(sets.shared.last(), Some(&SampleId(39_999)));
        assert_eq!(sets.candidates[0], SampleId(40_000));
        assert_eq!(sets.independent[0], SampleId(45_000));
    }

    #[test]
    fn a_split_that_leaves_nothing_shared_is_refused() {
        for candidates in [0, 5, 6, usize::MAX] {
            let refused = PairSets::choose(10, candidates, PairChoice::Random, 1);
            assert!(refused.is_err(), "{candidates}");
        }
        assert!(PairSets::choose(10, 4, PairChoice::Random, 1).is_ok());
    }
}
