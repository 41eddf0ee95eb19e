//! The few lines that a user reads at the end of a run.

use std::collections::BTreeMap;

use afterimage_hooks::Site;
use afterimage_memory::EMBEDDING;
use afterimage_track::TextTable;

/// Evaluation figures, and memorization per layer with its controls, as plain text.
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
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    let unitmem = by_layer(
        scalars,
        "Mean UnitMem by layer: 0 = all points alike, 1 = one point only",
        &[
            ("train", "unitmem/mean/train"),
            ("held-out", "unitmem/mean/held_out"),
            ("at init", "unitmem/mean/initial"),
            ("train − held-out", "unitmem/excess/held_out"),
            ("train − at init", "unitmem/excess/initial"),
        ],
        &names,
        "all",
    );
    let layermem = by_layer(
        scalars,
        "LayerMem by layer: above 0, the encoder aligns the views of the points better than its \
         reference",
        &[
            ("candidates", "layermem/mean/candidates"),
            ("± se", "layermem/se/candidates"),
            ("Δ", "layermem/delta"),
            ("independent", "layermem/mean/independent"),
            ("shared", "layermem/mean/shared"),
            ("held-out", "layermem/mean/external"),
            ("calibrated", "layermem/calibrated"),
            ("area", "layermem/area/external"),
            ("area of null", "layermem/area/null"),
        ],
        &names,
        EMBEDDING,
    );
    let gap = by_layer(
        scalars,
        "Alignment gap by layer: above 0, views of training points lie closer than those of \
         held-out points",
        &[
            ("gap", "alignment/gap"),
            ("± se", "alignment/se"),
            ("gap − at init", "alignment/excess"),
            ("area", "alignment/area"),
            ("area of null", "alignment/area_null"),
        ],
        &names,
        EMBEDDING,
    );
    for table in [unitmem, layermem, gap] {
        if !table.is_empty() {
            text.push_str(&format!("{table}\n"));
        }
    }
    text
}

/// A row a layer that has the first of `columns`, pairs of a heading and a tag without its layer;
/// `last` comes behind the sites `names`. A column without any number is left out.
fn by_layer(
    scalars: &BTreeMap<String, f64>,
    title: &str,
    columns: &[(&str, &str)],
    names: &[&str],
    last: &str,
) -> TextTable {
    let value = |tag: &str, layer: &str| scalars.get(&format!("{tag}/{layer}")).copied();
    let layers: Vec<&str> = names
        .iter()
        .copied()
        .chain([last])
        .filter(|layer| {
            columns
                .first()
                .is_some_and(|(_, tag)| value(tag, layer).is_some())
        })
        .collect();
    let columns: Vec<&(&str, &str)> = columns
        .iter()
        .filter(|(_, tag)| layers.iter().any(|layer| value(tag, layer).is_some()))
        .collect();
    let header: Vec<&str> = ["layer"]
        .into_iter()
        .chain(columns.iter().map(|(heading, _)| *heading))
        .collect();
    let mut table = TextTable::new(title, &header);
    for layer in layers {
        let numbers = columns
            .iter()
            .map(|(_, tag)| TextTable::number(value(tag, layer).unwrap_or(f64::NAN), 3));
        table.row([layer.to_owned()].into_iter().chain(numbers));
    }
    table
}
