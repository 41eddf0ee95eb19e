//! Systems of equations with a positive definite matrix.

/// The factor L of a positive definite matrix L·Lᵀ, in 64-bit numbers, on the calling thread.
///
/// # Examples
/// ```
/// use afterimage_matmul::Cholesky;
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

#[cfg(test)]
mod tests {
    use super::*;

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
