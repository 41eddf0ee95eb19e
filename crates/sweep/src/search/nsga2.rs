//! NSGA-II for several aims (Deb, Pratap, Agarwal and Meyarivan 2002, "A fast and elitist multiobjective genetic
//! algorithm: NSGA-II").

use super::draws::Draws;
use super::front::{crowding, ranks};
use super::{Gene, Told};

/// Probability that two parents are mixed, not one copied.
const MIXED: f64 = 0.9;
/// How near children of numbers are to their parents (Deb and Agrawal 1995).
const NEAR_PARENTS: f64 = 15.0;
/// How near a changed number is to what it was (Deb and Goyal 1996).
const NEAR_ITSELF: f64 = 20.0;

/// Points that may have children, the better first.
#[derive(Debug)]
pub(super) struct Population(Vec<Vec<f64>>);

impl Population {
    /// The best `size` points after all generations of `told`: of those that lived before and the new ones, those of
    /// the lowest ranks, and of the last rank those with the most room. Points without losses never live.
    pub(super) fn of(told: &[Vec<Told>], size: usize) -> Self {
        let mut living: Vec<(&[f64], &Vec<f64>)> = Vec::new();
        for generation in told {
            living.extend(
                generation
                    .iter()
                    .filter_map(|one| Some((one.point.as_slice(), one.losses.as_ref()?))),
            );
            let losses: Vec<Vec<f64>> =
                living.iter().map(|(_, losses)| (*losses).clone()).collect();
            living = best_first(&losses)
                .into_iter()
                .take(size)
                .filter_map(|index| living.get(index).copied())
                .collect();
        }
        Self(
            living
                .into_iter()
                .map(|(point, _)| point.to_vec())
                .collect(),
        )
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The better of two that are drawn.
    fn parent(&self, draws: &mut Draws) -> Vec<f64> {
        let (a, b) = (draws.index(self.0.len()), draws.index(self.0.len()));
        self.0.get(a.min(b)).cloned().unwrap_or_default()
    }

    /// A child of two parents.
    pub(super) fn child(&self, genes: &[Gene], draws: &mut Draws) -> Vec<f64> {
        let (mut child, other) = (self.parent(draws), self.parent(draws));
        if draws.chance(MIXED) {
            for ((x, &y), gene) in child.iter_mut().zip(&other).zip(genes) {
                if draws.chance(0.5) {
                    *x = match gene {
                        Gene::Number => between(*x, y, draws),
                        Gene::Choice(_) => y,
                    };
                }
            }
        }
        for (x, gene) in child.iter_mut().zip(genes) {
            if draws.chance(1.0 / genes.len().max(1) as f64) {
                *x = match gene {
                    Gene::Number => moved(*x, draws),
                    Gene::Choice(_) => draws.uniform(),
                };
            }
        }
        child
    }
}

/// Places of `losses` by rank, those with more room first within a rank.
fn best_first(losses: &[Vec<f64>]) -> Vec<usize> {
    let ranks = ranks(losses);
    let mut room = vec![0.0; losses.len()];
    for rank in 0..=ranks.iter().copied().max().unwrap_or(0) {
        let members: Vec<usize> = (0..losses.len()).filter(|&i| ranks[i] == rank).collect();
        let own: Vec<&[f64]> = members.iter().map(|&i| losses[i].as_slice()).collect();
        for (index, distance) in members.into_iter().zip(crowding(&own)) {
            room[index] = distance;
        }
    }
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&a, &b| {
        let rank = ranks[a].cmp(&ranks[b]);
        rank.then(room[b].total_cmp(&room[a])).then(a.cmp(&b))
    });
    order
}

/// A number around one of two parents (simulated binary crossover).
fn between(x: f64, y: f64, draws: &mut Draws) -> f64 {
    let u = draws.uniform();
    let spread = if u <= 0.5 {
        (2.0 * u).powf(1.0 / (NEAR_PARENTS + 1.0))
    } else {
        (1.0 / (2.0 * (1.0 - u))).powf(1.0 / (NEAR_PARENTS + 1.0))
    };
    let sign = if draws.chance(0.5) { 1.0 } else { -1.0 };
    (0.5 * (x + y) + sign * 0.5 * spread * (x - y)).clamp(0.0, 1.0)
}

/// A number near `x` (polynomial mutation).
fn moved(x: f64, draws: &mut Draws) -> f64 {
    let u = draws.uniform();
    let power = 1.0 / (NEAR_ITSELF + 1.0);
    let step = if u < 0.5 {
        (2.0 * u).powf(power) - 1.0
    } else {
        1.0 - (2.0 * (1.0 - u)).powf(power)
    };
    (x + step).clamp(0.0, 1.0)
}
