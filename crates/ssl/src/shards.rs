//! A batch cut into shards: the rows of each, rows joined again, and sums over shards in a fixed order.

use std::ops::Range;

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How the batches of a run are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shards {
    /// Parts of each batch, above 0; 1 for batches in one piece.
    pub count: usize,
    /// What a loss that compares samples compares.
    pub negatives: Negatives,
}

impl Default for Shards {
    fn default() -> Self {
        Self {
            count: 1,
            negatives: Negatives::default(),
        }
    }
}

/// Which samples a loss that compares samples with each other sees, where batches are cut into shards.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Negatives {
    /// Those of its shard.
    #[default]
    Shard,
    /// All of the batch: each shard is run forward a second time.
    All,
}

/// One of the parts that a batch is cut into, each with a forward and a backward pass of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: usize,
    /// Number of parts, above 0.
    pub of: usize,
}

impl Shard {
    /// The batch in one piece.
    pub const WHOLE: Self = Self { index: 0, of: 1 };

    /// The parts of a batch that is cut into `of`, in the batch's order.
    pub fn all(of: usize) -> impl Iterator<Item = Self> {
        (0..of).map(move |index| Self { index, of })
    }

    /// This part of `part`, as a part of what `part` is a part of.
    pub fn of_part(self, part: Self) -> Self {
        Self {
            index: part.index * self.of + self.index,
            of: part.of * self.of,
        }
    }

    /// This part of a batch as a part of `part`, in which it is to lie: the way back from
    /// [`of_part`](Self::of_part).
    pub fn within(self, part: Self) -> Self {
        let of = self.of / part.of;
        Self {
            index: self.index - part.index * of,
            of,
        }
    }

    /// The places of its samples in a batch of `samples`: parts lie one behind the other, and their
    /// sizes differ by one at most.
    pub fn places(self, samples: usize) -> Range<usize> {
        samples * self.index / self.of..samples * (self.index + 1) / self.of
    }

    /// Its rows of view-major ones `[V · B, …]`, view-major again: `[V · B / S, …]`.
    pub fn rows<const D: usize>(self, batch: Tensor<D>, views: usize) -> Tensor<D> {
        if self.of == 1 {
            return batch;
        }
        let samples = batch.dims()[0] / views.max(1);
        let places = self.places(samples);
        let of_view = |view: usize| {
            let (from, to) = (view * samples + places.start, view * samples + places.end);
            batch.clone().slice(from..to)
        };
        stacked((0..views.max(1)).map(of_view).collect())
    }

    /// Its part of one value a sample `[B]`.
    pub fn of_samples<T>(self, batch: &[T]) -> &[T] {
        &batch[self.places(batch.len())]
    }
}

/// View-major rows `[V · B, …]` of a batch from those of its shards, in their order.
pub fn joined<const D: usize>(shards: Vec<Tensor<D>>, views: usize) -> Tensor<D> {
    if shards.len() == 1 {
        return stacked(shards);
    }
    let views = views.max(1);
    let of_view = |view: usize| {
        shards.iter().map(move |shard| {
            let samples = shard.dims()[0] / views;
            shard.clone().slice(view * samples..(view + 1) * samples)
        })
    };
    stacked((0..views).flat_map(of_view).collect())
}

/// Rows below each other.
fn stacked<const D: usize>(mut rows: Vec<Tensor<D>>) -> Tensor<D> {
    match rows.len() {
        1 => rows.remove(0),
        _ => Tensor::cat(rows, 0),
    }
}

/// The mean of one value of each shard; of one shard, its value to the bit.
///
/// # Panics
/// Without any shard.
pub fn mean_of<const D: usize>(shards: Vec<Tensor<D>>) -> Tensor<D> {
    let count = shards.len();
    let mut tree = Tree::default();
    for value in shards {
        tree.push(value, |a, b| a + b);
    }
    match tree.sum(|a, b| a + b) {
        Some(sum) if count == 1 => sum,
        Some(sum) => sum.div_scalar(count as f64),
        None => unreachable!("a batch has at least one shard"),
    }
}

/// A sum over shards as a binary tree over their numbers: neighbours first, then pairs of neighbours.
///
/// The tree hangs on the number of shards alone, and so do the bits of a sum, wherever and in whichever
/// groups the shards were computed. No more than `log₂ S + 1` partial sums are kept.
#[derive(Debug)]
pub struct Tree<T> {
    /// Sums that wait for their neighbour, with the levels below them; the largest first.
    waiting: Vec<(u32, T)>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            waiting: Vec::new(),
        }
    }
}

impl<T> Tree<T> {
    /// Takes the value of the next shard.
    pub fn push(&mut self, mut value: T, add: impl Fn(T, T) -> T) {
        let mut level = 0;
        while let Some((_, left)) = self.waiting.pop_if(|(waiting, _)| *waiting == level) {
            value = add(left, value);
            level += 1;
        }
        self.waiting.push((level, value));
    }

    /// The sum of all; none if there were no shards.
    pub fn sum(self, add: impl Fn(T, T) -> T) -> Option<T> {
        // Where the number of shards is no power of two, what is left over is added from the right.
        let sums = self.waiting.into_iter().rev().map(|(_, value)| value);
        sums.reduce(|right, left| add(left, right))
    }
}
