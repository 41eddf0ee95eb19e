//! What distances between samples are taken of.

use crate::error::CoresetError;
use crate::matrix::{LentMatrix, Matrix};

/// One point a sample, in a space with Euclidean distances.
#[derive(Debug, Clone, PartialEq)]
pub enum Points<'a> {
    /// Rows `[n, d]`: features, SSL embeddings, residuals or proxies of the gradient.
    Rows(LentMatrix<'a>),
    /// Gradients of a last linear layer with bias, r ⊗ (h, 1), of which only the factors are held.
    LastLayer(LastLayer),
}

/// The factors of last-layer gradients: residuals r = p − y `[n, C]` and penultimate features h
/// `[n, d]`.
///
/// Products of gradients need two small products: ⟨Gᵢ, Gⱼ⟩ = ⟨rᵢ, rⱼ⟩ (1 + ⟨hᵢ, hⱼ⟩). The `C · (d + 1)`
/// numbers of a gradient are never written down.
#[derive(Debug, Clone, PartialEq)]
pub struct LastLayer {
    residuals: Matrix,
    features: Matrix,
}

impl LastLayer {
    /// The gradients of samples with these residuals and features.
    ///
    /// # Errors
    /// Unequal numbers of samples.
    pub fn new(residuals: Matrix, features: Matrix) -> Result<Self, CoresetError> {
        same_length(
            ("residuals", residuals.rows()),
            ("features", features.rows()),
        )?;
        Ok(Self {
            residuals,
            features,
        })
    }

    /// Residuals `[n, C]`.
    pub fn residuals(&self) -> &Matrix {
        &self.residuals
    }

    /// Features `[n, d]`.
    pub fn features(&self) -> &Matrix {
        &self.features
    }
}

impl Points<'_> {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.rows(),
            Self::LastLayer(layer) => layer.residuals.rows(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Numbers that a sample is held in.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Rows(rows) => rows.columns(),
            Self::LastLayer(layer) => layer.residuals.columns() + layer.features.columns(),
        }
    }

    /// The distance of two samples in f64, directly from their coordinates.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn distance(&self, i: usize, j: usize) -> f64 {
        match self {
            Self::Rows(rows) => squared(rows.row(i), rows.row(j)).sqrt(),
            Self::LastLayer(layer) => {
                let (r, s) = (layer.residuals.row(i), layer.residuals.row(j));
                let (h, g) = (layer.features.row(i), layer.features.row(j));
                // |r⊗h − s⊗g|² = |(r − s)⊗h + s⊗(h − g)|², so that near points cancel nothing.
                let change: Vec<f64> = r
                    .iter()
                    .zip(s)
                    .map(|(a, b)| f64::from(*a) - f64::from(*b))
                    .collect();
                let turn: f64 = h
                    .iter()
                    .zip(g)
                    .map(|(a, b)| f64::from(*a) * (f64::from(*a) - f64::from(*b)))
                    .sum();
                let across: f64 = change.iter().zip(s).map(|(c, b)| c * f64::from(*b)).sum();
                let size: f64 = change.iter().map(|c| c * c).sum();
                let sum =
                    size * (1.0 + dot(h, h)) + dot(s, s) * squared(h, g) + 2.0 * across * turn;
                sum.max(0.0).sqrt()
            }
        }
    }

    /// The length of a sample's vector in f64.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn norm(&self, i: usize) -> f64 {
        match self {
            Self::Rows(rows) => dot(rows.row(i), rows.row(i)).sqrt(),
            Self::LastLayer(layer) => {
                let (r, h) = (layer.residuals.row(i), layer.features.row(i));
                (dot(r, r) * (1.0 + dot(h, h))).sqrt()
            }
        }
    }
}

pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| a * b)
}

fn squared(a: &[f32], b: &[f32]) -> f64 {
    sum(a, b, |a, b| (a - b) * (a - b))
}

/// Σ of a term for each pair of values, in eight running sums, so that none waits for another.
#[inline(always)]
fn sum(a: &[f32], b: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let (a, last_a) = a.as_chunks::<LANES>();
    let (b, last_b) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += term(f64::from(a[lane]), f64::from(b[lane]));
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(last_a.iter().zip(last_b)) {
        *sum += term(f64::from(*a), f64::from(*b));
    }
    sums.iter().sum()
}

/// Refuses inputs of unequal length.
pub(crate) fn same_length(
    left: (&'static str, usize),
    right: (&'static str, usize),
) -> Result<(), CoresetError> {
    if left.1 == right.1 {
        return Ok(());
    }
    Err(CoresetError::Lengths {
        left: left.0,
        left_len: left.1,
        right: right.0,
        right_len: right.1,
    })
}
