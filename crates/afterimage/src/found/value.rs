//! Which labels look wrong, by the plugin `oob-value`.

use afterimage_track::TextTable;

use super::evidence::{Evidence, numbers, values};
use super::{Found, then, when};
use crate::summary::Measured;

/// Samples that are named.
const NAMED: usize = 5;

/// Adds how many labels look wrong, and the samples of the lowest values.
pub(super) fn found(measured: &Measured<'_>, evidence: &Evidence, found: &mut Found) {
    let cells: Vec<&str> = measured
        .scalars
        .keys()
        .filter_map(|tag| tag.strip_prefix("value/")?.strip_suffix("/doubtful"))
        .collect();
    for cells in cells {
        found.sentences.extend(doubtful(measured, evidence, cells));
        found.tables.extend(lowest(measured, evidence, cells));
    }
}

/// How many labels of the scored samples are doubtful; nothing where most are. The values are split into
/// two crowds, which always gives two: where the lower one is the larger, they have not parted.
fn doubtful(measured: &Measured<'_>, evidence: &Evidence, cells: &str) -> Option<String> {
    let tag = |what: &str| format!("value/{cells}/{what}");
    let step = measured.step(&tag("doubtful")).filter(|step| *step > 0)?;
    let at = |what: &str| measured.at(&tag(what), step);
    let (doubtful, scored, all) = (at("doubtful")?, at("scored")?, evidence.train()?);
    if doubtful >= 0.5 {
        return None;
    }
    let scored = (scored * all as f64).round();
    let wrong = (doubtful * scored).round();
    let repeats = match at("reliability/full") {
        Some(reliability) => {
            format!(
                "; values of cells repeat between halves of the bank at {reliability:.2} (0: not)"
            )
        }
        None => String::new(),
    };
    Some(format!(
        "{wrong:.0} of {scored:.0} labels look wrong to networks that did not learn from them, the lower \
         of two crowds of values{}{repeats}. Two crowds are always found: look at the samples (plugin \
         `oob-value`, cells `{cells}`).",
        when(measured, step)
    ))
}

/// The samples of the lowest values.
fn lowest(measured: &Measured<'_>, evidence: &Evidence, cells: &str) -> Option<TextTable> {
    let table = evidence.last_table(&format!("value/{cells}/samples"))?;
    let steps = numbers(&table, "step")?;
    let (ids, counts) = (numbers(&table, "sample_id")?, numbers(&table, "count")?);
    let column = |name: &str| values(&table, name);
    let (value, error, clean) = (
        column("value")?,
        column("standard_error")?,
        column("clean")?,
    );
    let (rows, step) = super::lowest(steps, ids, value)?;
    let title = format!(
        "Samples of the lowest values (cells `{cells}`), of {} with one{}",
        rows.len(),
        then(measured, step)
    );
    let header = [
        "sample",
        "file (label)",
        "value",
        "± se",
        "times",
        "label right",
    ];
    let mut shown = TextTable::new(title, &header);
    for &row in rows.iter().take(NAMED) {
        shown.row([
            format!("#{}", ids[row]),
            evidence.name(ids[row]),
            TextTable::number(value[row], 3),
            TextTable::number(error[row], 3),
            counts[row].to_string(),
            TextTable::number(clean[row], 3),
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
    fn doubtful_labels_are_counted_and_the_lowest_samples_named() {
        let run = run();
        let samples = table(vec![
            ("step", Column::I64(vec![20, 20, 20])),
            ("sample_id", Column::I64(vec![0, 1, 2])),
            ("value", Column::F64(vec![0.5, f64::NAN, -0.25])),
            ("standard_error", Column::F64(vec![0.1, f64::NAN, 0.125])),
            ("count", Column::I64(vec![4, 0, 3])),
            ("clean", Column::F64(vec![0.9, f64::NAN, 0.25])),
        ]);
        put(run.path(), "value/encoder/samples", 2, &samples);
        let records = Records::new(&[
            ("value/encoder/doubtful", 20, 0.25),
            ("value/encoder/scored", 20, 1.0),
            ("value/encoder/reliability/full", 20, 0.81),
        ]);
        let mut told = Found::default();
        found(&records.measured(), &Evidence::of(run.path()), &mut told);
        let text = told.sentences.concat();
        for words in ["1 of 3 labels look wrong", "0.81", "cells `encoder`"] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        let text = told
            .tables
            .iter()
            .map(ToString::to_string)
            .collect::<String>();
        let (first, second) = (text.find("x.bin[1] (dog)"), text.find("png (cat)"));
        assert!(
            first.is_some() && first < second && text.contains("of 2 with one"),
            "{text}"
        );
    }

    #[test]
    fn values_that_have_not_parted_tell_of_no_label() {
        let run = run();
        let records = Records::new(&[
            ("value/encoder/doubtful", 20, 0.75),
            ("value/encoder/scored", 20, 1.0),
        ]);
        let evidence = Evidence::of(run.path());
        assert_eq!(doubtful(&records.measured(), &evidence, "encoder"), None);
    }
}
