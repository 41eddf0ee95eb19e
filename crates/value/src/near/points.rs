//! Rows as points, whose distances say how alike the rows are.

use std::borrow::Cow;

use super::columns::{common, different, groups, has_gaps, moments};
use crate::problem::{Cells, Problem};

/// Categories of one column by point.
struct Levels {
    codes: Vec<u32>,
    /// What two different ones add to a squared distance.
    weight: f32,
}

/// The rows that differ in a cell, as points.
///
/// A cell that is a number is centred and divided by the deviation of its column, or, where all columns have
/// a common scale, by the root of their mean variance: pixels and embeddings have one unit, in which a column
/// that hardly moves is no louder than the others. Two different categories add 2 over the probability that
/// two rows differ there. A missing number stands at the mean, and two rows of which one lacks it differ by 2
/// more: what two random rows differ by, on average, in a column of standardised numbers.
pub(super) struct Points {
    /// Rows, equal ones behind each other.
    pub order: Vec<u32>,
    /// Where in `order` the rows of each point begin, and the number of rows.
    pub starts: Vec<u32>,
    /// Whether all columns have a common scale.
    pub common: bool,
    numbers: Vec<f32>,
    squares: Vec<f32>,
    width: usize,
    levels: Vec<Levels>,
}

/// Some points, side by side.
pub(super) struct Part<'a> {
    /// `[points, width]`.
    pub numbers: Cow<'a, [f32]>,
    /// The squared length of each.
    pub squares: Cow<'a, [f32]>,
    pub width: usize,
    /// Codes of a column by point, and what different ones add to a squared distance.
    pub levels: Vec<(Cow<'a, [u32]>, f32)>,
}

/// Numbers that stand for a row, and columns of categories.
pub(super) fn size(problem: &Problem) -> (usize, usize) {
    let mut size = (0, 0);
    for at in problem.usable() {
        match &problem.columns()[at].cells {
            Cells::Numbers(values) => size.0 += 1 + usize::from(has_gaps(values)),
            Cells::Levels { .. } => size.1 += 1,
        }
    }
    size
}

/// What a pair costs beside the comparison itself, in units of it, by its numbers and categories.
pub(super) fn cost(numbers: usize, levels: usize) -> usize {
    numbers / 32 + levels / 4
}

impl Points {
    /// The rows of `problem` by its columns that are not constant.
    pub fn new(problem: &Problem) -> Self {
        let usable = problem.usable();
        let cells: Vec<&Cells> = usable
            .iter()
            .map(|&at| &problem.columns()[at].cells)
            .collect();
        let (order, starts) = groups(&cells, problem.rows());
        let first: Vec<u32> = starts.iter().map(|&at| order[at as usize]).collect();
        let (width, _) = size(problem);
        let moments: Vec<(f64, f64)> = cells.iter().map(|cells| moments(cells, &order)).collect();
        let common = common(&cells, &moments);
        let mut numbers = vec![0.0f32; first.len() * width];
        let mut levels = Vec::new();
        let mut at = 0;
        for (cells, &(mean, variance)) in cells.iter().zip(&moments) {
            match cells {
                Cells::Numbers(values) => {
                    let scale = common.unwrap_or(variance).sqrt();
                    let gaps = has_gaps(values);
                    for (numbers, &row) in numbers.chunks_exact_mut(width).zip(&first) {
                        let value = values[row as usize];
                        let z = ((f64::from(value) - mean) / scale) as f32;
                        numbers[at] = if z.is_finite() { z } else { 0.0 };
                        if gaps && !value.is_finite() {
                            numbers[at + 1] = std::f32::consts::SQRT_2;
                        }
                    }
                    at += 1 + usize::from(gaps);
                }
                Cells::Levels { codes, .. } => levels.push(Levels {
                    codes: first.iter().map(|&row| codes[row as usize]).collect(),
                    weight: (2.0 / different(codes)) as f32,
                }),
            }
        }
        let squares = match width {
            0 => vec![0.0; first.len()],
            _ => (numbers.chunks_exact(width))
                .map(|numbers| numbers.iter().map(|z| z * z).sum())
                .collect(),
        };
        let mut starts = starts;
        starts.push(order.len() as u32);
        Self {
            order,
            starts,
            common: common.is_some(),
            numbers,
            squares,
            width,
            levels,
        }
    }

    /// Number of points.
    pub fn len(&self) -> usize {
        self.squares.len()
    }

    /// What a pair of points costs beside the comparison itself, in units of it.
    pub fn cost(&self) -> usize {
        cost(self.width, self.levels.len())
    }

    /// The rows of a point.
    pub fn rows(&self, point: usize) -> &[u32] {
        &self.order[self.starts[point] as usize..self.starts[point + 1] as usize]
    }

    /// All points.
    pub fn all(&self) -> Part<'_> {
        Part {
            numbers: Cow::Borrowed(&self.numbers),
            squares: Cow::Borrowed(&self.squares),
            width: self.width,
            levels: (self.levels.iter())
                .map(|levels| (Cow::Borrowed(levels.codes.as_slice()), levels.weight))
                .collect(),
        }
    }

    /// Some points.
    pub fn part(&self, members: &[u32]) -> Part<'_> {
        let numbers = members.iter().flat_map(|&point| self.numbers_of(point));
        Part {
            numbers: Cow::Owned(numbers.copied().collect()),
            squares: Cow::Owned(pick(&self.squares, members)),
            width: self.width,
            levels: (self.levels.iter())
                .map(|levels| (Cow::Owned(pick(&levels.codes, members)), levels.weight))
                .collect(),
        }
    }

    /// The distance of two points, exactly: in double precision, and without a difference of large numbers.
    pub fn distance(&self, one: u32, other: u32) -> f64 {
        let pairs = self.numbers_of(one).iter().zip(self.numbers_of(other));
        let numbers: f64 = pairs
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum();
        let levels: f64 = (self.levels.iter())
            .filter(|levels| levels.codes[one as usize] != levels.codes[other as usize])
            .map(|levels| f64::from(levels.weight))
            .sum();
        (numbers + levels).sqrt()
    }

    /// Where a point lies along a direction: `numbers` weigh its numbers, `level` is what a category of a
    /// column counts.
    pub fn along(&self, point: u32, numbers: &[f32], level: &dyn Fn(usize, u32) -> f32) -> f32 {
        let products = self.numbers_of(point).iter().zip(numbers);
        let levels = (self.levels.iter().enumerate())
            .map(|(at, levels)| levels.weight.sqrt() * level(at, levels.codes[point as usize]));
        products.map(|(a, b)| a * b).sum::<f32>() + levels.sum::<f32>()
    }

    pub fn numbers_of(&self, point: u32) -> &[f32] {
        &self.numbers[point as usize * self.width..][..self.width]
    }
}

fn pick<T: Copy>(of: &[T], members: &[u32]) -> Vec<T> {
    members.iter().map(|&point| of[point as usize]).collect()
}
