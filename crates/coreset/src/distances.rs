//! How far samples lie from what was chosen, and which of the chosen are equal.

use crate::points::Points;
use crate::select::Coreset;

impl Coreset {
    /// The distance in `points` of each of the samples `of` to the nearest chosen one of its group; NaN for one that
    /// was chosen itself, infinite where nothing of its group was.
    ///
    /// # Panics
    /// If the points are fewer than those that were chosen from, or there is no such sample.
    pub fn distances(&self, points: &Points<'_>, of: &[usize]) -> Vec<f32> {
        let mut is_chosen = vec![false; self.owners.len()];
        for index in &self.indices {
            is_chosen[*index] = true;
        }
        let distance = |sample: &usize| match self.owners[*sample] {
            _ if is_chosen[*sample] => f32::NAN,
            Some(owner) => points.distance(*sample, self.indices[owner as usize]) as f32,
            None => f32::INFINITY,
        };
        of.iter().map(distance).collect()
    }

    /// The chosen samples that are equal to one chosen before, as far as 24 bits tell: their places in the order of
    /// choice, each with the place of the first that it equals.
    pub fn repeats(&self) -> Vec<(usize, usize)> {
        let owner = |(place, index): (usize, &usize)| Some((place, self.owners[*index]? as usize));
        let owners = self.indices.iter().enumerate().filter_map(owner);
        owners.filter(|(place, owner)| place != owner).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Budget, CoresetError, Evidence, Matrix, Partition, Points, Selection, Settings};

    #[test]
    fn distances_are_those_to_the_nearest_chosen_of_the_group() -> Result<(), CoresetError> {
        // Two classes on a line; 1 and 9 lie in the middle of theirs.
        let values = vec![0.0, 9.0, 1.0, 8.0, 3.0, 11.0];
        let points = Points::Rows(Matrix::new("rows", 6, 1, values)?);
        let settings = Settings {
            partition: Partition::Classes(&[0, 1, 0, 1, 0, 1]),
            ..Settings::new(Budget::Count(2))
        };
        let coreset = Selection::plan(Evidence::of(&points), settings)?.run()?;
        assert_eq!(coreset.indices, [2, 1]);
        let found = coreset.distances(&points, &[0, 1, 2, 3, 5]);
        assert!(found[1].is_nan() && found[2].is_nan());
        assert_eq!([found[0], found[3], found[4]], [1.0, 1.0, 2.0]);
        assert!(coreset.repeats().is_empty());
        // One for two classes: nothing of the other was chosen.
        let settings = Settings {
            partition: Partition::Classes(&[0, 1, 0, 1, 0, 1]),
            ..Settings::new(Budget::Count(1))
        };
        let coreset = Selection::plan(Evidence::of(&points), settings)?.run()?;
        let found = coreset.distances(&points, &[0, 1, 2, 3, 4, 5]);
        let lost = found.iter().filter(|distance| distance.is_infinite());
        assert_eq!(lost.count(), 3);
        Ok(())
    }

    #[test]
    fn the_same_samples_chosen_again_are_told_with_the_first() -> Result<(), CoresetError> {
        let values = vec![0.0, 5.0, 0.0, 5.0, 0.0];
        let points = Points::Rows(Matrix::new("rows", 5, 1, values)?);
        let settings = Settings::new(Budget::Count(5));
        let coreset = Selection::plan(Evidence::of(&points), settings)?.run()?;
        let repeats = coreset.repeats();
        assert_eq!(repeats.len(), 3);
        for (place, first) in repeats {
            let value = |place: usize| coreset.indices[place] % 2;
            assert!(first < place && value(first) == value(place));
            assert_eq!(coreset.weights[place], 0.0);
        }
        Ok(())
    }
}
