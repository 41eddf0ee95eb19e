//! How far a number lies from its column's mean within the class of its row.

use crate::canonical::Canonical;
use crate::problem::{Cells, Problem, Target};

/// Mean and standard deviation of each numeric column within each class (within all rows where the
/// labels are numbers).
///
/// The simplest detector of cells that lie far out, and a strong one: it is kept beside the values
/// because it finds such cells better than they do.
#[derive(Debug, Clone, PartialEq)]
pub struct ZScores {
    classes: usize,
    /// Mean and deviation, `[columns, classes]`.
    moments: Vec<(f64, f64)>,
}

impl ZScores {
    /// The moments of the columns of `problem`. Missing and infinite cells are left out; the
    /// deviation is that of the population.
    pub fn new(problem: &Problem) -> Self {
        Self::in_order(problem, &Canonical::new(problem).row)
    }

    /// The same, with sums in the order of the rows `order`.
    pub(crate) fn in_order(problem: &Problem, order: &[u32]) -> Self {
        let classes = match problem.target() {
            Target::Classes { names, .. } => names.len(),
            Target::Numbers(_) => 1,
        };
        let moments = problem
            .columns()
            .iter()
            .flat_map(|column| match &column.cells {
                Cells::Numbers(values) => moments(values, order, problem.target(), classes),
                Cells::Levels { .. } => vec![(f64::NAN, f64::NAN); classes],
            })
            .collect();
        Self { classes, moments }
    }

    /// The signed distance of a cell in standard deviations; infinite for an infinite cell, and NaN
    /// where there is none: missing cells, categories, a class whose cells are all equal.
    pub fn of(&self, problem: &Problem, row: usize, column: usize) -> f64 {
        let Cells::Numbers(values) = &problem.columns()[column].cells else {
            return f64::NAN;
        };
        let (mean, deviation) = self.moments[column * self.classes + class(problem.target(), row)];
        let value = f64::from(values[row]);
        let z = (value - mean) / deviation;
        if z.is_finite() || value.is_infinite() {
            z
        } else {
            f64::NAN
        }
    }
}

fn class(target: &Target, row: usize) -> usize {
    match target {
        Target::Classes { codes, .. } => codes[row] as usize,
        Target::Numbers(_) => 0,
    }
}

/// Sums run in canonical order, so that the order of the rows leaves no trace.
fn moments(values: &[f32], order: &[u32], target: &Target, classes: usize) -> Vec<(f64, f64)> {
    let finite = || {
        order.iter().filter_map(|&row| {
            let value = f64::from(values[row as usize]);
            value
                .is_finite()
                .then(|| (class(target, row as usize), value))
        })
    };
    let mut count = vec![0.0f64; classes];
    let mut mean = vec![0.0f64; classes];
    for (class, value) in finite() {
        count[class] += 1.0;
        mean[class] += value;
    }
    mean.iter_mut().zip(&count).for_each(|(m, c)| *m /= c);
    let mut squares = vec![0.0f64; classes];
    for (class, value) in finite() {
        squares[class] += (value - mean[class]).powi(2);
    }
    let deviation = squares.iter().zip(&count).map(|(s, c)| (s / c).sqrt());
    mean.into_iter().zip(deviation).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::problem::Column;

    #[test]
    fn distances_are_within_the_class() {
        let values = vec![0.0, 2.0, 10.0, 10.0, f32::NAN, 20.0];
        let problem = Problem::new(
            vec![Column {
                name: "x".into(),
                cells: Cells::Numbers(values),
            }],
            Target::Classes {
                codes: vec![0, 0, 1, 1, 1, 1],
                names: vec!["a".into(), "b".into()],
            },
            None,
        )
        .unwrap();
        let z = ZScores::new(&problem);
        let of = |row| z.of(&problem, row, 0);
        assert_eq!((of(0), of(1)), (-1.0, 1.0));
        // Mean 40/3, population variance 200/9.
        assert!((of(5) - (20.0 - 40.0 / 3.0) / (200.0f64 / 9.0).sqrt()).abs() < 1e-12);
        assert!(of(4).is_nan());
    }

    #[test]
    fn an_infinite_cell_is_infinitely_far() {
        let values = vec![0.0, 2.0, f32::INFINITY, f32::NEG_INFINITY, 1.0, 1.0];
        let problem = Problem::new(
            vec![Column {
                name: "x".into(),
                cells: Cells::Numbers(values),
            }],
            Target::Classes {
                codes: vec![0, 0, 0, 0, 1, 1],
                names: vec!["a".into(), "b".into()],
            },
            None,
        )
        .unwrap();
        let z = ZScores::new(&problem);
        assert_eq!(z.of(&problem, 2, 0), f64::INFINITY);
        assert_eq!(z.of(&problem, 3, 0), f64::NEG_INFINITY);
        assert_eq!(z.of(&problem, 1, 0), 1.0);
        assert!(z.of(&problem, 4, 0).is_nan(), "all cells are equal");
    }
}
