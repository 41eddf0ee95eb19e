//! Laws of choosing units.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_prune::{
    Budget, Cost, Direction, Normaliser, Pool, PruneError, Rules, Scope, Selected, select,
};
use proptest::prelude::*;

fn pool(number: usize, scores: Vec<Option<f64>>, protected: bool) -> Pool {
    Pool {
        protected,
        ..Pool::new(format!("group{number}"), scores)
    }
}

fn pools() -> impl Strategy<Value = Vec<Pool>> {
    let score = prop_oneof![
        8 => (-3i32..4).prop_map(|score| Some(f64::from(score))),
        1 => Just(None),
        1 => Just(Some(f64::NAN)),
    ];
    let one = (
        prop::collection::vec(score, 1..24),
        prop::bool::weighted(0.1),
    );
    prop::collection::vec(one, 1..6).prop_map(|pools| {
        let numbered = pools.into_iter().enumerate();
        numbered
            .map(|(number, (scores, protected))| pool(number, scores, protected))
            .collect()
    })
}

fn rules() -> impl Strategy<Value = Rules> {
    let normaliser = prop_oneof![
        Just(Normaliser::None),
        Just(Normaliser::Rank),
        Just(Normaliser::Z),
        Just(Normaliser::Mad),
    ];
    (
        0.01f64..0.99,
        any::<bool>(),
        any::<bool>(),
        normaliser,
        1usize..4,
        0.2f64..1.0,
        1usize..5,
    )
        .prop_map(
            |(fraction, global, lowest, normaliser, min_units, max_fraction, round_to)| Rules {
                fraction,
                scope: if global { Scope::Global } else { Scope::Site },
                direction: if lowest {
                    Direction::Lowest
                } else {
                    Direction::Highest
                },
                normaliser,
                min_units,
                max_fraction,
                round_to,
                ..Rules::default()
            },
        )
}

/// The pools after their units were pruned.
fn after(pools: &[Pool], selected: &Selected) -> Vec<Pool> {
    let mut pools = pools.to_vec();
    for pool in &mut pools {
        for &unit in selected.units.get(&pool.name).into_iter().flatten() {
            pool.alive[unit] = false;
        }
    }
    pools
}

proptest! {
    #[test]
    fn bounds_hold_and_the_best_go_first(pools in pools(), rules in rules()) {
        let Ok(selected) = select(&pools, &rules, None) else { return Ok(()) };
        prop_assert_eq!(&selected, &select(&pools, &rules, None).unwrap());
        let mut gone = 0;
        for pool in &pools {
            let units = selected.units.get(&pool.name).cloned().unwrap_or_default();
            gone += units.len();
            prop_assert!(units.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(units.iter().all(|&unit| pool.scores[unit].is_some()));
            if units.is_empty() { continue }
            prop_assert!(!pool.protected);
            let kept = pool.original - units.len();
            prop_assert!(kept >= rules.min_units);
            prop_assert!(units.len() as f64 <= rules.max_fraction * pool.original as f64 + 1e-6);
            prop_assert!(kept % rules.round_to == 0);
            // Nobody who stays is better than one who goes.
            let sign = if rules.direction == Direction::Highest { 1.0 } else { -1.0 };
            let worst = units.iter().map(|&u| sign * pool.scores[u].unwrap()).fold(f64::MAX, f64::min);
            for (unit, score) in pool.scores.iter().enumerate() {
                if let (Some(score), false) = (score, units.contains(&unit)) {
                    prop_assert!(sign * score <= worst);
                }
            }
        }
        let all: usize = pools.iter().map(|pool| pool.original).sum();
        prop_assert!((selected.fraction - gone as f64 / all as f64).abs() < 1e-12);
    }

    #[test]
    fn a_pool_with_a_fraction_of_its_own_loses_what_it_would_alone(
        pools in pools(),
        own in prop::collection::vec(0.0f64..0.99, 6),
        rules in rules(),
    ) {
        let rules = Rules { scope: Scope::Site, ..rules };
        let with = pools.iter().zip(&own).map(|(pool, fraction)| Pool {
            fraction: Some(*fraction),
            ..pool.clone()
        });
        let Ok(together) = select(&with.collect::<Vec<Pool>>(), &rules, None) else { return Ok(()) };
        let mut wanted = 0.0;
        for (pool, fraction) in pools.iter().zip(&own) {
            let rules = Rules { fraction: *fraction, ..rules.clone() };
            let alone = select(std::slice::from_ref(pool), &rules, None);
            let alone = alone.map(|alone| alone.units).unwrap_or_default();
            prop_assert_eq!(together.units.get(&pool.name), alone.get(&pool.name));
            if !pool.protected { wanted += fraction * pool.original as f64 }
        }
        let all: usize = pools.iter().map(|pool| pool.original).sum();
        prop_assert!((together.wanted - wanted / all as f64).abs() < 1e-12);
    }

    #[test]
    fn more_is_never_less_and_what_is_gone_stays(pools in pools(), rules in rules()) {
        let first = Rules { fraction: rules.fraction / 2.0, ..rules.clone() };
        let Ok(first) = select(&pools, &first, None) else { return Ok(()) };
        let left = after(&pools, &first);
        let Ok(second) = select(&left, &rules, None) else { return Ok(()) };
        prop_assert!(second.fraction >= first.fraction - 1e-12);
        for (name, units) in &second.units {
            let before = first.units.get(name).cloned().unwrap_or_default();
            prop_assert!(units.iter().all(|unit| !before.contains(unit)));
        }
    }

    #[test]
    fn the_other_end_of_negated_scores_is_the_same(pools in pools(), rules in rules()) {
        let mut negated = pools.clone();
        for pool in &mut negated {
            pool.scores.iter_mut().for_each(|score| *score = score.map(|x| -x));
        }
        let other = match rules.direction {
            Direction::Highest => Direction::Lowest,
            Direction::Lowest => Direction::Highest,
        };
        let turned = Rules { direction: other, ..rules.clone() };
        prop_assert_eq!(select(&pools, &rules, None), select(&negated, &turned, None));
    }

    #[test]
    fn a_control_takes_as_many_of_each_group(pools in pools(), rules in rules(), seed: u64) {
        let Ok(chosen) = select(&pools, &rules, None) else { return Ok(()) };
        let random = Rules { random: Some(RandomKey::new(seed, Stream::Plugin)), ..rules };
        let control = select(&pools, &random, None).unwrap();
        let counts = |selected: &Selected| -> BTreeMap<String, usize> {
            selected.units.iter().map(|(name, units)| (name.clone(), units.len())).collect()
        };
        prop_assert_eq!(counts(&chosen), counts(&control));
        prop_assert_eq!(&control, &select(&pools, &random, None).unwrap());
    }

    #[test]
    fn a_budget_of_operations_is_reached_by_no_more_than_a_unit(
        pools in pools(), fraction in 0.05f64..0.6, global: bool,
    ) {
        // A chain: each group is read by the next.
        let of = |left: &BTreeMap<String, usize>| -> u64 {
            let units: Vec<u64> = (0..pools.len()).map(|k| left[&format!("group{k}")] as u64).collect();
            27 * units[0] + units.windows(2).map(|pair| 9 * pair[0] * pair[1]).sum::<u64>()
        };
        let whole: BTreeMap<String, usize> =
            pools.iter().map(|pool| (pool.name.clone(), pool.original)).collect();
        let rules = Rules {
            fraction,
            of: Budget::Macs,
            scope: if global { Scope::Global } else { Scope::Site },
            ..Rules::default()
        };
        let cost = || Some(Cost { original: of(&whole), of: &of });
        let Ok(selected) = select(&pools, &rules, cost()) else { return Ok(()) };
        let left: BTreeMap<String, usize> = pools.iter().map(|pool| {
            let gone = selected.units.get(&pool.name).map_or(0, Vec::len);
            (pool.name.clone(), pool.original - gone)
        }).collect();
        let reached = 1.0 - of(&left) as f64 / of(&whole) as f64;
        prop_assert!((reached - selected.fraction).abs() < 1e-12);
        let free = pools.iter().all(|pool| !pool.protected && pool.scores.iter().all(Option::is_some));
        if free && !selected.short && !global {
            // The whole fraction is there whenever no bound is in the way.
            let most: BTreeMap<String, usize> = pools.iter().map(|p| (p.name.clone(), 1)).collect();
            let possible = 1.0 - of(&most) as f64 / of(&whole) as f64;
            prop_assert!(reached >= fraction.min(possible) - 1e-12, "{reached} {fraction} {possible}");
        }
    }
}

#[test]
fn exact_counts_and_ties() {
    let scores = |values: &[f64]| values.iter().copied().map(Some).collect::<Vec<_>>();
    let pools = [
        pool(0, scores(&[1.0; 10]), false),
        pool(1, scores(&[2.0, 1.0, 1.0, 2.0]), false),
    ];
    let rules = Rules {
        fraction: 0.5,
        ..Rules::default()
    };
    let chosen = select(&pools, &rules, None).unwrap();
    // Equal scores go in the order of the units.
    assert_eq!(chosen.units["group0"], [0, 1, 2, 3, 4]);
    assert_eq!(chosen.units["group1"], [0, 3]);
    let global = Rules {
        scope: Scope::Global,
        ..rules
    };
    let chosen = select(&pools, &global, None).unwrap();
    assert_eq!(chosen.units["group1"], [0, 3]);
    assert_eq!(chosen.units["group0"], [0, 1, 2, 3, 4]);
    assert_eq!(chosen.fraction, 0.5);
}

#[test]
fn a_schedule_is_cumulative_also_after_units_are_taken_out() {
    let mut small = pool(0, vec![Some(1.0), Some(2.0), Some(3.0), Some(4.0)], false);
    // Four of eight units are gone and no more there.
    small.original = 8;
    let rules = Rules {
        fraction: 0.75,
        ..Rules::default()
    };
    let chosen = select(&[small], &rules, None).unwrap();
    assert_eq!(chosen.units["group0"], [2, 3]);
    assert_eq!(chosen.fraction, 0.75);
}

#[test]
fn what_cannot_be_chosen_is_told() {
    let protected = pool(0, vec![Some(1.0); 4], true);
    let error = select(&[protected], &Rules::default(), None).unwrap_err();
    assert!(matches!(
        error,
        PruneError::NothingToPrune {
            protected: 1,
            groups: 1
        }
    ));
    let unscored = [
        pool(0, vec![None; 4], false),
        pool(1, vec![Some(f64::NAN); 4], false),
    ];
    let error = select(&unscored, &Rules::default(), None).unwrap_err();
    assert!(
        matches!(error, PruneError::NoScores { units: 8 }),
        "{error}"
    );
    let macs = Rules {
        of: Budget::Macs,
        ..Rules::default()
    };
    let some = pool(0, vec![Some(1.0); 4], false);
    assert_eq!(
        select(&[some], &macs, None).unwrap_err(),
        PruneError::NoCost
    );
}

#[test]
fn a_bound_that_keeps_the_fraction_away_is_told() {
    let rules = Rules {
        fraction: 0.9,
        max_fraction: 0.5,
        ..Rules::default()
    };
    let chosen = select(&[pool(0, vec![Some(1.0); 10], false)], &rules, None).unwrap();
    assert!(chosen.short);
    assert_eq!(chosen.fraction, 0.5);
}
