//! The command of this crate: every part of it knows the plugin, which `src/loss_spread.rs` tests itself.

use std::fs;
use std::path::Path;
use std::process::Command;

const CONFIG: &str = "loss-spread.toml";

/// Calls the command, which must succeed; what it wrote to standard output.
fn done(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_foreign-plugin"))
        .args(arguments)
        .env_remove("AFTERIMAGE_LOG")
        .output()
        .expect("the command starts");
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Values of `loss/spread` by epoch, as the run has them on record.
fn spreads(run: &Path) -> Vec<String> {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics are there");
    metrics
        .lines()
        .filter(|line| line.contains("\"loss/spread\""))
        .map(str::to_owned)
        .collect()
}

#[test]
fn check_and_plugins_know_it() {
    assert!(done(&["check", CONFIG]).contains("loss-spread [loss-spread]"));
    assert!(done(&["plugins"]).contains("loss-spread"));
    assert!(done(&["plugins", "loss-spread"]).contains("every = \"10 steps\""));
}

#[test]
fn a_run_has_it_on_record_every_epoch() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    let out = run.display().to_string();
    done(&["run", CONFIG, "--out", &out]);
    let spreads = spreads(&run);
    assert_eq!(spreads.len(), 3, "{spreads:?}");
    assert!(done(&["report", &out]).contains("report.html"));
}

#[test]
fn trials_of_a_sweep_have_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let base = fs::canonicalize(CONFIG).expect("the config is there");
    let sweep = folder.path().join("sweep.toml");
    let file = format!(
        "name = \"spreads\"\nconfig = {:?}\nmetric = {{ name = \"loss/spread\" }}\n\n\
         [grid]\n\"plugins.loss-spread.every\" = [\"2 steps\", \"5 steps\"]\n",
        base.display().to_string()
    );
    fs::write(&sweep, file).expect("the file is written");
    let out = folder.path().join("out").display().to_string();
    let table = done(&["sweep", &sweep.display().to_string(), "--out", &out]);
    assert!(
        table.contains("2 steps") && table.contains("5 steps"),
        "{table}"
    );
}
