//! The block that the ResNets are made of.

use std::sync::Arc;

use afterimage_hooks::{Site, SiteKind};
use afterimage_kernels::{Convolution, batch_norm, conv_norm, conv2d, max_pool2d};
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::{Device, Tensor, activation::relu};

use crate::Taps;
use crate::compact::{Group, Point, Slice};

/// Convolution, batch norm, and in some blocks ReLU and max pooling.
#[derive(Module, Debug)]
pub struct ConvBlock {
    /// With as many zeros around the map as keep its size at stride 1.
    pub conv: Conv2d,
    /// ε = 1e-5, momentum 0.1.
    pub norm: BatchNorm,
    /// Max pooling.
    pub pool: Option<MaxPool2d>,
    /// The names of this block's sites.
    #[module(skip)]
    pub sites: Arc<BlockSites>,
    /// Whether a ReLU follows the norm.
    #[module(skip)]
    pub rectified: bool,
    /// How the convolution is computed on the CPU.
    #[module(skip)]
    pub convolution: Convolution,
}

/// What a [`ConvBlock`] is made of.
#[derive(Debug, Clone)]
pub struct ConvBlockConfig {
    /// The block's path, for example `encoder.layer1`.
    pub path: String,
    /// Input and output channels.
    pub channels: [usize; 2],
    /// Side of the kernel, odd.
    pub kernel: usize,
    /// Step between outputs.
    pub stride: usize,
    /// Whether the convolution adds a bias.
    pub bias: bool,
    /// Whether a ReLU follows the norm.
    pub rectified: bool,
    /// Max pooling at the end.
    pub pool: Option<MaxPool2dConfig>,
    /// How the convolution is computed on the CPU.
    pub convolution: Convolution,
}

/// The names of a block's sites, made once so that a visit builds no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockSites {
    /// The block's path.
    pub block: String,
    /// `<block>.conv`
    pub conv: String,
    /// `<block>.norm`
    pub norm: String,
    /// `<block>.act`; a block without ReLU has the name, but no such site.
    pub act: String,
    /// `<block>.pool`; a block without pooling has the name, but no such site.
    pub pool: String,
}

impl BlockSites {
    fn new(block: &str) -> Self {
        Self {
            block: block.to_owned(),
            conv: format!("{block}.conv"),
            norm: format!("{block}.norm"),
            act: format!("{block}.act"),
            pool: format!("{block}.pool"),
        }
    }
}

impl ConvBlockConfig {
    /// A block with its initial values; draw them under [`seeded`](crate::seeded).
    pub fn init(&self, device: &Device) -> ConvBlock {
        let (kernel, padding) = (self.kernel, self.kernel / 2);
        ConvBlock {
            conv: Conv2dConfig::new(self.channels, [kernel, kernel])
                .with_stride([self.stride, self.stride])
                .with_padding(PaddingConfig2d::Explicit(
                    padding, padding, padding, padding,
                ))
                .with_bias(self.bias)
                .init(device),
            norm: BatchNormConfig::new(self.channels[1]).init(device),
            pool: self.pool.as_ref().map(MaxPool2dConfig::init),
            sites: Arc::new(BlockSites::new(&self.path)),
            rectified: self.rectified,
            convolution: self.convolution,
        }
    }
}

impl ConvBlock {
    /// `[B, C_in, H, W]` to `[B, C_out, H', W']`.
    pub fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let (convolution, autodiff) = (self.convolution, x.is_autodiff());
        let (sites, rectified) = (&self.sites, self.rectified);
        let x = if taps.stops_at(&sites.norm, autodiff) {
            let x = taps.visit4(&sites.conv, conv2d(&self.conv, x, convolution));
            let x = taps.visit4(&sites.norm, batch_norm(&self.norm, x, false));
            if rectified { relu(x) } else { x }
        } else if taps.stops_at(&sites.conv, autodiff) {
            let x = taps.visit4(&sites.conv, conv2d(&self.conv, x, convolution));
            batch_norm(&self.norm, x, rectified)
        } else {
            conv_norm(&self.conv, &self.norm, x, convolution, rectified)
        };
        let x = if rectified {
            taps.visit4(&sites.act, x)
        } else {
            x
        };
        match &self.pool {
            None => x,
            Some(pool) => taps.visit4(&sites.pool, max_pool2d(pool, x)),
        }
    }

    /// Number of output channels.
    pub fn units(&self) -> usize {
        self.conv.weight.lazy_shape()[0]
    }

    /// Paths of the parameters with one row a unit. The running statistics of the norm, which
    /// are no parameters, lie beside `norm.gamma` as `norm.running_mean` and `norm.running_var`.
    pub fn producers(&self) -> Vec<String> {
        let bias = self.conv.bias.as_ref().map(|_| "conv.bias");
        ["conv.weight"]
            .into_iter()
            .chain(bias)
            .chain(["norm.gamma", "norm.beta"])
            .map(|name| format!("{}.{name}", self.sites.block))
            .collect()
    }

    /// The path of the parameter that reads the units of the block before.
    pub fn reader(&self) -> String {
        format!("{}.weight", self.sites.conv)
    }

    /// The block's sites in forward order, read by the convolutions of the blocks `readers`.
    pub fn sites(&self, readers: &[&ConvBlock]) -> Vec<Site> {
        let producers = self.producers();
        let consumed_by: Vec<String> = readers.iter().map(|reader| reader.reader()).collect();
        let site = |name: &str, kind, produced_by: &[String]| Site {
            name: name.to_owned(),
            kind,
            units: self.units(),
            produced_by: produced_by.to_vec(),
            consumed_by: consumed_by.clone(),
        };
        let of_conv = &producers[..producers.len() - 2];
        let mut sites = vec![
            site(&self.sites.conv, SiteKind::Conv, of_conv),
            site(&self.sites.norm, SiteKind::Norm, &producers),
        ];
        if self.rectified {
            sites.push(site(&self.sites.act, SiteKind::Activation, &producers));
        }
        if self.pool.is_some() {
            sites.push(site(&self.sites.pool, SiteKind::Pool, &producers));
        }
        sites
    }

    /// The value that leaves the block, read by the convolutions of the blocks `readers`.
    pub(crate) fn point(&self, readers: &[&ConvBlock]) -> Point {
        let BlockSites {
            block,
            norm,
            act,
            pool,
            ..
        } = self.sites.as_ref();
        let mut sites = vec![norm.clone()];
        if self.rectified {
            sites.insert(0, act.clone());
        }
        if self.pool.is_some() {
            sites.push(pool.clone());
        }
        let statistics = ["norm.running_mean", "norm.running_var"].map(|n| format!("{block}.{n}"));
        let rows = self.producers().into_iter().chain(statistics);
        Point {
            sites,
            sum_of: Vec::new(),
            written_by: rows.map(|path| Slice::new(path, 0)).collect(),
            read_by: readers.iter().map(|block| block.columns()).collect(),
        }
    }

    /// The axis of the block's convolution that runs over its inputs.
    pub(crate) fn columns(&self) -> Slice {
        Slice::new(self.reader(), 1)
    }

    /// Names of the block's sites, in forward order.
    pub(crate) fn site_names(&self) -> Vec<String> {
        let sites = self.sites(&[]);
        sites.into_iter().map(|site| site.name).collect()
    }

    /// A group of the block's units alone, read by the convolutions of the blocks `readers`.
    pub(crate) fn group(&self, readers: &[&ConvBlock]) -> Group {
        Group {
            name: self.sites.block.clone(),
            units: self.units(),
            channels: 1,
            sites: self.site_names(),
            points: vec![self.point(readers)],
            embeds: false,
        }
    }

    /// Sides of the map behind the convolution, and behind the block, for a map of these sides.
    pub(crate) fn sides(&self, sides: [usize; 2]) -> [[usize; 2]; 2] {
        let length = |side: usize, kernel: usize, padding: usize, stride: usize| {
            (side + 2 * padding).saturating_sub(kernel) / stride + 1
        };
        let conv = [0, 1].map(|axis| {
            let kernel = self.conv.kernel_size[axis];
            length(sides[axis], kernel, kernel / 2, self.conv.stride[axis])
        });
        let Some(pool) = &self.pool else {
            return [conv, conv];
        };
        let padding = match &pool.padding {
            PaddingConfig2d::Explicit(padding, ..) => *padding,
            _ => 0,
        };
        let pooled = [0, 1].map(|axis| {
            length(
                conv[axis],
                pool.kernel_size[axis],
                padding,
                pool.stride[axis],
            )
        });
        [conv, pooled]
    }
}
