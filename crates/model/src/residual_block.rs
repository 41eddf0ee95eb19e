//! A residual block of a ResNet.

use std::sync::Arc;

use afterimage_hooks::{Site, SiteKind};
use afterimage_kernels::{Convolution, add, fork};
use burn::module::Module;
use burn::tensor::{Device, Tensor, activation::relu};

use crate::compact::{Group, Point};
use crate::{ConvBlock, ConvBlockConfig, Taps};

/// `relu(branch(x) + shortcut(x))`: two convolutions 3×3, or a bottleneck of 1×1, 3×3 and 1×1.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    /// The convolutions of the branch; all but the last end in a ReLU.
    pub branch: Vec<ConvBlock>,
    /// A convolution 1×1 where the branch changes the shape; else the input itself.
    pub shortcut: Option<ConvBlock>,
    /// The names of the sites of the sum and of its ReLU.
    #[module(skip)]
    pub sites: Arc<SumSites>,
}

/// The names of the sites where a residual block ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SumSites {
    /// `<block>.sum`
    pub sum: String,
    /// `<block>.act`
    pub act: String,
}

/// What a [`ResidualBlock`] is made of.
#[derive(Debug, Clone)]
pub(crate) struct ResidualBlockConfig {
    pub(crate) path: String,
    /// Input, inner and output channels.
    pub(crate) channels: [usize; 3],
    pub(crate) stride: usize,
    pub(crate) bottleneck: bool,
    pub(crate) convolution: Convolution,
}

impl ResidualBlockConfig {
    pub(crate) fn init(&self, device: &Device) -> ResidualBlock {
        let [input, inner, output] = self.channels;
        let block = |name: &str, channels, kernel, stride, rectified| {
            let config = ConvBlockConfig {
                path: format!("{}.{name}", self.path),
                channels,
                kernel,
                stride,
                bias: false,
                rectified,
                pool: None,
                convolution: self.convolution,
            };
            config.init(device)
        };
        let branch = if self.bottleneck {
            vec![
                block("branch.0", [input, inner], 1, 1, true),
                block("branch.1", [inner, inner], 3, self.stride, true),
                block("branch.2", [inner, output], 1, 1, false),
            ]
        } else {
            vec![
                block("branch.0", [input, inner], 3, self.stride, true),
                block("branch.1", [inner, output], 3, 1, false),
            ]
        };
        let changes = self.stride != 1 || input != output;
        ResidualBlock {
            branch,
            shortcut: changes.then(|| block("shortcut", [input, output], 1, self.stride, false)),
            sites: Arc::new(SumSites {
                sum: format!("{}.sum", self.path),
                act: format!("{}.act", self.path),
            }),
        }
    }
}

impl ResidualBlock {
    /// `[B, C_in, H, W]` to `[B, C_out, H', W']`.
    pub fn forward(&self, x: Tensor<4>, taps: &mut Taps) -> Tensor<4> {
        let autodiff = x.is_autodiff();
        let [x, skip] = fork(x);
        let skip = match &self.shortcut {
            Some(shortcut) => shortcut.forward(skip, taps),
            None => skip,
        };
        let branch = self
            .branch
            .iter()
            .fold(x, |x, block| block.forward(x, taps));
        let x = if taps.stops_at(&self.sites.sum, autodiff) {
            relu(taps.visit4(&self.sites.sum, add(branch, skip, false)))
        } else {
            add(branch, skip, true)
        };
        taps.visit4(&self.sites.act, x)
    }

    /// Number of output channels.
    pub fn units(&self) -> usize {
        self.branch.last().map_or(0, ConvBlock::units)
    }

    /// The convolutions that read the block's input.
    pub(crate) fn readers(&self) -> Vec<&ConvBlock> {
        self.shortcut.iter().chain(self.branch.first()).collect()
    }

    /// The block's sites in forward order, read by the convolutions `readers`.
    ///
    /// `writers` are the parameters that make the sum which flows into the block; they become
    /// those of its output.
    pub(crate) fn sites(&self, writers: &mut Vec<String>, readers: &[&ConvBlock]) -> Vec<Site> {
        let mut sites = Vec::new();
        if let Some(shortcut) = &self.shortcut {
            *writers = shortcut.producers();
            sites.extend(shortcut.sites(readers));
        }
        for (index, block) in self.branch.iter().enumerate() {
            match self.branch.get(index + 1) {
                Some(next) => sites.extend(block.sites(&[next])),
                None => {
                    writers.extend(block.producers());
                    sites.extend(block.sites(readers));
                }
            }
        }
        for (name, kind) in [
            (&self.sites.sum, SiteKind::Residual),
            (&self.sites.act, SiteKind::Activation),
        ] {
            sites.push(Site {
                name: name.clone(),
                kind,
                units: self.units(),
                produced_by: writers.clone(),
                consumed_by: readers.iter().map(|reader| reader.reader()).collect(),
            });
        }
        sites
    }

    /// Names of the block's sites, in forward order.
    pub(crate) fn site_names(&self) -> Vec<String> {
        let sites = self.sites(&mut Vec::new(), &[]);
        sites.into_iter().map(|site| site.name).collect()
    }

    /// The groups of the branch's inner convolutions, which are read by the next one alone.
    pub(crate) fn inner_groups(&self) -> Vec<Group> {
        let pairs = self.branch.windows(2);
        pairs.map(|pair| pair[0].group(&[&pair[1]])).collect()
    }

    /// Adds the block to the group of the sums that flow from block to block, whose last point is the
    /// block's input; gives back the group that ends here, if a shortcut makes new sums.
    pub(crate) fn flow(&self, group: &mut Group) -> Option<Group> {
        if let Some(input) = group.points.last_mut() {
            input.read_by = self.readers().iter().map(|block| block.columns()).collect();
        }
        let mut ended = None;
        if let Some(shortcut) = &self.shortcut {
            let fresh = Group {
                points: vec![shortcut.point(&[])],
                sites: shortcut.site_names(),
                units: self.units(),
                ..group.clone()
            };
            ended = Some(std::mem::replace(group, fresh));
        }
        group.name = match self.sites.act.rsplit('.').nth(1) {
            // The stage: the path without the block's number.
            Some(number) => {
                let end = self.sites.act.len() - number.len() - ".act".len() - 1;
                self.sites.act[..end].to_owned()
            }
            None => self.sites.act.clone(),
        };
        let skip = group.points.len() - 1;
        if let Some(last) = self.branch.last() {
            group.sites.extend(last.site_names());
            group.points.push(last.point(&[]));
        }
        group
            .sites
            .extend([self.sites.sum.clone(), self.sites.act.clone()]);
        group.points.push(Point {
            sites: vec![self.sites.act.clone(), self.sites.sum.clone()],
            sum_of: vec![skip, group.points.len() - 1],
            ..Point::default()
        });
        ended
    }

    /// Multiplications by each value of the block's convolutions for a map of `sides`, and the sides
    /// of its output.
    pub(crate) fn positions(&self, sides: [usize; 2]) -> (Vec<(String, u64)>, [usize; 2]) {
        let mut positions = Vec::new();
        let mut through = |block: &ConvBlock, sides| {
            let [conv, out] = block.sides(sides);
            positions.push((block.reader(), (conv[0] * conv[1]) as u64));
            out
        };
        if let Some(shortcut) = &self.shortcut {
            through(shortcut, sides);
        }
        let out = self
            .branch
            .iter()
            .fold(sides, |sides, block| through(block, sides));
        (positions, out)
    }
}
