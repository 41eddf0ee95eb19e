//! The block that vision transformers are made of.

use std::sync::Arc;

use afterimage_hooks::{Site, SiteKind};
use afterimage_kernels::{add_tokens, attention, fork, gelu, layer_norm, linear};
use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};

use crate::Taps;
use crate::compact::{Group, Point, Slice};

/// Added to variances.
const EPSILON: f64 = 1e-6;
/// Channels of the hidden layer over those of a token.
const EXPANSION: usize = 4;

/// Layer norm over the channels of a token, ε = 1e-6.
#[derive(Module, Debug)]
pub struct TokenNorm {
    /// Scale, `[C]`.
    pub gamma: Param<Tensor<1>>,
    /// Shift, `[C]`.
    pub beta: Param<Tensor<1>>,
}

impl TokenNorm {
    /// A norm that scales by 1 and shifts by 0.
    pub fn new(channels: usize, device: &Device) -> Self {
        Self {
            gamma: Initializer::Ones.init([channels], device),
            beta: Initializer::Zeros.init([channels], device),
        }
    }

    /// `[B, T, C]` to `[B, T, C]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        layer_norm(x, self.gamma.val(), self.beta.val(), EPSILON)
    }
}

/// `x + attention(norm(x))`, and then `x + fc2(gelu(fc1(norm(x))))`.
#[derive(Module, Debug)]
pub struct TokenBlock {
    /// In front of the attention.
    pub norm1: TokenNorm,
    /// Queries, keys and values of all heads, `C` to `3C`.
    pub qkv: Linear,
    /// The heads' outputs to the tokens, `C` to `C`.
    pub output: Linear,
    /// In front of the fully connected layers.
    pub norm2: TokenNorm,
    /// `C` to `4C`.
    pub fc1: Linear,
    /// `4C` to `C`.
    pub fc2: Linear,
    /// Channels of a head. Their number follows from the weights, since heads can be taken out.
    #[module(skip)]
    pub head_channels: usize,
    /// The names of this block's sites.
    #[module(skip)]
    pub sites: Arc<TokenSites>,
}

/// The names of a block's sites, made once so that a visit builds no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSites {
    /// The block's path.
    pub block: String,
    /// `<block>.heads`: what the heads say, beside each other.
    pub heads: String,
    /// `<block>.attention`: what attention adds to the tokens.
    pub attention: String,
    /// `<block>.attended`: the tokens after that sum.
    pub attended: String,
    /// `<block>.fc1`: the hidden layer in front of its nonlinearity.
    pub fc1: String,
    /// `<block>.act`: the hidden layer behind it.
    pub act: String,
    /// `<block>.fc2`: what the fully connected layers add to the tokens.
    pub fc2: String,
    /// `<block>.sum`: the tokens after that sum.
    pub sum: String,
}

impl TokenSites {
    fn new(block: &str) -> Self {
        let site = |name: &str| format!("{block}.{name}");
        Self {
            block: block.to_owned(),
            heads: site("heads"),
            attention: site("attention"),
            attended: site("attended"),
            fc1: site("fc1"),
            act: site("act"),
            fc2: site("fc2"),
            sum: site("sum"),
        }
    }
}

impl TokenBlock {
    /// A block with its initial values at `path`, for example `encoder.blocks.0`.
    pub fn new(path: &str, channels: usize, heads: usize, device: &Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            norm1: TokenNorm::new(channels, device),
            qkv: linear(channels, 3 * channels),
            output: linear(channels, channels),
            norm2: TokenNorm::new(channels, device),
            fc1: linear(channels, EXPANSION * channels),
            fc2: linear(EXPANSION * channels, channels),
            head_channels: channels / heads,
            sites: Arc::new(TokenSites::new(path)),
        }
    }

    /// `[B, T, C]` to `[B, T, C]`.
    pub fn forward(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let x = self.attend(x, taps);
        self.feed(x, taps)
    }

    /// The first half: `x + attention(norm(x))`.
    pub(crate) fn attend(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let sites = &self.sites;
        let [x, skip] = fork(x);
        let qkv = linear(&self.qkv, self.norm1.forward(x));
        let said = taps.visit3(&sites.heads, attention(qkv, self.heads()));
        let branch = linear(&self.output, said);
        let x = add_tokens(skip, taps.visit3(&sites.attention, branch));
        taps.visit3(&sites.attended, x)
    }

    /// The second half: `x + fc2(gelu(fc1(norm(x))))`.
    pub(crate) fn feed(&self, x: Tensor<3>, taps: &mut Taps) -> Tensor<3> {
        let sites = &self.sites;
        let [x, skip] = fork(x);
        let hidden = linear(&self.fc1, self.norm2.forward(x));
        let hidden = gelu(taps.visit3(&sites.fc1, hidden));
        let hidden = taps.visit3(&sites.act, hidden);
        let branch = taps.visit3(&sites.fc2, linear(&self.fc2, hidden));
        taps.visit3(&sites.sum, add_tokens(skip, branch))
    }

    /// The block's sites in forward order.
    ///
    /// The tokens flow through every block, so that all of them write and read their channels: the
    /// sums name no parameters.
    pub fn sites(&self) -> Vec<Site> {
        let sites = &self.sites;
        let parameters = |layer: &str| {
            ["weight", "bias"]
                .map(|name| format!("{}.{layer}.{name}", sites.block))
                .to_vec()
        };
        let [channels, hidden] = self.fc1.weight.lazy_shape().dims();
        let hidden_site = |name: &String, kind| Site {
            produced_by: parameters("fc1"),
            consumed_by: vec![format!("{}.fc2.weight", sites.block)],
            ..Site::new(name, kind, hidden)
        };
        let branch_site = |name: &String, kind, layer| Site {
            produced_by: parameters(layer),
            ..Site::new(name, kind, channels)
        };
        let said = Site {
            consumed_by: vec![format!("{}.output.weight", sites.block)],
            ..Site::new(
                &sites.heads,
                SiteKind::Token,
                self.heads() * self.head_channels,
            )
        };
        vec![
            said,
            branch_site(&sites.attention, SiteKind::Attention, "output"),
            Site::new(&sites.attended, SiteKind::Residual, channels),
            hidden_site(&sites.fc1, SiteKind::FullyConnected),
            hidden_site(&sites.act, SiteKind::Activation),
            branch_site(&sites.fc2, SiteKind::FullyConnected, "fc2"),
            Site::new(&sites.sum, SiteKind::Residual, channels),
        ]
    }

    /// Number of heads.
    pub fn heads(&self) -> usize {
        self.output.weight.lazy_shape()[0] / self.head_channels
    }

    /// The groups of the block: its heads, and the units of its hidden layer.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let sites = &self.sites;
        let path = |name: &str| format!("{}.{name}", sites.block);
        let heads = Group {
            name: sites.heads.clone(),
            units: self.heads(),
            channels: self.head_channels,
            sites: vec![sites.heads.clone()],
            points: vec![Point {
                sites: vec![sites.heads.clone()],
                sum_of: Vec::new(),
                written_by: vec![
                    Slice::new(path("qkv.weight"), 1).repeated(3),
                    Slice::new(path("qkv.bias"), 0).repeated(3),
                ],
                read_by: vec![Slice::new(path("output.weight"), 0)],
            }],
            embeds: false,
        };
        let hidden = Group {
            name: sites.fc1.clone(),
            units: self.fc1.weight.lazy_shape()[1],
            channels: 1,
            sites: vec![sites.fc1.clone(), sites.act.clone()],
            points: vec![Point {
                // GELU keeps zeros.
                sites: vec![sites.act.clone(), sites.fc1.clone()],
                sum_of: Vec::new(),
                written_by: vec![
                    Slice::new(path("fc1.weight"), 1),
                    Slice::new(path("fc1.bias"), 0),
                ],
                read_by: vec![Slice::new(path("fc2.weight"), 0)],
            }],
            embeds: false,
        };
        vec![heads, hidden]
    }

    /// Multiplications by each value of the block's weights for `tokens` tokens; those of attention
    /// go under the name of the heads' group.
    pub(crate) fn positions(&self, tokens: u64) -> Vec<(String, u64)> {
        let weight = |layer: &str| (format!("{}.{layer}.weight", self.sites.block), tokens);
        vec![
            weight("qkv"),
            (self.sites.heads.clone(), 2 * tokens * tokens),
            weight("output"),
            weight("fc1"),
            weight("fc2"),
        ]
    }
}
