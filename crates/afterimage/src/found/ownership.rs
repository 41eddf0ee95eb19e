//! To whom units belong, by UnitMem's probe and by the plugin `ownership`.

use afterimage_hooks::Table;
use afterimage_track::TextTable;

use super::evidence::{Evidence, numbers};
use super::{Found, LIMIT, then, when};
use crate::summary::Measured;

/// Points that are named.
const NAMED: usize = 5;

/// Adds the points that own most units, and whether units belong to points that were trained on.
pub(super) fn found(measured: &Measured<'_>, evidence: &Evidence, found: &mut Found) {
    found.tables.extend(owners(measured, evidence));
    found.sentences.extend(training_points(measured));
    found.sentences.extend(candidates(measured));
}

/// A share of units, and how far it may lie from one half by chance.
struct Share {
    share: f64,
    error: f64,
}

impl Share {
    /// The share of `tag` with the standard error that `z` standard deviations from one half say.
    fn new(share: Option<f64>, z: Option<f64>) -> Option<Self> {
        let (share, z) = (share?, z?);
        let error = (share - 0.5) / z;
        (error > 0.0 && error.is_finite()).then_some(Self { share, error })
    }

    fn told(&self) -> String {
        format!("{:.2} ± {:.2}", self.share, self.error)
    }

    /// Whether it lies above `other` by more than both may miss.
    fn is_above(&self, other: f64, error: f64) -> bool {
        self.share - other > LIMIT * self.error.hypot(error)
    }
}

/// Whether more units answer most to a training point than to a held-out one.
fn training_points(measured: &Measured<'_>) -> Option<String> {
    const SHARE: &str = "unitmem/ownership/all";
    const Z: &str = "unitmem/ownership_z/all";
    let step = measured.step(SHARE).filter(|step| *step > 0)?;
    let now = Share::new(measured.at(SHARE, step), measured.at(Z, step))?;
    let before = Share::new(measured.in_step(SHARE, 0), measured.in_step(Z, 0));
    let (control, clear) = match &before {
        Some(before) => (
            format!(", {} before training", before.told()),
            now.is_above(before.share, before.error),
        ),
        None => (String::new(), true),
    };
    (clear && now.is_above(0.5, 0.0)).then(|| {
        format!(
            "Units belong to training points: {} of them answer most to a training point, the others to \
             one of as many held-out points{}{control} (0.5: chance; plugin `unitmem`).",
            now.told(),
            when(measured, step)
        )
    })
}

/// Whether more units belong to candidates than in the encoder that never saw them.
fn candidates(measured: &Measured<'_>) -> Option<String> {
    let tag = |what: &str, encoder: &str| format!("ownership/{what}/{encoder}/all");
    let step = measured
        .step(&tag("share", "studied"))
        .filter(|step| *step > 0)?;
    let at = |encoder: &str| {
        let share = measured.at(&tag("share", encoder), step);
        Share::new(share, measured.at(&tag("z", encoder), step))
    };
    let (studied, reference) = (at("studied")?, at("reference")?);
    let clear = studied.is_above(0.5, 0.0) && studied.is_above(reference.share, reference.error);
    clear.then(|| {
        format!(
            "Units belong to the candidates: {} of them here, {} in the reference encoder, which never \
             saw these{} (0.5: chance; plugin `ownership`).",
            studied.told(),
            reference.told(),
            when(measured, step)
        )
    })
}

/// The training points that own most units.
fn owners(measured: &Measured<'_>, evidence: &Evidence) -> Option<TextTable> {
    let table = evidence.last_table("unitmem/points")?;
    let step = *numbers(&table, "step")?.last()?;
    let rows = last_rows(&table, step)?;
    let units: i64 = rows.iter().map(|(_, units)| units).sum();
    let title = format!(
        "Training points that own most units, of {units} with an owner; {} points own at least one{}",
        rows.len(),
        then(measured, step)
    );
    let mut shown = TextTable::new(title, &["point", "file (label)", "units"]);
    for (point, units) in rows.into_iter().take(NAMED) {
        shown.row([format!("#{point}"), evidence.name(point), units.to_string()]);
    }
    Some(shown)
}

/// Points and their units in the rows of `step`, most units first.
fn last_rows(table: &Table, step: i64) -> Option<Vec<(i64, i64)>> {
    let (steps, points) = (numbers(table, "step")?, numbers(table, "point")?);
    let units = numbers(table, "units")?;
    let rows = steps.iter().zip(points.iter().zip(units));
    let mut rows: Vec<(i64, i64)> = rows
        .filter(|(at, _)| **at == step)
        .map(|(_, (point, units))| (*point, *units))
        .collect();
    rows.sort_by_key(|(point, units)| (-units, *point));
    (!rows.is_empty()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use afterimage_hooks::Column;

    use super::super::evidence::tests::{put, run, table};
    use super::super::tests::Records;
    use super::*;

    #[test]
    fn units_belong_to_training_points_where_that_is_no_chance() {
        let told = |share: f64, z: f64, share_before: f64, z_before: f64| {
            let records = Records::new(&[
                ("unitmem/ownership/all", 0, share_before),
                ("unitmem/ownership_z/all", 0, z_before),
                ("unitmem/ownership/all", 20, share),
                ("unitmem/ownership_z/all", 20, z),
                ("loss/train", 20, 1.0),
            ]);
            training_points(&records.measured())
        };
        let text = told(0.74, 12.0, 0.51, 0.5).unwrap_or_default();
        for words in ["0.74 ± 0.02", "0.51 ± 0.02 before training", "0.5: chance"] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        assert_eq!(told(0.54, 1.9, 0.51, 0.5), None);
        // The sets differed before training as much.
        assert_eq!(told(0.74, 12.0, 0.73, 11.5), None);
        assert_eq!(told(0.26, -12.0, 0.51, 0.5), None);
    }

    #[test]
    fn candidates_are_compared_with_the_reference() {
        let told = |reference: f64, z: f64| {
            let records = Records::new(&[
                ("ownership/share/studied/all", 10, 0.7),
                ("ownership/z/studied/all", 10, 10.0),
                ("ownership/share/reference/all", 10, reference),
                ("ownership/z/reference/all", 10, z),
                ("loss/train", 20, 1.0),
            ]);
            candidates(&records.measured())
        };
        let text = told(0.3, -10.0).unwrap_or_default();
        for words in [
            "0.70 ± 0.02 of them here",
            "0.30 ± 0.02 in the reference",
            "after epoch 1",
        ] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        assert_eq!(told(0.68, 9.0), None);
    }

    #[test]
    fn points_that_own_most_units_are_named() {
        let run = run();
        let points = table(vec![
            ("epoch", Column::I64(vec![1, 1, 1])),
            ("step", Column::I64(vec![10, 20, 20])),
            ("point", Column::I64(vec![1, 0, 2])),
            ("units", Column::I64(vec![9, 3, 4])),
        ]);
        put(run.path(), "unitmem/points", 1, &points);
        let records = Records::new(&[("loss/train", 20, 1.0)]);
        let evidence = Evidence::of(run.path());
        let text = owners(&records.measured(), &evidence).map(|table| table.to_string());
        let text = text.unwrap_or_default();
        assert!(
            text.contains("of 7 with an owner; 2 points own at least one"),
            "{text}"
        );
        let (first, second) = (text.find("x.bin[1] (dog)"), text.find("png (cat)"));
        assert!(first.is_some() && first < second, "{text}");
    }
}
