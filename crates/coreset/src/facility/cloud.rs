//! The points of one group, laid out for products.

use std::ops::Range;

use afterimage_matmul::{Into, Matrix as Operand, product};
use pulp::Arch;

use super::fixed::FULL;
use super::transpose::{SIDE, transpose};
use crate::matrix::LentMatrix;
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
    /// The same, panel after panel, each `[columns, rows]`, or nothing: so products need no copies.
    turned: Vec<f32>,
}

/// Some rows of a block.
#[derive(Clone, Copy)]
struct Side<'a> {
    /// Values `[rows, columns]`.
    values: &'a [f32],
    /// Values `[columns, rows]`, of a whole panel.
    turned: Option<&'a [f32]>,
}

/// Some rows of a cloud; their number is a multiple of 16.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    first: Side<'a>,
    second: Option<Side<'a>>,
    pub(crate) norms: &'a [f32],
}

/// Rows gathered from anywhere in a cloud.
#[derive(Default)]
pub(crate) struct Gathered {
    first: Vec<f32>,
    second: Vec<f32>,
    norms: Vec<f32>,
    turned: [Vec<f32>; 2],
}

impl Cloud {
    /// The points `ids`; `turned` takes the memory again that the points take, for speed alone.
    pub(crate) fn new(points: &Points, ids: &[usize], turned: bool) -> Self {
        let padded = ids.len().next_multiple_of(ALIGN);
        let (factors, unit) = match points {
            Points::Rows(rows) => {
                let (block, unit) = Block::new(rows, ids, padded, Some(&rows.mean(ids)), turned);
                (Factors::One(block), unit)
            }
            Points::LastLayer(layer) => {
                let (first, a) = Block::new(layer.residuals(), ids, padded, None, turned);
                let (second, b) = Block::new(layer.features(), ids, padded, None, turned);
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

    /// Numbers of a point.
    pub(crate) fn width(&self) -> usize {
        match &self.factors {
            Factors::One(block) => block.columns,
            Factors::Two(first, second, _) => first.columns + second.columns,
        }
    }

    /// Bytes that it holds.
    pub(crate) fn bytes(len: usize, width: usize, turned: bool) -> u64 {
        let copies = 1 + u64::from(turned);
        len.next_multiple_of(ALIGN) as u64 * (copies * width as u64 + 1) * 4
    }

    /// Fixed-point steps a unit.
    pub(crate) fn steps(&self) -> f32 {
        if self.bound > 0.0 {
            FULL as f32 / self.bound
        } else {
            0.0
        }
    }

    /// The true distance of `steps` fixed-point steps.
    pub(crate) fn distance(&self, steps: f64) -> f64 {
        steps * (f64::from(self.bound) / f64::from(FULL)) * self.unit
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
                first: block.side(range),
                second: None,
                norms,
            },
            Factors::Two(first, second, _) => Rows {
                first: first.side(range.clone()),
                second: Some(second.side(range)),
                norms,
            },
        }
    }

    /// The rows `ids`, filled up with zeros to a multiple of 16.
    pub(crate) fn gather<'a>(&self, ids: &[u32], into: &'a mut Gathered) -> Rows<'a> {
        self.gather_wide(ids, 16, into)
    }

    /// The rows `ids`, filled up with zeros to a multiple of `align`.
    pub(crate) fn gather_wide<'a>(
        &self,
        ids: &[u32],
        align: usize,
        into: &'a mut Gathered,
    ) -> Rows<'a> {
        let count = ids.len().next_multiple_of(align);
        let collect = |block: &Block, target: &mut Vec<f32>| {
            target.clear();
            target.reserve_exact(count * block.columns);
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
        self.gathered(into)
    }

    /// The rows `ids` as right factors of many products, filled up with zeros to a multiple of 64.
    pub(crate) fn gather_turned<'a>(&self, ids: &[u32], into: &'a mut Gathered) -> Rows<'a> {
        let count = self.gather_wide(ids, ALIGN, into).norms.len();
        let turned = |block: &Block, values: &[f32], turned: &mut Vec<f32>| {
            turned.resize(count * block.columns, 0.0);
            turn(values, block.columns, turned);
        };
        let [one, two] = &mut into.turned;
        match &self.factors {
            Factors::One(block) => turned(block, &into.first, one),
            Factors::Two(first, second, _) => {
                turned(first, &into.first, one);
                turned(second, &into.second, two);
            }
        }
        let mut rows = self.gathered(into);
        rows.first.turned = Some(&into.turned[0]);
        if let Some(second) = &mut rows.second {
            second.turned = Some(&into.turned[1]);
        }
        rows
    }

    /// Rows gathered before.
    pub(crate) fn gathered<'a>(&self, from: &'a Gathered) -> Rows<'a> {
        let side = |values: &'a Vec<f32>| Side {
            values,
            turned: None,
        };
        Rows {
            first: side(&from.first),
            second: match &self.factors {
                Factors::One(_) => None,
                Factors::Two(..) => Some(side(&from.second)),
            },
            norms: &from.norms,
        }
    }

    /// The products of rows with rows, `[left, right]`. Every sum has the same order, unless there are
    /// 256 products or fewer: for those `gemm` has another kernel.
    pub(crate) fn products(&self, left: Rows<'_>, right: Rows<'_>, into: &mut Products) {
        let sizes = [left.norms.len(), right.norms.len()];
        match &self.factors {
            Factors::One(block) => {
                multiply(left.first, right.first, sizes, block, &mut into.values);
            }
            Factors::Two(first, second, bias) => {
                multiply(left.first, right.first, sizes, first, &mut into.values);
                if let (Some(left), Some(right)) = (left.second, right.second) {
                    multiply(left, right, sizes, second, &mut into.second);
                }
                for (value, other) in into.values.iter_mut().zip(&into.second) {
                    *value *= bias + other;
                }
            }
        }
    }
}

/// Products of rows of one block.
fn multiply(
    left: Side<'_>,
    right: Side<'_>,
    [rows, columns]: [usize; 2],
    block: &Block,
    into: &mut Vec<f32>,
) {
    /// Terms of one call: `gemm` cuts longer sums into parts of a length that depends on the sizes.
    const DEPTH: usize = 512;
    let inner = block.columns;
    into.resize(rows * columns, 0.0);
    for start in (0..inner).step_by(DEPTH) {
        let depth = DEPTH.min(inner - start);
        let left = Operand::strided(&left.values[start..], [rows, depth], inner);
        let right = match right.turned {
            Some(turned) => Operand::new(&turned[start * columns..], depth, columns),
            None => Operand::strided(&right.values[start..], [columns, depth], inner).transposed(),
        };
        let how = if start == 0 {
            Into::Overwrite
        } else {
            Into::Add
        };
        product(into, left, right, how);
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
    fn new(
        matrix: &LentMatrix<'_>,
        ids: &[usize],
        padded: usize,
        mean: Option<&[f64]>,
        turned: bool,
    ) -> (Self, f64) {
        let columns = matrix.columns();
        let zeros = vec![0.0; columns];
        let mean = mean.unwrap_or(&zeros);
        let mut values = vec![0f32; padded * columns];
        let unit = Arch::new().dispatch(|| {
            let mut largest = vec![0f64; columns];
            for &id in ids {
                let row = matrix.row(id).iter().zip(mean);
                for ((x, mean), largest) in row.zip(&mut largest) {
                    let size = (f64::from(*x) - mean).abs();
                    *largest = if size > *largest { size } else { *largest };
                }
            }
            let largest = largest.into_iter().fold(0f64, f64::max);
            let unit = if largest > 0.0 { largest } else { 1.0 };
            for (&id, values) in ids.iter().zip(values.chunks_exact_mut(columns)) {
                let row = matrix.row(id).iter().zip(mean);
                for (value, (x, mean)) in values.iter_mut().zip(row) {
                    *value = ((f64::from(*x) - mean) / unit) as f32;
                }
            }
            unit
        });
        let mut panels = Vec::new();
        if turned {
            panels.resize(padded * columns, 0.0);
            let pairs = values.chunks(PANEL * columns);
            for (panel, turned) in pairs.zip(panels.chunks_mut(PANEL * columns)) {
                turn(panel, columns, turned);
            }
        }
        let block = Self {
            columns,
            values,
            turned: panels,
        };
        (block, unit)
    }

    fn side(&self, range: Range<usize>) -> Side<'_> {
        let end = self.values.len() / self.columns;
        let panel = range.start - range.start % PANEL..(range.start + PANEL).min(end);
        let whole = range == panel;
        let place = range.start * self.columns..range.end * self.columns;
        Side {
            values: &self.values[place.clone()],
            turned: self.turned.get(place).filter(|_| whole),
        }
    }

    fn rows(&self, range: Range<usize>) -> &[f32] {
        &self.values[range.start * self.columns..range.end * self.columns]
    }
}

/// The transpose of `panel` `[rows, columns]`, whose rows are a multiple of 64.
fn turn(panel: &[f32], columns: usize, out: &mut [f32]) {
    let rows = panel.len() / columns;
    if columns.is_multiple_of(SIDE) {
        transpose(
            bytemuck::cast_slice(panel),
            columns,
            bytemuck::cast_slice_mut(out),
            rows,
        );
        return;
    }
    for (row, values) in panel.chunks_exact(columns).enumerate() {
        for (value, out) in values.iter().zip(out.iter_mut().skip(row).step_by(rows)) {
            *out = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::matrix::Matrix;
    use crate::random::Purpose;

    #[test]
    fn a_product_has_the_same_bits_wherever_it_is_computed() {
        for columns in [1, 2, 3, 16, 17, 128, 512, 513, 700, 1100] {
            let len = 300;
            let mut draws = Purpose::Sample.draws(1, 0);
            let values = (0..len * columns).map(|_| draws.normal() as f32).collect();
            let points = Points::Rows(Matrix::new("points", len, columns, values).unwrap());
            let all: Vec<usize> = (0..len).collect();
            let cloud = Cloud::new(&points, &all, true);
            let panels = cloud.panels();
            let mut whole = Products::default();
            let mut expected = vec![0.0; len * len];
            for rows in &panels {
                for places in &panels {
                    let (left, right) = (cloud.rows(rows.clone()), cloud.rows(places.clone()));
                    cloud.products(left, right, &mut whole);
                    for (row, values) in rows.clone().zip(whole.values.chunks(places.len())) {
                        for (column, value) in places.clone().zip(values) {
                            if row < len && column < len {
                                expected[row * len + column] = *value;
                            }
                        }
                    }
                }
            }
            for i in 0..len {
                assert_eq!(expected[i * len + i], cloud.norms[i], "{columns}");
                for j in 0..i {
                    assert_eq!(expected[i * len + j], expected[j * len + i], "{columns}");
                }
            }
            let ids: Vec<u32> = (0..len as u32).step_by(23).collect();
            let [mut few, mut wide, mut turned] = std::array::from_fn(|_| Gathered::default());
            let few = cloud.gather(&ids, &mut few);
            let wide = cloud.gather_wide(&ids, ALIGN, &mut wide);
            let turned = cloud.gather_turned(&ids, &mut turned);
            let mut products = Products::default();
            for places in &panels {
                let panel = cloud.rows(places.clone());
                let same = |products: &Products, id: usize, column: usize, at: usize| {
                    let id = ids[id] as usize;
                    if column < len {
                        let found = products.values[at];
                        assert_eq!(found, expected[id * len + column], "{columns}");
                    }
                };
                cloud.products(few, panel, &mut products);
                for id in 0..ids.len() {
                    for (at, column) in places.clone().enumerate() {
                        same(&products, id, column, id * places.len() + at);
                    }
                }
                cloud.products(panel, few, &mut products);
                for id in 0..ids.len() {
                    for (at, column) in places.clone().enumerate() {
                        same(&products, id, column, at * few.norms.len() + id);
                    }
                }
                for wide in [wide, turned] {
                    cloud.products(panel, wide, &mut products);
                    for id in 0..ids.len() {
                        for (at, column) in places.clone().enumerate() {
                            same(&products, id, column, at * wide.norms.len() + id);
                        }
                    }
                }
            }
            cloud.products(wide, few, &mut products);
            for (i, a) in ids.iter().enumerate() {
                for (j, b) in ids.iter().enumerate() {
                    let found = products.values[i * few.norms.len() + j];
                    assert_eq!(
                        found,
                        expected[*a as usize * len + *b as usize],
                        "{columns}"
                    );
                }
            }
        }
    }
}
