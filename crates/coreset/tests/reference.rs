//! Selections against those of `scripts/coreset_reference.py`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use afterimage_coreset::{
    Budget, Coreset, Evidence, LastLayer, Matrix, Partition, Points, Selection, Settings, Storage,
    Strategy, residuals,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Reference {
    points: Vec<f32>,
    columns: usize,
    labels: Vec<u32>,
    logits: Vec<f32>,
    classes: Vec<u32>,
    facility_location: Vec<usize>,
    sizes: Vec<f64>,
    cost: f64,
    objective: f64,
    by_label: Vec<usize>,
    centrality: Vec<usize>,
    k_centre: Vec<usize>,
    herding: Vec<usize>,
    graph_cut: Vec<usize>,
    residuals: Vec<f32>,
    el2n: Vec<usize>,
    grand: Vec<usize>,
    last_layer: Vec<usize>,
    last_layer_distance: f64,
}

fn reference() -> (Reference, Points<'static>) {
    let reference: Reference =
        serde_json::from_str(include_str!("../testdata/reference.json")).unwrap();
    let rows = reference.labels.len();
    let points = Matrix::new("points", rows, reference.columns, reference.points.clone()).unwrap();
    (reference, Points::Rows(points))
}

fn choose(points: &Points, settings: Settings<'_>) -> Coreset {
    Selection::plan(Evidence::of(points), settings)
        .unwrap()
        .run()
        .unwrap()
}

fn nine(strategy: Strategy) -> Settings<'static> {
    Settings {
        strategy,
        ..Settings::new(Budget::Count(9))
    }
}

fn gradients(reference: &Reference, points: &Points<'static>) -> LastLayer {
    let logits = Matrix::new("logits", 48, 4, reference.logits.clone()).unwrap();
    let Points::Rows(features) = points.clone() else {
        panic!("rows");
    };
    LastLayer::new(residuals(&logits, &reference.classes).unwrap(), features).unwrap()
}

#[test]
fn facility_location_with_its_sizes_cost_and_objective() {
    let (reference, points) = reference();
    for storage in [Storage::Dense, Storage::Half, Storage::MatrixFree] {
        let settings = Settings {
            storage: Some(storage),
            ..nine(Strategy::FacilityLocation)
        };
        let coreset = choose(&points, settings);
        assert_eq!(coreset.indices, reference.facility_location, "{storage}");
        assert_eq!(coreset.weights, reference.sizes, "{storage}");
        assert!(
            (coreset.cost - reference.cost).abs() < 1e-9,
            "{}",
            coreset.cost
        );
        // d₀ comes from distances in steps.
        let near = (coreset.objective - reference.objective).abs() / reference.objective;
        assert!(
            near < if storage == Storage::Half { 1e-4 } else { 1e-6 },
            "{storage}: {near}"
        );
    }
}

#[test]
fn each_class_is_chosen_from_apart() {
    let (reference, points) = reference();
    let partition = Partition::Classes(&reference.labels);
    let settings = Settings {
        partition,
        strategy: Strategy::Craig,
        ..Settings::new(Budget::Count(9))
    };
    let mut sizes = [0usize; 3];
    reference
        .labels
        .iter()
        .for_each(|label| sizes[*label as usize] += 1);
    let shares = afterimage_coreset::shares(&sizes, 9);
    let coreset = choose(&points, settings);
    // The reference takes three of each; greedy choices begin alike for any number.
    let mut start = 0;
    for (group, share) in shares.iter().enumerate() {
        let both = (*share).min(3);
        assert_eq!(
            coreset.indices[start..start + both],
            reference.by_label[3 * group..3 * group + both]
        );
        start += share;
    }
    assert_eq!(coreset.weights.iter().sum::<f64>(), 48.0);
}

#[test]
fn the_other_strategies_choose_what_the_reference_does() {
    let (reference, points) = reference();
    for (strategy, expected) in [
        (Strategy::Centrality, &reference.centrality),
        (Strategy::KCentre, &reference.k_centre),
        (Strategy::Herding, &reference.herding),
        (Strategy::GraphCut, &reference.graph_cut),
    ] {
        let coreset = choose(&points, nine(strategy));
        assert_eq!(coreset.indices, *expected, "{}", strategy.name());
    }
}

#[test]
fn gradients_of_the_last_layer() {
    let (reference, points) = reference();
    let layer = gradients(&reference, &points);
    for (value, expected) in layer.residuals().values().iter().zip(&reference.residuals) {
        assert!((value - expected).abs() < 1e-6);
    }
    let gradients = Points::LastLayer(layer);
    let distance = gradients.distance(3, 17);
    assert!(
        (distance - reference.last_layer_distance).abs() < 1e-5,
        "{distance}"
    );
    for (strategy, expected) in [
        (Strategy::El2n, &reference.el2n),
        (Strategy::Grand, &reference.grand),
        (Strategy::FacilityLocation, &reference.last_layer),
    ] {
        let coreset = choose(&gradients, nine(strategy));
        assert_eq!(coreset.indices, *expected, "{}", strategy.name());
    }
}
