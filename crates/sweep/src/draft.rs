//! Trials before their configs are known: arms × grid × search × seeds.

use crate::config::{SearchKind, SweepConfig};
use crate::name::MOST;
use crate::overrides::{Override, leaves};
use crate::search::{Points, Searching};
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
    /// Generation and place in it, where a search asked for it that learns.
    pub(crate) asked: Option<(usize, usize)>,
    /// Whether it is checked and not run: the middle of a space in which another program asks, so that a mistake in the
    /// space is told before it does.
    pub(crate) probe: bool,
}

impl Draft {
    /// Whether it was chosen from the results of others, so that a mistake in it is none of the user's.
    pub(crate) fn is_chosen(&self) -> bool {
        self.asked.is_some_and(|(generation, _)| generation > 0)
    }
}

/// All trials in the order in which they are started: every configuration with the first seed, then
/// with the next; one more than there may be at most. Stages come behind those that they need. Later generations of
/// `searches` follow in the same way, each behind all before it.
pub(crate) fn drafts(sweep: &SweepConfig, searches: &[Searching]) -> Vec<Draft> {
    let parts = sweep.parts();
    let generations = searches.iter().map(|search| search.generations.len()).max();
    let mut all = Vec::new();
    for generation in 0..generations.unwrap_or(1).max(1) {
        let own = |part: &Part<'_>| {
            let search = searches.iter().find(|search| search.stage == part.name());
            let mut drafts = match generation {
                0 => configurations(part),
                _ => Vec::new(),
            };
            drafts.extend(search.map_or(Vec::new(), |search| chosen(part, search, generation)));
            drafts
        };
        let configurations: Vec<Draft> = parts.iter().flat_map(own).take(MOST + 1).collect();
        all.extend(with_seeds(sweep, &configurations));
    }
    all.truncate(MOST + 1);
    all
}

/// The points of a generation.
fn chosen(part: &Part<'_>, searching: &Searching, generation: usize) -> Vec<Draft> {
    let (Some(search), Some(points)) = (part.search, searching.generations.get(generation)) else {
        return Vec::new();
    };
    let space = Points::of(search, &part.at("search.space"));
    let probe = search.kind == SearchKind::Ask && generation == 0;
    let middle = [space.middle()];
    let points: &[_] = if probe { &middle } else { points };
    let draft = |(index, settings)| Draft {
        stage: part.index(),
        arm: None,
        seed: None,
        overrides: space.overrides(settings),
        armed: 0,
        sampled: true,
        asked: Some((generation, index)),
        probe,
    };
    points.iter().enumerate().map(draft).collect()
}

fn with_seeds(sweep: &SweepConfig, configurations: &[Draft]) -> Vec<Draft> {
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
    let learns = part.search.is_some_and(|search| search.kind.learns());
    let sampled = part
        .search
        .filter(|_| !learns)
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
        asked: None,
        probe: false,
    };
    let sampled = sampled.is_some();
    if part.arms.is_empty() {
        if learns {
            return Vec::new();
        }
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
