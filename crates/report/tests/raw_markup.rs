//! Markup that is taken as it is stands at the page's own style, script and doctype alone.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

/// The files of Rust below `folder`.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn nothing_goes_round_the_escaping() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for entry in fs::read_dir(&crates).unwrap() {
        let source = entry.unwrap().path().join("src");
        if source.is_dir() {
            sources(&source, &mut files);
        }
    }
    let is_raw = |path: &PathBuf| fs::read_to_string(path).unwrap().contains("PreEscaped");
    let raw: Vec<&PathBuf> = files.iter().filter(|path| is_raw(path)).collect();
    assert!(
        raw.len() == 1 && raw[0].ends_with("report/src/page.rs"),
        "PreEscaped is in {raw:?}"
    );
}
