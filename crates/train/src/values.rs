//! The values of a model's trained parameters.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// The parameters that are trained, by path in visit order, each flattened to `[elements]`.
pub(crate) fn values<M: Module>(model: &M) -> Vec<(String, Tensor<1>)> {
    struct Values {
        path: Vec<String>,
        found: Vec<(String, Tensor<1>)>,
    }
    impl ModuleVisitor for Values {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if param.is_require_grad() {
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
    };
    model.visit(&mut values);
    values.found
}
