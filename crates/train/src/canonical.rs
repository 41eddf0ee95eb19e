//! Records with the same bytes for the same training.
//!
//! burn gives each parameter a random id and keys the optimizer's state by it, so two runs with
//! equal numbers write unequal files. Here ids become the parameter's number in path order.

use std::collections::BTreeMap;

use afterimage_model::parameters;
use burn::module::{Module, ParamId};
use burn::tensor::Bytes;
use burn_pack::{Reader, Writer};

use crate::error::TrainError;

/// Numbers of the parameters, by burn's id.
pub(crate) fn parameter_numbers<M: Module>(model: &M) -> BTreeMap<u64, u64> {
    let paths: BTreeMap<String, u64> = parameters(model)
        .into_iter()
        .map(|parameter| (parameter.path, parameter.id.val()))
        .collect();
    paths.into_values().zip(0u64..).collect()
}

/// A model record with tensors in path order and their number as id.
pub(crate) fn model(bytes: Vec<u8>) -> Result<Vec<u8>, TrainError> {
    let failed = |reason: burn_pack::Error| TrainError::Record {
        what: "model",
        reason: reason.to_string(),
    };
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(failed)?;
    let mut tensors = BTreeMap::new();
    for tensor in reader.into_tensors().map_err(failed)? {
        let (path, dtype, shape, _, bytes) = tensor.into_parts().map_err(failed)?;
        tensors.insert(path, (dtype, shape, bytes));
    }
    let numbered = tensors
        .into_iter()
        .zip(0u64..)
        .map(|((path, (dtype, shape, bytes)), number)| {
            burn_pack::Tensor::new(path, dtype, shape, Some(number), bytes)
        })
        .collect();
    Writer::new(numbered)
        .into_bytes()
        .map(|bytes| bytes.to_vec())
        .map_err(failed)
}

/// The record of a model that burn's `Learner` does not hold, as [`model`] writes it.
pub(crate) fn model_of<M: Module>(module: &M) -> Result<Vec<u8>, TrainError> {
    let bytes = module.clone().into_record().into_bytes();
    let bytes = bytes.map_err(|error| TrainError::Record {
        what: "model",
        reason: error.to_string(),
    })?;
    model(bytes.to_vec())
}

/// An optimizer record with parameters' numbers in place of burn's ids.
pub(crate) fn optimizer(
    bytes: Vec<u8>,
    numbers: &BTreeMap<u64, u64>,
) -> Result<Vec<u8>, TrainError> {
    let wrong = |reason: String| TrainError::Record {
        what: "optimizer",
        reason,
    };
    let failed = |reason: burn_pack::Error| wrong(reason.to_string());
    let rename = |key: &str| -> Result<String, TrainError> {
        let (id, rest) = key.split_once('.').unwrap_or((key, ""));
        let number = id
            .parse::<u64>()
            .ok()
            .and_then(|id| numbers.get(&id))
            .ok_or_else(|| wrong(format!("state {key:?} belongs to no parameter")))?;
        Ok(if rest.is_empty() {
            number.to_string()
        } else {
            format!("{number}.{rest}")
        })
    };
    let reader = Reader::from_bytes(Bytes::from_bytes_vec(bytes)).map_err(failed)?;
    let scalars = reader.scalars().clone();
    let metadata = reader.metadata().clone();
    let mut tensors = BTreeMap::new();
    for tensor in reader.into_tensors().map_err(failed)? {
        let (name, dtype, shape, id, bytes) = tensor.into_parts().map_err(failed)?;
        let number = id.and_then(|id| numbers.get(&id)).copied();
        let tensor = burn_pack::Tensor::new(rename(&name)?, dtype, shape, number, bytes);
        tensors.insert(rename(&name)?, tensor);
    }
    let mut writer = Writer::new(tensors.into_values().collect());
    for (key, value) in scalars {
        writer = writer.with_scalar(&rename(&key)?, value);
    }
    for (key, value) in metadata {
        writer = writer.with_metadata(&rename(&key)?, &value);
    }
    writer
        .into_bytes()
        .map(|bytes| bytes.to_vec())
        .map_err(failed)
}

/// Parameter ids by path, for reading and writing gradients.
pub(crate) fn parameter_ids<M: Module>(model: &M) -> Vec<(String, ParamId, Vec<usize>)> {
    let parameters = parameters(model).into_iter();
    parameters
        .map(|parameter| (parameter.path, parameter.id, parameter.shape))
        .collect()
}
