//! What holds for any table.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use afterimage_value::{
    Candidates, CellBlock, Cells, Column, Learner, NO_LEVEL, OneLearner, Problem, Score, Settings,
    Target, Valuation, one_learner, value,
};
use proptest::prelude::*;

const TREE: Learner = Learner::Tree {
    candidates: Candidates::Root,
    depth: None,
};

/// A table with coarse and fine numbers, missing cells, categories, a constant, and repeated rows.
fn table(seed: u64, rows: usize, classes: u32) -> (Vec<Column>, Target) {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut draw = move |bound: u32| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as u32) % bound
    };
    let mut fine = Vec::new();
    let mut coarse = Vec::new();
    let mut holes = Vec::new();
    let mut codes = Vec::new();
    let mut labels = Vec::new();
    for row in 0..rows {
        if row % 7 == 3 {
            // A copy of the row before, label and all.
            fine.push(fine[row - 1]);
            coarse.push(coarse[row - 1]);
            holes.push(holes[row - 1]);
            codes.push(codes[row - 1]);
            labels.push(labels[row - 1]);
            continue;
        }
        fine.push(draw(1000) as f32 / 100.0);
        coarse.push(draw(3) as f32);
        holes.push(if draw(4) == 0 {
            f32::NAN
        } else {
            draw(50) as f32
        });
        codes.push(if draw(6) == 0 { NO_LEVEL } else { draw(4) });
        let signal = (fine[row] as u32 / 4 + coarse[row] as u32) % classes;
        labels.push(if draw(5) == 0 { draw(classes) } else { signal });
    }
    labels[0] = 0;
    labels[rows - 1] = 1;
    let column = |name: &str, cells| Column {
        name: name.to_owned(),
        cells,
    };
    let names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let columns = vec![
        column("fine", Cells::Numbers(fine)),
        column("coarse", Cells::Numbers(coarse)),
        column("constant", Cells::Numbers(vec![2.5; rows])),
        column("holes", Cells::Numbers(holes)),
        column("levels", Cells::Levels { codes, names }),
    ];
    let names = (0..classes).map(|c| format!("class {c}")).collect();
    let target = Target::Classes {
        codes: labels,
        names,
    };
    (columns, target)
}

fn numbers(target: &Target) -> Target {
    let Target::Classes { codes, .. } = target else {
        panic!("made of classes");
    };
    Target::Numbers(
        codes
            .iter()
            .enumerate()
            .map(|(i, &c)| f64::from(c) * 10.0 + (i % 5) as f64)
            .collect(),
    )
}

fn settings(learner: Learner, score: Score) -> Settings {
    Settings {
        learner,
        learners: 70,
        seed: 3,
        threads: Some(2),
        score,
        ..Settings::default()
    }
}

fn shuffled(problem: &Problem, order: &[usize]) -> Problem {
    let columns = problem.columns().iter().map(|column| Column {
        name: column.name.clone(),
        cells: match &column.cells {
            Cells::Numbers(values) => Cells::Numbers(order.iter().map(|&r| values[r]).collect()),
            Cells::Levels { codes, names } => Cells::Levels {
                codes: order.iter().map(|&r| codes[r]).collect(),
                names: names.clone(),
            },
        },
    });
    let target = match problem.target() {
        Target::Classes { codes, names } => Target::Classes {
            codes: order.iter().map(|&r| codes[r]).collect(),
            names: names.clone(),
        },
        Target::Numbers(values) => Target::Numbers(order.iter().map(|&r| values[r]).collect()),
    };
    let ids = problem
        .ids()
        .map(|ids| order.iter().map(|&r| ids[r].clone()).collect());
    Problem::new(columns.collect(), target, ids).unwrap()
}

/// Ids make every row a row of its own, as equation 4 has it.
fn ids(rows: usize) -> Option<Vec<String>> {
    Some((0..rows).map(|row| format!("row {row}")).collect())
}

fn close(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-6
}

/// Mean, count and standard error of some scores, by the definitions.
fn mean(scores: &[f64]) -> (f64, u32, f64) {
    let n = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / n;
    let squares: f64 = scores.iter().map(|s| (s - mean).powi(2)).sum();
    let error = if scores.len() < 2 {
        f64::NAN
    } else {
        (squares / (n - 1.0) / n).sqrt()
    };
    (mean, scores.len() as u32, error)
}

fn check_equations(problem: &Problem, settings: &Settings) {
    let values = value(problem, settings, &|_| ()).unwrap();
    let learners: Vec<OneLearner> = (0..settings.learners)
        .map(|b| one_learner(problem, settings, b).unwrap())
        .collect();
    let (rows, width) = (problem.rows(), problem.columns().len());
    let cells = values.cells(0..rows);
    let row_values = values.rows();
    for (row, row_value) in row_values.iter().enumerate() {
        let scores = |wanted: &dyn Fn(&OneLearner) -> bool| -> Vec<f64> {
            learners
                .iter()
                .filter(|one| one.weights[row] == 0 && !one.scores[row].is_nan() && wanted(one))
                .map(|one| f64::from(one.scores[row]))
                .collect()
        };
        let (phi, count, error) = mean(&scores(&|_| true));
        let oob = row_value.data_oob;
        assert!(
            close(oob.value, phi) && oob.count == count && close(oob.error, error),
            "row {row}"
        );
        let mut marginal = Vec::new();
        for column in 0..width {
            let at = row * width + column;
            let with = mean(&scores(&|one| one.columns.contains(&column)));
            let without = mean(&scores(&|one| !one.columns.contains(&column)));
            if problem.usable().contains(&column) {
                assert!(
                    close(cells.value[at], with.0),
                    "{row} {column}: {} {}",
                    cells.value[at],
                    with.0
                );
                assert_eq!(cells.count[at], with.1);
                assert!(close(cells.error[at], with.2));
                assert!(close(cells.contrast[at], with.0 - without.0));
                assert!(close(cells.contrast_error[at], with.2.hypot(without.2)));
            } else {
                assert!(cells.value[at].is_nan() && cells.count[at] == 0);
            }
            if with.1 > 0 {
                marginal.push(with.0);
            }
        }
        assert!(close(row_value.marginal, mean(&marginal).0));
    }
}

#[test]
fn values_are_those_of_equations_2_and_4_by_a_plain_loop() {
    let (columns, target) = table(1, 60, 2);
    let classes = Problem::new(columns.clone(), target.clone(), ids(60)).unwrap();
    let regression = Problem::new(columns, numbers(&target), ids(60)).unwrap();
    let linear = Learner::Linear { penalty: 1.0 };
    let mlp = Learner::Mlp {
        hidden: 4,
        epochs: 3,
    };
    for learner in [TREE, linear, mlp] {
        for score in [Score::Plain, Score::Soft, Score::Distance] {
            check_equations(&classes, &settings(learner, score));
        }
        check_equations(&regression, &settings(learner, Score::Plain));
    }
    let (columns, target) = table(2, 60, 5);
    let many = Problem::new(columns, target, ids(60)).unwrap();
    check_equations(&many, &settings(TREE, Score::Plain));
    check_equations(&many, &settings(linear, Score::Distance));
}

#[test]
fn a_cell_that_no_learner_could_tell_of_is_missing_and_not_0() {
    let (columns, target) = table(4, 40, 2);
    let problem = Problem::new(columns, target, ids(40)).unwrap();
    let few = Settings {
        learners: 2,
        ..settings(TREE, Score::Plain)
    };
    let cells = value(&problem, &few, &|_| ()).unwrap().cells(0..40);
    let never = cells.count.iter().filter(|&&count| count == 0).count();
    assert!(never > 40, "{never}");
    for (value, count) in cells.value.iter().zip(&cells.count) {
        assert_eq!(value.is_nan(), *count == 0);
    }
}

#[test]
fn a_share_of_e_is_out_of_bag_and_columns_are_seen_equally_often() {
    let (columns, target) = table(5, 400, 2);
    let problem = Problem::new(columns, target, None).unwrap();
    let settings = Settings {
        learners: 1000,
        ..settings(TREE, Score::Plain)
    };
    let values = value(&problem, &settings, &|_| ()).unwrap();
    let rows = values.rows();
    let share = rows
        .iter()
        .map(|row| f64::from(row.data_oob.count))
        .sum::<f64>()
        / 400_000.0;
    assert!((share - 0.368).abs() < 0.005, "{share}");
}

fn same(a: &CellBlock, row: usize, b: &CellBlock, other: usize) -> bool {
    let bits = |block: &CellBlock, row: usize| -> Vec<u64> {
        let span = row * block.columns..(row + 1) * block.columns;
        let real = [
            &block.value,
            &block.error,
            &block.contrast,
            &block.contrast_error,
        ];
        let real = real
            .iter()
            .flat_map(|v| v[span.clone()].iter().map(|x| x.to_bits()));
        real.chain(block.count[span.clone()].iter().map(|&c| u64::from(c)))
            .collect()
    };
    bits(a, row) == bits(b, other)
}

fn all(problem: &Problem, settings: &Settings) -> (Valuation, CellBlock) {
    let values = value(problem, settings, &|_| ()).unwrap();
    let cells = values.cells(0..problem.rows());
    (values, cells)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn neither_the_order_of_the_rows_nor_the_threads_change_a_bit(
        seed in any::<u64>(),
        threads in 1usize..5,
        with_ids in any::<bool>(),
        kind in 0usize..5,
        order in Just((0..50usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (columns, target) = table(seed, 50, if kind == 0 { 4 } else { 2 });
        let target = if kind == 1 { numbers(&target) } else { target };
        let ids = if with_ids { ids(50) } else { None };
        let problem = Problem::new(columns, target, ids).unwrap();
        let learner = match kind {
            2 => Learner::Linear { penalty: 0.5 },
            3 => Learner::Mlp { hidden: 3, epochs: 2 },
            _ => TREE,
        };
        let score = if kind == 4 { Score::Distance } else { Score::Plain };
        let settings = Settings { threads: Some(2), ..settings(learner, score) };
        let (values, cells) = all(&problem, &settings);
        let other = shuffled(&problem, &order);
        let (moved, moved_cells) = all(&other, &Settings { threads: Some(threads), ..settings });
        let (rows, moved_rows) = (values.rows(), moved.rows());
        for (to, &from) in order.iter().enumerate() {
            prop_assert!(same(&cells, from, &moved_cells, to), "row {from}");
            prop_assert_eq!(
                rows[from].data_oob.value.to_bits(),
                moved_rows[to].data_oob.value.to_bits()
            );
        }
    }

    #[test]
    fn the_mean_over_cells_weighted_by_counts_is_the_value_of_the_row(seed in any::<u64>()) {
        let (columns, target) = table(seed, 40, 3);
        let problem = Problem::new(columns, target, ids(40)).unwrap();
        let values = value(&problem, &settings(TREE, Score::Plain), &|_| ()).unwrap();
        let cells = values.cells(0..40);
        for (row, value) in values.rows().iter().enumerate() {
            let span = row * cells.columns..(row + 1) * cells.columns;
            let counted = cells.count[span.clone()].iter().map(|&c| f64::from(c));
            let seen: f64 = counted.clone().sum();
            let sum: f64 = counted.zip(&cells.value[span]).filter(|(c, _)| *c > 0.0).map(|(c, v)| c * v).sum();
            prop_assert!(close(sum / seen, value.data_oob.value));
        }
    }

    #[test]
    fn equal_rows_have_equal_values(seed in any::<u64>()) {
        let (columns, target) = table(seed, 50, 2);
        let problem = Problem::new(columns, target, None).unwrap();
        let (_, cells) = all(&problem, &settings(TREE, Score::Plain));
        // Every seventh row from the fourth on is a copy of the one before it, but for the last.
        for copy in (3..49).step_by(7) {
            prop_assert!(copy == 1 || same(&cells, copy, &cells, copy - 1), "row {copy}");
        }
    }
}
