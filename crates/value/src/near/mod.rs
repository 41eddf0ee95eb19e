//! Near duplicates: rows so much nearer to another than to their further neighbours that chance does not
//! bring them there.

mod columns;
mod parts;
mod points;
mod rule;
mod search;
mod sets;
#[cfg(test)]
mod tests;

use rayon::prelude::*;

use crate::error::ValueError;
use crate::forest::start;
use crate::problem::Problem;
use crate::settings::Settings;

use points::Points;
use rule::NEIGHBOURS;
use search::{Found, search};
use sets::Joined;

pub use rule::Reach;
pub use sets::NearSet;

/// Points from which the reach is read, at most about.
const SAMPLE: usize = 4096;

/// The nearest other row of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NearRow {
    /// The number of its set in [`NearDuplicates::sets`], from 1; 0 if it is in none.
    pub set: u32,
    /// The nearest other row that was compared with it; of equally near ones one, whatever the order of the rows.
    pub nearest: Option<u32>,
    /// How far it is, in standard deviations of a column; NaN without one.
    pub distance: f64,
}

/// Rows that are equal to another, or nearly.
#[derive(Debug, Clone, PartialEq)]
pub struct NearDuplicates {
    /// The sets, the worst first: those of several labels, and of these the closest.
    pub sets: Vec<NearSet>,
    /// Each row.
    pub rows: Vec<NearRow>,
    /// How near is near; empty among fewer than 64 different rows, of which only equal ones are told.
    pub reaches: Vec<Reach>,
    /// Whether the columns are taken as they are, for they have a common scale; otherwise each is divided by
    /// its standard deviation.
    pub common_scale: bool,
    /// Different rows that each was compared with, at most, in each of two passes: all of them where this is
    /// their number.
    pub compared: usize,
    /// Number of different rows.
    pub different: usize,
}

impl NearDuplicates {
    /// Number of rows in sets.
    pub fn duplicates(&self) -> usize {
        self.sets.iter().map(|set| set.rows.len()).sum()
    }

    /// How many different labels the set of row `row` has; 0 where it is in none.
    pub fn labels(&self, row: usize) -> usize {
        match self.rows[row].set {
            0 => 0,
            set => self.sets[set as usize - 1].labels,
        }
    }

    /// Number of sets whose rows have several labels.
    pub fn contrary(&self) -> usize {
        self.sets.iter().filter(|set| set.labels > 1).count()
    }
}

/// An upper bound in bytes of what [`near_duplicates`] takes beside the table.
pub(crate) fn bytes(problem: &Problem, threads: Option<usize>) -> usize {
    let rows = problem.rows();
    let (numbers, levels) = points::size(problem);
    let point = 4 * (numbers + levels + 1);
    let size = parts::part_size(rows, points::cost(numbers, levels));
    let threads = threads.unwrap_or_else(rayon::current_num_threads);
    let copied = if size < rows {
        rows.min(size * threads)
    } else {
        0
    };
    // Keys, order and points; what is about each of them, and about pairs; the blocks of each thread.
    rows * (16 + point + 160) + copied * point + threads * (1 << 20)
}

/// Finds the rows of `problem` that are equal to another or nearly, by the distance of the nearest row beside
/// that of the 16th and of the 64th neighbour, and joins them into sets.
///
/// Rows are compared by all columns that are not constant: numbers centred and divided by the deviation of
/// their column (or of all, where columns have a common scale), categories by whether they are equal. Two
/// rows are near duplicates if, for one of the two neighbours, their distance is at most `part` ([`Reach`])
/// of the distance of this neighbour for both of them. `part` follows from the number of rows and their
/// dimension, so that a table without duplicates has 0.05 such rows on average where rows lie evenly at the
/// scale of the neighbours; it is never above 0.3. Each row is compared with all others as long as this takes
/// about 2³⁴ comparisons; more rows are cut twice, along other directions, into parts of neighbours. Same
/// problem and seed, same result: threads and the order of the rows change nothing.
///
/// # Errors
/// A setting out of range, threads that do not start, a problem with constant columns only.
pub fn near_duplicates(
    problem: &Problem,
    settings: &Settings,
) -> Result<NearDuplicates, ValueError> {
    let pool = start(problem, settings)?;
    Ok(pool.install(|| find(problem, settings.seed, None)))
}

/// [`near_duplicates`] with parts of at most `size` points.
fn find(problem: &Problem, seed: u64, size: Option<usize>) -> NearDuplicates {
    let points = Points::new(problem);
    let count = points.len();
    let size = size.unwrap_or_else(|| parts::part_size(count, points.cost()));
    let mut joined = Joined::new(count);
    let mut about = About::new(count);
    let neighbours = rule::neighbours(if size < count { size / 2 } else { count });
    let mut reaches: Vec<Reach> = Vec::new();
    let mut pairs = Vec::new();
    let mut compared = count;
    let passes = if size >= count { 1 } else { parts::PASSES };
    for pass in 0..passes {
        if neighbours.is_empty() {
            break;
        }
        let parts = parts::cut(&points, size, seed, pass as u32);
        if pass == 0 {
            compared = parts.iter().map(Vec::len).max().unwrap_or(count);
            reaches = read_reaches(&points, &parts, &neighbours);
        }
        let each = |members: &[u32]| look(&points, members, members, &reaches);
        let found: Vec<Vec<Found>> = parts.par_iter().map(|members| each(members)).collect();
        for (members, found) in parts.iter().zip(found) {
            for (&point, found) in members.iter().zip(found) {
                let close = found.close.iter();
                pairs.extend(close.map(|&(other, far)| (point, other, far)));
                about.add(point, &found);
            }
        }
    }
    for (one, other, far) in pairs {
        if about.is_near((one, other), far, &reaches) {
            joined.join(one, other);
        }
    }
    let mut rows = about.rows(&points);
    let distances: Vec<f64> = rows.iter().map(|row| row.distance).collect();
    let sets = joined.sets(&points, problem.target(), &distances);
    for (at, set) in sets.iter().enumerate() {
        for &row in &set.rows {
            rows[row as usize].set = at as u32 + 1;
        }
    }
    NearDuplicates {
        sets,
        rows,
        reaches,
        common_scale: points.common,
        compared,
        different: count,
    }
}

fn look(points: &Points, members: &[u32], asked: &[u32], reaches: &[Reach]) -> Vec<Found> {
    let part = match members.len() == points.len() {
        true => points.all(),
        false => points.part(members),
    };
    search(points, (members, &part), asked, reaches)
}

/// How near is near, by some points of each part.
fn read_reaches(points: &Points, parts: &[Vec<u32>], neighbours: &[usize]) -> Vec<Reach> {
    let unknown = |&neighbour: &usize| Reach {
        neighbour,
        dimension: f64::NAN,
        part: 0.0,
    };
    let unknown: Vec<Reach> = neighbours.iter().map(unknown).collect();
    let step = points.len().div_ceil(SAMPLE);
    let found: Vec<Found> = (parts.par_iter())
        .flat_map_iter(|members| {
            let asked: Vec<u32> = members.iter().copied().step_by(step).collect();
            look(points, members, &asked, &unknown)
        })
        .collect();
    (neighbours.iter().enumerate())
        .map(|(at, &neighbour)| {
            let ratio = |found: &Found| match found.measure[at] > 0.0 {
                true => f64::from(found.distance) / f64::from(found.measure[at]),
                false => 0.0,
            };
            let mut ratios: Vec<f64> = found.iter().map(ratio).collect();
            rule::reach(&mut ratios, neighbour, points.len(), neighbours.len())
        })
        .collect()
}

/// The nearest of each point, over all passes.
struct About {
    nearest: Vec<(f32, u32)>,
    measure: [Vec<f32>; NEIGHBOURS.len()],
}

impl About {
    fn new(points: usize) -> Self {
        Self {
            nearest: vec![(f32::INFINITY, u32::MAX); points],
            measure: [(); NEIGHBOURS.len()].map(|()| vec![f32::INFINITY; points]),
        }
    }

    fn add(&mut self, point: u32, found: &Found) {
        let at = point as usize;
        let (far, nearest) = self.nearest[at];
        if found.distance < far || (found.distance == far && found.nearest < nearest) {
            self.nearest[at] = (found.distance, found.nearest);
        }
        for (measure, found) in self.measure.iter_mut().zip(&found.measure) {
            measure[at] = measure[at].min(*found);
        }
    }

    fn is_near(&self, pair: (u32, u32), far: f32, reaches: &[Reach]) -> bool {
        (reaches.iter().zip(&self.measure)).any(|(reach, measure)| {
            let both = measure[pair.0 as usize].min(measure[pair.1 as usize]);
            f64::from(far) <= reach.part * f64::from(both)
        })
    }

    /// What is about each row; an equal row is the nearest.
    fn rows(&self, points: &Points) -> Vec<NearRow> {
        let nobody = NearRow {
            set: 0,
            nearest: None,
            distance: f64::NAN,
        };
        let mut rows = vec![nobody; points.order.len()];
        for (at, &(far, nearest)) in self.nearest.iter().enumerate() {
            let equal = points.rows(at);
            for &row in equal {
                let other = equal.iter().copied().find(|other| *other != row);
                let near = || (nearest != u32::MAX).then(|| points.rows(nearest as usize)[0]);
                rows[row as usize] = NearRow {
                    set: 0,
                    nearest: other.or_else(near),
                    distance: match (other, nearest) {
                        (Some(_), _) => 0.0,
                        (None, u32::MAX) => f64::NAN,
                        _ => f64::from(far),
                    },
                };
            }
        }
        rows
    }
}
