//! What is probed: a checkpoint of a run, or PyTorch weights.

use std::path::{Path, PathBuf};

use afterimage_hooks::Clock;
use afterimage_kernels::Convolution;
use afterimage_model::compact::{Architecture, Kept, load_weights, without_units};
use afterimage_model::{
    AnyEncoder, EncoderConfig, ImageShape, ImportOptions, Masks, Stem, Weights, from_record,
};
use afterimage_train::{LoopState, read_kept, read_model, read_state};
use burn::tensor::Device;

use super::config::of_run;
use super::folder::{checkpoint_in, own_folder};
use crate::config::load_whole_with;
use crate::error::RunError;
use crate::experiment::Experiment;

/// Mean and standard deviation of ImageNet's channels, which torchvision, timm, lightly, DINO and
/// MAE normalise by.
const IMAGENET: &str = "mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225]";
/// Files of a checkpoint's folder that tell it.
pub(super) const CONTENTS: &str = "contents.json";
pub(super) const MODEL: &str = "model.bpk";
pub(crate) const CONFIG: &str = "config.toml";
/// Files of a compacted encoder's folder.
pub(crate) const ARCHITECTURE: &str = "arch.json";
pub(crate) const WEIGHTS: &str = "encoder.safetensors";
pub(crate) const SETTINGS: &str = "probe.toml";
/// Where the two encoders of a run lie in its model's record.
const ENCODER: &str = "encoder";
const REFERENCE: &str = "reference.encoder";
/// Pixels a side that pictures of a folder are scaled to where nothing says more.
const SMALL: usize = 32;
/// Pixels a side under which the stem for large images leaves maps of one position.
const LARGE: usize = 64;
/// When an encoder without a history is probed or judged: after one step of one epoch.
pub(crate) const ONCE: Clock = Clock {
    epoch: 1,
    step: 1,
    epochs: 1,
    steps: 1,
    epoch_began: None,
};

/// An encoder that is there to be loaded.
pub(crate) struct Subject {
    /// What messages call the settings that it brings.
    pub(crate) name: String,
    /// These settings as TOML; config and flags go over them.
    pub(crate) defaults: String,
    /// What it is, in a few words.
    pub(crate) description: String,
    /// What an embedding is, in a few words.
    pub(crate) embedding: &'static str,
    /// What the user should know.
    pub(crate) notes: Vec<String>,
    brings_images: bool,
    origin: Origin,
}

enum Origin {
    Run {
        checkpoint: PathBuf,
        /// Boxed, since it is the larger by far.
        experiment: Box<Experiment>,
        state: Box<LoopState>,
        /// Units that it has of those that its config describes.
        kept: Kept,
    },
    PyTorch(Box<Weights>),
    Compacted {
        weights: PathBuf,
        architecture: Box<Architecture>,
    },
}

/// An encoder in memory.
pub(crate) struct Opened {
    pub(crate) encoder: AnyEncoder,
    pub(crate) masks: Masks,
    pub(crate) clock: Clock,
    /// Tensors outside of the encoder.
    pub(crate) left_out: Vec<String>,
}

impl Opened {
    /// Refuses an encoder whose stem no file of ours can describe.
    ///
    /// # Errors
    /// [`RunError::NoRelu`].
    pub(crate) fn check_stem(&self) -> Result<(), RunError> {
        match &self.encoder {
            AnyEncoder::ResNet(network) if !network.stem.rectified => Err(RunError::NoRelu),
            _ => Ok(()),
        }
    }
}

impl Subject {
    /// Looks at what `path` is, and reads what it says about itself.
    pub(crate) fn open(path: &Path, import: &ImportOptions) -> Result<Self, RunError> {
        if !path.exists() {
            return Err(RunError::NoSuchEncoder {
                path: path.to_owned(),
            });
        }
        if path.join(ARCHITECTURE).is_file() && path.join(WEIGHTS).is_file() {
            return Self::of_compacted(path);
        }
        match own_folder(path) {
            Some(folder) if path.is_dir() => {
                let (checkpoint, notes) = checkpoint_in(folder)?;
                Self::of_run(checkpoint, notes)
            }
            Some(folder) => Self::of_run(folder.to_owned(), Vec::new()),
            None => Self::of_weights(path, import),
        }
    }

    /// Refuses words about PyTorch weights if none of `paths` holds such.
    pub(crate) fn check_import(paths: &[&Path], import: &ImportOptions) -> Result<(), RunError> {
        let own = paths.iter().all(|path| own_folder(path).is_some());
        match paths.first() {
            Some(first) if *import != ImportOptions::default() && own => {
                Err(RunError::NoForeignWeights {
                    path: first.to_path_buf(),
                })
            }
            _ => Ok(()),
        }
    }

    fn of_weights(path: &Path, import: &ImportOptions) -> Result<Self, RunError> {
        let weights = Weights::open(path, import)?;
        let mut defaults = "convolution = \"direct\"\n".to_owned();
        let transformer = matches!(weights.config(), EncoderConfig::Vit(_));
        if transformer {
            // GELU lets negative values pass, and units with a negative mean have no score.
            defaults.push_str("[unitmem]\nmap = \"relu\"\n");
        }
        defaults.push_str("[views]\n");
        if transformer {
            defaults.push_str(&format!("size = {}\n", weights.side()));
        }
        if weights.config().channels() == 3 {
            defaults.push_str(&format!("normalize = {{ {IMAGENET} }}\n"));
        }
        Ok(Self {
            name: path.display().to_string(),
            defaults,
            description: weights.describe(),
            embedding: weights.embedding(),
            notes: weights.notes().to_vec(),
            brings_images: false,
            origin: Origin::PyTorch(Box::new(weights)),
        })
    }

    fn of_compacted(path: &Path) -> Result<Self, RunError> {
        let architecture = Architecture::read(&path.join(ARCHITECTURE))?;
        let settings = path.join(SETTINGS);
        let defaults = afterimage_files::read_text(&settings, afterimage_files::SMALL)?;
        let table: toml::Table = toml::from_str(&defaults).unwrap_or_default();
        let config = architecture.config();
        Ok(Self {
            name: settings.display().to_string(),
            brings_images: table.contains_key("data"),
            defaults,
            description: format!(
                "{} without {} of its units",
                config.describe(),
                architecture.kept().removed()
            ),
            embedding: embedding(&config),
            notes: Vec::new(),
            origin: Origin::Compacted {
                weights: path.join(WEIGHTS),
                architecture: Box::new(architecture),
            },
        })
    }

    fn of_run(checkpoint: PathBuf, notes: Vec<String>) -> Result<Self, RunError> {
        // Checks every file, so that the config that is read is the one that was written.
        let state = read_state(&checkpoint)?;
        let config = checkpoint.join(CONFIG);
        let experiment = load_whole_with::<Experiment>(&config, &[], |_, _| {})?.value;
        let defaults = of_run(&experiment).map_err(|what| RunError::NoRun {
            path: checkpoint.clone(),
            what,
        })?;
        let kept = read_kept(&checkpoint)?;
        let without = match kept.removed() {
            0 => String::new(),
            units => format!(" without {units} of its units,"),
        };
        Ok(Self {
            name: config.display().to_string(),
            defaults,
            description: format!(
                "{}{without} of the run {:?}, epoch {}, step {}",
                experiment.encoder.describe(),
                experiment.name,
                state.clock.epoch,
                state.clock.step
            ),
            embedding: embedding(&experiment.encoder),
            notes,
            brings_images: true,
            origin: Origin::Run {
                checkpoint,
                experiment: Box::new(experiment),
                state: Box::new(state),
                kept,
            },
        })
    }

    /// Channels of its images and their side in pixels, also where the data decides.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub(crate) fn images(&self) -> Result<(usize, usize), RunError> {
        let Origin::Run {
            checkpoint,
            experiment,
            ..
        } = &self.origin
        else {
            return Ok((self.channels()?, self.side()));
        };
        let shape = ImageShape::of_record(read_model(checkpoint)?)?;
        let side = match (&experiment.encoder, shape.patches) {
            (EncoderConfig::Vit(config), Some(patches)) => patches * config.patch,
            _ => match (experiment.views.size, experiment.data.side()) {
                (None, Some(side)) => side,
                _ => self.side(),
            },
        };
        Ok((shape.channels, side))
    }

    /// What it keeps of the encoder that its configuration describes.
    pub(crate) fn kept(&self) -> Kept {
        match &self.origin {
            Origin::Run { kept, .. } => kept.clone(),
            Origin::PyTorch(_) => Kept::default(),
            Origin::Compacted { architecture, .. } => architecture.kept().clone(),
        }
    }

    /// Units that are there and held at zero.
    pub(crate) fn masks(&self) -> Masks {
        match &self.origin {
            Origin::Run { state, .. } => state.masks.clone(),
            Origin::PyTorch(_) => Masks::none(),
            Origin::Compacted { architecture, .. } => architecture.masks().clone(),
        }
    }

    /// Keys and values of its network as on one line of a config, for messages.
    pub(crate) fn written(&self) -> Option<String> {
        let config = match &self.origin {
            Origin::Run { experiment, .. } => experiment.encoder.clone(),
            Origin::PyTorch(weights) => weights.config().clone(),
            Origin::Compacted { architecture, .. } => architecture.config(),
        };
        let text = toml::to_string(&config).ok()?;
        Some(text.trim().replace('\n', ", "))
    }

    /// The folder of its checkpoint, where it is one of a run.
    pub(crate) fn checkpoint(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Run { checkpoint, .. } => Some(checkpoint),
            Origin::PyTorch(_) | Origin::Compacted { .. } => None,
        }
    }

    /// Whether its settings say where images are.
    pub(crate) fn brings_images(&self) -> bool {
        self.brings_images
    }

    /// Side of the images in pixels that it is made for.
    pub(crate) fn side(&self) -> usize {
        match &self.origin {
            Origin::Run { experiment, .. } => experiment.views.size.unwrap_or(SMALL),
            Origin::PyTorch(weights) => weights.side(),
            Origin::Compacted { architecture, .. } => architecture.side(),
        }
    }

    /// Channels of its images.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub(crate) fn channels(&self) -> Result<usize, RunError> {
        Ok(match &self.origin {
            Origin::Run { checkpoint, .. } => {
                ImageShape::of_record(read_model(checkpoint)?)?.channels
            }
            Origin::PyTorch(weights) => weights.config().channels(),
            Origin::Compacted { architecture, .. } => architecture.config().channels(),
        })
    }

    /// The encoder's configuration for views with `channels` channels and `side` pixels a side.
    ///
    /// # Errors
    /// Views that it cannot take.
    pub(crate) fn encoder(
        &self,
        convolution: Convolution,
        channels: usize,
        side: usize,
    ) -> Result<EncoderConfig, RunError> {
        let encoder = match &self.origin {
            Origin::Run { experiment, .. } => {
                // A transformer's positions are those of the run, whatever the views are now.
                let learned = experiment.views.size.unwrap_or(side);
                experiment.encoder.clone().for_images(channels, learned)
            }
            Origin::PyTorch(weights) => weights.config().clone(),
            Origin::Compacted { architecture, .. } => architecture.config(),
        };
        encoder.clone().for_images(channels, side).validate()?;
        Ok(encoder.with_convolution(convolution))
    }

    /// What there is to say about views of `side` pixels.
    pub(crate) fn note_on(&self, encoder: &EncoderConfig, side: usize) -> Option<String> {
        match encoder {
            EncoderConfig::Vit(config) if config.side.is_some_and(|learned| learned != side) => {
                let learned = config.side.unwrap_or_default();
                Some(format!(
                    "its positions, learned for {learned}×{learned} pixels, are interpolated to \
                     {side}×{side}"
                ))
            }
            EncoderConfig::ResNet(config) if config.stem == Stem::Imagenet && side < LARGE => {
                Some(format!(
                    "views are {side}×{side}; with the stem for large images the last maps are \
                     {last}×{last}; give --size to scale them up",
                    last = side.div_ceil(32)
                ))
            }
            _ => None,
        }
    }

    /// The encoder, whose configuration is `encoder`, at random initial parameters on `device`: those
    /// that a run began with, if it has this `seed`.
    pub(crate) fn untrained(
        &self,
        encoder: &EncoderConfig,
        seed: u64,
        device: &Device,
    ) -> Result<AnyEncoder, RunError> {
        Ok(match &self.origin {
            Origin::Run { kept, .. } => without_units(&encoder.init(seed, device)?, kept)?,
            Origin::PyTorch(weights) => weights.untrained(encoder.convolution(), seed, device)?,
            Origin::Compacted { architecture, .. } => {
                without_units(&encoder.init(seed, device)?, architecture.kept())?
            }
        })
    }

    /// Loads the encoder, whose configuration is `encoder`, onto `device`.
    pub(crate) fn load(
        &self,
        encoder: &EncoderConfig,
        device: &Device,
    ) -> Result<Opened, RunError> {
        match &self.origin {
            Origin::Run {
                checkpoint,
                state,
                kept,
                ..
            } => {
                let (has, given) = (self.channels()?, encoder.channels());
                if has != given {
                    return Err(RunError::Channels {
                        path: checkpoint.clone(),
                        has,
                        given,
                    });
                }
                let record = read_model(checkpoint)?;
                Ok(Opened {
                    encoder: from_record(record, ENCODER, encoder, kept, device)
                        .map_err(|error| error.in_file(&checkpoint.join(MODEL)))?,
                    masks: state.masks.clone(),
                    // Epoch and step 0 stand for the encoder before training.
                    clock: Clock {
                        epoch: state.clock.epoch.max(1),
                        step: state.clock.step.max(1),
                        ..state.clock
                    },
                    left_out: Vec::new(),
                })
            }
            Origin::Compacted {
                weights,
                architecture,
            } => {
                let whole = encoder.init(0, device)?;
                let mut encoder = without_units(&whole, architecture.kept())?;
                load_weights(&mut encoder, weights)?;
                Ok(Opened {
                    encoder,
                    masks: architecture.masks().clone(),
                    clock: ONCE,
                    left_out: Vec::new(),
                })
            }
            Origin::PyTorch(weights) => {
                let imported = weights.load(encoder.convolution(), device)?;
                let count = |(name, count): &(String, usize)| match count {
                    1 => name.clone(),
                    count => format!("{name} ({count} tensors)"),
                };
                Ok(Opened {
                    encoder: imported.encoder,
                    masks: Masks::none(),
                    clock: ONCE,
                    left_out: imported.left_out.iter().map(count).collect(),
                })
            }
        }
    }
}

impl Subject {
    /// Its checkpoint and the config of its run, where it is one of a run.
    pub(super) fn of_its_run(&self) -> Option<(&Path, &Experiment)> {
        match &self.origin {
            Origin::Run {
                checkpoint,
                experiment,
                ..
            } => Some((checkpoint, experiment)),
            Origin::PyTorch(_) | Origin::Compacted { .. } => None,
        }
    }

    /// Whether another program wrote it.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.origin, Origin::PyTorch(_))
    }

    /// Loads the reference encoder of a run that trained one, onto `device`.
    pub(super) fn load_reference(
        &self,
        encoder: &EncoderConfig,
        device: &Device,
    ) -> Result<Option<AnyEncoder>, RunError> {
        match &self.origin {
            Origin::Run {
                checkpoint,
                experiment,
                kept,
                ..
            } if experiment.pair.is_some() => {
                let record = read_model(checkpoint)?;
                let loaded = from_record(record, REFERENCE, encoder, kept, device);
                Ok(Some(
                    loaded.map_err(|error| error.in_file(&checkpoint.join(MODEL)))?,
                ))
            }
            _ => Ok(None),
        }
    }
}

/// What an embedding is, in a few words.
fn embedding(encoder: &EncoderConfig) -> &'static str {
    match encoder {
        EncoderConfig::ResNet9(_) => "the maximum over the last map",
        EncoderConfig::ResNet(_) => "the mean over the last map",
        EncoderConfig::Vit(_) => "the class token behind the last norm",
    }
}
