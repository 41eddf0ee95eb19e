//! Which run of an earlier stage a trial uses.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_config::KeyPath;
use toml::Value;

use crate::draft::Draft;
use crate::overrides::Override;
use crate::reference::Selector;

/// A trial that must be done before another one begins.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    /// Its stage.
    pub stage: String,
    /// Its name.
    pub trial: String,
    /// The SHA-256 of its config.
    pub(crate) digest: String,
    /// Where the child's config names its run.
    pub uses: Vec<Use>,
}

/// A key of a trial that names its parent's run.
#[derive(Debug, Clone, PartialEq)]
pub struct Use {
    /// The key, as in `fine_tune.from`.
    pub key: String,
    /// The epoch of the checkpoint that is meant; `None` for the run itself or a file of it.
    pub epoch: Option<u32>,
    /// Where the sweep file says so.
    pub place: KeyPath,
}

/// A trial that others may use.
#[derive(Debug)]
struct Member {
    arm: Option<String>,
    digest: String,
    values: BTreeMap<String, Value>,
}

/// The trials of one stage with one seed.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    members: Vec<Member>,
    /// Keys that tell them apart.
    varied: BTreeSet<String>,
    /// Of these what their grid or search varies: what an arm sets, its name says.
    drawn: BTreeSet<String>,
}

/// Why a trial has no parent: where and what.
pub(crate) struct NoParent {
    pub(crate) place: Option<KeyPath>,
    pub(crate) why: String,
}

/// What a trial sets, as far as it tells which run it means.
pub(crate) struct Child<'a> {
    pub(crate) draft: &'a Draft,
    /// What all trials of its stage set.
    pub(crate) common: &'a [Override],
}

impl Child<'_> {
    /// What the child sets, the more special first.
    fn all(&self) -> impl Iterator<Item = &Override> {
        let own = self.draft.overrides.iter().rev();
        own.chain(self.common.iter())
    }

    /// The value that the child says the run of `stage` has of a key.
    fn chosen(&self, stage: &str, key: &str) -> Option<&Override> {
        let chosen = |one: &&Override| {
            Selector::of(&one.key).is_some_and(|by| by.stage == stage && by.key == key)
        };
        self.all().find(chosen)
    }

    /// The value that the child gives to a key that the stage `stage` varies.
    fn fixed(&self, stage: &str, key: &str) -> Option<&Override> {
        self.chosen(stage, key)
            .or_else(|| self.all().find(|one| one.key == key))
    }

    /// The arm that is meant: the one that is named, or the one that is called as the child's own.
    fn arm(&self, stage: &str, pool: &Pool) -> Option<String> {
        let named = self.all().find_map(|one| {
            let by = Selector::of(&one.key)?;
            (by.stage == stage && by.key == "arm").then(|| one.value.as_str().unwrap_or_default())
        });
        let own = || {
            let arm = self.draft.arm.as_deref()?;
            let known = |member: &Member| member.arm.as_deref() == Some(arm);
            pool.members.iter().any(known).then_some(arm)
        };
        named.or_else(own).map(str::to_owned)
    }
}

impl Pool {
    /// Adds a trial, whose config has this digest.
    pub(crate) fn add(&mut self, draft: &Draft, common: &[Override], digest: &str) {
        let all = common.iter().chain(&draft.overrides);
        let values = all.map(|one| (one.key.clone(), one.value.clone()));
        self.varied
            .extend(draft.overrides.iter().map(|one| one.key.clone()));
        let drawn = draft.overrides.iter().skip(draft.armed);
        self.drawn.extend(drawn.map(|one| one.key.clone()));
        self.members.push(Member {
            arm: draft.arm.clone(),
            digest: digest.to_owned(),
            values: values.collect(),
        });
    }

    /// The digest of the one trial of `stage` that has what `child` says of the keys that both give.
    ///
    /// # Errors
    /// None, or several.
    pub(crate) fn parent(&self, stage: &str, child: &Child<'_>) -> Result<&str, NoParent> {
        self.check_selectors(stage, child)?;
        let arm = child.arm(stage, self);
        // What an arm sets, its name says; only what is chosen by a key of its own must hold beside it.
        let holds = |key: &String| {
            arm.is_none() || self.drawn.contains(key) || child.chosen(stage, key).is_some()
        };
        let fixed: Vec<(&String, &Override)> = self
            .varied
            .iter()
            .filter(|key| holds(key))
            .filter_map(|key| Some((key, child.fixed(stage, key)?)))
            .collect();
        let has =
            |member: &Member, key: &String, value: &Value| member.values.get(key) == Some(value);
        let mut fit: Vec<&Member> = self
            .members
            .iter()
            .filter(|member| arm.is_none() || member.arm == arm)
            .filter(|member| fixed.iter().all(|(key, one)| has(member, key, &one.value)))
            .collect();
        let mut digests = BTreeSet::new();
        fit.retain(|member| digests.insert(&member.digest));
        match fit.as_slice() {
            [one] => Ok(&one.digest),
            [] => {
                let mut wanted: Vec<String> = fixed
                    .iter()
                    .map(|(key, one)| format!("{key} = {}", one.value))
                    .collect();
                wanted.extend(arm.map(|arm| format!("arm {arm:?}")));
                let alone = fixed.iter().find(|(key, one)| {
                    !self
                        .members
                        .iter()
                        .any(|member| has(member, key, &one.value))
                });
                Err(NoParent {
                    place: alone.map(|(_, one)| one.place.clone()),
                    why: format!("no trial of the stage {stage:?} has {}", wanted.join(", ")),
                })
            }
            several => Err(NoParent {
                place: None,
                why: self.ambiguous(stage, several),
            }),
        }
    }

    fn ambiguous(&self, stage: &str, several: &[&Member]) -> String {
        let differs = |key: &&String| {
            let mut values = several.iter().map(|member| member.values.get(*key));
            let first = values.next();
            values.any(|value| Some(value) != first)
        };
        let mut keys: Vec<String> = self.varied.iter().filter(differs).cloned().collect();
        let arms: BTreeSet<&Option<String>> = several.iter().map(|member| &member.arm).collect();
        // What an arm sets, its name says.
        if arms.len() > 1 {
            keys = vec!["arm".to_owned()];
        }
        let first = keys.first().map_or("", String::as_str);
        format!(
            "{} trials of the stage {stage:?} fit, which differ in {}; say which is meant, as in \
             \"{{{stage}}}.{first}\" = … in `set` or `grid`{}",
            several.len(),
            keys.join(", "),
            if first == "arm" {
                String::new()
            } else {
                format!(", or give {first:?} itself")
            }
        )
    }

    fn check_selectors(&self, stage: &str, child: &Child<'_>) -> Result<(), NoParent> {
        for one in child.all() {
            let Some(by) = Selector::of(&one.key).filter(|by| by.stage == stage) else {
                continue;
            };
            let arms = self.members.iter().any(|member| member.arm.is_some());
            if self.varied.contains(by.key) || (by.key == "arm" && arms) {
                continue;
            }
            let mut known: Vec<&str> = self.varied.iter().map(String::as_str).collect();
            known.extend(arms.then_some("arm"));
            return Err(NoParent {
                place: Some(one.place.clone()),
                why: if known.is_empty() {
                    format!("the stage {stage:?} varies nothing but the seed; leave this key out")
                } else {
                    format!(
                        "the stage {stage:?} varies no {:?}; it varies {}",
                        by.key,
                        known.join(", ")
                    )
                },
            });
        }
        Ok(())
    }
}
