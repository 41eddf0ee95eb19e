//! One step over all samples, and what it shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use afterimage::model::{EncoderConfig, ProjectionHeadConfig, parameters};
use afterimage::prelude::*;
use afterimage::ssl::{Negatives, ObjectiveBatch, ObjectiveConfig, RunFacts, Shard, Shards};
use afterimage::train::{Batches, Feed, NoLoader, RunReport, SslBatch, SslModel, TrainError};
use burn::optim::SgdConfig;
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::metric::{Adaptor, LossInput, LossMetric};
use burn::train::renderer::CliMetricsRenderer;
use burn::train::{Learner, SupervisedTraining, TrainStep};
use tempfile::TempDir;

pub const SAMPLES: usize = 24;
const SIDE: usize = 16;

/// What is trained.
#[derive(Clone, Copy)]
pub struct Case {
    pub encoder: &'static str,
    pub objective: &'static str,
    /// Whether head and encoder have batch norms.
    pub norm: bool,
    /// Whether the encoder is frozen.
    pub frozen: bool,
}

pub const NORMED: Case = Case {
    encoder: r#"{"kind": "resnet9", "width": 0.125}"#,
    objective: "simclr",
    norm: true,
    frozen: false,
};

/// A network in which no sample sees another.
pub const fn rows_alone(objective: &'static str) -> Case {
    Case {
        encoder: r#"{"kind": "vit", "size": "tiny", "patch": 8, "depth": 1}"#,
        objective,
        norm: false,
        frozen: false,
    }
}

/// The device's generator is one for the process: a step of another test would mix its draws with those of
/// a model under way.
pub fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn device() -> Device {
    Device::flex().autodiff()
}

pub fn model(case: Case) -> SslModel {
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
pub fn batch(ids: &[SampleId], views: usize) -> ObjectiveBatch {
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

pub struct Pictures(pub usize);

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
pub type Seen = BTreeMap<String, Vec<f32>>;

/// Keeps all that it sees of the last step.
struct Watcher(Arc<Mutex<(Vec<SampleId>, Seen)>>);

impl Watcher {
    fn keep(&self, name: impl Into<String>, values: Vec<f32>) {
        self.0.lock().unwrap().1.insert(name.into(), values);
    }
}

pub fn flat<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
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
pub struct Step {
    pub seen: Seen,
    pub ids: Vec<SampleId>,
    pub after: SslModel,
}

/// Runs one step over all samples.
pub fn step(case: Case, count: usize, negatives: Negatives, writer: bool) -> Step {
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

pub fn launch<M>(afterimage: Afterimage<M>, model: M, place: &TempDir) -> (RunReport, M)
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
