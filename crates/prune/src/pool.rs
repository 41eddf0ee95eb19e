//! The units of a group that may be pruned, with one score each.

use afterimage_numeric as numeric;

use crate::config::Aggregate;

/// Units that are counted together, with their scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Pool {
    /// Name of the group or site.
    pub name: String,
    /// Units that there were before anything was pruned, at least those that are there.
    pub original: usize,
    /// Which of the units that are there are not pruned.
    pub alive: Vec<bool>,
    /// Score of each unit that is there; none for a unit that has none, which is never pruned.
    pub scores: Vec<Option<f64>>,
    /// Whether no unit may be pruned.
    pub protected: bool,
    /// What is gone of its units in the end, in [0, 1), where it has a fraction of its own; it counts
    /// under [`Scope::Site`](crate::Scope::Site) and [`Budget::Units`](crate::Budget::Units) alone.
    pub fraction: Option<f64>,
}

impl Pool {
    /// A pool of which nothing is pruned; a score that is not a finite number is none.
    pub fn new(name: impl Into<String>, scores: Vec<Option<f64>>) -> Self {
        Self {
            name: name.into(),
            original: scores.len(),
            alive: vec![true; scores.len()],
            scores: scores
                .into_iter()
                .map(|score| score.filter(|score| score.is_finite()))
                .collect(),
            protected: false,
            fraction: None,
        }
    }

    /// Number of units that are pruned already.
    pub fn gone(&self) -> usize {
        self.original - self.alive.iter().filter(|alive| **alive).count()
    }

    /// Units that are there and have a score, in ascending order.
    pub(crate) fn candidates(&self) -> Vec<(usize, f64)> {
        if self.protected {
            return Vec::new();
        }
        let units = self.alive.iter().zip(&self.scores).enumerate();
        units
            .filter_map(|(unit, (alive, score))| Some((unit, (*score).filter(|_| *alive)?)))
            .collect()
    }
}

/// The score of each unit of `channels` channels: the mean of those of its channels that have one.
pub fn over_channels(scores: &[Option<f64>], channels: usize) -> Vec<Option<f64>> {
    scores.chunks(channels.max(1)).map(mean).collect()
}

/// The score of each unit of a group over the sites that show it; none where no site has one.
///
/// Sites with another number of units are left out.
pub fn over_sites(sites: &[Vec<Option<f64>>], units: usize, how: Aggregate) -> Vec<Option<f64>> {
    (0..units)
        .map(|unit| {
            let of_unit = sites.iter().filter(|site| site.len() == units);
            let scores: Vec<Option<f64>> = of_unit.map(|site| finite(site[unit])).collect();
            match how {
                Aggregate::Mean => mean(&scores),
                Aggregate::Max => scores.into_iter().flatten().reduce(f64::max),
            }
        })
        .collect()
}

fn finite(score: Option<f64>) -> Option<f64> {
    score.filter(|score| score.is_finite())
}

fn mean(scores: &[Option<f64>]) -> Option<f64> {
    let scores: Vec<f64> = scores.iter().copied().filter_map(finite).collect();
    (!scores.is_empty()).then(|| numeric::mean(&scores))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_and_sites_are_averaged_over_what_has_a_score() {
        let scores = [Some(1.0), Some(3.0), None, Some(4.0), None, Some(f64::NAN)];
        assert_eq!(over_channels(&scores, 2), [Some(2.0), Some(4.0), None]);
        let sites = [
            vec![Some(1.0), None],
            vec![Some(3.0), None],
            vec![Some(9.0)],
        ];
        assert_eq!(over_sites(&sites, 2, Aggregate::Mean), [Some(2.0), None]);
        assert_eq!(over_sites(&sites, 2, Aggregate::Max), [Some(3.0), None]);
    }

    #[test]
    fn a_pool_knows_what_is_gone() {
        let mut pool = Pool::new("a", vec![Some(1.0), Some(f64::NAN), None, Some(2.0)]);
        assert_eq!(pool.scores, [Some(1.0), None, None, Some(2.0)]);
        pool.alive[3] = false;
        pool.original = 10;
        assert_eq!(pool.gone(), 7);
        assert_eq!(pool.candidates(), [(0, 1.0)]);
    }
}
