//! Lazy greedy selection (Minoux 1978) out of lists, and out of the points for what is not in them.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::RangeInclusive;

use super::cloud::{ALIGN, Cloud, Gathered, PANEL};
use super::compress::{Packed, Window};
use super::fixed::Tile;
use super::greedy::Picks;
use super::lists::Lists;
use super::open::Open;
use super::outline::{Columns, SAMPLE, sample};
use super::team::Team;
use super::transpose::transpose;

/// Candidates whose gains are computed at a time: more each time that a choice needs.
const BATCHES: RangeInclusive<usize> = ALIGN..=PANEL;
/// Lists are completed at the latest when one of so many points is open.
const OPEN: usize = 16;
/// Lists are put together after a look at one of so many entries, for the first time.
const LOOKS: usize = 16;

/// Where a search starts: after the first choice.
pub(crate) struct Start {
    /// The first choice.
    pub(crate) picks: Picks,
    /// Gains, for each candidate.
    pub(crate) gains: Vec<i64>,
    /// The part of them that lists do not tell.
    pub(crate) rests: Vec<i64>,
    /// For each point `[padded]` the distance below which candidates have it in their lists.
    pub(crate) limits: Vec<i32>,
    /// What choosing each point is worth beside what it covers.
    pub(crate) bonus: Vec<i64>,
}

/// The state of a search.
///
/// A candidate's gain is what it brings to the points of its list, and to open points, which are those
/// farther from the selection than their limit. The second part was known exactly once, and only falls
/// since then; it is also never more than what all open points have beyond their limits. So lists bound
/// gains, and only where the bounds are highest, the second part is computed anew.
pub(crate) struct Search<'a> {
    cloud: &'a Cloud,
    team: Team,
    lists: Lists<'a>,
    /// Entries that lists may keep when they are put together.
    most_loose: usize,
    picks: Picks,
    limits: Vec<i32>,
    rests: Vec<i64>,
    bonus: Vec<i64>,
    open: Open<'a>,
    /// Candidates by bounds on their gains: the largest first, at equal bounds the lowest candidate.
    heap: BinaryHeap<Bound>,
    /// Distances to open points that were computed.
    computed: usize,
    /// Choices after which lists may be completed.
    completion: usize,
    /// Entries that were looked at since lists were put together, and how many there may be.
    looks: (usize, usize),
}

/// A bound on a gain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Bound {
    gain: i64,
    candidate: Reverse<u32>,
    /// How many points were selected when it was made.
    selected: u32,
    /// Whether it was the gain then, not more.
    exact: bool,
}

impl<'a> Search<'a> {
    /// A search after the first choice.
    pub(crate) fn new(
        cloud: &'a Cloud,
        lists: Lists<'a>,
        start: Start,
        most_loose: usize,
        team: Team,
    ) -> Self {
        let mut picks = start.picks;
        let first = picks.order[0];
        picks.nearest.resize(cloud.len().next_multiple_of(PANEL), 0);
        let gains = start.gains.iter().zip(&start.bonus).enumerate();
        let heap = gains
            .filter(|(candidate, _)| *candidate != first)
            .map(|(candidate, (gain, bonus))| Bound {
                gain: gain + bonus,
                candidate: Reverse(candidate as u32),
                selected: 1,
                exact: true,
            })
            .collect();
        let open = Open::new(cloud, &picks.nearest, &start.limits);
        let looks = (0, lists.len() / LOOKS);
        Self {
            cloud,
            team,
            lists,
            most_loose,
            picks,
            limits: start.limits,
            rests: start.rests,
            bonus: start.bonus,
            open,
            heap,
            computed: 0,
            completion: 0,
            looks,
        }
    }

    /// `count` choices in all.
    pub(crate) fn run(mut self, count: usize) -> Picks {
        let mut batch = *BATCHES.start();
        while self.picks.order.len() < count {
            self.tend();
            let Some(bound) = self.heap.pop() else {
                break;
            };
            if !self.is_new(&bound) {
                self.refresh(bound);
            } else if bound.exact {
                self.choose(bound.candidate.0 as usize);
                batch = *BATCHES.start();
            } else {
                self.compute(bound, batch);
                batch = (2 * batch).min(*BATCHES.end());
            }
        }
        self.picks.nearest.truncate(self.cloud.len());
        self.picks
    }

    /// Completes lists or puts them together, where that is worth it.
    fn tend(&mut self) {
        let (now, len) = (self.picks.order.len(), self.cloud.len());
        let open = self.open.points().len();
        // Half of what completing takes is spent on doing without.
        let worth = open * OPEN <= len || 2 * self.computed >= open * len;
        if open > 0 && worth && now >= self.completion {
            self.completion = now + now / 4 + 1;
            self.complete();
        }
        let (looked, most) = self.looks;
        if looked > most {
            self.compact();
        }
    }

    fn is_new(&self, bound: &Bound) -> bool {
        bound.selected as usize == self.picks.order.len()
    }

    /// What a candidate brings to the points of its list, and by itself.
    fn listed(&mut self, candidate: usize) -> i64 {
        let (gain, looks) = self.lists.gain(candidate, &self.picks.nearest);
        self.looks.0 += looks;
        gain + self.bonus[candidate]
    }

    /// A bound for now, if lists bring `listed` and nothing is computed.
    fn bound(&self, candidate: usize, listed: i64) -> Bound {
        Bound {
            gain: listed + self.rests[candidate].min(self.open.excess()),
            candidate: Reverse(candidate as u32),
            selected: self.picks.order.len() as u32,
            exact: self.open.points().is_empty(),
        }
    }

    fn refresh(&mut self, old: Bound) {
        let candidate = old.candidate.0 as usize;
        let listed = self.listed(candidate);
        let mut bound = self.bound(candidate, listed);
        bound.gain = bound.gain.min(old.gain);
        self.heap.push(bound);
    }

    /// Computes gains of up to `size` candidates from `first` on.
    fn compute(&mut self, first: Bound, size: usize) {
        let mut batch = vec![first.candidate.0];
        while batch.len() < size
            && let Some(bound) = self.heap.peek().copied()
        {
            let new = self.is_new(&bound);
            if new && bound.exact {
                break;
            }
            self.heap.pop();
            if new {
                batch.push(bound.candidate.0);
            } else {
                self.refresh(bound);
            }
        }
        self.computed += batch.len() * self.open.watched();
        let nearest = &self.picks.nearest;
        let rests = self.open.gains(&batch, nearest, &self.limits, self.team);
        for (candidate, rest) in batch.iter().zip(rests) {
            let place = *candidate as usize;
            self.rests[place] = rest;
            let gain = self.listed(place) + rest;
            self.heap.push(Bound {
                gain,
                candidate: Reverse(*candidate),
                selected: self.picks.order.len() as u32,
                exact: true,
            });
        }
    }

    fn choose(&mut self, point: usize) {
        let picks = &mut self.picks;
        let place = picks.order.len() as u32;
        picks.order.push(point);
        self.lists
            .visit(point, |near, d| picks.approach(near, d, place));
        if self.open.points().is_empty() {
            return;
        }
        self.open.row(point, |near, d| {
            // Rounding must not part a point from itself.
            let d = if near == point { 0 } else { d };
            picks.approach(near, d, place);
        });
        self.open.update(&self.picks.nearest, &self.limits);
    }

    /// Drops from the lists what no longer counts, and makes all bounds anew.
    fn compact(&mut self) {
        let gains = self
            .lists
            .compact(&self.picks.nearest, self.most_loose, self.team);
        let old = std::mem::take(&mut self.heap).into_vec();
        let bounds = old.into_iter().map(|old| {
            let candidate = old.candidate.0 as usize;
            let mut bound = self.bound(candidate, gains[candidate] + self.bonus[candidate]);
            bound.gain = bound.gain.min(old.gain);
            if self.is_new(&old) && old.exact {
                bound = old;
            }
            bound
        });
        self.heap = bounds.collect();
        self.looks = (0, self.lists.len() / 2);
    }

    /// Adds the open points to the lists that miss them, if there is memory for that.
    fn complete(&mut self) {
        let Some(room) = self.lists.room() else {
            return;
        };
        let (cloud, lists, open) = (self.cloud, &self.lists, self.open.points());
        let (nearest, limits) = (&self.picks.nearest, &self.limits);
        if open.len() * cloud.len() > room {
            let ids = sample(cloud.len());
            let mut memory = vec![0; SAMPLE * cloud.padded()];
            let columns = Columns::new(cloud, &ids, &mut memory, self.team);
            let missing = columns.between(limits, nearest);
            if missing + missing / 4 > room {
                return;
            }
        }
        let before = lists.blocks();
        let panels = cloud.panels();
        self.team.map_with(
            panels.len(),
            |(tile, gathered, scratch): &mut (Tile, Gathered, (Packed, Window, Vec<i32>)),
             points| {
                let range = &panels[points];
                let from = open.partition_point(|point| (*point as usize) < range.start);
                let to = open.partition_point(|point| (*point as usize) < range.end);
                let open = &open[from..to];
                if open.is_empty() {
                    return;
                }
                let (packed, window, turned) = scratch;
                let left = cloud.gather(open, gathered);
                let width = left.norms.len();
                window.clear();
                for point in open {
                    let point = *point as usize;
                    window.push(point - range.start, limits[point], nearest[point]);
                }
                window.fill_up(width);
                for (candidates, rows) in panels.iter().enumerate() {
                    tile.fill(cloud, left, cloud.rows(rows.clone()));
                    if candidates == points {
                        // Rounding must not part a point from itself.
                        let own = open.iter().map(|point| *point as usize - rows.start);
                        own.enumerate()
                            .for_each(|(row, own)| tile.steps[row * rows.len() + own] = 0);
                    }
                    turned.resize(rows.len() * width, 0);
                    transpose(&tile.steps, rows.len(), turned, width);
                    let real = cloud.len().saturating_sub(rows.start).min(rows.len());
                    packed.keep(&turned[..real * width], window);
                    lists.add(candidates, points, packed);
                }
            },
        );
        if lists.room().is_none() {
            lists.take_back(&before);
            return;
        }
        for point in open {
            self.limits[*point as usize] = nearest[*point as usize];
        }
        self.open.update(&self.picks.nearest, &self.limits);
    }
}
