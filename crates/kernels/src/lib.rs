//! Convolutions and their norms, and the layers of transformers, at the CPU's speed, as an extension
//! of burn's `flex` backend.
//!
//! The functions take burn's own modules, so that configs, parameter names and records stay burn's:
//! a checkpoint does not notice which of the two ran. On every other device, for every other element
//! type, and for shapes without a kernel here (groups, dilation, overlapping pooling), they call
//! burn's operation. Gradients come from backward steps of this crate in burn-autodiff.
//!
//! Feature maps keep the shape `[B, C, H, W]`, but lie in memory with the channels of a position
//! beside each other; burn's operations read them through their strides.
//!
//! The bits of a result depend on neither the number of threads nor the run.
//!
//! # Examples
//! ```
//! use afterimage_kernels::{Convolution, conv2d};
//! use burn::nn::{PaddingConfig2d, conv::Conv2dConfig};
//! use burn::tensor::{Device, Tensor};
//!
//! let device = Device::flex();
//! let conv = Conv2dConfig::new([8, 16], [3, 3])
//!     .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
//!     .init(&device);
//! let x = Tensor::<4>::ones([2, 8, 6, 6], &device);
//! let fast = conv2d(&conv, x.clone(), Convolution::Winograd);
//! let difference = (fast - conv.forward(x)).abs().max().into_scalar::<f32>();
//! assert!(difference < 1e-4);
//! ```

#[cfg(feature = "flex")]
mod autodiff;
#[cfg(feature = "flex")]
mod cpu;
#[cfg(feature = "flex")]
mod extension;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "flex")]
mod fork;
mod modules;
mod tokens;

use serde::{Deserialize, Serialize};

pub use modules::{add, batch_norm, conv_norm, conv2d, fork, max_pool2d, space_mean};
pub use tokens::{add_tokens, attention, gelu, layer_norm, linear};

/// How 3×3 convolutions with stride 1 are computed on the CPU.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Convolution {
    /// Winograd's minimal filtering, within 1e-4 of the direct sum relative to the largest output:
    /// up to four times fewer products.
    #[default]
    Winograd,
    /// The direct sum, within 1e-5 of burn's.
    Direct,
}
