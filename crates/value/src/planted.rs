//! How well wrong labels are found: some are made wrong on purpose, and looked for by the same rule.

use std::sync::atomic::AtomicBool;

use afterimage_numeric::share_interval;

use crate::answers::Answers;
use crate::draw::Purpose;
use crate::error::ValueError;
use crate::forest::{Forest, start};
use crate::problem::{Problem, Target};
use crate::settings::Settings;
use crate::votes::Votes;

/// Labels that are made wrong, at most.
const MOST: usize = 1000;
/// One of so many labels is.
const EVERY: usize = 20;
/// Rows below which a few labels say nothing.
const FEW_ROWS: usize = 40;

/// What became of labels that were made wrong on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelCheck {
    /// Labels made wrong, at random places, as other labels of the table are.
    pub planted: usize,
    /// Those of them that look wrong ([`Prediction::suspect`](crate::Prediction)).
    pub found: usize,
    /// Those for which the label that was there before is suggested.
    pub right: usize,
    /// Learners that were asked.
    pub learners: u32,
}

impl LabelCheck {
    /// The share that was found.
    pub fn share(&self) -> f64 {
        self.found as f64 / self.planted as f64
    }

    /// Its 95 % interval (Wilson's).
    pub fn interval(&self) -> (f64, f64) {
        share_interval(self.share(), self.planted)
    }
}

/// The learners of [`check_labels`], which are a quarter of those of the valuation; 0 where there is nothing
/// to check: numbers as labels, or few rows.
pub fn check_learners(problem: &Problem, settings: &Settings) -> u32 {
    match problem.target() {
        Target::Classes { .. } if problem.rows() >= FEW_ROWS => {
            (settings.learners / 4).max(50).min(settings.learners)
        }
        _ => 0,
    }
}

/// Makes one of twenty labels wrong, a thousand at most, fits learners to that, and counts how many of these
/// look wrong by the rule of [`Prediction::suspect`](crate::Prediction). None where there is nothing to check
/// ([`check_learners`]). `progress` is told the number of learners done.
///
/// # Errors
/// As [`value`](crate::value).
pub fn check_labels(
    problem: &Problem,
    settings: &Settings,
    progress: &dyn Fn(u32),
) -> Result<Option<LabelCheck>, ValueError> {
    let learners = check_learners(problem, settings);
    if learners == 0 {
        return Ok(None);
    }
    let settings = Settings {
        learners,
        ..*settings
    };
    let pool = start(problem, &settings)?;
    let mut forest = Forest::new(problem, &settings, &pool);
    let Answers::Classes { of, count } = &mut forest.answers else {
        return Ok(None);
    };
    let before = of.clone();
    let places = plant(of, *count, settings.seed);
    let mut votes = Votes::new(&forest.answers);
    let mut add = |_: u32, done: &[_]| votes.add(done);
    forest.run(&pool, &mut add, progress, &AtomicBool::new(false))?;
    let each: Vec<u32> = (0..=before.len() as u32).collect();
    let said = votes.of_groups(&each, (0.0, 1.0));
    let found = |place: &&usize| said[**place].suspect;
    let right = |place: &&usize| said[**place].class == Some(u32::from(before[**place]));
    Ok(Some(LabelCheck {
        planted: places.len(),
        found: places.iter().filter(found).count(),
        right: places.iter().filter(found).filter(right).count(),
        learners,
    }))
}

/// Gives some places the label of another row, of another class; which they are.
fn plant(labels: &mut [u16], classes: usize, seed: u64) -> Vec<usize> {
    let (rows, before) = (labels.len(), labels.to_vec());
    let mut draws = Purpose::Planted.draws(seed, 0);
    let mut places: Vec<usize> = (0..rows).collect();
    let count = (rows / EVERY).clamp(1, MOST);
    for at in 0..count {
        let drawn = at + draws.below((rows - at) as u32) as usize;
        places.swap(at, drawn);
        let own = before[places[at]];
        let other = (0..1000)
            .map(|_| before[draws.below(rows as u32) as usize])
            .find(|label| *label != own);
        // Of hardly any other class: the next one.
        let next = || ((usize::from(own) + 1) % classes) as u16;
        labels[places[at]] = other.unwrap_or_else(next);
    }
    places.truncate(count);
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_labels_are_others_and_the_interval_holds_the_share() {
        let before: Vec<u16> = (0..200).map(|at| u16::from(at % 50 == 0)).collect();
        let mut labels = before.clone();
        let places = plant(&mut labels, 2, 3);
        assert_eq!(places.len(), 10);
        let changed = |at: &usize| labels[*at] != before[*at];
        assert!(places.iter().all(changed));
        assert_eq!((0..200).filter(changed).count(), 10);
        let check = LabelCheck {
            planted: 50,
            found: 45,
            right: 44,
            learners: 100,
        };
        let (low, high) = check.interval();
        assert!(
            (low - 0.786).abs() < 1e-3 && (high - 0.957).abs() < 1e-3,
            "{low} {high}"
        );
    }
}
