//! What choices at random come to, as the control of another.

use crate::error::CoresetError;
use crate::facility::assign::owners;
use crate::facility::cloud::Cloud;
use crate::facility::team::Team;
use crate::random::Purpose;
use crate::select::Selection;

/// What as many samples of each group come to that are drawn at random, once or several times.
#[derive(Debug, Clone, PartialEq)]
pub struct RandomChoices {
    costs: Vec<f64>,
    distances: Vec<f32>,
}

impl RandomChoices {
    /// The k-medoids cost of each draw; infinite where a group has none.
    pub fn costs(&self) -> &[f64] {
        &self.costs
    }

    /// The mean of the costs.
    pub fn mean(&self) -> f64 {
        afterimage_numeric::mean(&self.costs)
    }

    /// The standard deviation of the costs over draws, where there are several.
    pub fn deviation(&self) -> Option<f64> {
        (self.costs.len() > 1).then(|| afterimage_numeric::mean_and_deviation(&self.costs).1)
    }

    /// In the first draw, the distance of each sample that was asked for to the nearest drawn one of its group; NaN
    /// for one that was drawn itself, infinite where nothing of its group was.
    pub fn distances(&self) -> &[f32] {
        &self.distances
    }
}

impl Selection<'_> {
    /// As many samples of each group, drawn at random, once for each of `draws` seeds behind that of the settings,
    /// and how far the samples `of`, in ascending order, lie from those of the first.
    ///
    /// # Errors
    /// Threads that the system refuses.
    pub fn at_random(&self, draws: u64, of: &[usize]) -> Result<RandomChoices, CoresetError> {
        Ok(self.pool()?.install(|| {
            let mut distances = vec![f32::INFINITY; of.len()];
            let seeds = (1..=draws).map(|draw| self.settings.seed.wrapping_add(draw));
            let cost = |(index, seed): (usize, u64)| {
                let of = if index == 0 { of } else { &[] };
                self.random_cost(seed, of, &mut distances)
            };
            let costs = seeds.enumerate().map(cost).collect();
            RandomChoices { costs, distances }
        }))
    }

    /// The cost of one draw; the distances of the samples `of` are put into `distances`.
    fn random_cost(&self, seed: u64, of: &[usize], distances: &mut [f32]) -> f64 {
        let groups = self.groups.iter().zip(&self.counts).enumerate();
        let cost = |(group, (ids, count)): (usize, (&Vec<usize>, &usize))| {
            if *count == 0 {
                return f64::INFINITY;
            }
            let all: Vec<usize> = (0..ids.len()).collect();
            let order = Purpose::Subset
                .draws(seed, group as u64)
                .chosen_wide(&all, *count);
            let cloud = Cloud::new(self.evidence.points, ids, self.plan.groups[group].turned);
            let owners = owners(&cloud, &order, Team::All);
            for (id, owner) in ids.iter().zip(&owners) {
                if let Ok(at) = of.binary_search(id) {
                    let owner = ids[order[*owner as usize]];
                    distances[at] = self.evidence.points.distance(*id, owner) as f32;
                }
            }
            for place in &order {
                if let Ok(at) = of.binary_search(&ids[*place]) {
                    distances[at] = f32::NAN;
                }
            }
            self.cost(ids, &order, &owners)
        };
        groups.map(cost).sum()
    }
}

#[cfg(test)]
mod tests {
    use crate::{Budget, CoresetError, Evidence, Matrix, Points, Selection, Settings};

    #[test]
    fn the_distances_of_the_first_draw_make_its_cost() -> Result<(), CoresetError> {
        let values: Vec<f32> = (0..80 * 3).map(|at| (at as f32 * 1.7).sin()).collect();
        let points = Points::Rows(Matrix::new("rows", 80, 3, values)?);
        let selection = Selection::plan(Evidence::of(&points), Settings::new(Budget::Count(8)))?;
        let all: Vec<usize> = (0..80).collect();
        let found = selection.at_random(3, &all)?;
        let drawn = found.distances().iter().filter(|d| d.is_nan()).count();
        assert_eq!((drawn, found.costs().len()), (8, 3));
        let others = found.distances().iter().filter(|d| !d.is_nan());
        let sum: f64 = others.map(|d| f64::from(*d)).sum();
        assert!((sum - found.costs()[0]).abs() < 1e-4 * sum);
        // Some of the samples are as all of them, and change no cost.
        let some = selection.at_random(3, &all[20..60])?;
        assert_eq!(some.costs(), found.costs());
        let same = some.distances().iter().zip(&found.distances()[20..]);
        assert!(same.into_iter().all(|(a, b)| a.to_bits() == b.to_bits()));
        assert!(found.deviation().is_some_and(|sd| sd > 0.0));
        assert_eq!(selection.at_random(1, &[])?.deviation(), None);
        Ok(())
    }
}
