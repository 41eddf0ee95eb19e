//! The plugin `dynamics` without a network: what it carries to the pure parts, and what it leaves behind.
#![cfg(feature = "plugin")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{Attached, ModelView, SampleHistory, SampleId, Samples, Split, TapPlan};
use afterimage_value::{
    Dynamics, DynamicsConfig, DynamicsProbe, LastLayer, Observation as Seen, in_run_shapley,
};

use rig::*;

fn dynamics(config: DynamicsConfig) -> Rig {
    Rig::new(Attached::new(
        "dynamics",
        "dynamics",
        DynamicsProbe::new(config),
    ))
}

#[test]
fn scores_are_those_of_the_pure_functions() {
    let config = DynamicsConfig {
        validation: 5,
        validation_every: 1,
        history: 2,
        ..DynamicsConfig::default()
    };
    let mut rig = dynamics(config);
    (1..=9).for_each(|step| rig.step(step, true));
    rig.end(9);
    let records = rig.records();
    let labels = rig.samples.labels.clone().unwrap();
    // Sample 6 is in the batches of steps 1, 4 and 7, at place 2.
    let mut scores = Dynamics::default();
    for step in [1, 4, 7] {
        assert_eq!(ids(step)[2], SampleId(6));
        scores.add(&Seen::new(&logits(step)[4..6], labels[6] as usize).unwrap());
    }
    let of = |column: &str| numbers(&records, "dynamics/samples", column)[6];
    assert_eq!(of("area_under_margin"), scores.area_under_margin());
    assert_eq!(of("el2n"), scores.el2n());
    assert_eq!(of("variability"), scores.variability());
    assert_eq!(of("mean_margin"), scores.mean_margin());
    assert_eq!(of("mean_loss"), 6.0 + 4.0);
    assert_eq!(of("visits"), 3.0);
    // Held-out samples are constant here, so one look is as good as another; the first step has none.
    let residual = |row: &[f32], label: usize| {
        let sum: f64 = row.iter().map(|&l| f64::from(l).exp()).sum();
        let p = row.iter().map(|&l| (f64::from(l).exp() / sum) as f32);
        p.enumerate()
            .map(|(c, p)| p - f32::from(u8::from(c == label)))
            .collect::<Vec<f32>>()
    };
    let held: Vec<SampleId> = held_out_ids(rig.run.seed, 5);
    let seen = Encoder
        .observe(
            rig.samples.originals(Split::HeldOut, &held).unwrap(),
            &TapPlan::default(),
        )
        .unwrap();
    let features: Vec<f32> = seen.embeddings.reshape([20]).try_into_vec_as().unwrap();
    let held_logits: Vec<f32> = seen
        .logits
        .unwrap()
        .reshape([10])
        .try_into_vec_as()
        .unwrap();
    let residuals: Vec<f32> = held
        .iter()
        .zip(held_logits.chunks_exact(2))
        .flat_map(|(id, row)| residual(row, labels[id.0 as usize] as usize))
        .collect();
    let validation = LastLayer {
        features: &features,
        residuals: &residuals,
        samples: 5,
    };
    let mut expected = 0.0;
    for step in [4, 7] {
        let own: Vec<f32> = ids(step)
            .iter()
            .zip(logits(step).chunks_exact(2))
            .flat_map(|(id, row)| residual(row, labels[id.0 as usize] as usize))
            .collect();
        let batch = LastLayer {
            features: &embeddings(step),
            residuals: &own,
            samples: 8,
        };
        expected += in_run_shapley(batch, validation, 0.5 / 8.0).unwrap()[2];
    }
    assert!((of("in_run_shapley") - expected).abs() < 1e-6 && expected.abs() > 1e-4);
    let history = rig.desk.resources.get::<SampleHistory>().unwrap();
    let epochs: Vec<u32> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(epochs, [2, 3]);
    assert_eq!(history.epochs[1].losses[6], 13.0);
    assert!((0.0..1.0).contains(&history.epochs[1].probabilities[6]));
    let last = numbers(&records, "dynamics/probabilities", "pred_prob_0");
    assert_eq!(last.len(), COUNT);
}

/// The held-out samples of the plugin: a shuffle by the run's seed.
fn held_out_ids(seed: u64, count: usize) -> Vec<SampleId> {
    use afterimage_hooks::random::{RandomKey, Stream};
    let mut ids: Vec<SampleId> = (0..COUNT as u32).map(SampleId).collect();
    RandomKey::new(seed, Stream::ProbePoints)
        .view(1)
        .generator()
        .shuffle(&mut ids);
    ids.truncate(count);
    ids.sort_unstable();
    ids
}

#[test]
fn an_objective_without_classes_has_losses_alone() {
    let mut rig = dynamics(DynamicsConfig::default());
    (1..=3).for_each(|step| rig.step(step, false));
    rig.end(3);
    let records = rig.records();
    assert_eq!(numbers(&records, "dynamics/samples", "mean_loss")[6], 7.0);
    assert!(
        !records
            .iter()
            .any(|r| r.tag == "dynamics/el2n" || r.tag == "dynamics/variability")
    );
    let history = rig.desk.resources.get::<SampleHistory>().unwrap();
    assert!(history.epochs[0].probabilities.is_empty());

    let mut rig = dynamics(DynamicsConfig {
        validation: 2,
        ..DynamicsConfig::default()
    });
    rig.step(1, false);
    assert!(rig.faults()[0].contains("validation = 0"));
}

#[test]
fn a_resumed_log_goes_on_to_the_bit() {
    let config = DynamicsConfig {
        validation: 3,
        validation_every: 2,
        ..DynamicsConfig::default()
    };
    let mut straight = dynamics(config.clone());
    (1..=8).for_each(|step| straight.step(step, true));
    let mut first = dynamics(config.clone());
    (1..=5).for_each(|step| first.step(step, true));
    let state = first.state();
    let mut second = dynamics(config);
    second.restore(state);
    (6..=8).for_each(|step| second.step(step, true));
    assert_eq!(straight.state(), second.state());
}
