//! Growing a tree from the root to the leaves.

use afterimage_random::Generator;

use super::cut::{Criterion, Cut, Entry};
use crate::learn::Told;
use crate::ranks::Ranked;

/// What bounds a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Columns that are tried at a node, at least 1.
    pub candidates: usize,
    /// Cuts between the root and a leaf.
    pub depth: u32,
}

/// A part of the rows that is still to be parted.
#[derive(Debug, Clone, Copy)]
struct Node {
    rows: (usize, usize),
    asked: (usize, usize),
    depth: u32,
}

/// Grows trees one after the other, with working memory that is kept.
#[derive(Debug)]
pub(crate) struct Grower<C> {
    criterion: C,
    scratch: Vec<Entry>,
    open: Vec<Node>,
    order: Vec<usize>,
}

impl<C: Criterion> Grower<C> {
    pub fn new(criterion: C) -> Self {
        Self {
            criterion,
            scratch: Vec::new(),
            open: Vec::new(),
            order: Vec::new(),
        }
    }

    /// Learns from `rows` and answers for the rows `asked` at their places in `told`. The order of
    /// both is changed. `subset` names the columns that the tree may look at.
    pub fn grow(
        &mut self,
        columns: &[Ranked],
        subset: &[usize],
        limits: Limits,
        draws: &mut Generator,
        (rows, asked): (&mut [Entry], &mut [Entry]),
        told: &mut Told<'_>,
    ) {
        self.order.clear();
        self.order.extend_from_slice(subset);
        self.scratch
            .resize(rows.len().max(asked.len()), Entry::default());
        self.open.clear();
        self.open.push(Node {
            rows: (0, rows.len()),
            asked: (0, asked.len()),
            depth: 0,
        });
        while let Some(node) = self.open.pop() {
            if node.asked.0 == node.asked.1 {
                continue;
            }
            let here = &mut rows[node.rows.0..node.rows.1];
            let there = &mut asked[node.asked.0..node.asked.1];
            let cut = if self.criterion.enter(here) && node.depth < limits.depth {
                self.choose(here, columns, limits.candidates, draws)
            } else {
                None
            };
            let Some((column, cut)) = cut else {
                self.criterion.answer(there, told);
                continue;
            };
            let ranks = columns[column].ranks.as_slice();
            let at = node.rows.0 + partition(here, &mut self.scratch, ranks, cut);
            let split = node.asked.0 + partition(there, &mut self.scratch, ranks, cut);
            let depth = node.depth + 1;
            self.open.push(Node {
                rows: (at, node.rows.1),
                asked: (split, node.asked.1),
                depth,
            });
            self.open.push(Node {
                rows: (node.rows.0, at),
                asked: (node.asked.0, split),
                depth,
            });
        }
    }

    /// The best cut among columns drawn without replacement: as many as asked for, and further ones
    /// while all were constant in the node, as scikit-learn's trees do.
    fn choose(
        &mut self,
        rows: &[Entry],
        columns: &[Ranked],
        candidates: usize,
        draws: &mut Generator,
    ) -> Option<(usize, Cut)> {
        let mut best: Option<(usize, Cut)> = None;
        for tried in 0..self.order.len() {
            if tried >= candidates && best.is_some() {
                break;
            }
            let left = self.order.len() - tried;
            let drawn = tried + draws.below(left as u32) as usize;
            self.order.swap(tried, drawn);
            let column = self.order[tried];
            if let Some(cut) = self.criterion.best_cut(rows, &columns[column])
                && best.is_none_or(|(_, so_far)| cut.gain > so_far.gain)
            {
                best = Some((column, cut));
            }
        }
        best
    }
}

/// Puts the rows on the first side of the cut in front, in the order that they had; their number.
#[inline]
fn partition(rows: &mut [Entry], scratch: &mut [Entry], ranks: &[u16], cut: Cut) -> usize {
    let (mut first, mut second) = (0, 0);
    for at in 0..rows.len() {
        let row = rows[at];
        let takes = cut.takes(ranks[row.place()]);
        // Written to both, kept in one: a branch here would be mispredicted half of the time.
        rows[first] = row;
        scratch[second] = row;
        first += usize::from(takes);
        second += usize::from(!takes);
    }
    rows[first..].copy_from_slice(&scratch[..second]);
    first
}
