//! What an encoder is, and the choice of one at run time.

use afterimage_hooks::Site;
use afterimage_kernels::Convolution;
use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::compact::Group;
use crate::{Flow, ModelError, ResNet, ResNet9, ResNet9Config, ResNetConfig, Taps, Vit, VitConfig};

/// A network from images to embeddings with named sites.
///
/// An encoder of one's own derives `Module`, hands every listed site's output to the taps, and
/// lists the sites in forward order. Site names and parameter paths start with `encoder.`, the
/// name of the field that holds the encoder in the training model.
pub trait Encoder: Module {
    /// The sites in forward order. What an encoder's last site feeds lies outside of it, so the
    /// readers of the embedding are not in `consumed_by`.
    fn sites(&self) -> Vec<Site>;

    /// The units that can be taken out together, in forward order; none for an encoder that cannot be
    /// made smaller.
    fn groups(&self) -> Vec<Group> {
        Vec::new()
    }

    /// Multiplications by each value of every weight in a forward pass of one image with these sides
    /// (height, width), by the weight's path; none for an encoder that does not tell.
    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        let _ = sides;
        Vec::new()
    }

    /// Length of an embedding.
    fn embedding_dim(&self) -> usize;

    /// Embeddings `[B, D]` of `images` `[B, C, H, W]`, passing every site through `taps`.
    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2>;

    /// The stages of the forward pass, each by the names of the sites that it passes; every site is in
    /// one of them. An encoder that does not tell is one stage.
    fn stages(&self) -> Vec<Vec<String>> {
        vec![self.sites().into_iter().map(|site| site.name).collect()]
    }

    /// Runs stage number `index` on what the stage before it put out, or on images: all stages one
    /// after the other give the bits of [`encode`](Self::encode).
    ///
    /// # Errors
    /// What another stage takes; a stage that the encoder does not have.
    fn stage(&self, index: usize, flow: Flow, taps: &mut Taps) -> Result<Flow, ModelError> {
        match (index, flow) {
            (0, Flow::Map(images)) => Ok(Flow::Embedding(self.encode(images, taps))),
            _ => Err(ModelError::Stage {
                stage: "an encoder of one stage",
            }),
        }
    }
}

/// The choice of an encoder, `kind = "resnet9"` and that encoder's own keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum EncoderConfig {
    /// ResNet-9.
    ResNet9(ResNet9Config),
    /// ResNet-18, -34 or -50.
    ResNet(ResNetConfig),
    /// A vision transformer.
    Vit(VitConfig),
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self::ResNet9(ResNet9Config::default())
    }
}

impl EncoderConfig {
    /// The same encoder for images with `channels` channels and `side` pixels a side; not settings,
    /// since the data and the views decide.
    pub fn for_images(mut self, channels: usize, side: usize) -> Self {
        match &mut self {
            Self::ResNet9(config) => config.channels = channels,
            Self::ResNet(config) => config.channels = channels,
            Self::Vit(config) => {
                config.channels = channels;
                config.side = Some(side);
            }
        }
        self
    }

    /// The same encoder with another way to compute its convolutions on the CPU.
    pub fn with_convolution(mut self, convolution: Convolution) -> Self {
        match &mut self {
            Self::ResNet9(config) => config.convolution = convolution,
            Self::ResNet(config) => config.convolution = convolution,
            // Patches do not overlap: there is one way to embed them.
            Self::Vit(_) => {}
        }
        self
    }

    /// Channels of the images.
    pub fn channels(&self) -> usize {
        match self {
            Self::ResNet9(config) => config.channels,
            Self::ResNet(config) => config.channels,
            Self::Vit(config) => config.channels,
        }
    }

    /// How the encoder's convolutions are computed on the CPU.
    pub fn convolution(&self) -> Convolution {
        match self {
            Self::ResNet9(config) => config.convolution,
            Self::ResNet(config) => config.convolution,
            Self::Vit(_) => Convolution::default(),
        }
    }

    /// The smallest side of an image in pixels.
    pub fn min_side(&self) -> usize {
        match self {
            Self::ResNet9(_) => ResNet9Config::MIN_SIDE,
            Self::ResNet(_) => ResNetConfig::MIN_SIDE,
            Self::Vit(config) => config.patch,
        }
    }

    /// Checks the values.
    ///
    /// # Errors
    /// The first value out of range, by its key.
    pub fn validate(&self) -> Result<(), ModelError> {
        ModelError::first(self.problems())
    }

    /// Every value out of range, by its key.
    pub fn problems(&self) -> Vec<ModelError> {
        match self {
            Self::ResNet9(config) => config.problems(),
            Self::ResNet(config) => config.problems(),
            Self::Vit(config) => config.problems(),
        }
    }

    /// The encoder with no parameter drawn yet: its sites, groups and shapes cost next to nothing, however
    /// large it is. A value that is asked for all the same is drawn from the device's generator.
    ///
    /// # Errors
    /// A value out of range, by its key.
    pub fn outline(&self, device: &Device) -> Result<AnyEncoder, ModelError> {
        self.validate()?;
        match self {
            Self::ResNet9(config) => Ok(AnyEncoder::ResNet9(config.init(device))),
            Self::ResNet(config) => config.outline(device).map(AnyEncoder::ResNet),
            Self::Vit(config) => config.outline(device).map(AnyEncoder::Vit),
        }
    }

    /// The encoder with its parameters drawn for `seed`, as [`seeded`](crate::seeded) does.
    ///
    /// # Errors
    /// A value out of range, by its key.
    pub fn init(&self, seed: u64, device: &Device) -> Result<AnyEncoder, ModelError> {
        self.validate()?;
        match self {
            Self::ResNet9(config) => {
                let init = || config.init(device);
                Ok(AnyEncoder::ResNet9(crate::seeded(device, seed, init)))
            }
            Self::ResNet(config) => config.init(seed, device).map(AnyEncoder::ResNet),
            Self::Vit(config) => config.init(seed, device).map(AnyEncoder::Vit),
        }
    }
}

/// An encoder chosen at run time.
///
/// Its parameter paths are those of the encoder within: the variant is no step of a path, as it
/// would be in a derived module, so that records and sites hold for both.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "a model has one, and its parameters lie elsewhere"
)]
pub enum AnyEncoder {
    /// ResNet-9.
    ResNet9(ResNet9),
    /// ResNet-18, -34 or -50.
    ResNet(ResNet),
    /// A vision transformer.
    Vit(Vit),
}

/// Runs an expression on the encoder within.
macro_rules! within {
    ($any:expr, $encoder:ident => $run:expr) => {
        match $any {
            AnyEncoder::ResNet9($encoder) => $run,
            AnyEncoder::ResNet($encoder) => $run,
            AnyEncoder::Vit($encoder) => $run,
        }
    };
}

/// Runs an expression on the encoder within and wraps what comes out again.
macro_rules! rewrapped {
    ($any:expr, $encoder:ident => $run:expr) => {
        match $any {
            AnyEncoder::ResNet9($encoder) => AnyEncoder::ResNet9($run),
            AnyEncoder::ResNet($encoder) => AnyEncoder::ResNet($run),
            AnyEncoder::Vit($encoder) => AnyEncoder::Vit($run),
        }
    };
}

impl Encoder for AnyEncoder {
    fn sites(&self) -> Vec<Site> {
        within!(self, encoder => encoder.sites())
    }

    fn groups(&self) -> Vec<Group> {
        within!(self, encoder => encoder.groups())
    }

    fn positions(&self, sides: [usize; 2]) -> Vec<(String, u64)> {
        within!(self, encoder => encoder.positions(sides))
    }

    fn embedding_dim(&self) -> usize {
        within!(self, encoder => encoder.embedding_dim())
    }

    fn encode(&self, images: Tensor<4>, taps: &mut Taps) -> Tensor<2> {
        within!(self, encoder => encoder.encode(images, taps))
    }

    fn stages(&self) -> Vec<Vec<String>> {
        within!(self, encoder => encoder.stages())
    }

    fn stage(&self, index: usize, flow: Flow, taps: &mut Taps) -> Result<Flow, ModelError> {
        within!(self, encoder => encoder.stage(index, flow, taps))
    }
}

impl Module for AnyEncoder {
    fn collect_devices(&self, devices: Devices) -> Devices {
        within!(self, encoder => encoder.collect_devices(devices))
    }

    fn fork(self, device: &Device) -> Self {
        rewrapped!(self, encoder => encoder.fork(device))
    }

    fn to_device(self, device: &Device) -> Self {
        rewrapped!(self, encoder => encoder.to_device(device))
    }

    fn train(self) -> Self {
        rewrapped!(self, encoder => encoder.train())
    }

    fn valid(&self) -> Self {
        rewrapped!(self, encoder => encoder.valid())
    }

    fn materialize(self) -> Self {
        rewrapped!(self, encoder => encoder.materialize())
    }

    fn visit<Visitor: ModuleVisitor>(&self, visitor: &mut Visitor) {
        within!(self, encoder => encoder.visit(visitor));
    }

    fn map<Mapper: ModuleMapper>(self, mapper: &mut Mapper) -> Self {
        rewrapped!(self, encoder => encoder.map(mapper))
    }
}

impl ModuleDisplayDefault for AnyEncoder {
    fn content(&self, content: Content) -> Option<Content> {
        within!(self, encoder => content.add_single(encoder).optional())
    }

    fn num_params(&self) -> usize {
        Module::num_params(self)
    }
}

impl ModuleDisplay for AnyEncoder {}
