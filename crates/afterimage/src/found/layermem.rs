//! What LayerMem found out, in a sentence that a reader can check against its table.

use crate::summary::Measured;

/// Standard errors above 0 from which a layer is said to remember: the layer is chosen as the highest
/// of all, and of thirty layers without memory one is above two by chance in every second run, above
/// four in one of a thousand.
pub(super) const CLEAR: f64 = 4.0;

/// What LayerMem says of the run's `layers`; `None` where it was not measured behind the first step.
pub(super) fn found(measured: &Measured<'_>, layers: &[&str]) -> Option<String> {
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
        return Some(format!(
            "No memorization shows: of all layers, {highest} is the highest, and that is not \
             {CLEAR} standard errors above 0."
        ));
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
    Some(format!(
        "This encoder memorizes: {highest}, {:.0} standard errors above 0.{areas} Errors are over points, \
         not over trainings.",
        score / error
    ))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::summary::Untrained;

    fn told(values: &[(&str, u64, f64)]) -> Option<String> {
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
        found(&measured, &["a", "b"])
    }

    #[test]
    fn the_layer_that_remembers_most_is_named_with_its_controls() {
        let text = told(&[
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
        let text = told(&[
            ("layermem/calibrated/a", 10, 0.02),
            ("layermem/se/calibrated/a", 10, 0.01),
            ("loss/step", 20, 1.0),
        ]);
        let text = text.unwrap_or_default();
        assert!(text.starts_with("No memorization shows"), "{text}");
        assert!(text.contains("after epoch 1"), "{text}");
        assert_eq!(told(&[("loss/step", 20, 1.0)]), None);
        let untrained = [
            ("layermem/calibrated/a", 0, 0.5),
            ("layermem/se/calibrated/a", 0, 0.01),
        ];
        assert_eq!(told(&untrained), None);
    }
}
