//! Means over seeds, and what of them nothing beats.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::aims::Aim;
use crate::compare::interval;
use crate::config::Direction;
use crate::results::{Configuration, Row};
use crate::search::front::front;
use crate::standing::State;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error; `None` for fewer than two trials.
    pub standard_error: Option<f64>,
    /// Its 95 % interval by Student's t; likewise.
    pub interval: Option<(f64, f64)>,
}

/// Each aim over the trials of a configuration that are done.
pub(crate) fn aims(aims: &[Aim], members: &[&Row]) -> BTreeMap<String, Mean> {
    let of = |aim: &Aim| {
        let done = members
            .iter()
            .filter(|row| row.standing.state == State::Done);
        let values: Vec<f64> = done
            .filter_map(|row| row.standing.aims.get(&aim.name).copied())
            .collect();
        let (mean, standard_error) = mean(&values);
        Some((
            aim.name.clone(),
            Mean {
                mean: mean?,
                standard_error,
                interval: interval(&values),
            },
        ))
    };
    aims.iter().filter_map(of).collect()
}

/// Says of each configuration with several aims whether it is on the front of its stage.
pub(crate) fn mark_fronts(
    all: &mut [(Configuration, Direction)],
    judged: &BTreeMap<&Option<String>, &[Aim]>,
) {
    for (stage, aims) in judged.iter().filter(|(_, aims)| !aims.is_empty()) {
        let mut places = Vec::new();
        let mut losses: Vec<Vec<f64>> = Vec::new();
        for (place, (of, _)) in all
            .iter_mut()
            .enumerate()
            .filter(|(_, (of, _))| of.stage == **stage)
        {
            if of.open > 0 {
                continue;
            }
            of.front = Some(false);
            let loss = |aim: &Aim| {
                let mean = of.aims.get(&aim.name)?.mean;
                Some(match aim.direction {
                    Direction::Minimize => mean,
                    Direction::Maximize => -mean,
                })
            };
            let own: Option<Vec<f64>> = aims.iter().map(loss).collect();
            if let Some(own) = own.filter(|_| of.failed + of.stopped + of.skipped == 0) {
                places.push(place);
                losses.push(own);
            }
        }
        for (place, is_front) in places.into_iter().zip(front(&losses)) {
            if let Some((of, _)) = all.get_mut(place) {
                of.front = Some(is_front);
            }
        }
    }
}

/// Which of two means comes first; those that are not known come last.
pub(crate) fn best_first(
    direction: Direction,
    a: Option<f64>,
    b: Option<f64>,
) -> std::cmp::Ordering {
    let (a, b) = (a.unwrap_or(f64::NAN), b.unwrap_or(f64::NAN));
    direction.is_better(b, a).cmp(&direction.is_better(a, b))
}

/// Mean and its standard error, s/√n with the sample's standard deviation s.
pub(crate) fn mean(values: &[f64]) -> (Option<f64>, Option<f64>) {
    let n = values.len() as f64;
    if values.is_empty() {
        return (None, None);
    }
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (Some(mean), None);
    }
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    (Some(mean), Some((squares / (n - 1.0) / n).sqrt()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_error_is_that_of_the_mean() {
        // Mean 3, deviation √2.5, n = 5: √2.5/√5 = 0.7071…
        let (m, se) = mean(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(m, Some(3.0));
        assert!(se.is_some_and(|se| (se - 0.5f64.sqrt()).abs() < 1e-12));
        assert_eq!(mean(&[2.0]), (Some(2.0), None));
        assert_eq!(mean(&[]), (None, None));
    }

    #[test]
    fn the_best_comes_first_and_what_has_no_value_last() {
        let mut values = [None, Some(1.0), Some(3.0), None, Some(2.0)];
        values.sort_by(|a, b| best_first(Direction::Maximize, *a, *b));
        assert_eq!(values, [Some(3.0), Some(2.0), Some(1.0), None, None]);
        values.sort_by(|a, b| best_first(Direction::Minimize, *a, *b));
        assert_eq!(values, [Some(1.0), Some(2.0), Some(3.0), None, None]);
    }
}
