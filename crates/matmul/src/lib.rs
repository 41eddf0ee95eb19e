//! Matrix products on slices, by the `gemm` crate, with every size checked.
//!
//! The one place of the project with an unsafe call.
#![allow(unsafe_code)]

/// A read-only matrix: element `(i, j)` lies at `i · row_stride + j · column_stride`.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows × columns`, rows beside each other.
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        Self {
            data,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// `rows × columns` out of rows that lie `row_stride` apart.
    pub fn strided(data: &'a [f32], [rows, columns]: [usize; 2], row_stride: usize) -> Self {
        Self {
            row_stride,
            ..Self::new(data, rows, columns)
        }
    }

    /// The transpose, without moving data.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// One over the largest index that an element has; 0 for an empty matrix.
    fn end(&self) -> usize {
        if self.rows == 0 || self.columns == 0 {
            return 0;
        }
        (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride + 1
    }
}

/// What a product does with what its destination holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Into {
    /// `C = A·B`
    Overwrite,
    /// `C = C + A·B`
    Add,
}

/// The product of `a` `[m, k]` and `b` `[k, n]` into `c` `[m, n]`, rows beside each other, on the
/// calling thread: parallel work is cut by the callers, so that no sum depends on thread counts.
///
/// # Panics
/// If the sizes do not fit.
pub fn product(c: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, into: Into) {
    product_strided(c, b.columns, a, b, into);
}

/// [`product`] into rows of `c` that lie `stride` apart.
///
/// # Panics
/// If the sizes do not fit.
pub fn product_strided(c: &mut [f32], stride: usize, a: Matrix<'_>, b: Matrix<'_>, into: Into) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(k, b.rows, "a product needs equal inner sizes");
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        stride >= n && c.len() >= (m - 1) * stride + n,
        "a matrix is larger than its data"
    );
    assert!(
        a.data.len() >= a.end() && b.data.len() >= b.end(),
        "a matrix is larger than its data"
    );
    // SAFETY: `c` holds m rows of n elements, and `end` bounds every index into `a` and `b`; all
    // were compared with the slices above. Strides of slices fit into isize.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            stride as isize,
            into == Into::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_and_overwrites() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.5, -1.0, 2.0, 0.0, 1.0];
        let mut c = [10.0; 4];
        let (left, right) = (Matrix::new(&a, 2, 3), Matrix::new(&b, 3, 2));
        product(&mut c, left, right, Into::Add);
        assert_eq!(c, [9.0, 17.5, 9.0, 28.0]);
        product(
            &mut c,
            left,
            Matrix::new(&b, 2, 3).transposed(),
            Into::Overwrite,
        );
        assert_eq!(c, [-1.0, 5.0, 0.5, 14.0]);
    }

    #[test]
    #[should_panic(expected = "larger than its data")]
    fn refuses_a_matrix_beyond_its_data() {
        let mut c = [0.0; 4];
        let a = [0.0; 3];
        product(
            &mut c,
            Matrix::new(&a, 2, 2),
            Matrix::new(&a, 2, 2),
            Into::Add,
        );
    }
}
