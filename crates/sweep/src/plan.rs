//! The trials that a sweep stands for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use afterimage_config::{ConfigError, ConfigErrors, KeyPath, Locations};
use sha2::{Digest, Sha256};
use toml::Value;

use crate::config::SweepConfig;
use crate::name::{MOST, distinct, folder_name, labels, shown};
use crate::overrides::{Override, grid, leaves};
use crate::space::samples;

/// Mistakes that are told at once.
const TOLD: usize = 50;

/// A trial's config as the experiment's own loader gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The resolved config, which runs as it is.
    pub resolved: String,
    /// Its SHA-256.
    pub digest: String,
    /// What the user should know and need not change.
    pub notes: Vec<String>,
}

/// Loads the experiment at a path with `--set` flags over it, and checks all that can be checked
/// before it is run.
pub type Check<'a> = dyn Fn(&Path, &[String]) -> Result<Checked, ConfigErrors> + 'a;

/// One run of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// Its folder's name, made of what it sets.
    pub name: String,
    /// The name without the seed: the trials that means are taken over have one.
    pub configuration: String,
    /// The arm; `None` without arms.
    pub arm: Option<String>,
    /// The seed; `None` where the sweep sets none.
    pub seed: Option<u64>,
    /// What the grid, the search and the arm set, by label.
    pub values: BTreeMap<String, Value>,
    /// The resolved config.
    pub config: String,
    /// Its SHA-256.
    pub digest: String,
    /// `epochs` of the config, where it has that key.
    pub epochs: Option<u32>,
}

/// All trials, in the order in which they are started: every configuration with the first seed, then
/// with the next.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The trials; at least one.
    pub trials: Vec<Trial>,
    /// Labels of all keys that differ, in order.
    pub labels: Vec<String>,
    /// What the user should know and need not change.
    pub notes: Vec<String>,
    /// A SHA-256 of all that decides what the trials are and how they are judged.
    pub digest: String,
}

/// A trial before its config is known.
struct Draft {
    arm: Option<String>,
    seed: Option<u64>,
    overrides: Vec<Override>,
    sampled: bool,
}

impl Plan {
    /// The trials of `sweep`, each checked by `check`; `file` is where the sweep was read from, `locations` says where
    /// its keys were set.
    ///
    /// # Errors
    /// Every mistake in a trial's config, told at the line of the sweep file that caused it; two
    /// trials that are one; too many trials.
    pub fn new(
        sweep: &SweepConfig,
        locations: &Locations,
        file: &Path,
        check: &Check<'_>,
    ) -> Result<Self, ConfigErrors> {
        let base = base(sweep, locations, file)?;
        let common = leaves(&sweep.set, "set");
        let drafts = drafts(sweep);
        if drafts.len() > MOST {
            let message = format!("{} trials; a sweep can have {MOST} at most", drafts.len());
            return Err(error_at(locations, &KeyPath::root(), message).into());
        }
        let mut problems = Problems::default();
        let mut notes = BTreeSet::new();
        let mut checked = Vec::new();
        for draft in drafts {
            let all: Vec<&Override> = common.iter().chain(&draft.overrides).collect();
            let mut flags: Vec<String> = all.iter().map(|one| one.setting()).collect();
            flags.extend(draft.seed.map(|seed| format!("seed={seed}")));
            match check(&base, &flags) {
                Ok(ok) => {
                    notes.extend(ok.notes.iter().cloned());
                    checked.push((draft, ok));
                }
                Err(errors) => problems.add(locations, &all, errors),
            }
        }
        problems.finish(checked.len())?;
        let mut notes: Vec<String> = notes.into_iter().collect();
        let checked = without_repeats(locations, checked, &mut notes)?;
        let keys: BTreeSet<String> = checked
            .iter()
            .flat_map(|(draft, _)| draft.overrides.iter().map(|one| one.key.clone()))
            .collect();
        let labels = labels(&keys);
        let trials = named(checked, &labels);
        let digest = digest(sweep, &trials);
        Ok(Self {
            labels: labels.into_values().collect(),
            trials,
            notes,
            digest,
        })
    }

    /// What is wrong with the experiment of `sweep` by itself, where its trials cannot be told yet; what a trial may
    /// still set is not missed.
    pub fn check_base(
        sweep: &SweepConfig,
        locations: &Locations,
        file: &Path,
        check: &Check<'_>,
    ) -> Vec<ConfigError> {
        let errors = base(sweep, locations, file).and_then(|base| check(&base, &[]));
        let errors = errors.err().into_iter().flatten();
        errors
            .filter(|error| !error.message.starts_with("missing"))
            .collect()
    }

    /// The trial of this name.
    pub fn trial(&self, name: &str) -> Option<&Trial> {
        self.trials.iter().find(|trial| trial.name == name)
    }
}

/// The path of the experiment's config.
fn base(sweep: &SweepConfig, locations: &Locations, file: &Path) -> Result<PathBuf, ConfigErrors> {
    let base = file.parent().unwrap_or(Path::new("")).join(&sweep.config);
    if base.is_file() {
        return Ok(base);
    }
    let message = format!("there is no file {}", base.display());
    Err(error_at(locations, &KeyPath::root().key("config"), message).into())
}

fn drafts(sweep: &SweepConfig) -> Vec<Draft> {
    let mut points: Vec<Vec<Override>> = vec![Vec::new()];
    for axis in grid(&sweep.grid) {
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
    let sampled = sweep.search.as_ref().map(samples);
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
    let mut configurations = Vec::new();
    if sweep.arms.is_empty() {
        configurations.extend(
            points
                .iter()
                .map(|point| (None, point.clone(), sampled.is_some())),
        );
    }
    for (index, arm) in sweep.arms.iter().enumerate() {
        let set = leaves(&arm.set, &format!("arms[{index}].set"));
        let name = Some(arm.name.clone());
        if arm.alone {
            configurations.push((name, set, false));
        } else {
            configurations.extend(points.iter().map(|point| {
                (
                    name.clone(),
                    [set.clone(), point.clone()].concat(),
                    sampled.is_some(),
                )
            }));
        }
    }
    let seeds: Vec<Option<u64>> = if sweep.seeds.is_empty() {
        vec![None]
    } else {
        sweep.seeds.iter().copied().map(Some).collect()
    };
    let with_seed = |seed: Option<u64>| {
        configurations
            .iter()
            .map(move |(arm, overrides, sampled)| Draft {
                arm: arm.clone(),
                seed,
                overrides: overrides.clone(),
                sampled: *sampled,
            })
    };
    seeds
        .into_iter()
        .flat_map(with_seed)
        .take(MOST + 1)
        .collect()
}

/// Leaves out samples that fell on the config of another trial.
///
/// # Errors
/// Trials of grid and arms that are one.
fn without_repeats(
    locations: &Locations,
    checked: Vec<(Draft, Checked)>,
    notes: &mut Vec<String>,
) -> Result<Vec<(Draft, Checked)>, ConfigErrors> {
    let mut seen = BTreeSet::new();
    let mut kept = Vec::new();
    let mut repeats = 0;
    for (draft, ok) in checked {
        if seen.insert(ok.digest.clone()) {
            kept.push((draft, ok));
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
            let place = draft
                .overrides
                .first()
                .map(|one| one.place.clone())
                .unwrap_or_default();
            return Err(error_at(locations, &place, message).into());
        }
    }
    if repeats > 0 {
        notes.push(format!(
            "{repeats} samples of the search fell on configs that are there already and were left out"
        ));
    }
    Ok(kept)
}

fn named(checked: Vec<(Draft, Checked)>, labels: &BTreeMap<String, String>) -> Vec<Trial> {
    let mut trials = Vec::new();
    let mut names = Vec::new();
    for (draft, ok) in checked {
        let values: BTreeMap<String, Value> = draft
            .overrides
            .iter()
            .filter_map(|one| Some((labels.get(&one.key)?.clone(), one.value.clone())))
            .collect();
        let mut parts: Vec<String> = draft.arm.iter().cloned().collect();
        // What an arm sets, its name says.
        let in_name = draft
            .overrides
            .iter()
            .filter(|one| draft.arm.is_none() || !one.place.to_string().starts_with("arms"));
        parts
            .extend(in_name.filter_map(|one| {
                Some(format!("{}={}", labels.get(&one.key)?, shown(&one.value)))
            }));
        let configuration = folder_name(&parts);
        parts.extend(draft.seed.map(|seed| format!("seed={seed}")));
        names.push((folder_name(&parts), ok.digest.clone()));
        let epochs = toml::from_str::<toml::Table>(&ok.resolved)
            .ok()
            .and_then(|table| table.get("epochs")?.as_integer()?.try_into().ok());
        trials.push(Trial {
            name: String::new(),
            configuration,
            arm: draft.arm,
            seed: draft.seed,
            values,
            config: ok.resolved,
            digest: ok.digest,
            epochs,
        });
    }
    // Configurations that only a hash tells apart must not be taken for one.
    let mut by_values: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (trial, name) in trials.iter_mut().zip(distinct(names)) {
        trial.name = name;
        let meaning = format!("{:?}", (&trial.arm, &trial.values));
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
    trials
}

/// All that decides what a sweep's trials are and how they are judged: retries, budgets and the way
/// of submission may change while it goes on.
fn digest(sweep: &SweepConfig, trials: &[Trial]) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{:?} {:?}", sweep.metric, sweep.stopping));
    for trial in trials {
        hash.update(format!("\n{} {}", trial.name, trial.digest));
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn error_at(locations: &Locations, key: &KeyPath, message: impl Into<String>) -> ConfigError {
    let at = locations.nearest(key);
    ConfigError {
        file: at.file,
        line: at.line,
        column: at.column,
        key: key.to_string(),
        message: message.into(),
        suggestion: None,
    }
}

/// Mistakes of all trials, each once, with the number of trials that have it.
#[derive(Default)]
struct Problems {
    found: Vec<(ConfigError, usize)>,
    trials: usize,
}

impl Problems {
    /// Adds the mistakes of a trial that sets `overrides`, at the places of the sweep file.
    fn add(&mut self, locations: &Locations, overrides: &[&Override], errors: ConfigErrors) {
        self.trials += 1;
        for error in errors {
            let flag = error.file.strip_prefix("--set ");
            let cause = flag.and_then(|flag| overrides.iter().find(|one| one.setting() == flag));
            let error = match (cause, flag) {
                (Some(cause), _) => {
                    let message = if error.key.is_empty() || error.key == cause.key {
                        error.message
                    } else {
                        format!("{}: {}", error.key, error.message)
                    };
                    ConfigError {
                        suggestion: error.suggestion,
                        ..error_at(locations, &cause.place, message)
                    }
                }
                (None, Some(_)) => {
                    let seeds = KeyPath::root().key("seeds");
                    error_at(locations, &seeds, error.message)
                }
                (None, None) => error,
            };
            match self.found.iter_mut().find(|(other, _)| *other == error) {
                Some((_, count)) => *count += 1,
                None => self.found.push((error, 1)),
            }
        }
    }

    /// # Errors
    /// All mistakes, if there is any.
    fn finish(self, sound: usize) -> Result<(), ConfigErrors> {
        let all = self.trials + sound;
        let mut errors: Vec<ConfigError> = self
            .found
            .into_iter()
            .map(|(mut error, count)| {
                if count < all {
                    error.message += &format!(" (in {count} of {all} trials)");
                }
                error
            })
            .collect();
        errors.sort_by_key(|error| (error.file.clone(), error.line, error.column));
        errors.truncate(TOLD);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors::new(errors))
        }
    }
}
