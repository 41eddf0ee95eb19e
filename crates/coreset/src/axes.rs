//! The two directions in which samples vary most.

use pulp::Arch;

use crate::matrix::LentMatrix;
use crate::random::Purpose;
use crate::spread::spread;

/// Directions that are followed at a time: those behind the second keep what is nearly as long apart from it.
const BLOCK: usize = 6;
/// Passes over the samples, at most.
const PASSES: usize = 24;
/// Change of a variance from pass to pass, as a share of all variance, that is none.
const SETTLED: f64 = 1e-8;
/// Share of all variance that is none.
const NOTHING: f64 = 1e-12;
/// Numbers that a pass looks at, at most, but for the samples that it needs at least.
const NUMBERS: usize = 1 << 22;
/// Samples that a pass looks at, at least.
const FEWEST: usize = 256;

/// The first two principal components of samples, as a map of them.
///
/// They are found by passes over the samples, or over evenly spread ones where they hold more than 2²² numbers, in
/// the memory of a dozen samples. The same for the same samples, on any number of threads.
///
/// # Examples
/// ```
/// use afterimage_coreset::{Matrix, PrincipalAxes};
///
/// // Two long ways along (3, 4), and two short ones across.
/// let rows = Matrix::new("rows", 4, 2, vec![6.0, 8.0, -6.0, -8.0, -4.0, 3.0, 4.0, -3.0])?;
/// let axes = PrincipalAxes::of(&rows);
/// assert!((axes.shares()[0] - 0.8).abs() < 1e-9);
/// assert!((axes.place(&[6.0, 8.0])[0] - 10.0).abs() < 1e-9);
/// # Ok::<(), afterimage_coreset::CoresetError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PrincipalAxes {
    mean: Vec<f64>,
    directions: [Vec<f64>; 2],
    shares: [f64; 2],
    samples: usize,
}

impl PrincipalAxes {
    /// The axes of `rows` `[n, d]`.
    pub fn of(rows: &LentMatrix<'_>) -> Self {
        let width = rows.columns();
        let most = (NUMBERS / width.max(1)).max(FEWEST);
        let ids = spread(rows.rows(), most);
        let mean = mean(rows, &ids);
        let mut block = first(width);
        let mut variances = [0.0; 2];
        let mut total = 0.0;
        for pass in 0..PASSES {
            let (images, all) = images(rows, &ids, &mean, &block);
            let found = turned(&mut block, images);
            let before = std::mem::replace(&mut variances, found.variances);
            total = all;
            let change = variances.iter().zip(before).map(|(a, b)| (a - b).abs());
            if pass + 1 == PASSES || change.fold(0.0, f64::max) <= SETTLED * total {
                break;
            }
            block = orthonormal(found.images);
        }
        let mut directions = block.into_iter();
        let mut shares = [0.0; 2];
        let directions = std::array::from_fn(|at| {
            let direction = directions.next().unwrap_or_default();
            if variances[at] > NOTHING * total {
                // Rounding may put all of it a bit beyond the whole.
                shares[at] = (variances[at] / total).min(1.0);
                upright(direction)
            } else {
                vec![0.0; width]
            }
        });
        Self {
            mean,
            directions,
            shares,
            samples: ids.len(),
        }
    }

    /// Unit vectors `[d]`, the direction of the largest variance first; the number in each that is farthest from 0
    /// is above it. Zeros where nothing is left to vary.
    pub fn directions(&self) -> &[Vec<f64>; 2] {
        &self.directions
    }

    /// The part of the variance of all numbers that lies along each direction, in [0, 1].
    pub fn shares(&self) -> [f64; 2] {
        self.shares
    }

    /// Samples that the axes are made of: all, or evenly spread ones.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Where `row` `[d]` lies along each direction, from the mean.
    pub fn place(&self, row: &[f32]) -> [f64; 2] {
        let along = |direction: &Vec<f64>| {
            let numbers = row.iter().zip(&self.mean).zip(direction);
            let terms = numbers.map(|((x, mean), d)| (f64::from(*x) - mean) * d);
            terms.sum()
        };
        let [across, up] = &self.directions;
        [along(across), along(up)]
    }
}

/// The mean of the rows `ids`; exact where they are equal.
fn mean(rows: &LentMatrix<'_>, ids: &[usize]) -> Vec<f64> {
    let Some(&first) = ids.first() else {
        return vec![0.0; rows.columns()];
    };
    let first = rows.row(first);
    let mut mean = vec![0.0; first.len()];
    for &id in ids {
        for ((mean, x), first) in mean.iter_mut().zip(rows.row(id)).zip(first) {
            *mean += f64::from(*x) - f64::from(*first);
        }
    }
    let count = ids.len() as f64;
    let shifted = mean.iter().zip(first);
    shifted.map(|(m, x)| f64::from(*x) + m / count).collect()
}

/// Directions to begin with, none of which is across all that varies.
fn first(width: usize) -> Vec<Vec<f64>> {
    let direction = |index: usize| {
        let mut draws = Purpose::Axes.draws(0, index as u64);
        (0..width).map(|_| draws.normal()).collect()
    };
    orthonormal((0..BLOCK.min(width)).map(direction).collect())
}

/// What the covariance of the rows `ids` makes of each direction, and its trace.
fn images(
    rows: &LentMatrix<'_>,
    ids: &[usize],
    mean: &[f64],
    block: &[Vec<f64>],
) -> (Vec<Vec<f64>>, f64) {
    let mut images = vec![vec![0.0; mean.len()]; block.len()];
    let mut centred = vec![0.0; mean.len()];
    let total = Arch::new().dispatch(|| {
        let mut total = 0.0;
        for &id in ids {
            for ((centred, x), mean) in centred.iter_mut().zip(rows.row(id)).zip(mean) {
                *centred = f64::from(*x) - mean;
            }
            total += dot(&centred, &centred);
            for (direction, image) in block.iter().zip(&mut images) {
                let along = dot(&centred, direction);
                for (image, centred) in image.iter_mut().zip(&centred) {
                    *image += along * centred;
                }
            }
        }
        total
    });
    let count = ids.len().max(1) as f64;
    for image in images.iter_mut().flatten() {
        *image /= count;
    }
    (images, total / count)
}

/// What a block of directions came to.
struct Found {
    /// The variance along the first two; 0 where there is none.
    variances: [f64; 2],
    /// What the covariance makes of each direction.
    images: Vec<Vec<f64>>,
}

/// Turns the directions of `block` among themselves until none shares variance with another, the largest first
/// (Rayleigh and Ritz), and their images with them.
fn turned(block: &mut Vec<Vec<f64>>, images: Vec<Vec<f64>>) -> Found {
    // What two directions share, from one side alone, so that rounding makes no difference of the two.
    let shared = |i: usize, j: usize| dot(&block[i.min(j)], &images[i.max(j)]);
    let row = |i: usize| -> Vec<f64> { (0..images.len()).map(|j| shared(i, j)).collect() };
    let (values, vectors) = eigen((0..images.len()).map(row).collect());
    let mixed = |of: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let one = |vector: &Vec<f64>| {
            let mut sum = vec![0.0; of.first().map_or(0, Vec::len)];
            for (share, part) in vector.iter().zip(of) {
                for (sum, x) in sum.iter_mut().zip(part) {
                    *sum += share * x;
                }
            }
            sum
        };
        vectors.iter().map(one).collect()
    };
    *block = mixed(block);
    let variance = |at: usize| values.get(at).map_or(0.0, |value| value.max(0.0));
    Found {
        variances: [variance(0), variance(1)],
        images: mixed(&images),
    }
}

/// The same directions, of length 1 and across each other (Gram and Schmidt, twice); zeros where one is made of
/// those before it.
fn orthonormal(mut block: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    for at in 0..block.len() {
        let (before, rest) = block.split_at_mut(at);
        let Some(direction) = rest.first_mut() else {
            break;
        };
        let whole = dot(direction, direction).sqrt();
        for _ in 0..2 {
            for other in before.iter() {
                let along = dot(direction, other);
                for (x, other) in direction.iter_mut().zip(other) {
                    *x -= along * other;
                }
            }
        }
        let left = dot(direction, direction).sqrt();
        let factor = if left > 1e-10 * whole {
            1.0 / left
        } else {
            0.0
        };
        direction.iter_mut().for_each(|x| *x *= factor);
    }
    block
}

/// Eigenvalues of a symmetric matrix, the largest first, and the eigenvector of each, by Jacobi's rotations.
fn eigen(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    const SWEEPS: usize = 30;
    let size = matrix.len();
    // Row by row an eigenvector, once all is turned.
    let mut vectors = vec![vec![0.0; size]; size];
    for (at, vector) in vectors.iter_mut().enumerate() {
        vector[at] = 1.0;
    }
    for _ in 0..SWEEPS {
        let squares = |on: bool| -> f64 {
            let rows = matrix.iter().enumerate();
            let cells =
                rows.flat_map(|(i, row)| row.iter().enumerate().map(move |(j, x)| (i == j, *x)));
            cells
                .filter(|(is_on, _)| *is_on == on)
                .map(|(_, x)| x * x)
                .sum()
        };
        if squares(false) <= 1e-30 * squares(true) {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                if matrix[p][q] != 0.0 {
                    rotate(&mut matrix, &mut vectors, p, q);
                }
            }
        }
    }
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|a, b| matrix[*b][*b].total_cmp(&matrix[*a][*a]).then(a.cmp(b)));
    let values = order.iter().map(|at| matrix[*at][*at]).collect();
    (
        values,
        order.iter().map(|at| vectors[*at].clone()).collect(),
    )
}

/// Turns rows and columns `p` < `q` of a symmetric matrix until it is 0 where they cross.
fn rotate(matrix: &mut [Vec<f64>], vectors: &mut [Vec<f64>], p: usize, q: usize) {
    let slope = (matrix[q][q] - matrix[p][p]) / (2.0 * matrix[p][q]);
    let tangent = slope.signum() / (slope.abs() + slope.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    let turn = |x: &mut f64, y: &mut f64| {
        (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
    };
    for row in matrix.iter_mut() {
        let (left, right) = row.split_at_mut(q);
        turn(&mut left[p], &mut right[0]);
    }
    for rows in [matrix, vectors] {
        let (upper, lower) = rows.split_at_mut(q);
        for (x, y) in upper[p].iter_mut().zip(&mut lower[0]) {
            turn(x, y);
        }
    }
}

/// The direction or its opposite: that whose number farthest from 0 is above it; of those that are as far but for
/// rounding, the first counts.
fn upright(mut direction: Vec<f64>) -> Vec<f64> {
    let farthest = direction.iter().fold(0f64, |most, x| most.max(x.abs()));
    let first = direction
        .iter()
        .find(|x| x.abs() >= farthest * (1.0 - 1e-9));
    if first.is_some_and(|x| *x < 0.0) {
        direction.iter_mut().for_each(|x| *x = -*x);
    }
    direction
}

/// Σ a·b in eight running sums, so that none waits for another.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let (a, last_a) = a.as_chunks::<LANES>();
    let (b, last_b) = b.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    for (sum, (a, b)) in sums.iter_mut().zip(last_a.iter().zip(last_b)) {
        *sum += a * b;
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CoresetError, Matrix};

    fn axes(rows: usize, columns: usize, values: Vec<f32>) -> Result<PrincipalAxes, CoresetError> {
        Ok(PrincipalAxes::of(&Matrix::new(
            "rows", rows, columns, values,
        )?))
    }

    fn near(found: &[f64], wanted: &[f64]) {
        let close = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(
            close && found.len() == wanted.len(),
            "{found:?}, not {wanted:?}"
        );
    }

    #[test]
    fn the_axes_of_four_points_are_by_hand() -> Result<(), CoresetError> {
        // ±2 (3, 4) and ±(−4, 3) around (5, −1): variances 2·10²/4 and 2·5²/4.
        let found = axes(4, 2, vec![11.0, 7.0, -1.0, -9.0, 1.0, 2.0, 9.0, -4.0])?;
        near(&found.shares(), &[0.8, 0.2]);
        near(&found.directions()[0], &[0.6, 0.8]);
        // (−0.8, 0.6) is turned round: its number farthest from 0 is below it.
        near(&found.directions()[1], &[0.8, -0.6]);
        near(&found.place(&[11.0, 7.0]), &[10.0, 0.0]);
        near(&found.place(&[1.0, 2.0]), &[0.0, -5.0]);
        assert_eq!(found.samples(), 4);
        Ok(())
    }

    #[test]
    fn signs_follow_the_number_farthest_from_0() {
        assert_eq!(upright(vec![0.1, -0.9]), [-0.1, 0.9]);
        assert_eq!(upright(vec![0.1, 0.9]), [0.1, 0.9]);
        // Equal but for rounding: the first counts.
        let half = 0.5f64.sqrt();
        assert_eq!(
            upright(vec![-half * (1.0 - 1e-15), half]),
            [half * (1.0 - 1e-15), -half]
        );
        assert_eq!(upright(vec![0.0; 2]), [0.0; 2]);
    }

    #[test]
    fn what_does_not_vary_has_no_axis() -> Result<(), CoresetError> {
        let same = axes(3, 2, vec![0.1, 7.3, 0.1, 7.3, 0.1, 7.3])?;
        assert_eq!(same.shares(), [0.0; 2]);
        assert_eq!(same.place(&[0.1, 7.3]), [0.0; 2]);
        let line = axes(3, 1, vec![1.0, 2.0, 6.0])?;
        near(&line.shares(), &[1.0, 0.0]);
        near(&line.place(&[6.0]), &[3.0, 0.0]);
        // In ten dimensions, but along one.
        let along: Vec<f32> = (0..5).flat_map(|at| [at as f32; 10]).collect();
        let along = axes(5, 10, along)?;
        near(&along.shares(), &[1.0, 0.0]);
        assert!(along.directions()[1].iter().all(|x| *x == 0.0));
        let one = axes(1, 3, vec![1.0, 2.0, 3.0])?;
        assert_eq!(one.place(&[1.0, 2.0, 3.0]), [0.0; 2]);
        Ok(())
    }

    #[test]
    fn the_two_longest_of_many_directions_are_found() -> Result<(), CoresetError> {
        // Independent columns, of which two vary more than the others; far from the origin.
        let mut draws = Purpose::Sample.draws(5, 0);
        let (rows, columns) = (3000, 40);
        let size = |column: usize| match column {
            17 => 3.0,
            3 => 2.0,
            _ => 1.0,
        };
        let value = |at: usize| (1000.0 + size(at % columns) * draws.normal()) as f32;
        let values: Vec<f32> = (0..rows * columns).map(value).collect();
        let found = axes(rows, columns, values)?;
        let [across, up] = found.directions();
        assert!(across[17] > 0.99 && up[3] > 0.98, "{across:?}, {up:?}");
        let all = 9.0 + 4.0 + 38.0;
        let [first, second] = found.shares();
        assert!((first - 9.0 / all).abs() < 0.02 && (second - 4.0 / all).abs() < 0.01);
        let crossed: f64 = across.iter().zip(up).map(|(a, b)| a * b).sum();
        let length: f64 = up.iter().map(|x| x * x).sum();
        assert!(crossed.abs() < 1e-9 && (length - 1.0).abs() < 1e-9);
        Ok(())
    }

    #[test]
    fn eigenvalues_are_by_hand() {
        let (values, vectors) = eigen(vec![vec![2.0, 1.0], vec![1.0, 2.0]]);
        near(&values, &[3.0, 1.0]);
        near(
            &[vectors[0][0].abs(), vectors[0][1] / vectors[0][0]],
            &[0.5f64.sqrt(), 1.0],
        );
        near(&[vectors[1][1] / vectors[1][0]], &[-1.0]);
        assert!(eigen(Vec::new()).0.is_empty());
    }
}
