//! A probe with everything read and checked, before anything is written.

use std::sync::Arc;

use afterimage_data::{DataSet, SampleStore, ViewSource, Views};
use afterimage_hooks::{Clock, Doses, ModelView, PairSets, SampleId, Samples as _, Site, Split};
use afterimage_memory::points_of_both;
use afterimage_model::{AnyEncoder, Encoder as _, Masks};
use burn::tensor::Device;

use super::beside::Beside;
use super::features::embeddings;
use super::subject::Subject;
use super::{ProbeConfig, ProbeOptions};
use crate::device::open_device;
use crate::doses::plant;
use crate::error::RunError;
use crate::points::Available;
use crate::prepared::{plain_views, side_for};

/// Images of each split whose embeddings are looked at before anything is measured.
const LOOKED_AT: usize = 32;

/// What a probe looks at.
pub(crate) struct Prepared {
    pub(crate) device: Device,
    pub(crate) data: Arc<DataSet>,
    /// Views without augmentation.
    pub(crate) plain: Views,
    pub(crate) store: SampleStore,
    pub(super) sites: Vec<Site>,
    /// The encoder at random initial parameters, and its reference.
    pub(super) untrained: Beside,
    /// The encoder, and its reference.
    pub(crate) model: Beside,
    /// The encoder itself, with its masks.
    pub(crate) encoder: (AnyEncoder, Masks),
    /// That reference, with its masks.
    pub(crate) reference: Option<(AnyEncoder, Masks)>,
    /// The time of the encoder's checkpoint.
    pub(crate) clock: Clock,
    /// Sets of points, where there is a reference.
    pub(crate) pair: Option<PairSets>,
    /// Training images that were planted, where the run had some.
    pub(crate) doses: Option<Doses>,
    /// Tensors outside of the encoder, by name.
    pub(super) left_out: Vec<String>,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
}

impl Prepared {
    /// Reads the images and loads the encoders.
    pub(crate) fn new(
        subject: &Subject,
        config: &ProbeConfig,
        options: &ProbeOptions,
    ) -> Result<Self, RunError> {
        let device = open_device(&config.device)?;
        let mut notes = subject.notes.clone();
        let mut data = config.data.load_telling(config.limits, &mut notes)?;
        if let Some(noise) = &config.label_noise {
            data = noise.apply(data, config.seed)?;
        }
        let known = subject.pair(config, data.train.len())?;
        let doses = planted(
            subject,
            config,
            (data.train.len(), known.as_ref()),
            &mut notes,
        )?;
        if let Some(doses) = &doses {
            data = plant(data, doses, config.seed)?;
        }
        match (subject.channels(), data.train.shape().channels) {
            (Some(3), 1) => {
                data = data.in_colour();
                notes.push("the images are gray; each went in as three equal channels".to_owned());
            }
            (Some(1), 3) => return Err(RunError::ColourImages),
            _ => {}
        }
        let data = Arc::new(data);
        let shape = data.train.shape();
        let views = Views::new(&config.views, shape, config.seed)?;
        let plain = plain_views(&config.views, shape, config.seed)?;
        let side = views.shape().height.min(views.shape().width);
        let encoder = subject.encoder(config.convolution, shape.channels, side)?;
        side_for(&encoder, &views)?;
        notes.extend(subject.note_on(&encoder, side));
        let store = SampleStore::new(Arc::clone(&data), views, device.clone());
        let training_device = device.clone().autodiff();
        let untrained = subject.untrained(&encoder, config.seed, &training_device)?;
        let sites = untrained.sites();
        let opened = subject.load(&encoder, &training_device)?;
        let (reference, pair) = match &options.reference {
            Some(path) => {
                let other = Subject::open(path, &options.import)?;
                let like = other.encoder(config.convolution, shape.channels, side)?;
                let beside = other.load(&like, &training_device)?;
                if !beside.masks.is_empty() {
                    return Err(RunError::PrunedLayers { path: path.clone() });
                }
                let reference = beside.encoder;
                if reference.sites() != sites || like.channels() != encoder.channels() {
                    return Err(RunError::OtherArchitecture {
                        studied: encoder.describe(),
                        reference: like.describe(),
                    });
                }
                let whole = Masks::none();
                (
                    Some((reference, whole)),
                    Some(all_candidates(data.train.len())),
                )
            }
            None => match known {
                Some(sets) => {
                    let reference = subject.load_reference(&encoder, &training_device)?;
                    // A run prunes the same units in both encoders of a pair.
                    let masks = opened.masks.clone();
                    (reference.map(|encoder| (encoder, masks)), Some(sets))
                }
                None => (None, None),
            },
        };
        // Before training an encoder and its reference are alike.
        let whole = Masks::none();
        let twin = reference.is_some().then_some((&untrained, &whole));
        let beside = reference.as_ref().map(|(encoder, masks)| (encoder, masks));
        let prepared = Self {
            device,
            plain,
            store,
            untrained: Beside::new(&untrained, &Masks::none(), twin),
            model: Beside::new(&opened.encoder, &opened.masks, beside),
            encoder: (opened.encoder, opened.masks),
            reference,
            clock: opened.clock,
            left_out: opened.left_out,
            data,
            sites,
            pair,
            doses,
            notes,
        };
        prepared.check_finite()?;
        Ok(prepared)
    }

    /// Looks at the embeddings of the encoder and of its reference, before anything is measured.
    fn check_finite(&self) -> Result<(), RunError> {
        let mut models =
            std::iter::once(&self.model as &dyn ModelView).chain(self.model.reference());
        models.try_for_each(|model| self.check_on(model))
    }

    /// Looks at the embeddings that `model` has of the first images of each split.
    ///
    /// # Errors
    /// Some that are not finite.
    pub(crate) fn check_on(&self, model: &dyn ModelView) -> Result<(), RunError> {
        let first = |split| {
            let count = self.store.len(split).min(LOOKED_AT);
            (split, (0..count as u32).map(SampleId).collect())
        };
        let ids = [first(Split::Train), first(Split::HeldOut)];
        let source = |split| ViewSource::new(Arc::clone(&self.data), split, self.plain.clone());
        embeddings(model, source, &ids, &self.device).map(|_| ())
    }
}

impl Prepared {
    /// The training images that the encoder was trained on, as far as is known.
    pub(crate) fn members(&self) -> Vec<SampleId> {
        match &self.pair {
            Some(sets) => sets.members(),
            None => (0..self.data.train.len() as u32).map(SampleId).collect(),
        }
    }

    /// Points of each split that UnitMem looks at: those that `config` asks for, or as many as there
    /// are, which is noted.
    ///
    /// # Errors
    /// Fewer than two.
    pub(super) fn points(&mut self, config: &ProbeConfig) -> Result<usize, RunError> {
        let (train, held_out) = (self.members().len(), self.store.len(Split::HeldOut));
        let available = Available::new(train, held_out, None);
        let wanted = config.unitmem.points;
        let points = points_of_both(wanted, train, held_out);
        if points < 2 {
            return Err(RunError::FewImages { train, held_out });
        }
        self.notes.extend(available.both("unitmem", wanted));
        if let Some(alignment) = &config.alignment {
            self.notes
                .extend(available.each("alignment", alignment.points));
        }
        Ok(points)
    }
}

/// What is planted in the images, of which `samples` are for training; notes where it is not known.
fn planted(
    subject: &Subject,
    config: &ProbeConfig,
    (samples, pair): (usize, Option<&PairSets>),
    notes: &mut Vec<String>,
) -> Result<Option<Doses>, RunError> {
    match &config.doses {
        Some(doses) if subject.on_its_images(config) => {
            doses.choose(samples, pair, config.seed).map(Some)
        }
        Some(_) => {
            let told = "doses: which images a run planted is known of its own checkpoints and images \
                        alone; nothing is planted here";
            notes.push(told.to_owned());
            Ok(None)
        }
        None => Ok(None),
    }
}

/// The sets of points where all that is known is that the reference saw no training image.
fn all_candidates(samples: usize) -> PairSets {
    PairSets {
        shared: Vec::new(),
        candidates: (0..samples as u32).map(SampleId).collect(),
        independent: Vec::new(),
    }
}
