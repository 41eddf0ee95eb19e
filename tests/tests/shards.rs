//! Batches cut into shards: gradients, norms, and what plugins see and write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../crates/afterimage/examples/own_training/main.rs"]
mod own_training;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterimage::model::{EncoderConfig, ProjectionHeadConfig, parameters, seeded};
use afterimage::prelude::*;
use afterimage::ssl::{
    Negatives, Objective as _, ObjectiveBatch, ObjectiveConfig, RunFacts, Shard, Shards,
};
use afterimage::train::{Batches, Feed, NoLoader, RunReport, SslBatch, SslModel, TrainError};
use burn::data::dataloader::batcher::Batcher;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{Learner, SupervisedTraining, TrainStep};
use own_training::program::{Batch, Net, Pack, Stripes};
use tempfile::TempDir;

const SAMPLES: usize = 24;
const SIDE: usize = 16;

/// What is trained.
#[derive(Clone, Copy)]
struct Case {
    encoder: &'static str,
    objective: &'static str,
    /// Whether head and encoder have batch norms.
    norm: bool,
    /// Whether the encoder is frozen.
    frozen: bool,
}

const NORMED: Case = Case {
    encoder: r#"{"kind": "resnet9", "width": 0.125}"#,
    objective: "simclr",
    norm: true,
    frozen: false,
};

/// A network in which no sample sees another.
const fn rows_alone(objective: &'static str) -> Case {
    Case {
        encoder: r#"{"kind": "vit", "size": "tiny", "patch": 8, "depth": 1}"#,
        objective,
        norm: false,
        frozen: false,
    }
}

/// The device's generator is one for the process: a step of another test would mix its draws with those of
/// a model under way.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn device() -> Device {
    Device::flex().autodiff()
}

fn model(case: Case) -> SslModel {
    let device = device();
    let encoder: EncoderConfig = serde_json::from_str(case.encoder).unwrap();
    let encoder = encoder.for_images(1, SIDE).init(3, &device).unwrap();
    let objective = serde_json::json!({ "kind": case.objective });
    let objective: ObjectiveConfig = serde_json::from_value(objective).unwrap();
    let head = ProjectionHeadConfig {
        hidden: 12,
        output: 8,
        norm: case.norm,
        ..ProjectionHeadConfig::default()
    };
    let head = objective.has_projection().then_some(&head);
    let run = RunFacts {
        seed: 5,
        classes: 3,
        steps_per_epoch: 1,
        epochs: 1,
    };
    SslModel::new(encoder, head, &objective, &run, &device).unwrap()
}

/// Views of `ids`, made of their numbers.
fn batch(ids: &[SampleId], views: usize) -> ObjectiveBatch {
    let pixel = |view: usize, id: SampleId, at: usize| {
        let (at, id) = (at as f32, id.0 as f32 + 0.1 * view as f32);
        (0.7 * at + 0.013 * at * at * (1.0 + 0.1 * id) + id).sin()
    };
    let values: Vec<f32> = (0..views)
        .flat_map(|view| ids.iter().map(move |id| (view, *id)))
        .flat_map(|(view, id)| (0..SIDE * SIDE).map(move |at| pixel(view, id, at)))
        .collect();
    let shape = [views * ids.len(), 1, SIDE, SIDE];
    let labels: Vec<i64> = ids.iter().map(|id| i64::from(id.0 % 3)).collect();
    ObjectiveBatch {
        ids: ids.to_vec(),
        epoch: 1,
        pace: 1,
        images: Tensor::from_data(TensorData::new(values, shape), &device()),
        local: None,
        labels: Some(Tensor::from_data(labels.as_slice(), &device())),
        shard: Shard::WHOLE,
    }
}

struct Pictures(usize);

impl Feed<SslBatch> for Pictures {
    fn open(
        &self,
        _: u32,
        _: Vec<Vec<SampleId>>,
        _: usize,
    ) -> Result<Box<dyn Batches<SslBatch>>, TrainError> {
        Ok(Box::new(Self(self.0)))
    }
}

impl Batches<SslBatch> for Pictures {
    fn next(&mut self, planned: &Plan) -> Result<SslBatch, TrainError> {
        Ok(SslBatch {
            studied: batch(planned.ids(), self.0),
            reference: None,
        })
    }
}

/// What a step shows, by name.
type Seen = BTreeMap<String, Vec<f32>>;

/// Keeps all that it sees of the last step.
struct Watcher(Arc<Mutex<(Vec<SampleId>, Seen)>>);

impl Watcher {
    fn keep(&self, name: impl Into<String>, values: Vec<f32>) {
        self.0.lock().unwrap().1.insert(name.into(), values);
    }
}

fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

impl Plugin for Watcher {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.taps(TapSpec::units("encoder.*"));
        d.taps(TapSpec::gate("encoder.*"));
        d.on::<ForwardDone>(Every::Always, |_, cx| {
            cx.fetch(TapMode::Read(Reduce::MeanSpace));
            cx.fetch_embeddings();
            cx.fetch_logits();
            Ok(())
        });
        d.on::<LossReady>(Every::Always, |_, cx| {
            cx.fetch_per_sample();
            Ok(())
        });
        d.on::<GradReady>(Every::Always, |this, cx| {
            for path in cx.gradients().paths() {
                let gradient = cx.gradients().get(&path).unwrap();
                this.keep(format!("gradient {path}"), flat(gradient));
            }
            for (site, values) in cx.saliency.of_mode(TapMode::Gate) {
                this.keep(format!("saliency {site}"), flat(values.clone()));
            }
            Ok(())
        });
        d.on::<StepDone>(Every::Always, |this, cx| {
            this.0.lock().unwrap().0 = cx.ids.to_vec();
            this.keep("loss", vec![cx.loss.unwrap() as f32]);
            this.keep("per sample", cx.per_sample_loss.unwrap().to_vec());
            this.keep("embeddings", cx.outputs.embeddings.clone().unwrap());
            if let Some(logits) = &cx.outputs.logits {
                this.keep("logits", logits.clone());
            }
            let read = TapMode::Read(Reduce::MeanSpace);
            for site in cx.model.sites() {
                if let Some(values) = cx.fetched.get(&site.name, read) {
                    this.keep(format!("reading {}", site.name), values.to_vec());
                }
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

/// Plans unequal weights, weights samples by their losses, and adds terms of all that it may use.
struct Writer;

impl Plugin for Writer {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.writes(Write::LossWeights);
        d.writes(Write::LossTerms);
        d.requests(RequestKind::SetPlan);
        d.on::<EpochStart>(Every::Always, |_, cx| {
            let ids = cx.plan.ids().to_vec();
            let weights = ids.iter().map(|id| 0.5 + 0.1 * id.0 as f32).collect();
            cx.set_plan(Plan::weighted(ids, weights)?)
        });
        d.on::<LossReady>(Every::Always, |_, cx| {
            let losses = cx.per_sample.cloned().unwrap();
            if let Some(logits) = cx.logits.cloned() {
                cx.add_term("spread", logits.square().mean().mul_scalar(0.3))?;
            }
            cx.add_term("square", losses.clone().square().mean())?;
            // A weight that has a gradient of its own.
            cx.scale_loss(losses.add_scalar(2.0))
        });
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

/// What one step over all samples showed, in which order the samples came, and the model behind it.
struct Step {
    seen: Seen,
    ids: Vec<SampleId>,
    after: SslModel,
}

/// Runs one step over all samples.
fn step(case: Case, count: usize, negatives: Negatives, writer: bool) -> Step {
    let place = TempDir::new().unwrap();
    let kept = Arc::new(Mutex::new((Vec::new(), Seen::new())));
    let model = match case.frozen {
        true => {
            let model = model(case);
            let all = parameters(&model).into_iter().map(|info| info.path);
            let encoder: Vec<String> = all.filter(|path| path.starts_with("encoder.")).collect();
            model.freeze(&encoder)
        }
        false => model(case),
    };
    let views = model.views();
    let mut afterimage = Afterimage::open(SAMPLES)
        .seed(5)
        .feed(Box::new(Pictures(views)), SAMPLES, 0)
        .shards(Shards { count, negatives })
        .plugin(Attached::new("watcher", "watcher", Watcher(kept.clone())));
    if writer {
        afterimage = afterimage.plugin(Attached::new("writer", "writer", Writer));
    }
    let (report, after) = launch(afterimage, model, &place);
    assert!(report.error.is_none(), "{:?}", report.error);
    let (ids, seen) = kept.lock().unwrap().clone();
    Step { seen, ids, after }
}

fn launch<M>(afterimage: Afterimage<M>, model: M, place: &TempDir) -> (RunReport, M)
where
    M: HookedModel + 'static,
    <M as TrainStep>::Output: Adaptor<LossInput>,
{
    let report = afterimage.report();
    let training = SupervisedTraining::new(place.path(), NoLoader::shared(), NoLoader::shared())
        .metric_train_numeric(LossMetric::new())
        .with_metric_logger(burn::train::logger::InMemoryMetricLogger::new())
        .renderer(Box::new(CliMetricsRenderer::new()))
        .with_application_logger(None)
        .num_epochs(1);
    let learner = Learner::new(model, SgdConfig::new().init(), 1e-3);
    let result = afterimage.attach(training).launch(learner);
    (report.take(), result.model)
}

/// Fails unless all that both steps showed is equal but for rounding.
fn assert_close(expected: &Seen, seen: &Seen, what: &str) {
    let names = |seen: &Seen| seen.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(seen), "{what}");
    assert!(expected.len() > 20);
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    // Some gradients are zero but for rounding, which goes with the size of the others: a shift of all
    // projections does not change VICReg's loss.
    let of_kind = |name: &str| {
        let kind = name.split(' ').next().unwrap();
        let alike = expected.iter().filter(|(name, _)| name.starts_with(kind));
        alike.fold(0.0f32, |most, (_, values)| most.max(largest(values)))
    };
    for (name, values) in expected {
        let got = &seen[name];
        assert_eq!(values.len(), got.len(), "{what}: {name}");
        let size = largest(values).max(1e-2 * of_kind(name)).max(1e-4);
        for (at, (a, b)) in values.iter().zip(got).enumerate() {
            assert!(
                (a - b).abs() <= 5e-4 * size,
                "{what}: {name} [{at}]: {a} {b}"
            );
        }
    }
}

/// Running statistics by path.
fn statistics(model: &SslModel) -> BTreeMap<String, Vec<f32>> {
    struct Visitor(Vec<String>, BTreeMap<String, Vec<f32>>);
    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let path = self.0.join(".");
            if path.contains(".running_") {
                self.1.insert(path, flat(param.val()));
            }
        }
    }
    let mut visitor = Visitor(Vec::new(), BTreeMap::new());
    model.valid().visit(&mut visitor);
    visitor.1
}

fn gradient(gradients: &GradientsParams, id: ParamId, rank: usize) -> Option<Vec<f32>> {
    match rank {
        1 => gradients.get::<1>(id).map(flat),
        2 => gradients.get::<2>(id).map(flat),
        4 => gradients.get::<4>(id).map(flat),
        _ => panic!("rank {rank}"),
    }
}

/// The mean of values of several shards.
fn mean(shards: &[Vec<f32>]) -> Vec<f32> {
    let mean = |at: usize| shards.iter().map(|shard| shard[at]).sum::<f32>() / shards.len() as f32;
    (0..shards[0].len()).map(mean).collect()
}

#[test]
fn the_gradient_and_the_norms_are_the_mean_of_those_of_batches_as_small_as_the_shards() {
    let _turn = alone();
    let step = step(NORMED, 4, Negatives::Shard, false);
    assert_eq!(step.ids.len(), SAMPLES);
    let mut gradients: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
    let mut norms: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
    let (mut losses, mut per_sample, mut embeddings) = (Vec::new(), Vec::new(), Vec::new());
    for ids in step.ids.chunks(SAMPLES / 4) {
        let model = model(NORMED);
        let taps = &mut Taps::none();
        let batch = batch(ids, 2);
        let output = model.objective().forward(model.encoder(), batch, taps);
        losses.push(flat(output.loss.clone()));
        per_sample.extend(flat(output.per_sample));
        embeddings.push(flat(output.embeddings));
        let all = GradientsParams::from_grads(output.loss.backward(), &model);
        for info in parameters(&model) {
            if let Some(values) = gradient(&all, info.id, info.shape.len()) {
                gradients.entry(info.path).or_default().push(values);
            }
        }
        for (path, values) in statistics(&model) {
            norms.entry(path).or_default().push(values);
        }
    }
    let mut expected: Seen = gradients
        .iter()
        .map(|(path, shards)| (format!("gradient {path}"), mean(shards)))
        .collect();
    expected.insert("loss".to_owned(), mean(&losses));
    expected.insert("per sample".to_owned(), per_sample);
    // Rows of view 0 of all shards first, then those of view 1.
    let halves = |shard: &Vec<f32>| shard.len() / 2;
    let rows = [0, 1].map(|view| {
        let of_view = embeddings.iter().map(move |shard| {
            let half = halves(shard);
            shard[view * half..(view + 1) * half].to_vec()
        });
        of_view.collect::<Vec<_>>().concat()
    });
    expected.insert("embeddings".to_owned(), rows.concat());
    let mut seen = step.seen;
    seen.retain(|name, _| expected.contains_key(name));
    assert_close(&expected, &seen, "four shards");

    let after = statistics(&step.after);
    let start = statistics(&model(NORMED));
    assert!(after.len() > 10);
    for (path, values) in &after {
        for (value, mean) in values.iter().zip(mean(&norms[path])) {
            assert!((value - mean).abs() < 1e-5, "{path}: {value} {mean}");
        }
        assert_ne!(values, &start[path], "{path}");
    }
}

#[test]
fn where_no_sample_sees_another_shards_change_nothing_but_rounding() {
    let _turn = alone();
    let case = rows_alone("supervised");
    let whole = step(case, 1, Negatives::Shard, false);
    for count in [2, 3, 4, 8] {
        let cut = step(case, count, Negatives::Shard, false);
        assert_eq!(whole.ids, cut.ids);
        assert_close(&whole.seen, &cut.seen, &format!("{count} shards"));
    }
}

#[test]
fn weights_and_terms_that_plugins_write_reach_every_shard() {
    let _turn = alone();
    let case = rows_alone("supervised");
    let plain = step(case, 1, Negatives::Shard, false);
    let whole = step(case, 1, Negatives::Shard, true);
    let cut = step(case, 4, Negatives::Shard, true);
    assert_close(&whole.seen, &cut.seen, "weights and terms");
    assert_ne!(plain.seen["loss"], whole.seen["loss"]);
}

#[test]
fn with_all_negatives_a_shard_is_compared_with_the_whole_batch() {
    let _turn = alone();
    for objective in ["simclr", "vicreg", "barlow_twins"] {
        let case = rows_alone(objective);
        let whole = step(case, 1, Negatives::Shard, false);
        let all = step(case, 4, Negatives::All, false);
        assert_close(&whole.seen, &all.seen, objective);
        let own = step(case, 4, Negatives::Shard, false);
        assert_ne!(whole.seen["per sample"], own.seen["per sample"]);
        let far = (whole.seen["loss"][0] - own.seen["loss"][0]).abs();
        assert!(far > 1e-3, "{objective}: {far}");

        let whole = step(case, 1, Negatives::Shard, true);
        let all = step(case, 4, Negatives::All, true);
        assert_close(&whole.seen, &all.seen, &format!("{objective}, written"));
    }
}

#[test]
fn a_second_pass_moves_norms_once() {
    let _turn = alone();
    let once = step(NORMED, 4, Negatives::Shard, false);
    let twice = step(NORMED, 4, Negatives::All, false);
    assert_eq!(statistics(&once.after), statistics(&twice.after));
}

#[test]
fn norms_that_are_frozen_stay_to_the_bit() {
    let _turn = alone();
    // The mean of three equal numbers need not be that number.
    let frozen = Case {
        frozen: true,
        ..NORMED
    };
    let (start, after) = (
        statistics(&model(NORMED)),
        statistics(&step(frozen, 3, Negatives::Shard, false).after),
    );
    for (path, values) in &start {
        let moves = !path.starts_with("encoder.");
        assert_eq!(*values != after[path], moves, "{path}");
    }
}

#[test]
fn shards_that_cannot_be_are_refused() {
    let _turn = alone();
    let refused = |afterimage: Afterimage<SslModel>| {
        let place = TempDir::new().unwrap();
        let case = rows_alone("supervised");
        let (report, _) = launch(afterimage, model(case), &place);
        report.error.expect("an error").to_string()
    };
    let cut = |count: usize| Shards {
        count,
        negatives: Negatives::Shard,
    };
    let fed = |count: usize| {
        let feed = Box::new(Pictures(1));
        Afterimage::open(SAMPLES)
            .feed(feed, SAMPLES, 0)
            .shards(cut(count))
    };
    for count in [0, 5, 24, 48] {
        let told = refused(fed(count));
        assert!(told.contains("cannot be cut"), "{count}: {told}");
    }
    let told = refused(Afterimage::open(SAMPLES).shards(cut(4)));
    assert!(told.contains("Afterimage::feed"), "{told}");
    let feed = Box::new(Pictures(1));
    let opaque = Afterimage::opaque(SAMPLES).feed(feed, SAMPLES, 0);
    let told = refused(opaque.shards(cut(4)));
    assert!(told.contains("Afterimage::open"), "{told}");
    // A loss that compares nothing has no negatives.
    let told = refused(fed(4).shards(Shards {
        count: 4,
        negatives: Negatives::All,
    }));
    assert!(told.contains("compares no samples"), "{told}");
}

/// Renders what the loop plans for a model that cuts no batches.
struct Whole;

impl Feed<Batch> for Whole {
    fn open(
        &self,
        _: u32,
        _: Vec<Vec<SampleId>>,
        _: usize,
    ) -> Result<Box<dyn Batches<Batch>>, TrainError> {
        Ok(Box::new(Self))
    }
}

impl Batches<Batch> for Whole {
    fn next(&mut self, batch: &Plan) -> Result<Batch, TrainError> {
        let items = batch.ids().iter().map(|id| Stripes::new(id.0)).collect();
        Ok(Pack.batch(items, &device()))
    }
}

#[test]
fn a_model_that_cuts_no_batches_is_told_what_it_lacks() {
    let _turn = alone();
    let place = TempDir::new().unwrap();
    let net = seeded(&device(), 5, || Net::new(&device()));
    let afterimage = Afterimage::<Net>::open(SAMPLES).feed(Box::new(Whole), SAMPLES, 0);
    let afterimage = afterimage.shards(Shards {
        count: 4,
        negatives: Negatives::Shard,
    });
    let told = launch(afterimage, net, &place).0.error.expect("an error");
    assert!(told.to_string().contains("HookedModel::shard"), "{told}");
}
