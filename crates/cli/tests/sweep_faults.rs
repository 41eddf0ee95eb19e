//! `afterimage sweep` in folders and with files that others have touched.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::swept::{self, sweep};
use run::{Place, TINY, call};

const HEAD: &str = "name = \"t\"\nconfig = \"tiny.toml\"\nmetric = { name = \"eval/knn\" }\n";
const SHORT: &str = "set = { epochs = 1, \"limits.train\" = 64, \"schedule.warmup_epochs\" = 0 }\n";
const GRID: &str = "[grid]\n\"objective.temperature\" = [0.1, 0.5]\n";

/// A finished sweep of two trials.
fn finished() -> (Place, PathBuf) {
    let (place, file) = swept::place(TINY, &format!("{HEAD}{SHORT}{GRID}"));
    sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    (place, file)
}

fn json(place: &Place) -> serde_json::Value {
    serde_json::from_slice(&fs::read(place.path("a sweep/sweep.json")).unwrap()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to.join(entry.file_name())),
            false => {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

#[test]
fn a_folder_in_the_place_of_another_trial_s_counts_for_nothing() {
    let (place, file) = finished();
    let before = json(&place);
    assert!(before.get("notes").is_none(), "{before}");
    let trials = place.path("a sweep/trials");
    fs::remove_dir_all(trials.join("temperature=0.5")).unwrap();
    copy(
        &trials.join("temperature=0.1"),
        &trials.join("temperature=0.5"),
    );
    let words = [
        "trials/temperature=0.5 does not hold the run that the ledger tells of",
        "it is the run temperature=0.1",
    ];
    sweep(&place, &file, &["--report"]).expect(0, &words);
    let after = json(&place);
    assert_eq!(after["configurations"], before["configurations"]);
    let metrics = &after["trials"][1]["metrics"];
    assert_eq!(metrics.as_object().unwrap().len(), 1, "{metrics}");
    assert_eq!(
        metrics["eval/knn"],
        before["trials"][1]["metrics"]["eval/knn"]
    );
    for page in ["report.html", "study.md"] {
        let page = fs::read_to_string(place.path("a sweep").join(page)).unwrap();
        assert!(page.contains(words[0]), "{page}");
    }
}

#[test]
fn images_that_changed_while_a_sweep_was_under_way_are_told() {
    let (place, file) = finished();
    let manifest = place.path("a sweep/trials/temperature=0.5/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let mut read: serde_json::Value = serde_json::from_str(&text).unwrap();
    read["data_sha256"] = "0f".into();
    fs::write(&manifest, read.to_string()).unwrap();
    let words = [
        "The images changed while the sweep was under way",
        "temperature=0.5 saw others than temperature=0.1",
    ];
    sweep(&place, &file, &["--report"]).expect(0, &words);
    assert_eq!(json(&place)["notes"].as_array().unwrap().len(), 1);
}

#[test]
fn a_ledger_of_another_version_is_told_as_that() {
    let (place, file) = finished();
    let ledger = place.path("a sweep/ledger.jsonl");
    let text = fs::read_to_string(&ledger).unwrap();
    let newer = text.replacen("\"version\":1", "\"version\":2", 1);
    assert_ne!(newer, text);
    fs::write(&ledger, format!("{newer}{{\"event\":\"unheard of\"}}\n")).unwrap();
    let words = ["this ledger has version 2"];
    let folder = place.path("a sweep");
    call(["sweep".as_ref(), "status".as_ref(), folder.as_os_str()]).expect(1, &words);
    sweep(&place, &file, &["--report"]).expect(1, &words);
    sweep(&place, &file, &[]).expect(1, &words);
}

#[test]
fn a_sweep_s_folder_is_no_run_and_says_where_the_runs_are() {
    let (place, _) = finished();
    let folder = place.path("a sweep");
    let words = [
        "this is no run directory: it holds a sweep",
        "a sweep/trials",
    ];
    call(["report".as_ref(), folder.as_os_str()]).expect(1, &words);
}

#[test]
fn what_cannot_be_varied_is_told_before_anything_runs() {
    let many: String = (0..300)
        .map(|key| format!("\"plugins.x{key}.y\" = {{ low = 0, high = 1 }}\n"))
        .collect();
    let sobol = format!("[search]\nkind = \"sobol\"\nsamples = 2\n[search.space]\n{many}");
    let space = |range: &str| {
        format!("[search]\nkind = \"random\"\nsamples = 2\n[search.space]\nepochs = {range}\n")
    };
    for (rest, wanted) in [
        (
            sobol,
            "search.space: 300 keys; \"sobol\" has 256 dimensions at most",
        ),
        (
            space("{ low = 1, high = 1e300, integer = true }"),
            "sweep.toml:8: search.space.epochs: whole numbers are drawn from",
        ),
        (
            space("{ low = -1.7e308, high = 1.7e308 }"),
            "is farther than numbers go",
        ),
        (
            format!("set = {{ \"plugins.unitmem.points\" = 9 }}\n{GRID}"),
            "the config has no plugin whose key could be set",
        ),
        (
            "arms = [{ name = \"a\" }, { name = \"b\" }]\n".to_owned(),
            "sweep.toml:4: arms[1]: two trials have the same config",
        ),
        (
            format!("slurm = {{ options = [\"--array 1-3\"] }}\n{GRID}"),
            "sweep.toml:4: slurm.options[0]: \"--array 1-3\" is no option",
        ),
        (
            format!("memory = \"100 TB\"\n{GRID}"),
            "sweep.toml:4: memory: a trial may hold 100000.0 GB, and this machine has",
        ),
        (
            format!("slurm = {{ options = [\"-a1-3\"] }}\n{GRID}"),
            "slurm.options[0]: -a is set by the sweep",
        ),
    ] {
        let (place, file) = swept::place(TINY, &format!("{HEAD}{rest}"));
        sweep(&place, &file, &["--dry-run"]).expect(2, &[wanted]);
        assert!(!place.path("a sweep").exists());
    }
}
