//! Systems of equations with a positive definite matrix.

/// The factor L of a positive definite matrix L·Lᵀ, in 64-bit numbers, on the calling thread.
///
/// # Examples
/// ```
/// use afterimage_numeric::Cholesky;
/// // What lies above the diagonal is not looked at.
/// let factor = Cholesky::new(vec![4.0, 0.0, 2.0, 5.0], 2);
/// let mut b = [2.0, -3.0];
/// factor.solve(&mut b);
/// assert_eq!(b, [1.0, -1.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Cholesky {
    lower: Vec<f64>,
    size: usize,
}

impl Cholesky {
    /// The factor of `matrix` `[size, size]`, of which the lower triangle is read, row by row. It must be
    /// positive definite by more than rounding: a pivot that is not positive is replaced by the least
    /// number that is, and what is solved then has no meaning.
    ///
    /// # Panics
    /// If the matrix is smaller than its size.
    pub fn new(mut matrix: Vec<f64>, size: usize) -> Self {
        for row in 0..size {
            for column in 0..=row {
                let dot: f64 = (0..column)
                    .map(|k| matrix[row * size + k] * matrix[column * size + k])
                    .sum();
                let rest = matrix[row * size + column] - dot;
                matrix[row * size + column] = if row == column {
                    rest.max(f64::MIN_POSITIVE).sqrt()
                } else {
                    rest / matrix[column * size + column]
                };
            }
        }
        Self {
            lower: matrix,
            size,
        }
    }

    /// Puts the solution of L·Lᵀ·x = b in place of b.
    ///
    /// # Panics
    /// If b is shorter than the matrix.
    pub fn solve(&self, b: &mut [f64]) {
        let at = |row: usize, column: usize| self.lower[row * self.size + column];
        for row in 0..self.size {
            let dot: f64 = (0..row).map(|k| at(row, k) * b[k]).sum();
            b[row] = (b[row] - dot) / at(row, row);
        }
        for row in (0..self.size).rev() {
            let dot: f64 = (row + 1..self.size).map(|k| at(k, row) * b[k]).sum();
            b[row] = (b[row] - dot) / at(row, row);
        }
    }

    /// ln det(L·Lᵀ).
    pub fn log_determinant(&self) -> f64 {
        let diagonal = self.lower.iter().step_by(self.size + 1);
        2.0 * diagonal.take(self.size).map(|x| x.ln()).sum::<f64>()
    }

    /// L⁻¹ `[size, size]`, row by row, with zeros above the diagonal: xᵀ·(L·Lᵀ)⁻¹·x = |L⁻¹·x|².
    pub fn inverse_factor(&self) -> Vec<f64> {
        let size = self.size;
        let mut inverse = vec![0.0; size * size];
        for row in 0..size {
            let (above, here) = inverse.split_at_mut(row * size);
            let here = &mut here[..=row];
            let lower = &self.lower[row * size..][..=row];
            for (line, factor) in above.chunks_exact(size).zip(lower) {
                for (x, other) in here.iter_mut().zip(line) {
                    *x -= factor * other;
                }
            }
            here[row] += 1.0;
            here.iter_mut().for_each(|x| *x /= lower[row]);
        }
        inverse
    }
}

/// Rows of L `[size, rank]` with L·Lᵀ the positive semidefinite matrix whose element `(i, j)` is `product(i, j)`:
/// the largest diagonal element that is left first, ended where what is left is rounding. Of elements that are
/// asked for again the function must say the same.
///
/// # Examples
/// ```
/// use afterimage_numeric::pivoted_cholesky;
/// // The second row is twice the first: rank 1.
/// let factor = pivoted_cholesky(2, |i, j| [1.0, 2.0][i] * [1.0, 2.0][j]);
/// assert_eq!(factor, [[1.0], [2.0]]);
/// ```
pub fn pivoted_cholesky(size: usize, product: impl Fn(usize, usize) -> f64) -> Vec<Vec<f64>> {
    let mut rest: Vec<f64> = (0..size).map(|i| product(i, i)).collect();
    let trace: f64 = rest.iter().sum();
    let mut factor: Vec<Vec<f64>> = vec![Vec::new(); size];
    let mut open: Vec<usize> = (0..size).collect();
    while let Some(place) = (0..open.len()).max_by(|a, b| rest[open[*a]].total_cmp(&rest[open[*b]]))
    {
        let pivot = open.swap_remove(place);
        if rest[pivot] <= 1e-14 * trace {
            break;
        }
        let root = rest[pivot].sqrt();
        let row = factor[pivot].clone();
        for (at, line) in factor.iter_mut().enumerate() {
            let value = if at == pivot {
                root
            } else if open.contains(&at) {
                let known: f64 = line.iter().zip(&row).map(|(a, b)| a * b).sum();
                (product(at, pivot) - known) / root
            } else {
                0.0
            };
            line.push(value);
            rest[at] -= value * value;
        }
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pivoted_factor_makes_the_matrix_again_and_has_its_rank() {
        // Five rows in three dimensions, the last two sums of others.
        let rows = [
            [1.0, 0.5, -2.0],
            [0.0, 3.0, 1.0],
            [2.0, 2.0, 0.25],
            [1.0, 3.5, -1.0],
            [2.0, 5.0, 1.25],
        ];
        let product = |i: usize, j: usize| -> f64 {
            let pairs = rows[i].iter().zip(&rows[j]);
            pairs.map(|(a, b)| a * b).sum()
        };
        let factor = pivoted_cholesky(5, product);
        assert!(factor.iter().all(|row| row.len() == 3), "{factor:?}");
        for (i, one) in factor.iter().enumerate() {
            for (j, other) in factor.iter().enumerate() {
                let pairs = one.iter().zip(other);
                let found: f64 = pairs.map(|(a, b)| a * b).sum();
                assert!((found - product(i, j)).abs() < 1e-12, "{i} {j}");
            }
        }
        assert!(pivoted_cholesky(0, product).is_empty());
    }

    #[test]
    fn the_inverse_factor_inverts_the_factor_and_agrees_with_solve() {
        const SIZE: usize = 5;
        let cell = |row: usize, column: usize| {
            let near = 1.0 / (1.0 + row.abs_diff(column) as f64);
            near + if row == column { 0.5 } else { 0.0 }
        };
        let matrix: Vec<f64> = (0..SIZE * SIZE)
            .map(|at| cell(at / SIZE, at % SIZE))
            .collect();
        let factor = Cholesky::new(matrix, SIZE);
        let inverse = factor.inverse_factor();
        for row in 0..SIZE {
            for column in 0..SIZE {
                // (L·Lᵀ)⁻¹ = L⁻ᵀ·L⁻¹, by columns of the identity.
                let product: f64 = (0..SIZE)
                    .map(|k| inverse[k * SIZE + row] * inverse[k * SIZE + column])
                    .sum();
                let mut unit = [0.0; SIZE];
                unit[column] = 1.0;
                factor.solve(&mut unit);
                assert!((product - unit[row]).abs() < 1e-12);
                assert!(column <= row || inverse[row * SIZE + column] == 0.0);
            }
        }
        let product: f64 = (0..SIZE).map(|row| inverse[row * SIZE + row]).product();
        assert!((factor.log_determinant() + 2.0 * product.ln()).abs() < 1e-12);
        let mut b: Vec<f64> = (0..SIZE).map(|row| cell(row, 2)).collect();
        factor.solve(&mut b);
        for (at, x) in b.iter().enumerate() {
            assert!((x - f64::from(u8::from(at == 2))).abs() < 1e-12);
        }
    }
}
