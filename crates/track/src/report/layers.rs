//! The part of the page that shows what layers memorize.

use super::chart::{Axis, Series, line_chart};
use super::load::Run;
use super::page::{section, table};
use super::sections::{number, together};

/// What stands before the layer in the tags of a series, its name, and whether it is a control.
const SETS: [(&str, &str, bool); 5] = [
    ("layermem/mean/candidates/", "candidates", false),
    ("layermem/calibrated/", "calibrated", false),
    ("layermem/mean/independent/", "independent points", true),
    ("layermem/mean/shared/", "shared points", true),
    ("layermem/mean/external/", "held-out points", true),
];

/// LayerMem of the layers with its controls, and the alignment gap.
pub fn layers(run: &Run) -> String {
    let gap = together(run, "alignment gap", "alignment/gap/");
    let gap = section(
        "Alignment gap",
        "How much further apart the encoder maps the views of held-out points than those of training \
         points: (H − T) / (H + T). No reference encoder is needed.",
        &gap,
    );
    let layers: Vec<&str> = run.below(SETS[0].0).map(|(layer, _)| layer).collect();
    if layers.is_empty() {
        return gap;
    }
    let last = |prefix: &str, layer: &str| run.beside(SETS[0].0, &format!("{prefix}{layer}"));
    let profile: Vec<Series> = SETS
        .iter()
        .filter(|set| run.below(set.0).next().is_some())
        .map(|&(prefix, label, dashed)| Series {
            label: label.to_owned(),
            points: layers
                .iter()
                .enumerate()
                .map(|(at, layer)| (at as f64, last(prefix, layer)))
                .collect(),
            dashed,
        })
        .collect();
    let names = layers.iter().map(|&layer| layer.to_owned()).collect();
    let charts = line_chart(
        "LayerMem by layer, last probe",
        &Axis::Names(names),
        &profile,
    ) + &together(run, "LayerMem of candidates", "layermem/mean/candidates/")
        + &together(run, "calibrated LayerMem", "layermem/calibrated/");
    let overview = section(
        "LayerMem",
        "How much closer the encoder maps views of points that it alone saw than its reference does. \
         Dashed lines are controls: shared and held-out points belong near 0, independent points near \
         the negative of the candidates. The calibrated score is half of the difference between \
         candidates and independent points, in which a lead of either encoder cancels.",
        &charts,
    );
    let header = [
        "#",
        "layer",
        "LayerMem",
        "± se",
        "Δ",
        "calibrated",
        "± se",
        "independent",
        "shared",
        "held out",
    ];
    let prefixes = [
        "layermem/mean/candidates/",
        "layermem/se/candidates/",
        "layermem/delta/",
        "layermem/calibrated/",
        "layermem/se/calibrated/",
        "layermem/mean/independent/",
        "layermem/mean/shared/",
        "layermem/mean/external/",
    ];
    let rows: Vec<Vec<String>> = layers
        .iter()
        .enumerate()
        .map(|(at, layer)| {
            let figures = prefixes.iter().map(|prefix| number(last(prefix, layer)));
            [(at + 1).to_string(), (*layer).to_owned()]
                .into_iter()
                .chain(figures)
                .collect()
        })
        .collect();
    overview + &section("LayerMem at the last probe", "", &table(&header, &rows)) + &gap
}
