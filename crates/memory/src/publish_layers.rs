//! What a LayerMem probe puts on record.

use afterimage_hooks::{Column, Measurement, SampleId, Scope, Table};
use afterimage_numeric::Area;

use crate::agreement::{kendall_tau, top_overlap};
use crate::layer_scores::{LayerScore, LayerScores};
use crate::layermem_probe::LayerMemConfig;

/// One in so many candidates is among the most remembered ones that layers are compared by.
const TOP: usize = 10;

/// Puts scalars, histograms and tables on record; `ids` gives the points of a set by its name.
pub(crate) fn publish<'p>(
    scope: &mut Scope<'_>,
    scores: &LayerScores,
    config: &LayerMemConfig,
    ids: impl Fn(&str) -> &'p [SampleId],
) {
    for layer in &scores.layers {
        figures(scope, layer);
    }
    for (name, table) in [
        ("layers", layers(scores, config)),
        ("points", points(scores, ids)),
        ("agreement", agreement(scores)),
    ] {
        scope.record(format!("layermem/{name}"), Measurement::Table(table));
    }
}

fn figures(scope: &mut Scope<'_>, score: &LayerScore) {
    let name = &score.layer;
    let mut scalar = |what: &str, value: f64| {
        // Nothing to average over is no point of a curve.
        if value.is_finite() {
            scope.scalar(format!("layermem/{what}/{name}"), value);
        }
    };
    for (set, mem) in score.sets() {
        scalar(&format!("mean/{set}"), mem.mean);
        scalar(&format!("se/{set}"), mem.standard_error);
    }
    scalar("delta", score.delta.unwrap_or(f64::NAN));
    scalar("calibrated", score.calibrated().mean);
    scalar("se/calibrated", score.calibrated().standard_error);
    scalar("distance/studied", score.candidates.studied);
    scalar("distance/reference", score.candidates.reference);
    scalar("undefined", score.candidates.undefined as f64);
    for (set, area) in [
        ("external", score.area()),
        ("independent", Some(score.area_of_pair())),
        ("null", score.area_null()),
    ] {
        let Some(area) = area else { continue };
        scalar(&format!("area/{set}"), area.area);
        scalar(&format!("area_se/{set}"), area.standard_error);
    }
    let values = score.candidates.scores.clone();
    if !values.is_empty() {
        scope.histogram(format!("layermem/points/{name}"), values);
    }
}

/// A row a layer.
fn layers(scores: &LayerScores, config: &LayerMemConfig) -> Table {
    let layers = &scores.layers;
    let number = |of: &dyn Fn(&LayerScore) -> f64| Column::F64(layers.iter().map(of).collect());
    let external =
        |of: fn(&crate::LayerMem) -> f64| number(&|l| l.external.as_ref().map_or(f64::NAN, of));
    let area = |of: &dyn Fn(&LayerScore) -> Option<Area>, what: fn(&Area) -> f64| {
        number(&|l| of(l).as_ref().map_or(f64::NAN, what))
    };
    let same = |text: String| Column::Text(vec![text; layers.len()]);
    let columns = [
        (
            "layer",
            Column::Text(layers.iter().map(|l| l.layer.clone()).collect()),
        ),
        ("layermem", number(&|l| l.candidates.mean)),
        ("se", number(&|l| l.candidates.standard_error)),
        ("delta", number(&|l| l.delta.unwrap_or(f64::NAN))),
        ("calibrated", number(&|l| l.calibrated().mean)),
        ("calibrated_se", number(&|l| l.calibrated().standard_error)),
        ("independent", number(&|l| l.independent.mean)),
        ("independent_se", number(&|l| l.independent.standard_error)),
        ("shared", number(&|l| l.shared.mean)),
        ("shared_se", number(&|l| l.shared.standard_error)),
        ("external", external(|mem| mem.mean)),
        ("external_se", external(|mem| mem.standard_error)),
        ("area", area(&|l| l.area(), |a| a.area)),
        ("area_se", area(&|l| l.area(), |a| a.standard_error)),
        ("area_null", area(&|l| l.area_null(), |a| a.area)),
        (
            "area_null_se",
            area(&|l| l.area_null(), |a| a.standard_error),
        ),
        (
            "area_independent",
            area(&|l| Some(l.area_of_pair()), |a| a.area),
        ),
        (
            "area_independent_se",
            area(&|l| Some(l.area_of_pair()), |a| a.standard_error),
        ),
        ("studied_distance", number(&|l| l.candidates.studied)),
        ("reference_distance", number(&|l| l.candidates.reference)),
        (
            "points",
            Column::I64(
                layers
                    .iter()
                    .map(|l| l.candidates.scores.len() as i64)
                    .collect(),
            ),
        ),
        (
            "views",
            Column::I64(vec![config.views as i64; layers.len()]),
        ),
        ("distance", same(config.distance.to_string())),
        ("form", same(config.form.to_string())),
    ];
    Table::of(columns)
}

/// A row a layer and point.
fn points<'p>(scores: &LayerScores, ids: impl Fn(&str) -> &'p [SampleId]) -> Table {
    let (mut layer, mut set, mut point, mut score) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for of_layer in &scores.layers {
        for (name, mem) in of_layer.sets() {
            for (id, value) in ids(name).iter().zip(&mem.scores) {
                layer.push(of_layer.layer.clone());
                set.push(name.to_owned());
                point.push(i64::from(id.0));
                score.push(*value);
            }
        }
    }
    Table::of([
        ("layer", Column::Text(layer)),
        ("set", Column::Text(set)),
        ("point", Column::I64(point)),
        ("score", Column::F64(score)),
    ])
}

/// A row a pair of layers: whether they remember the same candidates.
fn agreement(scores: &LayerScores) -> Table {
    let (mut first, mut second, mut tau, mut overlap) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, a) in scores.layers.iter().enumerate() {
        for b in &scores.layers[at + 1..] {
            let (left, right) = (&a.candidates.scores, &b.candidates.scores);
            first.push(a.layer.clone());
            second.push(b.layer.clone());
            tau.push(kendall_tau(left, right));
            overlap.push(top_overlap(left, right, left.len().div_ceil(TOP)));
        }
    }
    Table::of([
        ("layer", Column::Text(first)),
        ("other", Column::Text(second)),
        ("kendall_tau", Column::F64(tau)),
        ("overlap_top_decile", Column::F64(overlap)),
    ])
}
