//! Points whose nearest candidates are not all in lists yet.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::cloud::{ALIGN, Cloud, Gathered, PANEL, Rows};
use super::fixed::Tile;
use super::team::Team;

/// Points that are farther from the selection than the limit of their lists.
pub(crate) struct Open<'a> {
    cloud: &'a Cloud,
    /// In order.
    points: Vec<u32>,
    /// Σ of the distances beyond the limits.
    excess: i64,
    /// What is looked at: all open points, and some that are not open any more and count nothing.
    pieces: Vec<Piece>,
    watched: usize,
}

/// Points that lie together.
enum Piece {
    Panel(Range<usize>),
    Gathered(Vec<u32>, Gathered),
}

impl Piece {
    fn rows<'a>(&'a self, cloud: &'a Cloud) -> Rows<'a> {
        match self {
            Self::Panel(range) => cloud.rows(range.clone()),
            Self::Gathered(_, gathered) => cloud.gathered(gathered),
        }
    }

    fn pick(&self, values: &[i32]) -> Vec<i32> {
        match self {
            Self::Panel(range) => values[range.clone()].to_vec(),
            Self::Gathered(points, _) => {
                let points = points.iter();
                points.map(|point| values[*point as usize]).collect()
            }
        }
    }
}

impl<'a> Open<'a> {
    /// The open of all points, if `nearest` are the distances to the selection; of the slices here
    /// each has at least `padded` values.
    pub(crate) fn new(cloud: &'a Cloud, nearest: &[i32], limits: &[i32]) -> Self {
        let mut open = Self {
            cloud,
            points: (0..cloud.len() as u32).collect(),
            excess: 0,
            pieces: cloud.panels().into_iter().map(Piece::Panel).collect(),
            watched: cloud.len(),
        };
        open.update(nearest, limits);
        open
    }

    /// The open points in order.
    pub(crate) fn points(&self) -> &[u32] {
        &self.points
    }

    /// Number of points that are looked at.
    pub(crate) fn watched(&self) -> usize {
        self.watched
    }

    /// No candidate brings more to the open points beyond its list.
    pub(crate) fn excess(&self) -> i64 {
        self.excess
    }

    /// Forgets points that have come within their limits.
    pub(crate) fn update(&mut self, nearest: &[i32], limits: &[i32]) {
        let beyond = |point: &u32| nearest[*point as usize] - limits[*point as usize];
        self.points.retain(|point| beyond(point) > 0);
        self.excess = self.points.iter().map(|p| i64::from(beyond(p))).sum();
        if self.points.len() * 2 <= self.watched {
            self.watched = self.points.len();
            self.pieces = Vec::new();
            let pieces = self.points.chunks(PANEL);
            self.pieces = pieces
                .map(|points| {
                    let mut gathered = Gathered::default();
                    self.cloud.gather_wide(points, ALIGN, &mut gathered);
                    Piece::Gathered(points.to_vec(), gathered)
                })
                .collect();
        }
    }

    /// What each of up to [`PANEL`] candidates brings to the open points beyond its list.
    pub(crate) fn gains(
        &self,
        candidates: &[u32],
        nearest: &[i32],
        limits: &[i32],
        team: Team,
    ) -> Vec<i64> {
        let mut gathered = Gathered::default();
        let columns = self.cloud.gather_turned(candidates, &mut gathered);
        let parts = team.map_with(self.pieces.len(), |tile: &mut Tile, index| {
            let piece = &self.pieces[index];
            tile.fill(self.cloud, piece.rows(self.cloud), columns);
            let mut gains = vec![0; columns.norms.len()];
            Arch::new().dispatch(Beyond {
                nearest: &piece.pick(nearest),
                limits: &piece.pick(limits),
                steps: &tile.steps,
                gains: &mut gains,
            });
            gains
        });
        (0..candidates.len())
            .map(|candidate| parts.iter().map(|part| part[candidate]).sum())
            .collect()
    }

    /// Calls `visit` with the open points, and maybe others, and their distances to a candidate.
    pub(crate) fn row(&self, candidate: usize, mut visit: impl FnMut(usize, i32)) {
        let mut gathered = Gathered::default();
        let one = self.cloud.gather(&[candidate as u32], &mut gathered);
        let mut tile = Tile::default();
        for piece in &self.pieces {
            match piece {
                Piece::Panel(range) => {
                    tile.fill(self.cloud, one, piece.rows(self.cloud));
                    let points = range.start..range.end.min(self.cloud.len());
                    points
                        .zip(&tile.steps)
                        .for_each(|(point, d)| visit(point, *d));
                }
                Piece::Gathered(points, _) => {
                    tile.fill(self.cloud, piece.rows(self.cloud), one);
                    let distances = tile.steps.iter().step_by(one.norms.len());
                    let points = points.iter().zip(distances);
                    points.for_each(|(point, d)| visit(*point as usize, *d));
                }
            }
        }
    }
}

/// Σ of max(0, nearest − d) over the points that are not nearer than their limits.
struct Beyond<'a> {
    nearest: &'a [i32],
    limits: &'a [i32],
    /// Distances `[points, candidates]`.
    steps: &'a [i32],
    gains: &'a mut [i64],
}

impl WithSimd for Beyond<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// Rows whose sums fit 32 bits.
        const ROWS: usize = 64;
        const LANES: usize = 16;
        let width = self.gains.len();
        let mut points = self.nearest.iter().zip(self.limits);
        for steps in self.steps.chunks(ROWS * width) {
            let mut sums = [[0i32; LANES]; PANEL / LANES];
            for (row, (near, limit)) in steps.chunks_exact(width).zip(points.by_ref()) {
                if near <= limit {
                    continue;
                }
                let (row, _) = row.as_chunks::<LANES>();
                for (sums, distances) in sums.iter_mut().zip(row) {
                    for (sum, d) in sums.iter_mut().zip(distances) {
                        *sum += if d < limit { 0 } else { (near - d).max(0) };
                    }
                }
            }
            let sums = sums.as_flattened().iter();
            let gains = self.gains.iter_mut().zip(sums);
            gains.for_each(|(gain, sum)| *gain += i64::from(*sum));
        }
    }
}
