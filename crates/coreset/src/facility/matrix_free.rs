//! Distances computed when they are asked for.

use pulp::{Arch, Simd, WithSimd};

use super::cloud::{Cloud, Gathered, PANEL};
use super::fixed::{Fall, Tile, take_gains};
use super::source::Source;
use super::sweep::{Pair, Sums, sweep};
use super::team::Team;
use super::totals::Totals;

/// Distances out of the points.
pub(crate) struct MatrixFree<'a> {
    cloud: &'a Cloud,
    totals: Vec<i64>,
    largest: i32,
    tile: Tile,
}

impl<'a> MatrixFree<'a> {
    /// Sums all distances once.
    pub(crate) fn new(cloud: &'a Cloud, team: Team) -> Self {
        let totals = Totals::new(cloud);
        sweep(cloud, team, |(), pair| totals.add(cloud, pair));
        let (totals, largest) = totals.finish();
        Self {
            cloud,
            totals,
            largest,
            tile: Tile::default(),
        }
    }
}

/// The distances of `point` to all rows.
pub(crate) fn row_of(cloud: &Cloud, point: usize, tile: &mut Tile, out: &mut Vec<i32>) {
    out.clear();
    for panel in cloud.panels() {
        let width = panel.len();
        tile.fill_gathered(cloud, &[point as u32], cloud.rows(panel));
        out.extend_from_slice(&tile.steps[..width]);
    }
    out[point] = 0;
}

impl Source for MatrixFree<'_> {
    fn len(&self) -> usize {
        self.cloud.len()
    }

    fn totals(&self) -> &[i64] {
        &self.totals
    }

    fn largest(&self) -> i32 {
        self.largest
    }

    fn row(&mut self, point: usize, out: &mut Vec<i32>) {
        row_of(self.cloud, point, &mut self.tile, out);
    }

    fn gains(&mut self, nearest: &[i32], team: Team) -> Vec<i64> {
        gains_by_sweep(self.cloud, nearest, team)
    }

    fn take(&mut self, gains: &mut [i64], falls: &[Fall], team: Team) {
        let cloud = self.cloud;
        let mut gathered = Gathered::default();
        for falls in falls.chunks(PANEL) {
            let ids: Vec<u32> = falls.iter().map(|fall| fall.point).collect();
            let left = cloud.gather(&ids, &mut gathered);
            team.pieces(gains, PANEL, |tile: &mut Tile, start, gains| {
                let width = gains.len();
                tile.fill(cloud, left, cloud.rows(start..start + width));
                take_gains(gains, falls, |i| &tile.steps[i * width..][..width]);
            });
        }
    }
}

/// Gains `[padded]` if `nearest` `[n]` are the distances to the nearest selected points.
pub(crate) fn gains_by_sweep(cloud: &Cloud, nearest: &[i32], team: Team) -> Vec<i64> {
    let mut nearest = nearest.to_vec();
    // Rows that fill up have nothing to give.
    nearest.resize(cloud.padded(), 0);
    let floors = vec![0; cloud.padded()];
    let sums = Sums::new(cloud);
    sweep(cloud, team, |(), pair| {
        add_gains(pair, &nearest, &floors, &sums)
    });
    sums.finish()
}

/// Adds what the points of a tile would give its candidates if `nearest` `[padded]` are their
/// distances to the nearest selected points; points nearer to a candidate than `floors` `[padded]`
/// count nothing.
pub(crate) fn add_gains(pair: &Pair<'_>, nearest: &[i32], floors: &[i32], sums: &Sums) {
    let mut of_rows = vec![0; pair.rows.len()];
    let mut of_columns = vec![0; pair.columns.len()];
    Arch::new().dispatch(Gains {
        steps: pair.steps,
        near_rows: &nearest[pair.rows.clone()],
        near_columns: &nearest[pair.columns.clone()],
        floor_rows: &floors[pair.rows.clone()],
        floor_columns: &floors[pair.columns.clone()],
        of_rows: &mut of_rows,
        of_columns: &mut of_columns,
    });
    sums.add(pair.right, &of_columns);
    if pair.left != pair.right {
        sums.add(pair.left, &of_rows);
    }
}

struct Gains<'a> {
    steps: &'a [i32],
    near_rows: &'a [i32],
    near_columns: &'a [i32],
    floor_rows: &'a [i32],
    floor_columns: &'a [i32],
    of_rows: &'a mut [i64],
    of_columns: &'a mut [i64],
}

impl WithSimd for Gains<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        /// Rows whose sums fit 32 bits.
        const ROWS: usize = 64;
        const LANES: usize = 16;
        let given = |near: i32, floor: i32, d: i32| if d < floor { 0 } else { (near - d).max(0) };
        let (near_columns, _) = self.near_columns.as_chunks::<LANES>();
        let (floor_columns, _) = self.floor_columns.as_chunks::<LANES>();
        let rows = self.near_rows.iter().zip(self.floor_rows);
        let mut rows = rows.zip(self.of_rows);
        for steps in self.steps.chunks(ROWS * self.near_columns.len().max(1)) {
            let mut sums = [[0i32; LANES]; PANEL / LANES];
            let rows = rows.by_ref();
            for (row, ((near, floor), of_row)) in
                steps.chunks_exact(self.near_columns.len().max(1)).zip(rows)
            {
                let (row, _) = row.as_chunks::<LANES>();
                let columns = near_columns.iter().zip(floor_columns).zip(&mut sums);
                let mut of_lanes = [0i32; LANES];
                for (d, ((near_columns, floor_columns), sums)) in row.iter().zip(columns) {
                    for lane in 0..LANES {
                        sums[lane] += given(*near, *floor, d[lane]);
                        of_lanes[lane] += given(near_columns[lane], floor_columns[lane], d[lane]);
                    }
                }
                *of_row += of_lanes.iter().map(|sum| i64::from(*sum)).sum::<i64>();
            }
            let of_columns = self.of_columns.iter_mut();
            of_columns
                .zip(sums.as_flattened())
                .for_each(|(of_column, sum)| *of_column += i64::from(*sum));
        }
    }
}
