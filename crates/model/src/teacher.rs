//! Teachers: copies of a module that follow it and that no optimizer touches.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::Tensor;

use crate::at_paths::{MapAt, map_at};
use crate::paths::is_statistic;
use crate::snapshot;
use crate::values::values;

/// A copy of `module` with ids of its own and without gradients, for [`moved_towards`].
///
/// It shares nothing with `module`, running statistics of batch norms included. On a device with
/// autodiff its norms take the statistics of the batch, as its module's do.
pub fn teacher<M: Module>(module: &M) -> M {
    struct Own;
    impl ModuleMapper for Own {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (_, value, mapper) = param.consume();
            Param::from_mapped_value(ParamId::new(), value, mapper).set_require_grad(false)
        }
    }
    snapshot(module).map(&mut Own)
}

/// `teacher` with every parameter `t` moved to `momentum · t + (1 − momentum) · s`, where `s` is the
/// parameter of `student` at the same path.
///
/// Running statistics stay as they are: the teacher's norms gather them in its own forward passes.
pub fn moved_towards<M: Module>(teacher: M, student: &M, momentum: f64) -> M {
    let parameters = values(student, |path, _| !is_statistic(path));
    let mut by = Move {
        student: parameters.into_iter().collect(),
        momentum,
    };
    map_at(teacher, &mut by)
}

struct Move {
    student: BTreeMap<String, Tensor<1>>,
    momentum: f64,
}

impl MapAt for Move {
    fn map_at<const D: usize>(
        &mut self,
        path: &[String],
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let Some(student) = self.student.remove(&path.join(".")) else {
            return param;
        };
        let momentum = self.momentum;
        param.map(|value| {
            let autodiff = value.is_autodiff();
            let student = student.reshape(value.dims());
            let value = value.without_autodiff();
            let moved = value.mul_scalar(momentum) + student.mul_scalar(1.0 - momentum);
            if autodiff {
                Tensor::from_inner(moved)
            } else {
                moved
            }
        })
    }
}
