//! The values of a model's parameters.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::at_paths::{VisitAt, visit_at};

/// Of the float tensors of `module` those that `wanted` takes by their path and by whether they are trained,
/// in visit order: each with its path, flattened to `[elements]` and apart from gradients.
pub fn values<M: Module>(
    module: &M,
    wanted: impl Fn(&[String], bool) -> bool,
) -> Vec<(String, Tensor<1>)> {
    struct Values<W> {
        found: Vec<(String, Tensor<1>)>,
        wanted: W,
    }
    impl<W: Fn(&[String], bool) -> bool> VisitAt for Values<W> {
        fn visit_at<const D: usize>(&mut self, path: &[String], param: &Param<Tensor<D>>) {
            if (self.wanted)(path, param.is_require_grad()) {
                let value = param.val().without_autodiff();
                let elements = value.shape().num_elements();
                self.found.push((path.join("."), value.reshape([elements])));
            }
        }
    }
    let mut values = Values {
        found: Vec::new(),
        wanted,
    };
    visit_at(module, &mut values);
    values.found
}
