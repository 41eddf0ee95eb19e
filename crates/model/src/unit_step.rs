//! A gradient step that moves one unit of a network and nothing else.

use std::collections::BTreeSet;

use burn::module::{Module, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::at_paths::{MapAt, map_at};

/// `module` after a step of plain gradient descent on the values of `unit` alone: its row of every
/// weight, and its element of every bias and norm, at `paths`. All other values keep their bits.
///
/// Weights of linear layers have units along their second axis, everything else along the first. A
/// path without a gradient is passed over.
pub fn step_unit<M: Module>(
    module: M,
    gradients: &GradientsParams,
    paths: &BTreeSet<String>,
    unit: usize,
    rate: f64,
) -> M {
    let mut step = Step {
        gradients,
        paths,
        unit,
        rate,
    };
    map_at(module, &mut step)
}

struct Step<'a> {
    gradients: &'a GradientsParams,
    paths: &'a BTreeSet<String>,
    unit: usize,
    rate: f64,
}

impl MapAt for Step<'_> {
    fn map_at<const D: usize>(
        &mut self,
        path: &[String],
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        if !self.paths.contains(&path.join(".")) {
            return param;
        }
        let Some(gradient) = self.gradients.get::<D>(param.id) else {
            return param;
        };
        let (axis, unit, rate) = (if D == 2 { 1 } else { 0 }, self.unit, self.rate);
        param.map(|value| {
            let value = value.inner();
            let row = value.clone().narrow(axis, unit, 1) - gradient.narrow(axis, unit, 1) * rate;
            let dims = value.dims();
            let range = |d: usize| {
                if d == axis {
                    unit..unit + 1
                } else {
                    0..dims[d]
                }
            };
            let moved = value.slice_assign(std::array::from_fn::<_, D, _>(range), row);
            Tensor::from_inner(moved).require_grad()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::{Device, Distribution, TensorData};

    use super::*;

    fn column(linear: &Linear, unit: usize) -> TensorData {
        linear.weight.val().inner().narrow(1, unit, 1).into_data()
    }

    #[test]
    fn one_unit_descends_and_the_others_stay() {
        let device = Device::flex().autodiff();
        let linear = LinearConfig::new(3, 4).init(&device);
        let x = Tensor::<2>::random([5, 3], Distribution::Default, &device);
        let mut gradients = linear.forward(x).powi_scalar(2).sum().backward();
        let gradients = GradientsParams::from_module(&mut gradients, &linear);
        let paths = ["weight".to_owned()].into();
        let moved = step_unit(linear.clone(), &gradients, &paths, 2, 0.1);
        for unit in [0, 1, 3] {
            column(&moved, unit).assert_eq(&column(&linear, unit), true);
        }
        let gradient = gradients
            .get::<2>(linear.weight.id)
            .unwrap()
            .narrow(1, 2, 1);
        let expected = linear.weight.val().inner().narrow(1, 2, 1) - gradient * 0.1;
        column(&moved, 2).assert_eq(&expected.into_data(), true);
        let bias = |linear: &Linear| linear.bias.as_ref().unwrap().val().into_data();
        bias(&moved).assert_eq(&bias(&linear), true);
    }
}
