//! The plugin `classmem`: whether units answer to classes, beside whether they answer to points.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_hooks::{
    Declare, EpochEnd, Every, Fault, LabelAccess, ModelView, Plugin, PluginState, RunInfo,
    RunStart, SampleId, Samples, Scope, SiteKind, Split,
};
use serde::{Deserialize, Serialize};

use crate::activation_map::ActMap;
use crate::class_means::ClassMeans;
use crate::class_scores::ClassScores;
use crate::classmem_report::{ClassReport, publish};
use crate::cross_fit::CrossFit;
use crate::looking::Looking;
use crate::measure::{Measured, Probe};
use crate::probe_points::{points_to_probe, too_few, too_large};
use crate::unitmem::Form;

/// Settings of [`ClassMemProbe`]; those that it shares with [`UnitMemConfig`](crate::UnitMemConfig)
/// have the same defaults, and then choose the same points and views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ClassMemConfig {
    /// At the end of which epochs to probe; default `"1 epochs"`. The untrained network is probed
    /// in any case.
    pub every: Every,
    /// Training points for ClassMem, and as many held-out points for class selectivity; fewer where
    /// one of the splits has fewer; default 1000, at least 2.
    #[schemars(range(min = 2))]
    pub points: usize,
    /// Augmented views of each point; default 10, at least 1.
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
    /// Mean or median over the other classes, and over the other points; default `"paper"`, the
    /// mean.
    pub form: Form,
}

impl Default for ClassMemConfig {
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
        }
    }
}

impl ClassMemConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = too_few(&[
            (
                "points",
                self.points,
                2,
                "classes are compared with each other",
            ),
            ("views", self.views, 1, "activations are means over views"),
            ("batch", self.batch, 1, "a forward pass needs a point"),
        ]);
        problems.extend(too_large(self.points, self.views, self.batch));
        problems
    }
}

/// Probes ClassMem, class selectivity, and UnitMem of the same points and views, through the network
/// in evaluation mode at its initial parameters and then every so many epochs.
///
/// The class means are over augmented views, so that ClassMem and UnitMem see the same activations;
/// they are over many points, and therefore far less lifted by noise than UnitMem is. That a unit's
/// UnitMem exceeds its ClassMem says little by itself: read it beside its value in the untrained
/// network, or corrected. Below, `<site>` is a site's name, or `all` for the units of all sites
/// together.
///
/// | tag | what it is |
/// |---|---|
/// | `classmem/mean/{train,permuted}/<site>` | mean ClassMem, and its null: the same points with their labels permuted |
/// | `classmem/excess/<site>` | mean over the units of ClassMem minus its null |
/// | `classmem/selectivity/<site>` | mean class selectivity: the same index on held-out points |
/// | `classmem/agreement/<site>` | share of units whose class is the same on training and on held-out points |
/// | `classmem/unit_above_class/raw/<site>` | share of units with UnitMem over ClassMem (under the diagonal of the paper's figure 3) |
/// | `classmem/unit_above_class/corrected/<site>` | the same with cross-fitted UnitMem and with ClassMem minus its null |
/// | `classmem/{dead,invalid}/<site>` | numbers of units |
/// | `classmem/units` | table with a row a unit |
///
/// It reads labels and keeps no state.
///
/// Source: arXiv 2409.19069, appendix D.
#[derive(Debug)]
pub struct ClassMemProbe {
    config: ClassMemConfig,
}

impl ClassMemProbe {
    /// A probe with these settings.
    pub fn new(config: ClassMemConfig) -> Self {
        Self { config }
    }
}

impl Looking for ClassMemProbe {
    const WITHOUT_SAMPLES: &'static str =
        "classmem needs samples to look at, which this model's host does not show";

    fn problems(&self) -> Vec<(&'static str, String)> {
        self.config.problems()
    }

    fn look(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: &dyn Samples,
    ) -> Result<(), Fault> {
        let config = &self.config;
        let probe = Probe {
            tap: config.map.tap(&config.sites, &config.kinds),
            form: config.form,
            views: config.views,
            batch: config.batch,
        };
        let access = scope.label_access()?;
        let run = scope.run();
        let labels = |split| self.labels(run, split, samples, &access);
        let (train, held_out) = (labels(Split::Train)?, labels(Split::HeldOut)?);
        let mut shuffled: Vec<u32> = train.values().copied().collect();
        scope.random().generator().shuffle(&mut shuffled);
        let permuted: Labelled = train.keys().copied().zip(shuffled).collect();

        let look_at = |split, labels: &[&Labelled]| see(&probe, model, samples, split, labels);
        let train = look_at(Split::Train, &[&train, &permuted])?;
        let held_out = look_at(Split::HeldOut, &[&held_out])?;
        let index = |classes: &ClassMeans| {
            let failed = |e| Fault::caused_by("the classes cannot be compared", e);
            classes.index(config.form).map_err(failed)
        };
        let reports = train
            .iter()
            .zip(&held_out)
            .map(|(train, held_out)| {
                let folds = train.measured.folds.as_ref();
                Ok(ClassReport {
                    site: &train.measured.site,
                    class_mem: index(&train.classes[0])?,
                    permuted: index(&train.classes[1])?,
                    selectivity: index(&held_out.classes[0])?,
                    unitmem: train.measured.points.unitmem(),
                    cross_fit: folds.map(CrossFit::scores).unwrap_or_default(),
                })
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let names = samples.labels(Split::Train, &access)?.classes;
        publish(scope, &reports, names, config.map, config.views);
        let clock = scope.clock();
        let of_site = |report: &ClassReport<'_>| (report.site.to_owned(), report.class_mem.clone());
        scope.provide(ClassScores {
            epoch: clock.epoch,
            step: clock.step,
            sites: reports.iter().map(of_site).collect(),
        })?;
        Ok(())
    }
}

impl ClassMemProbe {
    /// The points of `split` with their classes, at least two of them.
    fn labels(
        &self,
        run: &RunInfo,
        split: Split,
        samples: &dyn Samples,
        access: &LabelAccess,
    ) -> Result<Labelled, Fault> {
        let points = self.config.points;
        let ids = points_to_probe("classmem", run, split, samples, points)?;
        let labels = samples.labels(split, access)?.of_samples;
        let labelled = ids
            .into_iter()
            .map(|id| Some((id, *labels.get(id.0 as usize)?)))
            .collect::<Option<Labelled>>()
            .ok_or_else(|| Fault::new("classmem needs a label for every sample"))?;
        let classes: BTreeSet<u32> = labelled.values().copied().collect();
        if classes.len() < 2 {
            return Err(Fault::new(format!(
                "classmem compares classes, but its {points} points are all of one class; raise \
                 `points`, or remove the plugin for data of one class"
            )));
        }
        Ok(labelled)
    }
}

/// Points with their classes.
type Labelled = BTreeMap<SampleId, u32>;

/// What was seen at one site: points, and classes under each labelling.
struct Seen {
    measured: Measured,
    classes: Vec<ClassMeans>,
}

/// Looks at the points once, and sorts them into classes under each of the `labellings`.
fn see(
    probe: &Probe,
    model: &dyn ModelView,
    samples: &dyn Samples,
    split: Split,
    labellings: &[&Labelled],
) -> Result<Vec<Seen>, Fault> {
    let ids: Vec<SampleId> = labellings
        .first()
        .map(|labels| labels.keys().copied().collect())
        .unwrap_or_default();
    let mut seen: Vec<Seen> = probe
        .nothing(model)
        .into_iter()
        .map(|measured| Seen {
            classes: vec![ClassMeans::new(measured.points.state().units()); labellings.len()],
            measured,
        })
        .collect();
    probe.scan(model, samples, split, &ids, |site, ids, rows| {
        let Seen { measured, classes } = &mut seen[site];
        let means = measured.take(ids, probe.views, rows)?;
        for (classes, labels) in classes.iter_mut().zip(labellings) {
            let labels: Vec<u32> = ids
                .iter()
                .filter_map(|id| labels.get(id).copied())
                .collect();
            classes.update(&labels, &means)?;
        }
        Ok(())
    })?;
    Ok(seen)
}

impl Plugin for ClassMemProbe {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        // The tap is never on in a training step, since no handler is due there; declared, a
        // pattern that matches no site is refused before the run.
        d.taps(self.config.map.tap(&self.config.sites, &self.config.kinds))
            .on::<RunStart>(Every::Always, Self::start)
            .on::<EpochEnd>(self.config.every, Self::epoch)
            .provides::<ClassScores>()
            .reads_labels();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
