//! What holds for every selection.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod uniform;

use afterimage_coreset::{
    Budget, Bytes, Coreset, CoresetError, Evidence, Greedy, Matrix, Partition, Points, Selection,
    Settings, Storage, Strategy, Weighting,
};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use uniform::uniform;

fn points(columns: usize, values: Vec<f32>) -> Points<'static> {
    Points::Rows(Matrix::new("points", values.len() / columns, columns, values).unwrap())
}

fn choose(points: &Points, settings: Settings<'_>) -> Result<Coreset, CoresetError> {
    Selection::plan(Evidence::of(points), settings)?.run()
}

fn count(count: usize) -> Settings<'static> {
    Settings::new(Budget::Count(count))
}

/// Points that are all different with probability one: no two gains are equal by chance.
fn scattered(rows: usize, columns: usize, seed: u64) -> Points<'static> {
    let mut uniform = uniform(seed);
    points(columns, (0..rows * columns).map(|_| uniform()).collect())
}

#[test]
fn every_exact_way_chooses_the_same_on_any_number_of_threads() {
    for (rows, columns, k) in [(700, 3, 60), (300, 128, 40), (65, 1, 65), (1, 4, 1)] {
        let points = scattered(rows, columns, 5);
        let expected = choose(
            &points,
            Settings {
                greedy: Greedy::Naive,
                ..count(k)
            },
        )
        .unwrap();
        for greedy in [Greedy::Naive, Greedy::Lazy, Greedy::EventDriven] {
            for storage in [Storage::Dense, Storage::MatrixFree] {
                for threads in [1, 2, 4] {
                    let storage = Some(storage);
                    let found = choose(
                        &points,
                        Settings {
                            greedy,
                            storage,
                            threads,
                            ..count(k)
                        },
                    );
                    let found = found.unwrap();
                    assert_eq!(
                        found.indices, expected.indices,
                        "{greedy:?} {storage:?} {threads}"
                    );
                    assert_eq!(found.owners, expected.owners);
                    assert_eq!(found.cost.to_bits(), expected.cost.to_bits());
                }
            }
        }
    }
}

#[test]
fn groups_on_several_threads_are_those_on_one() {
    let points = scattered(600, 8, 9);
    let labels: Vec<u32> = (0..600).map(|i| (i * 7 % 13) % 5).collect();
    let scores: Vec<f64> = (0..600).map(|i| f64::from(i * 11 % 37)).collect();
    for (name, strategy) in Strategy::ALL {
        if ["small-loss", "forgetting", "glister"].contains(&name) {
            continue;
        }
        let of = |threads| {
            let settings = Settings {
                strategy,
                partition: Partition::Classes(&labels),
                threads,
                ..count(77)
            };
            let evidence = Evidence {
                memorization: Some(&scores),
                ..Evidence::of(&points)
            };
            Selection::plan(evidence, settings).unwrap().run().unwrap()
        };
        let (one, three) = (of(1), of(3));
        assert_eq!(one.indices, three.indices, "{name}");
        assert_eq!(one.weights, three.weights, "{name}");
        assert_eq!(one.indices.len(), 77, "{name}");
        let mut sorted = one.indices.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), 77, "{name} chooses a sample twice");
        for (sample, owner) in one.owners.iter().enumerate() {
            let owner = one.indices[owner.unwrap() as usize];
            assert_eq!(
                labels[owner], labels[sample],
                "{name}: a nearest sample of another class"
            );
        }
    }
}

#[test]
fn approximate_ways_come_near_and_never_leave_a_sample_without_distance() {
    let points = scattered(3000, 6, 2);
    let k = 300;
    let exact = choose(&points, count(k)).unwrap().cost;
    let random = choose(
        &points,
        Settings {
            strategy: Strategy::Random,
            ..count(k)
        },
    )
    .unwrap()
    .cost;
    let sparse = Settings {
        storage: Some(Storage::Sparse),
        ..count(k)
    };
    let stochastic = Settings {
        greedy: Greedy::Stochastic { epsilon: 0.01 },
        ..count(k)
    };
    let half = Settings {
        storage: Some(Storage::Half),
        ..count(k)
    };
    for (name, settings, slack) in [
        ("half", half, 1.0005),
        ("sparse", sparse, 1.01),
        ("stochastic", stochastic, 1.06),
    ] {
        let cost = choose(&points, settings).unwrap().cost;
        assert!(
            cost < exact * slack && cost < random,
            "{name}: {cost}, exact {exact}"
        );
    }
    // Fewer choices than the graph can cover.
    let few = choose(
        &points,
        Settings {
            storage: Some(Storage::Sparse),
            ..count(5)
        },
    )
    .unwrap();
    let exact = choose(&points, count(5)).unwrap();
    assert!(few.cost < 1.3 * exact.cost, "{} {}", few.cost, exact.cost);
    assert_eq!(few.weights.iter().sum::<f64>(), 3000.0);
}

#[test]
fn lists_take_over_from_events_without_a_trace() {
    // Enough samples that the matrix-free way changes over, and budgets in which it cannot.
    let points = scattered(2000, 4, 8);
    let dense = Settings {
        storage: Some(Storage::Dense),
        ..count(400)
    };
    let dense = choose(&points, dense).unwrap();
    for memory in [
        Bytes(2 << 30),
        Bytes(6_000_000),
        Bytes(5_000_000),
        Bytes(4_500_000),
        Bytes(1_500_000),
    ] {
        let storage = Some(Storage::MatrixFree);
        let free = choose(
            &points,
            Settings {
                storage,
                memory,
                ..count(400)
            },
        )
        .unwrap();
        assert_eq!(free.indices, dense.indices, "{memory}");
        assert_eq!(free.owners, dense.owners, "{memory}");
    }
}

#[test]
fn the_budget_decides_how_distances_are_held() {
    let points = scattered(2000, 4, 8);
    for (memory, greedy, storage) in [
        ("30MB", Greedy::Lazy, Storage::Dense),
        ("12MB", Greedy::Lazy, Storage::Half),
        ("3MB", Greedy::Lazy, Storage::MatrixFree),
        ("30MB", Greedy::EventDriven, Storage::MatrixFree),
        ("5MB", Greedy::EventDriven, Storage::MatrixFree),
        ("2MB", Greedy::EventDriven, Storage::MatrixFree),
    ] {
        let memory: Bytes = memory.parse().unwrap();
        let selection = Selection::plan(
            Evidence::of(&points),
            Settings {
                memory,
                greedy,
                ..count(10)
            },
        )
        .unwrap();
        assert_eq!(selection.memory().storages(), [storage]);
        assert!(
            selection.memory().bytes() <= memory.0,
            "{}",
            selection.memory()
        );
    }
    let error = choose(
        &points,
        Settings {
            memory: Bytes(1000),
            ..count(10)
        },
    )
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("a memory budget of 1 kB is too small"),
        "{error}"
    );
}

#[test]
fn equal_points_are_at_no_distance() {
    let points = points(3, [0.1, 0.7, -3.3].repeat(70));
    for storage in [
        Storage::Dense,
        Storage::Half,
        Storage::MatrixFree,
        Storage::Sparse,
    ] {
        let coreset = choose(
            &points,
            Settings {
                storage: Some(storage),
                ..count(70)
            },
        )
        .unwrap();
        assert_eq!(coreset.indices, (0..70).collect::<Vec<_>>(), "{storage}");
        assert_eq!(coreset.cost, 0.0);
        assert_eq!(coreset.objective, 0.0);
        assert_eq!(coreset.weights[0], 70.0);
    }
}

#[test]
fn a_duplicate_comes_after_everything_else() {
    // Each of 40 points twice; the second ones bring nothing once all first ones are chosen.
    let Points::Rows(rows) = scattered(40, 9, 3) else {
        panic!("rows")
    };
    let twice = points(9, rows.values().repeat(2));
    for storage in [Storage::Dense, Storage::MatrixFree] {
        let coreset = choose(
            &twice,
            Settings {
                storage: Some(storage),
                ..count(80)
            },
        )
        .unwrap();
        let mut firsts: Vec<usize> = coreset.indices[..40].iter().map(|id| id % 40).collect();
        firsts.sort_unstable();
        assert_eq!(firsts, (0..40).collect::<Vec<_>>(), "{storage}");
        let half = choose(
            &twice,
            Settings {
                storage: Some(storage),
                ..count(40)
            },
        )
        .unwrap();
        assert_eq!(half.cost, 0.0);
    }
}

#[test]
fn one_and_all() {
    let points = scattered(50, 4, 1);
    let one = choose(&points, count(1)).unwrap();
    let total = |j: usize| (0..50).map(|i| points.distance(i, j)).sum::<f64>();
    let medoid = (0..50)
        .min_by(|a, b| total(*a).total_cmp(&total(*b)))
        .unwrap();
    assert_eq!((one.indices, one.weights), (vec![medoid], vec![50.0]));
    let mut all = choose(&points, count(50)).unwrap();
    assert_eq!((all.cost, all.weights), (0.0, vec![1.0; 50]));
    all.indices.sort_unstable();
    assert_eq!(all.indices, (0..50).collect::<Vec<_>>());
}

#[test]
fn a_class_of_one_is_its_own_medoid_and_an_empty_one_is_not_there() {
    let points = scattered(30, 4, 1);
    let mut labels = vec![2; 30];
    labels[11] = 0;
    let partition = Partition::Classes(&labels);
    let coreset = choose(
        &points,
        Settings {
            partition,
            ..count(4)
        },
    )
    .unwrap();
    assert_eq!((coreset.indices[0], coreset.weights[0]), (11, 1.0));
    // Nothing is chosen from a group for which the budget is too small.
    let coreset = choose(
        &points,
        Settings {
            partition,
            ..count(1)
        },
    )
    .unwrap();
    assert_eq!(coreset.owners[11], None);
    assert!(coreset.cost.is_infinite());
}

#[test]
fn broken_input_names_the_samples() {
    let mut values = vec![0.5; 60];
    (values[7], values[58]) = (f32::NAN, f32::INFINITY);
    let error = Matrix::new("proxies", 20, 3, values)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("2 of 20") && error.contains("2, 19"),
        "{error}"
    );

    let points = scattered(4, 2, 1);
    let told = |settings: Settings<'_>, words: &str| {
        let error = choose(&points, settings).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    told(count(0), "count: must be at least 1");
    told(count(5), "5 of 4 samples cannot be chosen");
    told(Settings::new(Budget::Fraction(0.01)), "is not one sample");
    told(Settings::new(Budget::Fraction(f64::NAN)), "not in (0, 1]");
    told(
        Settings {
            strategy: Strategy::SmallLoss,
            ..count(1)
        },
        "needs losses",
    );
    told(
        Settings {
            strategy: Strategy::Glister,
            ..count(1)
        },
        "residuals and features",
    );
    told(
        Settings {
            partition: Partition::Classes(&[1, 2]),
            ..count(1)
        },
        "labels has 2",
    );
    told(
        Settings {
            threads: 0,
            ..count(1)
        },
        "threads: must be at least 1",
    );
    let losses = [1.0, f32::NAN, 0.0, 0.0];
    let evidence = Evidence {
        losses: Some(&losses),
        ..Evidence::of(&points)
    };
    let error = Selection::plan(evidence, count(1)).unwrap_err().to_string();
    assert!(
        error.contains("losses: 1 of 4") && error.contains(": 1;"),
        "{error}"
    );
}

#[test]
fn sizes_and_radii() {
    let line = points(1, vec![0.0, 1.0, 9.0, 10.0, 11.0]);
    let weighted = |weighting| {
        choose(
            &line,
            Settings {
                weighting,
                ..count(2)
            },
        )
        .unwrap()
        .weights
    };
    assert_eq!(weighted(Weighting::ClusterSize { cap: None }), [3.0, 2.0]);
    assert_eq!(
        weighted(Weighting::ClusterSize { cap: Some(0.5) }),
        [2.0, 2.0]
    );
    assert_eq!(weighted(Weighting::Radius { distance: 1.5 }), [2.0, 2.0]);
    assert_eq!(weighted(Weighting::None), [1.0, 1.0]);
}

#[test]
fn extreme_scales_change_nothing() {
    let Points::Rows(rows) = scattered(90, 5, 4) else {
        panic!("rows")
    };
    let expected = choose(&Points::Rows(rows.clone()), count(20))
        .unwrap()
        .indices;
    for scale in [1e-30f32, 1e30] {
        let scaled = points(5, rows.values().iter().map(|x| x * scale).collect());
        assert_eq!(
            choose(&scaled, count(20)).unwrap().indices,
            expected,
            "{scale}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_order_of_the_samples_does_not_matter(
        seed in 1u64..1000, rows in 2usize..150, part in 0.05f64..1.0,
        shuffled in (2usize..150).prop_flat_map(|n| Just((0..n).collect::<Vec<usize>>()).prop_shuffle()),
    ) {
        let Points::Rows(matrix) = scattered(rows, 4, seed) else { panic!("rows") };
        let order: Vec<usize> = shuffled.into_iter().filter(|i| *i < rows).collect();
        let order: Vec<usize> = order.iter().copied().chain((0..rows).filter(|i| !order.contains(i))).collect();
        let moved = points(4, order.iter().flat_map(|i| matrix.row(*i)).copied().collect());
        let k = ((rows as f64 * part) as usize).max(1);
        let here = Points::Rows(matrix);
        let straight = choose(&here, count(k)).unwrap().indices;
        let back: Vec<usize> =
            choose(&moved, count(k)).unwrap().indices.iter().map(|i| order[*i]).collect();
        // Two samples that are nearest to each other bring equally much: only such ties go by
        // position, and they show in no cost.
        if let Some(tie) = straight.iter().zip(&back).position(|(a, b)| a != b) {
            let cost = |points: &Points| choose(points, count(tie + 1)).unwrap().cost;
            let (a, b) = (cost(&here), cost(&moved));
            prop_assert!((a - b).abs() <= 1e-6 * a, "{:?} {:?}: {} {}", straight, back, a, b);
        }
    }

    #[test]
    fn more_choices_never_cost_more_and_begin_alike(seed in 1u64..1000, rows in 3usize..120) {
        let points = scattered(rows, 3, seed);
        let all = choose(&points, count(rows)).unwrap();
        let mut before = f64::INFINITY;
        for k in [1, rows / 3 + 1, rows / 2 + 1, rows] {
            let some = choose(&points, count(k)).unwrap();
            prop_assert_eq!(&some.indices[..], &all.indices[..k]);
            prop_assert!(some.cost <= before + 1e-9);
            prop_assert_eq!(some.weights.iter().sum::<f64>(), rows as f64);
            before = some.cost;
        }
    }
}
