//! What holds for coresets that lean towards what was memorized, or away from it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod uniform;

use afterimage_coreset::gate::ranks;
use afterimage_coreset::{
    Budget, Bytes, Coreset, CoresetError, Evidence, Greedy, Matrix, Partition, Points, Prefer,
    Selection, Settings, Storage, Strategy,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use uniform::uniform;

/// Points and scores that are all different with probability one.
fn scattered(rows: usize, seed: u64) -> (Points<'static>, Vec<f64>) {
    let mut uniform = uniform(seed);
    let values = (0..rows * 3).map(|_| uniform()).collect();
    let points = Points::Rows(Matrix::new("points", rows, 3, values).unwrap());
    let scores = (0..rows).map(|_| f64::from(uniform())).collect();
    (points, scores)
}

fn leaning(count: usize, prefer: Prefer, bonus: f64) -> Settings<'static> {
    Settings {
        strategy: Strategy::Memorization,
        prefer,
        bonus,
        ..Settings::new(Budget::Count(count))
    }
}

fn choose(
    points: &Points,
    scores: &[f64],
    settings: Settings<'_>,
) -> Result<Coreset, CoresetError> {
    let evidence = Evidence {
        memorization: Some(scores),
        ..Evidence::of(points)
    };
    Selection::plan(evidence, settings)?.run()
}

/// The value of a choice by the definition, in units of the largest distance.
fn value(points: &Points, worth: &[f64], chosen: &[usize]) -> f64 {
    let all = 0..points.len();
    let pairs = all
        .clone()
        .flat_map(|i| (0..points.len()).map(move |j| (i, j)));
    let largest = pairs
        .map(|(i, j)| points.distance(i, j))
        .fold(0.0, f64::max);
    let near = |i: usize| {
        let nearest = chosen.iter().map(|j| points.distance(i, *j));
        1.0 - nearest.fold(largest, f64::min) / largest
    };
    all.map(near).sum::<f64>() + chosen.iter().map(|j| worth[*j]).sum::<f64>()
}

#[test]
fn each_choice_is_the_best_next_by_the_definition() {
    for (seed, prefer, bonus) in [
        (1, Prefer::Memorized, 0.3),
        (2, Prefer::Typical, 0.3),
        (3, Prefer::Memorized, 2.0),
        (4, Prefer::Typical, 0.05),
    ] {
        let (points, scores) = scattered(40, seed);
        let worth: Vec<f64> = ranks(&scores)
            .into_iter()
            .map(|rank| match prefer {
                Prefer::Memorized => bonus * rank,
                Prefer::Typical => bonus * (1.0 - rank),
            })
            .collect();
        let order = choose(&points, &scores, leaning(12, prefer, bonus))
            .unwrap()
            .indices;
        for place in 0..order.len() {
            let with = |j: usize| value(&points, &worth, &[&order[..place], &[j]].concat());
            let open = (0..40).filter(|j| !order[..place].contains(j));
            let most = open.map(with).fold(f64::NEG_INFINITY, f64::max);
            // A step of the fixed point is 2⁻²⁷ of the largest possible distance.
            assert!(
                (with(order[place]) - most).abs() < 1e-5,
                "{prefer:?} {bonus}: pick {place}"
            );
        }
    }
}

#[test]
fn the_ends_are_coverage_alone_and_scores_alone() {
    let (points, scores) = scattered(300, 7);
    let plain = Selection::plan(Evidence::of(&points), Settings::new(Budget::Count(30)));
    let plain = plain.unwrap().run().unwrap();
    for prefer in [Prefer::Memorized, Prefer::Typical] {
        let none = choose(&points, &scores, leaning(30, prefer, 0.0)).unwrap();
        assert_eq!(none.indices, plain.indices);
        assert_eq!(none.weights, plain.weights);
        let equal = choose(&points, &[3.0; 300], leaning(30, prefer, 0.5)).unwrap();
        assert_eq!(equal.indices, plain.indices, "equal scores prefer nothing");

        let mut order: Vec<usize> = (0..300).collect();
        order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
        if prefer == Prefer::Memorized {
            order.reverse();
        }
        // A step of the ranks is then worth more than covering all samples.
        let mut most = choose(&points, &scores, leaning(30, prefer, 1e6))
            .unwrap()
            .indices;
        let mut expected = order[..30].to_vec();
        most.sort_unstable();
        expected.sort_unstable();
        assert_eq!(most, expected, "{prefer:?}");
    }
}

#[test]
fn scores_alone_are_a_sort_in_which_equal_ones_go_by_id() {
    let (points, _) = scattered(90, 4);
    // Ten values, nine samples each.
    let scores: Vec<f64> = (0..90).map(|id| f64::from(id * 7 % 10)).collect();
    let labels: Vec<u32> = (0..90).map(|id| id % 3).collect();
    for (prefer, partition) in [
        (Prefer::Memorized, Partition::None),
        (Prefer::Typical, Partition::None),
        (Prefer::Typical, Partition::Classes(&labels)),
    ] {
        let mut expected = Vec::new();
        let classes = match partition {
            Partition::None => vec![(0..90).collect::<Vec<usize>>()],
            _ => (0..3)
                .map(|class| (class..90).step_by(3).collect())
                .collect(),
        };
        let share = 45 / classes.len();
        for ids in classes {
            let mut left = ids;
            for _ in 0..share {
                let mut best = 0;
                for place in 0..left.len() {
                    let (new, old) = (scores[left[place]], scores[left[best]]);
                    let better = if prefer == Prefer::Memorized {
                        new > old
                    } else {
                        new < old
                    };
                    if better {
                        best = place;
                    }
                }
                expected.push(left.remove(best));
            }
        }
        for threads in [1, 3] {
            let settings = Settings {
                strategy: Strategy::MemorizationAlone,
                prefer,
                partition,
                threads,
                ..Settings::new(Budget::Count(45))
            };
            let found = choose(&points, &scores, settings).unwrap();
            assert_eq!(found.indices, expected, "{prefer:?} {threads}");
        }
    }
    let plan = Selection::plan(
        Evidence::of(&points),
        Settings {
            strategy: Strategy::MemorizationAlone,
            ..Settings::new(Budget::Count(45))
        },
    );
    let told = plan.unwrap_err().to_string();
    assert!(told.contains("scores of memorization"), "{told}");
}

#[test]
fn a_larger_bonus_leans_further_and_the_scale_of_the_scores_does_not_matter() {
    let (points, scores) = scattered(400, 5);
    let ranks = ranks(&scores);
    let mean = |prefer, bonus| {
        let chosen = choose(&points, &scores, leaning(80, prefer, bonus))
            .unwrap()
            .indices;
        chosen.iter().map(|id| ranks[*id]).sum::<f64>() / 80.0
    };
    let memorized = [0.0, 0.3, 1.0, 10.0].map(|bonus| mean(Prefer::Memorized, bonus));
    let typical = [0.0, 0.3, 1.0, 10.0].map(|bonus| mean(Prefer::Typical, bonus));
    assert!(memorized.is_sorted_by(|a, b| a < b), "{memorized:?}");
    assert!(typical.is_sorted_by(|a, b| a > b), "{typical:?}");
    let scaled: Vec<f64> = scores.iter().map(|x| (x * 20.0).exp()).collect();
    let settings = leaning(80, Prefer::Memorized, 0.3);
    assert_eq!(
        choose(&points, &scores, settings).unwrap().indices,
        choose(&points, &scaled, settings).unwrap().indices
    );
}

#[test]
fn every_exact_way_chooses_the_same_on_any_number_of_threads() {
    let (points, scores) = scattered(700, 3);
    let labels: Vec<u32> = (0..700).map(|i| i * 7 % 13 % 4).collect();
    for partition in [Partition::None, Partition::Classes(&labels)] {
        let settings = Settings {
            partition,
            ..leaning(90, Prefer::Memorized, 0.5)
        };
        let expected = choose(&points, &scores, settings).unwrap();
        for storage in [Storage::Dense, Storage::MatrixFree] {
            for threads in [1, 2, 4] {
                let other = Settings {
                    storage: Some(storage),
                    threads,
                    ..settings
                };
                let found = choose(&points, &scores, other).unwrap();
                assert_eq!(found.indices, expected.indices, "{storage} {threads}");
                assert_eq!(found.owners, expected.owners);
                assert_eq!(found.cost.to_bits(), expected.cost.to_bits());
            }
        }
        let half = Settings {
            storage: Some(Storage::Half),
            ..settings
        };
        let half = choose(&points, &scores, half).unwrap().cost;
        assert!(half < expected.cost * 1.01, "{half} {}", expected.cost);
    }
}

#[test]
fn the_plan_keeps_to_the_budget() {
    let (points, scores) = scattered(2000, 8);
    let evidence = Evidence {
        memorization: Some(&scores),
        ..Evidence::of(&points)
    };
    for memory in ["30MB", "12MB", "5MB"] {
        let memory: Bytes = memory.parse().unwrap();
        let settings = Settings {
            memory,
            ..leaning(10, Prefer::Memorized, 0.5)
        };
        let selection = Selection::plan(evidence, settings).unwrap();
        let plan = selection.memory();
        assert_eq!(plan.storages(), [Storage::MatrixFree]);
        assert!(plan.bytes() <= memory.0, "{plan}");
    }
}

#[test]
fn all_of_them_are_a_coreset_too() {
    let (points, scores) = scattered(50, 9);
    for prefer in [Prefer::Memorized, Prefer::Typical] {
        let mut all = choose(&points, &scores, leaning(50, prefer, 0.5)).unwrap();
        assert_eq!((all.cost, all.weights), (0.0, vec![1.0; 50]));
        all.indices.sort_unstable();
        assert_eq!(all.indices, (0..50).collect::<Vec<_>>());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let (points, mut scores) = scattered(20, 1);
    let settings = leaning(5, Prefer::Memorized, 0.5);
    let missing = Selection::plan(Evidence::of(&points), settings)
        .unwrap_err()
        .to_string();
    assert!(
        missing.contains("`memorization` needs scores of memorization"),
        "{missing}"
    );
    let told = |scores: &[f64], settings: Settings<'_>, words: &str| {
        let error = choose(&points, scores, settings).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    told(&scores[..7], settings, "scores of memorization has 7");
    for bonus in [-0.1, f64::NAN, f64::INFINITY, 1e7] {
        let wrong = Settings { bonus, ..settings };
        told(&scores, wrong, "bonus: ");
    }
    let lazy = Settings {
        greedy: Greedy::Lazy,
        ..settings
    };
    told(&scores, lazy, "greedy: ");
    let sparse = Settings {
        storage: Some(Storage::Sparse),
        ..settings
    };
    told(&scores, sparse, "which `sparse` does not hold");
    let small = Settings {
        memory: Bytes(1000),
        ..settings
    };
    told(&scores, small, "a memory budget of 1 kB");
    (scores[3], scores[11]) = (f64::NAN, f64::INFINITY);
    told(&scores, settings, "scores of memorization: 2 of 20");
    told(&scores, settings, "not finite: 3, 11;");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_samples_does_not_matter(
        seed in 1u64..1000,
        order in (2usize..120).prop_flat_map(|n| Just((0..n).collect::<Vec<usize>>()).prop_shuffle()),
        part in 0.05f64..1.0,
        typical: bool,
    ) {
        let rows = order.len();
        let (points, scores) = scattered(rows, seed);
        let Points::Rows(matrix) = &points else { panic!("rows") };
        let values = order.iter().flat_map(|i| matrix.row(*i)).copied().collect();
        let moved = Points::Rows(Matrix::new("points", rows, 3, values).unwrap());
        let moved_scores: Vec<f64> = order.iter().map(|i| scores[*i]).collect();
        let prefer = if typical { Prefer::Typical } else { Prefer::Memorized };
        let settings = leaning(((rows as f64 * part) as usize).max(1), prefer, 0.5);
        let straight = choose(&points, &scores, settings).unwrap().indices;
        let back = choose(&moved, &moved_scores, settings).unwrap().indices;
        // Scores that differ leave no two gains equal.
        let back: Vec<usize> = back.into_iter().map(|i| order[i]).collect();
        prop_assert_eq!(straight, back);
    }
}
