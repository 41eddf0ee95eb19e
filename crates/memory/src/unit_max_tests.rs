#![allow(clippy::unwrap_used)]

use afterimage_hooks::PluginState;
use proptest::prelude::*;

use super::*;
use crate::unit_score::Invalid;

fn ids(range: impl IntoIterator<Item = u32>) -> Vec<SampleId> {
    range.into_iter().map(SampleId).collect()
}

fn state(units: usize, values: &[f32]) -> UnitState {
    let mut state = UnitState::new(units);
    let points = (values.len() / units) as u32;
    state.update(&ids(0..points), values).unwrap();
    state
}

fn bytes(state: &UnitState) -> PluginState {
    PluginState::encode(1, state).unwrap()
}

#[test]
fn one_hot_is_one_constant_is_zero_and_silence_is_dead() {
    let rows = [
        [0.0, 3.0, 0.0],
        [7.0, 3.0, 0.0],
        [0.0, 3.0, -0.0],
        [0.0, 3.0, 0.0],
    ];
    let state = state(3, rows.as_flattened());
    assert_eq!(
        state.scores(),
        [
            UnitScore::Valid(1.0),
            UnitScore::Valid(0.0),
            UnitScore::Dead
        ]
    );
    assert_eq!(state.owner(0), Some(SampleId(1)));
}

#[test]
fn two_points_compare_with_each_other() {
    let state = state(2, &[3.0, 5.0, 1.0, 5.0]);
    assert_eq!(
        state.scores(),
        [UnitScore::Valid(0.5), UnitScore::Valid(0.0)]
    );
    assert_eq!(state.second(), [1.0, 5.0]);
}

#[test]
fn of_equals_the_smallest_id_owns_whatever_the_order() {
    let mut late_first = UnitState::new(1);
    late_first.update(&ids([9, 4]), &[2.0, 2.0]).unwrap();
    late_first.update(&ids([2, 7]), &[2.0, 1.0]).unwrap();
    assert_eq!(late_first.owner(0), Some(SampleId(2)));
    let mut other = UnitState::new(1);
    other.update(&ids([1]), &[2.0]).unwrap();
    other.merge(&late_first).unwrap();
    assert_eq!(
        (other.owner(0), other.second()),
        (Some(SampleId(1)), &[2.0f32][..])
    );
}

#[test]
fn what_cannot_be_scored_says_why() {
    let rows = [[-0.1, f32::NAN, 1e-14], [2.0, 1.0, 0.0], [1.0, 9.0, 0.0]];
    let three = state(3, rows.as_flattened());
    let reasons = [Invalid::Negative, Invalid::NotFinite, Invalid::Vanishing];
    assert_eq!(three.scores(), reasons.map(UnitScore::Invalid));
    // The finite values are still there.
    assert_eq!((three.highest()[1], three.sum(1)), (9.0, 10.0));
    let one = state(1, &[1.0]);
    assert_eq!(one.scores(), [UnitScore::Invalid(Invalid::TooFewPoints)]);
    let none = UnitState::new(1);
    assert_eq!((none.scores(), none.owner(0)), (one.scores(), None));
}

#[test]
fn blocks_of_another_shape_and_repeated_points_are_refused() {
    let mut state = UnitState::new(3);
    let before = state.clone();
    let error = state.update(&ids(0..2), &[0.0; 5]).unwrap_err();
    assert_eq!(
        error,
        MemoryError::BlockSize {
            rows: 2,
            units: 3,
            values: 5
        }
    );
    // [points, units] and not [units, points].
    assert!(state.update(&ids(0..3), &[0.0; 6]).is_err());
    let error = state.update(&ids([4, 1, 4]), &[0.0; 9]).unwrap_err();
    assert_eq!(error, MemoryError::Repeated { id: 4 });
    assert_eq!(state, before);
    assert!(state.merge(&UnitState::new(2)).is_err());
}

#[test]
fn an_empty_state_survives_a_checkpoint() {
    let empty = UnitState::new(4);
    assert_eq!(bytes(&empty).decode::<UnitState>(1).unwrap(), empty);
}

/// Activations as they occur, and the worst there is: ties, both zeros, every exponent, no number.
fn activation() -> impl Strategy<Value = f32> {
    prop_oneof![
        8 => 0.0f32..2.0,
        2 => prop::sample::select(vec![0.0, -0.0, 1.0, 2.0]),
        1 => any::<u32>().prop_map(f32::from_bits),
        1 => (-40i32..40, 1.0f32..2.0).prop_map(|(e, m)| m * 10f32.powi(e / 2)),
    ]
}

prop_compose! {
    /// Points in some order with marks after which a block ends, and after which a shard ends.
    fn tables()(units in 1usize..140, points in 1usize..24)(
        values in prop::collection::vec(activation(), units * points),
        order in Just((0..points).collect::<Vec<_>>()).prop_shuffle(),
        ends in prop::collection::vec((any::<bool>(), prop::bool::weighted(0.3)), points),
        backwards in any::<bool>(),
        units in Just(units),
    ) -> (usize, Vec<f32>, Vec<usize>, Vec<(bool, bool)>, bool) {
        (units, values, order, ends, backwards)
    }
}

proptest! {
    #[test]
    fn order_and_sharding_leave_no_trace(
        (units, values, order, ends, backwards) in tables()
    ) {
        let whole = state(units, &values);
        let row = |at: usize| &values[at * units..][..units];
        let mut shards = vec![UnitState::new(units)];
        let (mut block_ids, mut block) = (Vec::new(), Vec::new());
        for (at, (end_block, end_shard)) in order.into_iter().zip(ends) {
            block_ids.push(SampleId(at as u32));
            block.extend_from_slice(row(at));
            if end_block || end_shard {
                shards.last_mut().unwrap().update(&block_ids, &block).unwrap();
                block_ids.clear();
                block.clear();
            }
            if end_shard {
                shards.push(UnitState::new(units));
            }
        }
        shards.last_mut().unwrap().update(&block_ids, &block).unwrap();
        if backwards {
            shards.reverse();
        }
        // Half of the shards are merged on their own first: another grouping.
        let tail = shards.split_off(shards.len() / 2);
        let fold = |shards: &[UnitState]| {
            let mut all = UnitState::new(units);
            shards.iter().for_each(|shard| all.merge(shard).unwrap());
            all
        };
        let mut merged = fold(&shards);
        merged.merge(&fold(&tail)).unwrap();
        prop_assert_eq!(&merged, &whole);
        prop_assert_eq!(bytes(&merged), bytes(&whole));
        prop_assert_eq!(bytes(&whole).decode::<UnitState>(1).unwrap(), whole);
    }

    #[test]
    fn streaming_equals_the_formula_over_the_whole_table(
        values in prop::collection::vec(prop_oneof![4 => 0.0f32..3.0, 1 => Just(0.0), 1 => Just(1.5)], 2..60),
    ) {
        let state = state(1, &values);
        let values: Vec<f64> = values.iter().map(|v| f64::from(*v)).collect();
        let at = (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap();
        let others: Vec<f64> =
            values.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, v)| *v).collect();
        let rest = others.iter().sum::<f64>() / others.len() as f64;
        match state.scores()[0] {
            UnitScore::Dead => prop_assert_eq!(values[at], 0.0),
            UnitScore::Valid(score) => {
                let want = (values[at] - rest) / (values[at] + rest);
                prop_assert!((score - want).abs() < 1e-6 && (0.0..=1.0).contains(&score));
                prop_assert_eq!(state.owner(0), Some(SampleId(at as u32)));
                let runner_up = others.iter().fold(0.0f64, |a, b| a.max(*b));
                prop_assert_eq!(f64::from(state.second()[0]), runner_up);
            }
            UnitScore::Invalid(why) => prop_assert!(false, "{why:?}"),
        }
    }
}

/// `cargo test --release -p afterimage-memory -- --ignored --nocapture microseconds_a_block`
#[test]
#[ignore = "a measurement"]
fn microseconds_a_block() {
    use afterimage_hooks::random::{RandomKey, Stream};
    let (points, units) = (64, 1120);
    let mut generator = RandomKey::new(1, Stream::Plugin).generator();
    let relu: Vec<f32> = (0..points * units)
        .map(|_| generator.normal().max(0.0) as f32)
        .collect();
    // Every value of another size: an f64 cannot hold their sum.
    let wide: Vec<f32> = relu
        .iter()
        .map(|v| v * 10f32.powf(generator.between(-20.0, 0.0) as f32))
        .collect();
    for (name, values) in [("rectified normal", relu), ("twenty decades", wide)] {
        let mut state = UnitState::new(units);
        let mut times = Vec::new();
        for block in 0..400u32 {
            let ids = ids((0..points as u32).map(|p| block * 64 + p));
            let start = std::time::Instant::now();
            state.update(&ids, &values).unwrap();
            times.push(start.elapsed());
        }
        times.sort_unstable();
        #[allow(clippy::print_stdout)]
        {
            println!("[{points}, {units}] {name}: median {:?}", times[200]);
        }
    }
}
