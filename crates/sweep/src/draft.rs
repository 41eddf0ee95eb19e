//! Trials before their configs are known: arms × grid × search × seeds.

use crate::config::SweepConfig;
use crate::name::MOST;
use crate::overrides::{Override, leaves};
use crate::space::samples;
use crate::stage::Part;

/// A trial before its config is known.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// The place of its stage in the file.
    pub(crate) stage: Option<usize>,
    pub(crate) arm: Option<String>,
    pub(crate) seed: Option<u64>,
    /// What the arm sets, then the point of the grid and the sample.
    pub(crate) overrides: Vec<Override>,
    /// How many of the overrides are the arm's.
    pub(crate) armed: usize,
    /// Whether a search drew it.
    pub(crate) sampled: bool,
}

/// All trials in the order in which they are started: every configuration with the first seed, then
/// with the next; one more than there may be at most. Stages come behind those that they need.
pub(crate) fn drafts(sweep: &SweepConfig) -> Vec<Draft> {
    let configurations: Vec<Draft> = sweep
        .parts()
        .iter()
        .flat_map(configurations)
        .take(MOST + 1)
        .collect();
    let seeds: Vec<Option<u64>> = if sweep.seeds.is_empty() {
        vec![None]
    } else {
        sweep.seeds.iter().copied().map(Some).collect()
    };
    let with_seed = |seed: Option<u64>| {
        configurations.iter().map(move |draft| Draft {
            seed,
            ..draft.clone()
        })
    };
    seeds
        .into_iter()
        .flat_map(with_seed)
        .take(MOST + 1)
        .collect()
}

/// The configurations of a stage, or of a sweep without stages.
fn configurations(part: &Part<'_>) -> Vec<Draft> {
    let mut points: Vec<Vec<Override>> = vec![Vec::new()];
    for axis in part.grid() {
        let extended = |point: &Vec<Override>, value: &Override| {
            let mut longer = point.clone();
            longer.push(value.clone());
            longer
        };
        // Bounded early, so that a grid of 10 keys of 10 values is refused and not built.
        points = points
            .iter()
            .flat_map(|point| axis.values.iter().map(move |value| extended(point, value)))
            .take(MOST + 1)
            .collect();
    }
    let sampled = part
        .search
        .map(|search| samples(search, &part.at("search.space")));
    let points: Vec<Vec<Override>> = match &sampled {
        None => points,
        Some(samples) => points
            .iter()
            .flat_map(|point| {
                samples
                    .iter()
                    .map(|sample| [point.clone(), sample.clone()].concat())
            })
            .take(MOST + 1)
            .collect(),
    };
    let draft = |arm: Option<&str>, set: &[Override], point: &[Override], sampled| Draft {
        stage: part.index(),
        arm: arm.map(str::to_owned),
        seed: None,
        overrides: [set, point].concat(),
        armed: set.len(),
        sampled,
    };
    let sampled = sampled.is_some();
    if part.arms.is_empty() {
        return points
            .iter()
            .map(|point| draft(None, &[], point, sampled))
            .collect();
    }
    let mut all = Vec::new();
    for (index, arm) in part.arms.iter().enumerate() {
        let set = leaves(&arm.set, &part.at(&format!("arms[{index}].set")));
        let name = Some(arm.name.as_str());
        if arm.alone {
            all.push(draft(name, &set, &[], false));
        } else {
            all.extend(points.iter().map(|point| draft(name, &set, point, sampled)));
        }
    }
    all
}
