//! Copies of a module that share nothing with it.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// A copy of `module` that no later training step of either changes in the other, with the same
/// values, parameter ids, devices and trainability: for teachers, reference encoders, and the
/// state before an intervention.
///
/// `clone()` is no such copy: clones share the running statistics of batch norms. Statistics that
/// wait to be merged are merged, in the copy and in the original, which changes no result.
pub fn snapshot<M: Module>(module: &M) -> M {
    let copy = module.valid();
    if trains(module) { copy.train() } else { copy }
}

/// The evaluation module: without autodiff, batch norms with their merged running statistics, so
/// that the result of a row does not depend on the other rows. Shares nothing with `module`.
pub fn evaluation<M: Module>(module: &M) -> M {
    module.valid()
}

/// Whether any parameter lives on a device with autodiff.
fn trains<M: Module>(module: &M) -> bool {
    struct Visitor(bool);
    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 |= param.lazy_device().is_autodiff();
        }
    }
    let mut visitor = Visitor(false);
    module.visit(&mut visitor);
    visitor.0
}
