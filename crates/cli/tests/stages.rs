//! `afterimage sweep` with stages and comparisons, on runs of a second.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use run::swept::{self, sweep};
use run::{Place, TINY, afterimage, finish};

const SWEEP: &str = r#"name = "t"
config = "tiny.toml"
seeds = [1, 2, 3]
metric = { name = "eval/knn" }

[[stages]]
name = "train"
set = { epochs = 2 }

[[stages]]
name = "tune"
needs = ["train"]
metric = { name = "loss/train", direction = "minimize" }
set = { epochs = 4, "fine_tune.from" = "{train}@epoch=1", "fine_tune.layers" = "last:1" }
grid = { "objective.temperature" = [0.1, 0.5] }

[[compare]]
name = "a low temperature"
where = { stage = "tune" }
control = { "objective.temperature" = 0.5 }
expects = "below"
threshold = -100.0
"#;

/// A folder with the tests' experiment and a sweep file.
fn place(sweep: &str) -> (Place, PathBuf) {
    swept::place(TINY, sweep)
}

/// How often each trial came to its end, by the ledger.
fn ends(place: &Place) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(place.path("a sweep/ledger.jsonl")).unwrap_or_default();
    let mut counts = BTreeMap::new();
    for line in text.lines() {
        let Ok(entry) = serde_json::from_str::<serde_json::Value>(line) else {
            continue;
        };
        let is_end = ["done", "failed", "stopped"]
            .iter()
            .any(|end| entry["end"] == **end);
        if is_end && entry["event"] == "end" {
            *counts
                .entry(entry["trial"].as_str().unwrap().to_owned())
                .or_default() += 1;
        }
    }
    counts
}

fn kill(pid: &str) {
    let _ = std::process::Command::new("kill")
        .args(["-9", pid])
        .stderr(Stdio::null())
        .status();
}

#[test]
fn a_sweep_killed_with_a_child_at_work_ends_with_the_bytes_of_straight_runs() {
    let (place, file) = place(SWEEP);
    let mut child = swept::at_work(&place, &file);
    let victim = place.path("a sweep/trials/tune,temperature=0.1,seed=1");
    let patience = Instant::now() + Duration::from_secs(300);
    while run::checkpoints(&victim).is_empty() {
        let lives = child.try_wait().unwrap().is_none();
        assert!(
            Instant::now() < patience && lives,
            "no checkpoint of a child"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    status_and_report(&place, &file);
    child.kill().unwrap();
    child.wait().unwrap();
    let ledger = fs::read_to_string(place.path("a sweep/ledger.jsonl")).unwrap();
    for line in ledger
        .lines()
        .filter(|line| line.contains("\"event\":\"running\"") && line.contains("tune,"))
    {
        let entry: serde_json::Value = serde_json::from_str(line).unwrap();
        kill(&entry["handle"]["local"]["pid"].to_string());
    }
    let ended = sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    assert!(ended.out.contains("9 trials: 9 done"), "{}", ended.out);
    let counts = ends(&place);
    assert_eq!(counts.len(), 9);
    assert!(counts.values().all(|&count| count == 1), "{counts:?}");
    assert_eq!(
        sweep(&place, &file, &[]).expect(0, &[]).err,
        "",
        "a third call runs nothing"
    );
    let straight = place.path("straight");
    let config = place.path("a sweep/configs/tune,temperature=0.1,seed=1.toml");
    let text = fs::read_to_string(&config).unwrap();
    assert!(
        text.contains("train,seed=1/checkpoints/step-00000010"),
        "{text}"
    );
    finish(
        afterimage()
            .arg("run")
            .arg(config)
            .arg("--out")
            .arg(&straight),
    )
    .expect(0, &[]);
    run::assert_same(&run::ends(&straight), &run::ends(&victim), "a killed child");
    let ended = sweep(&place, &file, &["--dry-run"]).expect(0, &[]);
    assert!(ended.out.contains("begun before: nothing is left to run"));
    answers(&place, &file);
}

/// What can be had from another shell while the sweep is at work; the folder's ledger stays as it is.
fn status_and_report(place: &Place, file: &Path) {
    let mut command = afterimage();
    command.args(["sweep", "status"]).arg(place.path("a sweep"));
    let ended = finish(&mut command).expect(0, &[]);
    for part in [
        "t: trials",
        "train",
        "tune",
        "under way",
        "of 4",
        "is at work on it",
    ] {
        assert!(ended.out.contains(part), "no {part:?} in\n{}", ended.out);
    }
    sweep(place, file, &["--report"]).expect(0, &[]);
    let study = fs::read_to_string(place.path("a sweep/study.md")).unwrap();
    assert!(study.contains("## Stage tune"), "{study}");
}

#[test]
fn a_status_is_of_a_sweep() {
    let place = Place::new();
    let mut command = afterimage();
    command.args(["sweep", "status"]).arg(place.path("a sweep"));
    finish(&mut command).expect(1, &["holds no sweep"]);
    assert!(!place.path("a sweep").exists());
    finish(afterimage().arg("sweep")).expect(2, &["<FILE>"]);
}

/// The tables of the comparison.
fn answers(place: &Place, file: &Path) {
    let study = fs::read_to_string(place.path("a sweep/study.md")).unwrap();
    for part in [
        "### a low temperature",
        "loss/train; expected below -100",
        "| tune,temperature=0.1 | tune,temperature=0.5 |",
        "not met",
        "## Stage train",
        "## Stage tune",
    ] {
        assert!(study.contains(part), "no {part:?} in\n{study}");
    }
    let csv = fs::read_to_string(place.path("a sweep/comparisons.csv")).unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let page = fs::read_to_string(place.path("a sweep/report.html")).unwrap();
    assert!(page.contains("Comparisons") && page.contains("tune: best first"));
    // Questions may be changed, and the tables say so.
    fs::write(file, SWEEP.replace("threshold = -100.0", "threshold = 0.0")).unwrap();
    sweep(place, file, &["--report"]).expect(0, &[]);
    let study = fs::read_to_string(place.path("a sweep/study.md")).unwrap();
    assert!(
        study.contains("is not one that the sweep was begun with"),
        "{study}"
    );
    let json = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(place.path("a sweep/sweep.json")).unwrap()).unwrap()
    };
    assert_eq!(json()["comparisons"][0]["asked_later"], true);
    // One more question is marked, and the first one is as it was.
    let second = "\n[[compare]]\nname = \"later\"\nmetric = \"eval/accuracy\"\nwhere = { stage = \"tune\" }\n\
                  control = { \"objective.temperature\" = 0.5 }\n";
    fs::write(file, format!("{SWEEP}{second}")).unwrap();
    let ended = sweep(place, file, &["--report"]).expect(0, &[]);
    let marks = |index: usize| json()["comparisons"][index]["asked_later"].clone();
    assert_eq!((marks(0), marks(1)), (false.into(), true.into()));
    let study = fs::read_to_string(place.path("a sweep/study.md")).unwrap();
    let page = fs::read_to_string(place.path("a sweep/report.html")).unwrap();
    for text in [&study, &page, &ended.out] {
        for (note, count) in [
            ("No trial of these that is done reports eval/accuracy.", 1),
            ("is not one that the sweep was begun with", 1),
        ] {
            assert_eq!(text.matches(note).count(), count, "{note} in\n{text}");
        }
    }
    // Without questions there is no table of answers.
    let none = SWEEP.split_once("[[compare]]").unwrap().0;
    fs::write(file, none).unwrap();
    sweep(place, file, &["--report"]).expect(0, &[]);
    assert!(!place.path("a sweep/comparisons.csv").exists());
    // A sweep of another name is another sweep, whatever its trials are.
    let before = fs::read(place.path("a sweep/ledger.jsonl")).unwrap();
    fs::write(file, SWEEP.replace("name = \"t\"", "name = \"u\"")).unwrap();
    for more in [&[][..], &["--report"], &["--retry-failed"]] {
        sweep(place, file, more).expect(
            1,
            &["it holds the sweep \"t\", and this one is named \"u\""],
        );
    }
    assert_eq!(
        fs::read(place.path("a sweep/ledger.jsonl")).unwrap(),
        before
    );
    assert!(
        place
            .path("a sweep/trials/train,seed=1/result.json")
            .exists()
    );
}

#[test]
fn a_dry_run_tells_stages_and_their_trials() {
    let (place, file) = place(SWEEP);
    let ended = sweep(&place, &file, &["--dry-run", "--set", "seeds=[4, 5]"]).expect(0, &[]);
    for part in [
        "6 trials in ",
        "stage train: 2 trials\n",
        "stage tune: 4 trials, each behind its run of train\n",
        "  tune,temperature=0.5,seed=5\n",
    ] {
        assert!(ended.out.contains(part), "no {part:?} in\n{}", ended.out);
    }
    assert!(!place.path("a sweep").exists());
}

#[test]
fn what_can_be_known_beforehand_is_told_at_its_line() {
    let line = 1 + SWEEP
        .lines()
        .position(|line| line.starts_with("set = { epochs = 4"))
        .unwrap();
    let metric = 1 + SWEEP
        .lines()
        .position(|line| line.starts_with("metric = { name = \"eval"))
        .unwrap();
    for (from, to, wanted) in [
        (
            "@epoch=1",
            "@epoch=3",
            format!(
                "sweep.toml:{line}: stages[1].set.\"fine_tune.from\": runs of \"train\" have epochs 1 to 2"
            ),
        ),
        (
            "set = { epochs = 2 }",
            "set = { epochs = 6 }",
            "set it to 6 at least".to_owned(),
        ),
        (
            "set = { epochs = 2 }",
            "set = { epochs = 2, \"encoder.width\" = 0.25 }",
            "runs of \"train\" have another network: encoder.width is 0.25 there and 0.125 here"
                .to_owned(),
        ),
        (
            "set = { epochs = 2 }",
            "set = { epochs = 2, \"evaluation.every\" = 0 }",
            format!(
                "sweep.toml:{metric}: metric.name: runs with evaluation.every = 0 report no \"eval/knn\""
            ),
        ),
        (
            "metric = { name = \"loss/train\"",
            "metric = { name = \"prune/macs\"",
            "stages[1].metric.name: runs without the plugin \"prune\" report no \"prune/macs\" (stage \"tune\")"
                .to_owned(),
        ),
        (
            "expects = \"below\"\n",
            "expects = \"below\"\nmetric = \"unitmem/mean/train/all\"\n",
            format!(
                "sweep.toml:{}: compare[0].metric: runs without the plugin \"unitmem\" report no \
                 \"unitmem/mean/train/all\" (stage \"tune\")",
                SWEEP.lines().position(|line| line.starts_with("expects")).unwrap() + 2
            ),
        ),
        (
            "expects = \"below\"\n",
            "expects = \"below\"\nmetric = \"evall/knn\"\n",
            "nothing in these runs reports \"evall/knn\"".to_owned(),
        ),
        (
            "control = {",
            "control = { arm = \"x\" } # {",
            "compare[0].control.arm: no configuration of this sweep sets \"arm\"".to_owned(),
        ),
        (
            "= 0.5 }\nexpects",
            "= 0.6 }\nexpects",
            "no configuration has objective.temperature = 0.6; there are 0.1, 0.5".to_owned(),
        ),
        (
            "expects = \"below\"\n",
            "",
            "a threshold belongs to what is expected".to_owned(),
        ),
    ] {
        let (place, file) = place(&SWEEP.replace(from, to));
        sweep(&place, &file, &[]).expect(2, &[&wanted]);
        assert!(!place.path("a sweep").exists());
    }
}
