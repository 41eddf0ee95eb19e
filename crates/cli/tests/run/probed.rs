//! `afterimage probe` and what it measured.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Ended, Place, afterimage, finish};

/// `probe` of `checkpoint` into the directory `out` of `place`.
pub fn probe(place: &Place, checkpoint: &Path, out: &str, arguments: &[&str]) -> Ended {
    finish(
        afterimage()
            .arg("probe")
            .arg(checkpoint)
            .arg("--out")
            .arg(place.path(out))
            .args(arguments),
    )
}

/// The scalars of a probe with `--json` whose tags start with `prefix`.
pub fn scalars(ended: &Ended, prefix: &str) -> BTreeMap<String, f64> {
    let last = ended.out.lines().last().expect("a line");
    let result: serde_json::Value = serde_json::from_str(last).expect("JSON");
    let metrics = result["metrics"].as_object().expect("metrics");
    metrics
        .iter()
        .filter(|(tag, _)| tag.starts_with(prefix))
        .map(|(tag, value)| (tag.clone(), value.as_f64().expect("a number")))
        .collect()
}
