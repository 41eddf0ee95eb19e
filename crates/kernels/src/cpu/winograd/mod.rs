//! 3×3 convolutions with stride 1 by Winograd's minimal filtering: 2.25 or 4 times fewer products.

mod filter;
mod forward;
mod tile;
mod transform;
mod weight;

pub(crate) use filter::Direction;
pub(crate) use forward::convolve;
pub(crate) use weight::weight_gradient;

use filter::{filter, filter_gradient};
use tile::{Four, Tile, Two};
use transform::{Data, Gradient, Grid, ToOutputs, ToProducts};

use super::Geometry;

/// The tile of the fewest products for an output map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Size {
    Two,
    Four,
}

impl Size {
    /// The cheaper tile; `None` where no tile saves products over the direct sum, or where there
    /// are too few channels to pay for the transforms.
    pub(crate) fn choose(geometry: &Geometry) -> Option<Self> {
        /// Fewer channels than this spend more time in transforms than the products save.
        const CHANNELS: usize = 8;
        if !geometry.is_winograd() || geometry.inputs.min(geometry.outputs) < CHANNELS {
            return None;
        }
        let [height, width] = geometry.output();
        let products =
            |side: usize| height.div_ceil(side) * width.div_ceil(side) * (side + 2) * (side + 2);
        let (two, four) = (products(2), products(4));
        match height * width * 9 {
            direct if direct <= two.min(four) => None,
            _ if two <= four => Some(Self::Two),
            _ => Some(Self::Four),
        }
    }
}

/// Tiles per block, so that a block's products, `values` floats a tile, stay in the second cache.
fn block_tiles(values: usize) -> usize {
    /// Floats of the working set: 768 KiB.
    const FLOATS: usize = 192 * 1024;
    (FLOATS / values).clamp(32, 128)
}

/// The tiles that read (`before` rows and columns outside of the map) or write a map.
fn grid(
    map: [usize; 2],
    channels: usize,
    output: [usize; 2],
    step: usize,
    before: [usize; 2],
) -> Grid {
    Grid {
        map,
        channels,
        tiles: output.map(|side| side.div_ceil(step)),
        step,
        before,
    }
}
