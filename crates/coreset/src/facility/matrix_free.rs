//! Distances computed when they are asked for, and lists of the few that still matter.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use pulp::{Arch, Simd, WithSimd};

use super::cloud::{ALIGN, Cloud, Gathered, PANEL};
use super::dense::add_totals;
use super::fixed::{Cell, Fall, Tile, gain, take_gains};
use super::greedy::{Picks, Queue, SELECTED, finish_lazily, medoid};
use super::source::Source;
use super::sweep::{Sums, sweep};
use super::team::Team;

/// The resolution is that of the dense matrix, so that both choose the same points.
const FULL: f32 = <i32 as Cell>::FULL;

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
        let sums = Sums::new(cloud);
        let largest = Mutex::new(0);
        sweep(cloud, FULL, team, |pair| {
            let found = add_totals(cloud, pair, &sums);
            let mut largest = largest.lock().unwrap_or_else(PoisonError::into_inner);
            *largest = found.max(*largest);
        });
        Self {
            cloud,
            totals: sums.finish(),
            largest: largest.into_inner().unwrap_or_else(PoisonError::into_inner),
            tile: Tile::default(),
        }
    }
}

/// The distances of `point` to all rows.
pub(crate) fn row_of(cloud: &Cloud, point: usize, tile: &mut Tile, out: &mut Vec<i32>) {
    out.clear();
    for panel in cloud.panels() {
        let width = panel.len();
        tile.fill_gathered(cloud, &[point as u32], cloud.rows(panel), FULL);
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
        let mut nearest = nearest.to_vec();
        // Rows that fill up have nothing to give.
        nearest.resize(self.cloud.padded(), 0);
        let sums = Sums::new(self.cloud);
        sweep(self.cloud, FULL, team, |pair| {
            let mut of_rows = vec![0; pair.rows.len()];
            let mut of_columns = vec![0; pair.columns.len()];
            Arch::new().dispatch(Gains {
                steps: pair.steps,
                near_rows: &nearest[pair.rows.clone()],
                near_columns: &nearest[pair.columns.clone()],
                of_rows: &mut of_rows,
                of_columns: &mut of_columns,
            });
            sums.add(pair.right, &of_columns);
            if pair.left != pair.right {
                sums.add(pair.left, &of_rows);
            }
        });
        sums.finish()
    }

    fn take(&mut self, gains: &mut [i64], falls: &[Fall], team: Team) {
        let cloud = self.cloud;
        let mut gathered = Gathered::default();
        for falls in falls.chunks(PANEL) {
            let ids: Vec<u32> = falls.iter().map(|fall| fall.point).collect();
            let left = cloud.gather(&ids, &mut gathered);
            team.pieces(gains, PANEL, |tile: &mut Tile, start, gains| {
                let width = gains.len();
                tile.fill(cloud, left, cloud.rows(start..start + width), FULL);
                take_gains(gains, falls, |i| &tile.steps[i * width..][..width]);
            });
        }
    }
}

struct Gains<'a> {
    steps: &'a [i32],
    near_rows: &'a [i32],
    near_columns: &'a [i32],
    of_rows: &'a mut [i64],
    of_columns: &'a mut [i64],
}

impl WithSimd for Gains<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let width = self.near_columns.len();
        let rows = self
            .steps
            .chunks_exact(width)
            .zip(self.near_rows)
            .zip(self.of_rows);
        for ((row, near), of_row) in rows {
            for (sum, d) in self.of_columns.iter_mut().zip(row) {
                *sum += i64::from((near - d).max(0));
            }
            let pairs = self.near_columns.iter().zip(row);
            *of_row += pairs
                .map(|(near, d)| i64::from((near - d).max(0)))
                .sum::<i64>();
        }
    }
}

/// A point that a candidate would bring nearer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Entry {
    /// The point.
    pub(crate) point: u32,
    /// Its distance to the candidate in steps.
    pub(crate) steps: i32,
}

/// For each candidate the points that it would bring nearer than they are now. Points only come
/// nearer, so that nothing outside of the lists ever counts.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Lists of neighbouring candidates behind each other, `per_piece` candidates a piece.
    pub(crate) pieces: Vec<(Vec<usize>, Vec<Entry>)>,
    /// Candidates of a piece.
    pub(crate) per_piece: usize,
}

impl Lists {
    fn of(&self, candidate: usize) -> &[Entry] {
        let (ends, entries) = &self.pieces[candidate / self.per_piece];
        let place = candidate % self.per_piece;
        let start = if place == 0 { 0 } else { ends[place - 1] };
        &entries[start..ends[place]]
    }

    /// The gain of every candidate.
    pub(crate) fn gains(&self, nearest: &[i32]) -> Vec<i64> {
        (0..nearest.len())
            .map(|candidate| self.gain(candidate, nearest))
            .collect()
    }

    fn gain(&self, candidate: usize, nearest: &[i32]) -> i64 {
        let entries = self.of(candidate).iter();
        entries
            .map(|entry| i64::from((nearest[entry.point as usize] - entry.steps).max(0)))
            .sum()
    }

    /// Goes on from `picks` and bounds on the gains.
    pub(crate) fn finish(&self, picks: Picks, queue: Queue, count: usize) -> Picks {
        finish_lazily(picks, queue, count, |picks, point, select| {
            if !select {
                return self.gain(point, &picks.nearest);
            }
            let place = picks.order.len() as u32;
            picks.order.push(point);
            for entry in self.of(point) {
                let near = &mut picks.nearest[entry.point as usize];
                if entry.steps < *near {
                    *near = entry.steps;
                    picks.owner[entry.point as usize] = place;
                }
            }
            0
        })
    }
}

/// Greedy selection without the matrix: gains are computed anew where their bounds are largest, many
/// at a time, until lists fit into `bytes`; then out of the lists.
pub(crate) fn with_lists(
    source: &mut MatrixFree<'_>,
    count: usize,
    team: Team,
    bytes: u64,
) -> Picks {
    /// Lists cost more than gains if there are not as many times the points to choose.
    const WORTH: usize = 4;
    /// Gains computed at a time: more each time that a choice needs.
    const BATCHES: std::ops::RangeInclusive<usize> = 32..=PANEL;
    let len = source.len();
    let first = medoid(&source.totals[..len]);
    let mut row = Vec::new();
    source.row(first, &mut row);
    let mut picks = Picks::start(first, &row[..len]);
    let mut gains = source.gains(&picks.nearest, team);
    gains[first] = SELECTED;
    let mut queue = Queue::exact(&gains[..len], 1);
    let mut check = 8;
    let mut batch = *BATCHES.start();
    while picks.order.len() < count {
        let selected = picks.order.len();
        if selected >= check && count / selected >= WORTH {
            check *= 2;
            if let Some(lists) = source.lists(&picks.nearest, team, bytes) {
                return lists.finish(picks, queue, count);
            }
        }
        let stale = queue.pop_stale(selected, batch);
        if stale.is_empty() {
            let Some((next, _)) = queue.pop(selected) else {
                break;
            };
            source.row(next, &mut row);
            picks.add(next, &row, len, |_| {});
            batch = *BATCHES.start();
            continue;
        }
        batch = (2 * batch).min(*BATCHES.end());
        let gains = source.gains_of(&stale, &picks.nearest, team);
        for (point, gain) in stale.iter().zip(gains) {
            queue.push(*point as usize, gain, selected);
        }
    }
    picks
}

impl MatrixFree<'_> {
    /// The gains of some candidates.
    fn gains_of(&self, candidates: &[u32], nearest: &[i32], team: Team) -> Vec<i64> {
        let cloud = self.cloud;
        let mut gathered = Gathered::default();
        let left = cloud.gather(candidates, &mut gathered);
        let panels = cloud.panels();
        let work = |tile: &mut Tile, index: usize| -> Vec<i64> {
            let panel = panels[index].clone();
            let width = panel.len();
            let nearest = &nearest[panel.start..panel.end.min(nearest.len())];
            tile.fill(cloud, left, cloud.rows(panel), FULL);
            let rows = tile.steps.chunks(width).take(candidates.len());
            rows.map(|row| gain(nearest, &row[..nearest.len()]))
                .collect()
        };
        let mut gains = vec![0; candidates.len()];
        let mut add = |terms: Vec<i64>| {
            gains
                .iter_mut()
                .zip(terms)
                .for_each(|(gain, term)| *gain += term)
        };
        match team {
            Team::Alone => {
                let mut tile = Tile::default();
                (0..panels.len()).for_each(|index| add(work(&mut tile, index)));
            }
            Team::All => {
                let parts = team.map(panels.len(), |index| work(&mut Tile::default(), index));
                parts.into_iter().for_each(add);
            }
        }
        gains
    }

    /// The lists for `nearest`, if they fit into `bytes`.
    fn lists(&mut self, nearest: &[i32], team: Team, bytes: u64) -> Option<Lists> {
        let most = usize::try_from(bytes / size_of::<Entry>() as u64).unwrap_or(usize::MAX);
        if self.estimate(nearest) > most {
            return None;
        }
        let cloud = self.cloud;
        let mut nearest = nearest.to_vec();
        nearest.resize(cloud.padded(), 0);
        let panels = cloud.panels();
        let total = AtomicUsize::new(0);
        let pieces = team.map(cloud.padded() / ALIGN, |piece| {
            let mut tile = Tile::default();
            let candidates = cloud.rows(piece * ALIGN..(piece + 1) * ALIGN);
            let mut lists = vec![Vec::new(); ALIGN];
            for panel in &panels {
                if total.load(Ordering::Relaxed) > most {
                    return None;
                }
                tile.fill(cloud, candidates, cloud.rows(panel.clone()), FULL);
                Arch::new().dispatch(Compress {
                    steps: &tile.steps,
                    nearest: &nearest[panel.clone()],
                    start: panel.start,
                    lists: &mut lists,
                });
            }
            let size = lists.iter().map(Vec::len).sum();
            total.fetch_add(size, Ordering::Relaxed);
            let mut entries = Vec::with_capacity(size);
            let mut ends = Vec::with_capacity(ALIGN);
            for list in lists {
                entries.extend_from_slice(&list);
                ends.push(entries.len());
            }
            Some((ends, entries))
        });
        let fits = total.into_inner() <= most;
        let pieces: Option<Vec<_>> = pieces.into_iter().collect();
        pieces.filter(|_| fits).map(|pieces| Lists {
            pieces,
            per_piece: ALIGN,
        })
    }

    /// About how many entries the lists have, from points at equal steps, on the safe side.
    fn estimate(&mut self, nearest: &[i32]) -> usize {
        const ASKED: usize = 128;
        let len = nearest.len();
        let step = len.div_ceil(ASKED);
        let ids: Vec<u32> = (0..len).step_by(step).map(|id| id as u32).collect();
        let mut found = 0;
        for panel in self.cloud.panels() {
            let width = panel.len();
            let rows = self.cloud.rows(panel);
            self.tile.fill_gathered(self.cloud, &ids, rows, FULL);
            for (steps, id) in self.tile.steps.chunks(width).zip(&ids) {
                let near = nearest[*id as usize];
                found += steps.iter().filter(|d| **d < near).count();
            }
        }
        found * step + found * step / 8
    }
}

struct Compress<'a> {
    steps: &'a [i32],
    nearest: &'a [i32],
    start: usize,
    lists: &'a mut [Vec<Entry>],
}

impl WithSimd for Compress<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        const LANES: usize = 16;
        let (nearest, _) = self.nearest.as_chunks::<LANES>();
        for (row, list) in self.steps.chunks_exact(self.nearest.len()).zip(self.lists) {
            let (row, _) = row.as_chunks::<LANES>();
            for (index, (steps, nearest)) in row.iter().zip(nearest).enumerate() {
                // Only a difference below zero has the sign bit.
                let mut signs = 0;
                for (d, near) in steps.iter().zip(nearest) {
                    signs |= d - near;
                }
                if signs >= 0 {
                    continue;
                }
                let mut found = [Entry::default(); LANES];
                let mut count = 0;
                for (lane, (d, near)) in steps.iter().zip(nearest).enumerate() {
                    found[count.min(LANES - 1)] = Entry {
                        point: (self.start + index * LANES + lane) as u32,
                        steps: *d,
                    };
                    count += usize::from(d < near);
                }
                list.extend_from_slice(&found[..count]);
            }
        }
    }
}
