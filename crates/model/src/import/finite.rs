//! Whether weights are numbers: a network with one that is not computes nothing, and may hide it.

use std::path::Path;

use burn::tensor::{Bytes, DType, TensorData};
use burn_store::burn_pack::{Reader, Tensor as Stored};

use crate::ModelError;

/// Checks the values of `tensors`, which messages call by the names that they have.
///
/// # Errors
/// Values that are not finite as 32-bit floats, or that cannot be read.
pub(crate) fn check<'a>(
    tensors: impl IntoIterator<Item = &'a Stored>,
    path: Option<&Path>,
) -> Result<(), ModelError> {
    let mut strange = Vec::new();
    for tensor in tensors {
        let values = values(tensor).map_err(|reason| match path {
            Some(path) => ModelError::Unreadable {
                path: path.to_owned(),
                reason,
            },
            None => ModelError::Record { reason },
        })?;
        strange.extend(words(&tensor.name, &tensor.shape, &values));
    }
    match strange.is_empty() {
        true => Ok(()),
        false => Err(ModelError::NotFinite {
            path: path.map(Path::to_owned),
            tensors: strange,
        }),
    }
}

/// Checks the values of a model's record, as in a checkpoint's `model.bpk`.
///
/// # Errors
/// Bytes that are no record, or values that are not finite.
pub fn check_record(record: Vec<u8>, path: &Path) -> Result<(), ModelError> {
    let tensors = Reader::from_bytes(Bytes::from_bytes_vec(record))
        .and_then(Reader::into_tensors)
        .map_err(|error| ModelError::Record {
            reason: error.to_string(),
        })?;
    check(&tensors, Some(path))
}

/// The values of a tensor of floats, as the network computes with them; none of any other.
pub(crate) fn values(tensor: &Stored) -> Result<Vec<f32>, String> {
    if !tensor.dtype.is_float() {
        return Ok(Vec::new());
    }
    let bytes = tensor.to_bytes().map_err(|error| error.to_string())?;
    let data = TensorData::try_from_bytes(bytes, tensor.shape.clone(), tensor.dtype);
    let data = data.map_err(|error| error.to_string())?;
    let data = data.convert_dtype(DType::F32);
    data.try_into_vec::<f32>()
        .map_err(|error| error.to_string())
}

/// What is wrong with the values of a tensor; nothing where all are finite.
fn words(name: &str, shape: &[usize], values: &[f32]) -> Option<String> {
    let first = values.iter().position(|value| !value.is_finite())?;
    let count = values.iter().filter(|value| !value.is_finite()).count();
    let mut rest = first;
    let mut index: Vec<usize> = shape
        .iter()
        .rev()
        .map(|length| {
            let at = rest % length;
            rest /= length;
            at
        })
        .collect();
    index.reverse();
    Some(format!(
        "{name} ({count} of {}, the first at {index:?}: {})",
        values.len(),
        values[first]
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tensor(name: &str, shape: [usize; 2], values: &[f32]) -> Stored {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes());
        let bytes = Bytes::from_bytes_vec(bytes.collect());
        Stored::new(name.to_owned(), DType::F32, shape.to_vec(), None, bytes)
    }

    #[test]
    fn tensors_that_are_not_finite_are_named() {
        let good = tensor("a.weight", [2, 2], &[1.0, f32::MAX, -0.0, 3.0]);
        check([&good], None).unwrap();
        let bad = tensor(
            "b.weight",
            [2, 3],
            &[1.0, 0.0, 0.0, 2.0, f32::NAN, f32::NEG_INFINITY],
        );
        let told = check([&good, &bad], Some(Path::new("w.pth"))).unwrap_err();
        let told = told.to_string();
        assert!(
            told.starts_with("w.pth: ")
                && told.contains("b.weight (2 of 6, the first at [1, 1]: NaN)")
                && !told.contains("a.weight"),
            "{told}"
        );
        // As 32-bit floats, which the network has.
        let wide = Bytes::from_bytes_vec(1e300_f64.to_le_bytes().to_vec());
        let wide = Stored::new("c".to_owned(), DType::F64, vec![1], None, wide);
        let told = check([&wide], None).unwrap_err().to_string();
        assert!(told.contains("c (1 of 1, the first at [0]: inf)"), "{told}");
        let whole = Bytes::from_bytes_vec(i64::MAX.to_le_bytes().to_vec());
        let whole = Stored::new("d".to_owned(), DType::I64, vec![1], None, whole);
        check([&whole], None).unwrap();
    }
}
