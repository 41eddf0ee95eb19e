//! The encoder under the knife, and the judge of every arm.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_hooks::Split;
use afterimage_model::{
    AnyEncoder, Encoder as _, EncoderConfig, EncoderView, Layer, Masks, layers, parameters,
};
use afterimage_train::{Evaluator as _, Judge, JudgeConfig, TrainError};
use burn::tensor::Device;

use super::arms::Arm;
use super::left::Memory;
use crate::error::RunError;
use crate::fitting;
use crate::probe::{ONCE, Prepared, ProbeConfig, ProbeOptions, Subject, load_for};
use crate::pulse::Pulse;

/// The device whose memory is that of the machine.
const CPU: &str = "cpu";
/// Images that every encoder is looked at with first.
const FIRST: usize = 32;
/// What decides how large one image is.
const SIDE: &str = "views.size";

/// Refuses forward passes that memory has no room for, each by the key that decides how large it is.
fn has_room(
    encoder: &AnyEncoder,
    channels: usize,
    side: usize,
    passes: &[(&str, usize)],
) -> Result<(), RunError> {
    for &(key, rows) in passes {
        let told = fitting::pass(encoder, channels, side, rows);
        told.map_err(|told| {
            fitting::of_key(
                key,
                format!("{told}; lower it, or the views and their size"),
            )
        })?;
    }
    Ok(())
}

/// Refuses views of a size of their own that memory has no room for, before images are read.
///
/// # Errors
/// Such views, or some that the encoder cannot take.
pub(crate) fn views_fit(subject: &Subject, config: &ProbeConfig) -> Result<(), RunError> {
    // How many images there are is known only once they are read, and then some are looked at.
    fit(subject, config, &passes(config, first(config)))
}

/// The same for images that are embedded alone: nothing else is measured on them.
///
/// # Errors
/// As for [`views_fit`].
pub(crate) fn embedding_fits(subject: &Subject, config: &ProbeConfig) -> Result<(), RunError> {
    fit(subject, config, &[(SIDE, first(config))])
}

/// Images that are looked at for certain.
fn first(config: &ProbeConfig) -> usize {
    FIRST.min(config.limits.train.unwrap_or(FIRST))
}

fn fit(subject: &Subject, config: &ProbeConfig, passes: &[(&str, usize)]) -> Result<(), RunError> {
    let Some(side) = config.views.size.filter(|_| config.device == CPU) else {
        return Ok(());
    };
    let channels = subject.channels().unwrap_or(1);
    let described = subject.encoder(config.convolution, channels, side)?;
    let outline = described.outline(&Device::flex());
    has_room(&outline.map_err(TrainError::from)?, channels, side, passes)
}

/// Rows of the forward passes that judge an encoder and measure its memory on up to `images` images.
fn passes(config: &ProbeConfig, images: usize) -> Vec<(&'static str, usize)> {
    let mut all = vec![(SIDE, JudgeConfig::default().batch_size.min(images))];
    let mut probe = |key, points: usize, batch: usize, views: usize| {
        let rows = batch.min(points).min(images).saturating_mul(views);
        all.push((key, rows));
    };
    let (unitmem, layermem) = (&config.unitmem, &config.layermem);
    probe(
        "unitmem.batch",
        unitmem.points,
        unitmem.batch,
        unitmem.views,
    );
    probe(
        "layermem.batch",
        layermem.points,
        layermem.batch,
        layermem.views,
    );
    if let Some(gap) = &config.alignment {
        probe("alignment.batch", gap.points, gap.batch, gap.views);
    }
    all
}

/// An encoder with the images that it is judged on.
pub(crate) struct Operated {
    pub(super) config: ProbeConfig,
    pub(crate) prepared: Prepared,
    pub(crate) encoder: AnyEncoder,
    /// Units that the run pruned already.
    pub(super) masks: Masks,
    /// Whether units of it were taken out.
    pub(super) cut: bool,
    /// The checkpoint, where it is one of a run.
    pub(super) checkpoint: Option<PathBuf>,
    /// Epochs that it was trained for, as far as is known.
    pub(super) epoch: u32,
    description: EncoderConfig,
    device: Device,
    judge: Judge,
    memory: Memory,
    pulse: Pulse,
}

impl Operated {
    /// Reads the images and loads the encoder.
    pub(crate) fn open(options: &ProbeOptions) -> Result<Self, RunError> {
        let subject = Subject::open(&options.checkpoint, &options.import)?;
        let loaded = load_for(&subject, options)?;
        let config = loaded.value;
        views_fit(&subject, &config)?;
        let mut prepared = Prepared::new(&subject, &config, options)?;
        let mut notes = Vec::new();
        let memory = Memory::of(&prepared, &config, &mut notes);
        prepared.notes.extend(notes);
        let shape = prepared.plain.shape();
        let side = shape.height.min(shape.width);
        let description = subject.encoder(config.convolution, shape.channels, side)?;
        let device = prepared.device.clone().autodiff();
        let opened = subject.load(&description, &device)?;
        if config.device == CPU {
            let images = prepared.data.train.len().max(prepared.data.held_out.len());
            let passes = passes(&config, images);
            has_room(&opened.encoder, shape.channels, side, &passes)?;
        }
        let source = |split| {
            let (data, plain) = (Arc::clone(&prepared.data), prepared.plain.clone());
            Arc::new(ViewSource::new(data, split, plain))
        };
        let judge = Judge::new(
            JudgeConfig::default(),
            source(Split::Train),
            source(Split::HeldOut),
            config.seed,
            prepared.device.clone(),
        );
        Ok(Self {
            encoder: opened.encoder,
            masks: opened.masks,
            cut: subject.kept().removed() > 0,
            checkpoint: subject.checkpoint().map(Path::to_owned),
            epoch: opened.clock.epoch,
            config,
            description,
            device,
            judge,
            memory,
            prepared,
            pulse: options.pulse.clone(),
        })
    }

    /// Another encoder of the same architecture.
    pub(super) fn donor(
        &self,
        path: &Path,
        options: &ProbeOptions,
    ) -> Result<AnyEncoder, RunError> {
        let subject = Subject::open(path, &options.import)?;
        let shape = self.prepared.plain.shape();
        let side = shape.height.min(shape.width);
        let description = subject.encoder(self.config.convolution, shape.channels, side)?;
        let opened = subject.load(&description, &self.device)?;
        if !opened.masks.is_empty() {
            return Err(RunError::PrunedLayers {
                path: path.to_owned(),
            });
        }
        let encoder = opened.encoder;
        let shapes = |encoder: &AnyEncoder| -> Vec<(String, Vec<usize>)> {
            let all = parameters(encoder).into_iter();
            all.map(|parameter| (parameter.path, parameter.shape))
                .collect()
        };
        if shapes(&encoder) != shapes(&self.encoder) {
            return Err(RunError::OtherLayers {
                studied: self.description.describe(),
                donor: description.describe(),
            });
        }
        let view = EncoderView::new(&encoder, &Masks::none());
        self.prepared.check_on(&view)?;
        Ok(encoder)
    }

    /// The layers of the encoder; paths start with `encoder.`.
    pub(super) fn layers(&self) -> Vec<Layer> {
        let paths: Vec<String> = parameters(&self.encoder)
            .into_iter()
            .map(|parameter| format!("encoder.{}", parameter.path))
            .collect();
        layers(&self.encoder.sites(), &paths)
    }

    /// Judges `encoder`, whose units of `added` are held at zero beside those that are pruned.
    pub(crate) fn arm(
        &self,
        name: impl Into<String>,
        what: Vec<String>,
        encoder: &AnyEncoder,
        added: &Masks,
    ) -> Result<Arm, RunError> {
        let masks = self.masks.union(added)?;
        let view = EncoderView::new(encoder, &masks);
        let figures = self
            .judge
            .evaluate(&view, &ONCE, true)
            .map_err(TrainError::Evaluation)?;
        let figure = |name: &str| figures.get(name).copied().unwrap_or(f64::NAN);
        let memory = self
            .memory
            .measure(&self.prepared, encoder, &masks, added)?;
        self.pulse.add(1);
        Ok(Arm {
            name: name.into(),
            what,
            knn: figure("knn"),
            linear_probe: figure("linear_probe"),
            held_out: self.prepared.data.held_out.len(),
            memory,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_pass_has_its_key() {
        let text = "data = { kind = \"embedded\" }\n[unitmem]\nviews = 1024\nbatch = 32\n[alignment]\nbatch = 5\n";
        let config: ProbeConfig = toml::from_str(text).unwrap();
        let rows = passes(&config, 20);
        assert_eq!(
            rows,
            [
                ("views.size", 20),
                ("unitmem.batch", 20 * 1024),
                ("layermem.batch", 8 * 10),
                ("alignment.batch", 5 * 4)
            ]
        );
        let encoder = EncoderConfig::default().for_images(1, 28);
        let encoder = encoder.outline(&Device::flex()).unwrap();
        assert!(has_room(&encoder, 1, 28, &rows[..1]).is_ok());
        let told = has_room(&encoder, 1, 400_000, &rows[1..])
            .unwrap_err()
            .to_string();
        assert!(
            told.contains("unitmem.batch") && told.contains("20480 images"),
            "{told}"
        );
    }
}
