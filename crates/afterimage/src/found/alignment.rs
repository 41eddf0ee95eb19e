//! Whether views of training points lie closer than those of held-out points, by `alignment-gap`.

use super::layermem::CLEAR;
use super::{Found, LIMIT, when};
use crate::summary::Measured;

/// Adds the layer whose alignment tells training points from held-out ones best, if that is no chance.
pub(super) fn found(measured: &Measured<'_>, layers: &[&str], found: &mut Found) {
    found.sentences.extend(closer(measured, layers));
}

fn closer(measured: &Measured<'_>, layers: &[&str]) -> Option<String> {
    let tag = |what: &str, layer: &str| format!("alignment/{what}/{layer}");
    let moment = layers
        .iter()
        .filter_map(|layer| measured.step(&tag("area", layer)))
        .max()
        .filter(|step| *step > 0)?;
    let at = |what: &str, layer: &str| measured.at(&tag(what, layer), moment);
    let (layer, area, error) = layers
        .iter()
        .filter_map(|layer| Some((*layer, at("area", layer)?, at("area_se", layer)?)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let before = |what: &str| measured.in_step(&tag(what, layer), 0);
    let start = before("area").zip(before("area_se"));
    let grown = start.is_none_or(|(was, missed)| area - was > LIMIT * error.hypot(missed));
    // The layer is chosen as the highest of all, and an area without an error says nothing.
    let clear = error > 0.0 && area - 0.5 > CLEAR * error;
    if !clear || !grown {
        return None;
    }
    let start = match start {
        Some((was, missed)) => format!(", at {was:.2} ± {missed:.2} before training"),
        None => String::new(),
    };
    let null = match at("area_null", layer).zip(at("area_null_se", layer)) {
        Some((null, missed)) => {
            format!(", and two sets of held-out points from each other at {null:.2} ± {missed:.2}")
        }
        None => String::new(),
    };
    Some(format!(
        "Views of training points lie closer than those of held-out points: in `{layer}` that tells them \
         apart at an area of {area:.2} ± {error:.2}{}{start}{null} (0.5: not at all; plugin \
         `alignment-gap`).",
        when(measured, moment)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Records;
    use super::*;

    fn told(area: f64, before: f64) -> Option<String> {
        let records = Records::new(&[
            ("alignment/area/b", 0, before),
            ("alignment/area_se/b", 0, 0.02),
            ("alignment/area/a", 20, 0.5),
            ("alignment/area_se/a", 20, 0.02),
            ("alignment/area/b", 20, area),
            ("alignment/area_se/b", 20, 0.02),
            ("alignment/area_null/b", 20, 0.52),
            ("alignment/area_null_se/b", 20, 0.03),
        ]);
        closer(&records.measured(), &["a", "b"])
    }

    #[test]
    fn the_layer_that_tells_points_apart_is_named_with_its_controls() {
        let text = told(0.75, 0.5).unwrap_or_default();
        for words in [
            "in `b`",
            "0.75 ± 0.02",
            "0.50 ± 0.02 before training",
            "0.52 ± 0.03",
        ] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        assert_eq!(told(0.57, 0.5), None);
        // The sets differed before training as much.
        assert_eq!(told(0.75, 0.74), None);
    }
}
