//! Real runs of the command on a config of seconds, and what they leave behind.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod kill;
pub mod probed;
pub mod swept;
pub mod threads;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use afterimage::Registry;
use afterimage_testkit::Broken;
use tempfile::TempDir;

pub use afterimage_testkit::{Files, TINY, checkpoints};
/// Steps of an epoch of [`TINY`]: 320 samples in batches of 32.
pub const EPOCH: u64 = 10;
/// [`TINY`] with a reference encoder, on 300 of its samples: nine steps an epoch.
pub fn tiny_pair() -> String {
    format!("{TINY}\n[pair]\ncandidates = 20\n")
}
/// [`TINY`] with labels, a bank of heads on the encoder's outputs, and training dynamics with values
/// by held-out images.
pub fn tiny_valued() -> String {
    supervised()
        + "\n[[plugins]]\nkind = \"oob-value\"\ncells = \"encoder\"\naverage = 0.5\nshare = \"cells\"\n\
           \n[[plugins]]\nkind = \"dynamics\"\nvalidation = 20\nvalidation_every = 3\n"
}
/// Settings of `oob-value` on a table about the images of [`TINY`].
pub fn of_columns() -> String {
    let table = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/configs/about.csv");
    format!(
        "cells = \"columns\"\ntable = {table:?}\nkey = \"image\"\nwatched = 50\nshare = \"cells\"\n"
    )
}
/// [`TINY`] with labels.
pub fn supervised() -> String {
    TINY.replace("kind = \"simclr\"", "kind = \"supervised\"")
        .replace("[projection]\nhidden = 32\noutput = 16\n", "")
}
/// Steps of [`TINY`].
pub const STEPS: u64 = 3 * EPOCH;

/// The command, deaf to the tester's own settings.
pub fn afterimage() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_afterimage"));
    command
        .env_remove("AFTERIMAGE_LOG")
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null());
    command
}

/// A command that ended.
#[derive(Debug)]
pub struct Ended {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    /// Fails the test unless the command ended with `code` and each of `words` on standard error.
    pub fn expect(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for word in words {
            assert!(
                self.err.contains(word),
                "no {word:?} in the message:\n{}",
                self.err
            );
        }
        self
    }
}

/// Runs the command to its end.
pub fn call<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Ended {
    finish(afterimage().args(arguments))
}

/// Runs a prepared command to its end.
pub fn finish(command: &mut Command) -> Ended {
    let output = command.output().expect("the command starts");
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A folder for one test.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a config file.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("the config is written");
        path
    }

    /// Runs config `text` in the run directory `name` to the end that `code` says.
    pub fn run(&self, name: &str, text: &str, code: i32) -> PathBuf {
        let config = self.write(&format!("{name}.toml"), text);
        let out = self.path(name);
        finish(afterimage().arg("run").arg(config).arg("--out").arg(&out)).expect(code, &[]);
        out
    }
}

/// Goes on with a run.
pub fn resume(run: &Path) -> Ended {
    finish(afterimage().arg("resume").arg(run))
}

/// What the testkit found, or the failure of the test.
#[track_caller]
pub fn of<T>(found: Result<T, Broken>) -> T {
    found.unwrap_or_else(|broken| panic!("{broken}"))
}

/// Folder of the last checkpoint.
pub fn last_checkpoint(run: &Path) -> PathBuf {
    of(afterimage_testkit::last_checkpoint(run))
}

/// All files under `folder`; none if it is missing.
pub fn files_under(folder: &Path) -> Files {
    of(afterimage_testkit::files_under(folder))
}

/// What a run leaves behind that no clock is in.
pub fn records(run: &Path) -> Files {
    of(afterimage_testkit::records(run))
}

/// What training made, apart from the plugins' own state.
pub fn learned(run: &Path) -> Files {
    of(afterimage_testkit::learned(run))
}

/// [`records`] and the last checkpoint.
pub fn ends(run: &Path) -> Files {
    of(afterimage_testkit::ends(run))
}

/// Fails the test unless both runs left the same bytes, and says where they part.
#[track_caller]
pub fn assert_same(straight: &Files, other: &Files, what: &str) {
    if let Some(difference) = afterimage_testkit::difference(straight, other) {
        panic!("{what}: {difference}");
    }
}

/// Kinds of plugins in the registry that only observe any encoder.
pub fn observers() -> Vec<&'static str> {
    let registry = Registry::standard();
    let observes = registry.kinds().filter(|kind| {
        let manifest = kind.manifest();
        // What reads a choice of samples goes with a plugin that acts on it.
        let chosen = manifest
            .reads
            .iter()
            .any(|name| name.starts_with("coreset."));
        !(manifest.intervenes() || manifest.exact || manifest.reference || chosen)
    });
    observes.map(|kind| kind.name()).collect()
}

/// Settings of `kind` that suit [`TINY`].
pub fn settings(kind: &str) -> &'static str {
    match kind {
        // In the middle of the second epoch.
        "chaos" => "step = 15",
        "unitmem" | "classmem" => "points = 40\nviews = 2",
        "ownership" => "points = 30\nviews = 2\ndraws = 50",
        "layermem" => "points = 10\nviews = 3",
        "oob-value" => "watched = 50\npictures = 3",
        "alignment-gap" => "points = 20\nviews = 2",
        "watch" => "every = \"4 steps\"",
        _ => "",
    }
}

/// A `[[plugins]]` table for `kind`, with settings that suit [`TINY`].
pub fn plugin(kind: &str) -> String {
    format!("\n[[plugins]]\nkind = \"{kind}\"\n{}\n", settings(kind))
}

/// [`TINY`] with every observer of the registry, one of which fails midway.
pub fn with_every_observer() -> String {
    observers()
        .iter()
        .fold(TINY.to_owned(), |text, kind| text + &plugin(kind))
}

/// Fails the test if a refused command left anything at `out`.
pub fn assert_nothing(place: &Place, out: &str) {
    assert!(!place.path(out).exists(), "something was written");
    let partial = place.path(&format!(".{out}.partial"));
    assert!(!partial.exists(), "something was left beside");
}
