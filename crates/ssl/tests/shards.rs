//! Rows of shards, rows joined again, and sums in a fixed tree.

#![allow(clippy::unwrap_used)]

use afterimage_ssl::{Shard, Tree, joined, mean_of};
use burn::tensor::Device;
use burn::tensor::Tensor;
use proptest::prelude::*;

fn tree(shards: usize) -> String {
    let add = |a: String, b: String| format!("({a}{b})");
    let mut tree = Tree::default();
    for index in 0..shards {
        tree.push(index.to_string(), add);
    }
    tree.sum(add).unwrap()
}

#[test]
fn neighbours_are_added_first() {
    for (shards, told) in [
        (1, "0"),
        (2, "(01)"),
        (3, "((01)2)"),
        (4, "((01)(23))"),
        (6, "(((01)(23))(45))"),
        (7, "(((01)(23))((45)6))"),
    ] {
        assert_eq!(tree(shards), told);
    }
    assert!(Tree::<u8>::default().sum(|a, _| a).is_none());
}

#[test]
fn the_mean_of_one_shard_is_its_value() {
    let value = Tensor::<1>::from_floats([0.1, f32::MIN_POSITIVE], &Device::flex());
    let mean = mean_of(vec![value.clone()]);
    assert_eq!(mean.into_data(), value.into_data());
}

proptest! {
    #[test]
    fn shards_joined_again_are_the_batch(
        views in 1usize..4,
        samples in 1usize..12,
        width in 1usize..4,
        shards in 1usize..6,
    ) {
        prop_assume!(shards <= samples);
        let values: Vec<f32> = (0..views * samples * width).map(|at| at as f32).collect();
        let batch = Tensor::<1>::from_floats(values.as_slice(), &Device::flex())
            .reshape([views * samples, width]);
        let cut: Vec<Tensor<2>> = Shard::all(shards)
            .map(|shard| shard.rows(batch.clone(), views))
            .collect();
        let sizes: Vec<usize> = cut.iter().map(|rows| rows.dims()[0] / views).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        let ids: Vec<usize> = (0..samples).collect();
        let told: Vec<usize> = Shard::all(shards)
            .flat_map(|shard| shard.of_samples(&ids).to_vec())
            .collect();
        prop_assert_eq!(told, ids);
        prop_assert_eq!(joined(cut, views).into_data(), batch.into_data());
    }
}

proptest! {
    /// Cutting a part of a batch gives what cutting the batch gives, under the same number.
    #[test]
    fn a_part_of_a_part_is_a_part_of_the_batch(
        views in 1usize..4,
        parts in 1usize..5,
        each in 1usize..5,
        samples in 1usize..4,
    ) {
        let (shards, samples) = (parts * each, parts * each * samples);
        let values: Vec<f32> = (0..views * samples).map(|at| at as f32).collect();
        let batch = Tensor::<1>::from_floats(values.as_slice(), &Device::flex());
        let batch = batch.reshape([views * samples, 1]);
        let rows = |of: &Tensor<2>, shard: Shard| shard.rows(of.clone(), views);
        let mut cut = Vec::new();
        for part in Shard::all(parts) {
            let own = rows(&batch, part);
            for inner in Shard::all(each) {
                let shard = inner.of_part(part);
                prop_assert_eq!(shard.within(part), inner);
                prop_assert_eq!(rows(&own, inner).into_data(), rows(&batch, shard).into_data());
                cut.push(shard);
            }
        }
        prop_assert_eq!(cut, Shard::all(shards).collect::<Vec<_>>());
        prop_assert_eq!(Shard::WHOLE.of_part(Shard::WHOLE), Shard::WHOLE);
    }
}
