//! The model as plugins see it: evaluation mode, read only, no type parameter.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

use crate::fault::Fault;
use crate::peers::Peers;
use crate::site::Site;
use crate::structure::{Structure, UnitParameters};
use crate::tap::{Readings, TapPlan};

/// A parameter of the model by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Dotted path, for example `encoder.layer1.conv.weight`.
    pub path: String,
    /// Shape.
    pub shape: Vec<usize>,
}

/// What a forward pass in evaluation mode shows.
#[derive(Debug, Clone)]
pub struct Observation {
    /// Encoder output `[B, D]`.
    pub embeddings: Tensor<2>,
    /// Scores of the classes `[B, classes]`, where the objective has a classifier.
    pub logits: Option<Tensor<2>>,
    /// Readings at the sites of the plan, `[B, units]` each.
    pub readings: Readings,
}

/// A linear layer from embeddings to scores of classes, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Classifier {
    /// Weight `[classes, width]`, row-major.
    pub weight: Vec<f32>,
    /// Bias `[classes]`; zeros where the layer has none.
    pub bias: Vec<f32>,
}

impl Classifier {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.bias.len()
    }

    /// Length of an embedding.
    pub fn width(&self) -> usize {
        self.weight.len() / self.bias.len().max(1)
    }
}

/// The model in evaluation mode.
pub trait ModelView {
    /// The model's sites in forward order.
    fn sites(&self) -> &[Site];

    /// Runs the encoder on `images` `[B, C, H, W]` without gradients; batch statistics stay as
    /// they are, so that the result of a row does not depend on the other rows.
    ///
    /// # Errors
    /// A model that was attached without a tapped forward.
    fn observe(&self, images: Tensor<4>, taps: &TapPlan) -> Result<Observation, Fault>;

    /// How the units hang together and what they cost; `None` for a model that does not tell.
    fn structure(&self) -> Option<Structure> {
        None
    }

    /// What the parameters that make the units of `site` are like; `None` for a site that names no
    /// such parameters, and for a model that does not show them.
    ///
    /// # Errors
    /// Values that cannot be brought to the host.
    fn unit_parameters(&self, site: &str) -> Result<Option<UnitParameters>, Fault> {
        let _ = site;
        Ok(None)
    }

    /// The values of all parameters that are trained, as they are now, by path in visit order, each
    /// flattened to `[elements]` on the device; none for a model that does not show them.
    fn values(&self) -> Vec<(String, Tensor<1>)> {
        Vec::new()
    }

    /// The units of `site` that are masked, one flag a unit; `None` where none is.
    fn masked(&self, site: &str) -> Option<Vec<bool>> {
        let _ = site;
        None
    }

    /// Milliseconds of a forward pass over `images` `[B, C, H, W]`, the median of `repeats` behind one that is not
    /// counted, by the smaller encoder that is left without what is masked and without the units `gone` of sites, its
    /// embedding narrowed too; `None` for a model that cannot be made smaller. The model itself stays as it is.
    ///
    /// # Errors
    /// A site or a unit that is not there; a forward pass that fails.
    fn latency(
        &self,
        gone: &BTreeMap<String, Vec<usize>>,
        images: Tensor<4>,
        repeats: usize,
    ) -> Result<Option<f64>, Fault> {
        let _ = (gone, images, repeats);
        Ok(None)
    }

    /// The reference encoder, in a run that trains one in lock step: the same initial parameters,
    /// order and view seeds, with independent points in the places of the candidates
    /// ([`PairSets`](crate::PairSets)).
    fn reference(&self) -> Option<&dyn ModelView> {
        None
    }

    /// The processes that compute the run together, among which a plugin can [share out](crate::share_out) the
    /// passes that it asks for; `None` where there is one. All of them run the plugin on the same data.
    fn peers(&self) -> Option<&dyn Peers> {
        None
    }

    /// The layer that turns embeddings into scores of classes, where the objective has one.
    ///
    /// # Errors
    /// A tensor that cannot be read back from the device.
    fn classifier(&self) -> Result<Option<Classifier>, Fault> {
        Ok(None)
    }
}
