#![allow(clippy::unwrap_used)]
use afterimage_hooks::PluginState;
use afterimage_hooks::random::{Generator, RandomKey, Stream};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::unit_score::Invalid;
use crate::unitmem::UnitMem;
use crate::views::{RowOrder, fold_means, point_means};

fn ids(count: usize) -> Vec<SampleId> {
    (0..count as u32).map(SampleId).collect()
}

fn state(units: usize, folds: [&[f32]; 2]) -> CrossFit {
    let mut state = CrossFit::new(units);
    state.update(&ids(folds[0].len() / units), folds).unwrap();
    state
}

/// The definition over whole columns.
fn expected(first: &[f64], second: &[f64]) -> f64 {
    let owner = |column: &[f64]| {
        let largest = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        column.iter().position(|v| *v == largest).unwrap()
    };
    let part = |chosen: &[f64], measured: &[f64]| {
        let at = owner(chosen);
        let rest = measured.iter().sum::<f64>() - measured[at];
        (measured[at], rest / (measured.len() - 1) as f64)
    };
    let (a, b) = (part(first, second), part(second, first));
    let (owners, rest) = ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    (owners - rest) / (owners + rest)
}

#[test]
fn the_owner_of_one_fold_is_measured_in_the_other() {
    // The first fold's owner is point 2 with 4 elsewhere, the second's point 0 with 1 elsewhere.
    let state = state(1, [&[1.0, 2.0, 3.0], &[5.0, 2.0, 4.0]]);
    let (owners, rest) = (2.5, ((5.0 + 2.0) / 2.0 + (2.0 + 3.0) / 2.0) / 2.0);
    let UnitScore::Valid(score) = state.scores()[0] else {
        unreachable!("both folds answer")
    };
    assert!((score - (owners - rest) / (owners + rest)).abs() < 1e-12);
    assert_eq!(
        state.owners(),
        [vec![Some(SampleId(2))], vec![Some(SampleId(0))]]
    );
    assert_eq!(state.agreed(), [Some(false)]);
}

#[test]
fn a_unit_that_one_point_owns_in_all_views_is_one_and_silence_is_dead() {
    let rows = [0.0, 3.0, 0.0, 7.0, 3.0, 0.0, 0.0, 3.0, -0.0];
    let state = state(3, [&rows, &rows]);
    assert_eq!(
        state.scores(),
        [
            UnitScore::Valid(1.0),
            UnitScore::Valid(0.0),
            UnitScore::Dead
        ]
    );
    assert_eq!(state.agreed(), [Some(true), Some(true), None]);
}

#[test]
fn what_cannot_be_scored_says_why() {
    let good = [1.0, 1.0, 2.0, 2.0];
    let bad = [1.0, f32::NAN, -2.0, 2.0];
    for folds in [[&good[..], &bad[..]], [&bad[..], &good[..]]] {
        assert_eq!(
            state(2, folds).scores(),
            [Invalid::Negative, Invalid::NotFinite].map(UnitScore::Invalid)
        );
    }
    assert_eq!(
        state(1, [&[1.0], &[1.0]]).scores(),
        [UnitScore::Invalid(Invalid::TooFewPoints)]
    );
}

#[test]
fn blocks_of_another_shape_are_refused_and_leave_no_trace() {
    let mut state = state(2, [&[1.0; 4], &[2.0; 4]]);
    let before = state.clone();
    assert!(state.update(&ids(1), [&[1.0; 2], &[1.0; 3]]).is_err());
    assert!(state.update(&ids(1), [&[1.0; 3], &[1.0; 3]]).is_err());
    let twice = [SampleId(7), SampleId(7)];
    assert!(state.update(&twice, [&[1.0; 4], &[1.0; 4]]).is_err());
    assert!(state.merge(&CrossFit::new(3)).is_err());
    assert_eq!(state, before);
}

/// The mean over units of UnitMem and of cross-fitted UnitMem, when the activation of each point in
/// each view is `activation(point)` times exponential noise of mean 1.
fn simulated(
    units: usize,
    points: u32,
    views: usize,
    activation: impl Fn(u32) -> f64,
) -> (f64, f64) {
    let mut generator = RandomKey::new(9, Stream::Plugin).generator();
    let noise = |generator: &mut Generator| -(1.0 - generator.uniform()).ln();
    let (mut plain, mut crossed) = (UnitState::new(units), CrossFit::new(units));
    for point in 0..points {
        let rows: Vec<f32> = (0..views * units)
            .map(|_| (activation(point) * noise(&mut generator)) as f32)
            .collect();
        let id = [SampleId(point)];
        let order = RowOrder::SampleMajor;
        let means = point_means(&rows, 1, views, units, order).unwrap();
        plain.update(&id, &means).unwrap();
        let [first, second] = fold_means(&rows, 1, views, units, order).unwrap();
        crossed.update(&id, [&first, &second]).unwrap();
    }
    let mean = |scores: &[UnitScore]| {
        let values: Vec<f64> = scores.iter().filter_map(|score| score.value()).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    (
        mean(UnitMem::paper(&plain).scores()),
        mean(&crossed.scores()),
    )
}

#[test]
fn noise_alone_lifts_unitmem_and_leaves_the_cross_fitted_one_near_zero() {
    // A ratio of two noisy halves falls below 0 by a quarter of the owner's variance, 1 / views.
    for (units, views, plain_level) in [(1600, 10, 0.407), (400, 50, 0.207)] {
        let (plain, crossed) = simulated(units, 1000, views, |_| 1.0);
        assert!((plain - plain_level).abs() < 0.01, "{views}: {plain}");
        let residual = -0.25 / views as f64;
        assert!(
            (crossed - residual).abs() < 0.012,
            "{views}: {crossed} for {residual}"
        );
    }
}

#[test]
fn a_strongly_memorized_point_keeps_its_score_and_a_weak_one_is_underrated() {
    let with = |strength: f64| {
        let activation = |point| if point == 17 { strength } else { 1.0 };
        simulated(400, 300, 10, activation).1
    };
    let truth = |strength: f64| (strength - 1.0) / (strength + 1.0);
    let strong = with(20.0);
    assert!((strong - truth(20.0)).abs() < 0.02, "{strong}");
    // In some units the noise of a fold hides the point, and another one is measured.
    let weak = with(6.0);
    assert!(truth(6.0) - 0.15 < weak && weak < truth(6.0), "{weak}");
}

fn activation() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => 0.0f32..2.0,
        2 => prop::sample::select(vec![0.0, -0.0, 1.0, 2.0]),
        1 => any::<u32>().prop_map(f32::from_bits),
    ]
}

proptest! {
    #[test]
    fn order_and_sharding_leave_no_trace(
        (units, folds, order, cuts, backwards) in (1usize..9, 1usize..20).prop_flat_map(|(u, n)| (
            Just(u),
            [prop::collection::vec(activation(), u * n), prop::collection::vec(activation(), u * n)],
            Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
            prop::collection::vec(any::<bool>(), n),
            any::<bool>(),
        )),
    ) {
        let whole = state(units, [&folds[0], &folds[1]]);
        let mut shards = vec![CrossFit::new(units)];
        for (at, cut) in order.into_iter().zip(cuts) {
            let row = |fold: usize| &folds[fold][at * units..][..units];
            shards.last_mut().unwrap().update(&[SampleId(at as u32)], [row(0), row(1)]).unwrap();
            if cut {
                shards.push(CrossFit::new(units));
            }
        }
        if backwards {
            shards.reverse();
        }
        let mut merged = CrossFit::new(units);
        shards.iter().for_each(|shard| merged.merge(shard).unwrap());
        let bytes = |state: &CrossFit| PluginState::encode(1, state).unwrap();
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(bytes(&merged), bytes(&whole));
        prop_assert_eq!(bytes(&whole).decode::<CrossFit>(1).unwrap(), whole);
    }

    #[test]
    fn streaming_equals_the_definition_over_whole_columns(
        rows in prop::collection::vec((0.001f32..3.0, 0.001f32..3.0), 2..50),
    ) {
        let (first, second): (Vec<f32>, Vec<f32>) = rows.into_iter().unzip();
        let wide = |column: &[f32]| -> Vec<f64> { column.iter().map(|v| f64::from(*v)).collect() };
        let want = expected(&wide(&first), &wide(&second));
        let got = state(1, [&first, &second]).scores()[0].value().unwrap();
        prop_assert!((got - want).abs() < 1e-9 && (-1.0..=1.0).contains(&got), "{} {}", got, want);
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    points: usize,
    views: usize,
    units: usize,
    values: Vec<f32>,
    cross_fitted: Vec<Option<f64>>,
    owners: [Vec<u32>; 2],
    agreed: Vec<Option<bool>>,
}

#[test]
fn scores_and_owners_equal_the_reference() {
    // Written by scripts/unitmem_reference.py.
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../testdata/cross_fit.json")).unwrap();
    assert!(cases.len() >= 4);
    for case in cases {
        let mut state = CrossFit::new(case.units);
        let block = 4 * case.views * case.units;
        for (ids, rows) in ids(case.points).chunks(4).zip(case.values.chunks(block)) {
            let order = RowOrder::SampleMajor;
            let [first, second] =
                fold_means(rows, ids.len(), case.views, case.units, order).unwrap();
            state.update(ids, [&first, &second]).unwrap();
        }
        for (unit, (got, want)) in state.scores().iter().zip(&case.cross_fitted).enumerate() {
            match (got.value(), want) {
                // Means over views are rounded to single precision here, and there not.
                (Some(got), Some(want)) => assert!(
                    (got - want).abs() < 1e-6,
                    "{} {unit}: {got} {want}",
                    case.name
                ),
                (got, want) => assert_eq!(got, *want, "{} {unit}", case.name),
            }
        }
        let owners = state
            .owners()
            .map(|fold| -> Vec<u32> { fold.into_iter().map(|owner| owner.unwrap().0).collect() });
        assert_eq!(owners, case.owners, "{}", case.name);
        assert_eq!(state.agreed(), case.agreed, "{}", case.name);
    }
}
