//! Learners against scikit-learn: see `scripts/value_reference.py`.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use crate::answers::Answers;
use crate::dense::{Dense, Model};
use crate::design::Design;
use crate::draw::Purpose;
use crate::learn::{Learn, Task, Told, Trees};
use crate::linear::Linear;
use crate::problem::{Cells, Column, Problem, Target};
use crate::ranks::{MOST_RANKS, Ranked};
use crate::score::ClassScore;
use crate::tree::{Criterion, Limits, ManyClasses, Summed, TwoClasses, Variance};

struct Reference {
    columns: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    fn read() -> Self {
        let mut lines = include_str!("learners.csv").lines();
        let names: Vec<&str> = lines.next().unwrap().split(',').collect();
        let mut columns: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for line in lines {
            for (name, cell) in names.iter().zip(line.split(',')) {
                let column = columns.entry((*name).to_owned()).or_default();
                column.push(cell.parse().unwrap());
            }
        }
        Self { columns }
    }

    fn of(&self, name: &str) -> &[f64] {
        &self.columns[name]
    }

    fn weights(&self) -> Vec<u16> {
        self.of("weight").iter().map(|&w| w as u16).collect()
    }

    fn problem(&self, label: &str) -> Problem {
        let columns = (0..3).map(|j| Column {
            name: format!("x{j}"),
            cells: Cells::Numbers(
                self.of(&format!("x{j}"))
                    .iter()
                    .map(|&v| v as f32)
                    .collect(),
            ),
        });
        let labels = self.of(label);
        let target = if label == "number" {
            Target::Numbers(labels.to_vec())
        } else {
            Target::Classes {
                codes: labels.iter().map(|&v| v as u32).collect(),
                names: vec!["a".into(), "b".into(), "c".into()],
            }
        };
        Problem::new(columns.collect(), target, None).unwrap()
    }

    /// Rows out of bag for which the reference knows the answer.
    fn asked(&self, name: &str) -> Vec<usize> {
        let known = self.of(name);
        let out = self.of("weight").iter().zip(known).enumerate();
        out.filter(|(_, (w, v))| **w == 0.0 && v.is_finite())
            .map(|(row, _)| row)
            .collect()
    }

    fn learn(&self, learner: &mut dyn Learn) -> Vec<f32> {
        self.told(learner).0
    }

    /// Scores, and what is said.
    fn told(&self, learner: &mut dyn Learn) -> (Vec<f32>, Vec<f32>) {
        let weights = self.weights();
        let [mut scores, mut said] = [(); 2].map(|()| vec![f32::NAN; weights.len()]);
        let task = Task {
            weights: &weights,
            subset: &[0, 1, 2],
            draws: Purpose::Learner.draws(0, 0),
        };
        let mut told = Told {
            scores: &mut scores,
            said: &mut said,
        };
        learner.learn(task, &mut told);
        for ((score, said), weight) in scores.iter().zip(&said).zip(&weights) {
            assert_eq!(
                (score.is_nan(), said.is_nan()),
                (*weight > 0, *weight > 0),
                "scored where, and only where, out of bag"
            );
        }
        (scores, said)
    }

    fn tree<C: Criterion + Send>(
        &self,
        label: &str,
        depth: u32,
        criterion: C,
    ) -> (Vec<f32>, Vec<f32>) {
        let problem = self.problem(label);
        let order: Vec<u32> = (0..120).collect();
        let columns: Vec<Ranked> = problem
            .columns()
            .iter()
            .map(|column| Ranked::new(&column.cells, &order, MOST_RANKS))
            .collect();
        let classes: Vec<u16> = match Answers::new(&problem, &order) {
            Answers::Classes { of, .. } | Answers::Numbers { of, .. } => of,
        };
        let limits = Limits {
            candidates: 3,
            depth,
        };
        self.told(&mut Trees::new(criterion, &columns, &classes, limits))
    }

    /// The tree predicts the label exactly where the reference does.
    fn same_hits<C: Criterion + Send>(&self, label: &str, name: &str, depth: u32, criterion: C) {
        let (scores, said) = self.tree(label, depth, criterion);
        let asked = self.asked(name);
        assert!(asked.len() > 40);
        for row in asked {
            let hit = f32::from(u8::from(self.of(name)[row] == self.of(label)[row]));
            assert_eq!(scores[row], hit, "{name}, row {row}");
            assert_eq!(
                f64::from(said[row]),
                self.of(name)[row],
                "{name}, row {row}"
            );
        }
    }
}

#[test]
fn trees_for_classes_are_those_of_scikit_learn() {
    let reference = Reference::read();
    let score = ClassScore::Hit;
    for (name, depth) in [("tree_two", u32::MAX), ("stump_two", 1)] {
        reference.same_hits("two", name, depth, Summed::new(TwoClasses { score }));
        // The criterion for many classes has to agree on two.
        reference.same_hits("two", name, depth, ManyClasses::new(2, score));
    }
    for (name, depth) in [("tree_three", u32::MAX), ("stump_three", 1)] {
        reference.same_hits("three", name, depth, ManyClasses::new(3, score));
    }
}

#[test]
fn trees_for_numbers_are_those_of_scikit_learn() {
    let reference = Reference::read();
    let problem = reference.problem("number");
    let order: Vec<u32> = (0..120).collect();
    let Answers::Numbers { scaled, unit, .. } = Answers::new(&problem, &order) else {
        panic!("the labels are numbers");
    };
    let labels = reference.of("number");
    let mean = labels.iter().sum::<f64>() / 120.0;
    let variance = labels.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 120.0;
    for (name, depth) in [("tree_number", u32::MAX), ("depth3_number", 3)] {
        let criterion = Summed::new(Variance {
            target: &scaled,
            unit,
        });
        let scores = reference.tree("number", depth, criterion).0;
        let asked = reference.asked(name);
        assert!(asked.len() >= 10, "{name}: {}", asked.len());
        for row in asked {
            let expected = -(labels[row] - reference.of(name)[row]).powi(2) / variance;
            let score = f64::from(scores[row]);
            assert!(
                (score - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                "{name}, row {row}: {score} for {expected}"
            );
        }
    }
}

fn dense<M: Model>(reference: &Reference, label: &str, model: M) -> Vec<f32> {
    let problem = reference.problem(label);
    let order: Vec<u32> = (0..120).collect();
    let design = Design::new(&problem, &[0, 1, 2], &order);
    let mut answers = Answers::new(&problem, &order);
    if let ("two", Answers::Classes { count, .. }) = (label, &mut answers) {
        *count = 2;
    }
    let score = ClassScore::Probability;
    reference.learn(&mut Dense::new(model, &design, &answers, score))
}

#[test]
fn logistic_regression_is_that_of_scikit_learn() {
    let reference = Reference::read();
    for label in ["two", "three"] {
        let scores = dense(&reference, label, Linear::new(1.0));
        let name = format!("logistic_{label}");
        for row in reference.asked(&name) {
            let (score, expected) = (f64::from(scores[row]), reference.of(&name)[row]);
            assert!(
                (score - expected).abs() < 1e-3,
                "{name}, row {row}: {score} for {expected}"
            );
        }
    }
}

#[test]
fn ridge_regression_is_that_of_scikit_learn() {
    let reference = Reference::read();
    let scores = dense(&reference, "number", Linear::new(1.0));
    let labels = reference.of("number");
    let mean = labels.iter().sum::<f64>() / 120.0;
    let deviation = (labels.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 120.0).sqrt();
    for row in reference.asked("ridge") {
        let error = (labels[row] - mean) / deviation - reference.of("ridge")[row];
        let score = f64::from(scores[row]);
        assert!((score + error * error).abs() < 1e-5, "row {row}: {score}");
    }
}

#[test]
fn a_network_learns_what_a_line_cannot() {
    let reference = Reference::read();
    let mean = |scores: Vec<f32>| {
        let asked = reference.asked("logistic_two");
        asked.iter().map(|&row| f64::from(scores[row])).sum::<f64>() / asked.len() as f64
    };
    let line = mean(dense(&reference, "two", Linear::new(1.0)));
    let network = mean(dense(&reference, "two", crate::mlp::Mlp::new(16, 60)));
    assert!(network > line + 0.1, "{network} {line}");
}
