//! Searches that learn: each generation of points is chosen from the results of all generations before it.
//!
//! Nothing is kept between two generations but what was asked and told, so that a search that was cut off goes on as
//! if it had not been. Points lie in a cube: a number from 0 to 1 for each key, which [`Range`](crate::Range) turns
//! into a value.

mod ask;
mod asking;
mod draws;
pub(crate) mod front;
mod nsga2;
mod point;
mod tpe;

pub use ask::{Asked, Searching};
pub use asking::{Asking, Question};
pub(crate) use point::Points;

use crate::config::SearchKind;
use draws::Draws;

/// Proposals for a point before it is drawn evenly, because all of them were there already, and draws before the space
/// counts as used up.
const TRIES: usize = 100;

/// What a key can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gene {
    /// A number; near points are alike.
    Number,
    /// One of so many things, none of which is near another.
    Choice(usize),
}

/// A point that was asked for and what came out.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Told {
    /// Its place in the cube.
    pub(crate) point: Vec<f64>,
    /// A number for each aim, less is better; `None` if it failed.
    pub(crate) losses: Option<Vec<f64>>,
}

/// What a generation is chosen from.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) kind: SearchKind,
    pub(crate) seed: u64,
    /// Points of a generation.
    pub(crate) size: usize,
    pub(crate) genes: &'a [Gene],
    /// All that was told, by generation.
    pub(crate) told: &'a [Vec<Told>],
}

/// The next generation: `count` points, of each of which `is_new` said that it is not there yet; fewer where no other
/// can be found.
pub(crate) fn generation(
    known: &Known<'_>,
    count: usize,
    is_new: &mut dyn FnMut(&[f64]) -> bool,
) -> Vec<Vec<f64>> {
    let first: usize = known.told.iter().map(Vec::len).sum();
    let population = (known.kind == SearchKind::Nsga2)
        .then(|| nsga2::Population::of(known.told, known.size))
        .filter(|population| !population.is_empty());
    let splits = known.kind == SearchKind::Tpe && first >= tpe::EVEN;
    let mut points: Vec<Vec<f64>> = Vec::new();
    for number in first..first + count {
        let mut draws = Draws::new(known.seed, number);
        let even = |draws: &mut Draws| known.genes.iter().map(|_| draws.uniform()).collect();
        let split = splits.then(|| tpe::Split::of(known.told.iter().flatten(), &points));
        let mut found = None;
        for attempt in 0..2 * TRIES {
            let learns = attempt < TRIES;
            let point: Vec<f64> = match (&population, &split) {
                (Some(population), _) if learns => population.child(known.genes, &mut draws),
                (_, Some(split)) if learns => split.point(known.genes, &mut draws),
                _ => even(&mut draws),
            };
            if is_new(&point) {
                found = Some(point);
                break;
            }
        }
        match found {
            Some(point) => points.push(point),
            None => break,
        }
    }
    points
}

#[cfg(test)]
mod tests;
