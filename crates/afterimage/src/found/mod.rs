//! What a run found out: tables that name samples, and sentences that a reader can check against the
//! run's records. What may be chance gets no sentence, but for LayerMem, whose says so.

mod alignment;
mod classmem;
mod coreset;
mod dynamics;
mod evidence;
mod layermem;
mod ownership;
mod prune;
mod streaming;
mod value;

use afterimage_track::TextTable;

pub(crate) use evidence::Evidence;

use crate::summary::Measured;

/// Standard errors beyond which a number that was named before the run is not taken for chance.
const LIMIT: f64 = 1.96;

/// What is told at the end of a run.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) tables: Vec<TextTable>,
    pub(crate) sentences: Vec<String>,
}

/// What the plugins of a run have found in `layers`, in the order of the loop: what was learned, what is
/// remembered, what the samples are worth, what was acted on.
pub(crate) fn found(measured: &Measured<'_>, layers: &[&str], evidence: &Evidence) -> Found {
    let mut found = Found::default();
    layermem::found(measured, layers, evidence, &mut found);
    alignment::found(measured, layers, &mut found);
    ownership::found(measured, evidence, &mut found);
    streaming::found(measured, evidence, &mut found);
    classmem::found(measured, evidence, &mut found);
    dynamics::found(measured, evidence, &mut found);
    value::found(measured, evidence, &mut found);
    coreset::found(measured, evidence, &mut found);
    prune::found(measured, &mut found);
    found
}

/// When `step` was, as an inserted clause; nothing for the end.
fn when(measured: &Measured<'_>, step: u64) -> String {
    measured
        .time(step)
        .map(|time| format!(", {time}"))
        .unwrap_or_default()
}

/// When the step of a table was, behind what is said of it; nothing for the end.
fn then(measured: &Measured<'_>, step: i64) -> String {
    let time = u64::try_from(step)
        .ok()
        .and_then(|step| measured.time(step));
    time.map(|time| format!("; {time}")).unwrap_or_default()
}

/// The rows of a table's last step that have a number in `values`, the lowest first and of equal ones the lower
/// `ids` first; and that step.
fn lowest(steps: &[i64], ids: &[i64], values: &[f64]) -> Option<(Vec<usize>, i64)> {
    let step = *steps.last()?;
    let mut rows: Vec<usize> = (0..steps.len())
        .filter(|&row| steps[row] == step && values[row].is_finite())
        .collect();
    rows.sort_by(|&a, &b| values[a].total_cmp(&values[b]).then(ids[a].cmp(&ids[b])));
    Some((rows, step))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use afterimage_track::{Number, ScalarLine};

    use super::*;
    use crate::summary::Untrained;

    /// Scalars of a run of two epochs of ten steps.
    pub(super) struct Records {
        scalars: BTreeMap<String, f64>,
        steps: BTreeMap<String, u64>,
        history: Vec<ScalarLine>,
    }

    impl Records {
        pub(super) fn new(lines: &[(&str, u64, f64)]) -> Self {
            let scalars = lines.iter().map(|(tag, _, v)| ((*tag).to_owned(), *v));
            let steps = lines
                .iter()
                .map(|(tag, step, _)| ((*tag).to_owned(), *step));
            let history = lines.iter().map(|(tag, step, value)| ScalarLine {
                step: *step,
                epoch: (*step / 10) as u32,
                tag: (*tag).to_owned(),
                value: Number(*value),
                author: String::new(),
            });
            Self {
                scalars: scalars.collect(),
                steps: steps.collect(),
                history: history.collect(),
            }
        }

        pub(super) fn measured(&self) -> Measured<'_> {
            Measured {
                scalars: &self.scalars,
                steps: &self.steps,
                epochs: BTreeMap::from([(0, 0), (10, 1), (20, 2)]),
                start: Untrained::Random,
                history: &self.history,
            }
        }
    }
}
