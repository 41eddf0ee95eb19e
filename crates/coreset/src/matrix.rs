//! A matrix with one row a sample.

use std::borrow::Cow;

use crate::error::{CoresetError, Ids};

/// Finite values `[rows, columns]`, rows beside each other, its own or lent; row i belongs to sample i.
#[derive(Debug, Clone, PartialEq)]
pub struct LentMatrix<'a> {
    rows: usize,
    columns: usize,
    values: Cow<'a, [f32]>,
}

/// A matrix with values of its own.
pub type Matrix = LentMatrix<'static>;

impl Matrix {
    /// A matrix of `values` `[rows, columns]`; `what` names it in errors, as in "proxies".
    ///
    /// # Errors
    /// A block that does not fill the matrix, or values that are not finite, with the sample ids.
    ///
    /// # Examples
    /// ```
    /// use afterimage_coreset::Matrix;
    /// let broken = Matrix::new("proxies", 2, 2, vec![0.0, 1.0, f32::NAN, 1.0]);
    /// assert!(broken.unwrap_err().to_string().contains("not finite: 1;"));
    /// ```
    pub fn new(
        what: &'static str,
        rows: usize,
        columns: usize,
        values: Vec<f32>,
    ) -> Result<Self, CoresetError> {
        Self::checked(what, rows, columns, Cow::Owned(values))
    }
}

impl<'a> LentMatrix<'a> {
    /// A matrix of `values` `[rows, columns]` that stay where they are; `what` names it in errors.
    ///
    /// # Errors
    /// What [`Matrix::new`] refuses.
    pub fn lent(
        what: &'static str,
        rows: usize,
        columns: usize,
        values: &'a [f32],
    ) -> Result<Self, CoresetError> {
        Self::checked(what, rows, columns, Cow::Borrowed(values))
    }

    fn checked(
        what: &'static str,
        rows: usize,
        columns: usize,
        values: Cow<'a, [f32]>,
    ) -> Result<Self, CoresetError> {
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(CoresetError::Shape {
                rows,
                columns,
                values: values.len(),
            });
        }
        // Zero times a finite number is zero; anything else leaves its mark in the sum.
        let broken = |row: &[f32]| row.iter().fold(0.0, |sum, x| sum + x * 0.0) != 0.0;
        if broken(&values) {
            let samples: Vec<usize> = (0..rows)
                .filter(|row| broken(&values[row * columns..][..columns]))
                .collect();
            return Err(CoresetError::NotFinite {
                what,
                count: samples.len(),
                rows,
                samples: Ids(samples),
            });
        }
        Ok(Self {
            rows,
            columns,
            values,
        })
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Values a sample.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values `[columns]` of sample `row`.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.columns..][..self.columns]
    }

    /// All values `[rows, columns]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The mean of the rows of `ids` in f64, `[columns]`; zeros for no row.
    pub fn mean(&self, ids: &[usize]) -> Vec<f64> {
        let mut mean = vec![0.0; self.columns];
        pulp::Arch::new().dispatch(|| {
            for &id in ids {
                for (mean, x) in mean.iter_mut().zip(self.row(id)) {
                    *mean += f64::from(*x);
                }
            }
        });
        let count = ids.len().max(1) as f64;
        mean.iter_mut().for_each(|mean| *mean /= count);
        mean
    }
}

/// Euclidean distance in eight running sums, so that it can be vectorized.
pub(crate) fn distance(a: &[f32], b: &[f32]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0.0f32; LANES];
    let (whole_a, rest_a) = a.as_chunks::<LANES>();
    let (whole_b, rest_b) = b.as_chunks::<LANES>();
    for (a, b) in whole_a.iter().zip(whole_b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += (a - b) * (a - b);
        }
    }
    let rest: f32 = rest_a
        .iter()
        .zip(rest_b)
        .map(|(a, b)| (a - b) * (a - b))
        .sum();
    (sums.iter().sum::<f32>() + rest).sqrt()
}
