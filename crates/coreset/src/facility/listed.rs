//! Facility location out of lists that one pass over all pairs leaves behind.
//!
//! A sample tells which distances may matter ([`Outline`]). One pass over the pairs of points then sums
//! all distances, computes the gains after the first choice, and keeps the distances that may matter in
//! [`Lists`]; [`Search`] chooses, and computes again what is missing in them. The choice is that of the
//! whole matrix.

use std::ops::Range;
use std::time::Instant;

use super::cloud::{ALIGN, Cloud, PANEL};
use super::compress::{Packed, Window};
use super::fixed::Tile;
use super::greedy::{Picks, medoid};
use super::lists::{LOOSE, Lists, PACKED};
use super::matrix_free::{add_gains, gains_by_sweep, row_of};
use super::outline::{Outline, SAMPLE};
use super::search::{Search, Start};
use super::slab::Slab;
use super::sweep::{Pair, Sums, sweep};
use super::team::Team;
use super::totals::Totals;
use super::transpose::transpose;
use crate::error::CoresetError;

/// A choice, the largest distance in steps, and the seconds until lists were there.
pub(crate) type Listed = (Picks, i32, f64);

/// Bytes that lists of `len` points of `width` numbers take at least, with what goes with them.
pub(crate) fn least_bytes(len: usize, width: usize) -> u64 {
    beside(len, width) + outline(len) * 5 / 4
}

/// Bytes that lists are worth at most, with what goes with them: lists are shorter than half of the
/// pairs of points even after one choice.
pub(crate) fn most_bytes(len: usize, width: usize) -> u64 {
    let pairs = len as u64 * len as u64;
    beside(len, width) + (5 * pairs / 2).max(outline(len) * 5 / 4)
}

/// Bytes for copies of open points, where blocks of lists lie, bounds, and distances of a sample to all
/// points, which tell whether what is open fits.
fn beside(len: usize, width: usize) -> u64 {
    let panels = len.div_ceil(PANEL) as u64;
    let points = len as u64 * width as u64 * 4;
    let sample = (SAMPLE * len.next_multiple_of(ALIGN) * 4) as u64;
    points / 2 + panels * panels * 640 + len as u64 * 96 + sample
}

fn outline(len: usize) -> u64 {
    (Outline::room(len.next_multiple_of(ALIGN)) * 4) as u64
}

/// Chooses `count` points, each worth its `bonus` in units of the largest distance beside what it
/// covers, with lists and what goes with them in `bytes`.
///
/// # Errors
/// The system refuses the memory.
pub(crate) fn choose(
    cloud: &Cloud,
    count: usize,
    bonus: Option<&[f64]>,
    bytes: u64,
    team: Team,
    spare: &mut Option<Slab>,
) -> Result<Listed, CoresetError> {
    let begin = Instant::now();
    let bytes = bytes.saturating_sub(beside(cloud.len(), cloud.width()));
    // Most for packed lists, the rest for what is left of them later.
    let most = usize::try_from(bytes / 8 * 7 / PACKED).unwrap_or(usize::MAX);
    let most_loose = usize::try_from(bytes / 8 / LOOSE).unwrap_or(usize::MAX);
    let mut slab = reserve(spare, Outline::room(cloud.padded()))?;
    let memory = &mut slab.values_mut::<i32>()[..Outline::room(cloud.padded())];
    let outline = Outline::new(cloud, count, bonus, most / 10 * 7, memory, team);
    // Twice what is expected, all if nothing is; pages that are not written take no memory.
    let room = match outline.entries {
        0 => most,
        entries => most.min(2 * entries),
    };
    if slab.values::<u32>().len() < room {
        slab = Slab::new::<u32>(room)?;
    }
    let memory = slab.values_mut::<u32>();
    let room = most.min(memory.len());
    let lists = Lists::new(cloud, &mut memory[..room]);
    let mut pass = Pass::over(cloud, &outline, &lists, team);
    let (lists, limits) = match lists.room() {
        Some(_) => (lists, outline.limits),
        None => {
            // Rare: the sample misled. Everything is as if no list had been kept.
            pass.rests = pass.gains.clone();
            let none = vec![0; cloud.padded()];
            drop(lists);
            let memory = &mut slab.values_mut::<u32>()[..room];
            (Lists::new(cloud, memory), none)
        }
    };
    let len = cloud.len();
    let steps = |part: &f64| (part * f64::from(pass.largest)).round() as i64;
    let bonus = bonus.map_or(vec![0; len], |bonus| bonus.iter().map(steps).collect());
    let totals = pass.totals[..len].iter().zip(&bonus);
    let worth: Vec<i64> = totals.map(|(total, bonus)| total - bonus).collect();
    let first = medoid(&worth);
    let mut row = outline.row;
    if first != outline.first {
        row_of(cloud, first, &mut Tile::default(), &mut row);
        pass.gains = gains_by_sweep(cloud, &row[..len], team);
        pass.rests = pass.gains.clone();
    }
    let built = begin.elapsed().as_secs_f64();
    let start = Start {
        picks: Picks::start(first, &row[..len]),
        gains: pass.gains,
        rests: pass.rests,
        limits,
        bonus,
    };
    let picks = Search::new(cloud, lists, start, most_loose, team).run(count);
    *spare = Some(slab);
    Ok((picks, pass.largest, built))
}

/// Memory for `count` numbers, that of an earlier group if it is large enough.
fn reserve(spare: &mut Option<Slab>, count: usize) -> Result<Slab, CoresetError> {
    let kept = spare.take();
    match kept.filter(|slab| slab.values::<u32>().len() >= count) {
        Some(slab) => Ok(slab),
        None => Slab::new::<u32>(count),
    }
}

/// What a pass over all pairs leaves behind beside lists.
struct Pass {
    /// Σ of the distances to all points, for each point.
    totals: Vec<i64>,
    /// Gains after the likely first choice, for each candidate.
    gains: Vec<i64>,
    /// The part of them that comes from points beyond the lists.
    rests: Vec<i64>,
    /// The largest distance.
    largest: i32,
}

/// Working memory for one tile.
#[derive(Default)]
struct Scratch {
    packed: Packed,
    turned: Vec<i32>,
    window: Window,
}

impl Pass {
    fn over(cloud: &Cloud, outline: &Outline, lists: &Lists<'_>, team: Team) -> Self {
        let totals = Totals::new(cloud);
        let (gains, rests) = (Sums::new(cloud), Sums::new(cloud));
        let none = vec![0; cloud.padded()];
        let listed = outline.entries > 0;
        // Lists that reach up to the first choice leave nothing out.
        let some_beyond = listed && outline.limits != outline.row;
        sweep(cloud, team, |scratch: &mut Scratch, pair| {
            totals.add(cloud, pair);
            add_gains(pair, &outline.row, &none, &gains);
            if some_beyond {
                add_gains(pair, &outline.row, &outline.limits, &rests);
            }
            if listed {
                add_lists(cloud, pair, &outline.limits, lists, scratch);
            }
        });
        let gains = gains.finish();
        let (totals, largest) = totals.finish();
        Self {
            totals,
            rests: if listed {
                rests.finish()
            } else {
                gains.clone()
            },
            gains,
            largest,
        }
    }
}

fn add_lists(
    cloud: &Cloud,
    pair: &Pair<'_>,
    limits: &[i32],
    lists: &Lists<'_>,
    scratch: &mut Scratch,
) {
    if lists.room().is_none() {
        return;
    }
    let real = |range: &Range<usize>| cloud.len().saturating_sub(range.start).min(range.len());
    let (height, width) = (pair.rows.len(), pair.columns.len());
    scratch.window.below(&limits[pair.columns.clone()]);
    let steps = &pair.steps[..real(&pair.rows) * width];
    scratch.packed.keep(steps, &scratch.window);
    lists.add(pair.left, pair.right, &scratch.packed);
    if pair.left != pair.right {
        scratch.turned.resize(height * width, 0);
        transpose(pair.steps, width, &mut scratch.turned, height);
        scratch.window.below(&limits[pair.rows.clone()]);
        let steps = &scratch.turned[..real(&pair.columns) * height];
        scratch.packed.keep(steps, &scratch.window);
        lists.add(pair.right, pair.left, &scratch.packed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::facility::dense::Dense;
    use crate::facility::greedy::{event_driven, naive};
    use crate::facility::leaning::Leaning;
    use crate::matrix::Matrix;
    use crate::points::Points;
    use crate::random::Purpose;

    /// Points of a coarse grid around a few centres: equal distances, equal gains and equal points are
    /// frequent. `fine` moves each point by less than a step of the whole cloud.
    fn points(len: usize, columns: usize, seed: u64, grid: f64, fine: f32) -> Points<'static> {
        let mut draws = Purpose::Sample.draws(seed, 0);
        let centres: Vec<f64> = (0..7 * columns)
            .map(|_| (draws.uniform() * 9.0).floor())
            .collect();
        let mut values = Vec::with_capacity(len * columns);
        for point in 0..len {
            let centre = draws.below_wide(7);
            for column in 0..columns {
                let near = centres[centre * columns + column] + (draws.uniform() * grid).floor();
                values.push(near as f32 + fine * (point % 11) as f32);
            }
        }
        Points::Rows(Matrix::new("points", len, columns, values).unwrap())
    }

    fn cloud(points: &Points) -> Cloud {
        let all: Vec<usize> = (0..points.len()).collect();
        Cloud::new(points, &all, points.len().is_multiple_of(2))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn lists_choose_what_the_whole_matrix_chooses(
            len in 1usize..700, columns in 1usize..20, seed in 0u64..1000, part in 0.0f64..0.6,
            grid in 1.0f64..6.0, fine in prop::sample::select(vec![0.0f32, 1e-6, 3e-6, 0.01]),
            memory in prop::sample::select(vec![0u64, 8_000, 60_000, 300_000, 10_000_000]),
            leaning in prop::sample::select(vec![0.0f64, 0.05, 3.0]),
            several in any::<bool>(),
        ) {
            let points = points(len, columns, seed, grid, fine);
            let cloud = cloud(&points);
            let count = ((len as f64 * part) as usize).clamp(1, len);
            let bonus: Vec<f64> = (0..len).map(|i| (i * 7 % 5) as f64 * leaning / 4.0).collect();
            let bonus = (leaning > 0.0).then_some(&bonus[..]);
            let mut dense = Dense::<i32>::new(&cloud, Team::Alone, &mut None).unwrap();
            let expected = match bonus {
                Some(bonus) => event_driven(&mut Leaning::new(&mut dense, bonus), count, Team::Alone),
                None => event_driven(&mut dense, count, Team::Alone),
            };
            if len < 150 && bonus.is_none() {
                prop_assert_eq!(&naive(&mut dense, count), &expected);
            }
            let bytes = beside(len, columns) + memory;
            let team = if several { Team::All } else { Team::Alone };
            // What an earlier group left in the memory does not show.
            let mut spare = None;
            for _ in 0..2 {
                let (picks, ..) = choose(&cloud, count, bonus, bytes, team, &mut spare).unwrap();
                prop_assert_eq!(&picks, &expected);
            }
        }
    }

    #[test]
    fn limits_are_not_taken_for_lists() {
        // The sample has no pair within its limits, and there is no memory; point 71 lies apart.
        let points = points(129, 1, 50, 3.12, 0.0);
        let cloud = cloud(&points);
        let mut dense = Dense::<i32>::new(&cloud, Team::Alone, &mut None).unwrap();
        let expected = event_driven(&mut dense, 45, Team::Alone);
        assert!(expected.order[..11].contains(&71));
        let found = choose(&cloud, 45, None, beside(129, 1), Team::Alone, &mut None);
        assert_eq!(found.unwrap().0, expected);
    }

    #[test]
    fn what_does_not_fit_is_computed() {
        // One memory after the other, so that lists end in the pass, at their completion, or never.
        let points = points(900, 6, 3, 40.0, 0.001);
        let cloud = cloud(&points);
        let mut dense = Dense::<i32>::new(&cloud, Team::Alone, &mut None).unwrap();
        let expected = event_driven(&mut dense, 200, Team::Alone);
        for kilobytes in [
            0, 1, 20, 50, 80, 100, 130, 200, 300, 500, 800, 1200, 2000, 4000,
        ] {
            let bytes = beside(900, 6) + 1000 * kilobytes;
            let found = choose(&cloud, 200, None, bytes, Team::Alone, &mut None);
            assert_eq!(found.unwrap().0, expected, "{kilobytes} kB");
        }
    }

    #[test]
    fn a_sample_that_misleads_costs_time_alone() {
        // Every point of the sample lies apart from all others, so that the guess of the first choice
        // and of the length of lists is as wrong as can be.
        let len = 1280;
        let mut draws = Purpose::Sample.draws(5, 0);
        let values: Vec<f32> = (0..len)
            .flat_map(|point| {
                let far = if point % 10 == 0 { 50.0 } else { 0.0 };
                [far + draws.uniform() as f32, draws.uniform() as f32 - far]
            })
            .collect();
        let points = Points::Rows(Matrix::new("points", len, 2, values).unwrap());
        let cloud = cloud(&points);
        let mut dense = Dense::<i32>::new(&cloud, Team::Alone, &mut None).unwrap();
        let expected = event_driven(&mut dense, 300, Team::Alone);
        for kilobytes in [100, 1000, 3000, 10_000] {
            let bytes = beside(len, 2) + 1000 * kilobytes;
            let found = choose(&cloud, 300, None, bytes, Team::Alone, &mut None);
            assert_eq!(found.unwrap().0, expected, "{kilobytes} kB");
        }
    }
}
