//! Which samples are learned worst, by the plugin `dynamics`.

use afterimage_track::TextTable;

use super::evidence::{Evidence, numbers, values};
use super::{Found, then};
use crate::summary::Measured;

/// Samples that are named.
const NAMED: usize = 5;

/// Adds the samples of the lowest area under the margin; which of them are wrong no null tells, so that
/// there is no sentence.
pub(super) fn found(measured: &Measured<'_>, evidence: &Evidence, found: &mut Found) {
    found.tables.extend(lowest(measured, evidence));
}

fn lowest(measured: &Measured<'_>, evidence: &Evidence) -> Option<TextTable> {
    let table = evidence.last_table("dynamics/samples")?;
    let (steps, ids) = (numbers(&table, "step")?, numbers(&table, "sample_id")?);
    // Objectives without a classifier have no margins.
    let margins = values(&table, "area_under_margin")?;
    let number = |name: &str, row: usize| {
        let value = values(&table, name).map_or(f64::NAN, |values| values[row]);
        TextTable::number(value, 2)
    };
    let (rows, step) = super::lowest(steps, ids, margins)?;
    let title = format!(
        "Samples of the lowest area under the margin (plugin `dynamics`), of {}{}",
        rows.len(),
        then(measured, step)
    );
    let header = [
        "sample",
        "file (label)",
        "area under margin",
        "mean loss",
        "times forgotten",
    ];
    let mut shown = TextTable::new(title, &header);
    for &row in rows.iter().take(NAMED) {
        shown.row([
            format!("#{}", ids[row]),
            evidence.name(ids[row]),
            TextTable::number(margins[row], 2),
            number("mean_loss", row),
            number("forgetting_events", row),
        ]);
    }
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use afterimage_hooks::Column;

    use super::super::evidence::tests::{put, run, table};
    use super::super::tests::Records;
    use super::*;

    #[test]
    fn the_samples_that_are_learned_worst_are_named() {
        let run = run();
        let samples = table(vec![
            ("step", Column::I64(vec![20; 3])),
            ("sample_id", Column::I64(vec![0, 1, 2])),
            ("mean_loss", Column::F64(vec![0.5, 2.0, 1.0])),
            ("area_under_margin", Column::F64(vec![1.0, -3.0, f64::NAN])),
            ("forgetting_events", Column::F64(vec![0.0, f64::NAN, 1.0])),
        ]);
        put(run.path(), "dynamics/samples", 2, &samples);
        let records = Records::new(&[("loss/train", 20, 1.0)]);
        let shown = lowest(&records.measured(), &Evidence::of(run.path()));
        let shown = shown.map(|table| table.to_string()).unwrap_or_default();
        assert!(shown.contains("(plugin `dynamics`), of 2"), "{shown}");
        let (first, second) = (shown.find("x.bin[0] (dog)"), shown.find("png (cat)"));
        assert!(first.is_some() && first < second, "{shown}");
        assert!(shown.contains("-3.00") && shown.contains('–'), "{shown}");
    }
}
