//! Sums of scores over learners, for each row and each cell.
//!
//! Equation 4 of 2D-OOB, Σ_b 1(w_bi = 0, j ∈ S_b)·T / Σ_b 1(w_bi = 0, j ∈ S_b), is a quotient of two
//! matrix products, rows × learners times learners × columns. Where T is 0 or 1 all matrices are of
//! bits, so the products are counts of common bits: exact, an eighth of a byte for each row and
//! learner, and made for a few rows at a time when they are asked for. Other scores are added up in
//! the order of the learners.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::forest::Done;
use crate::problem::{Problem, Target};
use crate::score::Score;
use crate::settings::Settings;

/// Rows that a thread takes at a time.
const ROWS: usize = 256;

/// What is known of all rows and cells, by place and usable column.
#[derive(Debug)]
pub(crate) struct Tally {
    rows: usize,
    columns: usize,
    /// Words of 64 learners.
    words: usize,
    /// Bit b of column j: learner b saw it; `[columns, words]`.
    seen: Vec<u64>,
    /// Bit b of place i: it was out of the bag of learner b; `[words, rows]`.
    out: Vec<u64>,
    scores: Sums,
}

#[derive(Debug)]
enum Sums {
    /// T is 0 or 1; bits as `out`.
    Hits(Vec<u64>),
    /// Sums of T and of T² by place and column, `[rows, columns]`, and by place, `[rows]`.
    Real {
        cells: Vec<[f64; 2]>,
        rows: Vec<[f64; 2]>,
    },
}

/// Count, sum and sum of squares of scores.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Moments {
    pub count: u32,
    pub sum: f64,
    pub squares: f64,
}

impl Moments {
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }

    pub fn minus(self, other: Self) -> Self {
        Self {
            count: self.count - other.count,
            sum: self.sum - other.sum,
            squares: self.squares - other.squares,
        }
    }
}

/// Whether scores are 0 or 1.
pub(crate) fn are_hits(problem: &Problem, settings: &Settings) -> bool {
    settings.score == Score::Plain && matches!(problem.target(), Target::Classes { .. })
}

impl Tally {
    pub fn new(problem: &Problem, settings: &Settings, columns: usize) -> Self {
        let rows = problem.rows();
        let words = (settings.learners as usize).div_ceil(64);
        let scores = if are_hits(problem, settings) {
            Sums::Hits(vec![0; words * rows])
        } else {
            Sums::Real {
                cells: vec![[0.0; 2]; rows * columns],
                rows: vec![[0.0; 2]; rows],
            }
        };
        Self {
            rows,
            columns,
            words,
            seen: vec![0; columns * words],
            out: vec![0; words * rows],
            scores,
        }
    }

    /// Adds learners that follow each other, from `first` on: the columns that each saw and its
    /// scores by place.
    pub fn add(&mut self, first: u32, learners: &[Done]) {
        let first = first as usize;
        for (at, done) in learners.iter().enumerate() {
            let learner = first + at;
            for &column in &done.subset {
                self.seen[column * self.words + learner / 64] |= 1 << (learner % 64);
            }
        }
        let rows = self.rows;
        let bits = |word: usize, target: &mut [u64], is: fn(f32) -> bool| {
            let from = (word * 64).max(first);
            let to = ((word + 1) * 64).min(first + learners.len());
            for learner in from..to {
                let scores = &learners[learner - first].scores;
                for (bits, &score) in target.iter_mut().zip(scores) {
                    *bits |= u64::from(is(score)) << (learner % 64);
                }
            }
        };
        self.out
            .par_chunks_mut(rows)
            .enumerate()
            .for_each(|(word, target)| bits(word, target, |score| !score.is_nan()));
        match &mut self.scores {
            Sums::Hits(hits) => hits
                .par_chunks_mut(rows)
                .enumerate()
                .for_each(|(word, target)| bits(word, target, |score| score == 1.0)),
            Sums::Real { cells, rows } => cells
                .par_chunks_mut(self.columns * ROWS)
                .zip(rows.par_chunks_mut(ROWS))
                .enumerate()
                .for_each(|(chunk, (cells, rows))| {
                    for done in learners {
                        let scores = &done.scores[chunk * ROWS..][..rows.len()];
                        add_real(&done.subset, scores, cells, rows);
                    }
                }),
        }
    }

    /// The moments of the place's cells, one a usable column, added to `cells`; those of the row.
    pub fn place(&self, place: usize, cells: &mut [Moments]) -> Moments {
        let mut out = vec![0u64; self.words];
        let word_of = |bits: &[u64], word: usize| bits[word * self.rows + place];
        for (word, bits) in out.iter_mut().enumerate() {
            *bits = word_of(&self.out, word);
        }
        let count: u32 = Arch::new().dispatch(Common {
            left: &out,
            right: None,
        });
        match &self.scores {
            Sums::Hits(hits) => {
                let hit: Vec<u64> = (0..self.words).map(|word| word_of(hits, word)).collect();
                Arch::new().dispatch(Products {
                    out: &out,
                    hit: Some(&hit),
                    seen: &self.seen,
                    cells,
                });
                let sum = f64::from(Arch::new().dispatch(Common {
                    left: &hit,
                    right: None,
                }));
                Moments {
                    count,
                    sum,
                    squares: sum,
                }
            }
            Sums::Real {
                cells: real,
                rows: row,
            } => {
                Arch::new().dispatch(Products {
                    out: &out,
                    hit: None,
                    seen: &self.seen,
                    cells,
                });
                let real = &real[place * self.columns..][..self.columns];
                for (cell, [sum, squares]) in cells.iter_mut().zip(real) {
                    cell.sum += sum;
                    cell.squares += squares;
                }
                let [sum, squares] = row[place];
                Moments {
                    count,
                    sum,
                    squares,
                }
            }
        }
    }

    /// Number of usable columns.
    pub fn columns(&self) -> usize {
        self.columns
    }
}

fn add_real(subset: &[usize], scores: &[f32], cells: &mut [[f64; 2]], rows: &mut [[f64; 2]]) {
    if scores.is_empty() {
        return;
    }
    let columns = cells.len() / scores.len();
    for ((&score, cells), row) in scores.iter().zip(cells.chunks_mut(columns)).zip(rows) {
        if score.is_nan() {
            continue;
        }
        let score = f64::from(score);
        let add = |sums: &mut [f64; 2]| {
            sums[0] += score;
            sums[1] += score * score;
        };
        add(row);
        subset.iter().for_each(|&column| add(&mut cells[column]));
    }
}

/// Number of common bits.
struct Common<'a> {
    left: &'a [u64],
    right: Option<&'a [u64]>,
}

impl WithSimd for Common<'_> {
    type Output = u32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> u32 {
        common(self.left, self.right.unwrap_or(self.left))
    }
}

#[inline(always)]
fn common(left: &[u64], right: &[u64]) -> u32 {
    let pairs = left.iter().zip(right);
    pairs.map(|(a, b)| (a & b).count_ones()).sum()
}

/// Counts of one row for all columns. Compiled for what the processor has: without an instruction
/// that counts bits it takes five times as long.
struct Products<'a> {
    out: &'a [u64],
    hit: Option<&'a [u64]>,
    seen: &'a [u64],
    cells: &'a mut [Moments],
}

impl WithSimd for Products<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let columns = self.seen.chunks_exact(self.out.len());
        for (cell, seen) in self.cells.iter_mut().zip(columns) {
            cell.count += common(self.out, seen);
            if let Some(hit) = self.hit {
                let sum = f64::from(common(hit, seen));
                cell.sum += sum;
                cell.squares += sum;
            }
        }
    }
}
