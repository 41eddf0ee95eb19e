//! ResNet-9 as in the unit and layer memorization papers.

use afterimage_hooks::{Site, SiteKind};
use afterimage_kernels::{Convolution, add, fork};
use burn::module::Module;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::compact::{Group, Point};
use crate::defaults::{as_published, rgb};
use crate::{ConvBlock, ConvBlockConfig, Encoder, Flow, ModelError, Taps};

/// Output channels of the eight convolutions at width 1; together 1120 units.
const WIDTHS: [usize; 8] = [32, 64, 64, 64, 128, 256, 256, 256];
const RES1: &str = "encoder.res1";
const RES2: &str = "encoder.res2";

/// Configuration of [`ResNet9`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResNet9Config {
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

impl Default for ResNet9Config {
    fn default() -> Self {
        Self {
            channels: rgb(),
            width: as_published(),
            convolution: Convolution::default(),
        }
    }
}

/// Eight convolution blocks with two residual sums, down to an embedding `[B, 256 · width]`.
///
/// | block | channels | map for 32² | for 28² |
/// |---|---|---|---|
/// | `prep` | 32, pooled | 16² | 14² |
/// | `layer1` | 64, pooled | 8² | 7² |
/// | `res1a`, `res1b` | 64; `res1 = res1b(res1a(a)) + a` | 8² | 7² |
/// | `layer2` | 128, pooled | 4² | 3² |
/// | `layer3` | 256, pooled | 2² | 1² |
/// | `res2a`, `res2b` | 256; `res2 = res2b(res2a(a)) + a` | 2² | 1² |
/// | embedding | the maximum over the last map | 1 | 1 |
///
/// Any side of at least 16 works; each pooling halves it and rounds down. For 32² the embedding is
/// the max pooling and flattening in front of the papers' classifier. 1,644,672 parameters at
/// width 1 and 3 channels: weights and biases of convolutions and norms.
///
/// Source: arXiv 2409.19069, Table 8, and its released `model.py`.
#[derive(Module, Debug)]
pub struct ResNet9 {
    /// Input to 32 channels.
    pub prep: ConvBlock,
    /// 32 to 64 channels.
    pub layer1: ConvBlock,
    /// First block of the first residual branch.
    pub res1a: ConvBlock,
    /// Second block of the first residual branch.
    pub res1b: ConvBlock,
    /// 64 to 128 channels.
    pub layer2: ConvBlock,
    /// 128 to 256 channels.
    pub layer3: ConvBlock,
    /// First block of the second residual branch.
    pub res2a: ConvBlock,
    /// Second block of the second residual branch.
    pub res2b: ConvBlock,
}

impl ResNet9Config {
    /// The smallest side of an input image in pixels.
    pub const MIN_SIDE: usize = 16;

    /// Checks the values.
    ///
    /// # Errors
    /// Channels other than 1 and 3; a width that is not finite and over 0.
    pub fn validate(&self) -> Result<(), ModelError> {
        ModelError::first(self.problems())
    }

    /// Every value out of range, by its key.
    pub fn problems(&self) -> Vec<ModelError> {
        ModelError::all([
            ModelError::check_channels(self.channels),
            ModelError::check_width(self.width),
        ])
    }

    /// Output channels of the eight convolutions in forward order.
    pub fn widths(&self) -> [usize; 8] {
        WIDTHS.map(|base| ((base as f64 * self.width).round() as usize).max(1))
    }

    /// A network with burn's initial values (uniform, bound 1/√fan-in); draw them under
    /// [`seeded`](crate::seeded).
    pub fn init(&self, device: &Device) -> ResNet9 {
        let [prep, layer1, res1a, res1b, layer2, layer3, res2a, res2b] = self.widths();
        let block = |name: &str, input, output, pooled: bool| {
            let config = ConvBlockConfig {
                path: format!("encoder.{name}"),
                channels: [input, output],
                kernel: 3,
                stride: 1,
                bias: true,
                rectified: true,
                pool: pooled.then(|| MaxPool2dConfig::new([2, 2])),
                convolution: self.convolution,
            };
            config.init(device)
        };
        ResNet9 {
            prep: block("prep", self.channels, prep, true),
            layer1: block("layer1", prep, layer1, true),
            res1a: block("res1a", layer1, res1a, false),
            res1b: block("res1b", res1a, res1b, false),
            layer2: block("layer2", res1b, layer2, true),
            layer3: block("layer3", layer2, layer3, true),
            res2a: block("res2a", layer3, res2a, false),
            res2b: block("res2b", res2a, res2b, false),
        }
    }
}

impl ResNet9 {
    /// Embeddings `[B, D]` of `images` `[B, channels, H, W]`.
    ///
    /// # Panics
    /// If a side is under [`ResNet9Config::MIN_SIDE`].
    pub fn forward(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        let [_, _, height, width] = images.dims();
        assert!(
            height.min(width) >= ResNet9Config::MIN_SIDE,
            "ResNet-9 takes images of at least 16×16 pixels, not {height}×{width}"
        );
        let x = self.prep.forward(images, taps);
        let a = self.layer1.forward(x, taps);
        let [a, skip] = fork(a);
        let branch = self.res1a.forward(a, taps);
        let branch = self.res1b.forward(branch, taps);
        let x = taps.visit4(RES1, add(branch, skip, false));
        let x = self.layer2.forward(x, taps);
        let b = self.layer3.forward(x, taps);
        let [b, skip] = fork(b);
        let branch = self.res2a.forward(b, taps);
        let branch = self.res2b.forward(branch, taps);
        pooled(taps.visit4(RES2, add(branch, skip, false)))
    }

    /// All blocks, in the order in which they are passed.
    fn blocks(&self) -> [&ConvBlock; 8] {
        let Self {
            prep,
            layer1,
            res1a,
            res1b,
            layer2,
            layer3,
            res2a,
            res2b,
        } = self;
        [prep, layer1, res1a, res1b, layer2, layer3, res2a, res2b]
    }
}

/// The maximum over a map, `[B, C]`.
fn pooled(x: Tensor<4>) -> Tensor<2> {
    let [rows, units, height, width] = x.dims();
    max_pool2d(x, MaxPoolOptions::new([height, width])).reshape([rows, units])
}

impl Encoder for ResNet9 {
    fn sites(&self) -> Vec<Site> {
        let sum =
            |name: &str, skip: &ConvBlock, branch: &ConvBlock, reader: Option<&ConvBlock>| Site {
                name: name.to_owned(),
                kind: SiteKind::Residual,
                units: branch.units(),
                produced_by: [skip.producers(), branch.producers()].concat(),
                consumed_by: reader.map(ConvBlock::reader).into_iter().collect(),
            };
        let mut sites = self.prep.sites(&[&self.layer1]);
        sites.extend(self.layer1.sites(&[&self.res1a, &self.layer2]));
        sites.extend(self.res1a.sites(&[&self.res1b]));
        sites.extend(self.res1b.sites(&[&self.layer2]));
        sites.push(sum(RES1, &self.layer1, &self.res1b, Some(&self.layer2)));
        sites.extend(self.layer2.sites(&[&self.layer3]));
        sites.extend(self.layer3.sites(&[&self.res2a]));
        sites.extend(self.res2a.sites(&[&self.res2b]));
        sites.extend(self.res2b.sites(&[]));
        sites.push(sum(RES2, &self.layer3, &self.res2b, None));
        sites
    }

    fn groups(&self) -> Vec<Group> {
        // The branch ends where its input lies, so that both have the same units.
        let sum = |name: &str, skip: &ConvBlock, inner, branch: &ConvBlock, reader| {
            let readers: Option<&ConvBlock> = reader;
            let points = vec![
                skip.point(&[inner]),
                branch.point(&[]),
                Point {
                    sites: vec![name.to_owned()],
                    sum_of: vec![0, 1],
                    read_by: readers.iter().map(|block| block.columns()).collect(),
                    ..Point::default()
                },
            ];
            let mut sites = skip.site_names();
            sites.extend(branch.site_names());
            sites.push(name.to_owned());
            Group {
                name: name.to_owned(),
                units: branch.units(),
                channels: 1,
                sites,
                points,
                embeds: readers.is_none(),
            }
        };
        vec![
            self.prep.group(&[&self.layer1]),
            sum(
                RES1,
                &self.layer1,
                &self.res1a,
                &self.res1b,
                Some(&self.layer2),
            ),
            self.res1a.group(&[&self.res1b]),
            self.layer2.group(&[&self.layer3]),
            sum(RES2, &self.layer3, &self.res2a, &self.res2b, None),
            self.res2a.group(&[&self.res2b]),
        ]
    }

    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        let mut sides = sides;
        let positions = self.blocks().map(|block| {
            let [conv, out] = block.sides(sides);
            sides = out;
            (block.reader(), (conv[0] * conv[1]) as u64)
        });
        positions.to_vec()
    }

    fn embedding_dim(&self) -> usize {
        self.res2b.units()
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        self.forward(images, taps)
    }
    fn stages(&self) -> Vec<Vec<String>> {
        let mut stages = self.blocks().map(ConvBlock::site_names).to_vec();
        stages[3].push(RES1.to_owned());
        stages[7].push(RES2.to_owned());
        stages
    }

    fn stage(&self, index: usize, flow: Flow, taps: &mut Taps) -> Result<Flow, ModelError> {
        let branch = |block: &ConvBlock, x, taps: &mut Taps| {
            let [x, skip] = fork(x);
            Flow::Branch(block.forward(x, taps), Box::new(skip))
        };
        Ok(match (index, flow) {
            (0, Flow::Map(x)) => Flow::Map(self.prep.forward(x, taps)),
            (1, Flow::Map(x)) => Flow::Map(self.layer1.forward(x, taps)),
            (2, Flow::Map(x)) => branch(&self.res1a, x, taps),
            (3, Flow::Branch(x, skip)) => {
                let x = self.res1b.forward(x, taps);
                Flow::Map(taps.visit4(RES1, add(x, *skip, false)))
            }
            (4, Flow::Map(x)) => Flow::Map(self.layer2.forward(x, taps)),
            (5, Flow::Map(x)) => Flow::Map(self.layer3.forward(x, taps)),
            (6, Flow::Map(x)) => branch(&self.res2a, x, taps),
            (7, Flow::Branch(x, skip)) => {
                let x = self.res2b.forward(x, taps);
                Flow::Embedding(pooled(taps.visit4(RES2, add(x, *skip, false))))
            }
            _ => return Err(ModelError::Stage { stage: "ResNet-9" }),
        })
    }
}
