//! The points of one group, laid out for products.

use std::ops::Range;

use afterimage_matmul::{Into, Matrix as Operand, product};

use crate::matrix::Matrix;
use crate::points::Points;

/// Rows are filled up to a multiple of this with zeros, so that every product has the same kernel,
/// and a distance the same bits, wherever its tile lies.
pub(crate) const ALIGN: usize = 64;

/// Rows of a panel; a tile of two panels stays in the second cache with its operands.
pub(crate) const PANEL: usize = 256;

/// Points of a group: centred and scaled to unit size, which changes no comparison of distances.
pub(crate) struct Cloud {
    len: usize,
    padded: usize,
    factors: Factors,
    /// Squared lengths `[padded]`, from the same kernel as the products: equal points are at
    /// distance 0 exactly.
    norms: Vec<f32>,
    /// True distance of one unit.
    unit: f64,
    /// No distance is larger, in units.
    bound: f32,
}

/// What products are made of.
enum Factors {
    /// ⟨xᵢ, xⱼ⟩.
    One(Block),
    /// ⟨rᵢ, rⱼ⟩ (bias + ⟨hᵢ, hⱼ⟩).
    Two(Block, Block, f32),
}

/// Values `[padded, columns]`.
struct Block {
    columns: usize,
    values: Vec<f32>,
}

/// Some rows of a cloud; their number is a multiple of 16.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    first: &'a [f32],
    second: &'a [f32],
    pub(crate) norms: &'a [f32],
}

/// Rows gathered from anywhere in a cloud.
#[derive(Default)]
pub(crate) struct Gathered {
    first: Vec<f32>,
    second: Vec<f32>,
    norms: Vec<f32>,
}

impl Cloud {
    /// The points `ids`.
    pub(crate) fn new(points: &Points, ids: &[usize]) -> Self {
        let padded = ids.len().next_multiple_of(ALIGN);
        let (factors, unit) = match points {
            Points::Rows(rows) => {
                let (block, unit) = Block::new(rows, ids, padded, Some(&rows.mean(ids)));
                (Factors::One(block), unit)
            }
            Points::LastLayer(layer) => {
                let (first, a) = Block::new(layer.residuals(), ids, padded, None);
                let (second, b) = Block::new(layer.features(), ids, padded, None);
                (Factors::Two(first, second, (1.0 / (b * b)) as f32), a * b)
            }
        };
        let mut cloud = Self {
            len: ids.len(),
            padded,
            factors,
            norms: vec![0.0; padded],
            unit,
            bound: 0.0,
        };
        let mut tile = Products::default();
        for start in (0..padded).step_by(ALIGN) {
            let rows = cloud.rows(start..start + ALIGN);
            cloud.products(rows, rows, &mut tile);
            let diagonal = tile.values.iter().step_by(ALIGN + 1).copied();
            cloud.norms[start..][..ALIGN]
                .iter_mut()
                .zip(diagonal)
                .for_each(|(norm, x)| *norm = x);
        }
        let (mut longest, mut second) = (0f32, 0f32);
        for norm in &cloud.norms {
            second = second.max(norm.min(longest));
            longest = longest.max(*norm);
        }
        cloud.bound = (longest.sqrt() + second.sqrt()) * 1.001;
        cloud
    }

    /// Number of points.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Number of rows with those that fill up.
    pub(crate) fn padded(&self) -> usize {
        self.padded
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(len: usize, width: usize) -> u64 {
        len.next_multiple_of(ALIGN) as u64 * (width as u64 + 1) * 4
    }

    /// Fixed-point steps a unit, if no distance may exceed `full` steps.
    pub(crate) fn steps(&self, full: f32) -> f32 {
        if self.bound > 0.0 {
            full / self.bound
        } else {
            0.0
        }
    }

    /// The true distance of `steps` fixed-point steps.
    pub(crate) fn distance(&self, steps: f64, full: f32) -> f64 {
        steps * (f64::from(self.bound) / f64::from(full)) * self.unit
    }

    /// Panels of rows, in order.
    pub(crate) fn panels(&self) -> Vec<Range<usize>> {
        (0..self.padded)
            .step_by(PANEL)
            .map(|start| start..(start + PANEL).min(self.padded))
            .collect()
    }

    /// Neighbouring rows.
    pub(crate) fn rows(&self, range: Range<usize>) -> Rows<'_> {
        let norms = &self.norms[range.clone()];
        match &self.factors {
            Factors::One(block) => Rows {
                first: block.rows(range),
                second: &[],
                norms,
            },
            Factors::Two(first, second, _) => Rows {
                first: first.rows(range.clone()),
                second: second.rows(range),
                norms,
            },
        }
    }

    /// The rows `ids`, filled up with zeros to a multiple of 16.
    pub(crate) fn gather<'a>(&self, ids: &[u32], into: &'a mut Gathered) -> Rows<'a> {
        let count = ids.len().next_multiple_of(16);
        let collect = |block: &Block, target: &mut Vec<f32>| {
            target.clear();
            for &id in ids {
                target.extend_from_slice(block.rows(id as usize..id as usize + 1));
            }
            target.resize(count * block.columns, 0.0);
        };
        match &self.factors {
            Factors::One(block) => collect(block, &mut into.first),
            Factors::Two(first, second, _) => {
                collect(first, &mut into.first);
                collect(second, &mut into.second);
            }
        }
        into.norms.clear();
        into.norms
            .extend(ids.iter().map(|&id| self.norms[id as usize]));
        into.norms.resize(count, 0.0);
        Rows {
            first: &into.first,
            second: &into.second,
            norms: &into.norms,
        }
    }

    /// The products of rows with rows, `[left, right]`.
    pub(crate) fn products(&self, left: Rows<'_>, right: Rows<'_>, into: &mut Products) {
        let (rows, columns) = (left.norms.len(), right.norms.len());
        let multiply = |a: &[f32], b: &[f32], inner: usize, target: &mut Vec<f32>| {
            target.resize(rows * columns, 0.0);
            let right = Operand::new(b, columns, inner).transposed();
            product(target, Operand::new(a, rows, inner), right, Into::Overwrite);
        };
        match &self.factors {
            Factors::One(block) => {
                multiply(left.first, right.first, block.columns, &mut into.values);
            }
            Factors::Two(first, second, bias) => {
                multiply(left.first, right.first, first.columns, &mut into.values);
                multiply(left.second, right.second, second.columns, &mut into.second);
                for (value, other) in into.values.iter_mut().zip(&into.second) {
                    *value *= bias + other;
                }
            }
        }
    }
}

/// Working memory of [`Cloud::products`].
#[derive(Default)]
pub(crate) struct Products {
    /// Products `[left, right]`.
    pub(crate) values: Vec<f32>,
    second: Vec<f32>,
}

impl Block {
    /// Rows `ids` of `matrix` without `mean`, divided by the largest absolute value, which is
    /// returned; it is 1 if all are zero.
    fn new(matrix: &Matrix, ids: &[usize], padded: usize, mean: Option<&[f64]>) -> (Self, f64) {
        let columns = matrix.columns();
        let zeros = vec![0.0; columns];
        let mean = mean.unwrap_or(&zeros);
        let mut values = Vec::with_capacity(padded * columns);
        let mut largest = 0f64;
        for &id in ids {
            for (x, mean) in matrix.row(id).iter().zip(mean) {
                largest = largest.max((f64::from(*x) - mean).abs());
            }
        }
        let unit = if largest > 0.0 { largest } else { 1.0 };
        for &id in ids {
            let row = matrix.row(id).iter().zip(mean);
            values.extend(row.map(|(x, mean)| ((f64::from(*x) - mean) / unit) as f32));
        }
        values.resize(padded * columns, 0.0);
        (Self { columns, values }, unit)
    }

    fn rows(&self, range: Range<usize>) -> &[f32] {
        &self.values[range.start * self.columns..range.end * self.columns]
    }
}
