//! An encoder for programs outside of this project: weights under their names, how its images are made,
//! and a loader beside them.

mod embedded;
mod facts;
mod library;
mod readme;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use afterimage_files::Partial;
use afterimage_kernels::Convolution;
use afterimage_model::compact::{Architecture, difference, save_weights};
use afterimage_model::{
    AnyEncoder, Encoder as _, EncoderConfig, ImportOptions, Masks, ModelError, Taps, evaluation,
    parameters, save_state_dict,
};
use burn::tensor::Device;
use serde::Serialize;

use crate::compact::images;
use crate::error::RunError;
use crate::probe::{ARCHITECTURE, ProbeOptions, SETTINGS, Subject, WEIGHTS, load_for};
use crate::whole::publish;
use embedded::Embedded;
pub use embedded::EmbeddingsFormat;
use facts::{Facts, normalisation, settings};
pub use library::Library;
use library::{loader, network, refusal};
use readme::readme;

/// Images that the weights are checked on where units are held at zero.
const PROBED: usize = 16;
const PREPROCESSING: &str = "preprocessing.json";
const LOADER: &str = "load.py";
const README: &str = "README.md";

/// An encoder to be exported, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportOptions {
    /// A run directory, a checkpoint in one, a compacted encoder's folder, or PyTorch weights.
    pub checkpoint: PathBuf,
    /// Who is to read it.
    pub library: Library,
    /// The directory of the result, which must not hold anything.
    pub out: PathBuf,
    /// Whether, and how, the embeddings of all images are written too.
    pub embeddings: Option<EmbeddingsFormat>,
    /// The images, over those of the run: `KIND` or `KIND:PATH`.
    pub data: Option<String>,
    /// Side in pixels that images are scaled to, over that of the encoder.
    pub size: Option<usize>,
    /// Keys of a probe's config, over those of the run.
    pub sets: Vec<String>,
    /// How PyTorch weights are named, where it cannot be found out.
    pub import: ImportOptions,
}

impl ExportOptions {
    /// The settings by which the images of `subject`, made for `side` pixels, are made. Images of
    /// others than its run are scaled to what it is made for.
    fn probe(&self, subject: &Subject, side: usize) -> ProbeOptions {
        let others = subject.is_foreign() || self.data.is_some();
        // Nothing is computed on the device of a run that may be elsewhere.
        let device = match self.embeddings {
            Some(_) => None,
            None => Some("device=cpu".to_owned()),
        };
        ProbeOptions {
            checkpoint: self.checkpoint.clone(),
            // Without embeddings no image is read, and none has to be named.
            data: match (&self.data, subject.brings_images()) {
                (None, false) if self.embeddings.is_none() => Some("embedded".to_owned()),
                (data, _) => data.clone(),
            },
            size: self.size.or(others.then_some(side)),
            sets: device
                .into_iter()
                .chain(self.sets.iter().cloned())
                .collect(),
            import: self.import.clone(),
            ..ProbeOptions::default()
        }
    }
}

/// What was exported.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exported {
    /// The directory.
    pub out: PathBuf,
    /// The encoder in a few words.
    pub encoder: String,
    /// Who can read it.
    pub layout: String,
    /// The name of the network there.
    pub network: String,
    /// Tensors in the file of weights.
    pub tensors: usize,
    /// Its bytes.
    pub bytes: u64,
    /// What an embedding is.
    pub embedding: &'static str,
    /// Its length.
    pub embedding_length: usize,
    /// Whether a loader in Python lies beside the weights.
    pub loader: bool,
    /// The file of embeddings, with its rows of training and of held-out images.
    pub embeddings: Option<(PathBuf, [usize; 2])>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// Writes an encoder for another program: weights as safetensors under the names of `options.library`,
/// `preprocessing.json`, a loader and a README. The directory appears when all of it is written.
///
/// # Errors
/// A checkpoint that cannot be read; an encoder that the library has no network for; images that cannot
/// be embedded; a directory that holds something.
pub fn export(options: &ExportOptions, say: &mut dyn FnMut(&str)) -> Result<Exported, RunError> {
    let folder = Partial::beside(&options.out)?;
    let of_images = |set: &&String| !set.starts_with("views.");
    if let (None, Some(set)) = (options.embeddings, options.sets.iter().find(of_images)) {
        return Err(RunError::Export {
            reason: format!(
                "--set {set} says how images are embedded; give --embeddings, or leave it out"
            ),
        });
    }
    Subject::check_import(&[&options.checkpoint], &options.import)?;
    let subject = Subject::open(&options.checkpoint, &options.import)?;
    let (channels, side) = subject.images()?;
    let probe = options.probe(&subject, side);
    let loaded = load_for(&subject, &probe)?;
    let views = &loaded.value.views;
    let config = subject.encoder(Convolution::default(), channels, side)?;
    let device = Device::flex();
    let opened = subject.load(&config, &device)?;
    let encoder = evaluation(&opened.encoder);
    let removed = subject.kept().removed();
    if let Some(reason) = refusal(options.library, &config, &encoder, removed) {
        return Err(RunError::Layout {
            layout: options.library.to_string(),
            reason,
        });
    }
    opened.check_stem()?;
    let (mean, std) = normalisation(views, channels)?;
    let settings = settings(&subject.defaults, views)?;
    let scaled = views.size.unwrap_or(side);
    check_positions(&config, scaled)?;
    let mut facts = Facts {
        mean,
        std,
        size: [scaled, scaled],
        channel_order: if channels == 3 { "RGB" } else { "gray" },
        layout: "NCHW",
        divide_by: 255,
        interpolation: "bilinear, half-pixel centres, no antialiasing",
        embedding: subject.embedding,
        embedding_length: encoder.embedding_dim(),
        encoder: subject.description.clone(),
    };
    let mut notes = subject.notes.clone();
    let held = says_itself(&encoder, &opened.masks, (channels, side), &device)?;
    if !held {
        let reason =
            "units are held at zero at some of their sites alone, which weights cannot say"
                .to_owned();
        if options.library != Library::Safetensors {
            return Err(RunError::Layout {
                layout: options.library.to_string(),
                reason,
            });
        }
        notes.push(format!(
            "{reason}; `arch.json` names them, and there is no loader"
        ));
    }
    let embedded = match options.embeddings {
        Some(format) => {
            let by = (&loaded.value, &probe);
            let (embedded, size) = Embedded::new(&subject, by, format, &mut notes, say)?;
            facts.size = size;
            Some(embedded)
        }
        None => None,
    };

    say("writing the encoder");
    let content = Content {
        options,
        subject: &subject,
        settings,
        config,
        encoder,
        masks: opened.masks,
        facts,
        held,
        embedded,
        notes,
    };
    publish(folder, |partial| content.write(partial))
}

/// All that is written.
struct Content<'a> {
    options: &'a ExportOptions,
    subject: &'a Subject,
    /// Those of a probe of it.
    settings: String,
    config: EncoderConfig,
    encoder: AnyEncoder,
    /// Units that are held at zero.
    masks: Masks,
    facts: Facts,
    /// Whether the weights alone hold these units at zero.
    held: bool,
    embedded: Option<Embedded>,
    notes: Vec<String>,
}

impl Content<'_> {
    /// Writes everything into the new directory `partial`.
    fn write(self, partial: &Path) -> Result<Exported, RunError> {
        let (library, out) = (self.options.library, &self.options.out);
        let tensors = self.write_weights(partial)?;
        let json = serde_json::to_string_pretty(&self.facts).unwrap_or_default() + "\n";
        write(&partial.join(PREPROCESSING), &json)?;
        if self.held {
            let text = loader(library, &self.config, &self.facts);
            write(&partial.join(LOADER), &text)?;
        }
        let rows = match &self.embedded {
            Some(embedded) => Some(embedded.write(partial)?),
            None => None,
        };
        let file = partial.join(WEIGHTS);
        let metadata = fs::metadata(&file).map_err(RunError::io(&file, "read"))?;
        let exported = Exported {
            out: out.clone(),
            encoder: self.facts.encoder,
            layout: library.to_string(),
            network: network(&self.config),
            tensors,
            bytes: metadata.len(),
            embedding: self.facts.embedding,
            embedding_length: self.facts.embedding_length,
            loader: self.held,
            embeddings: rows.map(|(name, rows)| (out.join(name), rows)),
            notes: self.notes,
        };
        let brings_images = self.subject.brings_images();
        write(&partial.join(README), &readme(&exported, brings_images))?;
        Ok(exported)
    }

    /// Writes the weights, and what this project needs to read them back; says how many tensors.
    fn write_weights(&self, partial: &Path) -> Result<usize, RunError> {
        let file = partial.join(WEIGHTS);
        write(&partial.join(SETTINGS), &self.settings)?;
        if self.options.library != Library::Safetensors {
            return Ok(save_state_dict(&self.encoder, &file)?);
        }
        save_weights(&self.encoder, &file)?;
        let architecture = Architecture::new(
            self.config.clone(),
            self.facts.channels(),
            self.facts.size[0],
            self.subject.kept(),
            self.masks.clone(),
        );
        write(&partial.join(ARCHITECTURE), &architecture.to_json()?)?;
        Ok(parameters(&self.encoder).len())
    }
}

/// Refuses images of another size than a transformer has positions for, which its loader does not
/// interpolate.
fn check_positions(config: &EncoderConfig, side: usize) -> Result<(), RunError> {
    match config {
        EncoderConfig::Vit(vit) if vit.side.is_some_and(|learned| learned != side) => {
            Err(RunError::Export {
                reason: format!(
                    "images would be {side}×{side}, and its positions are learned for \
                     {learned}×{learned}, which loaders elsewhere do not interpolate; leave out --size \
                     and `views.size`",
                    learned = vit.side.unwrap_or_default()
                ),
            })
        }
        _ => Ok(()),
    }
}

/// Whether the weights alone say what the encoder says with its units held at zero.
fn says_itself(
    encoder: &AnyEncoder,
    masks: &Masks,
    (channels, side): (usize, usize),
    device: &Device,
) -> Result<bool, RunError> {
    if masks.is_empty() {
        return Ok(true);
    }
    let images = images([PROBED, channels, side, side], device);
    let see = |masks: &Masks| encoder.encode(images.clone(), &mut Taps::none().with_masks(masks));
    match difference(see(masks), see(&Masks::none()), None) {
        Ok(_) => Ok(true),
        Err(ModelError::Differs { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn write(path: &Path, text: &str) -> Result<(), RunError> {
    fs::write(path, text).map_err(RunError::io(path, "write"))
}

impl fmt::Display for Exported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |name: &str| self.out.join(name).display().to_string();
        writeln!(f, "encoder:        {}", self.encoder)?;
        writeln!(f, "layout:         {} ({})", self.layout, self.network)?;
        writeln!(
            f,
            "embedding:      {}, {} numbers",
            self.embedding, self.embedding_length
        )?;
        for note in &self.notes {
            writeln!(f, "note:           {note}")?;
        }
        writeln!(
            f,
            "weights:        {} ({} tensors, {:.1} MB)",
            place(WEIGHTS),
            self.tensors,
            self.bytes as f64 / 1e6
        )?;
        writeln!(f, "preprocessing:  {}", place(PREPROCESSING))?;
        if self.loader {
            writeln!(f, "loader:         {}", place(LOADER))?;
        }
        if let Some((file, [train, held_out])) = &self.embeddings {
            writeln!(
                f,
                "embeddings:     {} ({train} training and {held_out} held-out images)",
                file.display()
            )?;
        }
        Ok(())
    }
}
