//! The part of the page that shows what layers memorize.

use afterimage_report::{Axis, Chart, Section, Series, Table, aligned};

use super::depth::{Of, maps};
use super::load::{Run, Scalar};
use super::sections::together;

/// What stands before the layer in the tags of a series, its name, and whether it is a control.
const SETS: [Line; 5] = [
    (
        "layermem/mean/candidates/",
        "layermem/se/candidates/",
        "candidates",
        false,
    ),
    (
        "layermem/calibrated/",
        "layermem/se/calibrated/",
        "calibrated",
        false,
    ),
    (
        "layermem/mean/independent/",
        "layermem/se/independent/",
        "independent points",
        true,
    ),
    (
        "layermem/mean/shared/",
        "layermem/se/shared/",
        "shared points",
        true,
    ),
    (
        "layermem/mean/external/",
        "layermem/se/external/",
        "held-out points",
        true,
    ),
];
/// The same for areas under the curve.
const AREAS: [Line; 3] = [
    (
        "layermem/area/external/",
        "layermem/area_se/external/",
        "candidates against held-out points",
        false,
    ),
    (
        "layermem/area/independent/",
        "layermem/area_se/independent/",
        "candidates against independent points",
        false,
    ),
    (
        "layermem/area/null/",
        "layermem/area_se/null/",
        "null: held-out against held-out",
        true,
    ),
];

/// The tag of a line up to the layer, that of its error, its name, and whether it is a control.
type Line = (&'static str, &'static str, &'static str, bool);

/// The last values of `lines` along the layers, with bars of one standard error; nothing without any.
fn profile(run: &Run, title: &str, layers: &[&str], lines: &[Line]) -> Option<Chart> {
    let last = |prefix: &str, layer: &str| run.last_of(SETS[0].0, prefix, layer);
    let measured = lines
        .iter()
        .filter(|line| run.below(line.0).next().is_some());
    let series: Vec<Series> = measured
        .map(|&(prefix, error, label, dashed)| {
            let along = layers.iter().enumerate();
            let points = along.map(|(at, layer)| (at as f64, last(prefix, layer)));
            let errors = layers.iter().map(|layer| last(error, layer));
            Series::new(label, points.collect())
                .errors(errors.collect())
                .dashed(dashed)
        })
        .collect();
    let names = layers.iter().map(|&layer| layer.to_owned()).collect();
    (!series.is_empty()).then(|| Chart::lines(title, Axis::Layers(names), series))
}

/// The alignment gap by layer beside that before training, and over time.
fn alignment_gap(run: &Run) -> Section {
    const GAP: &str = "alignment/gap/";
    let layers: Vec<_> = run.below(GAP).collect();
    let section = Section::new("Alignment gap");
    if layers.is_empty() {
        return section;
    }
    let along = |of: &dyn Fn(&Scalar) -> f64| -> Vec<(f64, f64)> {
        let places = layers.iter().enumerate();
        places
            .map(|(at, (_, scalar))| (at as f64, of(scalar)))
            .collect()
    };
    let at = run.at(GAP);
    let before = match run.is_fine_tuned() {
        true => "at the start",
        false => "untrained encoder",
    };
    let mut lines = vec![Series::new("this encoder", along(&Scalar::last))];
    let again = |scalar: &Scalar| scalar.points.len() > 1 && scalar.first().is_some();
    if layers.iter().any(|(_, scalar)| again(scalar)) {
        let first = along(&|scalar| scalar.first().unwrap_or(f64::NAN));
        lines.push(Series::new(before, first).dashed(true));
    }
    let names = layers
        .iter()
        .map(|(layer, _)| (*layer).to_owned())
        .collect();
    let title = format!("alignment gap by layer{at}");
    let by_layer = Chart::lines(title, Axis::Layers(names), lines);
    let over_time = match run.is_training() {
        true => together(run, "alignment gap", GAP),
        false => None,
    };
    let mut note = "How much further apart the encoder maps the views of held-out points than those of training \
         points: (H − T) / (H + T). No reference encoder is needed."
        .to_owned();
    if !run.is_fine_tuned() {
        note +=
            " What is there before training comes from the two sets of points and is no memory.";
    }
    section
        .note(note)
        .figures([by_layer].into_iter().chain(over_time))
}

/// LayerMem of the layers with its controls, and the alignment gap.
pub fn layers(run: &Run) -> Vec<Section> {
    let gap = alignment_gap(run);
    let layers: Vec<&str> = run.below(SETS[0].0).map(|(layer, _)| layer).collect();
    if layers.is_empty() {
        return vec![gap];
    }
    let at = run.at(SETS[0].0);
    let title = format!("LayerMem at the last probe{at}");
    let table = Section::new(title).content(layer_table(run, &layers));
    vec![overview(run, &layers, &at), over_epochs(run), table, gap]
}

/// LayerMem and its area along the layers and over time.
fn overview(run: &Run, layers: &[&str], at: &str) -> Section {
    let area = format!("area under the curve by layer{at}");
    let mut charts = vec![
        profile(run, &format!("LayerMem by layer{at}"), layers, &SETS),
        profile(run, &area, layers, &AREAS),
    ];
    if run.is_training() {
        charts.extend([
            together(run, "LayerMem of candidates", "layermem/mean/candidates/"),
            together(run, "calibrated LayerMem", "layermem/calibrated/"),
            together(
                run,
                "area against held-out points",
                "layermem/area/external/",
            ),
        ]);
    }
    let note = "How much closer the encoder maps views of an image than its reference encoder does, which never saw the \
         candidates. Candidates: images that this encoder alone was trained on; independent points: those \
         that its reference alone was trained on; shared: both; held-out: neither. Dashed lines are \
         controls: shared and held-out points belong near 0, independent points near the negative of the \
         candidates. The calibrated score is half of the difference between candidates and independent \
         points, in which a lead of either encoder cancels. The area is the chance that a candidate has a \
         higher score than a held-out image: 0.5 says nothing. Bars are one standard error over images.";
    Section::new("LayerMem: what layers remember of single images")
        .note(note)
        .figures(charts.into_iter().flatten())
}

/// LayerMem of the layers over epochs beside its controls.
fn over_epochs(run: &Run) -> Section {
    let section = Section::new("LayerMem: layers over epochs").note(
        "The first layer is on top. All maps have one scale; what lies within two standard errors of 0 is drawn \
         as not told apart from it. Independent, shared and held-out points are the controls.",
    );
    if !run.is_training() {
        return section;
    }
    let sets = SETS.map(|(tag, error, name, _)| Of {
        tag,
        error: Some(error),
        title: format!("LayerMem over epochs: {name}"),
    });
    section.content(maps(run, &sets, true))
}

/// The figures of each layer.
fn layer_table(run: &Run, layers: &[&str]) -> Table {
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
        "± se",
        "held out",
        "± se",
        "area",
        "± se",
        "area of null",
    ];
    let prefixes = [
        "layermem/mean/candidates/",
        "layermem/se/candidates/",
        "layermem/delta/",
        "layermem/calibrated/",
        "layermem/se/calibrated/",
        "layermem/mean/independent/",
        "layermem/mean/shared/",
        "layermem/se/shared/",
        "layermem/mean/external/",
        "layermem/se/external/",
        "layermem/area/external/",
        "layermem/area_se/external/",
        "layermem/area/null/",
    ];
    let rows: Vec<Vec<String>> = layers
        .iter()
        .enumerate()
        .map(|(at, layer)| {
            let last = |prefix: &&str| aligned(run.last_of(SETS[0].0, prefix, layer));
            let figures = prefixes.iter().map(last);
            [(at + 1).to_string(), (*layer).to_owned()]
                .into_iter()
                .chain(figures)
                .collect()
        })
        .collect();
    Table::new(&header).sorts("layermem").rows(rows)
}
