//! The command of this crate: every part of it knows the plugin.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const CONFIG: &str = "loss-spread.toml";

fn call(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_foreign-plugin"))
        .args(arguments)
        .env_remove("AFTERIMAGE_LOG")
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Calls the command, which must succeed; what it wrote to standard output.
fn done(arguments: &[&str]) -> String {
    let output = call(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    text(&output.stdout)
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
fn its_mistakes_are_told_at_their_line() {
    let output = call(&["check", CONFIG, "--set", "plugins.loss-spread.evry=1"]);
    assert_eq!(output.status.code(), Some(2));
    let message = text(&output.stderr);
    assert!(
        message.contains("evry") && message.contains("every"),
        "{message}"
    );
}

#[test]
fn a_run_that_stops_and_goes_on_ends_as_a_straight_one() {
    let folder = tempfile::tempdir().expect("a folder");
    let (straight, stopped) = (folder.path().join("a"), folder.path().join("b"));
    done(&["run", CONFIG, "--out", &straight.display().to_string()]);
    let expected = spreads(&straight);
    assert_eq!(expected.len(), 3, "{expected:?}");

    let mut child = Command::new(env!("CARGO_BIN_EXE_foreign-plugin"))
        .args(["run", CONFIG, "--out", &stopped.display().to_string()])
        .spawn()
        .expect("the command starts");
    let first = stopped.join("checkpoints/step-00000010");
    while !first.exists() && child.try_wait().expect("its state").is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    done(&[
        "run",
        CONFIG,
        "--resume",
        "--out",
        &stopped.display().to_string(),
    ]);
    assert_eq!(spreads(&stopped), expected);
    let [first, second] = [&straight, &stopped].map(|run| fs::read(run.join("metrics.jsonl")));
    assert_eq!(first.expect("metrics"), second.expect("metrics"));
    assert!(done(&["report", &stopped.display().to_string()]).contains("report.html"));
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
