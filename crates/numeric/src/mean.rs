//! Means, and how far values lie from them: sums in the order of the values, squares around the mean in a
//! second pass.

/// The mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean and variance of values that are all there are: the sum of squares over n. NaN of nothing.
///
/// # Examples
/// ```
/// let gaps = [1.0, f32::NAN, 3.0];
/// let present = gaps.iter().filter(|x| x.is_finite()).map(|x| f64::from(*x));
/// assert_eq!(afterimage_numeric::moments(present), (2.0, 1.0));
/// ```
pub fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, squares / count)
}

/// Mean and standard deviation of a sample: the sum of squares over n − 1. No deviation (NaN) of fewer than two
/// values, and no mean of none.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let (mean, squares) = around(values);
    let deviation = match values.len() {
        0 | 1 => f64::NAN,
        count => (squares / (count as f64 - 1.0)).sqrt(),
    };
    (mean, deviation)
}

/// The standard error of the mean of a sample, s/√n; NaN for fewer than two values. Its last bits are not those
/// of [`mean_and_deviation`] over √n: it is one root.
pub fn standard_error(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    let count = values.len() as f64;
    let (_, squares) = around(values);
    (squares / (count - 1.0) / count).sqrt()
}

/// The mean, and the sum of squares around it.
fn around(values: &[f64]) -> (f64, f64) {
    let mean = mean(values);
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_needs_two_values() {
        assert_eq!(mean_and_deviation(&[1.0, 3.0]), (2.0, 2f64.sqrt()));
        let (mean, deviation) = mean_and_deviation(&[1.0]);
        assert!(mean == 1.0 && deviation.is_nan());
        assert!(mean_and_deviation(&[]).0.is_nan());
        assert!(super::mean(&[]).is_nan());
        assert!(standard_error(&[1.0]).is_nan());
    }

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        // Mean 3, deviation √2.5, n = 5: √2.5/√5 = 0.7071…
        let values = [1.0, 2.0, 3.0, 4.0, 5.0];
        assert!((standard_error(&values) - 0.5f64.sqrt()).abs() < 1e-12);
        assert_eq!(moments(values.into_iter()), (3.0, 2.0));
        let (mean, variance) = moments(std::iter::empty());
        assert!(mean.is_nan() && variance.is_nan());
    }
}
