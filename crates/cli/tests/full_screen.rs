//! The full-screen renderer in a terminal.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use run::kill::wait;
use run::{EPOCH, Place, TINY, checkpoints, plugin};

/// Twelve epochs: long enough for other commands to come in between.
fn long() -> String {
    TINY.replace("epochs = 3", "epochs = 12") + &plugin("unitmem")
}

#[test]
fn the_full_screen_obeys_ctrl_c() {
    use std::io::Write;
    use std::process::{Command, Stdio};

    if Command::new("script").arg("--version").output().is_err() {
        // No terminal can be had here.
        return;
    }
    let place = Place::new();
    let config = place.write("long.toml", &long());
    let out = place.path("run");
    let program = env!("CARGO_BIN_EXE_afterimage");
    let (config, folder) = (config.display(), out.display());
    let words = format!("{program} run {config} --out {folder} --set renderer=tui");
    let mut terminal = Command::new("script")
        .args(["-qefc", &words, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait(&mut terminal, || !checkpoints(&out).is_empty()));
    let mut keys = terminal.stdin.take().unwrap();
    keys.write_all(b"\x03").unwrap();
    assert!(!wait(&mut terminal, || false), "it goes on");
    assert_eq!(terminal.wait().unwrap().code(), Some(130));
    let last = checkpoints(&out).last().copied().unwrap();
    assert!(last < 12 * EPOCH, "{last}");
    assert!(
        std::fs::read_to_string(out.join("manifest.json"))
            .unwrap()
            .contains("interrupted by signal 2")
    );
}
