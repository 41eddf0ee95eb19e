//! What each choice was worth when it was made.

use rayon::prelude::*;

use crate::points::Points;
use crate::select::Coreset;

/// Samples that are summed at a time; sums are added in their order, so that no bit depends on the
/// number of threads.
const PART: usize = 256;

impl Coreset {
    /// By how much each choice, in the order of choice, made the sum over the samples of the distance to
    /// the nearest chosen one smaller; the first beside a sample that is d₀ away from all. They add up to
    /// `objective`, but for rounding. `None` where the samples were chosen from several groups.
    ///
    /// Takes the time of `k · n` distances for `k` of the `n` samples of `points`, on the threads of the
    /// current pool.
    ///
    /// # Panics
    /// If these are not the points that were chosen from.
    pub fn gains(&self, points: &Points<'_>) -> Option<Vec<f64>> {
        let &[_] = self.plan.groups.as_slice() else {
            return None;
        };
        let (samples, chosen) = (points.len(), self.indices.len());
        let parts: Vec<Vec<f64>> = (0..samples.div_ceil(PART))
            .into_par_iter()
            .map(|part| {
                let mut costs = vec![0.0; chosen];
                for sample in part * PART..samples.min((part + 1) * PART) {
                    let mut nearest = f64::INFINITY;
                    for (cost, &index) in costs.iter_mut().zip(&self.indices) {
                        nearest = nearest.min(points.distance(sample, index));
                        *cost += nearest;
                    }
                }
                costs
            })
            .collect();
        let mut before = self.objective + self.cost;
        let gain = |place: usize| {
            let cost: f64 = parts.iter().map(|costs| costs[place]).sum();
            let gain = before - cost;
            before = cost;
            gain
        };
        Some((0..chosen).map(gain).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Budget, CoresetError, Evidence, LentMatrix, Matrix, Partition, Selection, Settings,
    };

    #[test]
    fn gains_of_a_line_are_those_by_hand() -> Result<(), CoresetError> {
        let values = [0.0, 1.0, 9.0, 10.0, 11.0];
        let points = Points::Rows(LentMatrix::lent("features", 5, 1, &values)?);
        let settings = Settings::new(Budget::Count(2));
        let coreset = Selection::plan(Evidence::of(&points), settings)?.run()?;
        assert_eq!(coreset.indices, [2, 0]);
        // Distances to 9 are 9, 8, 0, 1, 2; to 0 or 9 they are 0, 1, 0, 1, 2. The largest is 11.
        let gains = coreset.gains(&points).unwrap_or_default();
        let expected = [5.0 * 11.0 - 20.0, 16.0];
        for (gain, expected) in gains.iter().zip(expected) {
            assert!((gain - expected).abs() < 1e-4, "{gains:?}");
        }
        assert!((gains.iter().sum::<f64>() - coreset.objective).abs() < 1e-9);

        let apart = Settings {
            partition: Partition::Classes(&[0, 0, 1, 1, 1]),
            ..settings
        };
        let coreset = Selection::plan(Evidence::of(&points), apart)?.run()?;
        assert_eq!(coreset.gains(&points), None);
        Ok(())
    }

    #[test]
    fn what_is_lent_chooses_like_what_is_owned() -> Result<(), CoresetError> {
        let values: Vec<f32> = (0..200).map(|i| ((i * 37) % 101) as f32).collect();
        let choose = |points: &Points<'_>| {
            Selection::plan(Evidence::of(points), Settings::new(Budget::Count(9)))?.run()
        };
        let lent = choose(&Points::Rows(LentMatrix::lent("x", 50, 4, &values)?))?;
        let owned = choose(&Points::Rows(Matrix::new("x", 50, 4, values.clone())?))?;
        assert_eq!((lent.indices, lent.owners), (owned.indices, owned.owners));
        assert!(LentMatrix::lent("x", 50, 3, &values).is_err());
        Ok(())
    }
}
