//! Kernels on slices for the CPU. Maps lie in the order batch, height, width, channel; tokens in the
//! order batch, token, channel.
//!
//! Work is cut into blocks whose sizes depend on the shapes alone, and sums over blocks are added in
//! the order of the blocks: the bits do not depend on the number of threads.

pub(crate) mod attention;
mod buffer;
pub(crate) mod channels_last;
pub(crate) mod convolution;
mod direct;
mod exponential;
pub(crate) mod gelu;
mod geometry;
mod lanes;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod norm;
pub(crate) mod pool;
pub(crate) mod rows;
mod scratch;
mod winograd;

pub(crate) use buffer::Buffer;
pub(crate) use geometry::Geometry;

/// How many partial sums of `size` floats are kept: many enough for the threads of a large machine,
/// few enough for its memory.
fn groups(size: usize) -> usize {
    /// Floats of all partial sums: 16 MiB.
    const FLOATS: usize = 4 * 1024 * 1024;
    (FLOATS / size.max(1)).clamp(4, 32)
}
