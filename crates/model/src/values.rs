//! The values of a model's parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Of the float tensors of `module` those that `wanted` takes by their path and by whether they are trained,
/// in visit order: each with its path, flattened to `[elements]` and apart from gradients.
pub fn values<M: Module>(
    module: &M,
    wanted: impl Fn(&[String], bool) -> bool,
) -> Vec<(String, Tensor<1>)> {
    struct Values<W> {
        path: Vec<String>,
        found: Vec<(String, Tensor<1>)>,
        wanted: W,
    }
    impl<W: Fn(&[String], bool) -> bool> ModuleVisitor for Values<W> {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if (self.wanted)(&self.path, param.is_require_grad()) {
                let value = param.val().without_autodiff();
                let elements = value.shape().num_elements();
                self.found
                    .push((self.path.join("."), value.reshape([elements])));
            }
        }
    }
    let mut values = Values {
        path: Vec::new(),
        found: Vec::new(),
        wanted,
    };
    module.visit(&mut values);
    values.found
}
