#![allow(clippy::unwrap_used)]
use afterimage_hooks::random::Stream;
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

fn key(seed: u64) -> RandomKey {
    RandomKey::new(seed, Stream::Plugin)
}

/// Points own so many units each; a negative number stands for an independent point.
fn test(points: u64, owned: &[i32]) -> OwnershipTest {
    let mut test = OwnershipTest {
        points,
        tied: 0,
        candidates: BTreeMap::new(),
        independent: BTreeMap::new(),
    };
    for (id, count) in (0..).map(SampleId).zip(owned) {
        let set = if *count > 0 {
            &mut test.candidates
        } else {
            &mut test.independent
        };
        set.insert(id, count.unsigned_abs());
    }
    test
}

fn state(from: u32, rows: &[[f32; 4]]) -> UnitState {
    let mut state = UnitState::new(4);
    let ids: Vec<SampleId> = (from..).take(rows.len()).map(SampleId).collect();
    state.update(&ids, rows.as_flattened()).unwrap();
    state
}

#[test]
fn units_go_to_the_set_of_their_owner_and_ties_to_nobody() {
    let candidates = state(0, &[[3.0, 1.0, 0.0, 2.0], [1.0, 5.0, 0.0, 1.0]]);
    let independent = state(9, &[[2.0, 4.0, 0.0, 8.0], [1.0, 1.0, 0.0, 7.0]]);
    let pairs = [(&candidates, &independent), (&candidates, &independent)];
    let test = OwnershipTest::new(pairs).unwrap();
    assert_eq!((test.owned(), test.units(), test.tied()), (4, 6, 2));
    // Two sites: the same point is one cluster.
    assert_eq!(test.candidates[&SampleId(0)], 2);
    assert_eq!(test.owners(), 3);
    let third = state(9, &[[1.0; 4]]);
    assert!(OwnershipTest::new([(&candidates, &third)]).is_err());
    let one = state(3, &[[2.0; 4]]);
    assert!(OwnershipTest::new([(&candidates, &independent), (&one, &third)]).is_err());
}

#[test]
fn the_same_share_of_fewer_owners_is_weaker_evidence() {
    let spread = test(50, &[[1; 30].as_slice(), &[-1; 10]].concat());
    let lumped = test(50, &[10, 10, 10, -10]);
    assert_eq!((spread.share(), lumped.share()), (0.75, 0.75));
    assert_eq!(spread.binomial_p(), lumped.binomial_p());
    assert!(spread.z() > 3.0 && lumped.z() < 1.2);
    assert!(lumped.design_effect() > 9.0 && spread.design_effect() < 1.0);
    let p = |test: &OwnershipTest| test.exchange_p(key(1), 2000);
    assert!(p(&spread) < 0.01 && p(&lumped) > 0.3);
    let error = |test: &OwnershipTest| test.bootstrap(key(1), 2000).standard_error;
    assert!(error(&lumped) > 2.5 * error(&spread));
    assert_eq!(p(&lumped), p(&lumped));
}

#[test]
fn a_test_without_units_decides_nothing() {
    let none = test(3, &[]);
    assert!(none.share().is_nan() && none.z().is_nan() && none.binomial_p().is_nan());
    assert!(none.bootstrap(key(0), 10).standard_error.is_nan());
    assert_eq!(none.exchange_p(key(0), 10), 1.0);
    assert!(OwnershipTest::new([]).unwrap().share().is_nan());
}

/// Where nothing is memorized, points are dealt to the sets by chance: the references must then
/// reject as often as they say.
#[test]
fn exchanged_points_hold_their_level_and_the_binomial_does_not() {
    let mut generator = key(3).generator();
    let runs = 400;
    let (mut exchanged, mut binomial, mut covered) = (0, 0, 0);
    for run in 0..runs {
        // Of 60 + 60 points 40 own 1 to 12 units each.
        let owned: Vec<i32> = (0..40)
            .map(|_| {
                let count = 1 + generator.below(12) as i32;
                if generator.chance(0.5) { count } else { -count }
            })
            .collect();
        let test = test(60, &owned);
        exchanged += usize::from(test.exchange_p(key(run), 300) < 0.05);
        binomial += usize::from(test.binomial_p() < 0.05);
        let interval = test.bootstrap(key(run), 300);
        covered += usize::from(interval.low <= 0.5 && 0.5 <= interval.high);
    }
    let share = |count: usize| count as f64 / runs as f64;
    assert!(share(exchanged) < 0.1, "{}", share(exchanged));
    assert!(share(binomial) > 0.3, "{}", share(binomial));
    assert!(share(covered) > 0.85, "{}", share(covered));
}

proptest! {
    #[test]
    fn the_variance_is_that_of_deals(
        counts in prop::collection::vec(1i32..6, 1..8), more in 0u64..4,
    ) {
        let points = (counts.len() as u64).div_ceil(2) + more;
        let test = test(points, &counts);
        let dealt: Vec<u32> = counts.iter().map(|c| c.unsigned_abs()).collect();
        let mut generator = key(7).generator();
        let draws = 4000;
        let owned: Vec<f64> =
            (0..draws).map(|_| test.dealt(&dealt, &mut generator) as f64).collect();
        let mean = owned.iter().sum::<f64>() / f64::from(draws);
        let variance = owned.iter().map(|o| (o - mean).powi(2)).sum::<f64>() / f64::from(draws);
        let want = test.exchange_variance();
        prop_assert!((mean - test.units() as f64 / 2.0).abs() < 0.1 + 4.0 * (want / f64::from(draws)).sqrt());
        prop_assert!((variance - want).abs() < 0.02 + 0.15 * want, "{} {}", variance, want);
    }
}

#[derive(Deserialize)]
struct Case {
    k: u64,
    n: u64,
    p: f64,
}

#[test]
fn the_binomial_reference_is_exact() {
    // Written by scripts/unitmem_reference.py with whole numbers.
    let cases: Vec<Case> = serde_json::from_str(include_str!("../testdata/binomial.json")).unwrap();
    assert!(cases.len() >= 8);
    for Case { k, n, p } in cases {
        let got = binomial_two_sided(k, n);
        assert!((got - p).abs() <= 1e-9 * p, "{k} of {n}: {got} for {p}");
    }
}
