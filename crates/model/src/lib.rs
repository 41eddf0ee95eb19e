//! Tapped encoders with named sites (ResNets, vision transformers) and the projection head.
//!
//! An [`Encoder`] lists its [sites](afterimage_hooks::Site) and takes a recorder, [`Taps`], in its
//! forward pass. Taps read or gate the units of a site without changing a bit of the loss or of
//! any gradient; [`Masks`] hold units at zero. [`Weights`] makes an encoder of PyTorch's.
//!
//! # Examples
//! ```
//! use afterimage_hooks::{TapPlan, TapSpec};
//! use afterimage_model::{Encoder, ResNet9Config, Taps, seeded};
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex();
//! let config = ResNet9Config { channels: 1, width: 0.125, ..ResNet9Config::default() };
//! let encoder = seeded(&device, 7, || config.init(&device));
//! let plan = TapPlan::new(&[TapSpec::units("encoder.*.act")], &encoder.sites());
//! let mut taps = Taps::new(&plan);
//! let embeddings = encoder.encode(Tensor::ones([2, 1, 28, 28], &device), &mut taps);
//! assert_eq!(embeddings.dims(), [2, encoder.embedding_dim()]);
//! assert!(!taps.readings().is_empty());
//! ```

mod at_paths;
pub mod compact;
mod conv_block;
mod defaults;
mod describe;
mod encoder;
mod error;
mod import;
mod layer;
mod masks;
mod paths;
mod projection;
mod residual_block;
mod resnet;
mod resnet9;
mod safetensors;
mod seeded;
mod snapshot;
mod stage;
mod taps;
mod teacher;
mod token_block;
mod transplant;
mod unit_parameters;
mod unit_step;
mod values;
mod view;
mod vit;

pub use at_paths::{MapAt, VisitAt, map_at, visit_at};
pub use conv_block::{BlockSites, ConvBlock, ConvBlockConfig};
pub use encoder::{AnyEncoder, Encoder, EncoderConfig};
pub use error::{Misfit, ModelError};
pub use import::{
    ImageShape, ImportOptions, Imported, Layout, Weights, check_record, from_record,
    save_state_dict,
};
pub use layer::{Layer, layers};
pub use masks::Masks;
pub use paths::{ParameterInfo, is_statistic, parameter_count, parameters};
pub use projection::{HeadActivation, HeadForm, HiddenLayer, ProjectionHead, ProjectionHeadConfig};
pub use residual_block::{ResidualBlock, SumSites};
pub use resnet::{ResNet, ResNetConfig, Stem};
pub use resnet9::{ResNet9, ResNet9Config};
pub use seeded::{Initial, seeded, seeded_from};
pub use snapshot::{evaluation, snapshot};
pub use stage::Flow;
pub use taps::Taps;
pub use teacher::{moved_towards, teacher};
pub use token_block::{TokenBlock, TokenNorm, TokenSites};
pub use transplant::transplant;
pub use unit_parameters::unit_parameters;
pub use unit_step::step_unit;
pub use values::values;
pub use view::EncoderView;
pub use vit::{Vit, VitConfig, VitSize};
