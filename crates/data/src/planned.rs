//! The batches of an epoch, whole or in part.

use std::collections::BTreeMap;
use std::ops::Range;

use afterimage_hooks::SampleId;

/// The batches of an epoch in order, and how often each of their samples stood before: what is rendered ahead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The samples of each batch.
    pub(crate) batches: Vec<Vec<SampleId>>,
    /// How often each of them stood in the batches before, or before in its own.
    pub(crate) passes: Vec<Vec<u32>>,
}

impl From<Vec<Vec<SampleId>>> for Planned {
    fn from(batches: Vec<Vec<SampleId>>) -> Self {
        let passes = passes(&batches);
        Self { batches, passes }
    }
}

impl Planned {
    /// The samples at the `places` of each batch alone, by its number of samples, with the views that they
    /// have in the whole one; places that it does not have are left out.
    pub fn at(self, places: impl Fn(usize) -> Range<usize>) -> Self {
        Self {
            batches: cut(self.batches, &places),
            passes: cut(self.passes, &places),
        }
    }

    /// Without the first `done` batches.
    pub(crate) fn behind(mut self, done: usize) -> Self {
        let done = done.min(self.batches.len());
        Self {
            batches: self.batches.split_off(done),
            passes: self.passes.split_off(done),
        }
    }
}

fn cut<T>(batches: Vec<Vec<T>>, places: impl Fn(usize) -> Range<usize>) -> Vec<Vec<T>> {
    let own = |batch: Vec<T>| -> Vec<T> {
        let places = places(batch.len());
        let behind = batch.into_iter().skip(places.start);
        behind.take(places.len()).collect()
    };
    batches.into_iter().map(own).collect()
}

/// How often each sample of each batch stood in the batches, or before in its own.
fn passes(batches: &[Vec<SampleId>]) -> Vec<Vec<u32>> {
    let mut seen: BTreeMap<SampleId, u32> = BTreeMap::new();
    let mut pass = |id: &SampleId| {
        let count = seen.entry(*id).or_insert(0);
        *count += 1;
        *count - 1
    };
    batches
        .iter()
        .map(|batch| batch.iter().map(&mut pass).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids<const N: usize>(numbers: [u32; N]) -> Vec<SampleId> {
        numbers.map(SampleId).to_vec()
    }

    #[test]
    fn a_pass_counts_how_often_a_sample_stood_before() {
        let batches = [ids([4, 7]), ids([4, 4]), ids([7, 1])];
        assert_eq!(passes(&batches), [[0, 0], [1, 2], [1, 0]].map(Vec::from));
    }

    #[test]
    fn a_part_counts_what_stands_in_the_whole_batches() {
        let planned = Planned::from(vec![ids([4, 7, 2, 4]), ids([7, 4, 4, 1])]);
        let second = planned.clone().at(|_| 2..4);
        assert_eq!(second.batches, [ids([2, 4]), ids([4, 1])]);
        assert_eq!(second.passes, [[0, 1], [3, 0]].map(Vec::from));
        assert_eq!(planned.clone().at(|samples| 0..samples), planned);
        let rest = planned.clone().at(|_| 2..4).behind(1);
        assert_eq!(rest.batches, [ids([4, 1])]);
        assert_eq!(rest.passes, [[3, 0]].map(Vec::from));
        assert_eq!(planned.clone().behind(9).batches.len(), 0);
        assert_eq!(planned.at(|_| 3..6).batches, [ids([4]), ids([1])]);
    }
}
