//! The plugin `layermem`: LayerMem of a pair of encoders, with its controls.

use afterimage_hooks::{
    Declare, EpochEnd, Every, Fault, ModelView, PairSets, Plugin, PluginState, RunStart, SampleId,
    Samples, Scope, SiteKind, Split,
};
use serde::{Deserialize, Serialize};

use crate::alignment::{Alignment, AlignmentProbe};
use crate::distance::{Distance, Pairs};
use crate::dose_report::{DoseMeasure, DosePoints, DoseScores, publish_doses};
use crate::layer_scores::{LayerScore, LayerScores};
use crate::layermem::{LayerForm, LayerMem};
use crate::looking::Looking;
use crate::probe_points::{chosen_of, too_few, too_large, too_many};
use crate::publish_layers::publish;
use crate::remembered;

/// Views of a point; every one is compared with every other.
const MOST_VIEWS: usize = 1024;

/// How the points of doses are scored.
const DOSES: DoseMeasure = DoseMeasure {
    name: "layermem",
    against: "held-out",
    turned: false,
};

/// Settings of [`LayerMemProbe`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LayerMemConfig {
    /// At the end of which epochs to probe; default `"1 epochs"`. The untrained pair is probed in
    /// any case.
    pub every: Every,
    /// Points of each set: candidates, independent, shared and held-out; all of a set that has
    /// fewer; default 100, at least 2.
    #[schemars(range(min = 2))]
    pub points: usize,
    /// Augmented views of each point; default 10, at least 2 (1 for `pairs = "original"`).
    #[schemars(range(min = 1))]
    pub views: usize,
    /// Points in one forward pass; default 8, at least 1. It changes time and memory alone.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; empty, the default, for all, so that ΔLayerMem is at the grain of modules.
    pub kinds: Vec<SiteKind>,
    /// Globs of sites to leave out; none by default. ΔLayerMem of fully connected parts of a
    /// transformer, as the paper has it, needs `["*.fc1", "*.act"]`.
    pub skip: Vec<String>,
    /// How outputs are compared; default `"l2"`, also `"l1"`, `"cosine"`, `"angular"`.
    pub distance: Distance,
    /// Every view with every other (`"views"`, the default), or the image itself with each view
    /// (`"original"`, as in the authors' code).
    pub pairs: Pairs,
    /// How differences are scaled: `"paper"` (the default) or `"official_code"`.
    pub form: LayerForm,
}

impl Default for LayerMemConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            points: 100,
            views: 10,
            batch: 8,
            sites: "encoder.*".to_owned(),
            kinds: Vec::new(),
            skip: Vec::new(),
            distance: Distance::L2,
            pairs: Pairs::Views,
            form: LayerForm::Paper,
        }
    }
}

impl LayerMemConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let least_views = match self.pairs {
            Pairs::Views => 2,
            Pairs::Original => 1,
        };
        let mut problems = too_few(&[
            ("points", self.points, 2, "a standard error needs two"),
            (
                "views",
                self.views,
                least_views,
                "a distance is between two images",
            ),
            ("batch", self.batch, 1, "a forward pass needs a point"),
        ]);
        problems.extend(too_many(&[("views", self.views, MOST_VIEWS)]));
        problems.extend(too_large(self.points, self.views, self.batch));
        problems
    }

    /// The probe that these settings describe.
    pub fn probe(&self) -> AlignmentProbe {
        AlignmentProbe {
            sites: self.sites.clone(),
            kinds: self.kinds.clone(),
            skip: self.skip.clone(),
            views: self.views,
            batch: self.batch,
            distance: self.distance,
            pairs: self.pairs,
        }
    }
}

/// Probes LayerMem in a run that trains a reference encoder in lock step (`[pair]` in a config).
///
/// For every layer, scalars `layermem/mean/{candidates,independent,shared,external}/<layer>` with
/// their standard errors over points `layermem/se/…`, `layermem/delta/<layer>` and
/// `layermem/calibrated/<layer>`; the mean distances `layermem/distance/{studied,reference}/<layer>`
/// of the candidates, which the scores hide; `layermem/area/{external,independent,null}/<layer>` with
/// `layermem/area_se/…`, how well the score tells candidates from held-out points, from independent
/// points, and two sets of held-out points from each other ([`Area`](crate::Area)); the histogram `layermem/points/<layer>`; and the tables
/// `layermem/layers`, `layermem/points` (a row a point and layer), `layermem/remembered` (the ten
/// candidates that the layer with the highest calibrated score remembers most, with their pictures) and
/// `layermem/agreement` (how far layers agree on the candidates that they remember). Where a run plants
/// candidates, also the scalars `doses/layermem/{mean,se,area,area_se}/<dose>/<layer>` and the table
/// `memory/doses`. It provides [`LayerScores`] and reads no
/// labels.
///
/// Source: *Localizing Memorization in SSL Vision Encoders*, NeurIPS 2024, equations 1 to 4.
#[derive(Debug)]
pub struct LayerMemProbe {
    config: LayerMemConfig,
}

/// The probed points of a run.
struct Points {
    candidates: Vec<SampleId>,
    independent: Vec<SampleId>,
    shared: Vec<SampleId>,
    external: Vec<SampleId>,
}

impl Points {
    /// The same points at any time, a function of the seed alone.
    fn choose(seed: u64, sets: &PairSets, samples: &dyn Samples, count: usize) -> Self {
        let held_out: Vec<SampleId> = (0..samples.len(Split::HeldOut) as u32)
            .map(SampleId)
            .collect();
        Self {
            candidates: chosen_of(seed, Split::Train, &sets.candidates, count),
            independent: chosen_of(seed, Split::Train, &sets.independent, count),
            shared: chosen_of(seed, Split::Train, &sets.shared, count),
            external: chosen_of(seed, Split::HeldOut, &held_out, count),
        }
    }
}

impl LayerMemProbe {
    /// A probe with these settings.
    pub fn new(config: LayerMemConfig) -> Self {
        Self { config }
    }
}

impl Looking for LayerMemProbe {
    const WITHOUT_SAMPLES: &'static str =
        "layermem needs samples to look at, which this model's host does not show";

    fn problems(&self) -> Vec<(&'static str, String)> {
        self.config.problems()
    }

    fn look(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: &dyn Samples,
    ) -> Result<(), Fault> {
        let (Some(sets), Some(reference)) = (&scope.run().pair, model.reference()) else {
            return Err(Fault::new(
                "layermem compares with a reference encoder, which this host does not show; use \
                 `alignment-gap`",
            ));
        };
        let points = Points::choose(scope.run().seed, sets, samples, self.config.points);
        let probe = self.config.probe();
        let measure = |split, ids: &[SampleId]| {
            layer_mems(
                &probe,
                self.config.form,
                [model, reference],
                samples,
                split,
                ids,
            )
        };
        let candidates = measure(Split::Train, &points.candidates)?;
        let independent = measure(Split::Train, &points.independent)?;
        let shared = measure(Split::Train, &points.shared)?;
        let external = measure(Split::HeldOut, &points.external)?;
        let layers = candidates
            .into_iter()
            .zip(independent.into_iter().zip(shared))
            .zip(external)
            .map(
                |((candidates, (independent, shared)), external)| LayerScore {
                    layer: candidates.0,
                    candidates: candidates.1,
                    independent: independent.1,
                    shared: shared.1,
                    external: Some(external.1).filter(|_| !points.external.is_empty()),
                    delta: None,
                },
            )
            .collect();
        let scores = LayerScores {
            epoch: scope.clock().epoch,
            step: scope.clock().step,
            layers,
        }
        .with_deltas();
        let ids = |set: &str| match set {
            "candidates" => points.candidates.as_slice(),
            "independent" => &points.independent,
            "shared" => &points.shared,
            _ => &points.external,
        };
        publish(scope, &scores, &self.config, ids);
        remembered::publish(scope, &scores, &points.candidates, samples)?;
        if let Some(doses) = &scope.run().doses {
            let is_candidate = |id| sets.candidates.binary_search(&id).is_ok();
            let doses = DosePoints::of(doses, is_candidate, &sets.independent);
            let rows = self.doses(&doses, &scores, scope.run().seed, &measure)?;
            publish_doses(scope, &DOSES, &doses, &rows);
        }
        scope.provide(scores)
    }
}

impl LayerMemProbe {
    /// LayerMem of the points of each dose and of their partners, layer by layer.
    fn doses(
        &self,
        doses: &[DosePoints],
        scores: &LayerScores,
        seed: u64,
        measure: &impl Fn(Split, &[SampleId]) -> Result<Vec<(String, LayerMem)>, Fault>,
    ) -> Result<Vec<DoseScores>, Fault> {
        let mut rows = Vec::new();
        for (dose, points) in doses.iter().enumerate() {
            let of = |ids: &[SampleId]| {
                measure(
                    Split::Train,
                    &chosen_of(seed, Split::Train, ids, self.config.points),
                )
            };
            let layers = of(&points.ids)?.into_iter().zip(of(&points.partners)?);
            for (((layer, mem), (_, partners)), whole) in layers.zip(&scores.layers) {
                let external = whole.external.as_ref().filter(|_| points.natural);
                rows.push(DoseScores {
                    dose,
                    layer,
                    scores: mem.scores,
                    against: external.map(|mem| mem.scores.clone()).unwrap_or_default(),
                    partners: partners.scores,
                });
            }
        }
        Ok(rows)
    }
}

/// LayerMem of the points `ids` of `split` in two encoders `[studied, reference]`: layers by name in
/// forward order, the embedding last. Both see the same views.
///
/// # Errors
/// As for [`AlignmentProbe::measure`]; encoders with different layers.
pub fn layer_mems(
    probe: &AlignmentProbe,
    form: LayerForm,
    models: [&dyn ModelView; 2],
    samples: &dyn Samples,
    split: Split,
    ids: &[SampleId],
) -> Result<Vec<(String, LayerMem)>, Fault> {
    let measured = probe.measure(&models, samples, split, ids)?;
    let [studied, reference]: [Vec<Alignment>; 2] = measured
        .try_into()
        .map_err(|_| Fault::new("two encoders were to be measured"))?;
    let names = |layers: &[Alignment]| -> Vec<String> {
        layers.iter().map(|layer| layer.layer.clone()).collect()
    };
    if names(&studied) != names(&reference) {
        return Err(Fault::new(
            "the two encoders have different layers; compare encoders of one architecture",
        ));
    }
    studied
        .into_iter()
        .zip(reference)
        .map(|(f, g)| {
            let mem = LayerMem::new(form, &f.distances, &g.distances)
                .map_err(|e| Fault::caused_by(format!("layer {:?}", f.layer), e))?;
            Ok((f.layer, mem))
        })
        .collect()
}

impl Plugin for LayerMemProbe {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        // The tap is never on in a training step, since no handler is due there; declared, a
        // pattern that matches no site is refused before the run.
        d.taps(self.config.probe().tap())
            .on::<RunStart>(Every::Always, Self::start)
            .on::<EpochEnd>(self.config.every, Self::epoch)
            .reference()
            .provides::<LayerScores>();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
