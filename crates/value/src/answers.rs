//! Labels in canonical order, in the forms that learners read.

use afterimage_numeric::moments;

use crate::problem::{Problem, Target};

/// Labels by place.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    /// The class of each place.
    Classes { of: Vec<u16>, count: usize },
    /// Numbers, centred and scaled to whole numbers: sums of them are exact, so that no order of
    /// the rows leaves a trace.
    Numbers {
        scaled: Vec<i64>,
        /// A class for all, for what is made for classes.
        of: Vec<u16>,
        /// One unit of `scaled`, in standard deviations of the labels.
        unit: f64,
    },
}

impl Answers {
    /// The labels of `problem` in the order `row`.
    pub fn new(problem: &Problem, row: &[u32]) -> Self {
        match problem.target() {
            Target::Classes { codes, names } => Answers::Classes {
                of: row.iter().map(|&r| codes[r as usize] as u16).collect(),
                count: names.len(),
            },
            Target::Numbers(values) => numbers(values, row),
        }
    }
}

fn numbers(values: &[f64], row: &[u32]) -> Answers {
    let in_order = || row.iter().map(|&r| values[r as usize]);
    let count = values.len() as f64;
    let (mean, variance) = moments(in_order());
    let largest = in_order().fold(0.0f64, |most, v| most.max((v - mean).abs()));
    // As fine as a sum over all rows leaves room for in 62 bits.
    let bits = 62 - (count.log2().ceil() as i32 + 1);
    let scale = f64::from(bits).exp2() / largest;
    Answers::Numbers {
        scaled: in_order()
            .map(|v| ((v - mean) * scale).round() as i64)
            .collect(),
        of: vec![0; row.len()],
        unit: 1.0 / (scale * variance.sqrt()),
    }
}
