//! The nearest neighbours of points, by blocks of products.

use afterimage_matmul::{Into, Matrix, product_strided};
use rayon::prelude::*;

use super::points::{Part, Points};
use super::rule::{NEIGHBOURS, Reach};

/// Points whose neighbours are looked for at a time, by one thread.
const ASKED: usize = 128;
/// Points that they are compared with at a time.
const COMPARED: usize = 512;
/// A squared distance out of a product may be wrong by this part of the sum of the squares.
const ROUNDED: f32 = 16.0 * f32::EPSILON;
/// Squared distances below this many such errors are measured by differences.
const FEW_ERRORS: f32 = 16.0;

/// What a point has about it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The nearest point.
    pub nearest: u32,
    /// How far it is.
    pub distance: f32,
    /// How far each of the neighbours is that are the measure.
    pub measure: [f32; NEIGHBOURS.len()],
    /// Points of higher numbers within reach, and how far they are.
    pub close: Vec<(u32, f32)>,
}

/// What the points `asked` of `members` have about them among `members`, both in ascending order; `part` is
/// these members' cells. `reaches` name the neighbours, of which there are enough, and what is close.
pub(super) fn search(
    points: &Points,
    (members, part): (&[u32], &Part<'_>),
    asked: &[u32],
    reaches: &[Reach],
) -> Vec<Found> {
    let most = reaches
        .iter()
        .map(|reach| reach.neighbour)
        .max()
        .unwrap_or(1);
    asked
        .par_chunks(ASKED)
        .flat_map_iter(|asked| {
            let best = block(members, part, asked, most);
            let found = asked.iter().zip(best);
            found
                .map(|(&point, best)| judge(points, point, best, reaches))
                .collect::<Vec<_>>()
        })
        .collect()
}

/// The `most` nearest members of each of the points `asked`, as far as single precision tells.
fn block(members: &[u32], part: &Part<'_>, asked: &[u32], most: usize) -> Vec<Vec<u32>> {
    // A few more, as those that are equally far in single precision may not be.
    let mut best: Vec<Best> = asked.iter().map(|_| Best::new(most + most / 8)).collect();
    let places: Vec<usize> = (asked.iter())
        .filter_map(|point| members.binary_search(point).ok())
        .collect();
    let width = part.width;
    let rows: Vec<f32> = (places.iter())
        .flat_map(|&place| &part.numbers[place * width..][..width])
        .copied()
        .collect();
    let mut far = vec![0.0f32; asked.len() * COMPARED];
    for from in (0..members.len()).step_by(COMPARED) {
        let count = COMPARED.min(members.len() - from);
        if width > 0 {
            let others = Matrix::new(&part.numbers[from * width..][..count * width], count, width);
            let rows = Matrix::new(&rows, asked.len(), width);
            product_strided(
                &mut far,
                COMPARED,
                rows,
                others.transposed(),
                Into::Overwrite,
            );
        }
        for ((far, &place), best) in far.chunks_exact_mut(COMPARED).zip(&places).zip(&mut best) {
            let far = &mut far[..count];
            let squares = &part.squares[from..from + count];
            let own = part.squares[place];
            for (far, square) in far.iter_mut().zip(squares) {
                *far = own + square - 2.0 * *far;
            }
            for (codes, weight) in &part.levels {
                let own = codes[place];
                for (far, code) in far.iter_mut().zip(&codes[from..from + count]) {
                    *far += if *code == own { 0.0 } else { *weight };
                }
            }
            let numbers = &part.numbers[place * width..][..width];
            for (at, (far, square)) in far.iter().zip(squares).enumerate() {
                let (error, other) = (ROUNDED * (own + square), from + at);
                if *far >= best.limit + error || other == place {
                    continue;
                }
                let far = match *far < FEW_ERRORS * error {
                    true => {
                        let others = &part.numbers[other * width..][..width];
                        differences(numbers, others) + levels(part, place, other)
                    }
                    false => *far,
                };
                if far < best.limit {
                    best.add(far, members[other]);
                }
            }
        }
        if width == 0 {
            far.fill(0.0);
        }
    }
    best.into_iter().map(Best::points).collect()
}

/// The squared distance of two rows of numbers, without a difference of large ones.
fn differences(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0f32; 8];
    for (one, other) in one.chunks(8).zip(other.chunks(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += (a - b) * (a - b);
        }
    }
    sums.iter().sum()
}

/// What the categories of two points add to their squared distance.
fn levels(part: &Part<'_>, one: usize, other: usize) -> f32 {
    let weights = part.levels.iter().map(|(codes, weight)| {
        let same = codes[one] == codes[other];
        if same { 0.0 } else { *weight }
    });
    weights.sum()
}

/// Exact distances of the nearest, and what they say.
fn judge(points: &Points, point: u32, best: Vec<u32>, reaches: &[Reach]) -> Found {
    let mut near: Vec<(f32, u32)> = (best.into_iter())
        .map(|other| (points.distance(point, other) as f32, other))
        .collect();
    near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let far = |neighbour: usize| near.get(neighbour - 1).map_or(f32::INFINITY, |near| near.0);
    let mut measure = [f32::INFINITY; NEIGHBOURS.len()];
    for (measure, reach) in measure.iter_mut().zip(reaches) {
        *measure = far(reach.neighbour);
    }
    let within = (reaches.iter().zip(&measure))
        .map(|(reach, far)| reach.part as f32 * far)
        .fold(0.0, f32::max);
    // The other of two near duplicates sees the pair as well.
    let close = (near.iter())
        .take_while(|near| near.0 <= within)
        .filter(|near| near.1 > point);
    Found {
        nearest: near.first().map_or(point, |near| near.1),
        distance: far(1),
        close: close.map(|&(far, other)| (other, far)).collect(),
        measure,
    }
}

/// The nearest so far, in no order.
struct Best {
    most: usize,
    /// What is not nearer need not be added.
    limit: f32,
    held: Vec<(f32, u32)>,
}

impl Best {
    fn new(most: usize) -> Self {
        Self {
            most,
            limit: f32::INFINITY,
            held: Vec::with_capacity(2 * most),
        }
    }

    fn add(&mut self, far: f32, point: u32) {
        self.held.push((far, point));
        if self.held.len() == 2 * self.most {
            self.shrink();
        }
    }

    fn shrink(&mut self) {
        if self.held.len() > self.most {
            let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            let (_, last, _) = self.held.select_nth_unstable_by(self.most - 1, order);
            self.limit = last.0;
            self.held.truncate(self.most);
        }
    }

    fn points(mut self) -> Vec<u32> {
        self.shrink();
        self.held.into_iter().map(|(_, point)| point).collect()
    }
}
