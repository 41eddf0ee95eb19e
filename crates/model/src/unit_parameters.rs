//! What the parameters that make a site's units are like.

use std::collections::BTreeMap;

use afterimage_hooks::{Fault, Site, UnitParameters};
use burn::module::{Module, Param};
use burn::tensor::Tensor;

use crate::at_paths::{VisitAt, visit_at};
use crate::compact::WithShape;

/// Norms of the weights and scales of the norms that make the units of `site` in `module`; `None` for
/// a site that names no weights. `place` is what the paths of the site begin with in the module, and
/// `named` what they begin with in the site.
///
/// # Errors
/// Values that cannot be brought to the host.
pub fn unit_parameters<M: Module>(
    module: &M,
    place: &str,
    named: &str,
    site: &Site,
) -> Result<Option<UnitParameters>, Fault> {
    let mut values = Values {
        wanted: site
            .produced_by
            .iter()
            .map(|path| {
                let rest = path.strip_prefix(named).unwrap_or(path);
                (format!("{place}{rest}"), None)
            })
            .collect(),
        failed: None,
    };
    visit_at(module, &mut values);
    if let Some(fault) = values.failed {
        return Err(fault);
    }
    let mut squares: Option<Vec<f64>> = None;
    let mut scales: Vec<Vec<f64>> = Vec::new();
    for (path, found) in &values.wanted {
        let Some((values, shape)) = found else {
            continue;
        };
        let by_unit = |of: fn(f64) -> f64| sums(values, shape, of);
        if path.ends_with(".weight") {
            let more = by_unit(|w| w * w);
            match &mut squares {
                None => squares = Some(more),
                Some(sums) if sums.len() == more.len() => {
                    sums.iter_mut().zip(more).for_each(|(a, b)| *a += b);
                }
                Some(_) => return Ok(None),
            }
        } else if path.ends_with(".gamma") {
            scales.push(by_unit(f64::abs));
        }
    }
    let norms = squares.map(|sums| sums.into_iter().map(f64::sqrt).collect::<Vec<f64>>());
    Ok(norms
        .filter(|norms| norms.len() == site.units)
        .map(|weight_norm| UnitParameters {
            scale: mean(&scales, weight_norm.len()),
            weight_norm,
        }))
}

/// The mean of several values of each unit; `None` without any.
fn mean(rows: &[Vec<f64>], units: usize) -> Option<Vec<f64>> {
    let fits = !rows.is_empty() && rows.iter().all(|row| row.len() == units);
    fits.then(|| {
        (0..units)
            .map(|unit| rows.iter().map(|row| row[unit]).sum::<f64>() / rows.len() as f64)
            .collect()
    })
}

/// Sum of `of` each value, by unit: the first axis of a convolution's weight and of a vector, the last
/// of a fully connected layer's weight.
fn sums(values: &[f32], shape: &[usize], of: fn(f64) -> f64) -> Vec<f64> {
    match *shape {
        [_, outputs] => {
            let mut sums = vec![0.0; outputs];
            for (at, value) in values.iter().enumerate() {
                sums[at % outputs] += of(f64::from(*value));
            }
            sums
        }
        [units, ..] if units > 0 => values
            .chunks((values.len() / units).max(1))
            .map(|row| row.iter().map(|value| of(f64::from(*value))).sum())
            .collect(),
        _ => Vec::new(),
    }
}

struct Values {
    wanted: BTreeMap<String, Option<WithShape<f32>>>,
    failed: Option<Fault>,
}

impl VisitAt for Values {
    fn visit_at<const D: usize>(&mut self, path: &[String], param: &Param<Tensor<D>>) {
        let path = path.join(".");
        let Some(place) = self.wanted.get_mut(&path) else {
            return;
        };
        let value = param.val();
        let shape = value.dims().to_vec();
        match value.try_into_vec_as::<f32>() {
            Ok(values) => *place = Some((values, shape)),
            Err(error) => self.failed = Some(Fault::new(format!("`{path}`: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_summed_over_all_but_the_axis_of_the_units() {
        let values = [1.0, -2.0, 3.0, -4.0, 5.0, -6.0];
        assert_eq!(sums(&values, &[3, 2], f64::abs), [9.0, 12.0]);
        assert_eq!(sums(&values, &[3, 2, 1, 1], |w| w * w), [5.0, 25.0, 61.0]);
        assert_eq!(sums(&values, &[6], f64::abs).len(), 6);
    }
}
