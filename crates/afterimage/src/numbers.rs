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

/// The standard error of a share `p` of `count` of which each is counted or not: half of Wilson's interval at one
/// standard error, which is not 0 where the share is 0 or 1; NaN of none (E. B. Wilson, 1927).
pub(crate) fn share_error(p: f64, count: usize) -> f64 {
    let count = count as f64;
    match count > 0.0 {
        true => (p * (1.0 - p) / count + 0.25 / (count * count)).sqrt() / (1.0 + 1.0 / count),
        false => f64::NAN,
    }
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
    fn no_share_of_few_is_without_an_error() {
        // (p̂ + 1/2n ± √(p̂(1 − p̂)/n + 1/4n²)) / (1 + 1/n): of 4, none: from 0 to 0.2.
        assert!((share_error(0.0, 4) - 0.1).abs() < 1e-15);
        assert_eq!(share_error(1.0, 4), share_error(0.0, 4));
        assert!((share_error(0.5, 4) - 0.05_f64.sqrt()).abs() < 1e-15);
        // Of many it is the usual one.
        let usual = (0.3_f64 * 0.7 / 1e6).sqrt();
        assert!((share_error(0.3, 1_000_000) / usual - 1.0).abs() < 1e-5);
        assert!(share_error(0.3, 0).is_nan());
    }

    #[test]
    fn percents_have_no_digits_that_a_product_leaves_behind() {
        assert_eq!(percent(0.07), "7 %");
        assert_eq!(percent(0.29), "29 %");
        assert_eq!(percent(0.125), "12.5 %");
    }
}
