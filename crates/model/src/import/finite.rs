//! Whether weights are numbers that a network can compute with: with one that is none, or with a running
//! variance below zero, it computes nothing, and may hide it.

use std::path::Path;

use burn::tensor::{Bytes, DType, TensorData};
use burn_store::burn_pack::{Reader, Tensor as Stored};

use crate::ModelError;

/// What batch normalisation takes the root of, as PyTorch and this project call it.
const VARIANCE: &str = "running_var";

/// Checks the values of `tensors`, which messages call by the names that they have.
///
/// # Errors
/// Values that are not finite as 32-bit floats, running variances below zero, or what cannot be read.
pub(crate) fn check<'a>(
    tensors: impl IntoIterator<Item = &'a Stored>,
    path: Option<&Path>,
) -> Result<(), ModelError> {
    let (mut strange, mut negative) = (Vec::new(), Vec::new());
    for tensor in tensors {
        let values = values(tensor).map_err(|reason| match path {
            Some(path) => ModelError::Unreadable {
                path: path.to_owned(),
                reason,
            },
            None => ModelError::Record { reason },
        })?;
        let told = |wrong: fn(f32) -> bool| words(&tensor.name, &tensor.shape, &values, wrong);
        strange.extend(told(|value| !value.is_finite()));
        if tensor.name.rsplit('.').next() == Some(VARIANCE) {
            negative.extend(told(|value| value < 0.0));
        }
    }
    let path = path.map(Path::to_owned);
    match (strange.is_empty(), negative.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(ModelError::NegativeVariance {
            path,
            tensors: negative,
        }),
        (false, _) => Err(ModelError::NotFinite {
            path,
            tensors: strange,
        }),
    }
}

/// Checks the values of a model's record, as in a checkpoint's `model.bpk`.
///
/// # Errors
/// Bytes that are no record, values that are not finite, or running variances below zero.
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

/// Which values of a tensor are wrong; nothing where none is.
fn words(name: &str, shape: &[usize], values: &[f32], wrong: fn(f32) -> bool) -> Option<String> {
    let first = values.iter().position(|value| wrong(*value))?;
    let count = values.iter().filter(|value| wrong(**value)).count();
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
        // A variance of zero is one; what is negative elsewhere is a weight like another.
        let fine = tensor("bn1.running_var", [1, 2], &[0.0, 2.0]);
        let mean = tensor("bn1.running_mean", [1, 2], &[-1.0, 2.0]);
        check([&fine, &mean], None).unwrap();
        let below = tensor("bn2.running_var", [2, 2], &[1.0, 0.0, -1e-9, -2.0]);
        let told = check([&fine, &below], Some(Path::new("w.pth"))).unwrap_err();
        let told = told.to_string();
        assert!(
            told.starts_with("w.pth: running variances below zero:")
                && told.contains("bn2.running_var (2 of 4, the first at [1, 0]: -0.000000001)"),
            "{told}"
        );
        let whole = Bytes::from_bytes_vec(i64::MAX.to_le_bytes().to_vec());
        let whole = Stored::new("d".to_owned(), DType::I64, vec![1], None, whole);
        check([&whole], None).unwrap();
    }
}
