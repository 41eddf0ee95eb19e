//! Rows as points, whose distances say how alike the rows are.

use std::borrow::Cow;

use crate::problem::{Cells, Problem};

/// Columns below which no scale is called common.
const FEW_COLUMNS: usize = 8;
/// Columns have a common scale if their variances are worth at least this share of as many equal ones.
const EVEN: f64 = 1.0 / 3.0;

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
/// two rows differ there, and a number beside a missing one adds 2: what two random rows differ by, on
/// average, in a column of standardised numbers.
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

fn has_gaps(values: &[f32]) -> bool {
    values.iter().any(|value| !value.is_finite())
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

/// Rows with equal ones behind each other, and where each group of them begins. The order hangs on what the
/// rows hold, not on where they stand.
fn groups(cells: &[&Cells], rows: usize) -> (Vec<u32>, Vec<u32>) {
    let mut keys = vec![0u64; rows];
    for cells in cells {
        match cells {
            Cells::Numbers(values) => {
                for (key, &value) in keys.iter_mut().zip(values) {
                    let value = if value.is_nan() {
                        f32::NAN
                    } else {
                        value + 0.0
                    };
                    *key = mix(*key, u64::from(value.to_bits()));
                }
            }
            Cells::Levels { codes, .. } => {
                for (key, &code) in keys.iter_mut().zip(codes) {
                    *key = mix(*key, u64::from(code));
                }
            }
        }
    }
    let mut order: Vec<u32> = (0..rows as u32).collect();
    order.sort_unstable_by_key(|&row| (keys[row as usize], row));
    let key = |at: usize| keys[order[at] as usize];
    let starts = (0..rows).filter(|&at| at == 0 || key(at) != key(at - 1));
    let starts = starts.map(|at| at as u32).collect();
    (order, starts)
}

/// Mean and variance of a column's finite numbers, added up in `order`; of categories nothing.
fn moments(cells: &Cells, order: &[u32]) -> (f64, f64) {
    let Cells::Numbers(values) = cells else {
        return (0.0, 0.0);
    };
    let finite = || {
        let values = order.iter().map(|&row| f64::from(values[row as usize]));
        values.filter(|value| value.is_finite())
    };
    let count = finite().count() as f64;
    let mean = finite().sum::<f64>() / count;
    let variance = finite().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    (mean, variance)
}

/// The mean variance of the columns where they have a common scale: numbers without gaps, of which no few
/// have most of the variance.
fn common(cells: &[&Cells], moments: &[(f64, f64)]) -> Option<f64> {
    let plain = |cells: &&Cells| matches!(cells, Cells::Numbers(values) if !has_gaps(values));
    if cells.len() < FEW_COLUMNS || !cells.iter().all(plain) {
        return None;
    }
    let count = cells.len() as f64;
    let sum: f64 = moments.iter().map(|(_, variance)| variance).sum();
    let squares: f64 = moments
        .iter()
        .map(|(_, variance)| variance * variance)
        .sum();
    (sum * sum / squares >= EVEN * count).then_some(sum / count)
}

/// The probability that two rows have different categories.
fn different(codes: &[u32]) -> f64 {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let all = codes.len() as f64;
    let equal = sorted.chunk_by(|a, b| a == b);
    1.0 - equal
        .map(|group| (group.len() as f64 / all).powi(2))
        .sum::<f64>()
}

/// SplitMix64's output function over a running state (Steele, Lea and Flood, OOPSLA 2014).
pub(super) fn mix(state: u64, word: u64) -> u64 {
    let mut z = state
        .wrapping_add(0x9e37_79b9_7f4a_7c15)
        .wrapping_mul(0xd134_2543_de82_ef95)
        ^ word;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
