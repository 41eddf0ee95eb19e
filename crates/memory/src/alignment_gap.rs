//! The plugin `alignment-gap`: how much better one encoder aligns the views of training points than
//! those of held-out points.

use std::collections::BTreeMap;

use afterimage_hooks::{
    Column, Declare, EpochEnd, Every, Fault, ModelView, Plugin, PluginState, RunStart, SampleId,
    Samples, Scope, SiteKind, Split, Table,
};
use afterimage_numeric::{Area, mean, standard_error};
use serde::{Deserialize, Serialize};

use crate::alignment::{Alignment, AlignmentProbe};
use crate::distance::{Distance, Pairs};
use crate::dose_report::{DoseMeasure, DosePoints, DoseScores, publish_doses};
use crate::layermem::alignment_gap;
use crate::looking::Looking;
use crate::probe_points::{chosen_of, too_few, too_large, too_many};

/// Views of a point; every one is compared with every other.
const MOST_VIEWS: usize = 1024;

/// Settings of [`AlignmentGap`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlignmentGapConfig {
    /// At the end of which epochs to probe; default `"1 epochs"`. The untrained network is probed
    /// in any case.
    pub every: Every,
    /// Training points, and held-out points; all of a split that has fewer; default 500, at least
    /// 2.
    #[schemars(range(min = 2))]
    pub points: usize,
    /// Augmented views of each point; default 4, at least 2.
    #[schemars(range(min = 2))]
    pub views: usize,
    /// Points in one forward pass; default 16, at least 1. It changes time and memory alone.
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Glob over site names; default `"encoder.*"`.
    pub sites: String,
    /// Kinds of sites; empty, the default, for all.
    pub kinds: Vec<SiteKind>,
    /// How outputs are compared; default `"l2"`, also `"l1"`, `"cosine"`, `"angular"`.
    pub distance: Distance,
}

impl Default for AlignmentGapConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            points: 500,
            views: 4,
            batch: 16,
            sites: "encoder.*".to_owned(),
            kinds: Vec::new(),
            distance: Distance::L2,
        }
    }
}

impl AlignmentGapConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = too_few(&[
            ("points", self.points, 2, "a standard error needs two"),
            ("views", self.views, 2, "a distance is between two views"),
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
            skip: Vec::new(),
            views: self.views,
            batch: self.batch,
            distance: self.distance,
            pairs: Pairs::Views,
        }
    }
}

/// Probes the alignment gap (H − T) / (H + T) of every layer, H and T the mean distances between
/// views of held-out and of training points: what one encoder alone tells of layer memorization.
///
/// Scalars `alignment/gap/<layer>`, its standard error over points `alignment/se/<layer>`, the gap
/// less that of the untrained network `alignment/excess/<layer>` (which says what the two splits
/// differ in from the start; none behind a compaction that took units of the layer out), how well nearness of its views tells a training point from a held-out
/// one `alignment/area/<layer>` with `alignment/area_se/<layer>` ([`Area`]; its null, two sets of
/// held-out points, is `alignment/area_null/<layer>`), and the distances `alignment/distance/{train,held_out}/<layer>`. In a
/// run with a reference encoder the training points are candidates and shared points. Where a run plants
/// points, also the distances of each dose, `doses/alignment/{mean,se,area,area_se}/<dose>/<layer>`, and
/// rows of the table `memory/doses`. The table `alignment/points` has the distance of each point and layer.
///
/// It costs one forward pass a view and no second training, and gives no score to a single point;
/// see [`alignment_gap`](crate::alignment_gap).
#[derive(Debug)]
pub struct AlignmentGap {
    config: AlignmentGapConfig,
    initial: BTreeMap<String, Initial>,
}

/// A layer before training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Initial {
    /// Its units; 0 for the embedding, which keeps its length.
    units: usize,
    gap: f64,
}

/// Version of the layout of the plugin's state.
const STATE: u32 = 2;

/// How the points of doses are scored: less distance is more memory.
const DOSES: DoseMeasure = DoseMeasure {
    name: "alignment",
    against: "held-out",
    turned: true,
};

impl AlignmentGap {
    /// A probe that has seen nothing.
    pub fn new(config: AlignmentGapConfig) -> Self {
        Self {
            config,
            initial: BTreeMap::new(),
        }
    }
}

impl Looking for AlignmentGap {
    const WITHOUT_SAMPLES: &'static str =
        "alignment-gap needs samples to look at, which this model's host does not show";

    fn problems(&self) -> Vec<(&'static str, String)> {
        self.config.problems()
    }

    fn look(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        samples: &dyn Samples,
    ) -> Result<(), Fault> {
        let seed = scope.run().seed;
        let all =
            |split| -> Vec<SampleId> { (0..samples.len(split) as u32).map(SampleId).collect() };
        let members = match &scope.run().pair {
            Some(pair) => pair.members(),
            None => all(Split::Train),
        };
        let sets = [
            chosen_of(seed, Split::Train, &members, self.config.points),
            chosen_of(
                seed,
                Split::HeldOut,
                &all(Split::HeldOut),
                self.config.points,
            ),
        ];
        if sets.iter().any(|ids| ids.len() < 2) {
            return Err(Fault::new(
                "alignment-gap compares training points with held-out points and needs two of \
                 each; give the data set held-out images",
            ));
        }
        let probe = self.config.probe();
        let measure = |split, ids: &[SampleId]| -> Result<Vec<Alignment>, Fault> {
            let measured = probe.measure(&[model], samples, split, ids)?;
            Ok(measured.into_iter().flatten().collect())
        };
        let train = measure(Split::Train, &sets[0])?;
        let held_out = measure(Split::HeldOut, &sets[1])?;
        if let Some(doses) = &scope.run().doses {
            let is_member = |id| members.binary_search(&id).is_ok();
            let doses = DosePoints::of(doses, is_member, &[]);
            let mut rows = Vec::new();
            for (dose, points) in doses.iter().enumerate() {
                // Two points are not needed where none is compared with the others.
                let ids = chosen_of(seed, Split::Train, &points.ids, self.config.points);
                let layers = measure(Split::Train, &ids)?.into_iter().zip(&held_out);
                rows.extend(layers.map(|(layer, held_out)| DoseScores {
                    dose,
                    layer: layer.layer,
                    scores: layer.distances,
                    against: match points.natural {
                        true => held_out.distances.clone(),
                        false => Vec::new(),
                    },
                    partners: Vec::new(),
                }));
            }
            publish_doses(scope, &DOSES, &doses, &rows);
        }
        scope.table("alignment/points", point_table(&sets, [&train, &held_out]));
        for (train, held_out) in train.iter().zip(&held_out) {
            self.figures(scope, model, train, held_out);
        }
        Ok(())
    }
}

impl AlignmentGap {
    /// The scalars of one layer.
    fn figures(
        &mut self,
        scope: &mut Scope<'_>,
        model: &dyn ModelView,
        train: &Alignment,
        held_out: &Alignment,
    ) {
        let (layer, h, t) = (&train.layer, &held_out.distances, &train.distances);
        let gap = alignment_gap(t, h);
        let site = model.sites().iter().find(|site| site.name == *layer);
        let units = site.map_or(0, |site| site.units);
        if scope.clock().step == 0 {
            self.initial.insert(layer.clone(), Initial { units, gap });
        }
        let (mean_h, mean_t) = (mean(h), mean(t));
        let mut scalar = |what: &str, value: f64| {
            if value.is_finite() {
                scope.scalar(format!("alignment/{what}/{layer}"), value);
            }
        };
        scalar("gap", gap);
        scalar("se", gap_error(t, h));
        // A layer without some of its units is another one: there is nothing to take its gap from.
        let initial = self.initial.get(layer);
        if let Some(initial) = initial.filter(|initial| initial.units == units) {
            scalar("excess", gap - initial.gap);
        }
        // Points whose views lie closer are those that the encoder was trained on.
        let (near_t, near_h) = (nearness(t), nearness(h));
        for (what, area) in [
            ("area", Area::between(&near_t, &near_h)),
            ("area_null", Area::null(&near_h)),
        ] {
            scalar(what, area.area);
            scalar(&format!("{what}_se"), area.standard_error);
        }
        scalar("distance/train", mean_t);
        scalar("distance/held_out", mean_h);
    }
}

/// The nearness of the views of each point, from their distances: higher where they lie closer.
pub(crate) fn nearness(distances: &[f64]) -> Vec<f64> {
    distances.iter().map(|distance| -distance).collect()
}

/// A row a layer and point: the mean distance between its views.
fn point_table(ids: &[Vec<SampleId>; 2], measured: [&[Alignment]; 2]) -> Table {
    let (mut layer, mut set, mut point, mut distance) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((name, ids), layers) in ["train", "held_out"].into_iter().zip(ids).zip(measured) {
        for of_layer in layers {
            for (id, value) in ids.iter().zip(&of_layer.distances) {
                layer.push(of_layer.layer.clone());
                set.push(name.to_owned());
                point.push(i64::from(id.0));
                distance.push(*value);
            }
        }
    }
    let columns = [
        ("layer", Column::Text(layer)),
        ("set", Column::Text(set)),
        ("point", Column::I64(point)),
        ("distance", Column::F64(distance)),
    ];
    Table::of(columns)
}

/// Standard error of the gap by the delta method: with s = H + T its slopes are 2T/s² and −2H/s².
pub(crate) fn gap_error(train: &[f64], held_out: &[f64]) -> f64 {
    let (t, h) = (mean(train), mean(held_out));
    let square = (t + h).powi(2);
    let of_held_out = 2.0 * t / square * standard_error(held_out);
    let of_train = 2.0 * h / square * standard_error(train);
    of_held_out.hypot(of_train)
}

impl Plugin for AlignmentGap {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.taps(self.config.probe().tap())
            .on::<RunStart>(Every::Always, Self::start)
            .on::<EpochEnd>(self.config.every, Self::epoch);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(STATE, &self.initial)
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.initial = state.decode(STATE)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_the_gap_is_that_of_a_simulation() {
        use afterimage_hooks::random::{RandomKey, Stream};
        let draw = |key: u32| {
            let mut generator = RandomKey::new(4, Stream::Plugin).sample(key).generator();
            let mut around = |centre: f64| -> Vec<f64> {
                (0..50).map(|_| centre + 0.1 * generator.normal()).collect()
            };
            (around(0.6), around(0.8))
        };
        let runs: Vec<(f64, f64)> = (0..2000)
            .map(|key| {
                let (train, held_out) = draw(key);
                (
                    alignment_gap(&train, &held_out),
                    gap_error(&train, &held_out),
                )
            })
            .collect();
        let gaps: Vec<f64> = runs.iter().map(|run| run.0).collect();
        let spread = standard_error(&gaps) * (gaps.len() as f64).sqrt();
        let told = runs.iter().map(|run| run.1).sum::<f64>() / runs.len() as f64;
        assert!((told / spread - 1.0).abs() < 0.05, "{told} {spread}");
    }
}
