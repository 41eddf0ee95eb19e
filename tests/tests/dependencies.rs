//! What the program is made of with its default features: licences that can be passed on, and no new
//! second copy of a crate. The features for GPUs and the Python package, which bring more, are not looked at.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than a notice, and MPL-2.0, which asks for the source of its own files.
const ALLOWED: [&str; 16] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "WTFPL",
    "Zlib",
];

/// Crates that say their licence in a file alone: MIT or Apache-2.0, read by a person.
const IN_A_FILE: [&str; 1] = ["cfg_block"];

/// Whether one of the alternatives of `expression` holds allowed licences only.
fn may_be_passed_on(expression: &str) -> bool {
    // "AND" binds closer than "OR"; the parentheses in use are around alternatives.
    if let Some((left, right)) = expression.split_once(") AND ") {
        return may_be_passed_on(left.trim_start_matches('(')) && may_be_passed_on(right);
    }
    let one_way = expression.replace(" / ", " OR ").replace('/', " OR ");
    one_way
        .split(" OR ")
        .any(|choice| choice.split(" AND ").all(|l| ALLOWED.contains(&l.trim())))
}

/// The packages that are built for this machine, as `cargo metadata` tells them.
fn packages() -> Vec<Value> {
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let about = String::from_utf8(rustc.stdout).unwrap();
    let host = about
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let all: Value = serde_json::from_slice(&output.stdout).unwrap();
    let built: BTreeSet<&str> = all["resolve"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|node| node["id"].as_str())
        .collect();
    all["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| built.contains(package["id"].as_str().unwrap()))
        .cloned()
        .collect()
}

#[test]
fn every_licence_can_be_passed_on() {
    assert!(may_be_passed_on("(MIT OR Apache-2.0) AND Unicode-3.0"));
    assert!(may_be_passed_on("GPL-3.0 OR MIT") && may_be_passed_on("Unlicense/MIT"));
    assert!(!may_be_passed_on("GPL-3.0") && !may_be_passed_on("MIT AND GPL-3.0"));
    let refused: Vec<String> = packages()
        .iter()
        .filter_map(|package| {
            let name = package["name"].as_str()?;
            match package["license"].as_str() {
                Some(licence) => (!may_be_passed_on(licence)).then(|| format!("{name}: {licence}")),
                None => (!IN_A_FILE.contains(&name)).then(|| format!("{name}: none told")),
            }
        })
        .collect();
    assert_eq!(
        refused, [""; 0],
        "these licences are on no list in dependencies.rs"
    );
}

#[test]
fn no_crate_is_built_twice_without_being_listed() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let text = |key: &str| package[key].as_str().unwrap().to_owned();
        versions
            .entry(text("name"))
            .or_default()
            .insert(text("version"));
    }
    let twice: BTreeSet<&str> = versions
        .iter()
        .filter(|(_, versions)| versions.len() > 1)
        .map(|(name, _)| name.as_str())
        .collect();
    let listed: BTreeSet<&str> = include_str!("twice.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let new: Vec<&&str> = twice.difference(&listed).collect();
    assert!(
        new.is_empty(),
        "{new:?} would be there in two versions: `cargo tree -i NAME@VERSION` says for whom; where it \
         cannot be helped, add the name to tests/tests/twice.txt"
    );
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return;
    }
    let gone: Vec<&&str> = listed.difference(&twice).collect();
    assert!(
        gone.is_empty(),
        "{gone:?} are there once; take them out of tests/tests/twice.txt"
    );
}

/// The versions of each package in a `Cargo.lock`.
fn locked(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        let value = |key: &str| line.strip_prefix(key)?.strip_suffix('"').map(str::to_owned);
        if let Some(told) = value("name = \"") {
            name = told;
        } else if let Some(version) = value("version = \"") {
            versions.entry(name.clone()).or_default().insert(version);
        }
    }
    versions
}

#[test]
fn workspaces_of_their_own_have_the_same_versions() {
    let ours = locked(include_str!("../../Cargo.lock"));
    for (path, text) in [
        (
            "crates/python",
            include_str!("../../crates/python/Cargo.lock"),
        ),
        (
            "examples/foreign_plugin",
            include_str!("../../examples/foreign_plugin/Cargo.lock"),
        ),
        ("tests/groups", include_str!("../groups/Cargo.lock")),
    ] {
        let theirs = locked(text);
        assert!(theirs.len() > 500, "{path}: {} packages", theirs.len());
        for (name, versions) in &theirs {
            let Some(known) = ours.get(name) else {
                continue;
            };
            assert!(
                versions.is_subset(known),
                "{path}/Cargo.lock has {name} {versions:?}, the workspace {known:?}: copy ../Cargo.lock over \
                 it, or `cargo update -p {name} --precise` there"
            );
        }
    }
}
