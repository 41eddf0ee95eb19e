//! How far two tensors are apart, and tensors to try.

use burn::tensor::{Device, Distribution, Tensor};

/// The largest difference, relative to the largest value of `expected`.
pub fn deviation<const D: usize>(actual: Tensor<D>, expected: Tensor<D>) -> f32 {
    assert_eq!(actual.dims(), expected.dims());
    let scale = expected.clone().abs().max().into_scalar::<f32>().max(1e-6);
    (actual - expected).abs().max().into_scalar::<f32>() / scale
}

/// The same for sums of many values of about 1, which may cancel to nearly nothing.
pub fn deviation_of_sums(actual: Tensor<1>, expected: Tensor<1>) -> f32 {
    let scale = expected.clone().abs().max().into_scalar::<f32>();
    deviation(actual, expected) * (scale.max(1e-6) / scale.max(1.0))
}

pub fn random<const D: usize>(shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::random(shape, Distribution::Normal(0.0, 1.0), device)
}
