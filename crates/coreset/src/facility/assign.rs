//! The nearest of chosen points.

use super::cloud::{Cloud, Gathered, PANEL};
use super::fixed::Tile;
use super::team::Team;

/// For each point the place in `order` of the nearest chosen point, the earliest if several.
pub(crate) fn owners(cloud: &Cloud, order: &[usize], team: Team) -> Vec<u32> {
    let ids: Vec<u32> = order.iter().map(|point| *point as u32).collect();
    let panels = cloud.panels();
    let owners = team.map(panels.len(), |index| {
        let (mut tile, mut gathered) = (Tile::default(), Gathered::default());
        let width = panels[index].len();
        let mut best = vec![(i32::MAX, 0); width];
        for (block, ids) in ids.chunks(PANEL).enumerate() {
            let left = cloud.gather(ids, &mut gathered);
            tile.fill(cloud, left, cloud.rows(panels[index].clone()));
            for (i, steps) in tile.steps.chunks(width).take(ids.len()).enumerate() {
                let place = (block * PANEL + i) as u32;
                for (best, d) in best.iter_mut().zip(steps) {
                    if *d < best.0 {
                        *best = (*d, place);
                    }
                }
            }
        }
        best
    });
    let mut owners: Vec<u32> = owners
        .into_iter()
        .flatten()
        .map(|(_, place)| place)
        .collect();
    owners.truncate(cloud.len());
    owners
}

/// For each of `order` the number of points within `radius`, itself among them.
pub(crate) fn within(cloud: &Cloud, order: &[usize], radius: f64, team: Team) -> Vec<u64> {
    let ids: Vec<u32> = order.iter().map(|point| *point as u32).collect();
    let step = cloud.distance(1.0);
    let limit = if step > 0.0 {
        radius / step
    } else {
        f64::INFINITY
    };
    let blocks: Vec<&[u32]> = ids.chunks(PANEL).collect();
    let counts = team.map(blocks.len(), |block| {
        let (mut tile, mut gathered) = (Tile::default(), Gathered::default());
        let mut counts = vec![0; blocks[block].len()];
        let left = cloud.gather(blocks[block], &mut gathered);
        for panel in cloud.panels() {
            let width = panel.len();
            let real = cloud.len().saturating_sub(panel.start).min(width);
            tile.fill(cloud, left, cloud.rows(panel));
            for (count, steps) in counts.iter_mut().zip(tile.steps.chunks(width)) {
                let near = steps[..real].iter().filter(|d| f64::from(**d) < limit);
                *count += near.count() as u64;
            }
        }
        counts
    });
    counts.into_iter().flatten().collect()
}
