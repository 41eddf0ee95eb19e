//! Shares of things that are counted.

/// The standard error of a share `p` of `count` of which each is counted or not: half of Wilson's interval at one
/// standard error, which is not 0 where the share is 0 or 1; NaN of none (E. B. Wilson, 1927).
pub fn share_error(p: f64, count: usize) -> f64 {
    let count = count as f64;
    match count > 0.0 {
        true => (p * (1.0 - p) / count + 0.25 / (count * count)).sqrt() / (1.0 + 1.0 / count),
        false => f64::NAN,
    }
}

/// Wilson's 95 % interval of a share `p` of `count`, within [0, 1].
pub fn share_interval(p: f64, count: usize) -> (f64, f64) {
    const Z: f64 = 1.96;
    let n = count as f64;
    let centre = (p + Z * Z / (2.0 * n)) / (1.0 + Z * Z / n);
    let half = Z / (1.0 + Z * Z / n) * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// The probability that two draws with replacement are of one kind, Σ (nᵢ/N)², of kinds with these counts nᵢ;
/// NaN where all of them are 0.
pub fn chance_of_equal(counts: &[usize]) -> f64 {
    let all = counts.iter().sum::<usize>() as f64;
    let squares = counts.iter().map(|count| (*count as f64 / all).powi(2));
    squares.sum()
}

/// The share of the most frequent of kinds with these counts: how often a guess that looks at nothing is right,
/// at best. NaN of nothing.
pub fn largest_share(counts: &[usize]) -> f64 {
    let most = counts.iter().max().copied().unwrap_or(0);
    most as f64 / counts.iter().sum::<usize>() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn wilsons_interval_is_that_of_the_textbook() {
        // Of 10, 5: 0.2366 to 0.7634.
        let (low, high) = share_interval(0.5, 10);
        assert!((low - 0.2366).abs() < 1e-4 && (high - 0.7634).abs() < 1e-4);
        assert_eq!(share_interval(0.0, 10).0, 0.0);
        assert!(share_interval(1.0, 10).1 <= 1.0);
    }

    #[test]
    fn chances_of_two_kinds() {
        assert_eq!(chance_of_equal(&[3, 0, 1]), 0.625);
        assert_eq!(largest_share(&[3, 0, 1]), 0.75);
        assert!(chance_of_equal(&[0]).is_nan() && largest_share(&[]).is_nan());
        assert_eq!(chance_of_equal(&[7]), 1.0);
    }
}
