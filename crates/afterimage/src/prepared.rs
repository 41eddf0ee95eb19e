//! A run with everything read and checked, before anything is written.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use afterimage_data::{Crop, DataError, DataSet, Shape, ViewConfig, ViewSource, Views};
use afterimage_hooks::{Attached, Doses, PairSets, SampleId, Split};
use afterimage_kernels::Convolution;
use afterimage_model::compact::Kept;
use afterimage_model::{Encoder as _, EncoderConfig, EncoderView, Masks};
use afterimage_ssl::{RunFacts, Schedule};
use afterimage_train::{SslModel, TrainError};
use burn::tensor::Device;

use crate::config::Loaded;
use crate::device::open_device;
use crate::doses::described;
use crate::dry_run::{attach, in_order};
use crate::error::RunError;
use crate::experiment::Experiment;
use crate::finite::check_on;
use crate::fitting;
use crate::located::located;
use crate::points::Available;
use crate::pruned_groups;
use crate::registry::Registry;
use crate::samples;
use crate::start::Start;

/// Training images that an encoder to start from is tried on.
const LOOKED_AT: usize = 32;

/// A run with everything read and checked, before anything is written.
pub(crate) struct Prepared {
    pub(crate) device: Device,
    pub(crate) data: Arc<DataSet>,
    digest: OnceCell<String>,
    /// Digests of the tables whose columns plugins value.
    pub(crate) tables: String,
    pub(crate) views: Views,
    /// Views beside these, and how many of each sample.
    pub(crate) local: Option<(Views, usize)>,
    pub(crate) plain: Views,
    pub(crate) schedule: Schedule,
    /// Batches of an epoch over all images that are trained on.
    pub(crate) batches: usize,
    pub(crate) pair: Option<Arc<PairSets>>,
    pub(crate) doses: Option<Doses>,
    pub(crate) plugins: Vec<Attached>,
    /// Their ids in the order of dispatch.
    pub(crate) plugin_ids: Vec<String>,
    pub(crate) model: SslModel,
    /// What the model's encoder has of the network that the config describes.
    pub(crate) kept: Kept,
    /// Units of it that are held at zero from the first step.
    pub(crate) masks: Masks,
    /// Layers of the encoder that fine-tuning trains.
    pub(crate) trained: Option<Vec<String>>,
    /// What the user should know about images and points.
    pub(crate) notes: Vec<String>,
}

impl Prepared {
    /// Reads and checks everything; `resumed` is the directory of a run that goes on from a
    /// checkpoint.
    pub(crate) fn new(
        registry: &Registry,
        loaded: &Loaded<Experiment>,
        resumed: Option<&Path>,
    ) -> Result<Self, RunError> {
        Self::checked(registry, loaded, resumed).map_err(|error| located(error, &loaded.locations))
    }

    fn checked(
        registry: &Registry,
        loaded: &Loaded<Experiment>,
        resumed: Option<&Path>,
    ) -> Result<Self, RunError> {
        let experiment = &loaded.value;
        let plugins = attach(registry, loaded)?;
        let device = open_device(&experiment.device)?;
        let mut notes = Vec::new();
        let data = Arc::new(experiment.load_data_telling(&mut notes)?);
        experiment.check_plugins(&data, &plugins)?;
        let tables = experiment.check_tables(&data, resumed, &mut notes)?;
        let digest = OnceCell::new();
        if let Some(run) = resumed {
            samples::unchanged(run, &data, digest.get_or_init(|| data.digest()))?;
        }
        let shape = data.train.shape();
        let views = Views::new(&experiment.views, shape, experiment.seed)?;
        let plain = plain_views(&experiment.views, shape, experiment.seed)?;
        let pair = match experiment.pair {
            Some(pair) => Some(Arc::new(pair.sets(data.train.len(), experiment.seed)?)),
            None => None,
        };
        let available = Available::new(data.train.len(), data.held_out.len(), pair.as_deref());
        notes.extend(available.notes(experiment));
        notes.extend(experiment.note_of_shards());
        let doses = experiment.doses(data.train.len())?;
        let members = available.train;
        notes.extend(doses.iter().map(|doses| described(doses, members)));
        let planned = doses
            .as_ref()
            .map_or(members, |doses| doses.planned(members));
        let steps = steps_of_epoch(planned, experiment.batch_size)?;
        let side = side_for(&experiment.encoder, &views)?;
        let local = local_views(experiment, shape, side)?;
        let schedule = experiment.schedule.init(steps, experiment.epochs)?;
        let encoder = encoder_of(experiment, &plugins, shape.channels, side);
        // What goes on fitted where it began, and may have no more to do than to write its report.
        if resumed.is_none() {
            let images = data.train.len().max(data.held_out.len());
            fitting::check(experiment, &encoder, images, side)?;
        }
        let facts = RunFacts {
            seed: experiment.seed,
            classes: data.train.classes().len(),
            steps_per_epoch: steps,
            epochs: experiment.epochs,
        };
        let on = device.clone().autodiff();
        let start = Start::open(experiment, &encoder, &on, resumed)?;
        let trained = start.trained()?;
        let fresh = || -> Result<SslModel, RunError> {
            let (head, objective) = (experiment.projection.as_ref(), &experiment.objective);
            Ok(SslModel::new(
                start.encoder()?,
                head,
                objective,
                &facts,
                &on,
            )?)
        };
        let model = match &pair {
            Some(_) => fresh()?.with_reference(fresh()?),
            None => fresh()?,
        }
        .freeze(&trained.frozen);
        pruned_groups::check(loaded, model.encoder())?;
        if experiment.fine_tune.is_some() && resumed.is_none() {
            let source = ViewSource::new(Arc::clone(&data), Split::Train, plain.clone());
            let few = data.train.len().min(LOOKED_AT) as u32;
            let ids: Vec<SampleId> = (0..few).map(SampleId).collect();
            let images = source.plain_batch(&ids)?.into_tensor(&device);
            check_on(&EncoderView::new(model.encoder(), &start.masks()), images)?;
        }
        let plugin_ids = in_order(experiment, &plugins, model.encoder().sites())?
            .into_iter()
            .map(|index| plugins[index].manifest().id.clone())
            .collect();
        Ok(Self {
            device,
            data,
            digest,
            tables,
            views,
            local,
            plain,
            schedule,
            batches: planned / experiment.batch_size,
            pair,
            doses,
            plugins,
            plugin_ids,
            model,
            kept: start.kept(),
            masks: start.masks(),
            trained: trained.names,
            notes,
        })
    }

    /// The digest of all images and labels, made once: it reads every one of them.
    pub(crate) fn digest(&self) -> &str {
        self.digest.get_or_init(|| self.data.digest())
    }
}

/// The encoder of the experiment for its images, as `plugins` need it.
pub(crate) fn encoder_of(
    experiment: &Experiment,
    plugins: &[Attached],
    channels: usize,
    side: usize,
) -> EncoderConfig {
    let encoder = experiment.encoder.clone().for_images(channels, side);
    match plugins.iter().any(|plugin| plugin.manifest().exact) {
        true => encoder.with_convolution(Convolution::Direct),
        false => encoder,
    }
}

/// Views without augmentation, as evaluation sees an image: of the size and normalisation of `config`.
pub(crate) fn plain_views(
    config: &ViewConfig,
    image: Shape,
    seed: u64,
) -> Result<Views, DataError> {
    let plain = ViewConfig {
        size: config.size,
        normalize: config.normalize.clone(),
        ..ViewConfig::default()
    };
    Views::new(&plain, image, seed)
}

/// The shorter side of `views`, which `encoder` must be able to take.
pub(crate) fn side_for(encoder: &EncoderConfig, views: &Views) -> Result<usize, RunError> {
    let side = views.shape().height.min(views.shape().width);
    let least = encoder.min_side();
    if side < least {
        return Err(RunError::SmallViews { side, least });
    }
    Ok(side)
}

/// How an objective's local views are made: as the others, but smaller and of smaller parts.
fn local_views(
    experiment: &Experiment,
    image: Shape,
    side: usize,
) -> Result<Option<(Views, usize)>, RunError> {
    let Some(local) = experiment.objective.local_views() else {
        return Ok(None);
    };
    let size = local.size.unwrap_or(side / 2);
    experiment.check_local(size).map_err(RunError::LocalViews)?;
    let recipe = experiment.views.recipe()?;
    let config = ViewConfig {
        size: Some(size),
        crop: Some(Crop {
            scale: local.scale,
            ratio: recipe.crop.map_or([0.75, 4.0 / 3.0], |crop| crop.ratio),
            p: 1.0,
        }),
        ..experiment.views.clone()
    };
    let views = Views::new(&config, image, experiment.seed)?;
    Ok(Some((views, local.count)))
}

/// Batches of an epoch over `samples`.
fn steps_of_epoch(samples: usize, batch: usize) -> Result<u64, RunError> {
    match samples / batch {
        0 => Err(TrainError::TooFewSamples { samples, batch }.into()),
        steps => Ok(steps as u64),
    }
}
