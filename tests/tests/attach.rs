//! burn's own tools under the loop, models that show nothing, and settings that are refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../crates/afterimage/examples/own_training/program.rs"]
#[allow(dead_code)] // the example uses all of it
mod program;

use std::sync::{Arc, Mutex};

use afterimage::hooks::{EventKind, Outcome, StepDone, StepDoneCx};
use afterimage::prelude::*;
use afterimage::train::{RunReport, TrainError};
use burn::optim::AdamConfig;
use burn::tensor::Device;
use burn::train::metric::LossMetric;
use burn::train::metric::store::{Aggregate, Direction, Split};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{
    Interrupter, Learner, LearningResult, MetricEarlyStoppingStrategy, StoppingCondition,
    SupervisedTraining,
};
use program::{Net, loader};
use tempfile::TempDir;

/// 40 images in batches of 16: the third batch of an epoch is not full.
const BATCHES: u64 = 3;

/// Counts what it sees, outside of the run.
#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    steps: u64,
    images: usize,
    epochs: Vec<(u32, Option<f64>)>,
}

impl Plugin for Watch {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(Every::Always, Self::step);
        d.on::<EpochEnd>(Every::Always, Self::epoch);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

impl Watch {
    fn step(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        let mut seen = self.0.lock().unwrap();
        seen.steps += 1;
        seen.images += cx.ids.len();
        Ok(())
    }

    fn epoch(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        self.0
            .lock()
            .unwrap()
            .epochs
            .push((cx.clock().epoch, cx.loss));
        Ok(())
    }

    fn attached(&self) -> Attached {
        Attached::new("watch", "watch", self.clone())
    }
}

/// Needs what is inside a step.
struct Nosy;

impl Plugin for Nosy {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<ForwardDone>(Every::Always, |_, _| Ok(()));
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

fn training(place: &TempDir, epochs: usize) -> SupervisedTraining<Net> {
    SupervisedTraining::new(place.path(), loader(40, 16), loader(16, 16))
        .metrics((LossMetric::new(),))
        .renderer(Box::new(CliMetricsRenderer::new()))
        .with_application_logger(None)
        .num_epochs(epochs)
}

/// Trains with `rate` under what `prepare` attaches; the result of burn and of the loop.
fn train(
    rate: f64,
    training: SupervisedTraining<Net>,
    afterimage: Afterimage<Net>,
) -> (LearningResult<Net>, RunReport) {
    let report = afterimage.report();
    let learner = Learner::new(
        Net::new(&Device::default().autodiff()),
        AdamConfig::new().init(),
        rate,
    );
    let result = afterimage.attach(training).launch(learner);
    (result, report.take())
}

#[test]
fn a_model_that_shows_nothing_trains_under_the_loop() {
    let place = TempDir::new().unwrap();
    let watch = Watch::default();
    let afterimage = Afterimage::opaque(16).plugin(watch.attached());
    let (result, report) = train(1e-2, training(&place, 2), afterimage);
    assert!(result.interrupted.is_none() && result.error.is_none());
    assert!(
        matches!(report.outcome, Some(Outcome::Completed)),
        "{report:?}"
    );
    assert_eq!(report.steps, 2 * BATCHES);

    let seen = watch.0.lock().unwrap();
    assert_eq!(seen.steps, 2 * BATCHES);
    assert_eq!(seen.images, 0, "an opaque batch has no ids");
    // Its loss is not seen either, and is not made up.
    assert_eq!(seen.epochs, [(1, None), (2, None)]);
}

#[test]
fn a_plugin_that_needs_the_inside_of_an_opaque_step_is_refused() {
    let place = TempDir::new().unwrap();
    let watch = Watch::default();
    let afterimage = Afterimage::opaque(16)
        .plugin(watch.attached())
        .plugin(Attached::new("nosy", "nosy", Nosy));
    let (result, report) = train(1e-2, training(&place, 2), afterimage);
    let error = report.error.expect("it is refused");
    assert!(matches!(error, TrainError::Plugins(_)));
    let words = error.to_string();
    for word in [
        "nosy",
        &EventKind::ForwardDone.to_string(),
        "HookedModel",
        "Afterimage::open",
    ] {
        assert!(words.contains(word), "no {word:?} in {words}");
    }
    assert!(result.interrupted.is_some(), "burn's result says so, too");
    assert_eq!(watch.0.lock().unwrap().steps, 0, "before any step");
}

#[test]
fn burns_early_stopping_stops_the_loop() {
    let place = TempDir::new().unwrap();
    let watch = Watch::default();
    let stopping = MetricEarlyStoppingStrategy::new(
        &LossMetric::new(),
        Aggregate::Mean,
        Direction::Lowest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 2 },
    );
    let training = training(&place, 9).early_stopping(stopping);
    // Without a learning rate nothing ever gets better.
    let (_, report) = train(
        0.0,
        training,
        Afterimage::opaque(16).plugin(watch.attached()),
    );
    let Some(Outcome::Stopped(reason)) = report.outcome else {
        panic!("{report:?}")
    };
    assert!(reason.contains("early stopping"), "{reason}");
    assert_eq!(
        watch.0.lock().unwrap().epochs.len(),
        3,
        "the best epoch and two more"
    );
}

#[test]
fn burns_interrupter_stops_the_loop_after_the_step() {
    /// Asks burn's interrupter to stop in the fourth step.
    struct Interrupt(Interrupter);

    impl Plugin for Interrupt {
        fn declare(&self, d: &mut Declare<'_, Self>) {
            d.on::<StepDone>(Every::Always, |this, cx| {
                if cx.clock().step == 4 {
                    this.0.stop(Some("enough"));
                }
                Ok(())
            });
        }

        fn state(&self) -> Result<PluginState, Fault> {
            Ok(PluginState::none())
        }

        fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
            state.expect_none()
        }
    }

    let place = TempDir::new().unwrap();
    let watch = Watch::default();
    let training = training(&place, 3);
    let interrupt = Interrupt(training.interrupter());
    let afterimage = Afterimage::opaque(16)
        .plugin(watch.attached())
        .plugin(Attached::new("interrupt", "interrupt", interrupt));
    let (result, report) = train(1e-2, training, afterimage);
    assert_eq!(watch.0.lock().unwrap().steps, 4);
    assert!(
        matches!(&report.outcome, Some(Outcome::Stopped(reason)) if reason == "enough"),
        "{report:?}"
    );
    assert_eq!(
        result.interrupted.unwrap().reason.as_deref(),
        Some("enough")
    );
}

#[test]
fn burns_own_checkpoints_are_still_written() {
    let place = TempDir::new().unwrap();
    let training = training(&place, 2).with_default_checkpointers();
    train(1e-2, training, Afterimage::opaque(16));
    let files = std::fs::read_dir(place.path().join("checkpoint")).expect("burn's folder is there");
    let names: Vec<String> = files
        .map(|file| file.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    for name in ["model-2", "optim-2", "scheduler-2"] {
        assert!(
            names.iter().any(|file| file.starts_with(name)),
            "no {name} in {names:?}"
        );
    }
}

#[test]
fn what_the_loop_cannot_honour_is_refused() {
    let place = TempDir::new().unwrap();
    let (_, report) = train(
        1e-2,
        training(&place, 2).grads_accumulation(2),
        Afterimage::opaque(16),
    );
    let words = report.error.expect("it is refused").to_string();
    assert!(words.contains("grads_accumulation"), "{words}");

    let (_, report) = train(
        1e-2,
        training(&place, 2).checkpoint(1),
        Afterimage::opaque(16),
    );
    let words = report.error.expect("it is refused").to_string();
    assert!(words.contains("Afterimage::checkpoints"), "{words}");
}
