//! Values that change over a run as pure functions of the step.

use std::f64::consts::PI;

/// From `from` at step 0 to `to` at step `total` along half a cosine; `to` beyond.
pub(crate) fn cosine(from: f64, to: f64, step: u64, total: u64) -> f64 {
    let share = progress(step, total);
    to - (to - from) * 0.5 * (1.0 + (PI * share).cos())
}

/// From `from` at step 0 to `to` at step `total` along a straight line; `to` beyond.
pub(crate) fn linear(from: f64, to: f64, step: u64, total: u64) -> f64 {
    from + (to - from) * progress(step, total)
}

fn progress(step: u64, total: u64) -> f64 {
    if step >= total {
        1.0
    } else {
        step as f64 / total as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ramps_go_from_end_to_end_without_turning_back(
            from in -1.0f64..1.0,
            to in -1.0f64..1.0,
            total in 0u64..300,
        ) {
            for ramp in [cosine, linear] {
                let values: Vec<f64> = (0..=total + 3).map(|s| ramp(from, to, s, total)).collect();
                if total > 0 {
                    prop_assert!((values[0] - from).abs() < 1e-12);
                }
                prop_assert!((values[total as usize] - to).abs() < 1e-12);
                let steps = values.windows(2).map(|w| (w[1] - w[0]) * (to - from));
                prop_assert!(steps.fold(0.0, f64::min) > -1e-12);
            }
        }
    }

    #[test]
    fn half_way_is_the_mean_of_the_ends() {
        assert!((cosine(0.996, 1.0, 50, 100) - 0.998).abs() < 1e-12);
        assert!((linear(0.04, 0.07, 15, 30) - 0.055).abs() < 1e-12);
        // A quarter of the way: 1 − 0.004 · ½ (1 + cos(π/4)).
        assert!((cosine(0.996, 1.0, 25, 100) - 0.996_585_786_437_626_9).abs() < 1e-12);
    }
}
