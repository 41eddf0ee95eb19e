//! What a search asked, what was told, and what it asks next.

use std::collections::{BTreeMap, BTreeSet};

use super::point::Settings;
use super::{Known, Points, Told, generation};
use crate::aims::{Aim, Judged};
use crate::config::{Search, SearchKind};
use crate::ledger::{Entry, Line};
use crate::means::mean;
use crate::plan::Trial;
use crate::standing::{Standing, State};

/// Points of searches that a ledger tells of, without the first generation of those that draw it from the sweep file
/// alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked(BTreeMap<Option<String>, Vec<Vec<Settings>>>);

impl Asked {
    /// What the entries of a ledger say.
    pub fn of(lines: &[Line]) -> Self {
        let mut all = Self::default();
        for line in lines {
            if let Entry::Ask {
                stage,
                generation,
                points,
                ..
            } = &line.entry
                && *generation > 0
            {
                all.push(stage, points.clone());
            }
        }
        all
    }

    /// Adds a generation of a stage, or of a sweep without stages.
    pub fn push(&mut self, stage: &Option<String>, points: Vec<Settings>) {
        self.0.entry(stage.clone()).or_default().push(points);
    }
}

/// A search that learns, as far as it has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Searching {
    /// Its stage.
    pub stage: Option<String>,
    /// How points are chosen.
    pub kind: SearchKind,
    /// Points that it asks for in all.
    pub samples: usize,
    /// Points by generation: the value of each key.
    pub generations: Vec<Vec<BTreeMap<String, toml::Value>>>,
}

impl Searching {
    /// Points that were asked for.
    pub fn asked(&self) -> usize {
        self.generations.iter().map(Vec::len).sum()
    }

    /// The search of a stage as far as `asked` tells.
    pub(crate) fn new(search: &Search, at: &str, stage: Option<String>, asked: &Asked) -> Self {
        let mut all = Self {
            kind: search.kind,
            samples: search.samples as usize,
            generations: Vec::new(),
            stage,
        };
        let first = all.points(search, at, &[]);
        all.generations.push(first);
        let later = asked.0.get(&all.stage).cloned();
        all.generations.extend(later.unwrap_or_default());
        all
    }

    /// The next points, chosen from what was told; none where the search is over.
    fn points(&self, search: &Search, at: &str, told: &[Vec<Told>]) -> Vec<Settings> {
        if search.kind == SearchKind::Ask {
            return Vec::new();
        }
        let space = Points::of(search, at);
        let genes = space.genes();
        let size = search.generation() as usize;
        let known = Known {
            kind: search.kind,
            seed: search.seed,
            size,
            genes: &genes,
            told,
        };
        let left = self.samples.saturating_sub(self.asked());
        let name = |settings: &Settings| format!("{settings:?}");
        let mut seen: BTreeSet<String> = self.generations.iter().flatten().map(name).collect();
        generation(&known, size.min(left), &mut |point| {
            seen.insert(name(&space.settings(point)))
        })
        .iter()
        .map(|point| space.settings(point))
        .collect()
    }

    /// The next generation, where all trials of the others are over; none where one is not, or the search is, or where
    /// the last generation has no result at all.
    pub(crate) fn next(
        &self,
        search: &Search,
        at: &str,
        judged: &Judged,
        trials: &[Trial],
        standings: &BTreeMap<String, Standing>,
    ) -> Vec<Settings> {
        let space = Points::of(search, at);
        let mut own: BTreeMap<(usize, usize), Vec<&Standing>> = BTreeMap::new();
        for trial in trials.iter().filter(|trial| trial.stage == self.stage) {
            let (Some(place), Some(standing)) = (trial.asked, standings.get(&trial.name)) else {
                continue;
            };
            if standing.state.is_open() {
                return Vec::new();
            }
            own.entry(place).or_default().push(standing);
        }
        let told = |generation: usize, index: usize, settings: &Settings| Told {
            // What another version of the space asked for counts for nothing.
            point: space.place(settings).unwrap_or_default(),
            losses: own
                .get(&(generation, index))
                .and_then(|standings| losses(standings, judged)),
        };
        let told: Vec<Vec<Told>> = self
            .generations
            .iter()
            .enumerate()
            .map(|(number, points)| {
                let points = points.iter().enumerate();
                points
                    .map(|(index, settings)| told(number, index, settings))
                    .collect()
            })
            .collect();
        // More of the same would cost time and teach nothing.
        let teaches = |last: &Vec<Told>| last.iter().any(|one| one.losses.is_some());
        match told.last() {
            Some(last) if teaches(last) => self.points(search, at, &told),
            _ => Vec::new(),
        }
    }
}

/// Means over the seeds of a configuration, each as a number of which less is better; `None` if one of them is not done
/// or has not all of them.
fn losses(standings: &[&Standing], judged: &Judged) -> Option<Vec<f64>> {
    let of = |aim: &Aim| {
        let values: Option<Vec<f64>> = standings
            .iter()
            .map(|standing| {
                (standing.state == State::Done).then_some(())?;
                match judged.aims.as_slice() {
                    [] => standing.value,
                    _ => standing.aims.get(&aim.name).copied(),
                }
            })
            .collect();
        let values = values?;
        Some(aim.direction.loss(mean(&values).0?))
    };
    let aims = judged.all();
    aims.iter().map(of).collect()
}
