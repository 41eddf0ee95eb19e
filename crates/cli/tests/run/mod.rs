//! Real runs of the command on a config of seconds, and what they leave behind.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod kill;
pub mod probed;
pub mod swept;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

pub const TINY: &str = include_str!("../configs/tiny.toml");
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

/// Steps of the checkpoints of a run, ascending.
pub fn checkpoints(run: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let mut steps: Vec<u64> = entries
        .filter_map(|entry| {
            entry
                .ok()?
                .file_name()
                .to_str()?
                .strip_prefix("step-")?
                .parse()
                .ok()
        })
        .collect();
    steps.sort_unstable();
    steps
}

/// Folder of the last checkpoint.
pub fn last_checkpoint(run: &Path) -> PathBuf {
    let step = *checkpoints(run).last().expect("a checkpoint");
    run.join(format!("checkpoints/step-{step:08}"))
}

/// Files by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// All files under `folder`; none if it is missing.
pub fn files_under(folder: &Path) -> Files {
    fn walk(folder: &Path, name: &str, files: &mut Files) {
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let entry = entry.expect("a folder entry");
            let name = format!("{name}{}", entry.file_name().to_str().expect("UTF-8"));
            if entry.path().is_dir() {
                walk(&entry.path(), &format!("{name}/"), files);
            } else {
                files.insert(name, fs::read(entry.path()).expect("a file"));
            }
        }
    }
    let mut files = Files::new();
    walk(folder, "", &mut files);
    files
}

/// What a run leaves behind that no clock is in: measurements, decisions and tables, with an absent
/// file as an empty one.
pub fn records(run: &Path) -> Files {
    let mut files = Files::new();
    for name in [
        "config.toml",
        "metrics.jsonl",
        "histograms.jsonl",
        "decisions.jsonl",
        "samples.parquet",
    ] {
        files.insert(
            name.to_owned(),
            fs::read(run.join(name)).unwrap_or_default(),
        );
    }
    for folder in ["tables", "images"] {
        for (name, bytes) in files_under(&run.join(folder)) {
            files.insert(format!("{folder}/{name}"), bytes);
        }
    }
    files
}

/// [`records`] and the last checkpoint, which is all that a killed and a straight run must share:
/// a signal's own checkpoint is one more among the earlier ones.
pub fn ends(run: &Path) -> Files {
    let mut files = records(run);
    let last = last_checkpoint(run);
    for (name, bytes) in files_under(&last) {
        files.insert(
            format!("{}/{name}", last.file_name().unwrap().to_str().unwrap()),
            bytes,
        );
    }
    files
}

/// Fails the test unless both runs left the same bytes, and says where they part.
pub fn assert_same(straight: &Files, other: &Files, what: &str) {
    let names: Vec<&String> = straight.keys().chain(other.keys()).collect();
    for name in names {
        let (Some(a), Some(b)) = (straight.get(name), other.get(name)) else {
            panic!("{what}: only one of the runs has {name}");
        };
        if a != b {
            let (a, b) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
            let lines = a
                .lines()
                .zip(b.lines())
                .enumerate()
                .find(|(_, (a, b))| a != b);
            let show = |text: &str| text.chars().take(300).collect::<String>();
            match lines {
                Some((at, (a, b))) if name.ends_with(".jsonl") || name.ends_with(".json") => {
                    panic!("{what}: {name}:{}:\n{}\n{}", at + 1, show(a), show(b))
                }
                _ => panic!("{what}: {name} differs ({} and {} bytes)", a.len(), b.len()),
            }
        }
    }
}

/// Kinds of plugins in the registry that only observe any encoder, as the command lists them, and
/// whether each can run alone.
pub fn observers() -> Vec<(String, bool)> {
    let listed = call(["plugins"]).expect(0, &[]);
    let kinds: Vec<&str> = listed
        .out
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(!kinds.is_empty(), "no plugins listed:\n{}", listed.out);
    kinds
        .into_iter()
        .filter_map(|kind| {
            let shown = call(["plugins", kind]).expect(0, &[]).out;
            let of = |key: &str| {
                let line = shown.lines().find_map(|line| line.strip_prefix(key));
                line.expect("the plugin's description has this line")
                    .trim()
                    .to_owned()
            };
            let observes = of("effects:") == "none" && of("needs:") == "none";
            // What reads a choice of samples goes with a plugin that acts on it.
            let observes = observes && !of("reads:").contains("coreset.");
            observes.then(|| (kind.to_owned(), of("reads:") == "none"))
        })
        .collect()
}

/// A `[[plugins]]` table for `kind`, with settings that suit [`TINY`].
pub fn plugin(kind: &str) -> String {
    let settings = match kind {
        // In the middle of the second epoch.
        "chaos" => "step = 15",
        "unitmem" | "classmem" => "points = 40\nviews = 2",
        "ownership" => "points = 30\nviews = 2\ndraws = 50",
        "layermem" => "points = 10\nviews = 3",
        "oob-value" => "watched = 50\npictures = 3",
        "alignment-gap" => "points = 20\nviews = 2",
        "watch" => "every = \"4 steps\"",
        _ => "",
    };
    format!("\n[[plugins]]\nkind = \"{kind}\"\n{settings}\n")
}

/// [`TINY`] with every observer of the registry, one of which fails midway.
pub fn with_every_observer() -> String {
    observers()
        .iter()
        .fold(TINY.to_owned(), |text, (kind, _)| text + &plugin(kind))
}

/// Fails the test if a refused command left anything at `out`.
pub fn assert_nothing(place: &Place, out: &str) {
    assert!(!place.path(out).exists(), "something was written");
    let partial = place.path(&format!(".{out}.partial"));
    assert!(!partial.exists(), "something was left beside");
}
