//! What LayerMem found out, in a sentence that a reader can check against its table.

use afterimage_track::TextTable;

use super::evidence::{Evidence, numbers, values, words};
use super::{Found, then};
use crate::summary::Measured;

/// Standard errors above 0 from which a layer is said to remember: the layer is chosen as the highest
/// of all, and of thirty layers without memory one is above two by chance in every second run, above
/// four in one of a thousand.
pub(super) const CLEAR: f64 = 4.0;

/// Candidates that are named.
const NAMED: usize = 5;

/// Adds whether the run's `layers` remember, and where one does, which candidates most.
pub(super) fn found(
    measured: &Measured<'_>,
    layers: &[&str],
    evidence: &Evidence,
    found: &mut Found,
) {
    let Some((sentence, layer)) = told(measured, layers) else {
        return;
    };
    found.sentences.push(sentence);
    if let Some(layer) = layer {
        found.tables.extend(candidates(measured, evidence, layer));
    }
}

/// What LayerMem says of the run's `layers`, and the layer that remembers; `None` where it was not
/// measured behind the first step.
fn told<'l>(measured: &Measured<'_>, layers: &[&'l str]) -> Option<(String, Option<&'l str>)> {
    let tag = |what: &str, layer: &str| format!("layermem/{what}/{layer}");
    let moment = layers
        .iter()
        .filter_map(|layer| measured.step(&tag("calibrated", layer)))
        .max()
        .filter(|step| *step > 0)?;
    let at = |what: &str, layer: &str| measured.at(&tag(what, layer), moment);
    let (layer, score, error) = layers
        .iter()
        .filter_map(|layer| {
            let (score, error) = (at("calibrated", layer)?, at("se/calibrated", layer)?);
            Some((*layer, score, error))
        })
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let when = measured
        .time(moment)
        .map(|time| format!(", {time}"))
        .unwrap_or_default();
    let highest = format!("calibrated LayerMem {score:.3} ± {error:.3} in `{layer}`{when}");
    if score <= CLEAR * error {
        let sentence = format!(
            "No memorization shows: of all layers, {highest} is the highest, and that is not \
             {CLEAR} standard errors above 0."
        );
        return Some((sentence, None));
    }
    let area = |set: &str| {
        let (area, error) = (
            at(&format!("area/{set}"), layer)?,
            at(&format!("area_se/{set}"), layer)?,
        );
        Some(format!("{area:.2} ± {error:.2}"))
    };
    let areas = match (area("external"), area("null")) {
        (Some(area), Some(null)) => format!(
            " There it tells points trained on from held-out ones at an area of {area}, and two sets of \
             held-out points from each other at {null} (0.5: not at all)."
        ),
        _ => String::new(),
    };
    let sentence = format!(
        "This encoder memorizes: {highest}, {:.0} standard errors above 0.{areas} Errors are over points, \
         not over trainings.",
        score / error
    );
    Some((sentence, Some(layer)))
}

/// The candidates that `layer` remembers most, each beside the share of held-out points that score as
/// high: what the run put on record as `layermem/remembered`.
fn candidates(measured: &Measured<'_>, evidence: &Evidence, layer: &str) -> Option<TextTable> {
    let table = evidence.last_table("layermem/remembered")?;
    let (steps, points) = (numbers(&table, "step")?, numbers(&table, "point")?);
    let layers = words(&table, "layer")?;
    let (scores, above) = (values(&table, "score")?, values(&table, "held_out_above")?);
    let step = *steps.last()?;
    let title = format!(
        "Candidates of the highest LayerMem in `{layer}`{}",
        then(measured, step)
    );
    let header = ["point", "file (label)", "LayerMem", "held-out above"];
    let mut shown = TextTable::new(title, &header);
    let rows = (0..steps.len()).filter(|&row| steps[row] == step && layers[row] == layer);
    for row in rows.take(NAMED) {
        let share = match above[row].is_nan() {
            true => TextTable::number(above[row], 1),
            false => format!("{:.1} %", 100.0 * above[row]),
        };
        shown.row([
            format!("#{}", points[row]),
            evidence.name(points[row]),
            TextTable::number(scores[row], 3),
            share,
        ]);
    }
    (!shown.is_empty()).then_some(shown)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use afterimage_hooks::Column;

    use super::super::evidence::tests::{put, run, table, text};
    use super::super::tests::Records;
    use super::*;
    use crate::summary::Untrained;

    fn sentence(values: &[(&str, u64, f64)]) -> Option<String> {
        let scalars = values.iter().map(|(tag, _, v)| ((*tag).to_owned(), *v));
        let steps = values
            .iter()
            .map(|(tag, step, _)| ((*tag).to_owned(), *step));
        let measured = Measured {
            scalars: &scalars.collect(),
            steps: &steps.collect(),
            epochs: BTreeMap::from([(10, 1), (20, 2)]),
            start: Untrained::Random,
            history: &[],
        };
        told(&measured, &["a", "b"]).map(|(sentence, _)| sentence)
    }

    #[test]
    fn the_layer_that_remembers_most_is_named_with_its_controls() {
        let text = sentence(&[
            ("layermem/calibrated/a", 20, 0.01),
            ("layermem/se/calibrated/a", 20, 0.01),
            ("layermem/calibrated/b", 20, 0.25),
            ("layermem/se/calibrated/b", 20, 0.01),
            ("layermem/area/external/b", 20, 0.98),
            ("layermem/area_se/external/b", 20, 0.01),
            ("layermem/area/null/b", 20, 0.51),
            ("layermem/area_se/null/b", 20, 0.06),
        ]);
        let text = text.unwrap_or_default();
        for words in [
            "memorizes: calibrated LayerMem 0.250 ± 0.010 in `b`",
            "25 standard errors",
            "0.98 ± 0.01",
            "0.51 ± 0.06",
        ] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
    }

    #[test]
    fn nothing_is_claimed_of_what_may_be_chance_or_was_not_measured() {
        let text = sentence(&[
            ("layermem/calibrated/a", 10, 0.02),
            ("layermem/se/calibrated/a", 10, 0.01),
            ("loss/step", 20, 1.0),
        ]);
        let text = text.unwrap_or_default();
        assert!(text.starts_with("No memorization shows"), "{text}");
        assert!(text.contains("after epoch 1"), "{text}");
        assert_eq!(sentence(&[("loss/step", 20, 1.0)]), None);
        let untrained = [
            ("layermem/calibrated/a", 0, 0.5),
            ("layermem/se/calibrated/a", 0, 0.01),
        ];
        assert_eq!(sentence(&untrained), None);
    }

    #[test]
    fn the_candidates_that_are_remembered_most_are_named() {
        let run = run();
        let remembered = table(vec![
            ("step", Column::I64(vec![10, 20, 20])),
            ("point", Column::I64(vec![2, 1, 0])),
            ("layer", text(&["b", "b", "b"])),
            ("score", Column::F64(vec![0.9, 0.5, 0.25])),
            ("held_out_above", Column::F64(vec![0.0, 0.0, 0.125])),
        ]);
        put(run.path(), "layermem/remembered", 2, &remembered);
        let records = Records::new(&[("loss/train", 20, 1.0)]);
        let shown = candidates(&records.measured(), &Evidence::of(run.path()), "b");
        let shown = shown.map(|table| table.to_string()).unwrap_or_default();
        assert!(shown.contains("held-out above"), "{shown}");
        let (first, second) = (shown.find("x.bin[0] (dog)"), shown.find("png (cat)"));
        assert!(first.is_some() && first < second, "{shown}");
        assert!(
            shown.contains("0.250") && shown.contains("12.5 %"),
            "{shown}"
        );
        assert!(!shown.contains("0.900"), "{shown}");
        let other = candidates(&records.measured(), &Evidence::of(run.path()), "a");
        assert_eq!(other, None);
    }
}
