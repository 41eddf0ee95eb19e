//! What columns say of the rows as a whole.

use afterimage_numeric as numeric;
use afterimage_random::mix;

use crate::problem::Cells;

/// Columns below which no scale is called common.
const FEW_COLUMNS: usize = 8;
/// Columns have a common scale if their variances are worth at least this share of as many equal ones.
const EVEN: f64 = 1.0 / 3.0;
/// And if their median variance is at least this part of the mean.
const MEDIAN: f64 = 0.1;

/// Whether a number is missing, or infinite.
pub(super) fn has_gaps(values: &[f32]) -> bool {
    values.iter().any(|value| !value.is_finite())
}

/// Rows with equal ones behind each other, and where each group of them begins. The order hangs on what the
/// rows hold, not on where they stand.
pub(super) fn groups(cells: &[&Cells], rows: usize) -> (Vec<u32>, Vec<u32>) {
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
pub(super) fn moments(cells: &Cells, order: &[u32]) -> (f64, f64) {
    let Cells::Numbers(values) = cells else {
        return (0.0, 0.0);
    };
    let values = order.iter().map(|&row| f64::from(values[row as usize]));
    numeric::moments(values.filter(|value| value.is_finite()))
}

/// The mean variance of the columns where they have a common scale: numbers without gaps, of which no few
/// have most of the variance, and half a tenth of the mean or more.
pub(super) fn common(cells: &[&Cells], moments: &[(f64, f64)]) -> Option<f64> {
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
    let variances = moments.iter().map(|(_, variance)| *variance).collect();
    let median = numeric::upper_median(variances).unwrap_or(0.0);
    let even = sum * sum / squares >= EVEN * count && median >= MEDIAN * sum / count;
    even.then_some(sum / count)
}

/// The probability that two rows have different categories.
pub(super) fn different(codes: &[u32]) -> f64 {
    let mut sorted = codes.to_vec();
    sorted.sort_unstable();
    let equal = sorted.chunk_by(|a, b| a == b);
    let counts: Vec<usize> = equal.map(<[u32]>::len).collect();
    1.0 - numeric::chance_of_equal(&counts)
}
