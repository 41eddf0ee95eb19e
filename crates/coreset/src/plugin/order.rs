//! From chosen samples to the plan of an epoch.

use afterimage_hooks::random::RandomKey;
use afterimage_hooks::{Fault, Plan, SampleId};

/// The chosen samples in a random order of this epoch's own; with `length`, read again in another
/// order each time until there are so many.
///
/// # Errors
/// No chosen sample, or weights that no plan can have.
pub(super) fn plan(
    ids: &[u32],
    weights: &[f32],
    key: RandomKey,
    length: Option<usize>,
) -> Result<Plan, Fault> {
    if ids.is_empty() {
        return Err(Fault::new("a coreset without samples cannot be trained on"));
    }
    let length = length.unwrap_or(ids.len());
    let mut order: Vec<usize> = Vec::with_capacity(length + ids.len());
    for pass in 0.. {
        if order.len() >= length {
            break;
        }
        let mut places: Vec<usize> = (0..ids.len()).collect();
        key.view(pass).generator().shuffle(&mut places);
        order.extend(places);
    }
    order.truncate(length);
    let samples = order.iter().map(|place| SampleId(ids[*place])).collect();
    let weights = order.iter().map(|place| weights[*place]).collect();
    Plan::weighted(samples, weights)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use afterimage_hooks::random::Stream;

    use super::*;

    #[test]
    fn every_sample_stands_as_often_as_any_other() -> Result<(), Fault> {
        let key = RandomKey::new(1, Stream::Plugin);
        let plan = plan(&[4, 8, 15], &[1.0, 0.5, 1.5], key, Some(8))?;
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        plan.ids()
            .iter()
            .for_each(|id| *counts.entry(id.0).or_default() += 1);
        assert_eq!(plan.ids().len(), 8);
        assert!(
            counts.values().all(|count| (2..=3).contains(count)),
            "{counts:?}"
        );
        for (id, weight) in plan.ids().iter().zip(plan.weights()) {
            assert_eq!(
                *weight,
                [1.0, 0.5, 1.5][[4, 8, 15].iter().position(|x| *x == id.0).unwrap_or(0)]
            );
        }
        assert_ne!(
            plan,
            super::plan(&[4, 8, 15], &[1.0, 0.5, 1.5], key.epoch(1), Some(8))?
        );
        assert!(super::plan(&[], &[], key, None).is_err());
        Ok(())
    }
}
