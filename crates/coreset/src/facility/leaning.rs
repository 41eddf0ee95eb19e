//! Facility location that leans towards some points: what choosing them is worth by itself.

use super::fixed::Fall;
use super::source::Source;
use super::team::Team;

/// A source whose candidates bring a bonus beside what they cover.
///
/// A term that is added once for every choice leaves the objective monotone and submodular (bound:
/// Nemhauser et al. 1978), and whole steps keep gains exact, whatever holds the distances.
pub(crate) struct Leaning<'a, S> {
    source: &'a mut S,
    /// Steps that each point brings.
    bonus: Vec<i64>,
    /// Total distances less the bonus: the least of them is the first choice.
    totals: Vec<i64>,
}

impl<'a, S: Source> Leaning<'a, S> {
    /// `bonus` `[n]` in units of the largest distance, at least 0.
    pub(crate) fn new(source: &'a mut S, bonus: &[f64]) -> Self {
        let largest = f64::from(source.largest());
        let bonus: Vec<i64> = bonus
            .iter()
            .map(|part| (part * largest).round() as i64)
            .collect();
        let totals = source.totals().iter().zip(&bonus);
        let totals = totals.map(|(total, bonus)| total - bonus).collect();
        Self {
            source,
            bonus,
            totals,
        }
    }
}

impl<S: Source> Source for Leaning<'_, S> {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn totals(&self) -> &[i64] {
        &self.totals
    }

    fn largest(&self) -> i32 {
        self.source.largest()
    }

    fn row(&mut self, point: usize, out: &mut Vec<i32>) {
        self.source.row(point, out);
    }

    fn gains(&mut self, nearest: &[i32], team: Team) -> Vec<i64> {
        let mut gains = self.source.gains(nearest, team);
        for (gain, bonus) in gains.iter_mut().zip(&self.bonus) {
            *gain += bonus;
        }
        gains
    }

    fn take(&mut self, gains: &mut [i64], falls: &[Fall], team: Team) {
        self.source.take(gains, falls, team);
    }
}
