//! What the plugin `dynamics` puts on record.

use afterimage_hooks::{Column, EpochHistory, Fault, Samples, Scope, Split, Table};
use afterimage_numeric::mean;

use crate::plugin::dynamics_log::{Log, Seen};
use crate::plugin::oob_report::{probability_table, table};

/// Scores of samples by name; NaN for what is not defined.
type Score = (&'static str, fn(&Seen) -> f64);

const SCORES: [Score; 8] = [
    ("mean_loss", Seen::mean_loss),
    ("confidence", |seen| seen.scores.confidence()),
    ("variability", |seen| seen.scores.variability()),
    ("area_under_margin", |seen| seen.scores.area_under_margin()),
    ("mean_margin", |seen| seen.scores.mean_margin()),
    ("el2n", |seen| seen.scores.el2n()),
    // Never right is not "never forgotten".
    ("forgetting_events", |seen| {
        seen.scores.forgetting_events().map_or(f64::NAN, f64::from)
    }),
    ("in_run_shapley", |seen| {
        if seen.shapley_steps > 0 {
            seen.shapley
        } else {
            f64::NAN
        }
    }),
];

/// Loss and probability of each sample in one epoch, in the order of ids; NaN for samples that did not
/// come.
pub(crate) fn log_table(epoch: &EpochHistory) -> Table {
    let of = |values: &[f32]| {
        let pairs = epoch.losses.iter().zip(values);
        let known = pairs.map(|(loss, &value)| match loss.is_finite() {
            true => f64::from(value),
            false => f64::NAN,
        });
        Column::F64(known.collect())
    };
    let ids = Column::I64((0..epoch.losses.len() as i64).collect());
    let mut columns = vec![("sample_id", ids), ("loss", of(&epoch.losses))];
    if !epoch.probabilities.is_empty() {
        columns.push(("probability", of(&epoch.probabilities)));
    }
    table(columns)
}

/// Figures, histograms and the table of scores.
pub(crate) fn publish(
    scope: &mut Scope<'_>,
    log: &Log,
    samples: Option<&dyn Samples>,
) -> Result<(), Fault> {
    let mut columns = vec![(
        "sample_id",
        Column::I64((0..log.samples.len() as i64).collect()),
    )];
    let classes = log.samples.iter().any(|seen| seen.scores.count() > 0);
    if classes {
        columns.push(("label", labels(scope, samples, 0..log.samples.len())?));
    }
    let visits = log.samples.iter().map(|seen| i64::from(seen.visits));
    columns.push(("visits", Column::I64(visits.collect())));
    let observed: Vec<&Seen> = log
        .samples
        .iter()
        .filter(|s| s.scores.count() > 0)
        .collect();
    if !observed.is_empty() {
        let never = observed
            .iter()
            .filter(|s| s.scores.forgetting_events().is_none());
        let share = never.count() as f64 / observed.len() as f64;
        scope.scalar("dynamics/never_right", share);
    }
    for (name, score) in SCORES {
        let values: Vec<f64> = log.samples.iter().map(score).collect();
        let there: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
        // A score that no sample has is no column: losses are all that some objectives tell.
        if there.is_empty() {
            continue;
        }
        scope.scalar(format!("dynamics/{name}"), mean(&there));
        scope.histogram(format!("dynamics/{name}"), there);
        columns.push((name, Column::F64(values)));
    }
    scope.table("dynamics/samples", table(columns));
    Ok(())
}

/// Probabilities of the classes at the last visit, where a sample came.
pub(crate) fn probabilities(
    scope: &mut Scope<'_>,
    log: &Log,
    samples: Option<&dyn Samples>,
) -> Result<(), Fault> {
    let row = |s: usize| Some(log.kept(s)?.iter().map(|&p| f64::from(p)).collect());
    let rows: Vec<Option<Vec<f64>>> = (0..log.samples.len()).map(row).collect();
    if rows.iter().all(Option::is_none) {
        return Ok(());
    }
    let labels = labels(scope, samples, 0..rows.len())?;
    if let Some(table) = probability_table(labels, &rows) {
        scope.table("dynamics/probabilities", table);
    }
    Ok(())
}

fn labels(
    scope: &Scope<'_>,
    samples: Option<&dyn Samples>,
    of: impl Iterator<Item = usize>,
) -> Result<Column, Fault> {
    let samples = samples.ok_or_else(|| Fault::new("this model's host shows no labels"))?;
    let access = scope.label_access()?;
    let labels = samples.labels(Split::Train, &access)?;
    let label = |sample: usize| labels.of_samples.get(sample).map_or(-1, |&l| i64::from(l));
    Ok(Column::I64(of.map(label).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_a_row_for_each_sample_in_the_order_of_ids() {
        let epoch = EpochHistory {
            epoch: 1,
            losses: vec![0.5, f32::NAN, 2.0],
            probabilities: vec![0.75, 0.0, 0.125],
        };
        let log = log_table(&epoch);
        let names: Vec<&str> = log.columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["sample_id", "loss", "probability"]);
        assert_eq!(log.columns[0].1, Column::I64(vec![0, 1, 2]));
        // A sample that did not come is a row without numbers.
        for (column, [first, last]) in [(1, [0.5, 2.0]), (2, [0.75, 0.125])] {
            let Column::F64(values) = &log.columns[column].1 else {
                unreachable!("no numbers")
            };
            assert_eq!((values[0], values[2], values.len()), (first, last, 3));
            assert!(values[1].is_nan());
        }
    }
}
