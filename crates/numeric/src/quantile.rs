//! Quantiles and medians.

/// The `p`-quantile of ascending values, linear between neighbours (type 7 of Hyndman and Fan 1996); NaN of
/// nothing.
///
/// # Examples
/// ```
/// assert_eq!(afterimage_numeric::quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
/// ```
///
/// # Panics
/// If `p` is over 1.
pub fn quantile(ascending: &[f64], p: f64) -> f64 {
    let Some(last) = ascending.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = p * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    ascending[low] + (ascending[high] - ascending[low]) * (place - place.floor())
}

/// The median, of an even number of values the mean of the two in the middle; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
    Some(f64::midpoint(*values.get(low)?, *values.get(high)?))
}

/// The value in the middle, of an even number of values the upper of the two: one that is there, without
/// arithmetic. `None` of nothing.
pub fn upper_median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let values = [0.0, 10.0, 20.0, 40.0];
        let found = [0.0, 0.25, 0.5, 0.9, 1.0].map(|p| quantile(&values, p));
        for (found, wanted) in found.into_iter().zip([0.0, 7.5, 15.0, 34.0, 40.0]) {
            assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        }
        assert_eq!(quantile(&[3.0], 0.3), 3.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(vec![]), None);
        assert_eq!(upper_median(vec![3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(upper_median(vec![4.0, 1.0, 2.0, 3.0]), Some(3.0));
        assert_eq!(upper_median(vec![]), None);
    }
}
