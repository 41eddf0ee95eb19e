//! Where greedy selection gets distances from.

use super::fixed::Fall;
use super::team::Team;

/// Distances between the points of a group in fixed-point steps, symmetric, 0 on the diagonal.
/// Rows have entries for [`Source::len`] points and more that fill up, in all `padded`.
pub(crate) trait Source {
    /// Number of points.
    fn len(&self) -> usize;

    /// Σ of the distances to all points, for each point.
    fn totals(&self) -> &[i64];

    /// The largest distance.
    fn largest(&self) -> i32;

    /// The distances of `point` to all points, `[padded]`.
    fn row(&mut self, point: usize, out: &mut Vec<i32>);

    /// Gains `[padded]` if `nearest` `[n]` are the distances to the nearest selected points.
    fn gains(&mut self, nearest: &[i32], team: Team) -> Vec<i64>;

    /// Takes what the fallen points no longer give from the gains `[padded]`.
    fn take(&mut self, gains: &mut [i64], falls: &[Fall], team: Team);
}
