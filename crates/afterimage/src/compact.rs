//! A smaller encoder of one whose units are pruned, with what it saves.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use afterimage_files::{Partial, SMALL, read_input_text};
use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_kernels::Convolution;
use afterimage_model::compact::{
    Architecture, Compaction, Group, compact as compacted, save_weights, structure,
};
use afterimage_model::{
    AnyEncoder, Encoder as _, EncoderView, ImportOptions, Masks, ParameterInfo, Taps, evaluation,
    parameter_count, parameters,
};
use afterimage_track::TextTable;
use afterimage_train::{TrainError, median_milliseconds};
use burn::tensor::{Device, Tensor, TensorData};
use serde::Serialize;

use crate::error::RunError;
use crate::finite::check_on;
use crate::fitting;
use crate::intervene::{Arm, Operated, arm_table};
use crate::probe::{ARCHITECTURE, ProbeOptions, SETTINGS, Subject, WEIGHTS};
use crate::units_file::channels;
use crate::whole::publish;

/// What the encoder's smaller copy is checked on: as many images.
const PROBED: usize = 16;
/// The figures beside the encoder.
const REPORT: &str = "report.json";

/// An encoder to be made smaller, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompactOptions {
    /// A run directory, a checkpoint in one, a compacted encoder's folder, or PyTorch weights.
    pub checkpoint: PathBuf,
    /// The directory of the result, which must not hold anything.
    pub out: PathBuf,
    /// Unit numbers by group in JSON, to take out beside those that are pruned.
    pub prune: Option<PathBuf>,
    /// Whether the embedding keeps its length.
    pub keep_embedding: bool,
    /// Side of the images in pixels that are timed and counted; the encoder's own by default.
    pub size: Option<usize>,
    /// Images in a forward pass that is timed.
    pub batch: usize,
    /// Forward passes that are timed, after one that is not.
    pub repeats: usize,
    /// Whether the memory of the run's training points is measured, before and after.
    pub memory: bool,
    /// How PyTorch weights are named.
    pub import: ImportOptions,
}

/// What an encoder costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Side {
    /// Units of all groups.
    pub units: usize,
    /// Trained values.
    pub parameters: usize,
    /// Multiply-accumulate operations for one image, in convolutions, fully connected layers and
    /// attention.
    pub macs: u64,
    /// Bytes of its weights as safetensors.
    pub bytes: u64,
    /// Median milliseconds of a forward pass of a batch.
    pub milliseconds: f64,
}

/// A compacted encoder and what it saves.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compacted {
    /// The directory.
    pub out: PathBuf,
    /// The encoder with its pruned units held at zero.
    pub masked: Side,
    /// The encoder without them.
    pub compacted: Side,
    /// Images in a forward pass that is timed.
    pub batch: usize,
    /// Side of the images in pixels.
    pub size: usize,
    /// Largest difference of embeddings; over the largest value where that is over 1.
    pub difference: f64,
    /// Length of the embedding.
    pub embedding: usize,
    /// Units that are pruned and could not be taken out.
    pub still_masked: usize,
    /// Accuracy and memory before and after, where they were asked for: the encoder as it is, and
    /// without the units that were pruned beside.
    pub memory: Option<Vec<Arm>>,
}

/// Takes the pruned units out of an encoder, checks that the result says the same on a batch of random
/// images, measures both, and writes the result.
///
/// # Errors
/// A checkpoint that cannot be read, an encoder that `arch.json` cannot describe, images that memory has no room
/// for, an encoder without units to take out, a result that differs.
pub fn compact(options: &CompactOptions, say: &mut dyn FnMut(&str)) -> Result<Compacted, RunError> {
    let folder = Partial::beside(&options.out)?;
    Subject::check_import(&[&options.checkpoint], &options.import)?;
    let subject = Subject::open(&options.checkpoint, &options.import)?;
    let (channels, side) = subject.images()?;
    let size = options.size.unwrap_or(side);
    let convolution = Convolution::default();
    // A transformer's positions are those that it learned, whatever images are timed.
    let description = subject.encoder(convolution, channels, side)?;
    let least = description.min_side();
    if size < least {
        return Err(RunError::SmallImages { size, least });
    }
    let device = Device::flex();
    let opened = subject.load(&description, &device)?;
    opened.check_stem()?;
    let encoder = evaluation(&opened.encoder);
    for (flag, rows) in [("size", PROBED), ("batch", options.batch)] {
        fitting::pass(&encoder, channels, size, rows).map_err(|told| RunError::TooMuch {
            flag,
            reason: format!("{told}; lower it"),
        })?;
    }
    let mut masks = opened.masks;
    if let Some(path) = &options.prune {
        prune(&mut masks, &encoder, path)?;
    }
    say("taking units out");
    let images = |count: usize| images([count, channels, size, size], &device);
    check_on(&EncoderView::new(&encoder, &masks), images(PROBED))?;
    let Compaction {
        encoder: smaller,
        kept,
        masks: left,
        difference,
    } = compacted(&encoder, &masks, options.keep_embedding, images(PROBED))?;

    // Only now, when it is known that there is something to take out.
    let memory = match options.memory {
        true => {
            say("measuring memory");
            Some(memory_without(options, &masks, say)?)
        }
        false => None,
    };
    let total = subject.kept().then(&kept)?;
    let architecture = Architecture::new(description, channels, side, total, left.clone());
    let timed = images(options.batch.max(1));
    publish(folder, |partial| {
        let whole = partial.join("whole.safetensors");
        save_weights(&encoder, &whole)?;
        save_weights(&smaller, &partial.join(WEIGHTS))?;
        write(&partial.join(ARCHITECTURE), &architecture.to_json()?)?;
        write(&partial.join(SETTINGS), &subject.defaults)?;

        say("timing both");
        let measure =
            |encoder: &AnyEncoder, masks: &Masks, file: &Path| -> Result<Side, RunError> {
                let bytes = fs::metadata(file)
                    .map_err(RunError::io(file, "read"))?
                    .len();
                let groups = encoder.groups();
                Ok(Side {
                    units: groups.iter().map(|group| group.units).sum(),
                    parameters: parameter_count(encoder),
                    macs: macs(encoder, &groups, size),
                    bytes,
                    milliseconds: milliseconds(encoder, masks, &timed, options.repeats)?,
                })
            };
        let result = Compacted {
            out: options.out.clone(),
            masked: measure(&encoder, &masks, &whole)?,
            compacted: measure(&smaller, &left, &partial.join(WEIGHTS))?,
            batch: options.batch.max(1),
            size,
            difference,
            embedding: smaller.embedding_dim(),
            still_masked: left.pruned(),
            memory,
        };
        fs::remove_file(&whole).map_err(RunError::io(&whole, "remove"))?;
        let text = serde_json::to_string_pretty(&result).unwrap_or_default();
        write(&partial.join(REPORT), &(text + "\n"))?;
        Ok(result)
    })
}

/// Accuracy and memory of the encoder as it is, and with the units of `masks` held at zero: what the
/// smaller copy has, which says the same.
fn memory_without(
    options: &CompactOptions,
    masks: &Masks,
    say: &mut dyn FnMut(&str),
) -> Result<Vec<Arm>, RunError> {
    let operated = Operated::open(&ProbeOptions {
        checkpoint: options.checkpoint.clone(),
        import: options.import.clone(),
        ..ProbeOptions::default()
    })?;
    operated.prepared.notes.iter().for_each(|note| say(note));
    let whole = Masks::none();
    let arm = |name: &str, masks| operated.arm(name, Vec::new(), &operated.encoder, masks);
    let mut arms = vec![arm("as it is", &whole)?];
    if options.prune.is_some() {
        arms.push(arm("compacted", masks)?);
    }
    Ok(arms)
}

fn write(path: &Path, text: &str) -> Result<(), RunError> {
    fs::write(path, text).map_err(RunError::io(path, "write"))
}

/// Masks the units that the file at `path` names, by group.
fn prune(masks: &mut Masks, encoder: &AnyEncoder, path: &Path) -> Result<(), RunError> {
    let wrong = |reason: String| RunError::Units {
        path: path.to_owned(),
        reason,
    };
    let text = read_input_text(path, SMALL).map_err(RunError::io(path, "read"))?;
    let structure = structure(&encoder.groups(), &[], &[]);
    let sites = encoder.sites();
    for (place, channels) in channels(&text, &structure).map_err(wrong)? {
        let group = &structure.groups[place];
        for site in sites
            .iter()
            .filter(|site| group.masked_at.contains(&site.name))
        {
            masks.prune(site, &channels)?;
        }
    }
    Ok(())
}

/// The same images for any encoder: normal values, as after normalisation.
pub(crate) fn images(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let mut generator = RandomKey::new(0, Stream::Device).generator();
    let count = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|_| generator.normal() as f32).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn macs(encoder: &AnyEncoder, groups: &[Group], size: usize) -> u64 {
    let named = parameters(encoder).into_iter().map(|info| ParameterInfo {
        path: format!("encoder.{}", info.path),
        ..info
    });
    let named: Vec<ParameterInfo> = named.collect();
    structure(groups, &named, &encoder.positions([size, size])).macs(&BTreeMap::new())
}

/// Median time of a forward pass after one that is not counted.
pub(crate) fn milliseconds(
    encoder: &AnyEncoder,
    masks: &Masks,
    images: &Tensor<4>,
    repeats: usize,
) -> Result<f64, RunError> {
    let pass = || Ok(encoder.encode(images.clone(), &mut Taps::none().with_masks(masks)));
    Ok(median_milliseconds(repeats, pass).map_err(TrainError::Evaluation)?)
}

impl fmt::Display for Compacted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = TextTable::new(
            "The encoder and its smaller copy",
            &["", "masked", "compacted"],
        );
        let mut row = |name: &str, of: &dyn Fn(&Side) -> String| {
            table.row([name.to_owned(), of(&self.masked), of(&self.compacted)]);
        };
        row("units", &|side| side.units.to_string());
        row("parameters", &|side| side.parameters.to_string());
        row("operations for an image", &|side| side.macs.to_string());
        row("bytes on disk", &|side| side.bytes.to_string());
        let batch = format!(
            "ms for {} images of {size}×{size}",
            self.batch,
            size = self.size
        );
        row(&batch, &|side| format!("{:.2}", side.milliseconds));
        writeln!(f, "{table}")?;
        if let Some(arms) = &self.memory {
            f.write_str(&arm_table(arms))?;
        }
        writeln!(
            f,
            "largest difference of an embedding: {:.1e}",
            self.difference
        )?;
        if self.still_masked > 0 {
            writeln!(
                f,
                "{} units are pruned at some of their sites alone and stay masked",
                self.still_masked
            )?;
        }
        writeln!(f, "encoder: {}", self.out.display())
    }
}
