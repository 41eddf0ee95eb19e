//! The plugin `unitmem`: exact probes of the network in evaluation mode.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Declare, EpochEnd, Every, Fault, ModelView, Plugin, PluginState, RunStart, SampleId, Samples,
    Scope, SiteKind, Split, TapSpec,
};
use serde::{Deserialize, Serialize};

use crate::activation_map::ActMap;
use crate::dose_report::{DoseMeasure, DosePoints, DoseScores, publish_doses};
use crate::looking::Looking;
use crate::measure::{Measured, Probe};
use crate::owned_area::owned_areas;
use crate::owner_report::{Detail, Side, point_table};
use crate::owners::units_by_owner;
use crate::probe_points::{points_to_probe, too_few, too_large};
use crate::publish::{Publisher, SiteReport};
use crate::streaks::Streaks;
use crate::unit_max::UnitState;
use crate::unit_score::UnitScore;
use crate::unit_scores::{SiteScores, UnitScores};
use crate::unitmem::{Form, UnitMem};
#[cfg(doc)]
use crate::{
    concentration::Concentration, cross_fit::CrossFit, ownership_test::OwnershipTest,
    top_points::TopPoints,
};

/// Version of the layout of the plugin's state.
const STATE: u32 = 2;

/// How the points of doses are scored.
const DOSES: DoseMeasure = DoseMeasure {
    name: "units",
    against: "dose 1",
    turned: false,
};

/// Settings of [`UnitMemProbe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UnitMemConfig {
    /// At the end of which epochs to probe; default `"1 epochs"`. The untrained network is probed
    /// in any case.
    pub every: Every,
    /// Training points, and as many held-out points; fewer where one of the splits has fewer;
    /// default 1000, at least 2. UnitMem grows with it, so keep it when runs are compared.
    #[schemars(range(min = 2))]
    pub points: usize,
    /// Augmented views of each point; default 10 as in the paper, at least 1. UnitMem falls with
    /// it.
    #[schemars(range(min = 1))]
    pub views: usize,
    /// Points in one forward pass, `batch · views` images; default 16, at least 1. It changes time
    /// and memory alone.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; default `["activation"]`, the outputs of blocks; empty for all.
    pub kinds: Vec<SiteKind>,
    /// What is done to activations before the mean over positions; default `"raw"`.
    pub map: ActMap,
    /// Mean or median over the other points; default `"paper"`, the mean.
    pub form: Form,
    /// Pictures of the owners of so many top units of each site; default 8, 0 for none.
    pub top_images: usize,
}

impl Default for UnitMemConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            points: 1000,
            views: 10,
            batch: 16,
            sites: "encoder.*".to_owned(),
            kinds: vec![SiteKind::Activation],
            map: ActMap::Raw,
            form: Form::Paper,
            top_images: 8,
        }
    }
}

impl UnitMemConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = too_few(&[
            (
                "points",
                self.points,
                2,
                "a unit's maximum is compared with the other points",
            ),
            ("views", self.views, 1, "activations are means over views"),
            ("batch", self.batch, 1, "a forward pass needs a point"),
        ]);
        problems.extend(too_large(self.points, self.views, self.batch));
        problems
    }

    /// The sites that these settings name, and how their units are read.
    pub fn tap(&self) -> TapSpec {
        self.map.tap(&self.sites, &self.kinds)
    }
}

/// Probes UnitMem exactly: the same training points and as many held-out points, each in the same
/// augmented views, through the network in evaluation mode at its initial parameters and then every
/// so many epochs.
///
/// Beside each curve stand its nulls: the untrained network on the same points, and the held-out
/// points. Below, `<site>` is a site's name, or `all` for the units of all sites together.
///
/// | tag | what it is |
/// |---|---|
/// | `unitmem/mean/{train,held_out,initial}/<site>` | mean UnitMem |
/// | `unitmem/excess/{held_out,initial}/<site>` | mean over the units of train minus null |
/// | `unitmem/crossfit/{train,held_out,initial}/<site>` | mean [cross-fitted](CrossFit) UnitMem, near 0 for noise |
/// | `unitmem/crossfit/excess/<site>` | mean over the units of train minus held-out |
/// | `unitmem/crossfit/agreement/<site>` | share of units with the same owner in both folds of views |
/// | `unitmem/ownership/<site>` | share of units whose maximum lies on a training point; one half without memorization |
/// | `unitmem/ownership_z/<site>` | the same in [standard deviations](OwnershipTest::z) over one half |
/// | `unitmem/{area,area_se,area_null,area_null_se}/<site>` | how well the number of units that a point owns, of training and held-out points together, tells the two apart; null: two halves of the held-out points |
/// | `unitmem/turnover/<site>` | share of units with another owner than in the last probe |
/// | `unitmem/streak/{train,held_out}/<site>` | mean number of probes in a row with the same owner |
/// | `unitmem/gap/{train,held_out}/<site>` | mean of (largest − second) / (largest + second) |
/// | `unitmem/{gini,entropy,owning_points}/{train,held_out}/<site>` | how few points own the units ([`Concentration`]) |
/// | `unitmem/{dead,invalid}/<site>` | numbers of units |
/// | `unitmem/train/<site>` | histogram of the scores |
/// | `unitmem/owners/<site>` | pictures of owners |
/// | `unitmem/units` | table with a row a unit: scores, the [points](TopPoints) with the largest activations, streak, epoch since which its owner owns it |
/// | `doses/units/{mean,se,area,area_se}/<dose>/<site>` | units that points of a dose own on average, and how well that tells them from points that are not planted, where a run plants some; rows of the table `memory/doses` |
/// | `unitmem/points` | table with a row for each training point that owns units: their number, and of these the ones in the top decile of all scores |
///
/// It provides [`UnitScores`] and reads no labels.
///
/// Source: arXiv 2409.19069, equations 5 to 8.
#[derive(Debug)]
pub struct UnitMemProbe {
    config: UnitMemConfig,
    memory: Memory,
}

/// What later probes are compared with, by site.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    initial: BTreeMap<String, UnitMem>,
    /// Cross-fitted scores; no sites where points have one view.
    initial_cross_fit: BTreeMap<String, Vec<UnitScore>>,
    last: BTreeMap<String, UnitMem>,
    streaks: BTreeMap<String, SiteStreaks>,
}

/// For how long the units of a site have had their owners.
#[derive(Debug, Default, Serialize, Deserialize)]
struct SiteStreaks {
    train: Streaks,
    held_out: Streaks,
}

impl UnitMemProbe {
    /// A probe that has seen nothing.
    pub fn new(config: UnitMemConfig) -> Self {
        Self {
            config,
            memory: Memory::default(),
        }
    }
}

impl Looking for UnitMemProbe {
    const WITHOUT_SAMPLES: &'static str = "unitmem needs samples to look at, which this model's host does not show; use `unitmem-streaming`";

    fn problems(&self) -> Vec<(&'static str, String)> {
        self.config.problems()
    }

    fn look(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: &dyn Samples,
    ) -> Result<(), Fault> {
        let probe = Probe {
            tap: self.config.tap(),
            form: self.config.form,
            views: self.config.views,
            batch: self.config.batch,
        };
        let of = |split| {
            let run = scope.run();
            points_to_probe("unitmem", run, split, samples, self.config.points)
        };
        let (probed, others) = (of(Split::Train)?, of(Split::HeldOut)?);
        let measure = |split, ids: &[SampleId]| probe.measure(model, samples, split, ids);
        let train = measure(Split::Train, &probed)?;
        let held_out = measure(Split::HeldOut, &others)?;
        publish_areas(scope, [&train, &held_out], [&probed, &others]);
        let scores: Vec<SiteScores> = train
            .iter()
            .zip(&held_out)
            .map(|(train, held_out)| SiteScores {
                site: train.site.clone(),
                train: train.points.unitmem(),
                held_out: held_out.points.unitmem(),
            })
            .collect();
        if scope.clock().step == 0 {
            self.memory.initial = by_site(&scores);
            let folds = train
                .iter()
                .filter_map(|site| Some((site, site.folds.as_ref()?)));
            self.memory.initial_cross_fit = folds
                .map(|(site, folds)| (site.site.clone(), folds.scores()))
                .collect();
        }
        for site in &scores {
            let streaks = self.memory.streaks.entry(site.site.clone()).or_default();
            streaks.train.add(scope.clock().epoch, &site.train);
            streaks.held_out.add(scope.clock().epoch, &site.held_out);
        }
        self.publish(scope, samples, &train, &held_out, &scores)?;
        self.memory.last = by_site(&scores);
        if let Some(doses) = &scope.run().doses {
            let doses = DosePoints::of(doses, |id| probed.binary_search(&id).is_ok(), &[]);
            let rows = owned_by_dose(&doses, &scores);
            publish_doses(scope, &DOSES, &doses, &rows);
        }
        scope.provide(UnitScores {
            epoch: scope.clock().epoch,
            step: scope.clock().step,
            sites: scores,
        })
    }
}

impl UnitMemProbe {
    fn publish(
        &self,
        scope: &mut Scope<'_>,
        samples: &dyn Samples,
        train: &[Measured],
        held_out: &[Measured],
        scores: &[SiteScores],
    ) -> Result<(), Fault> {
        let memory = &self.memory;
        let none = SiteStreaks::default();
        let reports: Vec<SiteReport<'_>> = scores
            .iter()
            .zip(train.iter().zip(held_out))
            .map(|(scores, (train, held_out))| {
                let site = &scores.site;
                let streaks = memory.streaks.get(site).unwrap_or(&none);
                SiteReport {
                    site,
                    points: &train.points,
                    scores: &scores.train,
                    held_out: Some((&held_out.points, &scores.held_out)),
                    initial: same_units(&memory.initial, site, &scores.train),
                    last: same_units(&memory.last, site, &scores.train),
                    detail: Some(Detail::new(
                        Side::new(train, &scores.train, &streaks.train),
                        Side::new(held_out, &scores.held_out, &streaks.held_out),
                        memory.initial_cross_fit.get(site),
                        train,
                    )),
                }
            })
            .collect();
        let publisher = Publisher {
            prefix: "unitmem",
            map: self.config.map,
            views: self.config.views,
            pictures: Some((samples, self.config.top_images)),
        };
        publisher.publish(scope, &reports)?;
        if let Some(table) = point_table(scores.iter().map(|site| &site.train)) {
            scope.table("unitmem/points", table);
        }
        Ok(())
    }
}

/// Scalars `unitmem/{area,area_se,area_null,area_null_se}/<site>`, and of all sites together.
fn publish_areas(scope: &mut Scope<'_>, measured: [&[Measured]; 2], ids: [&[SampleId]; 2]) {
    let [train, held_out] = measured;
    let pairs: Vec<(&UnitState, &UnitState)> = train
        .iter()
        .zip(held_out)
        .map(|(train, held_out)| (train.points.state(), held_out.points.state()))
        .collect();
    let sites = train
        .iter()
        .map(|site| site.site.as_str())
        .zip(pairs.chunks(1));
    for (site, pairs) in sites.chain([("all", pairs.as_slice())]) {
        let (area, null) = owned_areas(pairs, ids[0], ids[1]);
        for (what, value) in [
            ("area", area.area),
            ("area_se", area.standard_error),
            ("area_null", null.area),
            ("area_null_se", null.standard_error),
        ] {
            if value.is_finite() {
                scope.scalar(format!("unitmem/{what}/{site}"), value);
            }
        }
    }
}

/// How many units each point of a dose owns, against points that are not planted: site by site, then in
/// `all`.
fn owned_by_dose(doses: &[DosePoints], scores: &[SiteScores]) -> Vec<DoseScores> {
    let sites = scores
        .iter()
        .map(|site| (site.site.as_str(), vec![&site.train]));
    let all = ("all", scores.iter().map(|site| &site.train).collect());
    let mut rows = Vec::new();
    for (layer, sites) in sites.chain([all]) {
        let owned = units_by_owner(sites);
        let counts = |points: &DosePoints| -> Vec<f64> {
            let count = |id| f64::from(owned.get(id).copied().unwrap_or(0));
            points.ids.iter().map(count).collect()
        };
        let plain = doses
            .iter()
            .find(|points| points.times == 1 && points.natural);
        let plain = plain.map(counts).unwrap_or_default();
        rows.extend(doses.iter().enumerate().map(|(dose, points)| DoseScores {
            dose,
            layer: layer.to_owned(),
            scores: counts(points),
            against: plain.clone(),
            partners: Vec::new(),
        }));
    }
    rows
}

fn by_site(scores: &[SiteScores]) -> BTreeMap<String, UnitMem> {
    scores
        .iter()
        .map(|scores| (scores.site.clone(), scores.train.clone()))
        .collect()
}

/// The earlier probe of `site`, unless the site has other units since: after a compaction unit
/// numbers name other units, and there is nothing left to compare one by one.
pub(crate) fn same_units<'a>(
    earlier: &'a BTreeMap<String, UnitMem>,
    site: &str,
    now: &UnitMem,
) -> Option<&'a UnitMem> {
    earlier
        .get(site)
        .filter(|earlier| earlier.scores().len() == now.scores().len())
}

impl Plugin for UnitMemProbe {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        // The tap is never on in a training step, since no handler is due there; declared, a
        // pattern that matches no site is refused before the run.
        d.taps(self.config.tap())
            .on::<RunStart>(Every::Always, Self::start)
            .on::<EpochEnd>(self.config.every, Self::epoch)
            .provides::<UnitScores>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(STATE, &self.memory)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.memory = state.decode(STATE)?;
        Ok(())
    }
}
