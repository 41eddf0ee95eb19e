//! The parameters of a module by path.

use afterimage_hooks::Parameter;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

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
    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor.found
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
struct Visitor {
    path: Vec<String>,
    found: Vec<ParameterInfo>,
}

impl ModuleVisitor for Visitor {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.found.push(ParameterInfo {
            path: self.path.join("."),
            shape: param.lazy_shape().to_vec(),
            id: param.id,
            statistic: is_statistic(&self.path),
        });
    }
}
