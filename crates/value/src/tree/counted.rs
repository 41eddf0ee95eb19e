//! Gini for any number of classes: rows are visited by rank, and squares of counts kept up to date.

use super::cut::{Criterion, Entry, Present};
use crate::learn::Told;
use crate::ranks::{MOST_RANKS, Ranked};
use crate::score::ClassScore;

/// Gini over many classes, with its working memory.
#[derive(Debug)]
pub(crate) struct ManyClasses {
    score: ClassScore,
    /// Weight of each class in the node.
    whole: Vec<u64>,
    /// The classes of the node; `whole` is 0 elsewhere.
    classes: Vec<usize>,
    weight: u64,
    /// Weight of each class on the first side of a cut.
    part: Vec<u64>,
    /// One more than the node's last row of each rank, and than the row before it of the same rank.
    last: Vec<u32>,
    before: Vec<u32>,
    present: Present,
    /// The node's rows by rank, and the ranks with the ends of their rows.
    by_rank: Vec<Entry>,
    groups: Vec<(u16, usize)>,
}

/// Weights and sums of squared class weights on both sides of a cut.
#[derive(Clone, Copy)]
struct Sides {
    weight: u64,
    squares: u64,
    other_squares: u64,
}

impl ManyClasses {
    pub fn new(classes: usize, score: ClassScore) -> Self {
        Self {
            score,
            whole: vec![0; classes],
            classes: Vec::new(),
            weight: 0,
            part: vec![0; classes],
            last: vec![0; MOST_RANKS],
            before: Vec::new(),
            present: Present::new(),
            by_rank: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn start(&self) -> Sides {
        Sides {
            weight: 0,
            squares: 0,
            other_squares: self.classes.iter().map(|&c| self.whole[c].pow(2)).sum(),
        }
    }

    /// Moves rows to the first side.
    fn take(&mut self, rows: std::ops::Range<usize>, mut sides: Sides) -> Sides {
        for &row in &self.by_rank[rows] {
            let (weight, class) = (row.weight(), row.class());
            let here = self.part[class];
            let there = self.whole[class] - here;
            sides.squares += weight * (2 * here + weight);
            // (t − w)² − t² = −w·(2t − w), and t ≥ w.
            sides.other_squares -= weight * (2 * there - weight);
            self.part[class] = here + weight;
            sides.weight += weight;
        }
        sides
    }

    fn clear_part(&mut self) {
        for &class in &self.classes {
            self.part[class] = 0;
        }
    }

    /// Where the rows of a group begin.
    fn start_of(&self, group: usize) -> usize {
        group
            .checked_sub(1)
            .map_or(0, |before| self.groups[before].1)
    }

    /// Gain up to a constant: Σ l²/w_l + Σ r²/w_r.
    fn gain(&self, sides: Sides) -> f64 {
        sides.squares as f64 / sides.weight as f64
            + sides.other_squares as f64 / (self.weight - sides.weight) as f64
    }
}

impl Criterion for ManyClasses {
    fn enter(&mut self, rows: &[Entry]) -> bool {
        for class in self.classes.drain(..) {
            self.whole[class] = 0;
        }
        self.weight = 0;
        for row in rows {
            let class = row.class();
            if self.whole[class] == 0 {
                self.classes.push(class);
            }
            self.whole[class] += row.weight();
            self.weight += row.weight();
        }
        self.classes.len() > 1
    }

    fn gather(&mut self, rows: &[Entry], column: &Ranked) -> usize {
        self.before.clear();
        for (at, &row) in rows.iter().enumerate() {
            let rank = column.ranks[row.place()];
            let last = &mut self.last[usize::from(rank)];
            self.before.push(*last);
            *last = at as u32 + 1;
            self.present.insert(rank);
        }
        let Self {
            last,
            before,
            present,
            by_rank,
            groups,
            ..
        } = self;
        by_rank.clear();
        groups.clear();
        present.drain(column.count, |rank| {
            let mut next = std::mem::take(&mut last[usize::from(rank)]) as usize;
            while next != 0 {
                by_rank.push(rows[next - 1]);
                next = before[next - 1] as usize;
            }
            groups.push((rank, by_rank.len()));
        });
        groups.len()
    }

    fn rank(&self, group: usize) -> u16 {
        self.groups[group].0
    }

    fn scan(&mut self, first: usize) -> Option<(usize, f64, bool)> {
        let mut from = self.start_of(first);
        let mut sides = self.start();
        let mut best: Option<(usize, f64, bool)> = None;
        for at in first..self.groups.len().saturating_sub(1) {
            let to = self.groups[at].1;
            sides = self.take(from..to, sides);
            from = to;
            let gain = self.gain(sides);
            if best.is_none_or(|(_, most, _)| gain > most) {
                best = Some((at, gain, sides.weight * 2 < self.weight));
            }
        }
        self.clear_part();
        best
    }

    fn alone(&mut self, group: usize) -> f64 {
        let rows = self.start_of(group)..self.groups[group].1;
        let sides = self.take(rows.clone(), self.start());
        for row in rows {
            self.part[self.by_rank[row].class()] = 0;
        }
        self.gain(sides)
    }

    fn answer(&self, asked: &[Entry], told: &mut Told<'_>) {
        // Of classes with equal weight, the first.
        let majority = self
            .classes
            .iter()
            .copied()
            .max_by_key(|&class| (self.whole[class], std::cmp::Reverse(class)));
        let said = majority.map_or(f32::NAN, |class| class as f32);
        for &row in asked {
            let share = self.whole[row.class()] as f64 / self.weight as f64;
            told.scores[row.place()] = self.score.of(majority == Some(row.class()), share);
            told.said[row.place()] = said;
        }
    }
}
