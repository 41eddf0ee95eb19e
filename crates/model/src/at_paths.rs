//! Modules walked with the path of each float tensor at hand.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;

/// Looks at float tensors by their paths; see [`visit_at`].
pub trait VisitAt {
    /// Looks at the tensor at `path`, whose parts are the names of the modules that it lies in and its own.
    fn visit_at<const D: usize>(&mut self, path: &[String], param: &Param<Tensor<D>>);
}

/// Changes float tensors by their paths; see [`map_at`].
pub trait MapAt {
    /// The tensor in place of `param`, which stands at `path`.
    fn map_at<const D: usize>(
        &mut self,
        path: &[String],
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>>;
}

/// Shows `by` the float tensors of `module`, in visit order.
pub fn visit_at<M: Module>(module: &M, by: &mut impl VisitAt) {
    module.visit(&mut Walk {
        path: Vec::new(),
        by,
    });
}

/// `module` with what `by` makes of each of its float tensors, in visit order.
pub fn map_at<M: Module>(module: M, by: &mut impl MapAt) -> M {
    module.map(&mut Walk {
        path: Vec::new(),
        by,
    })
}

struct Walk<'a, B> {
    path: Vec<String>,
    by: &'a mut B,
}

impl<B: VisitAt> ModuleVisitor for Walk<'_, B> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.by.visit_at(&self.path, param);
    }
}

impl<B: MapAt> ModuleMapper for Walk<'_, B> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.by.map_at(&self.path, param)
    }
}
