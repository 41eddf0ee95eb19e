//! How much of which site goes for a budget, from what each lost alone.

/// One measured step of a site: so many units gone, so much lost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rung {
    pub(super) gone: usize,
    pub(super) lost: f64,
}

/// The step of each site (from 1; 0 for none) with which `cost` is at most `most`, by what is lost for
/// each unit of cost that is saved; ties by the order of sites and steps. `cost` takes the units that are
/// gone of each site. `None` where no steps suffice.
///
/// Losses of sites are added up, which joint pruning need not obey; what the steps lose together is for
/// the caller to measure.
pub(super) fn greedy(
    ladders: &[Vec<Rung>],
    cost: impl Fn(&[usize]) -> u64,
    most: u64,
) -> Option<Vec<usize>> {
    let gone = |steps: &[usize]| -> Vec<usize> {
        let of = |(ladder, step): (&Vec<Rung>, &usize)| rung(ladder, *step).gone;
        ladders.iter().zip(steps).map(of).collect()
    };
    let costs = |steps: &[usize]| cost(&gone(steps));
    let mut steps = vec![0; ladders.len()];
    while costs(&steps) > most {
        let now = costs(&steps);
        let mut best: Option<(f64, usize, usize)> = None;
        for (site, ladder) in ladders.iter().enumerate() {
            for step in steps[site] + 1..=ladder.len() {
                let mut tried = steps.clone();
                tried[site] = step;
                let saved = now.saturating_sub(costs(&tried));
                if saved == 0 {
                    continue;
                }
                let lost = rung(ladder, step).price() - rung(ladder, steps[site]).price();
                let price = lost / saved as f64;
                if best.is_none_or(|(least, ..)| price < least) {
                    best = Some((price, site, step));
                }
            }
        }
        let (_, site, step) = best?;
        steps[site] = step;
    }
    // The last step may have been larger than it had to be, and so may earlier ones since.
    for site in (0..ladders.len()).rev() {
        let enough = |step: &usize| {
            let mut tried = steps.clone();
            tried[site] = *step;
            costs(&tried) <= most
        };
        let lost = |step: &usize| rung(&ladders[site], *step).price();
        let fewer = (0..=steps[site]).filter(enough);
        let least = fewer.min_by(|a, b| lost(a).total_cmp(&lost(b)).then(a.cmp(b)));
        steps[site] = least.unwrap_or(steps[site]);
    }
    Some(steps)
}

impl Rung {
    /// What it counts for: the lowest of many measured losses is below 0 by luck, so that a gain is no
    /// reason to take units out.
    pub(super) fn price(&self) -> f64 {
        self.lost.max(0.0)
    }
}

fn rung(ladder: &[Rung], step: usize) -> Rung {
    let none = Rung { gone: 0, lost: 0.0 };
    match step.checked_sub(1) {
        None => none,
        Some(at) => ladder.get(at).copied().unwrap_or(none),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn ladder(steps: &[(usize, f64)]) -> Vec<Rung> {
        let rung = |&(gone, lost): &(usize, f64)| Rung { gone, lost };
        steps.iter().map(rung).collect()
    }

    /// Ten units a site; those of the second cost twice.
    fn cost(gone: &[usize]) -> u64 {
        gone.iter()
            .zip(1..)
            .map(|(gone, price)| (10 - *gone as u64) * price)
            .sum()
    }

    #[test]
    fn what_loses_least_for_its_cost_goes_first() {
        let cheap = ladder(&[(3, 0.01), (6, 0.02)]);
        let dear = ladder(&[(3, 0.3), (6, 0.9)]);
        // 30 in all; 24 are left when six of the first are gone.
        assert_eq!(
            greedy(&[cheap.clone(), dear.clone()], cost, 24).unwrap(),
            [2, 0]
        );
        assert_eq!(
            greedy(&[dear.clone(), cheap.clone()], cost, 24).unwrap(),
            [0, 1]
        );
        assert_eq!(
            greedy(&[cheap.clone(), dear.clone()], cost, 18).unwrap(),
            [2, 1]
        );
        assert_eq!(
            greedy(&[cheap.clone(), dear.clone()], cost, 30).unwrap(),
            [0, 0]
        );
        assert_eq!(greedy(&[cheap, dear], cost, 11), None);
    }

    #[test]
    fn a_step_beyond_a_hump_is_seen_and_one_too_many_is_taken_back() {
        let hump = ladder(&[(3, 0.5), (6, 0.1)]);
        assert_eq!(greedy(&[hump], |gone| 10 - gone[0] as u64, 7).unwrap(), [2]);
        // The large step of the first is cheapest for its cost, but the small one of it suffices.
        let large = ladder(&[(2, 0.05), (9, 0.06)]);
        assert_eq!(
            greedy(&[large], |gone| 10 - gone[0] as u64, 8).unwrap(),
            [1]
        );
    }

    #[test]
    fn a_gain_by_luck_takes_nothing_out_that_the_budget_leaves() {
        let lucky = ladder(&[(3, -0.02), (6, -0.05)]);
        let plain = ladder(&[(3, 0.0)]);
        // 30 in all; two units of the second would do, and its smallest step is three.
        let steps = greedy(&[lucky, plain], cost, 26).unwrap();
        assert!(steps == [0, 1] || steps == [2, 0], "{steps:?}");
        let gone = [[0, 3, 6][steps[0]], [0, 3][steps[1]]];
        assert!(cost(&gone) <= 26);
        let lucky = ladder(&[(3, -0.02), (6, -0.05)]);
        assert_eq!(
            greedy(&[lucky], |gone| 10 - gone[0] as u64, 10).unwrap(),
            [0]
        );
    }

    proptest! {
        #[test]
        fn the_budget_is_kept_or_out_of_reach(
            ladders in prop::collection::vec(
                prop::collection::vec(-0.1f64..1.0, 0..4), 1..4
            ),
            most in 0u64..60,
        ) {
            let ladders: Vec<Vec<Rung>> = ladders
                .iter()
                .map(|lost| {
                    let rungs = lost.iter().enumerate();
                    rungs.map(|(at, lost)| Rung { gone: 3 * (at + 1), lost: *lost }).collect()
                })
                .collect();
            let gone = |steps: &[usize]| -> Vec<usize> {
                steps.iter().map(|step| 3 * step).collect()
            };
            let all: Vec<usize> = ladders.iter().map(Vec::len).collect();
            match greedy(&ladders, cost, most) {
                Some(steps) => prop_assert!(cost(&gone(&steps)) <= most),
                None => prop_assert!(cost(&gone(&all)) > most),
            }
        }
    }
}
