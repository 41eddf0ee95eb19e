//! Values that scripts/objectives_reference.py computed in double precision, for the tests.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};
use serde::Deserialize;

/// Inputs and expected outputs of one objective.
#[derive(Deserialize)]
pub(crate) struct Case {
    arrays: BTreeMap<String, Array>,
    numbers: BTreeMap<String, f64>,
}

#[derive(Deserialize)]
struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl Case {
    pub(crate) fn number(&self, name: &str) -> f64 {
        self.numbers[name]
    }

    pub(crate) fn values(&self, name: &str) -> &[f64] {
        &self.arrays[name].values
    }
}

pub(crate) fn read(objective: &str) -> Case {
    let text = include_str!("../testdata/objectives.json");
    let mut cases: BTreeMap<String, Case> = serde_json::from_str(text).unwrap();
    cases.remove(objective).unwrap()
}

pub(crate) fn tensor<const D: usize>(case: &Case, name: &str, device: &Device) -> Tensor<D> {
    let array = &case.arrays[name];
    let values: Vec<f32> = array.values.iter().map(|&value| value as f32).collect();
    Tensor::from_data(TensorData::new(values, array.shape.clone()), device)
}

pub(crate) fn matrix(case: &Case, name: &str, device: &Device) -> Tensor<2> {
    tensor(case, name, device)
}

pub(crate) fn gradient_of<const D: usize>(loss: Tensor<1>, input: &Tensor<D>) -> Tensor<D> {
    input.grad(&loss.backward()).unwrap()
}

/// Fails unless `got` lies within `tolerance`, relative to the largest expected value, everywhere.
pub(crate) fn close<const D: usize>(got: &Tensor<D>, case: &Case, name: &str, tolerance: f64) {
    let want = case.values(name);
    let got: Vec<f32> = got.clone().into_data().try_to_vec().unwrap();
    assert_eq!(got.len(), want.len(), "{name}");
    let scale = want.iter().fold(1e-3f64, |top, value| top.max(value.abs()));
    for (at, (got, want)) in got.iter().zip(want).enumerate() {
        let off = (f64::from(*got) - want).abs() / scale;
        assert!(off < tolerance, "{name}[{at}]: {got} {want}");
    }
}

/// The values of a tensor.
pub(crate) fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// A matrix of `features` columns.
pub(crate) fn rows(values: &[f32], features: usize) -> Tensor<2> {
    let shape = [values.len() / features, features];
    Tensor::from_data(TensorData::new(values.to_vec(), shape), &Device::flex())
}
