//! A probe with everything read and checked, before anything is written.

use std::path::Path;
use std::sync::Arc;

use afterimage_data::{DataSet, SampleStore, ViewSource, Views};
use afterimage_hooks::{Clock, Doses, ModelView, PairSets, SampleId, Samples as _, Site, Split};
use afterimage_memory::points_of_both;
use afterimage_model::{AnyEncoder, Encoder as _, EncoderConfig, Masks};
use burn::tensor::Device;

use super::beside::Beside;
use super::features::embeddings;
use super::own::{OnOthers, Own, told_of_reference};
use super::subject::Subject;
use super::{ProbeConfig, ProbeOptions};
use crate::device::open_device;
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
    ///
    /// # Errors
    /// Images or an encoder that cannot be read, or that do not go together; other training images than
    /// those of a run whose sets of points hang on them.
    pub(crate) fn new(
        subject: &Subject,
        config: &ProbeConfig,
        options: &ProbeOptions,
    ) -> Result<Self, RunError> {
        Self::on(subject, config, options, OnOthers::Refuse)
    }

    /// The same for images that are embedded alone, which may be any.
    ///
    /// # Errors
    /// Images or an encoder that cannot be read, or that do not go together.
    pub(crate) fn to_embed(
        subject: &Subject,
        config: &ProbeConfig,
        options: &ProbeOptions,
    ) -> Result<Self, RunError> {
        Self::on(subject, config, options, OnOthers::SetAside)
    }

    fn on(
        subject: &Subject,
        config: &ProbeConfig,
        options: &ProbeOptions,
        on_others: OnOthers,
    ) -> Result<Self, RunError> {
        let device = open_device(&config.device)?;
        let mut notes = subject.notes.clone();
        let Own {
            mut data,
            pair: known,
            doses,
        } = Own::read(subject, config, on_others, &mut notes)?;
        match (subject.channels()?, data.train.shape().channels) {
            (3, 1) => {
                data = data.in_colour();
                notes.push("the images are gray; each went in as three equal channels".to_owned());
            }
            (1, 3) => return Err(RunError::ColourImages),
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
        let (reference, pair) = match (&options.reference, known) {
            (Some(path), known) => {
                let like = (&encoder, sites.as_slice(), side);
                let other = Subject::open(path, &options.import)?;
                let reference = reference_at(path, &other, config, like, &training_device)?;
                let count = data.train.len();
                notes.extend(known.as_ref().map(|known| told_of_strangers(known, count)));
                let sets = seen_alone(known.as_ref(), count);
                notes.extend(told_of_reference(&other, &data, &sets.candidates));
                (Some((reference, Masks::none())), Some(sets))
            }
            (None, Some(sets)) => {
                let reference = subject.load_reference(&encoder, &training_device)?;
                // A run prunes the same units in both encoders of a pair.
                let masks = opened.masks.clone();
                (reference.map(|encoder| (encoder, masks)), Some(sets))
            }
            (None, None) => (None, None),
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

/// The encoder in `path`, of the architecture of the one that is studied: its configuration, its sites, and
/// the side of its views.
fn reference_at(
    path: &Path,
    other: &Subject,
    config: &ProbeConfig,
    (encoder, sites, side): (&EncoderConfig, &[Site], usize),
    device: &Device,
) -> Result<AnyEncoder, RunError> {
    let like = other.encoder(config.convolution, encoder.channels(), side)?;
    let beside = other.load(&like, device)?;
    if !beside.masks.is_empty() {
        return Err(RunError::PrunedLayers {
            path: path.to_owned(),
        });
    }
    let reference = beside.encoder;
    if reference.sites() != sites || like.channels() != encoder.channels() {
        return Err(RunError::OtherArchitecture {
            studied: encoder.describe(),
            reference: like.describe(),
        });
    }
    Ok(reference)
}

/// The sets of points where all that is known of the reference is that it saw no training image: the
/// encoder alone saw those that it was trained on, which are all `samples` unless its run knows more.
fn seen_alone(known: Option<&PairSets>, samples: usize) -> PairSets {
    PairSets {
        shared: Vec::new(),
        candidates: match known {
            Some(known) => known.members(),
            None => (0..samples as u32).map(SampleId).collect(),
        },
        independent: Vec::new(),
    }
}

/// What there is to say of training images that the encoder of a pair never saw.
fn told_of_strangers(known: &PairSets, samples: usize) -> String {
    let members = known.members().len();
    format!(
        "--reference: candidates are the {members} of the {samples} training images that this encoder of a \
         pair saw; the others, which its own reference saw, are left out"
    )
}
