//! Vision transformers.

use afterimage_hooks::{Site, SiteKind};
use afterimage_kernels::{Convolution, conv2d};
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Int, Tensor, s};
use serde::{Deserialize, Serialize};

use crate::compact::Group;
use crate::defaults::rgb;
use crate::{Encoder, Flow, Initial, ModelError, Taps, TokenBlock, TokenNorm, seeded_from};

/// More blocks are a slip of the keyboard.
const MOST_BLOCKS: usize = 256;

/// Pixels of a side.
const MOST_SIDE: usize = 4096;
/// Standard deviation of initial weights.
const DEVIATION: f64 = 0.02;
const PATCH: &str = "encoder.patch";
const NORM: &str = "encoder.norm";
/// Sites of a block's attention half.
const ATTENTION_SITES: usize = 3;

/// Width and heads of a [`Vit`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum VitSize {
    /// 192 channels, 3 heads.
    #[default]
    Tiny,
    /// 384 channels, 6 heads.
    Small,
    /// 768 channels, 12 heads.
    Base,
}

impl VitSize {
    /// Heads of an attention.
    pub fn heads(self) -> usize {
        match self {
            Self::Tiny => 3,
            Self::Small => 6,
            Self::Base => 12,
        }
    }

    /// Channels of a token: 64 a head.
    pub fn channels(self) -> usize {
        64 * self.heads()
    }
}

/// Configuration of [`Vit`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VitConfig {
    /// Width and heads: `tiny` (default), `small` or `base`.
    #[serde(default)]
    pub size: VitSize,
    /// Side of a patch in pixels, which divides the side of the images: 16 by default, 4 for
    /// images of 32 pixels.
    #[serde(default = "sixteen")]
    #[schemars(range(min = 1, max = 4096))]
    pub patch: usize,
    /// Number of blocks, over 0; 12 by default.
    #[serde(default = "twelve")]
    #[schemars(range(min = 1, max = 256))]
    pub depth: usize,
    /// Input channels: 1 or 3; 3 by default. Not a key of configs, because the data decides.
    #[serde(skip, default = "rgb")]
    pub channels: usize,
    /// Side of the square images in pixels that positions are learned for; eight patches where
    /// it is not told. Not a key of configs, because the views decide.
    #[serde(skip)]
    pub side: Option<usize>,
}

fn sixteen() -> usize {
    16
}

fn twelve() -> usize {
    12
}

impl Default for VitConfig {
    fn default() -> Self {
        Self {
            size: VitSize::default(),
            patch: sixteen(),
            depth: twelve(),
            channels: rgb(),
            side: None,
        }
    }
}

/// Patches and a class token through blocks of attention and fully connected layers; the embedding
/// `[B, C]` is the class token behind the last norm.
///
/// The class token comes first. Positions are learned, one a patch and one for the class token; for
/// images of another size they are interpolated (bicubic). Norms come before what they feed, with
/// ε = 1e-6. Weights of fully connected layers and positions start with normal values of standard
/// deviation 0.02, biases at zero.
///
/// Source: Dosovitskiy et al., ICLR 2021 (arXiv 2010.11929), and for the sizes Touvron et al.,
/// ICML 2021 (arXiv 2012.12877).
#[derive(Module, Debug)]
pub struct Vit {
    /// Patches to tokens: a convolution whose stride is its kernel.
    pub patch: Conv2d,
    /// The token in front of the patches, `[1, 1, C]`.
    pub class: Param<Tensor<3>>,
    /// What is added to every token for its place, `[1, 1 + patches, C]`.
    pub position: Param<Tensor<3>>,
    /// The blocks in forward order.
    pub blocks: Vec<TokenBlock>,
    /// The norm of the last block's tokens.
    pub norm: TokenNorm,
}

impl VitConfig {
    /// Checks the values.
    ///
    /// # Errors
    /// A patch of 0, or one that does not divide the side of the images where that is told; a depth
    /// of 0; channels other than 1 and 3.
    pub fn validate(&self) -> Result<(), ModelError> {
        ModelError::first(self.problems())
    }

    /// Every value out of range, by its key.
    pub fn problems(&self) -> Vec<ModelError> {
        ModelError::all([
            ModelError::check_channels(self.channels),
            self.check_depth(),
            self.check_patch(),
        ])
    }

    fn check_depth(&self) -> Result<(), ModelError> {
        if !(1..=MOST_BLOCKS).contains(&self.depth) {
            return Err(ModelError::Config {
                key: "depth",
                value: self.depth.to_string(),
                reason: "a transformer has 1 to 256 blocks",
            });
        }
        Ok(())
    }

    fn check_patch(&self) -> Result<(), ModelError> {
        if !(1..=MOST_SIDE).contains(&self.patch) {
            return Err(ModelError::Config {
                key: "patch",
                value: self.patch.to_string(),
                reason: "a patch is 1 to 4096 pixels wide",
            });
        }
        if let Some(side) = self.side.filter(|side| *side > MOST_SIDE) {
            return Err(ModelError::Config {
                key: "side",
                value: side.to_string(),
                reason: "images are at most 4096 pixels wide",
            });
        }
        match self.side {
            Some(side) if side == 0 || !side.is_multiple_of(self.patch) => Err(ModelError::Patch {
                patch: self.patch,
                side,
            }),
            _ => Ok(()),
        }
    }

    /// A network with its initial values drawn for `seed`: [`Initial::Normal`].
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn init(&self, seed: u64, device: &Device) -> Result<Vit, ModelError> {
        self.validate()?;
        Ok(seeded_from(
            Initial::Normal(DEVIATION),
            device,
            seed,
            || self.build(device),
        ))
    }

    /// As [`init`](Self::init), with no parameter drawn yet.
    pub(crate) fn outline(&self, device: &Device) -> Result<Vit, ModelError> {
        self.validate()?;
        Ok(self.build(device))
    }

    fn build(&self, device: &Device) -> Vit {
        /// Patches of a side where it is not told.
        const PATCHES: usize = 8;
        let side = self.side.unwrap_or(self.patch.saturating_mul(PATCHES));
        let channels = self.size.channels();
        let patches = (side / self.patch).pow(2);
        let normal = Initializer::Normal {
            mean: 0.0,
            std: DEVIATION,
        };
        Vit {
            patch: Conv2dConfig::new([self.channels, channels], [self.patch, self.patch])
                .with_stride([self.patch, self.patch])
                .init(device),
            class: normal.init([1, 1, channels], device),
            position: normal.init([1, 1 + patches, channels], device),
            blocks: (0..self.depth)
                .map(|index| {
                    let path = format!("encoder.blocks.{index}");
                    TokenBlock::new(&path, channels, self.size.heads(), device)
                })
                .collect(),
            norm: TokenNorm::new(channels, device),
        }
    }
}

impl Vit {
    /// Embeddings `[B, C]` of `images` `[B, channels, H, W]`.
    ///
    /// # Panics
    /// If an image is smaller than a patch.
    pub fn forward(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        class_of(self.tokens(images, taps))
    }

    /// The tokens behind the last norm, `[B, 1 + patches, C]`, the class token first.
    ///
    /// # Panics
    /// If an image is smaller than a patch.
    pub fn tokens(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<3> {
        let x = self.embedded(images, taps);
        self.through(x, taps)
    }

    /// The tokens in front of the first block, `[B, 1 + patches, C]`.
    fn embedded(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<3> {
        let (patches, grid) = self.patches(images, taps);
        let [batch, _, channels] = patches.dims();
        let class = self.class.val().expand([batch, 1, channels]);
        Tensor::cat(vec![class, patches], 1) + self.positions(grid)
    }

    /// The tokens behind the last norm of an encoder that sees some patches alone,
    /// `[B, 1 + visible, C]`, the class token first.
    ///
    /// `visible` `[B · visible]` are rows of `[B · patches]`, as many for each image, image by
    /// image.
    ///
    /// # Panics
    /// If an image is smaller than a patch, or a row does not exist.
    pub fn visible_tokens(
        &self,
        images: Tensor<4>,
        visible: Tensor<1, Int>,
        taps: &mut Taps,
    ) -> Tensor<3> {
        let (patches, grid) = self.patches(images, taps);
        let [batch, count, channels] = patches.dims();
        let [rows] = visible.dims();
        let positions = self.positions(grid);
        let seen = (patches + positions.clone().slice(s![.., 1..]))
            .reshape([batch * count, channels])
            .select(0, visible)
            .reshape([batch, rows / batch, channels]);
        let class = self.class.val() + positions.slice(s![.., 0..1]);
        let class = class.expand([batch, 1, channels]);
        self.through(Tensor::cat(vec![class, seen], 1), taps)
    }

    /// The patches as tokens `[B, patches, C]`, row by row, and how many stand in a column and in a
    /// row.
    fn patches(&self, images: Tensor<4>, taps: &mut Taps) -> (Tensor<3>, [usize; 2]) {
        let map = conv2d(&self.patch, images, Convolution::Direct);
        let map = taps.visit4(PATCH, map);
        let [batch, channels, height, width] = map.dims();
        let patches = map
            .reshape([batch, channels, height * width])
            .swap_dims(1, 2);
        (patches, [height, width])
    }

    /// Tokens `[B, T, C]` through the blocks and the last norm.
    fn through(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let x = self
            .blocks
            .iter()
            .fold(x, |x, block| block.forward(x, taps));
        taps.visit3(NORM, self.norm.forward(x))
    }

    /// Positions `[1, 1 + height · width, C]` for a grid of patches.
    fn positions(&self, [height, width]: [usize; 2]) -> Tensor<3> {
        let learned = self.position.val();
        let [_, tokens, channels] = learned.dims();
        let side = (tokens - 1).isqrt();
        if [side, side] == [height, width] {
            return learned;
        }
        let class = learned.clone().slice(s![.., 0..1]);
        let grid = learned
            .slice(s![.., 1..])
            .swap_dims(1, 2)
            .reshape([1, channels, side, side]);
        let options = InterpolateOptions::new(InterpolateMode::Bicubic)
            .with_align_corners(false)
            .with_output_size([height, width]);
        let grid = interpolate(grid, options)
            .reshape([1, channels, height * width])
            .swap_dims(1, 2);
        Tensor::cat(vec![class, grid], 1)
    }

    /// Channels of a token.
    pub fn channels(&self) -> usize {
        self.position.lazy_shape()[2]
    }
}

/// The class token, `[B, C]`.
fn class_of(x: Tensor<3>) -> Tensor<2> {
    let [batch, _, channels] = x.dims();
    x.slice(s![.., 0..1]).reshape([batch, channels])
}

impl Encoder for Vit {
    fn sites(&self) -> Vec<Site> {
        let channels = self.channels();
        let mut sites = vec![Site {
            name: PATCH.to_owned(),
            kind: SiteKind::Conv,
            units: channels,
            produced_by: ["weight", "bias"]
                .map(|name| format!("{PATCH}.{name}"))
                .to_vec(),
            consumed_by: Vec::new(),
        }];
        for block in &self.blocks {
            sites.extend(block.sites());
        }
        sites.push(Site::new(NORM, SiteKind::Token, channels));
        sites
    }

    fn groups(&self) -> Vec<Group> {
        self.blocks.iter().flat_map(TokenBlock::groups).collect()
    }

    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        let kernel = self.patch.kernel_size;
        let patches = ((sides[0] / kernel[0]) * (sides[1] / kernel[1])) as u64;
        let mut positions = vec![(format!("{PATCH}.weight"), patches)];
        for block in &self.blocks {
            positions.extend(block.positions(patches + 1));
        }
        positions
    }

    fn embedding_dim(&self) -> usize {
        self.channels()
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        self.forward(images, taps)
    }
    fn stages(&self) -> Vec<Vec<String>> {
        let mut stages = vec![vec![PATCH.to_owned()]];
        for block in &self.blocks {
            let mut sites: Vec<String> = block.sites().into_iter().map(|site| site.name).collect();
            let fed = sites.split_off(ATTENTION_SITES);
            stages.extend([sites, fed]);
        }
        stages.push(vec![NORM.to_owned()]);
        stages
    }

    fn stage(&self, index: usize, flow: Flow, taps: &mut Taps) -> Result<Flow, ModelError> {
        let wrong = ModelError::Stage {
            stage: "a vision transformer",
        };
        match (index.checked_sub(1), flow) {
            (None, Flow::Map(images)) => Ok(Flow::Tokens(self.embedded(images, taps))),
            (Some(half), Flow::Tokens(x)) => match self.blocks.get(half / 2) {
                Some(block) if half % 2 == 0 => Ok(Flow::Tokens(block.attend(x, taps))),
                Some(block) => Ok(Flow::Tokens(block.feed(x, taps))),
                None if half == 2 * self.blocks.len() => {
                    let x = taps.visit3(NORM, self.norm.forward(x));
                    Ok(Flow::Embedding(class_of(x)))
                }
                None => Err(wrong),
            },
            _ => Err(wrong),
        }
    }
}
