//! Graphs of forward passes that nobody goes back through.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Parameters up to this size are gone through: some of them take part in every forward pass, and their
/// gradients cost nothing.
const SMALL: usize = 1 << 16;

/// Frees what earlier forward passes of `model` recorded and nobody holds any more.
///
/// burn frees a graph in a backward pass through a graph that shares a parameter with it, and not when its
/// last tensor is dropped. So a backward pass is run that goes through parameters alone.
pub(crate) fn free_dropped<M: Module>(model: &M) {
    struct Sum(Option<Tensor<1>>);
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let small = param.lazy_shape().num_elements() <= SMALL;
            if param.is_require_grad() && small {
                let sum: Tensor<1> = param.val().sum();
                self.0 = Some(match self.0.take() {
                    Some(before) => before + sum,
                    None => sum,
                });
            }
        }
    }
    let mut sum = Sum(None);
    model.visit(&mut sum);
    if let Some(sum) = sum.0 {
        sum.backward();
    }
}
