//! Drafts of trials, each with its parents found and its config checked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use afterimage_config::{ConfigError, ConfigErrors, KeyPath};

use crate::config::SweepFile;
use crate::draft::Draft;
use crate::overrides::{Override, root};
use crate::parents::{Child, NoParent, Parent, Pool, Use};
use crate::plan::{Check, Checked};
use crate::problems::{Problems, error_at};
use crate::reference::{Reference, Selector, What, planned, references, replaced};
use crate::stage::Part;

/// A trial whose config is without a mistake.
pub(crate) struct Sound {
    pub(crate) draft: Draft,
    pub(crate) ok: Checked,
    /// Their names are not known yet.
    pub(crate) parents: Vec<Parent>,
}

/// What the trials of a stage share.
struct Shared<'a> {
    part: Part<'a>,
    base: PathBuf,
    common: Vec<Override>,
}

/// Checks every draft.
///
/// # Errors
/// Every mistake in a trial's config, and trials whose parents cannot be told, at the line of the
/// sweep file that caused it.
pub(crate) fn checked(
    loaded: SweepFile<'_>,
    file: &Path,
    drafts: Vec<Draft>,
    check: &Check<'_>,
    notes: &mut BTreeSet<String>,
) -> Result<Vec<Sound>, ConfigErrors> {
    let shared = shared(loaded, file)?;
    let mut problems = Problems::default();
    let mut pools: BTreeMap<(Option<usize>, Option<u64>), Pool> = BTreeMap::new();
    // Stages with a mistake, whose children would only repeat it.
    let mut broken: BTreeSet<Option<usize>> = BTreeSet::new();
    let mut sound = Vec::new();
    for draft in drafts {
        let Some(of) = shared.iter().find(|of| of.part.index() == draft.stage) else {
            continue;
        };
        let mut parents = Vec::new();
        let mut missing = None;
        if let Some((index, stage)) = of.part.stage {
            for (place, need) in stage.needs.iter().enumerate() {
                let needed = loaded
                    .value
                    .stages
                    .iter()
                    .position(|other| other.name == *need);
                let found = if broken.contains(&needed) {
                    Ok(String::new())
                } else {
                    let child = Child {
                        draft: &draft,
                        common: &of.common,
                    };
                    let pool = pools.entry((needed, draft.seed)).or_default();
                    pool.parent(need, &child).map(str::to_owned)
                };
                match found {
                    Ok(digest) => parents.push(parent(need, digest, of, &draft)),
                    Err(NoParent { place: at, why }) => {
                        let at = at
                            .or_else(|| use_of(need, of, &draft))
                            .unwrap_or_else(|| root(&format!("stages[{index}].needs[{place}]")));
                        missing.get_or_insert(error_at(loaded, &at, why));
                    }
                }
            }
        }
        let all = match missing {
            Some(error) => Err(error),
            None => overrides(loaded, of, &draft, &parents),
        };
        let all = match all {
            Ok(all) => all,
            Err(error) => {
                problems.add_one(error);
                broken.insert(draft.stage);
                continue;
            }
        };
        let mut flags: Vec<String> = all.iter().map(Override::setting).collect();
        flags.extend(draft.seed.map(|seed| format!("seed={seed}")));
        match check(&of.base, &flags) {
            Ok(ok) => {
                notes.extend(ok.notes.iter().cloned());
                let pool = pools.entry((draft.stage, draft.seed)).or_default();
                pool.add(&draft, &of.common, &ok.digest);
                sound.push(Sound { draft, ok, parents });
            }
            Err(errors) if draft.is_chosen() => {
                let first = errors.into_iter().next();
                let why = first.map_or(String::new(), |error| {
                    format!("{}: {}", error.key, error.message)
                });
                let point: Vec<String> = draft.overrides.iter().map(Override::setting).collect();
                notes.insert(format!(
                    "{}: a point that the search chose, and is no trial: it counts as failed ({why})",
                    point.join(", ")
                ));
            }
            Err(errors) => {
                problems.add(loaded, &all, errors);
                broken.insert(draft.stage);
            }
        }
    }
    problems.finish(sound.len())?;
    Ok(sound)
}

/// What is wrong with the experiments by themselves; what a trial may still set is not missed.
pub(crate) fn checked_bases(
    loaded: SweepFile<'_>,
    file: &Path,
    check: &Check<'_>,
) -> Vec<ConfigError> {
    let bases = match shared(loaded, file) {
        Ok(shared) => shared
            .into_iter()
            .map(|of| of.base)
            .collect::<BTreeSet<_>>(),
        Err(errors) => return errors.into_iter().collect(),
    };
    let errors = bases.iter().filter_map(|base| check(base, &[]).err());
    errors
        .flatten()
        .filter(|error| !error.message.starts_with("missing"))
        .collect()
}

/// Base configs and common keys of all stages.
fn shared<'a>(loaded: SweepFile<'a>, file: &Path) -> Result<Vec<Shared<'a>>, ConfigErrors> {
    let mut errors: Vec<ConfigError> = Vec::new();
    let mut all = Vec::new();
    for part in loaded.value.parts() {
        let config = part.config.unwrap_or(Path::new(""));
        let base = file.parent().unwrap_or(Path::new("")).join(config);
        if base.is_file() {
            let common = part.common();
            all.push(Shared { part, base, common });
            continue;
        }
        let own = part.stage.is_some_and(|(_, stage)| stage.config.is_some());
        let at = if own {
            part.at("config")
        } else {
            "config".to_owned()
        };
        let message = format!("there is no file {}", base.display());
        let error = error_at(loaded, &root(&at), message);
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
    if errors.is_empty() {
        Ok(all)
    } else {
        errors.sort_by_key(|error| error.line);
        Err(ConfigErrors::new(errors))
    }
}

/// Keys and values of a trial, those of its stage first.
fn set<'a>(of: &'a Shared<'_>, draft: &'a Draft) -> impl Iterator<Item = &'a Override> {
    of.common.iter().chain(&draft.overrides)
}

/// Where the trial names the run of the stage `need`.
fn use_of(need: &str, of: &Shared<'_>, draft: &Draft) -> Option<KeyPath> {
    let names = |one: &&Override| {
        let texts = references(&one.value).into_iter();
        texts
            .filter_map(|text| Reference::parse(text).ok())
            .any(|of| of.stage == need)
    };
    set(of, draft).find(names).map(|one| one.place.clone())
}

/// The parent in the stage `need`, with what the trial uses of it.
fn parent(need: &str, digest: String, of: &Shared<'_>, draft: &Draft) -> Parent {
    let uses = set(of, draft).flat_map(|one| {
        let texts = references(&one.value).into_iter();
        let references = texts.filter_map(|text| Reference::parse(text).ok());
        references
            .filter(|reference| reference.stage == need)
            .map(|reference| Use {
                key: one.key.clone(),
                epoch: match reference.what {
                    What::Epoch(epoch) => Some(epoch),
                    What::Run | What::File(_) => None,
                },
                place: one.place.clone(),
            })
    });
    Parent {
        stage: need.to_owned(),
        trial: String::new(),
        digest,
        uses: uses.collect(),
    }
}

/// What is set in the config of a trial, with marks in place of the runs of its parents.
fn overrides(
    loaded: SweepFile<'_>,
    of: &Shared<'_>,
    draft: &Draft,
    parents: &[Parent],
) -> Result<Vec<Override>, ConfigError> {
    if draft.stage.is_none() {
        return Ok(set(of, draft).cloned().collect());
    }
    let mut all = Vec::new();
    for one in set(of, draft) {
        if Selector::of(&one.key).is_some() {
            continue;
        }
        let mut mark = |text: &str| {
            if !text.starts_with('{') {
                return Ok(None);
            }
            let reference = Reference::parse(text)?;
            let parent = parents
                .iter()
                .find(|parent| parent.stage == reference.stage);
            parent
                .map(|parent| Some(planned(text, &parent.digest)))
                .ok_or_else(|| format!("{text:?} names no stage that this one needs"))
        };
        let value = replaced(&one.value, &mut mark)
            .map_err(|why: String| error_at(loaded, &one.place, why))?;
        all.push(Override {
            value,
            ..one.clone()
        });
    }
    Ok(all)
}
