//! The plugin `prune`: masks units on a schedule, by scores of other plugins.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Column, Declare, EpochEnd, EpochEndCx, Every, Fault, ModelView, Plugin, PluginState,
    RequestKind, RunEnd, RunEndCx, RunStart, RunStartCx, SampleId, Samples, Split, Structure,
    Table, UnitGroup,
};
use serde::{Deserialize, Serialize};

use crate::config::{Compacting, PruneConfig};
use crate::pool::{Pool, over_channels, over_sites};
use crate::schedule::Step;
use crate::score::SiteValues;
use crate::select::{Cost, Selected, select};

/// Version of the layout of the plugin's state.
const STATE: u32 = 1;

/// Forward passes of which the median is taken.
const PASSES: usize = 7;

/// Where the time of a forward pass is put on record: with what else hangs on the clock.
const LATENCY: &str = "time/prune/latency";

/// Asks for masks at the ends of the epochs of a schedule; it computes no scores itself.
///
/// Groups of coupled units are decided as one, by the mean of their scores at the sites that show
/// them. A unit without a score, or with one that is no finite number, stays. The scores must be of
/// the epoch at whose end they decide.
///
/// | tag | what |
/// |---|---|
/// | `prune/fraction` | what is gone of the units or operations |
/// | `prune/units` | units that are gone |
/// | `prune/macs` | multiply-accumulate operations of an image that are left, where the model tells |
/// | `prune/parameters` | trained values of the encoder that are left, where the model tells; pruned units of the embedding count as gone, though a smaller model keeps its width |
/// | `prune/size` | bytes of all values of the encoder that are left, running statistics among them, as 32-bit floats, where the model tells; counted as `prune/parameters` |
/// | `time/prune/latency` | where the settings ask for it, milliseconds of a forward pass of the smaller encoder over the first training images; again when the run ends |
/// | `prune/unscored` | units that could not be chosen for want of a score |
/// | `prune/chosen` | table with a row a pruned unit |
#[derive(Debug)]
pub struct Prune {
    config: PruneConfig,
    whole: Option<Whole>,
}

/// The model before anything was pruned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Whole {
    /// Units by name of the group or site.
    units: BTreeMap<String, usize>,
    /// Operations of an image; 0 where the model does not tell.
    macs: u64,
}

/// Units that are decided together, and where they are masked.
struct Coupled {
    pool: Pool,
    group: UnitGroup,
}

impl Prune {
    /// A pruner that has pruned nothing.
    pub fn new(config: PruneConfig) -> Self {
        Self {
            config,
            whole: None,
        }
    }

    fn start(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        if let Some((key, problem)) = self.config.problems().into_iter().next() {
            return Err(Fault::new(format!("`{key}`: {problem}")));
        }
        let epochs = cx.clock().epochs;
        if let Some(problem) = self.config.schedule.beyond(epochs) {
            return Err(Fault::new(format!("`schedule`: {problem}")));
        }
        let structure = cx.model.structure().unwrap_or_default();
        if self.config.couple && structure.groups.is_empty() {
            return Err(Fault::new(
                "this model lists no groups of units; set `couple = false` to mask sites one by one",
            ));
        }
        let groups = self.groups(&structure, cx.model, None);
        if groups.is_empty() {
            let names: Vec<&str> = structure.groups.iter().map(|g| g.name.as_str()).collect();
            return Err(Fault::new(format!(
                "`groups = {:?}` matches nothing; there are {}",
                self.config.groups,
                names.join(", ")
            )));
        }
        let all = self.config.groups_of(&structure.groups, cx.model.sites());
        let problems = self.config.fraction_problems().into_iter();
        if let Some(fault) = problems.chain(self.config.misfits(&all)).next() {
            let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            let advice = match fault.unknown {
                true => format!("; there are {}", names.join(", ")),
                false => String::new(),
            };
            return Err(Fault::new(format!(
                "`fractions.{:?}`: {}{advice}",
                fault.pattern, fault.message
            )));
        }
        self.whole = Some(Whole {
            units: groups
                .into_iter()
                .map(|group| (group.name, group.units))
                .collect(),
            macs: structure.macs(&BTreeMap::new()),
        });
        Ok(())
    }

    /// The groups to prune; where sites are masked one by one, those with scores as groups of their
    /// own, all sites before there are scores.
    fn groups(
        &self,
        structure: &Structure,
        model: &dyn ModelView,
        scores: Option<&SiteValues>,
    ) -> Vec<UnitGroup> {
        let scored = |name: &str| scores.is_none_or(|scores| scores.get(name).is_some());
        let all = self.config.groups_of(&structure.groups, model.sites());
        all.into_iter()
            .filter(|group| self.config.takes(&group.name))
            .filter(|group| self.config.couple || scored(&group.name))
            .collect()
    }

    fn epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let epoch = cx.clock().epoch;
        let Some(step) = self.config.schedule.step_at(epoch) else {
            return Ok(());
        };
        let scores = self.scores(cx)?;
        let structure = cx.model.structure().unwrap_or_default();
        let coupled = self.coupled(&structure, cx.model, &scores)?;
        let with_fraction = |coupled: &Coupled| {
            let mut pool = coupled.pool.clone();
            let own = !self.config.fractions.is_empty();
            pool.fraction = own.then(|| step.share * self.config.fraction_of(&coupled.group));
            pool
        };
        let pools: Vec<Pool> = coupled.iter().map(with_fraction).collect();
        let mut rules = self.config.rules(step.share);
        if self.config.random_units {
            rules.random = Some(cx.random().epoch(epoch));
        }
        let whole = self.whole.clone().unwrap_or_else(|| Whole {
            units: BTreeMap::new(),
            macs: 0,
        });
        let of = |left: &BTreeMap<String, usize>| structure.macs(left);
        let cost = (whole.macs > 0).then_some(Cost {
            original: whole.macs,
            of: &of,
        });
        let chosen = select(&pools, &rules, cost)
            .map_err(|error| Fault::new(format!("after epoch {epoch}: {error}")))?;
        if chosen.short {
            tracing::warn!(
                "prune: {:.1} % are gone after epoch {epoch} in place of {:.1} %: bounds, roundings \
                 or units without scores keep the rest",
                100.0 * chosen.fraction,
                100.0 * chosen.wanted
            );
        }
        self.record(cx, &structure, &coupled, &chosen);
        let mut gone: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for Coupled { pool, group } in &coupled {
            let Some(units) = chosen.units.get(&pool.name) else {
                continue;
            };
            let channels: Vec<usize> = units.iter().flat_map(|&u| group.channels_of(u)).collect();
            for site in &group.masked_at {
                let all = gone.entry(site.clone()).or_default();
                all.extend_from_slice(&channels);
                cx.mask(site, channels.clone())?;
            }
        }
        let time = self.latency(cx.model, cx.samples, &gone)?;
        time.into_iter().for_each(|time| cx.scalar(LATENCY, time));
        self.then(cx, step)
    }

    /// The last figure, which a run has that went on from a checkpoint behind the last step, too.
    fn end(&mut self, cx: &mut RunEndCx<'_>) -> Result<(), Fault> {
        let time = self.latency(cx.model, cx.samples, &BTreeMap::new())?;
        time.into_iter().for_each(|time| cx.scalar(LATENCY, time));
        Ok(())
    }

    /// Milliseconds of a forward pass without what is masked and without `gone`; `None` where nobody asks.
    fn latency(
        &self,
        model: &dyn ModelView,
        samples: Option<&dyn Samples>,
        gone: &BTreeMap<String, Vec<usize>>,
    ) -> Result<Option<f64>, Fault> {
        let Some(images) = self.config.latency else {
            return Ok(None);
        };
        let samples = samples.ok_or_else(|| {
            Fault::new("there are no images to time a forward pass on; leave `latency` out")
        })?;
        let count = images.min(samples.len(Split::Train)) as u32;
        let ids: Vec<SampleId> = (0..count).map(SampleId).collect();
        let images = samples.originals(Split::Train, &ids)?;
        let time = model.latency(gone, images, PASSES)?;
        time.map(Some).ok_or_else(|| {
            Fault::new(
                "this model cannot be made smaller, and so not be timed; leave `latency` out",
            )
        })
    }

    /// The scores of this epoch.
    fn scores(&self, cx: &EpochEndCx<'_>) -> Result<SiteValues, Fault> {
        let (score, epoch) = (self.config.score, cx.clock().epoch);
        let units = |name: &str| {
            let sites = cx.model.sites().iter();
            sites
                .filter(|site| site.name == name)
                .map(|site| site.units)
                .sum()
        };
        let scores = score.read(&cx.scope, &units)?;
        let advice = format!(
            "give plugin {:?} an `every` that is due there, such as \"1 epochs\"",
            score.provider()
        );
        match scores {
            None => Err(Fault::new(format!(
                "there is no score `{}` at the end of epoch {epoch}, when units are to be pruned; \
                 {advice}",
                score.word()
            ))),
            Some(scores) if scores.epoch != epoch => Err(Fault::new(format!(
                "the last score `{}` is of epoch {}, but units are to be pruned by it after epoch \
                 {epoch}; {advice}",
                score.word(),
                scores.epoch
            ))),
            Some(scores) => Ok(scores),
        }
    }

    /// The units of each group with their scores.
    fn coupled(
        &self,
        structure: &Structure,
        model: &dyn ModelView,
        scores: &SiteValues,
    ) -> Result<Vec<Coupled>, Fault> {
        let groups = self.groups(structure, model, Some(scores));
        let coupled: Vec<Coupled> = groups
            .into_iter()
            .map(|group| {
                let shown: Vec<Vec<Option<f64>>> = group
                    .sites
                    .iter()
                    .filter_map(|site| scores.get(site))
                    .map(|values| over_channels(values, group.channels))
                    .collect();
                let values = over_sites(&shown, group.units, self.config.aggregate);
                let names = group.sites.iter().chain([&group.name]).map(String::as_str);
                let whole = self.whole.as_ref();
                let before = whole.and_then(|whole| whole.units.get(&group.name));
                let mut pool = Pool::new(&group.name, values);
                pool.original = before.copied().unwrap_or(group.units).max(group.units);
                pool.alive = alive(&group, model);
                pool.protected = self.config.protects(names);
                Coupled { pool, group }
            })
            .collect();
        let scored = |coupled: &Coupled| coupled.pool.scores.iter().any(Option::is_some);
        if coupled.iter().any(scored) {
            return Ok(coupled);
        }
        let sites: Vec<&str> = scores.sites.iter().map(|(site, _)| site.as_str()).collect();
        Err(Fault::new(format!(
            "no group of units has a score that is a number; plugin {:?} scores {}",
            self.config.score.provider(),
            if sites.is_empty() {
                "no site".to_owned()
            } else {
                sites.join(", ")
            }
        )))
    }

    fn record(
        &self,
        cx: &mut EpochEndCx<'_>,
        structure: &Structure,
        coupled: &[Coupled],
        chosen: &Selected,
    ) {
        let (mut names, mut units, mut scores) = (Vec::new(), Vec::new(), Vec::new());
        let (mut gone, mut unscored) = (0, 0);
        let mut left = BTreeMap::new();
        for Coupled { pool, .. } in coupled {
            let new = chosen.units.get(&pool.name).map_or(&[][..], Vec::as_slice);
            for &unit in new {
                names.push(pool.name.clone());
                units.push(unit as i64);
                scores.push(pool.scores[unit].unwrap_or(f64::NAN));
            }
            let now = pool.gone() + new.len();
            gone += now;
            left.insert(pool.name.clone(), pool.original - now);
            let without = pool.alive.iter().zip(&pool.scores);
            unscored += without
                .filter(|(alive, score)| **alive && score.is_none())
                .count();
        }
        cx.scalar("prune/fraction", chosen.fraction);
        cx.scalar("prune/units", gone as f64);
        cx.scalar("prune/unscored", unscored as f64);
        if !structure.weights.is_empty() && self.config.couple {
            cx.scalar("prune/macs", structure.macs(&left) as f64);
        }
        if !structure.parameters.is_empty() && self.config.couple {
            let count = structure.parameter_count(&left);
            cx.scalar("prune/parameters", count as f64);
            cx.scalar("prune/size", structure.bytes(&left) as f64);
        }
        let columns = [
            ("group", Column::Text(names)),
            ("unit", Column::I64(units)),
            ("score", Column::F64(scores)),
        ];
        let columns = columns.map(|(name, column)| (name.to_owned(), column));
        cx.table(
            "prune/chosen",
            Table {
                columns: columns.to_vec(),
            },
        );
    }

    /// What follows the masks of a step.
    fn then(&self, cx: &mut EpochEndCx<'_>, step: Step) -> Result<(), Fault> {
        let last = self.config.schedule.steps().last() == Some(&step);
        match self.config.compact {
            Compacting::Never => {}
            Compacting::AtEnd if !last => {}
            Compacting::AtEnd | Compacting::EachStep => cx.compact()?,
        }
        if self.config.evaluate {
            cx.evaluate()?;
        }
        Ok(())
    }
}

/// Which units of a group are not masked everywhere that they are made.
fn alive(group: &UnitGroup, model: &dyn ModelView) -> Vec<bool> {
    let masks: Vec<Option<Vec<bool>>> = group.masked_at.iter().map(|s| model.masked(s)).collect();
    (0..group.units)
        .map(|unit| {
            let masked = |mask: &Option<Vec<bool>>| {
                let channels = mask.as_ref().and_then(|m| m.get(group.channels_of(unit)));
                channels.is_some_and(|channels| channels.iter().all(|masked| *masked))
            };
            !masks.iter().all(masked)
        })
        .collect()
}

impl Plugin for Prune {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::start)
            .on::<EpochEnd>(Every::Always, Self::epoch)
            .requests(RequestKind::Mask);
        if self.config.compact != Compacting::Never {
            d.requests(RequestKind::Compact);
        }
        if self.config.evaluate {
            d.requests(RequestKind::Evaluate);
        }
        if self.config.latency.is_some() {
            d.on::<RunEnd>(Every::Always, Self::end);
        }
        for line in self.config.plan() {
            d.plan(line);
        }
        if let Some(first) = self.config.schedule.steps().first() {
            // What the state holds of the model before anything is pruned.
            d.begins(first.epoch, &(&self.config.groups, self.config.couple));
        }
        self.config.score.declare(d);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(STATE, &self.whole)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.whole = state.decode(STATE)?;
        Ok(())
    }
}
