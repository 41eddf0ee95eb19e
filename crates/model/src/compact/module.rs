//! Cutting the parameters of a burn module.

use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use super::kept::Cuts;
use crate::at_paths::{MapAt, map_at};
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
        cuts,
        within,
        wrong: None,
    };
    let smaller = map_at(snapshot(module), &mut cut);
    match cut.wrong {
        None => Ok(smaller),
        Some(reason) => Err(ModelError::Slice { reason }),
    }
}

struct Cut<'c, W> {
    cuts: &'c Cuts,
    within: W,
    wrong: Option<String>,
}

impl<W: Fn(&str) -> Option<String>> MapAt for Cut<'_, W> {
    fn map_at<const D: usize>(
        &mut self,
        path: &[String],
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        let path = path.join(".");
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
