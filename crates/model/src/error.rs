//! What can be wrong with an encoder's configuration, with masks, or with weights from elsewhere.

use std::fmt;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A wider network is a slip of the keyboard; its parameters would not fit into memory.
const MOST_WIDTH: f64 = 64.0;

/// An error of this crate, in the user's terms.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A configuration value out of range.
    #[error("encoder: `{key} = {value}` is not possible: {reason}")]
    Config {
        /// Key in the encoder's table.
        key: &'static str,
        /// The value found.
        value: String,
        /// What is possible.
        reason: &'static str,
    },
    /// A transformer's patch that does not divide its images.
    #[error(
        "encoder: `patch = {patch}` is not possible: it has to divide the side of the views, \
         {side} pixels"
    )]
    Patch {
        /// Side of a patch in pixels.
        patch: usize,
        /// Side of an image in pixels.
        side: usize,
    },
    /// A mask for a site that the model does not have.
    #[error("mask: the model has no site `{site}`; it has {}", known.join(", "))]
    UnknownSite {
        /// The name asked for.
        site: String,
        /// The model's sites in forward order.
        known: Vec<String>,
    },
    /// A unit number that the site does not have.
    #[error("mask: site `{site}` has units 0 to {}, not {unit}", units.saturating_sub(1))]
    UnknownUnit {
        /// Site name.
        site: String,
        /// The unit asked for.
        unit: usize,
        /// Number of units of the site.
        units: usize,
    },
    /// Two masks, or a mask and a model, that disagree on the number of units of a site.
    #[error(
        "mask: site `{site}` has {expected} units, but the mask has {found}; it was made for \
         another model"
    )]
    MaskLength {
        /// Site name.
        site: String,
        /// Number of units of the site.
        expected: usize,
        /// Length of the mask.
        found: usize,
    },
    /// A file that cannot be read as PyTorch weights.
    #[error(
        "{}: this file cannot be read as weights of PyTorch (safetensors, .pt, .pth): {reason}",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Weights of no encoder that this project has.
    #[error("{}: {reason}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What was looked for and what was found.
        reason: String,
    },
    /// Weights that do not fit the encoder which their keys speak of.
    #[error("{}: {misfit}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// The keys that do not fit; boxed, since it is the largest by far.
        misfit: Box<Misfit>,
    },
    /// Several encoders in one file, of which none was named.
    #[error("{}: there are several encoders in it; choose one by its prefix: {places}", path.display())]
    Several {
        /// The file.
        path: PathBuf,
        /// Their prefixes and layouts.
        places: String,
    },
    /// Weights of whole numbers, as a network of fewer bits has them.
    #[error(
        "{}: weights that are whole numbers:{}\nWhat they stand for depends on scales that the encoder \
         does not know: take the weights from before they were quantized",
        path.display(),
        listed("by tensor", tensors)
    )]
    WholeNumbers {
        /// The file.
        path: PathBuf,
        /// The tensors as the file calls them, and their type.
        tensors: Vec<String>,
    },
    /// Weights that are no numbers.
    #[error(
        "{}weights that are not finite:{}\nWhat a network computes with them says nothing; training \
         that diverged writes such weights: take an earlier checkpoint, or fetch the file again",
        path.as_ref().map_or_else(String::new, |path| format!("{}: ", path.display())),
        listed("by tensor", tensors)
    )]
    NotFinite {
        /// The file, where it is known.
        path: Option<PathBuf>,
        /// The tensors as the file calls them, how many values of each, and the first.
        tensors: Vec<String>,
    },
    /// Running variances of a batch normalisation that are below zero.
    #[error(
        "{}running variances below zero:{}\nNo mean of squares is, and their roots are no numbers: the \
         file is damaged, or was changed by a program; fetch it again, or take an earlier checkpoint",
        path.as_ref().map_or_else(String::new, |path| format!("{}: ", path.display())),
        listed("by tensor", tensors)
    )]
    NegativeVariance {
        /// The file, where it is known.
        path: Option<PathBuf>,
        /// The tensors as the file calls them, how many values of each, and the first.
        tensors: Vec<String>,
    },
    /// A stage that is given what another stage takes.
    #[error("{stage} was given what another stage of the encoder takes")]
    Stage {
        /// The stage.
        stage: &'static str,
    },
    /// Units that cannot be taken out of a tensor, group or model.
    #[error("compaction: {reason}")]
    Slice {
        /// Why not.
        reason: String,
    },
    /// A model without units to take out.
    #[error(
        "compaction: no unit is masked for all that read it, so there is nothing to take out; prune \
         whole groups (`couple = true` of the plugin `prune`)"
    )]
    NothingPruned,
    /// A smaller model that says something else.
    #[error(
        "compaction: embeddings of the smaller model differ from those of the masked one by up to \
         {difference:.1e}, more than {tolerance:.0e}; it is refused"
    )]
    Differs {
        /// Largest difference of two values, over the largest value where that is over 1.
        difference: f64,
        /// The largest that is taken for rounding.
        tolerance: f64,
    },
    /// A file that does not describe an architecture.
    #[error("{}: this file does not describe an encoder: {reason}", path.display())]
    Architecture {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Weights that cannot be written.
    #[error("{}: cannot write the weights: {reason}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A record of this project that does not hold the encoder.
    #[error("the record does not hold this encoder: {reason}")]
    Record {
        /// Why not.
        reason: String,
    },
}

/// Where weights differ from the encoder that their keys and shapes speak of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The encoder in a few words.
    pub encoder: String,
    /// Keys that the encoder needs and the file lacks.
    pub missing: Vec<String>,
    /// Keys with another shape than the encoder's, with both shapes.
    pub shapes: Vec<String>,
    /// Keys among the encoder's that have no place in it.
    pub unknown: Vec<String>,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the weights are not those of a {}{}{}{}",
            self.encoder,
            listed("missing", &self.missing),
            listed("of another shape", &self.shapes),
            listed("unknown", &self.unknown)
        )
    }
}

/// A line of an error that names at most so many `items`; nothing without any.
fn listed(what: &str, items: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<&str> = items.iter().take(SHOWN).map(String::as_str).collect();
    match items.len() {
        0 => String::new(),
        all if all > SHOWN => {
            format!("\n  {what}: {} and {} more", shown.join(", "), all - SHOWN)
        }
        _ => format!("\n  {what}: {}", shown.join(", ")),
    }
}

impl ModelError {
    /// The error with the file that the weights came from, where it does not say one yet.
    pub fn in_file(self, file: &Path) -> Self {
        match self {
            Self::NotFinite {
                path: None,
                tensors,
            } => Self::NotFinite {
                path: Some(file.to_owned()),
                tensors,
            },
            Self::NegativeVariance {
                path: None,
                tensors,
            } => Self::NegativeVariance {
                path: Some(file.to_owned()),
                tensors,
            },
            other => other,
        }
    }

    /// The errors among the outcomes of some checks.
    pub(crate) fn all<const N: usize>(checks: [Result<(), Self>; N]) -> Vec<Self> {
        checks.into_iter().filter_map(Result::err).collect()
    }

    /// The first of `problems`, if there is one.
    pub(crate) fn first(problems: Vec<Self>) -> Result<(), Self> {
        problems.into_iter().next().map_or(Ok(()), Err)
    }

    /// Images have 1 or 3 channels.
    pub(crate) fn check_channels(channels: usize) -> Result<(), Self> {
        if [1, 3].contains(&channels) {
            return Ok(());
        }
        Err(Self::Config {
            key: "channels",
            value: channels.to_string(),
            reason: "images have 1 or 3 channels",
        })
    }

    /// The factor of every width of a convolutional encoder.
    pub(crate) fn check_width(width: f64) -> Result<(), Self> {
        if width > 0.0 && width <= MOST_WIDTH {
            return Ok(());
        }
        Err(Self::Config {
            key: "width",
            value: width.to_string(),
            reason: "the factor of every width is a number over 0 and at most 64",
        })
    }
}
