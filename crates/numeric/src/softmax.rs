//! Probabilities from logits.

/// Puts the probabilities exp(x) / Σ exp in place of the logits x. Without logits nothing happens.
///
/// # Examples
/// ```
/// let mut x = [0.0, 3f64.ln()];
/// afterimage_numeric::softmax(&mut x);
/// assert!((x[0] - 0.25).abs() < 1e-15 && (x[1] - 0.75).abs() < 1e-15);
/// ```
pub fn softmax(logits: &mut [f64]) {
    let most = largest(logits);
    logits.iter_mut().for_each(|x| *x = (*x - most).exp());
    let sum: f64 = logits.iter().sum();
    logits.iter_mut().for_each(|x| *x /= sum);
}

/// [`softmax`] with every step in 32 bits.
pub fn softmax_f32(logits: &mut [f32]) {
    let most = largest_f32(logits);
    logits.iter_mut().for_each(|x| *x = (*x - most).exp());
    let sum: f32 = logits.iter().sum();
    logits.iter_mut().for_each(|x| *x /= sum);
}

/// [`softmax`] of logits whose distances from the largest are taken in 32 bits, and all else in 64.
pub fn softmax_by_f32(logits: &[f32]) -> Vec<f64> {
    let most = largest_f32(logits);
    let powers = logits.iter().map(|x| f64::from(x - most).exp());
    let mut powers: Vec<f64> = powers.collect();
    let sum: f64 = powers.iter().sum();
    powers.iter_mut().for_each(|x| *x /= sum);
    powers
}

/// ln Σ exp(x): the cross entropy of a class is this less its logit. −∞ of nothing.
pub fn log_sum_exp(logits: &[f64]) -> f64 {
    let most = largest(logits);
    let sum: f64 = logits.iter().map(|x| (x - most).exp()).sum();
    most + sum.ln()
}

fn largest(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

fn largest_f32(values: &[f32]) -> f32 {
    values.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [0.1, -2.3, 4.7, 0.0];

    #[test]
    fn large_logits_do_not_overflow_and_what_is_no_number_stays_none() {
        let mut x = [800.0, 0.0, -800.0];
        softmax(&mut x);
        assert_eq!(x, [1.0, 0.0, 0.0]);
        let mut x = [0.0; 4];
        softmax(&mut x);
        assert_eq!(x, [0.25; 4]);
        let mut x = [f64::NAN, 1.0];
        softmax(&mut x);
        assert!(x.iter().all(|x| x.is_nan()));
        softmax(&mut []);
        assert_eq!(softmax_by_f32(&[]), [0.0; 0]);
        assert!((log_sum_exp(&[800.0, 800.0]) - 800.0 - 2f64.ln()).abs() < 1e-12);
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
    }

    #[test]
    fn the_three_widths_agree_to_rounding() {
        let mut wide = LOGITS.map(f64::from);
        let own = wide[2];
        let cross = log_sum_exp(&wide) - own;
        softmax(&mut wide);
        assert!((cross + wide[2].ln()).abs() < 1e-14);
        assert!((wide.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        let mut narrow = LOGITS;
        softmax_f32(&mut narrow);
        for (at, mixed) in softmax_by_f32(&LOGITS).into_iter().enumerate() {
            assert!((mixed - wide[at]).abs() < 1e-7);
            assert!((f64::from(narrow[at]) - wide[at]).abs() < 1e-6);
        }
    }
}
