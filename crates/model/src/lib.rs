//! Tapped encoders with named sites: ResNet-9 and the projection head.
//!
//! An [`Encoder`] lists its [sites](afterimage_hooks::Site) and takes a recorder, [`Taps`], in its
//! forward pass. Taps read or gate the units of a site without changing a bit of the loss or of
//! any gradient; [`Masks`] hold units at zero.
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

mod conv_block;
mod encoder;
mod error;
mod masks;
mod paths;
mod projection;
mod resnet9;
mod seeded;
mod snapshot;
mod taps;
mod view;

pub use conv_block::{BlockSites, ConvBlock};
pub use encoder::{AnyEncoder, Encoder, EncoderConfig};
pub use error::ModelError;
pub use masks::Masks;
pub use paths::{ParameterInfo, parameter_count, parameters};
pub use projection::{ProjectionHead, ProjectionHeadConfig};
pub use resnet9::{ResNet9, ResNet9Config};
pub use seeded::seeded;
pub use snapshot::{evaluation, snapshot};
pub use taps::Taps;
pub use view::EncoderView;
