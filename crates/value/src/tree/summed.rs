//! Criteria whose state is a sum over rows: two classes (gini) and numbers (variance).

use super::cut::{Criterion, Entry, Present};
use crate::learn::Told;
use crate::ranks::{MOST_RANKS, Ranked};
use crate::score::ClassScore;

/// A sum over weighted rows.
pub(crate) trait Target {
    type Sum: Copy + Default;
    fn of(&self, row: Entry) -> Self::Sum;
    fn add(a: Self::Sum, b: Self::Sum) -> Self::Sum;
    /// Sum of weights.
    fn weight(sum: Self::Sum) -> f64;
    /// Decrease of the impurity's sum over the node when `part` is parted from `whole`.
    fn gain(part: Self::Sum, whole: Self::Sum) -> f64;
    /// Whether rows can be parted into purer ones.
    fn mixed(&self, rows: &[Entry], whole: Self::Sum) -> bool;
    fn score(&self, asked: Entry, leaf: Self::Sum) -> f32;
    /// What the leaf says: a class, or a number in standard deviations.
    fn said(&self, leaf: Self::Sum) -> f32;
}

/// Two classes: weights of the second class in the upper half, of the first in the lower half.
#[derive(Debug, Clone)]
pub(crate) struct TwoClasses {
    pub score: ClassScore,
}

impl TwoClasses {
    fn counts(sum: u64) -> [u64; 2] {
        [sum & 0xffff_ffff, sum >> 32]
    }
}

impl Target for TwoClasses {
    type Sum = u64;

    #[inline]
    fn of(&self, row: Entry) -> u64 {
        row.weight() << (row.class() * 32)
    }

    #[inline]
    fn add(a: u64, b: u64) -> u64 {
        a + b
    }

    fn weight(sum: u64) -> f64 {
        ((sum & 0xffff_ffff) + (sum >> 32)) as f64
    }

    /// Gini: with shares p of the second class, the decrease is w_l·w_r/w·(p_l − p_r)², up to a
    /// factor that a node's cuts have in common. The numerator is a whole number.
    #[inline]
    fn gain(part: u64, whole: u64) -> f64 {
        let [a, b] = Self::counts(part);
        let [c, d] = Self::counts(whole);
        let (in_part, in_whole) = (a + b, c + d);
        let difference = (b * in_whole) as i64 - (d * in_part) as i64;
        let difference = difference as f64;
        difference * difference / (in_part as f64 * (in_whole - in_part) as f64)
    }

    #[inline]
    fn mixed(&self, _: &[Entry], whole: u64) -> bool {
        let [a, b] = Self::counts(whole);
        a != 0 && b != 0
    }

    #[inline]
    fn score(&self, asked: Entry, leaf: u64) -> f32 {
        let counts = Self::counts(leaf);
        let majority = usize::from(counts[1] > counts[0]);
        let share = counts[asked.class() & 1] as f64 / (counts[0] + counts[1]) as f64;
        self.score.of(majority == asked.class(), share)
    }

    #[inline]
    fn said(&self, leaf: u64) -> f32 {
        let counts = Self::counts(leaf);
        f32::from(u8::from(counts[1] > counts[0]))
    }
}

/// Numbers, scaled to whole ones, so that sums are exact in any order.
#[derive(Debug, Clone)]
pub(crate) struct Variance<'a> {
    /// The target of each place.
    pub target: &'a [i64],
    /// The target's unit in standard deviations.
    pub unit: f64,
}

/// Weight and weighted sum of targets.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weighted {
    weight: i64,
    sum: i64,
}

impl Target for Variance<'_> {
    type Sum = Weighted;

    #[inline]
    fn of(&self, row: Entry) -> Weighted {
        let weight = row.weight() as i64;
        Weighted {
            weight,
            sum: weight * self.target[row.place()],
        }
    }

    #[inline]
    fn add(a: Weighted, b: Weighted) -> Weighted {
        Weighted {
            weight: a.weight + b.weight,
            sum: a.sum + b.sum,
        }
    }

    fn weight(sum: Weighted) -> f64 {
        sum.weight as f64
    }

    #[inline]
    fn gain(part: Weighted, whole: Weighted) -> f64 {
        let (weight, all) = (part.weight as f64, whole.weight as f64);
        let difference = part.sum as f64 - weight * (whole.sum as f64 / all);
        difference * difference * all / (weight * (all - weight))
    }

    fn mixed(&self, rows: &[Entry], _: Weighted) -> bool {
        let first = rows.first().map(|row| self.target[row.place()]);
        rows.iter()
            .any(|row| Some(self.target[row.place()]) != first)
    }

    fn score(&self, asked: Entry, leaf: Weighted) -> f32 {
        let mean = leaf.sum as f64 / leaf.weight as f64;
        let error = (self.target[asked.place()] as f64 - mean) * self.unit;
        -(error * error) as f32
    }

    fn said(&self, leaf: Weighted) -> f32 {
        (leaf.sum as f64 / leaf.weight as f64 * self.unit) as f32
    }
}

/// A criterion made of sums, with its working memory.
#[derive(Debug)]
pub(crate) struct Summed<T: Target> {
    target: T,
    whole: T::Sum,
    /// Sum of the node's rows of each rank; all 0 between calls.
    of_rank: Vec<T::Sum>,
    present: Present,
    /// Ranks of the node and their sums.
    groups: Vec<(u16, T::Sum)>,
}

impl<T: Target> Summed<T> {
    pub fn new(target: T) -> Self {
        Self {
            target,
            whole: T::Sum::default(),
            of_rank: vec![T::Sum::default(); MOST_RANKS],
            present: Present::new(),
            groups: Vec::new(),
        }
    }
}

impl<T: Target> Criterion for Summed<T> {
    fn enter(&mut self, rows: &[Entry]) -> bool {
        let target = &self.target;
        let none = T::Sum::default();
        self.whole = rows
            .iter()
            .fold(none, |sum, &row| T::add(sum, target.of(row)));
        target.mixed(rows, self.whole)
    }

    fn gather(&mut self, rows: &[Entry], column: &Ranked) -> usize {
        let ranks = column.ranks.as_slice();
        for &row in rows {
            let rank = ranks[row.place()];
            let sum = &mut self.of_rank[usize::from(rank)];
            *sum = T::add(*sum, self.target.of(row));
            self.present.insert(rank);
        }
        let (of_rank, groups) = (&mut self.of_rank, &mut self.groups);
        groups.clear();
        self.present.drain(column.count, |rank| {
            groups.push((rank, std::mem::take(&mut of_rank[usize::from(rank)])));
        });
        groups.len()
    }

    fn rank(&self, group: usize) -> u16 {
        self.groups[group].0
    }

    fn scan(&mut self, first: usize) -> Option<(usize, f64, bool)> {
        let mut part = T::Sum::default();
        let mut best: Option<(usize, f64, T::Sum)> = None;
        let mut most = f64::NEG_INFINITY;
        let last = self.groups.len() - 1;
        for (at, &(_, sum)) in (first..).zip(&self.groups[first..last]) {
            part = T::add(part, sum);
            let gain = T::gain(part, self.whole);
            if gain > most {
                most = gain;
                best = Some((at, gain, part));
            }
        }
        let whole = T::weight(self.whole);
        best.map(|(at, gain, part)| (at, gain, T::weight(part) * 2.0 < whole))
    }

    fn alone(&mut self, group: usize) -> f64 {
        T::gain(self.groups[group].1, self.whole)
    }

    fn answer(&self, asked: &[Entry], told: &mut Told<'_>) {
        let said = self.target.said(self.whole);
        for &row in asked {
            told.scores[row.place()] = self.target.score(row, self.whole);
            told.said[row.place()] = said;
        }
    }
}
