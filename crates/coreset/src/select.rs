//! From what is known of samples to a coreset.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::error::CoresetError;
use crate::evidence::{self, Evidence};
use crate::facility::cloud::Cloud;
use crate::facility::matrix_free::MatrixFree;
use crate::facility::slab::Slab;
use crate::facility::source::Source;
use crate::facility::team::Team;
use crate::facility::{Greedy, Work, assign, greedy, locate, sparse};
use crate::partition::{equal_shares, shares};
use crate::plan::{GroupPlan, MOST_PAIRED, Plan, Storage};
use crate::points::Points;
use crate::random::Purpose;
use crate::settings::{Prefer, Settings, Strategy};
use crate::strategy::{self, el2n, grand};
use crate::weights::{Weighting, cut};

/// Chosen samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Coreset {
    /// Sample ids in the order of choice, group after group.
    pub indices: Vec<usize>,
    /// The weight of each.
    pub weights: Vec<f64>,
    /// For each sample the place in `indices` of the nearest chosen one of its group; `None` in a
    /// group of which nothing was chosen.
    pub owners: Vec<Option<u32>>,
    /// Σ over the samples of the distance to the nearest chosen one of their group; infinite if a
    /// group has none.
    pub cost: f64,
    /// Facility location: Σ of d₀ − that distance, d₀ the largest distance of the group.
    pub objective: f64,
    /// How it was held, and in how much memory.
    pub plan: Plan,
    /// Wall seconds until distances were there.
    pub build_seconds: f64,
    /// Wall seconds of the choice.
    pub select_seconds: f64,
}

/// A selection whose settings are checked and whose memory is known, before anything is done.
#[derive(Debug)]
pub struct Selection<'a> {
    pub(crate) evidence: Evidence<'a>,
    pub(crate) settings: Settings<'a>,
    pub(crate) groups: Vec<Vec<usize>>,
    pub(crate) counts: Vec<usize>,
    /// What choosing each sample is worth beside what it covers, for `memorization`.
    bonus: Option<Vec<f64>>,
    pub(crate) plan: Plan,
}

/// What one group came to, in sample ids.
struct Part {
    order: Vec<usize>,
    weights: Vec<f64>,
    owners: Vec<u32>,
    cost: f64,
    objective: f64,
    build_seconds: f64,
    select_seconds: f64,
}

impl<'a> Selection<'a> {
    /// Checks evidence and settings, and plans the memory.
    ///
    /// # Errors
    /// Lengths that do not fit, values that are not finite, settings out of range, a strategy
    /// without what it ranks by, a memory budget in which nothing fits.
    pub fn plan(evidence: Evidence<'a>, settings: Settings<'a>) -> Result<Self, CoresetError> {
        let len = evidence.points.len();
        evidence::check(&evidence, settings.strategy)?;
        settings.weighting.validate()?;
        settings.greedy.validate()?;
        if settings.threads == 0 {
            return Err(CoresetError::setting("threads", "must be at least 1"));
        }
        if settings.clusters == 0 {
            return Err(CoresetError::setting("clusters", "must be at least 1"));
        }
        if u32::try_from(len).is_err() {
            return Err(CoresetError::setting(
                "samples",
                format!("{len} are more than 2³² − 1"),
            ));
        }
        let bonus = strategy::leaning(&evidence, &settings)?;
        let total = settings.budget.of(len)?;
        let groups = settings.partition.groups(len, settings.seed)?;
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        let counts = match settings.strategy {
            Strategy::Uniform => equal_shares(&sizes, total),
            _ => shares(&sizes, total),
        };
        let plan = plan(&sizes, evidence.points.width(), &settings)?;
        if bonus.is_some() && plan.storages().contains(&Storage::Sparse) {
            let reason = if settings.storage == Some(Storage::Sparse) {
                "`memorization` looks at all pairs, which `sparse` does not hold; choose another storage"
                    .to_owned()
            } else {
                format!(
                    "`memorization` looks at all pairs, and those of a group of more than {MOST_PAIRED} \
                     samples do not fit the memory; allow more, set the storage `matrix-free`, or choose \
                     from clusters or classes apart"
                )
            };
            return Err(CoresetError::setting("strategy", reason));
        }
        Ok(Self {
            evidence,
            settings,
            groups,
            counts,
            bonus,
            plan,
        })
    }

    /// Number of samples that will be chosen.
    pub fn count(&self) -> usize {
        self.counts.iter().sum()
    }

    /// How distances will be held.
    pub fn memory(&self) -> &Plan {
        &self.plan
    }

    /// Chooses.
    ///
    /// # Errors
    /// The system refuses memory or threads.
    pub fn run(self) -> Result<Coreset, CoresetError> {
        let start = Instant::now();
        let parts = self.parts()?;
        let wall = start.elapsed().as_secs_f64();
        let mut coreset = Coreset {
            indices: Vec::new(),
            weights: Vec::new(),
            owners: vec![None; self.evidence.points.len()],
            cost: 0.0,
            objective: 0.0,
            plan: self.plan,
            build_seconds: 0.0,
            select_seconds: 0.0,
        };
        for (group, part) in self.groups.iter().zip(parts) {
            let first = coreset.indices.len() as u32;
            for (id, owner) in group.iter().zip(&part.owners) {
                coreset.owners[*id] = Some(first + owner);
            }
            coreset.indices.extend(part.order);
            coreset.weights.extend(part.weights);
            coreset.cost += part.cost;
            coreset.objective += part.objective;
            coreset.build_seconds += part.build_seconds;
            coreset.select_seconds += part.select_seconds;
        }
        // Groups at a time overlap; the wall time is shared out as the work was.
        let work = coreset.build_seconds + coreset.select_seconds;
        if work > 0.0 {
            coreset.build_seconds *= wall / work;
            coreset.select_seconds *= wall / work;
        }
        Ok(coreset)
    }

    fn parts(&self) -> Result<Vec<Part>, CoresetError> {
        let at_a_time = self.plan.at_a_time;
        let alone = |team| {
            let mut spare = None;
            (0..self.groups.len())
                .map(|group| self.part(group, team, &mut spare))
                .collect()
        };
        if self.settings.threads == 1 {
            return alone(Team::Alone);
        }
        let pool = self.pool()?;
        if at_a_time == 1 {
            return pool.install(|| alone(Team::All));
        }
        // The largest first, so that no thread is left with it at the end.
        let mut queue: Vec<usize> = (0..self.groups.len()).collect();
        queue.sort_by_key(|group| (self.groups[*group].len(), std::cmp::Reverse(*group)));
        let queue = Mutex::new(queue);
        let done = Mutex::new(Vec::new());
        pool.scope(|scope| {
            for _ in 0..at_a_time {
                scope.spawn(|_| {
                    let mut spare = None;
                    loop {
                        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                        let Some(group) = next else { break };
                        let part = self.part(group, Team::Alone, &mut spare);
                        done.lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push((group, part));
                    }
                });
            }
        });
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(group, _)| *group);
        done.into_iter().map(|(_, part)| part).collect()
    }

    /// The threads of the settings.
    pub(crate) fn pool(&self) -> Result<rayon::ThreadPool, CoresetError> {
        let threads = self.settings.threads;
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().map_err(|error| CoresetError::Setting {
            key: "threads",
            reason: format!("{threads} cannot be started: {error}"),
        })
    }

    /// The distances of the samples `ids` of a group to those of `order` that own them, added up.
    pub(crate) fn cost(&self, ids: &[usize], order: &[usize], owners: &[u32]) -> f64 {
        let nearest = |(id, owner): (&usize, &u32)| {
            let owner = ids[order[*owner as usize]];
            self.evidence.points.distance(*id, owner)
        };
        ids.iter().zip(owners).map(nearest).sum()
    }

    fn part(
        &self,
        group: usize,
        team: Team,
        spare: &mut Option<Slab>,
    ) -> Result<Part, CoresetError> {
        let start = Instant::now();
        let (ids, count) = (&self.groups[group], self.counts[group]);
        let cloud = Cloud::new(self.evidence.points, ids, self.plan.groups[group].turned);
        let laid_out = start.elapsed().as_secs_f64();
        if count == 0 {
            return Ok(Part {
                order: Vec::new(),
                weights: Vec::new(),
                owners: Vec::new(),
                cost: f64::INFINITY,
                objective: 0.0,
                build_seconds: laid_out,
                select_seconds: 0.0,
            });
        }
        let chosen = if self.settings.strategy.locates() {
            let here = |bonus: &Vec<f64>| -> Vec<f64> { ids.iter().map(|id| bonus[*id]).collect() };
            let bonus = self.bonus.as_ref().map(here);
            let work = Work {
                plan: self.plan.groups[group],
                greedy: self.settings.greedy,
                bonus: bonus.as_deref(),
                seed: self.settings.seed,
                team,
                spare,
            };
            let located = locate(&cloud, count, work)?;
            Chosen {
                order: located.order,
                weights: None,
                owner: Some(located.owner),
                largest: located.largest,
                build_seconds: located.build_seconds,
                select_seconds: located.select_seconds,
            }
        } else {
            self.choose(&cloud, group, team)?
        };
        let ending = Instant::now();
        let owners = match chosen.owner {
            Some(owners) => owners,
            None => assign::owners(&cloud, &chosen.order, team),
        };
        let weights = match chosen.weights {
            Some(weights) => weights,
            None => self.weights(&cloud, &chosen.order, &owners, team),
        };
        let cost = self.cost(ids, &chosen.order, &owners);
        Ok(Part {
            order: chosen.order.iter().map(|position| ids[*position]).collect(),
            weights,
            owners,
            cost,
            objective: ids.len() as f64 * chosen.largest - cost,
            build_seconds: laid_out + chosen.build_seconds,
            select_seconds: chosen.select_seconds + ending.elapsed().as_secs_f64(),
        })
    }

    fn weights(&self, cloud: &Cloud, order: &[usize], owners: &[u32], team: Team) -> Vec<f64> {
        let mut sizes = vec![0.0; order.len()];
        let weighting = match self.settings.strategy {
            Strategy::Craig => Weighting::ClusterSize { cap: None },
            _ => self.settings.weighting,
        };
        match weighting {
            Weighting::ClusterSize { cap } => {
                owners
                    .iter()
                    .for_each(|owner| sizes[*owner as usize] += 1.0);
                if let Some(cap) = cap {
                    cut(&mut sizes, cap);
                }
                sizes
            }
            Weighting::Radius { distance } => {
                let counts = assign::within(cloud, order, distance, team);
                counts.into_iter().map(|count| count as f64).collect()
            }
            Weighting::None => vec![1.0; order.len()],
        }
    }

    /// Strategies that hold no matrix.
    fn choose(&self, cloud: &Cloud, group: usize, team: Team) -> Result<Chosen, CoresetError> {
        let start = Instant::now();
        let (ids, count) = (&self.groups[group], self.counts[group]);
        let (points, seed) = (self.evidence.points, self.settings.seed);
        let missing = |needs, plural| CoresetError::Missing {
            strategy: self.settings.strategy.name(),
            needs,
            plural,
        };
        let ranks_pairs = matches!(
            self.settings.strategy,
            Strategy::Centrality | Strategy::KCentre | Strategy::GraphCut
        );
        let mut source =
            (ranks_pairs || ids.len() <= MOST_PAIRED).then(|| MatrixFree::new(cloud, team));
        let largest = match &source {
            Some(source) => source.largest(),
            None => sparse::largest_seen(cloud, 0),
        };
        let largest = cloud.distance(f64::from(largest));
        let totals = source
            .as_ref()
            .map_or(&[][..], |source| &source.totals()[..ids.len()]);
        let build_seconds = start.elapsed().as_secs_f64();
        let here = |scores: &[f64]| -> Vec<f64> { ids.iter().map(|id| scores[*id]).collect() };
        let mut weights = None;
        let order = match self.settings.strategy {
            Strategy::Centrality => {
                // Whole numbers below 2⁵³ for any group of less than 2²⁶ samples.
                let totals: Vec<f64> = totals.iter().map(|total| *total as f64).collect();
                strategy::lowest(&totals, count)
            }
            Strategy::KCentre => strategy::k_centre(points, ids, count, greedy::medoid(totals)),
            Strategy::Herding => strategy::herding(points, ids, count),
            Strategy::Prototypes => strategy::highest(&self.to_centres(ids)?, count),
            Strategy::PrototypesEasy => strategy::lowest(&self.to_centres(ids)?, count),
            Strategy::SmallLoss => {
                let losses = self
                    .evidence
                    .losses
                    .ok_or_else(|| missing("losses", true))?;
                let losses: Vec<f64> = ids.iter().map(|id| f64::from(losses[*id])).collect();
                strategy::lowest(&losses, count)
            }
            Strategy::El2n => {
                let scores = match points {
                    Points::Rows(residuals) => el2n(residuals),
                    Points::LastLayer(layer) => el2n(layer.residuals()),
                };
                strategy::highest(&here(&scores), count)
            }
            Strategy::Forgetting => {
                let events = self.evidence.forgetting;
                let events = events.ok_or_else(|| missing("forgetting events", true))?;
                strategy::highest(&here(events), count)
            }
            Strategy::Grand => strategy::highest(&here(&grand(points)), count),
            Strategy::MemorizationAlone => {
                let scores = self.evidence.memorization;
                let scores = here(scores.ok_or_else(|| missing("scores of memorization", true))?);
                match self.settings.prefer {
                    Prefer::Memorized => strategy::highest(&scores, count),
                    Prefer::Typical => strategy::lowest(&scores, count),
                }
            }
            Strategy::GradMatch => {
                let (order, found) = strategy::grad_match(points, ids, count, seed);
                weights = Some(found);
                order
            }
            Strategy::Glister => {
                let validation = self.evidence.validation;
                let validation = validation.ok_or_else(|| missing("a validation set", false))?;
                strategy::glister(evidence::last_layer(points)?, ids, count, validation)?
            }
            Strategy::GraphCut => source
                .as_mut()
                .map_or_else(Vec::new, |source| strategy::graph_cut(source, count)),
            Strategy::Sas => strategy::sas(points, ids, count, true),
            Strategy::SasReleased => strategy::sas(points, ids, count, false),
            Strategy::Random | Strategy::Uniform => {
                let all: Vec<usize> = (0..ids.len()).collect();
                Purpose::Subset
                    .draws(seed, group as u64)
                    .chosen_wide(&all, count)
            }
            // Handled by `locate`.
            Strategy::FacilityLocation | Strategy::Craig | Strategy::Memorization => Vec::new(),
        };
        Ok(Chosen {
            order,
            weights,
            owner: None,
            largest,
            build_seconds,
            select_seconds: start.elapsed().as_secs_f64() - build_seconds,
        })
    }

    /// The distance of each of `ids` to the nearest centre of its group's k-means.
    fn to_centres(&self, ids: &[usize]) -> Result<Vec<f64>, CoresetError> {
        let Points::Rows(rows) = self.evidence.points else {
            return Err(CoresetError::setting(
                "strategy",
                "prototypes need features or embeddings, not factors of gradients",
            ));
        };
        let values: Vec<f32> = ids.iter().flat_map(|id| rows.row(*id)).copied().collect();
        let here = crate::Matrix::new("features", ids.len(), rows.columns(), values)?;
        Ok(crate::kmeans::k_means(&here, self.settings.clusters, self.settings.seed).distances)
    }
}

/// Positions that were chosen in a group, and what is known of them already.
struct Chosen {
    order: Vec<usize>,
    weights: Option<Vec<f64>>,
    owner: Option<Vec<u32>>,
    largest: f64,
    build_seconds: f64,
    select_seconds: f64,
}

/// One group a thread if there are groups enough for that; else all threads on one group.
fn plan(sizes: &[usize], width: usize, settings: &Settings<'_>) -> Result<Plan, CoresetError> {
    let threads = settings.threads;
    let work = |size: &usize| *size as u128 * *size as u128;
    let all: u128 = sizes.iter().map(work).sum();
    let largest = sizes.iter().map(work).max().unwrap_or(0);
    let budget = settings.memory.0;
    let make = |at_a_time: usize| -> Result<Plan, CoresetError> {
        let each = |size: &usize| {
            let share = budget / at_a_time as u64;
            let threads = threads / at_a_time;
            if settings.strategy.locates() {
                let lists = settings.greedy == Greedy::EventDriven;
                GroupPlan::new(*size, width, share, threads, lists, settings.storage)
            } else {
                let (most, free) = (u64::MAX / 4, Some(Storage::MatrixFree));
                GroupPlan::new(*size, width, most, threads, false, free)
            }
        };
        Ok(Plan {
            groups: sizes.iter().map(each).collect::<Result<_, _>>()?,
            at_a_time,
            budget,
        })
    };
    let together = make(1)?;
    let many = threads > 1 && sizes.len() >= threads && largest * threads as u128 <= all * 3 / 2;
    if many && let Ok(apart) = make(threads) {
        // Sharing the budget must not make the way a worse one.
        let same = |(a, b): (&GroupPlan, &GroupPlan)| {
            a.storage == b.storage && (a.lists > 0) == (b.lists > 0)
        };
        if apart.groups.iter().zip(&together.groups).all(same) {
            return Ok(apart);
        }
    }
    Ok(together)
}
