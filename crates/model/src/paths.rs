//! The parameters of a module by path.

use afterimage_hooks::Parameter;
use burn::module::{Module, Param, ParamId};
use burn::tensor::Tensor;

use crate::at_paths::{VisitAt, visit_at};

/// A float tensor of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Dotted path from the visited module, for example `encoder.layer1.conv.weight`.
    pub path: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// The id by which optimizers and records know it.
    pub id: ParamId,
    /// Whether it is a running statistic of a norm: recorded, but not trained.
    pub statistic: bool,
}

impl From<ParameterInfo> for Parameter {
    fn from(info: ParameterInfo) -> Self {
        Self {
            path: info.path,
            shape: info.shape,
        }
    }
}

/// The float tensors of `module` in visit order, running statistics included.
pub fn parameters<M: Module>(module: &M) -> Vec<ParameterInfo> {
    let mut found = Found::default();
    visit_at(module, &mut found);
    found.0
}

/// Number of trained values of `module`; running statistics, which burn's `num_params` counts,
/// are left out.
pub fn parameter_count<M: Module>(module: &M) -> usize {
    parameters(module)
        .iter()
        .filter(|parameter| !parameter.statistic)
        .map(|parameter| parameter.shape.iter().product::<usize>())
        .sum()
}

/// Whether the tensor at `path` is a running statistic of a norm.
pub fn is_statistic(path: &[String]) -> bool {
    let name = path.last().map(String::as_str);
    matches!(name, Some("running_mean" | "running_var"))
}

#[derive(Default)]
struct Found(Vec<ParameterInfo>);

impl VisitAt for Found {
    fn visit_at<const D: usize>(&mut self, path: &[String], param: &Param<Tensor<D>>) {
        self.0.push(ParameterInfo {
            path: path.join("."),
            shape: param.lazy_shape().to_vec(),
            id: param.id,
            statistic: is_statistic(path),
        });
    }
}
