//! ResNet-18, -34 and -50.

use afterimage_hooks::Site;
use afterimage_kernels::{Convolution, space_mean};
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::compact::Group;
use crate::defaults::{as_published, rgb};
use crate::residual_block::{ResidualBlock, ResidualBlockConfig};
use crate::{ConvBlock, ConvBlockConfig, Encoder, Flow, Initial, ModelError, Taps, seeded_from};

/// Channels of the four stages at width 1, before the expansion of bottlenecks.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];
/// Output channels of a bottleneck over its inner channels.
const EXPANSION: usize = 4;

/// The first layers of a [`ResNet`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Stem {
    /// A convolution 3×3 that keeps the size: for images of 32 pixels.
    #[default]
    Cifar,
    /// A convolution 7×7 with stride 2 and max pooling 3×3 with stride 2: a quarter of each side.
    Imagenet,
}

/// Configuration of [`ResNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResNetConfig {
    /// Number of layers with weights, the classifier included: 18, 34 or 50.
    pub depth: usize,
    /// The first layers; for small images by default.
    #[serde(default)]
    pub stem: Stem,
    /// Input channels: 1 or 3; 3 by default. Not a key of configs, because the data decides.
    #[serde(skip, default = "rgb")]
    pub channels: usize,
    /// Factor of every width, over 0; a width is rounded and at least 1. By default 1.
    #[serde(default = "as_published")]
    #[schemars(range(max = 64), extend("exclusiveMinimum" = 0))]
    pub width: f64,
    /// How 3×3 convolutions are computed on the CPU: `winograd` (default), or `direct`, which is
    /// slower and exact to rounding.
    #[serde(default)]
    pub convolution: Convolution,
}

/// A stem, four stages of residual blocks, and the mean over the last map: `[B, D]`.
///
/// | | ResNet-18 | ResNet-34 | ResNet-50 | map for 32², CIFAR stem | for 224², ImageNet stem |
/// |---|---|---|---|---|---|
/// | `stem` | 64 | 64 | 64 | 32² | 56² |
/// | `layer1` | 2 × 64 | 3 × 64 | 3 × 256 | 32² | 56² |
/// | `layer2` | 2 × 128 | 4 × 128 | 4 × 512 | 16² | 28² |
/// | `layer3` | 2 × 256 | 6 × 256 | 6 × 1024 | 8² | 14² |
/// | `layer4` | 2 × 512 | 3 × 512 | 3 × 2048 | 4² | 7² |
///
/// Blocks of two convolutions 3×3 in ResNet-18 and -34, of 1×1, 3×3 (with the stride) and 1×1 in
/// ResNet-50; no biases; weights from normal values with variance 2 / fan-out.
///
/// Source: He et al., CVPR 2016 (arXiv 1512.03385), Table 1; the stride of a bottleneck lies on its
/// 3×3 convolution, as in torchvision; the stem for small images is that of the SimCLR paper
/// (arXiv 2002.05709), appendix B.9.
#[derive(Module, Debug)]
pub struct ResNet {
    /// Images to the first map.
    pub stem: ConvBlock,
    /// Blocks at the first map's size.
    pub layer1: Vec<ResidualBlock>,
    /// Blocks at half of it.
    pub layer2: Vec<ResidualBlock>,
    /// Blocks at a quarter of it.
    pub layer3: Vec<ResidualBlock>,
    /// Blocks at an eighth of it.
    pub layer4: Vec<ResidualBlock>,
}

impl ResNetConfig {
    /// The network of `depth` layers for images of 3 channels, with the stem for small ones.
    pub fn new(depth: usize) -> Self {
        Self {
            depth,
            stem: Stem::default(),
            channels: rgb(),
            width: as_published(),
            convolution: Convolution::default(),
        }
    }

    /// The smallest side of an input image in pixels.
    pub const MIN_SIDE: usize = 1;

    /// Checks the values.
    ///
    /// # Errors
    /// A depth other than 18, 34 and 50; channels other than 1 and 3; a width that is not finite
    /// and over 0.
    pub fn validate(&self) -> Result<(), ModelError> {
        ModelError::first(self.problems())
    }

    /// Every value out of range, by its key.
    pub fn problems(&self) -> Vec<ModelError> {
        ModelError::all([
            self.blocks().map(|_| ()),
            ModelError::check_channels(self.channels),
            ModelError::check_width(self.width),
        ])
    }

    /// Blocks of the four stages, and whether they are bottlenecks.
    fn blocks(&self) -> Result<([usize; 4], bool), ModelError> {
        match self.depth {
            18 => Ok(([2, 2, 2, 2], false)),
            34 => Ok(([3, 4, 6, 3], false)),
            50 => Ok(([3, 4, 6, 3], true)),
            depth => Err(ModelError::Config {
                key: "depth",
                value: depth.to_string(),
                reason: "a ResNet has 18, 34 or 50 layers",
            }),
        }
    }

    /// A network with its initial values drawn for `seed`: [`Initial::FanOut`].
    ///
    /// # Errors
    /// As [`validate`](Self::validate).
    pub fn init(&self, seed: u64, device: &Device) -> Result<ResNet, ModelError> {
        self.validate()?;
        let (blocks, bottleneck) = self.blocks()?;
        Ok(seeded_from(Initial::FanOut, device, seed, || {
            self.build(blocks, bottleneck, device)
        }))
    }

    /// As [`init`](Self::init), with no parameter drawn yet.
    pub(crate) fn outline(&self, device: &Device) -> Result<ResNet, ModelError> {
        let (blocks, bottleneck) = self.blocks()?;
        Ok(self.build(blocks, bottleneck, device))
    }

    fn build(&self, blocks: [usize; 4], bottleneck: bool, device: &Device) -> ResNet {
        let widths = WIDTHS.map(|base| ((base as f64 * self.width).round() as usize).max(1));
        let (kernel, stride) = match self.stem {
            Stem::Cifar => (3, 1),
            Stem::Imagenet => (7, 2),
        };
        let stem = ConvBlockConfig {
            path: "encoder.stem".to_owned(),
            channels: [self.channels, widths[0]],
            kernel,
            stride,
            bias: false,
            rectified: true,
            pool: (self.stem == Stem::Imagenet).then(|| {
                MaxPool2dConfig::new([3, 3])
                    .with_strides([2, 2])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            }),
            convolution: self.convolution,
        };
        let mut input = widths[0];
        let mut stages = Vec::with_capacity(4);
        for (stage, (&count, &inner)) in blocks.iter().zip(&widths).enumerate() {
            let output = if bottleneck { EXPANSION * inner } else { inner };
            let mut layer = Vec::with_capacity(count);
            for block in 0..count {
                let config = ResidualBlockConfig {
                    path: format!("encoder.layer{}.{block}", stage + 1),
                    channels: [input, inner, output],
                    stride: if block == 0 && stage > 0 { 2 } else { 1 },
                    bottleneck,
                    convolution: self.convolution,
                };
                layer.push(config.init(device));
                input = output;
            }
            stages.push(layer);
        }
        let mut stages = stages.into_iter();
        let mut stage = || stages.next().unwrap_or_default();
        ResNet {
            stem: stem.init(device),
            layer1: stage(),
            layer2: stage(),
            layer3: stage(),
            layer4: stage(),
        }
    }
}

impl ResNet {
    /// Embeddings `[B, D]` of `images` `[B, channels, H, W]`.
    pub fn forward(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        let x = self.stem.forward(images, taps);
        let x = self.blocks().fold(x, |x, block| block.forward(x, taps));
        space_mean(x)
    }

    /// The residual blocks in forward order.
    pub fn blocks(&self) -> impl Iterator<Item = &ResidualBlock> {
        [&self.layer1, &self.layer2, &self.layer3, &self.layer4]
            .into_iter()
            .flatten()
    }
}

impl Encoder for ResNet {
    fn sites(&self) -> Vec<Site> {
        let blocks: Vec<&ResidualBlock> = self.blocks().collect();
        let first = blocks.first().map(|block| block.readers());
        let mut sites = self.stem.sites(&first.unwrap_or_default());
        // What writes the sum that flows from block to block, until a shortcut makes a new one.
        let mut writers = self.stem.producers();
        for (index, block) in blocks.iter().enumerate() {
            let next = blocks.get(index + 1).map(|next| next.readers());
            let readers = next.unwrap_or_default();
            sites.extend(block.sites(&mut writers, &readers));
        }
        sites
    }

    fn groups(&self) -> Vec<Group> {
        let mut groups = Vec::new();
        let mut flow = self.stem.group(&[]);
        for block in self.blocks() {
            groups.extend(block.flow(&mut flow));
            groups.extend(block.inner_groups());
        }
        flow.embeds = true;
        groups.push(flow);
        groups
    }

    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        let [conv, mut sides] = self.stem.sides(sides);
        let mut all = vec![(self.stem.reader(), (conv[0] * conv[1]) as u64)];
        for block in self.blocks() {
            let (positions, out) = block.positions(sides);
            all.extend(positions);
            sides = out;
        }
        all
    }

    fn embedding_dim(&self) -> usize {
        self.blocks().last().map_or(0, ResidualBlock::units)
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        self.forward(images, taps)
    }
    fn stages(&self) -> Vec<Vec<String>> {
        let stem = self.stem.site_names();
        let blocks = self.blocks().map(ResidualBlock::site_names);
        std::iter::once(stem).chain(blocks).collect()
    }

    fn stage(&self, index: usize, flow: Flow, taps: &mut Taps) -> Result<Flow, ModelError> {
        let wrong = ModelError::Stage { stage: "a ResNet" };
        let Flow::Map(x) = flow else {
            return Err(wrong);
        };
        let Some(before) = index.checked_sub(1) else {
            return Ok(Flow::Map(self.stem.forward(x, taps)));
        };
        let mut blocks = self.blocks().skip(before);
        let block = blocks.next().ok_or(wrong)?;
        let x = block.forward(x, taps);
        Ok(match blocks.next() {
            Some(_) => Flow::Map(x),
            None => Flow::Embedding(space_mean(x)),
        })
    }
}
