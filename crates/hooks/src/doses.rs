//! Training samples that are planted: shown more than once an epoch, copied, or made of noise.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::random::{RandomKey, Stream};
use crate::sample::SampleId;

/// How the samples of a group are planted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dose {
    /// Each stands so many times in an epoch.
    Repeats(u32),
    /// So many near duplicates of one picture stand once each, under ids of their own.
    Copies(u32),
    /// Each picture is noise.
    Noise,
}

/// The samples that are planted alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoseGroup {
    /// How.
    pub dose: Dose,
    /// Samples of the encoder under study, by what they show: one list of several ids for
    /// [`Dose::Copies`], the picture that was copied first, else lists of one.
    pub samples: Vec<Vec<SampleId>>,
    /// The points that stand in their places in the reference encoder's batches, where there is one and
    /// they are others.
    pub partners: Vec<SampleId>,
}

/// The planted samples of a run; all others stand once in an epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doses {
    /// By dose, in the order of the config.
    pub groups: Vec<DoseGroup>,
    /// Samples of the same set that are not planted, in ascending order.
    pub plain: Vec<SampleId>,
}

impl Dose {
    /// What tables and tags call it: the number of times, with `x` for copies, or `noise`.
    pub fn name(self) -> String {
        match self {
            Self::Repeats(times) => times.to_string(),
            Self::Copies(times) => format!("{times}x"),
            Self::Noise => "noise".to_owned(),
        }
    }

    /// Views of one picture in an epoch, in numbers of those of a sample that is not planted.
    pub fn times(self) -> u32 {
        match self {
            Self::Repeats(times) | Self::Copies(times) => times,
            Self::Noise => 1,
        }
    }
}

impl DoseGroup {
    /// All samples, in ascending order.
    pub fn ids(&self) -> Vec<SampleId> {
        let mut ids = self.samples.concat();
        ids.sort_unstable();
        ids
    }
}

impl Doses {
    /// Samples that stand more than once in an epoch, with how often.
    pub fn repeats(&self) -> BTreeMap<SampleId, u32> {
        let repeated = self.groups.iter().filter_map(|group| match group.dose {
            Dose::Repeats(times) => Some(group.ids().into_iter().map(move |id| (id, times))),
            Dose::Copies(_) | Dose::Noise => None,
        });
        repeated.flatten().collect()
    }

    /// How many samples an epoch over `members` has.
    pub fn planned(&self, members: usize) -> usize {
        let more: u32 = self.repeats().values().map(|times| times - 1).sum();
        members + more as usize
    }

    /// The samples `members` in the order of `epoch`, each as often as it is planted: a pure function
    /// of its arguments. The repeats of a sample are spread: one falls at random into each of as many
    /// equal parts of the epoch.
    pub fn order(&self, seed: u64, epoch: u32, members: &[SampleId]) -> Vec<SampleId> {
        let repeats = self.repeats();
        let key = RandomKey::new(seed, Stream::Order).epoch(epoch);
        let mut placed: Vec<(f64, SampleId)> = Vec::with_capacity(self.planned(members.len()));
        for id in members {
            let times = repeats.get(id).copied().unwrap_or(1);
            // A sample's own numbers, so that planting others does not move it.
            let mut generator = key.sample(id.0).view(1).generator();
            for part in 0..times {
                let place = (f64::from(part) + generator.uniform()) / f64::from(times);
                placed.push((place, *id));
            }
        }
        placed.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        placed.into_iter().map(|(_, id)| id).collect()
    }

    /// The group of each planted sample, by id.
    pub fn by_sample(&self) -> BTreeMap<SampleId, Dose> {
        let groups = self.groups.iter();
        groups
            .flat_map(|group| group.ids().into_iter().map(|id| (id, group.dose)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn doses() -> Doses {
        let alone = |ids: &[u32]| ids.iter().map(|id| vec![SampleId(*id)]).collect();
        let group = |dose, samples| DoseGroup {
            dose,
            samples,
            partners: Vec::new(),
        };
        Doses {
            groups: vec![
                group(Dose::Repeats(2), alone(&[3, 8])),
                group(Dose::Repeats(8), alone(&[5])),
                group(Dose::Copies(2), vec![vec![SampleId(1), SampleId(2)]]),
                group(Dose::Noise, alone(&[9])),
            ],
            plain: vec![SampleId(0)],
        }
    }

    proptest! {
        #[test]
        fn an_epoch_has_each_sample_as_often_as_it_is_planted(seed: u64, epoch in 1u32..100) {
            let members: Vec<SampleId> = (0..40).map(SampleId).collect();
            let doses = doses();
            let ids = doses.order(seed, epoch, &members);
            prop_assert_eq!(ids.len(), doses.planned(40));
            prop_assert_eq!(ids.len(), 40 + 1 + 1 + 7);
            for id in &members {
                let times = doses.repeats().get(id).copied().unwrap_or(1) as usize;
                prop_assert_eq!(ids.iter().filter(|other| *other == id).count(), times);
            }
            prop_assert_eq!(&ids, &doses.order(seed, epoch, &members));
            prop_assert_ne!(&ids, &doses.order(seed, epoch + 1, &members));
            // Repeats are spread: the first and the last of eight lie in the first and the last eighth.
            let places = ids.iter().enumerate().filter(|(_, id)| id.0 == 5).map(|(at, _)| at);
            let places: Vec<usize> = places.collect();
            prop_assert!(places[7] - places[0] > ids.len() / 2, "{places:?}");
        }
    }

    #[test]
    fn groups_have_names() {
        let names: Vec<String> = doses()
            .groups
            .iter()
            .map(|group| group.dose.name())
            .collect();
        assert_eq!(names, ["2", "8", "2x", "noise"]);
        assert_eq!(
            doses().by_sample().get(&SampleId(2)),
            Some(&Dose::Copies(2))
        );
    }
}
