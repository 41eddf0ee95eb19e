//! A guess at how greedy selection begins, from a sample: it decides what a pass over all pairs keeps,
//! never what is chosen.

use std::ops::Range;

use super::cloud::{Cloud, Gathered, PANEL};
use super::fixed::{Tile, gain};
use super::greedy::{Picks, Queue, finish_lazily, medoid};
use super::matrix_free::row_of;
use super::team::Team;

/// Points that stand for all.
pub(crate) const SAMPLE: usize = 128;
/// Points that may be the first choice.
const FIRST: usize = 64;

/// What greedy selection may begin with.
pub(crate) struct Outline {
    /// The point that is likely the first choice.
    pub(crate) first: usize,
    /// Distances to it `[padded]`; 0 for rows that fill up.
    pub(crate) row: Vec<i32>,
    /// For each point `[padded]` the distance below which a candidate is worth a place in a list.
    pub(crate) limits: Vec<i32>,
    /// About how many places that takes.
    pub(crate) entries: usize,
}

impl Outline {
    /// Distances that it works with for a group of `padded` rows.
    pub(crate) fn room(padded: usize) -> usize {
        padded * (SAMPLE + FIRST)
    }

    /// For `count` choices, each worth its `bonus` in units of the largest distance by itself, and
    /// lists of at most `most` entries; overwrites `memory`.
    pub(crate) fn new(
        cloud: &Cloud,
        count: usize,
        bonus: Option<&[f64]>,
        most: usize,
        memory: &mut [i32],
        team: Team,
    ) -> Self {
        let len = cloud.len();
        let sample = sample(len);
        let (memory, more) = memory.split_at_mut(cloud.padded() * SAMPLE);
        let block = Columns::new(cloud, &sample, memory, team);
        let largest = f64::from(block.largest());
        let worth = |point: usize, part: f64| -> i64 {
            bonus.map_or(0, |bonus| (bonus[point] * largest * part) as i64)
        };
        // What a sample says of all.
        let part = sample.len() as f64 / len as f64;
        let mut totals = block.totals();
        for (point, total) in totals.iter_mut().enumerate() {
            *total -= worth(point, part);
        }
        let order = least(&totals);
        let mut exact = Columns::new(cloud, &order, more, team).sums();
        for (point, total) in order.iter().zip(&mut exact) {
            *total -= worth(*point as usize, 1.0);
        }
        let first = order[medoid(&exact)] as usize;
        let mut row = Vec::new();
        row_of(cloud, first, &mut Tile::default(), &mut row);
        row[len..].fill(0);
        let (mut limits, entries) = match count {
            // The first choice needs totals only.
            0 | 1 => (Vec::new(), 0),
            _ => block.limits(&sample, &row, count, most),
        };
        limits.resize(cloud.padded(), 0);
        Self {
            first,
            row,
            limits,
            entries,
        }
    }
}

/// Points at equal steps.
pub(crate) fn sample(len: usize) -> Vec<u32> {
    let step = len.div_ceil(SAMPLE).max(1);
    (0..len).step_by(step).map(|id| id as u32).collect()
}

/// The points with the least totals, in order of their ids.
fn least(totals: &[i64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..totals.len() as u32).collect();
    if FIRST < order.len() {
        order.select_nth_unstable_by_key(FIRST, |id| (totals[*id as usize], *id));
        order.truncate(FIRST);
    }
    order.sort_unstable();
    order
}

/// Distances of some points to all, panel after panel.
pub(crate) struct Columns<'a> {
    panels: Vec<Range<usize>>,
    /// For each panel distances `[ids, panel]`.
    tiles: Vec<&'a [i32]>,
    ids: usize,
    len: usize,
}

impl<'a> Columns<'a> {
    /// Distances of `ids`, at most [`SAMPLE`], in `memory`.
    pub(crate) fn new(cloud: &Cloud, ids: &[u32], memory: &'a mut [i32], team: Team) -> Self {
        let mut gathered = Gathered::default();
        let left = cloud.gather(ids, &mut gathered);
        let panels = cloud.panels();
        let memory = &mut memory[..ids.len() * cloud.padded()];
        team.pieces(
            memory,
            ids.len() * PANEL,
            |tile: &mut Tile, start, piece| {
                let panel = panels[start / (ids.len() * PANEL)].clone();
                tile.fill(cloud, left, cloud.rows(panel));
                piece.copy_from_slice(&tile.steps[..piece.len()]);
            },
        );
        Self {
            tiles: memory.chunks(ids.len() * PANEL).collect(),
            panels,
            ids: ids.len(),
            len: cloud.len(),
        }
    }

    /// For each panel its points and the distances of each id to them.
    fn rows(&self) -> impl Iterator<Item = (Range<usize>, impl Iterator<Item = &[i32]>)> {
        let tiles = self.tiles.iter().zip(&self.panels);
        tiles.map(|(tile, panel)| {
            let points = panel.start..panel.end.min(self.len);
            let real = points.len();
            (
                points,
                tile.chunks(panel.len()).map(move |row| &row[..real]),
            )
        })
    }

    /// Σ of the distances to the ids, for each point.
    fn totals(&self) -> Vec<i64> {
        let mut totals = vec![0; self.len];
        for (points, rows) in self.rows() {
            let totals = &mut totals[points];
            for row in rows {
                let terms = totals.iter_mut().zip(row);
                terms.for_each(|(total, d)| *total += i64::from(*d));
            }
        }
        totals
    }

    /// Σ of the distances to the points, for each id.
    fn sums(&self) -> Vec<i64> {
        let mut sums = vec![0; self.ids];
        for (_, rows) in self.rows() {
            for (sum, row) in sums.iter_mut().zip(rows) {
                *sum += row.iter().map(|d| i64::from(*d)).sum::<i64>();
            }
        }
        sums
    }

    fn largest(&self) -> i32 {
        let rows = self.rows().flat_map(|(_, rows)| rows);
        rows.fold(0, |largest, row| row.iter().fold(largest, |a, d| a.max(*d)))
    }

    /// About how many pairs of a candidate and a point have a distance from the point's floor on and
    /// below its limit; `floors` and `limits` have a value for each point.
    pub(crate) fn between(&self, floors: &[i32], limits: &[i32]) -> usize {
        let mut found = 0;
        for (points, rows) in self.rows() {
            let (floors, limits) = (&floors[points.clone()], &limits[points]);
            for row in rows {
                let windows = row.iter().zip(floors).zip(limits);
                found += windows
                    .filter(|((d, floor), limit)| d >= floor && d < limit)
                    .count();
            }
        }
        (found as u128 * self.len as u128 / self.ids.max(1) as u128) as usize
    }

    /// Distances to the first choice, or to the nearest of so many choices out of the sample that lists
    /// are not too long; and about how many entries they have.
    fn limits(&self, sample: &[u32], row: &[i32], count: usize, most: usize) -> (Vec<i32>, usize) {
        let mut picks = Picks::start(usize::MAX, &row[..self.len]);
        let choose = |picks: &mut Picks, place: usize, select: bool| {
            // That a point of the sample is near to itself says nothing of the others.
            let own = sample[place] as usize;
            let near = picks.nearest[own];
            let mut brought = -i64::from(near);
            if select {
                picks.order.push(place);
            }
            for (tile, panel) in self.tiles.iter().zip(&self.panels) {
                let points = panel.start..panel.end.min(self.len);
                let distances = &tile[place * panel.len()..][..points.len()];
                let nearest = &mut picks.nearest[points];
                if select {
                    let pairs = nearest.iter_mut().zip(distances);
                    pairs.for_each(|(near, d)| *near = (*near).min(*d));
                } else {
                    brought += gain(nearest, distances);
                }
            }
            picks.nearest[own] = near;
            brought
        };
        let most_choices = count.min(sample.len());
        let mut choices = 1;
        loop {
            let gains: Vec<i64> = (0..sample.len())
                .map(|place| choose(&mut picks, place, false))
                .collect();
            let queue = Queue::exact(&gains, picks.order.len());
            picks = finish_lazily(picks, queue, choices, choose);
            let entries = self.between(&vec![0; self.len], &picks.nearest);
            // Limits without lists would claim that nothing lies within them.
            if (1..=most).contains(&entries) {
                return (picks.nearest, entries);
            }
            if choices >= most_choices {
                return (vec![0; self.len], 0);
            }
            choices = (choices + choices.div_ceil(4)).min(most_choices);
        }
    }
}
