//! What a choice at random would cost, as the control of another.

use crate::error::CoresetError;
use crate::facility::assign::owners;
use crate::facility::cloud::Cloud;
use crate::facility::team::Team;
use crate::random::Purpose;
use crate::select::Selection;

impl Selection<'_> {
    /// The k-medoids cost of as many samples of each group, drawn at random, once for each of `draws` seeds
    /// behind that of the settings. Infinite where a group has none.
    ///
    /// # Errors
    /// Threads that the system refuses.
    pub fn random_costs(&self, draws: u64) -> Result<Vec<f64>, CoresetError> {
        Ok(self.pool()?.install(|| {
            let seeds = (1..=draws).map(|draw| self.settings.seed.wrapping_add(draw));
            seeds.map(|seed| self.random_cost(seed)).collect()
        }))
    }

    fn random_cost(&self, seed: u64) -> f64 {
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
            self.cost(ids, &order, &owners)
        };
        groups.map(cost).sum()
    }
}
