//! The trials that a sweep stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use afterimage_config::{ConfigError, ConfigErrors, KeyPath};
use sha2::{Digest, Sha256};
use toml::Value;

use crate::aims::Aim;
use crate::checks::{Sound, checked, checked_bases};
use crate::compare::{Comparison, comparisons};
use crate::config::{Metric, SweepConfig, SweepFile};
use crate::draft::drafts;
use crate::forks::{Fork, Share, leaders};
use crate::name::{MOST, distinct, folder_name, hex, is_of_stage, labels, shown};
use crate::overrides::{Override, root};
use crate::parents::Parent;
use crate::problems::error_at;
use crate::search::{Asked, Searching};
use crate::standing::Standing;

/// What is said where `fork` finds nothing to do.
const NO_FORK: &str = "fork: no two trials are known to be the same up to an epoch with a checkpoint. They are where \
     their configs, seed and all, differ only in what a plugin does later, as \"prune\" from its schedule's first \
     epoch on and \"coreset\" from its warmup on, and `checkpoints.every` writes one before that; each runs from \
     its start";

/// A trial's config as the experiment's own loader gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The resolved config, which runs as it is.
    pub resolved: String,
    /// Its SHA-256.
    pub digest: String,
    /// What the user should know and need not change.
    pub notes: Vec<String>,
    /// Up to which epochs it does what others with the same digest do; none where that is not asked for.
    pub shares: Vec<Share>,
}

/// Loads the experiment at a path with `--set` flags over it, and checks all that can be checked
/// before it is run.
pub type Check<'a> = dyn Fn(&Path, &[String]) -> Result<Checked, ConfigErrors> + 'a;

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its folder's name, made of its stage and what it sets.
    pub name: String,
    /// Its stage; `None` in a sweep without stages.
    pub stage: Option<String>,
    /// The name without the seed: the trials that means are taken over have one.
    pub configuration: String,
    /// The arm; `None` without arms.
    pub arm: Option<String>,
    /// The seed; `None` where the sweep sets none.
    pub seed: Option<u64>,
    /// What the grid, the search and the arm set, by label.
    pub values: BTreeMap<String, Value>,
    /// The same by whole key, as in `plugins.prune.fraction`.
    pub settings: BTreeMap<String, Value>,
    /// Trials that must be done before it begins.
    pub parents: Vec<Parent>,
    /// Where it can begin instead of at its first step.
    pub fork: Option<Fork>,
    /// What it is judged by.
    pub metric: Metric,
    /// What it is judged by where that are several aims; none else.
    pub aims: Vec<Aim>,
    /// Generation and place in it, both from 0, where a search asked for it that learns.
    pub asked: Option<(usize, usize)>,
    /// The resolved config. Where it names the run of a parent, a mark stands in place of the path;
    /// [`settled`](crate::settled) puts it in.
    pub config: String,
    /// Its SHA-256.
    pub digest: String,
    /// `epochs` of the config, where it has that key.
    pub epochs: Option<u32>,
}

impl Trial {
    /// Whether the sweep was begun with it: it is none that a search asked for later.
    pub(crate) fn is_first(&self) -> bool {
        self.asked.is_none_or(|(generation, _)| generation == 0)
    }
}

/// All trials, in the order in which they are started: every configuration with the first seed, then
/// with the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The trials; at least one.
    pub trials: Vec<Trial>,
    /// The stages, each behind those that it needs; none in a sweep without stages.
    pub stages: Vec<PlannedStage>,
    /// Labels of all keys that differ, in order.
    pub labels: Vec<String>,
    /// What the user should know and need not change.
    pub notes: Vec<String>,
    /// Which configurations are compared.
    pub comparisons: Vec<Comparison>,
    /// A SHA-256 of the questions as they stand in the file; `None` without any.
    pub questions: Option<String>,
    /// One of each, in the order of the comparisons.
    pub each_question: Vec<String>,
    /// Searches that learn from results, as far as they have come.
    pub searches: Vec<Searching>,
    /// A SHA-256 of all that decides what the trials are and how they are judged.
    pub digest: String,
}

/// A stage of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStage {
    /// Its name.
    pub name: String,
    /// Stages whose runs it uses.
    pub needs: Vec<String>,
    /// Where the sweep file describes it, as in `sweep.toml:12`.
    pub place: String,
}

impl Plan {
    /// The trials of `loaded`, each checked by `check`; `file` is where the sweep was read from. Of a search that
    /// learns from results only those that it begins with.
    ///
    /// # Errors
    /// Every mistake in a trial's config, told at the line of the sweep file that caused it; two
    /// trials that are one; too many trials.
    pub fn new(
        loaded: SweepFile<'_>,
        file: &Path,
        check: &Check<'_>,
    ) -> Result<Self, ConfigErrors> {
        Self::with(loaded, file, check, &Asked::default())
    }

    /// As [`new`](Self::new), with what searches asked later.
    ///
    /// # Errors
    /// As there.
    pub fn with(
        loaded: SweepFile<'_>,
        file: &Path,
        check: &Check<'_>,
        asked: &Asked,
    ) -> Result<Self, ConfigErrors> {
        let sweep = loaded.value;
        let searches = searches(sweep, asked);
        let drafts = drafts(sweep, &searches);
        if drafts.len() > MOST {
            // No more are made, so that their number is not known.
            let message = format!("more than {MOST} trials; a sweep can have {MOST} at most");
            return Err(error_at(loaded, &KeyPath::root(), message).into());
        }
        let mut notes = BTreeSet::new();
        let mut checked = checked(loaded, file, drafts, check, &mut notes)?;
        checked.retain(|sound| !sound.draft.probe);
        let mut notes: Vec<String> = notes.into_iter().collect();
        let checked = without_repeats(loaded, checked, &mut notes)?;
        let keys: BTreeSet<String> = checked
            .iter()
            .flat_map(|sound| sound.draft.overrides.iter().map(|one| one.key.clone()))
            .collect();
        let labels = labels(&keys);
        let shares: Vec<Vec<Share>> = match sweep.fork {
            true => checked
                .iter()
                .map(|sound| sound.ok.shares.clone())
                .collect(),
            false => Vec::new(),
        };
        let mut trials = named(sweep, checked, &labels);
        fork(&mut trials, &shares);
        if sweep.fork && trials.iter().all(|trial| trial.fork.is_none()) {
            notes.push(NO_FORK.to_owned());
        }
        let digest = digest(sweep, &trials);
        let asked = !sweep.compare.is_empty();
        Ok(Self {
            searches,
            comparisons: comparisons(loaded, &trials)?,
            questions: asked.then(|| digest_of(&sweep.compare)),
            each_question: sweep.compare.iter().map(digest_of).collect(),
            labels: labels.into_values().collect(),
            stages: stages(loaded),
            trials,
            notes,
            digest,
        })
    }

    /// What the searches of `self` ask next, for `asked`, where all that they asked so far is over; whether that is
    /// anything.
    pub fn ask(
        &self,
        sweep: &SweepConfig,
        standings: &BTreeMap<String, Standing>,
        asked: &mut Asked,
    ) -> bool {
        let mut any = false;
        for part in sweep.parts() {
            let own = self
                .searches
                .iter()
                .find(|search| search.stage == part.name());
            let (Some(own), Some(search)) = (own, part.search) else {
                continue;
            };
            let judged = sweep.judged_in(part.stage.map(|(_, stage)| stage));
            let at = part.at("search.space");
            let points = own.next(search, &at, &judged, &self.trials, standings);
            if !points.is_empty() {
                asked.push(&own.stage, points);
                any = true;
            }
        }
        any
    }

    /// The trials that the sweep was begun with: all but those that a search asked for later.
    pub(crate) fn first(&self) -> impl Iterator<Item = &Trial> {
        self.trials.iter().filter(|trial| trial.is_first())
    }

    /// What is wrong with the experiments of `loaded` by themselves, where its trials cannot be told yet; what a
    /// trial may still set is not missed.
    pub fn check_base(loaded: SweepFile<'_>, file: &Path, check: &Check<'_>) -> Vec<ConfigError> {
        checked_bases(loaded, file, check)
    }

    /// The trial of this name.
    pub fn trial(&self, name: &str) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.name == name)
    }

    /// The stage of the trial `name`, which may be one of another plan, and where the sweep file
    /// describes it, as the end of a message; nothing without stages.
    pub(crate) fn place_of(&self, name: &str) -> String {
        let own = self.trial(name).and_then(|trial| trial.stage.as_deref());
        let begins = |stage: &&PlannedStage| is_of_stage(name, &stage.name);
        let stage = match own {
            Some(own) => self.stages.iter().find(|stage| stage.name == own),
            None => self.stages.iter().find(begins),
        };
        stage.map_or(String::new(), |stage| {
            format!(" (stage {:?}, {})", stage.name, stage.place)
        })
    }
}

/// The searches of a sweep that learn from results.
fn searches(sweep: &SweepConfig, asked: &Asked) -> Vec<Searching> {
    let parts = sweep.parts().into_iter();
    parts
        .filter_map(|part| {
            let search = part.search.filter(|search| search.kind.learns())?;
            Some(Searching::new(
                search,
                &part.at("search.space"),
                part.name(),
                asked,
            ))
        })
        .collect()
}

/// The SHA-256 of one question, or of several.
fn digest_of(questions: &impl std::fmt::Debug) -> String {
    hex(&Sha256::digest(format!("{questions:?}")))
}

/// The stages in the order of their trials.
fn stages(loaded: SweepFile<'_>) -> Vec<PlannedStage> {
    let planned = |(index, stage): (usize, &crate::stage::Stage)| {
        let key = KeyPath::root().key("stages").index(index);
        let at = loaded.locations.nearest(&key);
        let line = at.line.map_or(String::new(), |line| format!(":{line}"));
        PlannedStage {
            name: stage.name.clone(),
            needs: stage.needs.clone(),
            place: format!("{}{line}", at.file),
        }
    };
    let parts = loaded.value.parts().into_iter();
    parts.filter_map(|part| part.stage).map(planned).collect()
}

/// Leaves out samples that fell on the config of another trial.
///
/// # Errors
/// Trials of grid and arms that are one.
fn without_repeats(
    loaded: SweepFile<'_>,
    checked: Vec<Sound>,
    notes: &mut Vec<String>,
) -> Result<Vec<Sound>, ConfigErrors> {
    let sweep = loaded.value;
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    let mut repeats = 0;
    for sound in checked {
        let draft = &sound.draft;
        if seen.insert(sound.ok.digest.clone()) {
            kept.push(sound);
        } else if draft.sampled {
            repeats += 1;
        } else {
            let what: Vec<String> = draft.overrides.iter().map(Override::setting).collect();
            let message = format!(
                "two trials have the same config; the second of them sets {}",
                if what.is_empty() {
                    "nothing".to_owned()
                } else {
                    what.join(", ")
                }
            );
            let stage = || {
                draft
                    .stage
                    .map(|at| KeyPath::root().key("stages").index(at))
            };
            let arm = || {
                let part = sweep
                    .parts()
                    .into_iter()
                    .find(|part| part.index() == draft.stage)?;
                let place = part
                    .arms
                    .iter()
                    .position(|arm| Some(&arm.name) == draft.arm.as_ref())?;
                Some(root(&part.at(&format!("arms[{place}]"))))
            };
            let own = draft.overrides.first().map(|one| one.place.clone());
            let place = own.or_else(arm).or_else(stage).unwrap_or_default();
            return Err(error_at(loaded, &place, message).into());
        }
    }
    if repeats > 0 {
        notes.push(format!(
            "{repeats} samples of the search fell on configs that are there already and were left out"
        ));
    }
    Ok(kept)
}

fn named(
    sweep: &SweepConfig,
    checked: Vec<Sound>,
    labels: &BTreeMap<String, String>,
) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut names = Vec::new();
    for Sound { draft, ok, parents } in checked {
        let values: BTreeMap<String, Value> = draft
            .overrides
            .iter()
            .filter_map(|one| Some((labels.get(&one.key)?.clone(), one.value.clone())))
            .collect();
        let stage = draft.stage.and_then(|index| sweep.stages.get(index));
        let mut parts: Vec<String> = stage.iter().map(|stage| stage.name.clone()).collect();
        parts.extend(draft.arm.iter().cloned());
        // What an arm sets, its name says.
        let in_name = draft.overrides.iter().skip(draft.armed);
        parts
            .extend(in_name.filter_map(|one| {
                Some(format!("{}={}", labels.get(&one.key)?, shown(&one.value)))
            }));
        let configuration = folder_name(&parts);
        parts.extend(draft.seed.map(|seed| format!("seed={seed}")));
        names.push((folder_name(&parts), ok.digest.clone()));
        let epochs = epochs(&ok.resolved);
        let judged = sweep.judged_in(stage);
        trials.push(Trial {
            name: String::new(),
            stage: stage.map(|stage| stage.name.clone()),
            configuration,
            settings: draft
                .overrides
                .into_iter()
                .map(|Override { key, value, .. }| (key, value))
                .collect(),
            arm: draft.arm,
            seed: draft.seed,
            values,
            parents,
            fork: None,
            metric: judged.metric,
            aims: judged.aims,
            asked: draft.asked,
            config: ok.resolved,
            digest: ok.digest,
            epochs,
        });
    }
    // Configurations that only a hash tells apart must not be taken for one.
    let mut by_values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (trial, name) in trials.iter_mut().zip(distinct(names)) {
        trial.name = name;
        let meaning = format!("{:?}", (&trial.stage, &trial.arm, &trial.values));
        let known = by_values.entry(trial.configuration.clone()).or_default();
        let index = known
            .iter()
            .position(|other| *other == meaning)
            .unwrap_or_else(|| {
                known.push(meaning);
                known.len() - 1
            });
        if index > 0 {
            trial.configuration = format!("{}~{}", trial.configuration, index + 1);
        }
    }
    let by_digest: BTreeMap<String, String> = trials
        .iter()
        .map(|trial| (trial.digest.clone(), trial.name.clone()))
        .collect();
    for parent in trials.iter_mut().flat_map(|trial| &mut trial.parents) {
        let name = by_digest.get(&parent.digest);
        parent.trial = name.cloned().unwrap_or_default();
    }
    trials
}

/// `epochs` of a config.
fn epochs(config: &str) -> Option<u32> {
    // Keys of the whole come before the tables, which are long.
    let keys = config.split_once("\n[").map_or(config, |(keys, _)| keys);
    let read = |text: &str| toml::from_str::<toml::Table>(text).ok();
    let table = read(keys).or_else(|| read(config))?;
    table.get("epochs")?.as_integer()?.try_into().ok()
}

/// Says of each trial where it can begin instead of at its first step.
fn fork(trials: &mut [Trial], shares: &[Vec<Share>]) {
    for (index, leader) in leaders(shares).into_iter().enumerate() {
        let other = leader.and_then(|(other, epoch)| {
            let trial = trials.get(other)?.name.clone();
            Some(Fork { trial, epoch })
        });
        if let Some(trial) = trials.get_mut(index) {
            trial.fork = other;
        }
    }
}

/// All that decides what a sweep's trials are and how they are judged: retries, budgets and the way
/// of submission may change while it goes on.
fn digest(sweep: &SweepConfig, trials: &[Trial]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?} {:?}", sweep.judged().metric, sweep.stopping));
    for part in sweep.parts() {
        if let Some(search) = part.search.filter(|search| search.kind.learns()) {
            // More samples only make it go on.
            hash.update(format!(
                "\n{:?}",
                (part.name(), search.kind, search.seed, search.generation())
            ));
            hash.update(format!("{:?}", search.space));
        }
    }
    for trial in trials.iter().filter(|trial| trial.is_first()) {
        if !trial.aims.is_empty() {
            hash.update(format!("\n{:?}", trial.aims));
        }
        hash.update(format!("\n{} {}", trial.name, trial.digest));
        if trial.stage.is_some() {
            let parents: Vec<&str> = trial.parents.iter().map(|p| p.trial.as_str()).collect();
            hash.update(format!(" {:?} {parents:?}", trial.metric));
        }
    }
    hex(&hash.finalize())
}
