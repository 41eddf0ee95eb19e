//! Attaching plugins to a burn `SupervisedTraining`.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use afterimage_hooks::{Attached, Decision, Doses, Outcome, PairSets, SampleId, Samples, Sink};
use afterimage_model::Masks;
use afterimage_model::compact::Kept;
use afterimage_ssl::Shards;
use afterimage_track::{Progress, Sinks};
use burn::train::{Learner, LearnerModel, SupervisedTraining, TrainStep, TrainingStrategy};

use crate::checkpoint::Checkpoints;
use crate::driver::{Driver, Opaque, Open};
use crate::evaluate::Evaluator;
use crate::feed::Feed;
use crate::hooked::HookedModel;
use crate::processes::Group;
use crate::records::{Always, Records};
use crate::strategy::HookedStrategy;
use crate::surgery::Rebuild;

/// When and what to evaluate.
pub(crate) struct Evaluation {
    pub(crate) every: u32,
    pub(crate) evaluator: Box<dyn Evaluator>,
    /// Name of the figure that decides which checkpoint is best; higher is better.
    pub(crate) best: String,
}

/// When to write checkpoints.
pub(crate) struct Saving {
    pub(crate) checkpoints: Checkpoints,
    pub(crate) every_epochs: u32,
    pub(crate) resume: bool,
}

/// What became of a run; filled in when the training returns.
#[derive(Debug, Default)]
pub struct RunReport {
    /// How the run ended.
    pub outcome: Option<Outcome>,
    /// The error that ended it, if one did.
    pub error: Option<crate::TrainError>,
    /// Ids of plugins that failed and were switched off.
    pub disabled_plugins: Vec<String>,
    /// Sinks that could not write, with the reason.
    pub disabled_sinks: Vec<String>,
    /// The last value of every scalar.
    pub scalars: std::collections::BTreeMap<String, f64>,
    /// The step in which each of `scalars` was measured.
    pub measured: std::collections::BTreeMap<String, u64>,
    /// Seconds by plugin and event, and calls.
    pub costs: Vec<(String, String, u64, f64)>,
    /// Seconds of the loop in this process.
    pub seconds: f64,
    /// Steps done in this process.
    pub steps: u64,
    /// The last checkpoint.
    pub checkpoint: Option<PathBuf>,
}

/// Everything that the loop is given, apart from burn's own parts.
pub(crate) struct Parts<M: LearnerModel> {
    pub(crate) driver: Box<dyn Driver<M>>,
    pub(crate) feed: Option<Box<dyn Feed<<M as TrainStep>::Input>>>,
    pub(crate) train_samples: usize,
    /// The samples that an epoch runs over, where the loop plans it; in ascending order.
    pub(crate) members: Vec<SampleId>,
    pub(crate) pair: Option<PairSets>,
    pub(crate) doses: Option<Doses>,
    pub(crate) held_out_samples: usize,
    /// Makes the learner of a model that lost units or is frozen in part.
    pub(crate) rebuild: Option<Rebuild<M>>,
    /// What the learner's model keeps of the network that the config describes.
    pub(crate) kept: Kept,
    /// Units held at zero from the first step.
    pub(crate) masks: Masks,
    /// Height and width of the images, where the program tells.
    pub(crate) sides: Option<[usize; 2]>,
    pub(crate) batch_size: usize,
    pub(crate) shards: Shards,
    pub(crate) group: Group,
    pub(crate) seed: u64,
    pub(crate) config: String,
    pub(crate) plugins: Vec<Attached>,
    pub(crate) samples: Option<Arc<dyn Samples>>,
    pub(crate) sinks: Box<dyn FnOnce(Option<u64>) -> Sinks>,
    pub(crate) decisions: Option<PathBuf>,
    pub(crate) saving: Option<Saving>,
    pub(crate) evaluation: Option<Evaluation>,
    pub(crate) progress: Option<Progress>,
    pub(crate) signal: Arc<AtomicUsize>,
    pub(crate) overhead_warn: f64,
    pub(crate) report: Rc<RefCell<RunReport>>,
}

impl<M: LearnerModel> Parts<M> {
    /// Samples of an epoch that the loop plans.
    pub(crate) fn planned(&self) -> usize {
        let members = self.members.len();
        let doses = self.doses.as_ref();
        doses.map_or(members, |doses| doses.planned(members))
    }
}

/// Plugins, sinks and checkpoints for a burn training; [`attach`](Self::attach) hands them in.
///
/// An existing program keeps its model, loader, metrics, renderer and early stopping:
///
/// ```no_run
/// # use afterimage_hooks::Attached;
/// # use afterimage_train::{Afterimage, HookedModel};
/// # use burn::train::{Learner, SupervisedTraining};
/// # fn example<M: HookedModel>(training: SupervisedTraining<M>, learner: Learner<M>, plugin: Attached) {
/// let afterimage = Afterimage::open(64).plugin(plugin);
/// let result = afterimage.attach(training).launch(learner);
/// # }
/// ```
pub struct Afterimage<M: LearnerModel> {
    parts: Parts<M>,
}

impl<M: HookedModel> Afterimage<M> {
    /// For a model that shows the inside of its step; `batch_size` is the number of samples in a
    /// batch of the loader.
    pub fn open(batch_size: usize) -> Self {
        Self::with_driver(Box::new(Open), batch_size)
    }
}

impl<M: LearnerModel> Afterimage<M> {
    /// For any model of burn-train. Plugins that need what is inside a step are refused.
    pub fn opaque(batch_size: usize) -> Self {
        Self::with_driver(Box::new(Opaque), batch_size)
    }

    fn with_driver(driver: Box<dyn Driver<M>>, batch_size: usize) -> Self {
        Self {
            parts: Parts {
                driver,
                feed: None,
                train_samples: 0,
                members: Vec::new(),
                pair: None,
                doses: None,
                held_out_samples: 0,
                rebuild: None,
                kept: Kept::default(),
                masks: Masks::none(),
                sides: None,
                batch_size: batch_size.max(1),
                shards: Shards::default(),
                group: Group::default(),
                seed: 0,
                config: String::new(),
                plugins: Vec::new(),
                samples: None,
                sinks: Box::new(|_| Sinks::new()),
                decisions: None,
                saving: None,
                evaluation: None,
                progress: None,
                signal: Arc::default(),
                overhead_warn: 0.1,
                report: Rc::default(),
            },
        }
    }

    /// The seed of the loop's and the plugins' random choices; default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.parts.seed = seed;
        self
    }

    /// Attaches a plugin.
    pub fn plugin(mut self, plugin: Attached) -> Self {
        self.parts.plugins.push(plugin);
        self
    }

    /// Adds a sink for measurements.
    ///
    /// # Errors of the sink
    /// A sink that could not be opened is reported, and the training runs without it.
    pub fn sink<S: Sink + 'static>(
        mut self,
        name: &str,
        sink: Result<S, afterimage_track::TrackError>,
    ) -> Self {
        let name = name.to_owned();
        let before = self.parts.sinks;
        self.parts.sinks = Box::new(move |resume| {
            let mut sinks = before(resume);
            sinks.add(&name, sink);
            sinks
        });
        self
    }

    /// All sinks at once, opened when the step to resume from is known (`None` for a new run).
    pub fn sinks(mut self, open: impl FnOnce(Option<u64>) -> Sinks + 'static) -> Self {
        self.parts.sinks = Box::new(open);
        self
    }

    /// Lets the loop plan and feed its own batches, out of `train` samples; `held_out` is told to
    /// plugins. Without it batches come from burn's loader.
    pub fn feed(
        mut self,
        feed: Box<dyn Feed<<M as TrainStep>::Input>>,
        train: usize,
        held_out: usize,
    ) -> Self {
        self.parts.feed = Some(feed);
        self.parts.train_samples = train;
        self.parts.members = (0..train as u32).map(SampleId).collect();
        self.parts.held_out_samples = held_out;
        self
    }

    /// Trains the encoder on shared points and candidates alone, and tells plugins the sets. The feed
    /// puts independent points into the batches of the model's reference encoder. Call it after
    /// [`feed`](Self::feed).
    pub fn pair(mut self, sets: PairSets) -> Self {
        self.parts.members = sets.members();
        self.parts.pair = Some(sets);
        self
    }

    /// Shows planted samples as often as they are planted, wherever no plugin sets a plan, and tells
    /// plugins which they are.
    pub fn doses(mut self, doses: Doses) -> Self {
        self.parts.doses = Some(doses);
        self
    }

    /// How to make a learner of a model, with the optimizer and the schedule that the run was
    /// launched with, which the loop then loads: with it, and with
    /// [`checkpoints`](Self::checkpoints), `Compact` and `Freeze` can be asked for.
    pub fn rebuild(mut self, rebuild: impl Fn(M) -> Learner<M> + 'static) -> Self {
        self.parts.rebuild = Some(Box::new(rebuild));
        self
    }

    /// For a model that lacks units from the start: `kept` is what the learner's model has of the
    /// network that the config describes, and `masks` the units of it that are held at zero. A resumed
    /// run may be given what it began with, or what its checkpoint keeps; its masks are the
    /// checkpoint's.
    pub fn without_units(mut self, kept: Kept, masks: Masks) -> Self {
        self.parts.kept = kept;
        self.parts.masks = masks;
        self
    }

    /// Height and width of the images in a step, from which plugins learn what a model costs.
    pub fn image_sides(mut self, sides: [usize; 2]) -> Self {
        self.parts.sides = Some(sides);
        self
    }

    /// Cuts each batch into shards, each with a forward and a backward pass of its own. The model is to
    /// be open ([`HookedModel::shard`]), the loop to plan the batches, and the number of shards to divide
    /// their size and leave two samples to each.
    pub fn shards(mut self, shards: Shards) -> Self {
        self.parts.shards = shards;
        self
    }

    /// The processes that share out the shards of each batch; all of them run the same training on the
    /// same samples. The number of shards is to be a multiple of theirs. Give sinks, decisions and progress
    /// to the first alone; checkpoints are written by it, and to be given to all.
    pub fn processes(mut self, group: Group) -> Self {
        self.parts.group = group;
        self
    }

    /// Where plugins get pictures and views from.
    pub fn samples(mut self, samples: Arc<dyn Samples>) -> Self {
        self.parts.samples = Some(samples);
        self
    }

    /// The resolved config, for plugins and sinks.
    pub fn config(mut self, toml: impl Into<String>) -> Self {
        self.parts.config = toml.into();
        self
    }

    /// Logs every decision to this file, one JSON object a line.
    pub fn decisions(mut self, path: impl Into<PathBuf>) -> Self {
        self.parts.decisions = Some(path.into());
        self
    }

    /// Writes checkpoints every `every_epochs` epochs, at a signal and at the end; with `resume`,
    /// goes on from the last one.
    pub fn checkpoints(
        mut self,
        checkpoints: Checkpoints,
        every_epochs: u32,
        resume: bool,
    ) -> Self {
        let every_epochs = every_epochs.max(1);
        self.parts.saving = Some(Saving {
            checkpoints,
            every_epochs,
            resume,
        });
        self
    }

    /// Evaluates before training, every `every` epochs, and at the end; the figure called `best`
    /// decides which checkpoint is kept as the best.
    pub fn evaluation(
        mut self,
        every: u32,
        evaluator: Box<dyn Evaluator>,
        best: impl Into<String>,
    ) -> Self {
        let every = every.max(1);
        self.parts.evaluation = Some(Evaluation {
            every,
            evaluator,
            best: best.into(),
        });
        self
    }

    /// Shows progress.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.parts.progress = Some(progress);
        self
    }

    /// Stops after a checkpoint as soon as this is not 0 (a signal number).
    pub fn signal(mut self, signal: Arc<AtomicUsize>) -> Self {
        self.parts.signal = signal;
        self
    }

    /// Warns about a plugin that takes more than this share of the run's time; default 0.1.
    pub fn warn_above(mut self, share: f64) -> Self {
        self.parts.overhead_warn = share;
        self
    }

    /// What became of the run, to be read after `launch`.
    pub fn report(&self) -> Rc<RefCell<RunReport>> {
        Rc::clone(&self.parts.report)
    }

    /// Hands the loop to burn-train. Call it last: it sets the training strategy and, if
    /// checkpoints are on, the checkpointers.
    pub fn attach(self, training: SupervisedTraining<M>) -> SupervisedTraining<M> {
        let (training, records) = if self.parts.saving.is_some() {
            let ([model, optimizer, schedule], records) = Records::new();
            let training = training
                .with_custom_checkpointers(model, optimizer, schedule)
                .with_checkpointing_strategy(Always);
            (training, Some(records))
        } else {
            (training, None)
        };
        let strategy = HookedStrategy::new(self.parts, records);
        // burn-train asks for an `Arc`; the strategy stays on this thread.
        #[allow(clippy::arc_with_non_send_sync)]
        let strategy = Arc::new(strategy);
        training.with_training_strategy(TrainingStrategy::Custom(strategy))
    }
}

/// One line of `decisions.jsonl`.
pub(crate) fn decision_line(decision: &Decision) -> String {
    serde_json::to_string(decision).unwrap_or_default() + "\n"
}
