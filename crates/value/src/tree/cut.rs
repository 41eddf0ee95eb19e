//! Rows as trees carry them, and cuts that part them.

use crate::learn::Told;
use crate::ranks::Ranked;

/// One row in a tree: its place, its weight in the bag, and its class, in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Entry(u64);

impl Entry {
    #[inline]
    pub fn new(place: u32, weight: u16, class: u16) -> Self {
        Self(u64::from(place) | u64::from(weight) << 32 | u64::from(class) << 48)
    }

    #[inline]
    pub fn place(self) -> usize {
        self.0 as u32 as usize
    }

    #[inline]
    pub fn weight(self) -> u64 {
        self.0 >> 32 & 0xffff
    }

    #[inline]
    pub fn class(self) -> usize {
        (self.0 >> 48) as usize
    }
}

/// Parts ranks in two: those of `low..=low + span`, and the others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cut {
    pub low: u16,
    pub span: u16,
    /// How much purer the parts are than the whole; comparable within one node.
    pub gain: f64,
}

impl Cut {
    /// The cut of an ordered column between the ranks `below` and `above`, of which nothing
    /// between was seen.
    pub fn between(column: &Ranked, below: u16, above: u16, low: u16, gain: f64) -> Self {
        Self {
            low,
            span: column.halfway(below, above) - low,
            gain,
        }
    }

    /// Whether `rank` is on the first side.
    #[inline]
    pub fn takes(self, rank: u16) -> bool {
        rank.wrapping_sub(self.low) <= self.span
    }
}

/// What a tree makes pure: one implementation for each kind of target.
pub(crate) trait Criterion {
    /// Looks at the rows of a node; false if they are all alike, so that no cut can help.
    fn enter(&mut self, rows: &[Entry]) -> bool;

    /// Gathers the node's rows in groups of one rank along `column`, in ascending order; how many there are.
    fn gather(&mut self, rows: &[Entry], column: &Ranked) -> usize;

    /// The rank of a group.
    fn rank(&self, group: usize) -> u16;

    /// The best place to cut the groups from `first` on: the group before the cut, its gain, and whether those
    /// groups up to it weigh less than half of the node.
    fn scan(&mut self, first: usize) -> Option<(usize, f64, bool)>;

    /// The gain of parting a group from all others.
    fn alone(&mut self, group: usize) -> f64;

    /// Answers for the rows that arrived in a leaf by those that made it; the node was entered.
    fn answer(&self, asked: &[Entry], told: &mut Told<'_>);

    /// The best cut of the node's rows along `column`; `None` if all have the same rank. Of equally
    /// good cuts it is the first by rank.
    fn best_cut(&mut self, rows: &[Entry], column: &Ranked) -> Option<Cut> {
        let groups = self.gather(rows, column);
        if groups < 2 {
            None
        } else if column.ordered {
            self.ordered(column)
        } else {
            self.category(groups)
        }
    }

    /// The best cut of ordered groups. Missing cells are tried with either part.
    fn ordered(&mut self, column: &Ranked) -> Option<Cut> {
        let (at, gain, smaller) = self.scan(0)?;
        let saw_missing = column.missing && self.rank(0) == 0;
        if !saw_missing {
            // Missing cells that the node did not see go with the larger part.
            let low = u16::from(column.missing && smaller);
            return Some(self.behind(at, column, low, gain));
        }
        let with_low = match at {
            0 => Cut {
                low: 0,
                span: 0,
                gain,
            },
            at => self.behind(at, column, 0, gain),
        };
        match self.scan(1) {
            Some((at, gain, _)) if gain > with_low.gain => Some(self.behind(at, column, 1, gain)),
            _ => Some(with_low),
        }
    }

    /// The cut behind an ordered group.
    fn behind(&self, group: usize, column: &Ranked, low: u16, gain: f64) -> Cut {
        Cut::between(column, self.rank(group), self.rank(group + 1), low, gain)
    }

    /// One category against the others, as in a tree on one-hot columns.
    fn category(&mut self, groups: usize) -> Option<Cut> {
        let mut best: Option<Cut> = None;
        for group in 0..groups {
            let gain = self.alone(group);
            if best.is_none_or(|cut| gain > cut.gain) {
                best = Some(Cut {
                    low: self.rank(group),
                    span: 0,
                    gain,
                });
            }
        }
        best
    }
}

/// The ranks that occur in a node, in ascending order: a set of bits in two levels.
#[derive(Debug)]
pub(crate) struct Present {
    words: Vec<u64>,
    /// Bit w is set where `words[w]` is not 0.
    tops: [u64; 16],
}

impl Present {
    pub fn new() -> Self {
        Self {
            words: vec![0; crate::ranks::MOST_RANKS / 64],
            tops: [0; 16],
        }
    }

    #[inline]
    pub fn insert(&mut self, rank: u16) {
        let word = usize::from(rank >> 6);
        self.words[word] |= 1 << (rank & 63);
        self.tops[word >> 6] |= 1 << (word & 63);
    }

    /// Calls `each` with every rank in ascending order, and leaves the set empty.
    #[inline]
    pub fn drain(&mut self, count: usize, mut each: impl FnMut(u16)) {
        for (high, top) in self.tops[..count.div_ceil(64 * 64)].iter_mut().enumerate() {
            let mut tops = std::mem::take(top);
            while tops != 0 {
                let word = high * 64 + tops.trailing_zeros() as usize;
                tops &= tops - 1;
                let mut bits = std::mem::take(&mut self.words[word]);
                while bits != 0 {
                    each((word * 64) as u16 + bits.trailing_zeros() as u16);
                    bits &= bits - 1;
                }
            }
        }
    }
}
