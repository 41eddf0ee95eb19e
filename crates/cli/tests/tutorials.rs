//! The tutorials, block after block in an empty folder, as a reader types them; runs are small.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Settings that make a minute of training seconds.
const SMALL: [&str; 7] = [
    "epochs=4",
    "limits.train=120",
    "limits.held_out=80",
    "encoder.width=0.25",
    "evaluation.bank=80",
    "evaluation.k=5",
    "checkpoints.every=2",
];

/// The commands of a page: its blocks of `sh`, in order.
fn commands(page: &Path) -> String {
    let text = fs::read_to_string(page).unwrap();
    let mut script = String::new();
    let mut inside = false;
    for line in text.lines() {
        match (line, inside) {
            ("```sh", _) => inside = true,
            ("```", true) => inside = false,
            (_, true) => {
                script.push_str(line);
                script.push('\n');
            }
            _ => {}
        }
    }
    script
}

/// Runs all blocks of the tutorial `name` in one shell.
fn run(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = root.join("docs/tutorials").join(name).with_extension("md");
    let script = commands(&page);
    assert!(
        script.lines().count() > 5,
        "{}: no commands",
        page.display()
    );
    let place = tempfile::tempdir().unwrap();
    let [tools, empty] = ["tools", "empty"].map(|name| place.path().join(name));
    for folder in [&tools, &empty] {
        fs::create_dir(folder).unwrap();
    }
    let binary = env!("CARGO_BIN_EXE_afterimage");
    let sets: String = SMALL.iter().map(|set| format!(" --set {set}")).collect();
    let shim = format!("[ \"$1\" = run ] && set -- \"$@\"{sets}\nexec '{binary}' \"$@\"\n");
    fs::write(tools.join("afterimage"), format!("#!/bin/sh\n{shim}")).unwrap();
    let script = format!(
        "set -euo pipefail\nafterimage() {{ sh '{}' \"$@\"; }}\n{script}",
        tools.join("afterimage").display()
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(&empty)
        .env_remove("AFTERIMAGE_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_run_is_measured() {
    run("train");
}

#[test]
fn a_table_is_cleaned() {
    run("clean");
}

#[test]
fn an_encoder_is_pruned() {
    run("prune");
}
