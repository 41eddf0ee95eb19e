//! Exact resume, with an interrupt at every single step of a run.
//!
//! The plugins of this test do what is easy to get wrong across a resume: they keep state, speak at
//! the start of an epoch (where the step is still that of the checkpoint before it), and make
//! requests there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../crates/afterimage/examples/own_training/main.rs"]
mod own_training;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use afterimage::hooks::{Column, Outcome, Plan, RequestKind, Table};
use afterimage::memory::{StreamingConfig, UnitMemStreaming};
use afterimage::model::seeded;
use afterimage::prelude::*;
use afterimage::track::Sinks;
use afterimage::train::{Batches, Checkpoints, Feed, NoLoader, RunReport, TrainError};
use burn::data::dataloader::batcher::Batcher;
use burn::optim::AdamConfig;
use burn::tensor::Device;
use burn::train::metric::LossMetric;
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{Learner, SupervisedTraining};
use own_training::program::{Batch, Net, Pack, Stripes};
use tempfile::TempDir;

const SAMPLES: u32 = 48;
const BATCH: usize = 12;
const EPOCHS: u64 = 3;
/// The step after which the first layer is frozen.
const FROZEN: u64 = 7;
const STEPS: u64 = EPOCHS * (SAMPLES as u64 / BATCH as u64);

/// Plans every epoch in another order, masks a unit and freezes a layer on the way, and talks at every
/// event.
#[derive(Default)]
struct Planner {
    epochs: u64,
    seen: Vec<u32>,
}

impl Plugin for Planner {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunStart>(Every::Always, Self::begin);
        d.on::<EpochStart>(Every::Always, Self::plan);
        d.on::<StepDone>(Every::Always, Self::step);
        d.on::<EpochEnd>(Every::Always, Self::end);
        d.requests(RequestKind::SetPlan);
        d.requests(RequestKind::Mask);
        d.requests(RequestKind::Freeze);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &(self.epochs, &self.seen))
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        (self.epochs, self.seen) = state.decode(1)?;
        Ok(())
    }
}

impl Planner {
    fn begin(&mut self, cx: &mut RunStartCx<'_>) -> Result<(), Fault> {
        cx.scalar("planner/begun", 1.0);
        Ok(())
    }

    fn plan(&mut self, cx: &mut EpochStartCx<'_>) -> Result<(), Fault> {
        self.epochs += 1;
        let mut ids = cx.plan.ids().to_vec();
        ids.rotate_left(self.epochs as usize);
        let rows = vec![self.epochs as i64; 2];
        cx.scalar("planner/epochs", self.epochs as f64);
        cx.histogram(
            "planner/ids",
            ids.iter().map(|id| f64::from(id.0)).collect(),
        );
        cx.table(
            "planner/plans",
            Table {
                columns: vec![("plan".to_owned(), Column::I64(rows))],
            },
        );
        cx.record(
            "planner/picture",
            afterimage::hooks::Measurement::Image {
                width: 1,
                height: 1,
                rgb: vec![self.epochs as u8; 3],
            },
        );
        cx.set_plan(Plan::uniform(ids))
    }

    fn step(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        self.seen.extend(cx.ids.iter().map(|id| id.0));
        let sum = self
            .seen
            .iter()
            .zip(1u64..)
            .map(|(id, at)| u64::from(*id) * at)
            .sum::<u64>();
        cx.scalar("planner/sum", sum as f64);
        if cx.clock().step == 6 {
            cx.mask("encoder.conv1", vec![2])?;
        }
        if cx.clock().step == FROZEN {
            cx.freeze("conv1.*")?;
            cx.freeze("nothing.*")?;
        }
        Ok(())
    }

    fn end(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        cx.scalar("planner/seen", self.seen.len() as f64);
        Ok(())
    }
}

/// Raises the flag that a signal would raise, in one step.
struct Interrupt {
    step: Option<u64>,
    signal: Arc<AtomicUsize>,
}

impl Plugin for Interrupt {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(Every::Always, |this, cx| {
            if Some(cx.clock().step) == this.step {
                this.signal.store(2, Ordering::Relaxed);
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

/// Renders what the loop plans.
struct Pictures(Device);

impl Feed<Batch> for Pictures {
    fn open(
        &self,
        _: u32,
        _: Vec<Vec<SampleId>>,
        _: usize,
    ) -> Result<Box<dyn Batches<Batch>>, TrainError> {
        Ok(Box::new(Self(self.0.clone())))
    }
}

impl Batches<Batch> for Pictures {
    fn next(&mut self, batch: &Plan) -> Result<Batch, TrainError> {
        let items = batch.ids().iter().map(|id| Stripes::new(id.0)).collect();
        Ok(Pack.batch(items, &self.0))
    }
}

/// Trains in `run`, interrupted in a step if one is given.
fn train(run: &Path, resume: bool, interrupt: Option<u64>) -> RunReport {
    let device = Device::default().autodiff();
    let signal = Arc::new(AtomicUsize::new(0));
    let unitmem = StreamingConfig::default();
    let sinks = run.to_owned();
    let afterimage = Afterimage::open(BATCH)
        .seed(5)
        .feed(Box::new(Pictures(device.clone())), SAMPLES as usize, 0)
        .plugin(Attached::new("planner", "planner", Planner::default()))
        .plugin(Attached::new(
            "unitmem",
            "unitmem-streaming",
            UnitMemStreaming::new(unitmem),
        ))
        .plugin(Attached::new(
            "interrupt",
            "interrupt",
            Interrupt {
                step: interrupt,
                signal: Arc::clone(&signal),
            },
        ))
        .signal(signal)
        .rebuild(|net| Learner::new(net, AdamConfig::new().init(), 1e-2))
        .sinks(move |step| Sinks::for_run(&sinks, step, &[]))
        .decisions(run.join("decisions.jsonl"))
        .checkpoints(
            Checkpoints::new(run.join("checkpoints"), 99, "seed = 5\n"),
            1,
            resume,
        );
    let report = afterimage.report();
    let training = SupervisedTraining::new(run, NoLoader::shared(), NoLoader::shared())
        .metric_train_numeric(LossMetric::new())
        .with_metric_logger(burn::train::logger::InMemoryMetricLogger::new())
        .renderer(Box::new(CliMetricsRenderer::new()))
        .with_application_logger(None)
        .num_epochs(EPOCHS as usize);
    let net = seeded(&device, 5, || Net::new(&device));
    let learner = Learner::new(net, AdamConfig::new().init(), 1e-2);
    drop(afterimage.attach(training).launch(learner));
    report.take()
}

/// Everything in the run directory but what a clock is in, and all checkpoints of whole epochs.
fn left(run: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(folder: &Path, root: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path
                .strip_prefix(root)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned();
            if path.is_dir() {
                walk(&path, root, files);
            } else {
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut files = BTreeMap::new();
    walk(run, run, &mut files);
    let whole = |step: &str| step.parse::<u64>().unwrap().is_multiple_of(STEPS / EPOCHS);
    files.retain(|name, _| {
        let step = name
            .strip_prefix("checkpoints/step-")
            .map(|rest| rest.split('/').next().unwrap());
        !name.starts_with("tensorboard/") && name != "timings.jsonl" && step.is_none_or(whole)
    });
    files
}

/// Parameters of the frozen layer are those of its last step, and the others are not.
fn frozen_stays(run: &Path) {
    let model = |step: u64| -> BTreeMap<String, Vec<u8>> {
        let path = run.join(format!("checkpoints/step-{step:08}/model.bpk"));
        let bytes = burn::tensor::Bytes::from_bytes_vec(fs::read(path).unwrap());
        let tensors = burn_pack::Reader::from_bytes(bytes).unwrap().into_tensors();
        let tensors = tensors.unwrap().into_iter();
        tensors
            .map(|tensor| {
                let (name, _, _, _, bytes) = tensor.into_parts().unwrap();
                (name, bytes.to_vec())
            })
            .collect()
    };
    let [frozen, last] = [2 * STEPS / EPOCHS, STEPS].map(model);
    let (mut still, mut moved) = (0, 0);
    for (name, bytes) in &frozen {
        let same = last[name] == *bytes;
        if name.starts_with("conv1.") {
            assert!(same, "{name} was frozen");
            still += 1;
        } else {
            moved += usize::from(!same);
        }
    }
    assert!(still > 0 && moved > 0, "{still} {moved}");
}

#[test]
fn a_run_interrupted_at_any_step_ends_as_a_straight_one() {
    let place = TempDir::new().unwrap();
    let straight = place.path().join("straight");
    let report = train(&straight, false, None);
    assert!(
        matches!(report.outcome, Some(Outcome::Completed)),
        "{report:?}"
    );
    let expected = left(&straight);
    let decisions = String::from_utf8(expected["decisions.jsonl"].clone()).unwrap();
    assert_eq!(
        decisions.lines().count() as u64,
        EPOCHS + 3,
        "a plan an epoch, a mask, and a layer frozen, another refused"
    );
    assert!(
        decisions.contains("refused: no parameter matches"),
        "{decisions}"
    );
    frozen_stays(&straight);
    assert!(expected.contains_key(&format!("checkpoints/step-{STEPS:08}/model.bpk")));

    for step in 1..=STEPS {
        let run = place.path().join(format!("interrupted-{step}"));
        let report = train(&run, false, Some(step));
        assert!(
            matches!(report.outcome, Some(Outcome::Interrupted(_))),
            "{step}: {report:?}"
        );
        let report = train(&run, true, None);
        assert!(
            matches!(report.outcome, Some(Outcome::Completed)),
            "{step}: {report:?}"
        );
        let got = left(&run);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&expected), names(&got), "interrupted in step {step}");
        for (name, bytes) in &expected {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            if name.ends_with(".jsonl") {
                assert_eq!(
                    text(bytes),
                    text(&got[name]),
                    "{name}, interrupted in step {step}"
                );
            }
            assert!(bytes == &got[name], "{name}, interrupted in step {step}");
        }
    }
}

#[test]
fn a_run_that_dies_after_a_checkpoint_does_not_say_things_twice() {
    let place = TempDir::new().unwrap();
    let straight = place.path().join("straight");
    train(&straight, false, None);
    let expected = left(&straight);
    // What a kill in the second epoch leaves: all that was written by then, and the checkpoint of
    // the first epoch as the last one.
    let killed = place.path().join("killed");
    train(&killed, false, Some(STEPS / EPOCHS + 2));
    let checkpoints = killed.join("checkpoints");
    fs::remove_dir_all(checkpoints.join(format!("step-{:08}", STEPS / EPOCHS + 2))).unwrap();
    assert!(
        checkpoints
            .join(format!("step-{:08}", STEPS / EPOCHS))
            .exists()
    );
    train(&killed, true, None);
    let got = left(&killed);
    for (name, bytes) in &expected {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(got.contains_key(name), "{name} is missing");
        if name.ends_with(".jsonl") {
            assert_eq!(text(bytes), text(&got[name]), "{name}");
        }
        assert!(bytes == &got[name], "{name}");
    }
}
