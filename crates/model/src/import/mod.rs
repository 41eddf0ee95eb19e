//! Encoders from weights that somebody else wrote: PyTorch files, and records of this project.
//!
//! [`Weights`] reads a state dict (safetensors, `.pt`, `.pth`), recognises how its keys are named,
//! infers the encoder from their shapes, and loads every parameter and running statistic of it.
//! Tensors outside of the encoder (classifier, projection head, decoder) are left out and named.
//! [`save_state_dict`] writes an encoder under the same keys. [`from_record`] loads the encoder of one of this project's checkpoints, whatever head it had.

mod export;
mod finite;
mod kind;
mod layout;
mod outside;
mod record;
mod resnet;
mod state_dict;
mod vit;
mod wrapping;

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use afterimage_kernels::Convolution;
use burn::tensor::{DType, Device};
use burn_store::{FloatCastAdapter, ModuleAdapter as _, ModuleSnapshot as _, PyTorchToBurnAdapter};

use crate::{AnyEncoder, EncoderConfig, Misfit, ModelError, parameters};
use layout::Found;
use state_dict::StateDict;

pub use export::save_state_dict;
pub use finite::check_record;
pub(crate) use finite::{check as check_finite, values as values_of};
pub(crate) use record::complete;
pub use record::{ImageShape, from_record};

/// How the keys of a state dict are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layout {
    /// torchvision and timm: `conv1`, `bn1`, `layer1.0.conv1` and so on.
    ResNet,
    /// A sequence of the children of such a network, numbered, as in lightly's backbones: `0` for
    /// `conv1`, `1` for `bn1`, and four stages from 2, 3 or 4 on.
    ResNetSequence,
    /// timm, DINO and MAE: `cls_token`, `pos_embed`, `patch_embed.proj`, `blocks.0.attn.qkv`.
    Vit,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 3] = [Self::ResNet, Self::ResNetSequence, Self::Vit];
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ResNet => "resnet",
            Self::ResNetSequence => "resnet-sequence",
            Self::Vit => "vit",
        })
    }
}

impl FromStr for Layout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.map(|layout| layout.to_string());
        Self::ALL
            .into_iter()
            .find(|layout| layout.to_string() == text)
            .ok_or_else(|| {
                format!(
                    "there is no layout {text:?}; there are: {}",
                    known.join(", ")
                )
            })
    }
}

impl Layout {
    /// How PyTorch's libraries name the parameters of `encoder`; `None` where none has it.
    pub fn of(encoder: &AnyEncoder) -> Option<Self> {
        match encoder {
            AnyEncoder::ResNet9(_) => None,
            AnyEncoder::ResNet(_) => Some(Self::ResNet),
            AnyEncoder::Vit(_) => Some(Self::Vit),
        }
    }
}

/// What the caller says about a state dict; what is not said is found out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// How the keys are named.
    pub layout: Option<Layout>,
    /// What stands in front of the encoder's keys, for example `teacher.backbone`.
    pub prefix: Option<String>,
}

/// The weights of an encoder in a PyTorch file, recognised and not yet loaded.
///
/// # Examples
/// ```no_run
/// use std::path::Path;
///
/// use afterimage_kernels::Convolution;
/// use afterimage_model::{ImportOptions, Weights};
/// use burn::tensor::Device;
///
/// let weights = Weights::open(Path::new("resnet18.pth"), &ImportOptions::default())?;
/// println!("{}", weights.describe());
/// let imported = weights.load(Convolution::Direct, &Device::flex())?;
/// println!("left out: {:?}", imported.left_out);
/// # Ok::<(), afterimage_model::ModelError>(())
/// ```
pub struct Weights {
    state: StateDict,
    layout: Layout,
    /// With the dot, or empty.
    prefix: String,
    notes: Vec<String>,
    plan: Plan,
}

/// An encoder with the weights of a PyTorch file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The encoder.
    pub encoder: AnyEncoder,
    /// Tensors outside of the encoder, by the part of their name that sets them apart from it, with their
    /// number.
    pub left_out: Vec<(String, usize)>,
}

/// What a layout says about a state dict.
struct Plan {
    config: EncoderConfig,
    side: usize,
    embedding: &'static str,
    /// Whether a ReLU follows the first norm of a ResNet.
    stem_rectified: bool,
    /// The foreign key, without prefix, of a parameter of ours.
    key_of: Box<dyn Fn(&str) -> String>,
    /// Whether the first part of a key below the prefix names something outside of the encoder.
    is_outside: fn(&str) -> bool,
    notes: Vec<String>,
}

impl Weights {
    /// Recognises the encoder in the PyTorch file at `path`.
    ///
    /// Prefixes such as `module.`, `backbone.` or `state_dict.` and tables around the weights are
    /// found by themselves. Values are not read yet.
    ///
    /// # Errors
    /// A file that cannot be read; keys of no known layout, or of several encoders; an architecture
    /// that this project does not have.
    pub fn open(path: &Path, options: &ImportOptions) -> Result<Self, ModelError> {
        let state = StateDict::read(path)?;
        let Found {
            layout,
            prefix,
            mut notes,
        } = layout::recognise(&state, options)?;
        let mut plan = match layout {
            Layout::ResNet | Layout::ResNetSequence => resnet::plan(&state, layout, &prefix)?,
            Layout::Vit => vit::plan(&state, &prefix)?,
        };
        notes.append(&mut plan.notes);
        Ok(Self {
            state,
            layout,
            prefix,
            notes,
            plan,
        })
    }

    /// The encoder's configuration, inferred from the shapes.
    pub fn config(&self) -> &EncoderConfig {
        &self.plan.config
    }

    /// Side of the images in pixels that the encoder is made for: that of a transformer's
    /// positions, 224 for a ResNet with the stem for large images, 32 with the stem for small ones.
    pub fn side(&self) -> usize {
        self.plan.side
    }

    /// What an embedding is, in words.
    pub fn embedding(&self) -> &'static str {
        self.plan.embedding
    }

    /// What the user should know.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The encoder in a few words: architecture, and where its keys stand.
    pub fn describe(&self) -> String {
        let place = match self.prefix.trim_end_matches('.') {
            "" => String::new(),
            prefix => format!(" below {prefix:?}"),
        };
        let config = &self.plan.config;
        format!(
            "{}, {} channels; keys of layout {}{place}",
            config.describe(),
            config.channels(),
            self.layout
        )
    }

    /// The encoder at random initial parameters for `seed`, on `device`; `convolution` says how it is
    /// computed on the CPU.
    ///
    /// # Errors
    /// An architecture whose values are out of range.
    pub fn untrained(
        &self,
        convolution: Convolution,
        seed: u64,
        device: &Device,
    ) -> Result<AnyEncoder, ModelError> {
        let config = self.plan.config.clone().with_convolution(convolution);
        let mut encoder = config.init(seed, device)?;
        if let AnyEncoder::ResNet(network) = &mut encoder {
            network.stem.rectified = self.plan.stem_rectified;
        }
        Ok(encoder)
    }

    /// Loads the encoder onto `device`; `convolution` says how it is computed on the CPU.
    ///
    /// Running statistics are loaded, weights of fully connected layers transposed, other float
    /// types converted to 32 bits. Counters of batches are not needed.
    ///
    /// # Errors
    /// Told together, every key of the encoder that is missing, has another shape, or is unknown;
    /// weights of whole numbers; values that are not finite, or cannot be read.
    pub fn load(&self, convolution: Convolution, device: &Device) -> Result<Imported, ModelError> {
        let Self {
            state,
            prefix,
            plan,
            ..
        } = self;
        let path = state.path.clone();
        // Every value is replaced, so that the seed has no say.
        let mut encoder = self.untrained(convolution, 0, device)?;
        let mut wanted = Vec::new();
        let (mut missing, mut shapes) = (Vec::new(), Vec::new());
        for parameter in parameters(&encoder) {
            let key = format!("{prefix}{}", (plan.key_of)(&parameter.path));
            let expected = match parameter.shape.as_slice() {
                // PyTorch keeps the outputs of a fully connected layer in rows.
                [inputs, outputs] => vec![*outputs, *inputs],
                shape => shape.to_vec(),
            };
            match state.shape(&key) {
                None => missing.push(key),
                Some(found) if found != expected => {
                    shapes.push(format!("{key} is {found:?} in place of {expected:?}"));
                    wanted.push((parameter.path, key));
                }
                Some(_) => wanted.push((parameter.path, key)),
            }
        }
        let used = wanted.iter().map(|(_, key)| key.as_str());
        let rest = outside::sort(state, prefix, plan.is_outside, used);
        if !(missing.is_empty() && shapes.is_empty() && rest.unknown.is_empty()) {
            return Err(ModelError::Weights {
                path,
                misfit: Box::new(Misfit {
                    encoder: plan.config.describe(),
                    missing,
                    shapes,
                    unknown: rest.unknown,
                }),
            });
        }
        let keys = || wanted.iter().map(|(_, key)| key.as_str());
        let whole = state
            .named(keys())
            .filter(|tensor| !tensor.dtype.is_float());
        let whole: Vec<String> = whole
            .map(|tensor| format!("{} ({:?})", tensor.name, tensor.dtype))
            .collect();
        if !whole.is_empty() {
            return Err(ModelError::WholeNumbers {
                path,
                tensors: whole,
            });
        }
        let keys = keys();
        check_finite(state.named(keys), Some(&path))?;
        let tensors = state.tensors(wanted);
        let adapter = PyTorchToBurnAdapter.chain(FloatCastAdapter::to(DType::F32));
        let applied = encoder.apply(tensors, None, Some(Box::new(adapter)), false);
        complete(&applied).map_err(|reason| ModelError::Unreadable { path, reason })?;
        Ok(Imported {
            encoder,
            left_out: rest.left_out,
        })
    }
}
