//! Numbers as they are told.

/// Mean and standard deviation; no deviation of fewer than two values, nothing of none.
pub(crate) fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let deviation = match values.len() {
        0 | 1 => f64::NAN,
        _ => (squares / (count - 1.0)).sqrt(),
    };
    (mean, deviation)
}

/// Percent of a share, as few digits as it takes.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", (share * 1e8).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_needs_two_values() {
        assert_eq!(moments(&[1.0, 3.0]), (2.0, 2f64.sqrt()));
        let (mean, deviation) = moments(&[1.0]);
        assert!(mean == 1.0 && deviation.is_nan());
        assert!(moments(&[]).0.is_nan());
    }

    #[test]
    fn percents_have_no_digits_that_a_product_leaves_behind() {
        assert_eq!(percent(0.07), "7 %");
        assert_eq!(percent(0.29), "29 %");
        assert_eq!(percent(0.125), "12.5 %");
    }
}
