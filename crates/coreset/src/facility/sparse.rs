//! Greedy selection on a graph of nearest neighbours, for groups whose pairs are too many.

use std::time::Instant;

use super::cloud::{Cloud, Gathered, PANEL};
use super::fixed::Tile;
use super::flat::{Entry, Flat};
use super::greedy::{Picks, Queue, SELECTED, finish_lazily};
use super::matrix_free::row_of;
use super::team::Team;
use crate::random::Purpose;

/// Groups up to this size are searched whole.
const WHOLE: usize = 16_384;
/// Cells that are searched for the neighbours of a cell's points, its own among them.
const PROBES: usize = 10;

/// Greedy selection with `neighbours` nearest neighbours a point, symmetrised. A point without a
/// selected neighbour counts with its distance to the first choice, never with nothing. Returns the
/// choice, the largest distance that was seen, and the seconds until the graph stood.
pub(crate) fn with_neighbours(
    cloud: &Cloud,
    count: usize,
    team: Team,
    neighbours: usize,
    seed: u64,
) -> (Picks, i32, f64) {
    let start = Instant::now();
    let len = cloud.len();
    let first = near_medoid(cloud, team, seed);
    let mut row = Vec::new();
    row_of(cloud, first, &mut Tile::default(), &mut row);
    let picks = Picks::start(first, &row[..len]);
    let largest = largest_seen(cloud, first);

    let nearest = nearest_neighbours(cloud, team, neighbours, seed);
    let lists = turn(&nearest, &picks.nearest);
    drop(nearest);
    let mut gains: Vec<i64> = (0..len)
        .map(|candidate| lists.gain(candidate, &picks.nearest))
        .collect();
    gains[first] = SELECTED;
    let built = start.elapsed().as_secs_f64();
    let queue = Queue::exact(&gains, 1);
    let picks = finish_lazily(picks, queue, count, |picks, point, select| {
        if !select {
            return lists.gain(point, &picks.nearest);
        }
        let place = picks.order.len() as u32;
        picks.order.push(point);
        for entry in lists.of(point) {
            picks.approach(entry.point as usize, entry.steps, place);
        }
        0
    });
    (picks, largest, built)
}

/// The largest distance of the point that is farthest from `from`: at least half of the largest of
/// all, and mostly nearly it.
pub(crate) fn largest_seen(cloud: &Cloud, from: usize) -> i32 {
    let mut row = Vec::new();
    row_of(cloud, from, &mut Tile::default(), &mut row);
    let distances = row[..cloud.len()].iter().enumerate();
    let farthest = distances
        .max_by_key(|(_, d)| **d)
        .map_or(0, |(point, _)| point);
    row_of(cloud, farthest, &mut Tile::default(), &mut row);
    row[..cloud.len()].iter().copied().max().unwrap_or(0)
}

/// The point with the least total distance to a random sample.
fn near_medoid(cloud: &Cloud, team: Team, seed: u64) -> usize {
    const SAMPLE: usize = 1024;
    let all: Vec<u32> = (0..cloud.len() as u32).collect();
    let mut sample = Purpose::Sample.draws(seed, 0).chosen_wide(&all, SAMPLE);
    sample.sort_unstable();
    let totals = over_all(cloud, team, &sample, 0i64, |total, _, d| {
        *total += i64::from(d);
    });
    super::greedy::medoid(&totals)
}

/// What comes of `none` for each point when `add` has taken the distances to the points `asked`, in their order,
/// each with its place among these.
fn over_all<T: Copy + Send + Sync>(
    cloud: &Cloud,
    team: Team,
    asked: &[u32],
    none: T,
    add: impl Fn(&mut T, usize, i32) + Sync,
) -> Vec<T> {
    let mut gathered = Gathered::default();
    let rows = cloud.gather(asked, &mut gathered);
    let panels = cloud.panels();
    let found = team.map(panels.len(), |index| {
        let mut tile = Tile::default();
        let width = panels[index].len();
        tile.fill(cloud, rows, cloud.rows(panels[index].clone()));
        let mut found = vec![none; width];
        for (place, steps) in tile.steps.chunks(width).take(asked.len()).enumerate() {
            for (found, d) in found.iter_mut().zip(steps) {
                add(found, place, *d);
            }
        }
        found
    });
    found.into_iter().flatten().take(cloud.len()).collect()
}

/// For each point its nearest points and itself, from the cells around it.
fn nearest_neighbours(cloud: &Cloud, team: Team, count: usize, seed: u64) -> Vec<Vec<Entry>> {
    let cells = cells(cloud, team, seed);
    let found = team.map(cells.len(), |index| {
        let cell = &cells[index];
        let candidates: Vec<u32> = cell
            .probes
            .iter()
            .flat_map(|probe| cells[*probe].members.iter().copied())
            .collect();
        search(cloud, &cell.members, &candidates, count)
    });
    let mut lists = vec![Vec::new(); cloud.len()];
    for (cell, found) in cells.iter().zip(found) {
        for (point, list) in cell.members.iter().zip(found) {
            lists[*point as usize] = list;
        }
    }
    lists
}

/// Points that lie together, and the cells to search for their neighbours.
struct Part {
    members: Vec<u32>,
    probes: Vec<usize>,
}

/// Every point with the nearest of √n random centres.
fn cells(cloud: &Cloud, team: Team, seed: u64) -> Vec<Part> {
    let len = cloud.len();
    let all: Vec<u32> = (0..len as u32).collect();
    if len <= WHOLE {
        return all
            .chunks(PANEL)
            .map(|members| Part {
                members: members.to_vec(),
                probes: (0..len.div_ceil(PANEL)).collect(),
            })
            .collect();
    }
    let count = (len as f64).sqrt() as usize;
    let mut centres = Purpose::Centres.draws(seed, 0).chosen_wide(&all, count);
    centres.sort_unstable();
    let nearest = over_all(cloud, team, &centres, (i32::MAX, 0), |best, centre, d| {
        if d < best.0 {
            *best = (d, centre);
        }
    });
    let mut members = vec![Vec::new(); count];
    for (point, (_, cell)) in nearest.into_iter().enumerate() {
        members[cell].push(point as u32);
    }
    let probes = search(cloud, &centres, &centres, PROBES);
    let place = |point: u32| centres.binary_search(&point).unwrap_or(0);
    let parts = members
        .into_iter()
        .zip(probes)
        .map(|(members, probes)| Part {
            members,
            probes: probes.iter().map(|probe| place(probe.point)).collect(),
        });
    parts.collect()
}

/// The `count` nearest of `candidates` for each of `points`, nearest first; equally near ones by id.
fn search(cloud: &Cloud, points: &[u32], candidates: &[u32], count: usize) -> Vec<Vec<Entry>> {
    let (mut left, mut right) = (Gathered::default(), Gathered::default());
    let mut tile = Tile::default();
    let mut found = Vec::with_capacity(points.len());
    for points in points.chunks(PANEL) {
        let rows = cloud.gather(points, &mut left);
        let mut lists = vec![Vec::with_capacity(2 * count); points.len()];
        let mut limits = vec![i32::MAX; points.len()];
        for candidates in candidates.chunks(PANEL) {
            let columns = cloud.gather(candidates, &mut right);
            let width = columns.norms.len();
            tile.fill(cloud, rows, columns);
            for ((list, limit), steps) in lists
                .iter_mut()
                .zip(&mut limits)
                .zip(tile.steps.chunks(width))
            {
                for (steps, candidates) in steps.chunks(16).zip(candidates.chunks(16)) {
                    let steps = &steps[..candidates.len()];
                    if !steps.iter().fold(false, |any, d| any | (d <= limit)) {
                        continue;
                    }
                    for (steps, point) in steps.iter().zip(candidates) {
                        if steps <= limit {
                            list.push(Entry {
                                point: *point,
                                steps: *steps,
                            });
                        }
                    }
                    if list.len() >= 2 * count {
                        *limit = keep_nearest(list, count);
                    }
                }
            }
        }
        for mut list in lists {
            keep_nearest(&mut list, count);
            list.sort_unstable_by_key(|entry| (entry.steps, entry.point));
            list.shrink_to_fit();
            found.push(list);
        }
    }
    found
}

/// Keeps the nearest entries; returns the largest distance of them, beyond which none is needed.
fn keep_nearest(list: &mut Vec<Entry>, count: usize) -> i32 {
    if list.len() <= count {
        return i32::MAX;
    }
    list.select_nth_unstable_by_key(count - 1, |entry| (entry.steps, entry.point));
    list.truncate(count);
    list[count - 1].steps
}

/// For each candidate the points that it would bring nearer than `nearest`: those that have it among
/// their neighbours, and those that are among its own.
fn turn(neighbours: &[Vec<Entry>], nearest: &[i32]) -> Flat {
    let len = neighbours.len();
    let listed = |of: usize, point: u32| neighbours[of].iter().any(|entry| entry.point == point);
    let mut ends = vec![0; len];
    let visit = |add: &mut dyn FnMut(usize, usize, i32)| {
        for (i, list) in neighbours.iter().enumerate() {
            for entry in list {
                let j = entry.point as usize;
                if entry.steps < nearest[i] {
                    add(j, i, entry.steps);
                }
                if entry.steps < nearest[j] && !listed(j, i as u32) {
                    add(i, j, entry.steps);
                }
            }
        }
    };
    visit(&mut |candidate, _, _| ends[candidate] += 1);
    let mut start = 0;
    for end in &mut ends {
        (*end, start) = (start, start + *end);
    }
    let mut entries = vec![Entry::default(); start];
    visit(&mut |candidate, point, steps| {
        entries[ends[candidate]] = Entry {
            point: point as u32,
            steps,
        };
        ends[candidate] += 1;
    });
    Flat { ends, entries }
}
