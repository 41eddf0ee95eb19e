//! The few lines that a user reads at the end of a run.

use std::collections::BTreeMap;

use afterimage_hooks::Site;
use afterimage_track::TextTable;

/// Evaluation figures, and UnitMem per layer with its nulls, as plain text.
pub(crate) fn summary(
    scalars: &BTreeMap<String, f64>,
    untrained_knn: Option<f64>,
    sites: &[Site],
) -> String {
    let mut text = String::new();
    let mut accuracy = TextTable::new("Held-out accuracy", &["probe", "trained", "untrained"]);
    if let Some(knn) = scalars.get("eval/knn") {
        let before = untrained_knn.unwrap_or(f64::NAN);
        accuracy.row([
            "kNN".to_owned(),
            TextTable::number(*knn, 3),
            TextTable::number(before, 3),
        ]);
    }
    if let Some(probe) = scalars.get("eval/linear_probe") {
        accuracy.row([
            "linear probe".to_owned(),
            TextTable::number(*probe, 3),
            String::new(),
        ]);
    }
    if !accuracy.is_empty() {
        text.push_str(&format!("{accuracy}\n"));
    }
    let mut layers = TextTable::new(
        "Mean UnitMem by layer: 0 = all points alike, 1 = one point only",
        &[
            "layer",
            "train",
            "held-out",
            "at init",
            "train − held-out",
            "train − at init",
        ],
    );
    let names = sites.iter().map(|site| site.name.as_str()).chain(["all"]);
    for site in names {
        let Some(train) = scalars.get(&format!("unitmem/mean/train/{site}")) else {
            continue;
        };
        let of = |kind: &str| {
            let value = scalars.get(&format!("unitmem/{kind}/{site}")).copied();
            TextTable::number(value.unwrap_or(f64::NAN), 3)
        };
        layers.row([
            site.to_owned(),
            TextTable::number(*train, 3),
            of("mean/held_out"),
            of("mean/initial"),
            of("excess/held_out"),
            of("excess/initial"),
        ]);
    }
    if !layers.is_empty() {
        text.push_str(&format!("{layers}\n"));
    }
    text.push_str(&layermem(scalars, sites));
    text
}

/// LayerMem per layer with its controls; nothing without a reference encoder.
fn layermem(scalars: &BTreeMap<String, f64>, sites: &[Site]) -> String {
    let mut layers = TextTable::new(
        "LayerMem by layer: 0 = as a reference that never saw the points, 1 = views in one place",
        &[
            "layer",
            "candidates",
            "± se",
            "shared",
            "held-out",
            "calibrated",
            "± se",
        ],
    );
    let names = sites.iter().map(|site| site.name.as_str());
    for layer in names.chain([afterimage_memory::EMBEDDING]) {
        let of = |what: &str| scalars.get(&format!("layermem/{what}/{layer}")).copied();
        let Some(candidates) = of("mean/candidates") else {
            continue;
        };
        let figure = |what: &str| TextTable::number(of(what).unwrap_or(f64::NAN), 3);
        layers.row([
            layer.to_owned(),
            TextTable::number(candidates, 3),
            figure("se/candidates"),
            figure("mean/shared"),
            figure("mean/external"),
            figure("calibrated"),
            figure("se/calibrated"),
        ]);
    }
    if layers.is_empty() {
        String::new()
    } else {
        format!("{layers}\n")
    }
}
