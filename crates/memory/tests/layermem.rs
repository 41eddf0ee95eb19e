//! The plugins `layermem` and `alignment-gap` on networks that can be computed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{
    Attached, Fault, ModelView, Observation, PairChoice, PairSets, SampleId, Site, Split, TapPlan,
};
use afterimage_memory::{
    AlignmentGap, AlignmentGapConfig, LayerMemConfig, LayerMemProbe, LayerScores, Pairs, chosen_of,
};
use burn::tensor::Tensor;
use rig::{Linear, Noise, Rig};

const SAMPLES: Noise = Noise {
    train: 40,
    held_out: 30,
};

/// A network with a reference beside it.
struct Pair {
    studied: Linear,
    reference: Linear,
}

impl ModelView for Pair {
    fn sites(&self) -> &[Site] {
        self.studied.sites()
    }

    fn observe(&self, images: Tensor<4>, plan: &TapPlan) -> Result<Observation, Fault> {
        self.studied.observe(images, plan)
    }

    fn reference(&self) -> Option<&dyn ModelView> {
        Some(&self.reference)
    }
}

fn pair(studied: u64, reference: u64) -> Pair {
    Pair {
        studied: Linear::new(studied),
        reference: Linear::new(reference),
    }
}

fn sets() -> PairSets {
    PairSets::choose(40, 8, PairChoice::Random, 5).unwrap()
}

fn config() -> LayerMemConfig {
    LayerMemConfig {
        points: 6,
        views: 4,
        batch: 4,
        ..LayerMemConfig::default()
    }
}

fn rig(config: LayerMemConfig, model: &dyn ModelView) -> Rig {
    let plugin = Attached::new("layermem", "layermem", LayerMemProbe::new(config));
    let mut rig = Rig::new(plugin, model.sites());
    rig.run.pair = Some(sets());
    rig
}

fn unit(v: &[f64]) -> Vec<f64> {
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v.iter().map(|x| x / norm.max(1e-12)).collect()
}

/// Mean ℓ2 distance of normalised outputs over all pairs of views, word by word.
fn distance(model: &Linear, site: usize, split: Split, id: SampleId, views: u32) -> f64 {
    let units = model.sites[site].units;
    let outputs: Vec<Vec<f64>> = (0..views)
        .map(|view| {
            let pixels = SAMPLES.view(split, id, view);
            let output: Vec<f64> = (0..units)
                .map(|u| model.activation(site, u, &pixels))
                .collect();
            unit(&output)
        })
        .collect();
    let mut total = 0.0;
    let mut pairs = 0.0;
    for i in 0..outputs.len() {
        for j in i + 1..outputs.len() {
            let square = |(a, b): (&f64, &f64)| (a - b).powi(2);
            let between = outputs[i].iter().zip(&outputs[j]).map(square);
            total += between.sum::<f64>().sqrt();
            pairs += 1.0;
        }
    }
    total / pairs
}

/// Equation 3 over the points `ids`.
fn layermem(model: &Pair, site: usize, split: Split, ids: &[SampleId]) -> f64 {
    let score = |id: &SampleId| {
        let f = distance(&model.studied, site, split, *id, 4);
        let g = distance(&model.reference, site, split, *id, 4);
        (g - f) / (g + f)
    };
    ids.iter().map(score).sum::<f64>() / ids.len() as f64
}

#[test]
fn scores_are_the_papers_formula_on_every_set() {
    let model = pair(1, 2);
    let mut rig = rig(config(), &model);
    rig.start(&model, Some(&SAMPLES));
    let records = rig.records();
    let scalars = records.scalars();
    let sets = sets();
    let held_out: Vec<SampleId> = (0..30).map(SampleId).collect();
    for (site, name) in [(0, "encoder.act"), (1, "encoder.raw")] {
        for (set, split, from) in [
            ("candidates", Split::Train, &sets.candidates),
            ("independent", Split::Train, &sets.independent),
            ("shared", Split::Train, &sets.shared),
            ("external", Split::HeldOut, &held_out),
        ] {
            let ids = chosen_of(5, split, from, 6);
            let expected = layermem(&model, site, split, &ids);
            let got = scalars[format!("layermem/mean/{set}/{name}").as_str()];
            assert!(
                (got - expected).abs() < 1e-5,
                "{set} {name} {got} {expected}"
            );
        }
    }
    let delta = scalars["layermem/mean/candidates/encoder.raw"]
        - scalars["layermem/mean/candidates/encoder.act"];
    assert!((scalars["layermem/delta/encoder.raw"] - delta).abs() < 1e-12);
    assert!(!scalars.contains_key("layermem/delta/encoder.act"));
    let half = (scalars["layermem/mean/candidates/encoder.raw"]
        - scalars["layermem/mean/independent/encoder.raw"])
        / 2.0;
    assert!((scalars["layermem/calibrated/encoder.raw"] - half).abs() < 1e-12);
    // 3 layers · 4 sets · 6 points.
    assert_eq!(records.numbers("layermem/points", "score").len(), 72);
    assert_eq!(
        records.numbers("layermem/agreement", "kendall_tau").len(),
        3
    );
    let provided = rig.desk.resources.get::<LayerScores>().unwrap();
    assert_eq!(provided.layers.len(), 3);
}

#[test]
fn equal_encoders_remember_nothing() {
    let model = pair(1, 1);
    let mut rig = rig(config(), &model);
    rig.start(&model, Some(&SAMPLES));
    let records = rig.records();
    for (tag, value) in records.scalars() {
        if !tag.starts_with("layermem/distance") {
            // Where nothing is remembered, the sets are not told apart.
            let nothing = if tag.starts_with("layermem/area/") {
                0.5
            } else {
                0.0
            };
            assert_eq!(value, nothing, "{tag}");
        }
    }
}

#[test]
fn exchanged_encoders_negate_and_batches_do_not_matter() {
    let scores = |model: &Pair, batch| {
        let mut rig = rig(LayerMemConfig { batch, ..config() }, model);
        rig.start(model, Some(&SAMPLES));
        rig.records().numbers("layermem/points", "score")
    };
    let there = scores(&pair(1, 2), 4);
    let back = scores(&pair(2, 1), 4);
    assert!(there.iter().any(|s| s.abs() > 0.01));
    for (a, b) in there.iter().zip(&back) {
        assert!((a + b).abs() < 1e-6, "{a} {b}");
    }
    for (a, b) in there.iter().zip(&scores(&pair(1, 2), 1)) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
}

#[test]
fn originals_are_compared_with_views_where_asked() {
    let model = pair(1, 2);
    let mut rig = rig(
        LayerMemConfig {
            pairs: Pairs::Original,
            views: 1,
            ..config()
        },
        &model,
    );
    // The rig's originals are its first views, so that an original is at no distance to the first.
    rig.start(&model, Some(&SAMPLES));
    let undefined = rig.records().scalars()["layermem/undefined/encoder.raw"];
    assert_eq!(undefined, 6.0);
}

#[test]
fn a_run_without_a_reference_is_told_what_to_do() {
    let model = Linear::new(1);
    let mut rig = rig(config(), &model);
    rig.start(&model, Some(&SAMPLES));
    let faults = rig.faults();
    assert!(faults[0].contains("alignment-gap"), "{faults:?}");
}

#[test]
fn the_gap_is_that_of_mean_distances() {
    let (untrained, trained) = (Linear::new(1), Linear::new(2));
    let config = AlignmentGapConfig {
        points: 6,
        views: 4,
        ..AlignmentGapConfig::default()
    };
    let plugin = Attached::new("gap", "alignment-gap", AlignmentGap::new(config));
    let mut rig = Rig::new(plugin, &untrained.sites);
    rig.start(&untrained, Some(&SAMPLES));
    let first = rig.records();
    rig.epoch_end(1, &trained, Some(&SAMPLES));
    let second = rig.records();
    let gap = |model: &Linear| {
        let mean = |split, count: u32| {
            let all: Vec<SampleId> = (0..count).map(SampleId).collect();
            let ids = chosen_of(5, split, &all, 6);
            ids.iter()
                .map(|id| distance(model, 1, split, *id, 4))
                .sum::<f64>()
                / 6.0
        };
        let (t, h) = (mean(Split::Train, 40), mean(Split::HeldOut, 30));
        (h - t) / (h + t)
    };
    let tag = "alignment/gap/encoder.raw";
    assert!((first.scalars()[tag] - gap(&untrained)).abs() < 1e-5);
    assert!((second.scalars()[tag] - gap(&trained)).abs() < 1e-5);
    let excess = second.scalars()["alignment/excess/encoder.raw"];
    assert!((excess - gap(&trained) + gap(&untrained)).abs() < 2e-5);
    assert!(second.scalars()["alignment/se/encoder.raw"] > 0.0);
}

#[test]
fn behind_a_compaction_no_gap_is_taken_from_that_of_other_units() {
    let untrained = Linear::new(1);
    let mut smaller = Linear::new(2);
    smaller.sites[1].units -= 1;
    for row in &mut smaller.weights[1] {
        row.pop();
    }
    let config = AlignmentGapConfig {
        points: 6,
        views: 4,
        ..AlignmentGapConfig::default()
    };
    let plugin = Attached::new("gap", "alignment-gap", AlignmentGap::new(config));
    let mut rig = Rig::new(plugin, &untrained.sites);
    rig.start(&untrained, Some(&SAMPLES));
    rig.records();
    rig.epoch_end(1, &smaller, Some(&SAMPLES));
    let records = rig.records();
    let scalars = records.scalars();
    assert!(scalars.contains_key("alignment/gap/encoder.raw"));
    assert!(!scalars.contains_key("alignment/excess/encoder.raw"));
    for layer in ["encoder.act", "embedding"] {
        let excess = format!("alignment/excess/{layer}");
        assert!(scalars.contains_key(excess.as_str()), "{layer}");
    }
}
