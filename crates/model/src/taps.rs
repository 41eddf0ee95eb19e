//! The recorder that a forward pass carries from site to site.
//!
//! Letters: B rows of the batch, C units, H and W positions, T tokens.

use std::collections::BTreeMap;

use afterimage_hooks::{Readings, Reduce, TapMode, TapPlan};
use afterimage_kernels::space_mean;
use burn::tensor::{Gradients, Tensor, activation::relu};

use crate::Masks;

/// What is tapped, masked and recorded in one forward pass.
///
/// A forward hands every site's output to [`visit4`](Self::visit4), [`visit3`](Self::visit3) or
/// [`visit2`](Self::visit2) and goes on with what comes back. At one site the mask comes first,
/// then the gate, then the readings. A site that is passed several times (one pass a view) adds
/// its rows below the earlier ones.
#[derive(Debug, Clone, Default)]
pub struct Taps {
    sites: BTreeMap<String, SiteTap>,
    masks: Masks,
    active: bool,
}

/// The taps of one site and what they saw.
#[derive(Debug, Clone, Default)]
struct SiteTap {
    reads: Vec<(Reduce, Vec<Tensor<2>>)>,
    gated: bool,
    /// The leaves of ones `[B, C]`, one a pass.
    gates: Vec<Tensor<2>>,
    visited: bool,
}

impl Taps {
    /// A recorder that does nothing; a visit is one comparison.
    pub fn none() -> Self {
        Self::default()
    }

    /// A recorder for `plan`.
    pub fn new(plan: &TapPlan) -> Self {
        let sites: BTreeMap<String, SiteTap> = plan
            .sites
            .iter()
            .map(|(site, modes)| {
                let mut tap = SiteTap::default();
                for mode in modes {
                    match mode {
                        TapMode::Read(reduce) => tap.reads.push((*reduce, Vec::new())),
                        TapMode::Gate => tap.gated = true,
                    }
                }
                (site.clone(), tap)
            })
            .collect();
        Self {
            active: !sites.is_empty(),
            sites,
            masks: Masks::default(),
        }
    }

    /// The same recorder that also holds the pruned units of `masks` at zero.
    pub fn with_masks(mut self, masks: &Masks) -> Self {
        self.masks = masks.clone();
        self.active = !self.sites.is_empty() || !self.masks.is_empty();
        self
    }

    /// A recorder with the same masks that neither reads nor gates: for passes beside the one that
    /// is watched, such as a teacher's.
    pub fn masks_alone(&self) -> Self {
        Self::none().with_masks(&self.masks)
    }

    /// Whether `site` is read, masked, or gated in a pass with autodiff, so that its value has to
    /// exist.
    pub fn stops_at(&self, site: &str, autodiff: bool) -> bool {
        let seen = |tap: &SiteTap| !tap.reads.is_empty() || (tap.gated && autodiff);
        self.active && (self.sites.get(site).is_some_and(seen) || self.masks.get(site).is_some())
    }

    /// Passes a feature map `[B, C, H, W]` through the taps of `site`.
    pub fn visit4(&mut self, site: &str, x: Tensor<4>) -> Tensor<4> {
        if !self.active {
            return x;
        }
        self.visit(site, x, 1, space_mean)
    }

    /// Passes a token sequence `[B, T, C]` through the taps of `site`.
    pub fn visit3(&mut self, site: &str, x: Tensor<3>) -> Tensor<3> {
        if !self.active {
            return x;
        }
        self.visit(site, x, 2, |x_btc| {
            let [b, _, c] = x_btc.dims();
            x_btc.mean_dim(1).reshape([b, c])
        })
    }

    /// Passes a layer's output `[B, C]` through the taps of `site`.
    pub fn visit2(&mut self, site: &str, x: Tensor<2>) -> Tensor<2> {
        if !self.active {
            return x;
        }
        self.visit(site, x, 1, |x_bc| x_bc)
    }

    /// The readings so far, `[rows, units]` (all outputs for [`Reduce::Flatten`]) by site and
    /// reduction; gates are not among them.
    pub fn readings(&self) -> Readings {
        let mut readings = Readings::default();
        for (site, tap) in &self.sites {
            for (reduce, rows) in &tap.reads {
                if let Some(value) = stacked(rows.clone()) {
                    readings.insert(site.clone(), TapMode::Read(*reduce), value);
                }
            }
        }
        readings
    }

    /// The readings, at the end of a recorder that has no gates to be asked for.
    pub fn into_readings(self) -> Readings {
        self.readings()
    }

    /// The saliency `Σ_space a · dL/da` of every gated unit, `[rows, units]` by site, from the
    /// gradients of the loss; zero where the loss does not depend on the site.
    ///
    /// Sites that were passed without autodiff have no gate, and so no saliency.
    pub fn saliency(&self, gradients: &Gradients) -> Readings {
        let mut readings = Readings::default();
        for (site, tap) in &self.sites {
            let rows = tap
                .gates
                .iter()
                .map(|gate_bc| {
                    gate_bc
                        .grad(gradients)
                        .unwrap_or_else(|| gate_bc.clone().inner().zeros_like())
                })
                .collect();
            if let Some(value) = stacked(rows) {
                readings.insert(site.clone(), TapMode::Gate, value);
            }
        }
        readings
    }

    /// The planned sites that no forward pass has come by, in name order: for a test that an
    /// encoder visits what it lists.
    pub fn unvisited(&self) -> Vec<&str> {
        self.sites
            .iter()
            .filter(|(_, tap)| !tap.visited)
            .map(|(site, _)| site.as_str())
            .collect()
    }

    fn visit<const D: usize>(
        &mut self,
        site: &str,
        x: Tensor<D>,
        unit_axis: usize,
        mean: impl Fn(Tensor<D>) -> Tensor<2>,
    ) -> Tensor<D> {
        let rows = x.dims()[0];
        let units = x.dims()[unit_axis];
        let mut spread = [1; D];
        spread[unit_axis] = units;
        let mut x = match self.masks.row(site, units, &x.device()) {
            Some(row_c) => x * row_c.reshape(spread),
            None => x,
        };
        let Some(tap) = self.sites.get_mut(site) else {
            return x;
        };
        tap.visited = true;
        if tap.gated && x.is_autodiff() {
            let gate_bc = Tensor::<2>::ones([rows, units], &x.device()).require_grad();
            spread[0] = rows;
            x = x * gate_bc.clone().reshape(spread);
            tap.gates.push(gate_bc);
        }
        for (reduce, seen) in &mut tap.reads {
            // Off the graph: a reading can neither reach the loss nor keep its history alive.
            let a = x.clone().inner();
            seen.push(match reduce {
                Reduce::MeanSpace => mean(a),
                Reduce::MeanSpaceRelu => mean(relu(a)),
                Reduce::MeanSpaceAbs => mean(a.abs()),
                Reduce::Flatten => flattened(a),
            });
        }
        x
    }
}

/// Everything that belongs to a row, in one row.
fn flattened<const D: usize>(a: Tensor<D>) -> Tensor<2> {
    let rows = a.dims()[0];
    let outputs = a.dims()[1..].iter().product();
    a.reshape([rows, outputs])
}

/// The rows of all passes below each other; nothing if there was no pass.
fn stacked(mut passes: Vec<Tensor<2>>) -> Option<Tensor<2>> {
    match passes.len() {
        0 | 1 => passes.pop(),
        _ => Some(Tensor::cat(passes, 0)),
    }
}
