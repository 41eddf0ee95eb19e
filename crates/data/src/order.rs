//! The order of an epoch's samples, and its batches.

use afterimage_hooks::SampleId;
use afterimage_hooks::random::{RandomKey, Stream};

/// The samples `0..n` in the order of `epoch`: a permutation, a pure function of its arguments.
pub fn order(seed: u64, epoch: u32, n: usize) -> Vec<SampleId> {
    let mut ids: Vec<SampleId> = (0..n as u32).map(SampleId).collect();
    RandomKey::new(seed, Stream::Order)
        .epoch(epoch)
        .generator()
        .shuffle(&mut ids);
    ids
}

/// Cuts a plan's ids into batches of `batch_size` (at least 1) in order; `drop_last` leaves out a
/// last batch that is not full.
pub fn batches(ids: &[SampleId], batch_size: usize, drop_last: bool) -> Vec<Vec<SampleId>> {
    let size = batch_size.max(1);
    let full = if drop_last {
        ids.len() / size * size
    } else {
        ids.len()
    };
    ids[..full].chunks(size).map(<[SampleId]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_order_is_a_permutation_that_seed_and_epoch_change(seed: u64, epoch in 0u32..1000) {
            let ids = order(seed, epoch, 100);
            prop_assert_eq!(&ids, &order(seed, epoch, 100));
            prop_assert_ne!(&ids, &order(seed, epoch + 1, 100));
            prop_assert_ne!(&ids, &order(seed ^ 1, epoch, 100));
            let mut sorted = ids;
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..100).map(SampleId).collect::<Vec<_>>());
        }

        #[test]
        fn batches_are_the_plan_in_pieces(n in 0usize..50, size in 1usize..12) {
            let ids = order(1, 1, n);
            let all = batches(&ids, size, false);
            prop_assert_eq!(all.concat(), ids.clone());
            prop_assert!(all.iter().rev().skip(1).all(|b| b.len() == size));
            let full = batches(&ids, size, true);
            prop_assert_eq!(full.len(), n / size);
            prop_assert!(full.iter().all(|b| b.len() == size));
            prop_assert_eq!(full.concat(), ids[..n / size * size].to_vec());
        }
    }
}
