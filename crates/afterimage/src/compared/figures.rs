//! The figures of runs: their last values, each with its epoch, its error and its control.

use std::collections::{BTreeMap, BTreeSet};

use afterimage_numeric::share_error;

use super::one::One;

/// Figures by the tag in front of a layer, what their control is called, and its tag.
const BESIDE: [(&str, &str, &str); 12] = [
    ("unitmem/mean/train/", "held-out", "unitmem/mean/held_out/"),
    ("unitmem/mean/train/", "untrained", "unitmem/mean/initial/"),
    ("unitmem/area/", "null", "unitmem/area_null/"),
    (
        "layermem/mean/candidates/",
        "independent",
        "layermem/mean/independent/",
    ),
    (
        "layermem/mean/candidates/",
        "held-out",
        "layermem/mean/external/",
    ),
    ("layermem/area/external/", "null", "layermem/area/null/"),
    ("layermem/area/independent/", "null", "layermem/area/null/"),
    ("alignment/area/", "null", "alignment/area_null/"),
    (
        "ownership/share/studied/",
        "reference",
        "ownership/share/reference/",
    ),
    (
        "ownership/z/studied/",
        "reference",
        "ownership/z/reference/",
    ),
    ("coreset/clean", "random", "coreset/clean_random"),
    ("deja_vu/found/memorized", "null", "deja_vu/found/null"),
];
/// The same for standard errors.
const ERRORS: [(&str, &str); 5] = [
    ("layermem/mean/", "layermem/se/"),
    ("layermem/calibrated/", "layermem/se/calibrated/"),
    ("layermem/area/", "layermem/area_se/"),
    ("alignment/gap/", "alignment/se/"),
    ("alignment/area/", "alignment/area_se/"),
];
/// Shares of the held-out images.
const SHARES: [&str; 3] = ["eval/accuracy", "eval/knn", "eval/linear_probe"];
/// What stands in place of a layer for the encoder as a whole.
const WHOLE: [&str; 2] = ["all", "embedding"];

/// A scalar that runs are compared by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Figure {
    pub(super) tag: String,
    /// Whether something is known that it is held against: such figures stand first.
    pub(super) controlled: bool,
}

/// Figures of one number for each layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Family {
    /// The tag in front of the layer, with its slash.
    pub(super) prefix: String,
    pub(super) controlled: bool,
    /// In the order of the first run that has them.
    pub(super) layers: Vec<String>,
}

/// What runs are compared by.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Figures {
    /// Numbers of whole encoders and runs.
    pub(super) single: Vec<Figure>,
    pub(super) by_layer: Vec<Family>,
}

/// The last value of a figure in a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub(super) value: f64,
    pub(super) epoch: u32,
    /// Its standard error.
    pub(super) error: Option<f64>,
    /// Names and values of its controls, of the same time but for what was before training.
    pub(super) controls: Vec<(&'static str, f64)>,
}

/// The tag of `other` in place of `base` in front of `tag`.
fn instead(tag: &str, base: &str, other: &str) -> Option<String> {
    Some(format!("{other}{}", tag.strip_prefix(base)?))
}

/// The last value of `tag` in `run`, with what it is to be held against.
pub(super) fn end(run: &One, tag: &str) -> Option<End> {
    let scalar = run.scalar(tag)?;
    let (step, value) = *scalar.points.last()?;
    let epoch = *scalar.epochs.last()?;
    let at_its_time = |other: String| {
        let last = run.scalar(&other)?.points.last()?;
        (last.0 == step && last.1.is_finite()).then_some(last.1)
    };
    let error = ERRORS
        .iter()
        .find_map(|(base, error)| at_its_time(instead(tag, base, error)?));
    let of_images = run.held_out.filter(|_| SHARES.contains(&tag));
    let error = error.or(of_images.map(|count| share_error(value, count)));
    let mut controls: Vec<(&str, f64)> = BESIDE
        .iter()
        .filter_map(|&(base, name, other)| Some((name, at_its_time(instead(tag, base, other)?)?)))
        .collect();
    if controls.is_empty() && epoch > 0 {
        let name = match run.settings.keys().any(|key| key.starts_with("fine_tune")) {
            true => "at the start",
            false => "before training",
        };
        controls.extend(scalar.first().map(|first| (name, first)));
    }
    Some(End {
        value,
        epoch,
        error,
        controls,
    })
}

/// What `runs` can be compared by, in the order in which it was put on record; what is a control or an error
/// of another figure stands beside that.
pub(super) fn figures(runs: &[One]) -> Figures {
    let mut tags: Vec<&str> = Vec::new();
    let mut seen = BTreeSet::new();
    for scalar in runs.iter().flat_map(|run| &run.scalars) {
        if seen.insert(scalar.tag.as_str()) {
            tags.push(&scalar.tag);
        }
    }
    let companions: BTreeSet<String> = tags
        .iter()
        .flat_map(|tag| {
            let beside = BESIDE.iter().map(|(base, _, other)| (base, other));
            let errors = ERRORS.iter().map(|(base, error)| (base, error));
            beside
                .chain(errors)
                .filter_map(|(base, other)| instead(tag, base, other))
        })
        .collect();
    tags.retain(|tag| !companions.contains(*tag));
    let mut layers: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for tag in &tags {
        if let Some((prefix, layer)) = parts(tag) {
            layers.entry(prefix).or_default().push(layer);
        }
    }
    layers.retain(|_, layers| layers.iter().any(|layer| layer.starts_with("encoder.")));
    let mut found = Figures::default();
    let mut told = BTreeSet::new();
    for tag in tags {
        match parts(tag).filter(|(prefix, _)| layers.contains_key(prefix)) {
            Some((prefix, layer)) if !WHOLE.contains(&layer) => {
                if told.insert(prefix) {
                    let of = layers.get(prefix).map_or(&[][..], Vec::as_slice);
                    found.by_layer.push(Family {
                        prefix: prefix.to_owned(),
                        controlled: is_controlled(tag),
                        layers: of
                            .iter()
                            .filter(|layer| **layer != "all")
                            .map(|layer| (*layer).to_owned())
                            .collect(),
                    });
                }
            }
            _ => found.single.push(Figure {
                tag: tag.to_owned(),
                controlled: is_controlled(tag),
            }),
        }
    }
    // Evaluations first, then what has a control.
    let place = |figure: &Figure| match figure.controlled {
        true if figure.tag.starts_with("eval/") => 0,
        true => 1,
        false => 2,
    };
    found.single.sort_by_key(place);
    found
}

/// A tag up to its last slash, and what stands behind it.
fn parts(tag: &str) -> Option<(&str, &str)> {
    let at = tag.rfind('/')? + 1;
    Some((tag.get(..at)?, tag.get(at..)?))
}

fn is_controlled(tag: &str) -> bool {
    let has_error = ERRORS.iter().any(|(base, _)| tag.starts_with(base));
    tag.starts_with("eval/")
        || tag == "loss/train"
        || has_error
        || BESIDE.iter().any(|(base, ..)| tag.starts_with(base))
        || tag.starts_with("unitmem/excess/")
}

#[cfg(test)]
mod tests {
    use super::super::one::tests::run;
    use super::*;

    #[test]
    fn a_figure_stands_beside_its_control_and_its_error() {
        let run = run(
            "a",
            "",
            &[
                ("eval/knn", &[0.1, 0.5]),
                ("unitmem/mean/train/all", &[0.2, 0.4]),
                ("unitmem/mean/held_out/all", &[0.2, 0.3]),
                ("unitmem/mean/initial/all", &[0.25]),
                ("layermem/calibrated/embedding", &[0.0, 0.2]),
                ("layermem/se/calibrated/embedding", &[0.01, 0.02]),
            ],
        );
        let of = |tag: &str| end(&run, tag);
        let knn = End {
            value: 0.5,
            epoch: 1,
            error: None,
            controls: vec![("before training", 0.1)],
        };
        assert_eq!(of("eval/knn"), Some(knn));
        let mut counted = run.clone();
        counted.held_out = Some(4);
        let error = end(&counted, "eval/knn").and_then(|end| end.error);
        assert!(error.is_some_and(|error| (error - 0.05_f64.sqrt()).abs() < 1e-15));
        // The untrained encoder's is of an earlier epoch alone.
        let controls = of("unitmem/mean/train/all").map(|end| end.controls);
        assert_eq!(controls, Some(vec![("held-out", 0.3)]));
        let error = of("layermem/calibrated/embedding").and_then(|end| end.error);
        assert_eq!(error, Some(0.02));
        assert_eq!(of("loss/train"), None);
    }

    #[test]
    fn layers_are_one_figure_and_controls_are_none() {
        let run = run(
            "a",
            "",
            &[
                ("lr", &[0.1]),
                ("eval/knn", &[0.1]),
                ("unitmem/mean/train/encoder.a", &[0.2]),
                ("unitmem/mean/train/encoder.b", &[0.2]),
                ("unitmem/mean/train/all", &[0.2]),
                ("unitmem/mean/held_out/encoder.a", &[0.2]),
                ("layermem/mean/candidates/encoder.a", &[0.2]),
                ("layermem/mean/candidates/embedding", &[0.2]),
                ("layermem/se/candidates/embedding", &[0.2]),
            ],
        );
        let found = figures(&[run]);
        let tags: Vec<&str> = found.single.iter().map(|one| one.tag.as_str()).collect();
        assert_eq!(
            tags,
            [
                "eval/knn",
                "unitmem/mean/train/all",
                "layermem/mean/candidates/embedding",
                "lr"
            ]
        );
        let families: Vec<(&str, usize)> = found
            .by_layer
            .iter()
            .map(|of| (of.prefix.as_str(), of.layers.len()))
            .collect();
        assert_eq!(
            families,
            [("unitmem/mean/train/", 2), ("layermem/mean/candidates/", 2)]
        );
    }
}
