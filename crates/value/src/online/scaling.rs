//! Inputs of mean 0 and deviation 1.

use serde::{Deserialize, Serialize};

/// Mean and standard deviation of each input.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scaling {
    /// Puts scaled numbers in place; a number that never differs becomes 0, as does one that is not
    /// finite.
    pub fn apply(&self, row: &mut [f32]) {
        let stats = self.mean.iter().zip(&self.deviation);
        for (x, (mean, deviation)) in row.iter_mut().zip(stats) {
            let z = (f64::from(*x) - mean) / deviation;
            *x = if z.is_finite() { z as f32 } else { 0.0 };
        }
    }
}

/// Running mean and variance of each input (Welford 1962), of the last rows where old ones fade.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    count: f64,
    /// A row weighs at least one over this.
    most: f64,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Moments {
    /// Moments of no row yet, to which all rows count alike.
    pub fn new(width: usize) -> Self {
        Self::fading(width, f64::INFINITY)
    }

    /// Moments in which a row weighs at least 1 / `most`, so that they follow inputs that change.
    pub fn fading(width: usize, most: f64) -> Self {
        Self {
            count: 0.0,
            most,
            mean: vec![0.0; width],
            variance: vec![0.0; width],
        }
    }

    /// Adds a row.
    pub fn add(&mut self, row: &[f32]) {
        self.count = (self.count + 1.0).min(self.most);
        let weight = 1.0 / self.count;
        let stats = self.mean.iter_mut().zip(&mut self.variance);
        for (&x, (mean, variance)) in row.iter().zip(stats) {
            let before = f64::from(x) - *mean;
            *mean += weight * before;
            *variance = (1.0 - weight) * (*variance + weight * before * before);
        }
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.mean.len()
    }

    /// Mean and standard deviation of the rows so far.
    pub fn scaling(&self) -> Scaling {
        Scaling {
            mean: self.mean.clone(),
            deviation: self.variance.iter().map(|v| v.sqrt()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_standard_and_constants_vanish() {
        let rows = [[1.0f32, 5.0], [3.0, 5.0], [5.0, 5.0]];
        let mut moments = Moments::new(2);
        rows.iter().for_each(|row| moments.add(row));
        let scaling = moments.scaling();
        let mut row = rows[2];
        scaling.apply(&mut row);
        assert!((f64::from(row[0]) - 2.0 / (8.0f64 / 3.0).sqrt()).abs() < 1e-6);
        assert_eq!(row[1], 0.0);
    }

    #[test]
    fn fading_moments_follow_what_changes() {
        let mut moments = Moments::fading(1, 50.0);
        (0..500).for_each(|i| moments.add(&[f32::from(u8::from(i % 2 == 0))]));
        (0..500).for_each(|i| moments.add(&[10.0 + 2.0 * f32::from(u8::from(i % 2 == 0))]));
        assert!((moments.mean[0] - 11.0).abs() < 0.1);
        assert!((moments.variance[0] - 1.0).abs() < 0.1);
    }
}
