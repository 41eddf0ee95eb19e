//! An order of the rows that does not depend on the order in which they were given.

use afterimage_random::mix;

use crate::problem::{Cells, Problem, Target};

/// The rows in an order of their own: by id where there are ids, by content otherwise.
///
/// Everything random is drawn for places in this order, so that shuffling a table shuffles its
/// values with it and changes nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canonical {
    /// The given row at each place.
    pub row: Vec<u32>,
    /// Where each group of rows with equal cells and labels begins, and the number of rows at the
    /// end. With ids every row is a group of its own.
    pub groups: Vec<u32>,
}

impl Canonical {
    /// The order of the rows of `problem`.
    pub fn new(problem: &Problem) -> Self {
        let keys = match problem.ids() {
            Some(ids) => ids.iter().map(|id| text(0, id)).collect(),
            None => content(problem),
        };
        let mut row: Vec<u32> = (0..problem.rows() as u32).collect();
        match problem.ids() {
            Some(ids) => row.sort_by_cached_key(|&r| (keys[r as usize], &ids[r as usize])),
            None => row.sort_unstable_by_key(|&r| (keys[r as usize], r)),
        }
        let starts = (0..row.len()).filter(|&at| {
            problem.ids().is_some()
                || at == 0
                || keys[row[at] as usize] != keys[row[at - 1] as usize]
        });
        let mut groups: Vec<u32> = starts.map(|at| at as u32).collect();
        groups.push(row.len() as u32);
        Self { row, groups }
    }
}

/// A hash of each row's cells and label; 64 bits make equal hashes of different rows a matter of
/// one in millions of tables of a million rows.
fn content(problem: &Problem) -> Vec<u64> {
    let mut keys = vec![0u64; problem.rows()];
    for column in problem.columns() {
        match &column.cells {
            Cells::Numbers(values) => {
                for (key, &value) in keys.iter_mut().zip(values) {
                    *key = mix(*key, number(f64::from(value)));
                }
            }
            Cells::Levels { codes, .. } => {
                for (key, &code) in keys.iter_mut().zip(codes) {
                    *key = mix(*key, u64::from(code));
                }
            }
        }
    }
    match problem.target() {
        Target::Classes { codes, .. } => {
            for (key, &code) in keys.iter_mut().zip(codes) {
                *key = mix(*key, u64::from(code));
            }
        }
        Target::Numbers(values) => {
            for (key, &value) in keys.iter_mut().zip(values) {
                *key = mix(*key, number(value));
            }
        }
    }
    keys
}

/// One bit pattern for each number: 0 has no sign here, and a missing cell is like another.
fn number(value: f64) -> u64 {
    if value.is_nan() {
        f64::NAN.to_bits()
    } else {
        (value + 0.0).to_bits()
    }
}

fn text(key: u64, text: &str) -> u64 {
    let words = text.as_bytes().chunks(8).map(|bytes| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    });
    words.fold(mix(key, text.len() as u64), mix)
}
