//! Taking units out of tensors on the host.

use crate::ModelError;

/// The values of a tensor of `shape` that lie at `kept` along `axis`, in that order.
///
/// `values` are elements in row-major order, or their bytes: each element is as many of them as make
/// the lengths agree.
///
/// # Errors
/// An axis or a place that the tensor does not have; a length that does not fit the shape.
pub fn selected<T: Copy>(
    values: &[T],
    shape: &[usize],
    axis: usize,
    kept: &[usize],
) -> Result<Vec<T>, ModelError> {
    let Rows {
        outer,
        length,
        inner,
    } = rows(values.len(), shape, axis, kept)?;
    let mut out = Vec::with_capacity(outer * kept.len() * inner);
    for block in 0..outer {
        for &at in kept {
            let start = (block * length + at) * inner;
            out.extend_from_slice(&values[start..start + inner]);
        }
    }
    Ok(out)
}

/// Puts `value` at the places `at` along `axis` of a tensor of `shape`; see [`selected`].
///
/// # Errors
/// As for [`selected`].
pub fn overwrite<T: Copy>(
    values: &mut [T],
    shape: &[usize],
    axis: usize,
    at: &[usize],
    value: T,
) -> Result<(), ModelError> {
    let Rows {
        outer,
        length,
        inner,
    } = rows(values.len(), shape, axis, at)?;
    for block in 0..outer {
        for &place in at {
            let start = (block * length + place) * inner;
            values[start..start + inner].fill(value);
        }
    }
    Ok(())
}

/// The places of `units` along an axis that has `of` units of `channels` channels `repeats` times.
pub fn places(units: &[usize], of: usize, channels: usize, repeats: usize) -> Vec<usize> {
    (0..repeats)
        .flat_map(|repeat| {
            units.iter().flat_map(move |unit| {
                let first = (repeat * of + unit) * channels;
                first..first + channels
            })
        })
        .collect()
}

struct Rows {
    outer: usize,
    length: usize,
    inner: usize,
}

fn rows(values: usize, shape: &[usize], axis: usize, at: &[usize]) -> Result<Rows, ModelError> {
    let wrong = |reason: String| ModelError::Slice { reason };
    let &length = shape
        .get(axis)
        .ok_or_else(|| wrong(format!("a tensor {shape:?} has no axis {axis}")))?;
    if let Some(at) = at.iter().find(|at| **at >= length) {
        return Err(wrong(format!(
            "axis {axis} of a tensor {shape:?} has no place {at}"
        )));
    }
    let outer: usize = shape[..axis].iter().product();
    if outer * length == 0 || !values.is_multiple_of(outer * length) {
        return Err(wrong(format!("{values} values are no tensor {shape:?}")));
    }
    Ok(Rows {
        outer,
        length,
        inner: values / (outer * length),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rows_and_columns_are_selected_in_order() {
        let x: Vec<u32> = (0..12).collect();
        assert_eq!(
            selected(&x, &[3, 4], 0, &[2, 0]).unwrap(),
            [8, 9, 10, 11, 0, 1, 2, 3]
        );
        assert_eq!(
            selected(&x, &[3, 4], 1, &[1, 3]).unwrap(),
            [1, 3, 5, 7, 9, 11]
        );
        assert_eq!(
            selected(&x, &[3, 2, 2], 1, &[1]).unwrap(),
            [2, 3, 6, 7, 10, 11]
        );
    }

    #[test]
    fn bytes_are_selected_as_their_elements_are() {
        let x: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let bytes: Vec<u8> = x.iter().flat_map(|v| v.to_le_bytes()).collect();
        let values = selected(&x, &[3, 4], 1, &[3, 0]).unwrap();
        let expected: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(selected(&bytes, &[3, 4], 1, &[3, 0]).unwrap(), expected);
    }

    #[test]
    fn heads_have_their_channels_in_every_part() {
        assert_eq!(places(&[1], 2, 2, 3), [2, 3, 6, 7, 10, 11]);
        assert_eq!(places(&[0, 2], 4, 1, 1), [0, 2]);
    }

    #[test]
    fn overwriting_reaches_the_places_alone() {
        let mut x: Vec<u32> = (0..12).collect();
        overwrite(&mut x, &[3, 4], 1, &[0, 2], 99).unwrap();
        assert_eq!(x, [99, 1, 99, 3, 99, 5, 99, 7, 99, 9, 99, 11]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(selected(&[1, 2, 3], &[2, 2], 0, &[0]).is_err());
        assert!(selected(&[1, 2, 3, 4], &[2, 2], 2, &[0]).is_err());
        assert!(selected(&[1, 2, 3, 4], &[2, 2], 0, &[2]).is_err());
    }
}
