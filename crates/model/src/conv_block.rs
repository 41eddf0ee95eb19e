//! The block that ResNet-9 is made of.

use afterimage_hooks::{Site, SiteKind};
use afterimage_kernels::{Convolution, batch_norm, conv_norm_relu, conv2d, max_pool2d};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation::relu};

use crate::Taps;

/// Convolution 3×3 with padding 1 and bias, batch norm, ReLU, and max pooling 2×2 in some blocks.
///
/// Source: arXiv 2409.19069, Table 8, and its released `model.py`.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// 3×3, padding 1, with bias.
    pub conv: Conv2d,
    /// ε = 1e-5, momentum 0.1.
    pub norm: BatchNorm,
    /// 2×2 with stride 2; halves (rounding down) each side.
    pub pool: Option<MaxPool2d>,
    /// The names of this block's sites.
    #[module(skip)]
    pub sites: BlockSites,
    /// How the convolution is computed on the CPU.
    #[module(skip)]
    pub convolution: Convolution,
}

/// The names of a block's sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSites {
    /// The block's path, `encoder.<block>`.
    pub block: &'static str,
    /// `encoder.<block>.conv`
    pub conv: &'static str,
    /// `encoder.<block>.norm`
    pub norm: &'static str,
    /// `encoder.<block>.act`
    pub act: &'static str,
    /// `encoder.<block>.pool`; a block without pooling has the name, but no such site.
    pub pool: &'static str,
}

/// The site names of a block of the encoder, known at compile time so that a visit builds no text.
macro_rules! block_sites {
    ($block:literal) => {
        $crate::BlockSites {
            block: concat!("encoder.", $block),
            conv: concat!("encoder.", $block, ".conv"),
            norm: concat!("encoder.", $block, ".norm"),
            act: concat!("encoder.", $block, ".act"),
            pool: concat!("encoder.", $block, ".pool"),
        }
    };
}
pub(crate) use block_sites;

impl ConvBlock {
    /// A block from `input` to `output` channels.
    pub fn new(
        [input, output]: [usize; 2],
        pooled: bool,
        sites: BlockSites,
        convolution: Convolution,
        device: &Device,
    ) -> Self {
        Self {
            conv: Conv2dConfig::new([input, output], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device),
            norm: BatchNormConfig::new(output).init(device),
            pool: pooled.then(|| MaxPool2dConfig::new([2, 2]).init()),
            sites,
            convolution,
        }
    }

    /// `[B, C_in, H, W]` to `[B, C_out, H, W]`, or half of each side with pooling.
    pub fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let (convolution, autodiff) = (self.convolution, x.is_autodiff());
        let x = if taps.stops_at(self.sites.norm, autodiff) {
            let x = taps.visit4(self.sites.conv, conv2d(&self.conv, x, convolution));
            relu(taps.visit4(self.sites.norm, batch_norm(&self.norm, x, false)))
        } else if taps.stops_at(self.sites.conv, autodiff) {
            let x = taps.visit4(self.sites.conv, conv2d(&self.conv, x, convolution));
            batch_norm(&self.norm, x, true)
        } else {
            conv_norm_relu(&self.conv, &self.norm, x, convolution)
        };
        let x = taps.visit4(self.sites.act, x);
        match &self.pool {
            None => x,
            Some(pool) => taps.visit4(self.sites.pool, max_pool2d(pool, x)),
        }
    }

    /// Number of output channels.
    pub fn units(&self) -> usize {
        self.conv.weight.lazy_shape()[0]
    }

    /// Paths of the parameters with one row a unit. The running statistics of the norm, which
    /// are no parameters, lie beside `norm.gamma` as `norm.running_mean` and `norm.running_var`.
    pub fn producers(&self) -> Vec<String> {
        ["conv.weight", "conv.bias", "norm.gamma", "norm.beta"]
            .map(|name| format!("{}.{name}", self.sites.block))
            .to_vec()
    }

    /// The block's sites in forward order, read by the convolutions of the blocks `readers`.
    pub fn sites(&self, readers: &[&ConvBlock]) -> Vec<Site> {
        let producers = self.producers();
        let consumed_by: Vec<String> = readers
            .iter()
            .map(|reader| format!("{}.weight", reader.sites.conv))
            .collect();
        let site = |name: &str, kind, produced_by: &[String]| Site {
            name: name.to_owned(),
            kind,
            units: self.units(),
            produced_by: produced_by.to_vec(),
            consumed_by: consumed_by.clone(),
        };
        let mut sites = vec![
            site(self.sites.conv, SiteKind::Conv, &producers[..2]),
            site(self.sites.norm, SiteKind::Norm, &producers),
            site(self.sites.act, SiteKind::Activation, &producers),
        ];
        if self.pool.is_some() {
            sites.push(site(self.sites.pool, SiteKind::Pool, &producers));
        }
        sites
    }
}
