//! Scores of units that can be had of an encoder that is there.

use afterimage_hooks::{ModelView, SiteKind, TapSpec, UnitParameters};
use afterimage_model::{AnyEncoder, EncoderView};
use afterimage_prune::{
    Aggregate, Direction, Pool, Rules, Score, SiteValues, excess, over_channels, over_sites, select,
};
use afterimage_train::{TrainError, read_plugins};

use super::error::SensitivityError;
use super::groups::Tied;
use crate::error::RunError;
use crate::probe::{Prepared, ProbeConfig, Subject};
use crate::unit_points::{UnitPoints, unitmem};

/// Scores of the units of every site that has any.
pub(super) struct Scored {
    pub(super) score: Score,
    values: SiteValues,
}

/// What scores are read from.
pub(super) struct Sources<'a> {
    pub(super) subject: &'a Subject,
    pub(super) prepared: &'a Prepared,
    pub(super) config: &'a ProbeConfig,
    pub(super) view: &'a EncoderView<AnyEncoder>,
}

impl Sources<'_> {
    /// The units' `score`: computed from weights and images, or what the run recorded last. Notes go to
    /// `notes`.
    pub(super) fn read(&self, score: Score, notes: &mut Vec<String>) -> Result<Scored, RunError> {
        let values = match score {
            Score::Magnitude => self.of_parameters(score, |p| Some(p.weight_norm))?,
            Score::BnGamma => self.of_parameters(score, |p| p.scale)?,
            Score::Unitmem | Score::UnitmemExcess => self.unitmem(score, notes)?,
            _ => self.recorded(score, notes)?,
        };
        Ok(Scored { score, values })
    }

    /// As the plugins `magnitude` and `bn-gamma` with their default settings.
    fn of_parameters(
        &self,
        score: Score,
        of: impl Fn(UnitParameters) -> Option<Vec<f64>>,
    ) -> Result<SiteValues, RunError> {
        let tap = TapSpec::units("encoder.*").kind(SiteKind::Activation);
        let mut sites = Vec::new();
        for site in self.view.sites().iter().filter(|site| tap.matches(site)) {
            let parameters = self.view.unit_parameters(&site.name);
            let parameters = parameters.map_err(TrainError::Evaluation)?;
            if let Some(values) = parameters.and_then(&of) {
                sites.push((site.name.clone(), values.into_iter().map(Some).collect()));
            }
        }
        if sites.is_empty() {
            let reason = match score {
                Score::BnGamma => "this encoder has no batch norm",
                _ => "this encoder names no weights that make the units of an activation",
            };
            return Err(missing(score, reason.to_owned(), false).into());
        }
        Ok(self.now(sites))
    }

    /// As the plugin `unitmem` with the settings of the run, of `--config` and of `--set`.
    fn unitmem(&self, score: Score, notes: &mut Vec<String>) -> Result<SiteValues, RunError> {
        let points = UnitPoints::new(self.prepared, self.config, self.view)?;
        // Two scores look at the same points.
        notes.extend(points.note.clone().filter(|note| !notes.contains(note)));
        let train = points.train()?;
        let mut sites: Vec<(String, Vec<Option<f64>>)> = train
            .iter()
            .map(|site| (site.site.clone(), unitmem(site)))
            .collect();
        if score == Score::UnitmemExcess {
            let null = points.held_out()?;
            for ((_, train), null) in sites.iter_mut().zip(&null) {
                *train = excess(std::mem::take(train), unitmem(null));
            }
        }
        Ok(self.now(sites))
    }

    /// What the run's checkpoint holds.
    fn recorded(&self, score: Score, notes: &mut Vec<String>) -> Result<SiteValues, RunError> {
        let Some(checkpoint) = self.subject.checkpoint() else {
            let reason = "only a run's checkpoint can hold it, and this is none";
            return Err(missing(score, reason.to_owned(), true).into());
        };
        let state = read_plugins(checkpoint)?;
        let found = score.recorded(&state).map_err(TrainError::Evaluation)?;
        let Some(values) = found.filter(|values| !values.sites.is_empty()) else {
            let reason = "the checkpoint holds none";
            return Err(missing(score, reason.to_owned(), true).into());
        };
        let units = |name: &str| {
            let mut sites = self.view.sites().iter();
            sites.find(|site| site.name == name).map(|site| site.units)
        };
        let fits = |(site, values): &&(String, Vec<Option<f64>>)| units(site) == Some(values.len());
        if values.sites.iter().any(|site| !fits(&site)) {
            let reason = format!(
                "what the checkpoint holds is of epoch {}, when the encoder had other units",
                values.epoch
            );
            return Err(missing(score, reason, true).into());
        }
        if values.epoch != self.prepared.clock.epoch {
            notes.push(format!(
                "{} is of epoch {}, the encoder of epoch {}",
                score.word(),
                values.epoch,
                self.prepared.clock.epoch
            ));
        }
        Ok(values)
    }

    fn now(&self, sites: Vec<(String, Vec<Option<f64>>)>) -> SiteValues {
        SiteValues {
            epoch: self.prepared.clock.epoch,
            step: self.prepared.clock.step,
            sites,
        }
    }
}

fn missing(score: Score, reason: String, attach: bool) -> SensitivityError {
    SensitivityError::Score {
        score: score.word(),
        plugin: score.provider(),
        reason,
        attach,
    }
}

impl Scored {
    /// The units of `tied` that go for `fraction` of them, as the plugin `prune` chooses them: ascending;
    /// fewer where units have no score, none where no unit has.
    pub(super) fn choose(&self, tied: &Tied, fraction: f64, direction: Direction) -> Vec<usize> {
        let mut pool = self.pool(tied);
        if pool.scores.iter().all(Option::is_none) {
            return Vec::new();
        }
        pool.fraction = Some(fraction);
        let rules = Rules {
            direction,
            ..Rules::default()
        };
        let selected = select(&[pool], &rules, None);
        // Rules that leave nothing to prune: one unit, or no scores.
        let mut units = selected.map(|selected| selected.units).unwrap_or_default();
        units.remove(&tied.group.name).unwrap_or_default()
    }

    /// The units that are there, counted without those that were pruned before.
    fn pool(&self, tied: &Tied) -> Pool {
        let group = &tied.group;
        let shown: Vec<Vec<Option<f64>>> = group
            .sites
            .iter()
            .filter_map(|site| self.values.get(site))
            .map(|values| over_channels(values, group.channels))
            .collect();
        let values = over_sites(&shown, group.units, Aggregate::Mean);
        let mut pool = Pool::new(&group.name, values);
        pool.alive = (0..group.units)
            .map(|unit| tied.alive.binary_search(&unit).is_ok())
            .collect();
        pool.original = tied.alive.len();
        pool
    }
}
