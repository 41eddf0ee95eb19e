//! Declared groups beside those that a recording shows.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_model::compact::Group;

use crate::dims::Dim;
use crate::follow::Followed;
use crate::record::Recording;

/// A run of units along an axis of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Path of the parameter.
    pub path: String,
    /// The axis.
    pub axis: usize,
    /// How often all units lie behind each other.
    pub repeats: usize,
    /// Values of a unit that lie beside each other.
    pub channels: usize,
}

/// Units that can be taken out together alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// Number of units.
    pub units: usize,
    /// Everywhere that parameters have them.
    pub places: BTreeSet<Place>,
}

/// What the recording shows: every dimension that parameters have.
///
/// # Errors
/// A recording with an operation that cannot be followed.
pub fn found(recording: &Recording) -> Result<Vec<Found>, String> {
    let mut followed = Followed::through(&recording.operations)?;
    let mut all: BTreeMap<Dim, Found> = BTreeMap::new();
    for (path, (id, shape)) in &recording.parameters {
        for (axis, dims) in followed.axes(*id, shape).iter().enumerate() {
            let factors = followed.dims.factors(dims);
            for (at, (dim, units)) in factors.iter().enumerate() {
                let product = |part: &[(Dim, usize)]| part.iter().map(|(_, n)| n).product();
                let places = BTreeSet::new();
                let units = *units;
                all.entry(*dim)
                    .or_insert(Found { units, places })
                    .places
                    .insert(Place {
                        path: path.clone(),
                        axis,
                        repeats: product(&factors[..at]),
                        channels: product(&factors[at + 1..]),
                    });
            }
        }
    }
    Ok(all.into_values().collect())
}

/// Checks that each group of `declared` is one of `found`, and returns those of the others that more
/// than one axis has.
///
/// # Errors
/// The groups that are none, each with what is missing and what is too much.
pub fn check(declared: &[Group], found: &[Found]) -> Result<Vec<Found>, String> {
    let mut left = found.to_vec();
    let mut wrong = Vec::new();
    for group in declared {
        let places: BTreeSet<Place> = group
            .slices()
            .into_iter()
            .map(|slice| Place {
                path: slice.path.clone(),
                axis: slice.axis,
                repeats: slice.repeats,
                channels: group.channels,
            })
            .collect();
        let shares = |found: &Found| found.places.intersection(&places).count();
        let Some(at) = (0..left.len()).max_by_key(|&at| shares(&left[at])) else {
            return Err("nothing is recorded".to_owned());
        };
        if left[at].places == places && left[at].units == group.units {
            left.swap_remove(at);
            continue;
        }
        let difference = |a: &BTreeSet<Place>, b: &BTreeSet<Place>| -> String {
            let places: Vec<String> = a
                .difference(b)
                .map(|place| format!("axis {} of {}", place.axis, place.path))
                .collect();
            places.join(", ")
        };
        wrong.push(format!(
            "{}: {} units, recorded {}; not declared: [{}]; not recorded: [{}]",
            group.name,
            group.units,
            left[at].units,
            difference(&left[at].places, &places),
            difference(&places, &left[at].places),
        ));
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    left.retain(|found| found.places.len() > 1);
    left.sort_unstable();
    Ok(left)
}
