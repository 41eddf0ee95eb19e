//! Greedy selection: the k points that bring the most, one after the other.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::fixed::{Fall, gain};
use super::source::Source;
use super::team::Team;
use crate::random::Purpose;

/// What greedy selection came to, in fixed-point steps and positions in the group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picks {
    /// Selected points in the order of choice.
    pub(crate) order: Vec<usize>,
    /// For each point the distance to the nearest selected one.
    pub(crate) nearest: Vec<i32>,
    /// For each point the place in `order` of the nearest selected one, the earliest if several.
    pub(crate) owner: Vec<u32>,
}

impl Picks {
    /// A state in which only `first` is selected, at distances `row` from all points.
    pub(crate) fn start(first: usize, row: &[i32]) -> Self {
        Self {
            order: vec![first],
            nearest: row.to_vec(),
            owner: vec![0; row.len()],
        }
    }

    /// Selects `point` at distances `row`; calls `fallen` for each of the first `len` points that
    /// came nearer.
    pub(crate) fn add(
        &mut self,
        point: usize,
        row: &[i32],
        len: usize,
        mut fallen: impl FnMut(Fall),
    ) {
        let place = self.order.len() as u32;
        self.order.push(point);
        for (i, new) in row[..len].iter().enumerate() {
            let old = self.nearest[i];
            if *new < old {
                fallen(Fall {
                    point: i as u32,
                    old,
                    new: *new,
                });
                self.nearest[i] = *new;
                self.owner[i] = place;
            }
        }
    }
}

impl Picks {
    /// A point is at `steps` from the choice at `place` of the order.
    #[inline]
    pub(crate) fn approach(&mut self, point: usize, steps: i32, place: u32) {
        let near = &mut self.nearest[point];
        if steps < *near {
            *near = steps;
            self.owner[point] = place;
        }
    }
}

/// The point with the least total distance, the lowest if several: what greedy selection takes first.
pub(crate) fn medoid(totals: &[i64]) -> usize {
    let least = totals.iter().enumerate().min_by_key(|(_, total)| **total);
    least.map_or(0, |(point, _)| point)
}

/// The position of the largest value, the lowest if several.
pub(crate) fn highest(values: &[i64]) -> usize {
    // The lowest position of a known value is found faster than both at once.
    let Some(largest) = values.iter().max() else {
        return 0;
    };
    values
        .iter()
        .position(|value| value == largest)
        .unwrap_or(0)
}

/// A gain that a selected point has, below all others.
pub(crate) const SELECTED: i64 = i64::MIN;

/// Keeps all gains exact: when a point comes nearer to the selection, what it no longer gives is
/// taken from every candidate.
pub(crate) struct Events {
    pub(crate) picks: Picks,
    pub(crate) gains: Vec<i64>,
    row: Vec<i32>,
    falls: Vec<Fall>,
}

impl Events {
    /// The state after the first choice.
    pub(crate) fn start(source: &mut impl Source, team: Team) -> Self {
        let len = source.len();
        let first = medoid(&source.totals()[..len]);
        let mut row = Vec::new();
        source.row(first, &mut row);
        let picks = Picks::start(first, &row[..len]);
        let mut gains = source.gains(&picks.nearest, team);
        // Nobody reads the padding; far from the ends of the range, sums of it stay in it.
        gains[len..].fill(0);
        gains[first] = SELECTED;
        Self {
            picks,
            gains,
            row,
            falls: Vec::new(),
        }
    }

    /// The next choice.
    pub(crate) fn step(&mut self, source: &mut impl Source, team: Team) {
        let len = source.len();
        let next = highest(&self.gains[..len]);
        source.row(next, &mut self.row);
        self.falls.clear();
        let falls = &mut self.falls;
        self.picks
            .add(next, &self.row, len, |fall| falls.push(fall));
        source.take(&mut self.gains, &self.falls, team);
        self.gains[next] = SELECTED;
    }

    /// `count` choices in all.
    pub(crate) fn run(mut self, source: &mut impl Source, count: usize, team: Team) -> Picks {
        while self.picks.order.len() < count {
            self.step(source, team);
        }
        self.picks
    }
}

/// Event-driven greedy selection.
pub(crate) fn event_driven(source: &mut impl Source, count: usize, team: Team) -> Picks {
    Events::start(source, team).run(source, count, team)
}

/// Computes every gain anew for every choice: n · k evaluations, the reference for all others.
pub(crate) fn naive(source: &mut impl Source, count: usize) -> Picks {
    let len = source.len();
    let all: Vec<usize> = (0..len).collect();
    choose(source, count, |_| all.clone())
}

/// Computes the gains of a random sample of the candidates for each choice (Mirzasoleiman et al.
/// 2015): n · ln(1/ε) evaluations for any k, at least (1 − 1/e − ε) of the best value on average.
pub(crate) fn stochastic(source: &mut impl Source, count: usize, epsilon: f64, seed: u64) -> Picks {
    /// A smaller sample is nearly a random choice.
    const LEAST: usize = 8;
    let len = source.len();
    let wanted = (len as f64 / count.max(1) as f64 * (1.0 / epsilon).ln()).ceil() as usize;
    let size = wanted.clamp(LEAST, len.max(LEAST));
    let mut left: Vec<usize> = (0..len).collect();
    let mut step = 0;
    choose(source, count, |selected| {
        step += 1;
        left.retain(|point| Some(point) != selected.last());
        Purpose::Candidates
            .draws(seed, step)
            .chosen_wide(&left, size)
    })
}

/// Takes the best of `candidates`, which are asked for what is selected so far, `count` times.
fn choose(
    source: &mut impl Source,
    count: usize,
    mut candidates: impl FnMut(&[usize]) -> Vec<usize>,
) -> Picks {
    let len = source.len();
    let mut row = Vec::new();
    let totals = source.totals()[..len].to_vec();
    let first = candidates(&[])
        .into_iter()
        .min_by_key(|point| (totals[*point], *point));
    let first = first.unwrap_or(0);
    source.row(first, &mut row);
    let mut picks = Picks::start(first, &row[..len]);
    let mut selected = vec![false; len];
    selected[first] = true;
    while picks.order.len() < count {
        let mut best = None;
        for point in candidates(&picks.order) {
            if selected[point] {
                continue;
            }
            source.row(point, &mut row);
            let found = (gain(&picks.nearest, &row[..len]), Reverse(point));
            best = best.max(Some(found));
        }
        let Some((_, Reverse(next))) = best else {
            break;
        };
        source.row(next, &mut row);
        picks.add(next, &row, len, |_| {});
        selected[next] = true;
    }
    picks
}

/// Candidates by bounds on their gains: the largest first, at equal bounds the lowest candidate.
pub(crate) struct Queue {
    /// Bound, candidate, and how many points were selected when the bound was exact.
    heap: BinaryHeap<(i64, Reverse<usize>, usize)>,
}

impl Queue {
    /// A queue of gains that are exact after `selected` choices.
    pub(crate) fn exact(gains: &[i64], selected: usize) -> Self {
        let candidates = gains
            .iter()
            .enumerate()
            .filter(|(_, gain)| **gain != SELECTED);
        Self {
            heap: candidates
                .map(|(point, gain)| (*gain, Reverse(point), selected))
                .collect(),
        }
    }

    /// Puts a candidate back with the gain that it has after `selected` choices.
    pub(crate) fn push(&mut self, point: usize, gain: i64, selected: usize) {
        self.heap.push((gain, Reverse(point), selected));
    }

    /// The first candidate, and whether its bound is exact after `selected` choices: then it is the
    /// next choice.
    pub(crate) fn pop(&mut self, selected: usize) -> Option<(usize, bool)> {
        let (_, Reverse(point), stamp) = self.heap.pop()?;
        Some((point, stamp == selected))
    }
}

/// Computes a gain anew only if its old value, which it cannot exceed, is the largest (Minoux 1978).
pub(crate) fn lazy(source: &mut impl Source, count: usize, team: Team) -> Picks {
    let start = Events::start(source, team);
    let len = source.len();
    let mut row = start.row;
    let queue = Queue::exact(&start.gains[..len], start.picks.order.len());
    finish_lazily(start.picks, queue, count, |picks, point, select| {
        source.row(point, &mut row);
        if select {
            picks.add(point, &row, len, |_| {});
            0
        } else {
            gain(&picks.nearest, &row[..len])
        }
    })
}

/// Goes on from `picks`. `visit` computes the gain of a point, or selects it.
pub(crate) fn finish_lazily(
    mut picks: Picks,
    mut queue: Queue,
    count: usize,
    mut visit: impl FnMut(&mut Picks, usize, bool) -> i64,
) -> Picks {
    while picks.order.len() < count {
        let now = picks.order.len();
        let Some((point, exact)) = queue.pop(now) else {
            break;
        };
        let gain = visit(&mut picks, point, exact);
        if !exact {
            queue.push(point, gain, now);
        }
    }
    picks
}
