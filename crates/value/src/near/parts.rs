//! Points cut into parts of neighbours, where there are too many to compare all with all.

use afterimage_random::mix;

use super::points::Points;
use crate::draw::Purpose;

/// Comparisons that are made at most, of about a nanosecond each.
const MOST: usize = 1 << 34;
/// Times that the points are cut, each along other directions.
pub(super) const PASSES: usize = 2;
/// Points in a part, at least.
const LEAST: usize = 512;

/// How many points a part has at most: all of them where these can be compared.
pub(super) fn part_size(points: usize, cost: usize) -> usize {
    let each = points * (1 + cost);
    match each.saturating_mul(points) <= MOST {
        true => points,
        false => (MOST / PASSES / each).max(LEAST),
    }
}

/// The points in parts of at most `size`, each in ascending order: cut in halves, again and again, at the
/// median along the line through two points that are drawn.
pub(super) fn cut(points: &Points, size: usize, seed: u64, pass: u32) -> Vec<Vec<u32>> {
    let mut draws = Purpose::NearParts.draws(seed, pass);
    let mut open = vec![(0..points.len() as u32).collect::<Vec<u32>>()];
    let mut parts = Vec::new();
    while let Some(mut part) = open.pop() {
        if part.len() <= size.max(2) {
            part.sort_unstable();
            parts.push(part);
            continue;
        }
        let [one, other] = [(); 2].map(|()| part[draws.below(part.len() as u32) as usize]);
        let salt = u64::from(draws.bits());
        let ends = points.numbers_of(one).iter().zip(points.numbers_of(other));
        let line: Vec<f32> = ends.map(|(a, b)| a - b).collect();
        let length = line
            .iter()
            .map(|z| z * z)
            .sum::<f32>()
            .sqrt()
            .max(f32::MIN_POSITIVE);
        let line: Vec<f32> = line.iter().map(|z| z / length).collect();
        let level = |column: usize, code: u32| {
            let bits = mix(mix(salt, column as u64), u64::from(code));
            (bits >> 40) as f32 / (1u32 << 23) as f32 - 1.0
        };
        let mut placed: Vec<(f32, u32)> = (part.iter())
            .map(|&point| (points.along(point, &line, &level), point))
            .collect();
        let half = placed.len() / 2;
        placed.select_nth_unstable_by(half, |a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let second = placed.split_off(half);
        for half in [second, placed] {
            open.push(half.into_iter().map(|(_, point)| point).collect());
        }
    }
    parts
}
