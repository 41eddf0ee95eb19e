//! Inputs of mean 0 and deviation 1.

/// Mean and standard deviation of each input.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaling {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scaling {
    /// The scaling of `rows`, each of `width` numbers. They are taken twice, in the same order.
    pub fn of<'a, R: Iterator<Item = &'a [f32]>>(width: usize, rows: impl Fn() -> R) -> Self {
        let mut moments = Moments::new(width);
        rows().for_each(|row| moments.add(row));
        moments.scaling()
    }

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

/// Running mean and sum of squared deviations of each input (Welford 1962).
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    count: f64,
    mean: Vec<f64>,
    squares: Vec<f64>,
}

impl Moments {
    /// Moments of nothing.
    pub fn new(width: usize) -> Self {
        Self {
            count: 0.0,
            mean: vec![0.0; width],
            squares: vec![0.0; width],
        }
    }

    /// Adds a row.
    pub fn add(&mut self, row: &[f32]) {
        self.count += 1.0;
        let stats = self.mean.iter_mut().zip(&mut self.squares);
        for (&x, (mean, squares)) in row.iter().zip(stats) {
            let before = f64::from(x) - *mean;
            *mean += before / self.count;
            *squares += before * (f64::from(x) - *mean);
        }
    }

    /// Mean and standard deviation of the rows so far.
    pub fn scaling(&self) -> Scaling {
        let deviation = self.squares.iter().map(|s| (s / self.count).sqrt());
        Scaling {
            mean: self.mean.clone(),
            deviation: deviation.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_standard_and_constants_vanish() {
        let rows = [[1.0f32, 5.0], [3.0, 5.0], [5.0, 5.0]];
        let scaling = Scaling::of(2, || rows.iter().map(|row| &row[..]));
        let mut row = rows[2];
        scaling.apply(&mut row);
        assert!((f64::from(row[0]) - 2.0 / (8.0f64 / 3.0).sqrt()).abs() < 1e-6);
        assert_eq!(row[1], 0.0);
    }
}
