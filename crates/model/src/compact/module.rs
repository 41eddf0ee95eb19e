//! Cutting the parameters of a burn module.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use super::kept::Cuts;
use crate::{ModelError, snapshot};

/// A copy of `module` without the units that `cuts` leaves out, which shares nothing with it.
///
/// `within` tells the path that a cut names from a path of the module, for a module that holds
/// copies of one encoder at several places.
///
/// # Errors
/// Tensors of another shape than the cuts are made for, or of another type than 32-bit floats.
pub fn cut<M: Module>(
    module: &M,
    cuts: &Cuts,
    within: impl Fn(&str) -> Option<String>,
) -> Result<M, ModelError> {
    let mut cut = Cut {
        path: Vec::new(),
        cuts,
        within,
        wrong: None,
    };
    let smaller = snapshot(module).map(&mut cut);
    match cut.wrong {
        None => Ok(smaller),
        Some(reason) => Err(ModelError::Slice { reason }),
    }
}

struct Cut<'c, W> {
    path: Vec<String>,
    cuts: &'c Cuts,
    within: W,
    wrong: Option<String>,
}

impl<W: Fn(&str) -> Option<String>> ModuleMapper for Cut<'_, W> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let Some(name) = (self.within)(&path) else {
            return param;
        };
        let value = param.val();
        let (device, shape) = (value.device(), value.dims().to_vec());
        let values = match value.try_into_vec_as::<f32>() {
            Ok(values) => values,
            Err(error) => {
                self.wrong.get_or_insert(format!("`{path}`: {error}"));
                return param;
            }
        };
        match self.cuts.cut(&name, &values, &shape) {
            Ok(None) => param,
            Ok(Some((values, shape))) => {
                let data = TensorData::new(values, shape);
                param.map(|old| {
                    let trained = old.is_require_grad();
                    Tensor::from_data(data, &device).set_require_grad(trained)
                })
            }
            Err(error) => {
                self.wrong.get_or_insert(format!("`{path}`: {error}"));
                param
            }
        }
    }
}
