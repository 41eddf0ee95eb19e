//! Which units go.

use std::collections::BTreeMap;

use afterimage_hooks::random::RandomKey;
use afterimage_random::fnv1a_32;
use serde::{Deserialize, Serialize};

use crate::error::PruneError;
use crate::normalise::Normaliser;
use crate::pool::Pool;

/// Whether a fraction is one of units or of operations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// Of the units.
    #[default]
    Units,
    /// Of the multiply-accumulate operations of a forward pass.
    Macs,
}

/// Where units are counted and compared.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// In each group apart: the same fraction of each.
    #[default]
    Site,
    /// In all groups together.
    Global,
}

/// Which end of the scores goes.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The highest scores go.
    #[default]
    Highest,
    /// The lowest scores go.
    Lowest,
}

/// How units are chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// What is gone in the end of what was there before anything was pruned, in (0, 1).
    pub fraction: f64,
    /// Of what.
    pub of: Budget,
    /// Where units are counted.
    pub scope: Scope,
    /// What makes scores of groups comparable; has no say for [`Scope::Site`].
    pub normaliser: Normaliser,
    /// Which end goes.
    pub direction: Direction,
    /// Units that each group keeps, at least 1.
    pub min_units: usize,
    /// Largest part of a group that may go, in (0, 1].
    pub max_fraction: f64,
    /// A group keeps a multiple of as many units, or all.
    pub round_to: usize,
    /// For a control: as many units of each group as the scores say, but random ones.
    pub random: Option<RandomKey>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            fraction: 0.1,
            of: Budget::Units,
            scope: Scope::Site,
            normaliser: Normaliser::None,
            direction: Direction::Highest,
            min_units: 1,
            max_fraction: 1.0,
            round_to: 1,
            random: None,
        }
    }
}

/// What a model costs with so many units left in each pool.
pub struct Cost<'c> {
    /// Operations before anything was pruned.
    pub original: u64,
    /// Operations with these numbers of units, by name.
    pub of: &'c dyn Fn(&BTreeMap<String, usize>) -> u64,
}

/// Units that go.
#[derive(Debug, Clone, PartialEq)]
pub struct Selected {
    /// Units to be pruned beside those that are, ascending, by name of their pool.
    pub units: BTreeMap<String, Vec<usize>>,
    /// The fraction that is gone with them.
    pub fraction: f64,
    /// The fraction that was asked for.
    pub wanted: f64,
    /// Whether bounds kept it under the one asked for, by more than a unit.
    pub short: bool,
}

/// Chooses units of `pools`, so that a fraction of what was there is gone: never fewer than are gone
/// already, ties by order of the pools and units.
///
/// # Errors
/// No unit that may go, or none of them with a score; operations asked for without `cost`.
pub fn select(
    pools: &[Pool],
    rules: &Rules,
    cost: Option<Cost<'_>>,
) -> Result<Selected, PruneError> {
    let bounds: Vec<Bound> = pools.iter().map(|pool| Bound::new(pool, rules)).collect();
    let scoreless = pools.iter().all(|pool| pool.candidates().is_empty());
    let protected = pools.iter().all(|pool| pool.protected);
    if (protected || !scoreless) && bounds.iter().all(|bound| bound.most <= bound.gone) {
        return Err(PruneError::NothingToPrune {
            protected: pools.iter().filter(|pool| pool.protected).count(),
            groups: pools.len(),
        });
    }
    if scoreless {
        let units = pools.iter().filter(|pool| !pool.protected);
        return Err(PruneError::NoScores {
            units: units.map(|pool| pool.alive.len()).sum(),
        });
    }
    let meter = match (rules.of, cost) {
        (Budget::Units, _) => Meter::Units,
        (Budget::Macs, Some(cost)) => Meter::Macs(cost),
        (Budget::Macs, None) => return Err(PruneError::NoCost),
    };
    let counts = match rules.scope {
        Scope::Site => by_site(&bounds, pools, rules, &meter),
        Scope::Global => in_all(&bounds, pools, rules, &meter),
    };
    let units = bounds
        .iter()
        .zip(&counts)
        .zip(pools)
        .filter(|((bound, count), _)| **count > bound.gone)
        .map(|((bound, count), pool)| (pool.name.clone(), bound.choose(count - bound.gone, rules)))
        .collect();
    let fraction = meter.gone(pools, &counts);
    let wanted = wanted(pools, rules);
    let one_unit = 1.0 / pools.iter().map(|pool| pool.original).sum::<usize>().max(1) as f64;
    let least = match rules.scope {
        // Rounding in each group may leave half a unit of it.
        Scope::Site => one_unit * pools.len() as f64,
        Scope::Global => one_unit,
    };
    Ok(Selected {
        units,
        fraction,
        wanted,
        short: fraction + least < wanted,
    })
}

/// The fraction of all that the rules and the pools' own fractions ask for.
fn wanted(pools: &[Pool], rules: &Rules) -> f64 {
    if pools.iter().all(|pool| pool.fraction.is_none()) {
        return rules.fraction;
    }
    let all: usize = pools.iter().map(|pool| pool.original).sum();
    // A protected pool is asked for nothing: a pattern may match it among others.
    let asked = pools.iter().filter(|pool| !pool.protected);
    let gone = asked.map(|pool| pool.fraction.unwrap_or(rules.fraction) * pool.original as f64);
    gone.sum::<f64>() / all.max(1) as f64
}

/// What may go of a pool.
struct Bound {
    gone: usize,
    /// The most that may be gone in the end.
    most: usize,
    original: usize,
    /// Candidates, first those that go first.
    ranked: Vec<(usize, f64)>,
    number: u32,
}

impl Bound {
    fn new(pool: &Pool, rules: &Rules) -> Self {
        let mut ranked = pool.candidates();
        ranked.sort_by(|a, b| before(a.1, b.1, rules.direction).then(a.0.cmp(&b.0)));
        let gone = pool.gone();
        let share = (rules.max_fraction * pool.original as f64 + 1e-9).floor() as usize;
        let kept = pool.original.saturating_sub(rules.min_units.max(1));
        let most = if pool.protected {
            gone
        } else {
            share.min(kept)
        };
        let most = most.min(gone + ranked.len());
        Self {
            gone,
            most: rounded(most, pool.original, gone, rules.round_to).max(gone),
            original: pool.original,
            ranked,
            // A name tells apart the random choices of pools, whatever their order.
            number: fnv1a_32(&pool.name),
        }
    }

    /// The number of units that are gone in the end where `wanted` are asked for.
    fn within(&self, wanted: usize, rules: &Rules) -> usize {
        let wanted = wanted.min(self.most);
        rounded(wanted, self.original, self.gone, rules.round_to)
    }

    /// `count` units, ascending.
    fn choose(&self, count: usize, rules: &Rules) -> Vec<usize> {
        let mut units: Vec<usize> = self.ranked.iter().map(|(unit, _)| *unit).collect();
        if let Some(key) = rules.random {
            units.sort_unstable();
            key.view(self.number).generator().shuffle(&mut units);
        }
        units.truncate(count);
        units.sort_unstable();
        units
    }
}

/// So many of `original` gone that what is kept is a multiple of `round_to`, or as many as are gone;
/// never more than `wanted`.
fn rounded(wanted: usize, original: usize, gone: usize, round_to: usize) -> usize {
    let kept = original.saturating_sub(wanted);
    let kept = kept.next_multiple_of(round_to.max(1)).min(original);
    (original - kept).max(gone)
}

fn before(a: f64, b: f64, direction: Direction) -> std::cmp::Ordering {
    match direction {
        Direction::Highest => b.total_cmp(&a),
        Direction::Lowest => a.total_cmp(&b),
    }
}

/// Counts what is gone.
enum Meter<'c> {
    Units,
    Macs(Cost<'c>),
}

impl Meter<'_> {
    /// The fraction that is gone with so many units gone of each pool.
    fn gone(&self, pools: &[Pool], counts: &[usize]) -> f64 {
        match self {
            Self::Units => {
                let all: usize = pools.iter().map(|pool| pool.original).sum();
                counts.iter().sum::<usize>() as f64 / all.max(1) as f64
            }
            Self::Macs(cost) => {
                let left = pools
                    .iter()
                    .zip(counts)
                    .map(|(pool, gone)| (pool.name.clone(), pool.original - gone))
                    .collect();
                1.0 - (cost.of)(&left) as f64 / cost.original.max(1) as f64
            }
        }
    }
}

/// The same fraction of each pool.
fn by_site(bounds: &[Bound], pools: &[Pool], rules: &Rules, meter: &Meter<'_>) -> Vec<usize> {
    let count = |bound: &Bound, fraction: f64| {
        let wanted = (fraction * bound.original as f64).round() as usize;
        bound.within(wanted, rules)
    };
    let at = |fraction: f64| -> Vec<usize> {
        bounds.iter().map(|bound| count(bound, fraction)).collect()
    };
    match meter {
        Meter::Units => bounds
            .iter()
            .zip(pools)
            .map(|(bound, pool)| count(bound, pool.fraction.unwrap_or(rules.fraction)))
            .collect(),
        Meter::Macs(_) => {
            // Fractions at which a pool loses one more unit; the first that is enough.
            let mut fractions: Vec<f64> = bounds
                .iter()
                .flat_map(|bound| {
                    let all = bound.original as f64;
                    (0..=bound.original).map(move |units| (units as f64 - 0.5).max(0.0) / all)
                })
                .collect();
            fractions.sort_unstable_by(f64::total_cmp);
            fractions.dedup();
            let enough = |fraction: &f64| meter.gone(pools, &at(*fraction)) < rules.fraction;
            let first = fractions.partition_point(enough);
            let last = fractions.len().saturating_sub(1);
            at(fractions.get(first.min(last)).copied().unwrap_or_default())
        }
    }
}

/// One unit after the other, by normalised score, until the fraction is reached.
fn in_all(bounds: &[Bound], pools: &[Pool], rules: &Rules, meter: &Meter<'_>) -> Vec<usize> {
    let mut order: Vec<(f64, usize, usize)> = Vec::new();
    for (pool, bound) in bounds.iter().enumerate() {
        let scores: Vec<f64> = bound.ranked.iter().map(|(_, score)| *score).collect();
        let turned = rules.normaliser.apply(&scores);
        order.extend(
            turned
                .into_iter()
                .enumerate()
                .map(|(at, score)| (score, pool, at)),
        );
    }
    order.sort_by(|a, b| before(a.0, b.0, rules.direction).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut counts: Vec<usize> = bounds.iter().map(|bound| bound.gone).collect();
    let all: usize = pools.iter().map(|pool| pool.original).sum();
    let wanted = (rules.fraction * all as f64).round() as usize;
    let reached = |counts: &[usize]| match meter {
        Meter::Units => counts.iter().sum::<usize>() >= wanted,
        Meter::Macs(_) => meter.gone(pools, counts) >= rules.fraction,
    };
    for (_, pool, _) in order {
        if reached(&counts) {
            break;
        }
        if counts[pool] < bounds[pool].most {
            counts[pool] += 1;
        }
    }
    let rounded = counts.iter().zip(bounds);
    rounded
        .map(|(count, bound)| bound.within(*count, rules))
        .collect()
}
