//! Gradients of a burn model by parameter path.

use afterimage_hooks::Gradients;
use afterimage_model::values;
use burn::module::{Module, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

/// burn's gradients with the paths and shapes of the model that they belong to.
pub(crate) struct PathGradients<'g, M> {
    pub(crate) model: &'g M,
    pub(crate) gradients: &'g mut GradientsParams,
    pub(crate) parameters: &'g [(String, ParamId, Vec<usize>)],
}

macro_rules! by_rank {
    ($rank:expr, $d:ident => $body:expr, $other:expr) => {
        match $rank {
            1 => {
                const $d: usize = 1;
                $body
            }
            2 => {
                const $d: usize = 2;
                $body
            }
            3 => {
                const $d: usize = 3;
                $body
            }
            4 => {
                const $d: usize = 4;
                $body
            }
            5 => {
                const $d: usize = 5;
                $body
            }
            _ => $other,
        }
    };
}

impl<M> PathGradients<'_, M> {
    fn find(&self, path: &str) -> Option<&(String, ParamId, Vec<usize>)> {
        self.parameters.iter().find(|(name, _, _)| name == path)
    }
}

impl<M: Module> Gradients for PathGradients<'_, M> {
    fn paths(&self) -> Vec<String> {
        self.parameters
            .iter()
            .filter(|(path, _, _)| self.get(path).is_some())
            .map(|(path, _, _)| path.clone())
            .collect()
    }

    fn values(&self) -> Vec<(String, Tensor<1>)> {
        values(self.model, |_, trained| trained)
    }

    fn get(&self, path: &str) -> Option<Tensor<1>> {
        let (_, id, shape) = self.find(path)?;
        by_rank!(shape.len(), D => {
            let gradient = self.gradients.get::<D>(*id)?;
            let elements = gradient.shape().num_elements();
            Some(gradient.reshape([elements]))
        }, None)
    }

    fn set(&mut self, path: &str, gradient: Tensor<1>) -> bool {
        let Some((_, id, shape)) = self.find(path).cloned() else {
            return false;
        };
        let elements: usize = shape.iter().product();
        if gradient.shape().num_elements() != elements || self.get(path).is_none() {
            return false;
        }
        by_rank!(shape.len(), D => {
            let mut dims = [0usize; D];
            dims.copy_from_slice(&shape);
            self.gradients.register::<D>(id, gradient.reshape(dims));
            true
        }, false)
    }
}
