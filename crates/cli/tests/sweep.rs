//! `afterimage sweep` on runs of a second.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use run::swept::{self, sweep};
use run::{Place, TINY, afterimage, call, finish};

const SWEEP: &str = "name = \"t\"\nconfig = \"tiny.toml\"\nmetric = { name = \"eval/knn\", against = [\"loss/train\"] }\n\
                     set = { epochs = 2 }\n[grid]\n\"objective.temperature\" = [0.1, 0.5]\n";

/// A folder with the tests' experiment and a sweep file.
fn place(sweep: &str) -> (Place, PathBuf) {
    swept::place(TINY, sweep)
}

#[test]
fn a_sweep_ends_with_a_table_and_all_its_files() {
    let (place, file) = place(SWEEP);
    let ended = sweep(&place, &file, &["--json", "--jobs", "2"])
        .expect(0, &["done         temperature=0.1"]);
    // Behind the last one nothing is left.
    let ends: Vec<&str> = ended
        .err
        .lines()
        .filter(|line| line.starts_with("done "))
        .collect();
    assert!(
        ends[0].contains("(1 of 2 in this call; about ")
            && ends[0].ends_with(" left, an estimate)"),
        "{ends:?}"
    );
    assert!(ends[1].ends_with("(2 of 2 in this call)"), "{ends:?}");
    assert!(
        ended.out.contains("t: eval/knn, best first"),
        "{}",
        ended.out
    );
    let last = ended.out.lines().last().unwrap();
    let json: serde_json::Value = serde_json::from_str(last).unwrap();
    for trial in json["trials"].as_array().unwrap() {
        assert_eq!(trial["state"], "done");
        assert_eq!(trial["value"], trial["metrics"]["eval/knn"]);
        let run = place
            .path("a sweep/trials")
            .join(trial["trial"].as_str().unwrap());
        let result: serde_json::Value =
            serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap();
        assert_eq!(result["metrics"], trial["metrics"]);
    }
    for name in [
        "results.csv",
        "results.parquet",
        "sweep.json",
        "optuna.journal",
        "tensorboard",
    ] {
        assert!(place.path("a sweep").join(name).exists(), "{name}");
    }
    let page = fs::read_to_string(place.path("a sweep/report.html")).unwrap();
    for part in [
        "Best first",
        "eval/knn against loss/train",
        "temperature=0.1",
        "By epoch",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("NaN"));
    // A second call runs nothing.
    let again = sweep(&place, &file, &[]).expect(0, &[]);
    assert_eq!(again.err, "");
    // A trial is an ordinary run.
    let run = place.path("a sweep/trials/temperature=0.1");
    call([std::ffi::OsStr::new("report"), run.as_os_str()]).expect(0, &[]);
}

#[test]
fn mistakes_in_any_trial_cost_nothing() {
    let (place, file) = place(&SWEEP.replace("temperature", "temprature"));
    sweep(&place, &file, &[]).expect(
        2,
        &[
            "sweep.toml:6: grid.\"objective.temprature\"[0]: unknown key",
            "did you mean `temperature`?",
        ],
    );
    let (other, file) = {
        let place = Place::new();
        place.write("tiny.toml", TINY);
        let plugin = "set = { plugins = [{ kind = \"layermem\" }], epochs = 2 }";
        let file = place.write("sweep.toml", &SWEEP.replace("set = { epochs = 2 }", plugin));
        (place, file)
    };
    // What only the order of plugins shows is found, too.
    sweep(&other, &file, &[]).expect(2, &["layermem", "[pair]"]);
    for folder in [place.path("a sweep"), other.path("a sweep")] {
        assert!(!folder.exists());
    }
}

#[test]
fn failed_trials_are_shown_and_end_with_5() {
    let broken = "[[arms]]\nname = \"broken\"\nalone = true\nset = { plugins = [{ kind = \"chaos\", step = 5, panic = false, intervenes = true }] }\n";
    let (place, file) = place(&format!(
        "retries = 0\n{SWEEP}[[arms]]\nname = \"a\"\n{broken}"
    ));
    let ended = sweep(&place, &file, &[]).expect(
        5,
        &["failed       broken: exit code 1", "chaos, as configured"],
    );
    assert!(
        ended.out.contains("3 trials: 2 done, 1 failed"),
        "{}",
        ended.out
    );
    let page = fs::read_to_string(place.path("a sweep/report.html")).unwrap();
    assert!(page.contains("Failed trials") && page.contains("chaos, as configured"));
}

#[test]
fn a_trial_that_holds_more_than_it_may_is_ended_and_named_with_the_key() {
    let one = SWEEP.replace("[0.1, 0.5]", "[0.1]");
    let (place, file) = place(&format!(
        "memory = \"1 MB\"\n{}",
        one.replace("epochs = 2", "epochs = 60")
    ));
    let words = "failed       temperature=0.1: memory = \"1 MB\": it held ";
    let ended = sweep(&place, &file, &["--jobs", "1"]).expect(5, &[words]);
    assert!(
        ended.out.contains("1 trials: 0 done, 1 failed"),
        "{}",
        ended.out
    );
    // Nothing goes on from there by itself.
    let again = sweep(&place, &file, &[]).expect(5, &[]);
    assert!(!again.err.contains("started"), "{}", again.err);
}

#[test]
fn a_dry_run_lists_the_trials_and_writes_nothing() {
    let (place, file) = place(&format!("seeds = [1, 2]\n{SWEEP}"));
    let ended = sweep(&place, &file, &["--dry-run"]).expect(0, &[]);
    assert!(ended.out.contains("4 trials in ") && ended.out.contains("  temperature=0.5,seed=2\n"));
    assert!(!place.path("a sweep").exists());
}

#[test]
fn a_signal_ends_it_after_checkpoints_and_it_goes_on_to_the_same_bytes() {
    let (place, file) = place(&SWEEP.replace("epochs = 2", "epochs = 12"));
    let mut child = swept::at_work(&place, &file);
    let trials =
        ["temperature=0.1", "temperature=0.5"].map(|name| place.path("a sweep/trials").join(name));
    let patience = Instant::now() + Duration::from_secs(120);
    while !trials.iter().all(|run| !run::checkpoints(run).is_empty()) {
        assert!(
            Instant::now() < patience && child.try_wait().unwrap().is_none(),
            "no checkpoints"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
    let term = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(term.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(143));
    sweep(&place, &file, &[]).expect(0, &[]);
    for run in trials {
        let name = run.file_name().unwrap();
        let mut config = place.path("a sweep/configs").join(name).into_os_string();
        config.push(".toml");
        let straight = place.path("straight").join(name);
        finish(
            afterimage()
                .arg("run")
                .arg(config)
                .arg("--out")
                .arg(&straight),
        )
        .expect(0, &[]);
        run::assert_same(&run::ends(&straight), &run::ends(&run), "interrupted sweep");
    }
}

#[test]
fn a_run_with_resume_is_the_same_call_at_any_time() {
    let place = Place::new();
    let config = place.write("tiny.toml", TINY);
    let out = place.path("run");
    let start = |more: &[&str]| {
        finish(
            afterimage()
                .arg("run")
                .arg(&config)
                .arg("--out")
                .arg(&out)
                .args(["--resume", "--json"])
                .args(more),
        )
    };
    let first = start(&[]).expect(0, &[]);
    let result = first.out.lines().last().unwrap().to_owned();
    assert_eq!(
        fs::read_to_string(out.join("result.json")).unwrap().trim(),
        result
    );
    let second = start(&[]).expect(0, &["this run is complete"]);
    assert_eq!(second.out.trim(), result);
    // Killed between its last checkpoint and its result.
    fs::remove_file(out.join("result.json")).unwrap();
    let third = start(&[]).expect(0, &[]);
    let metrics =
        |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["metrics"].clone();
    let (known, made) = (metrics(&result), metrics(third.out.trim()));
    assert_eq!(known["eval/knn"], made["eval/knn"]);
    start(&["--set", "seed=8"]).expect(1, &["the run in this directory has another config"]);
}

#[test]
fn without_slurm_it_is_said_so() {
    let (place, file) = place(SWEEP);
    let mut command = afterimage();
    command.env("PATH", "/nonexistent");
    command
        .arg("sweep")
        .arg(&file)
        .arg("--out")
        .arg(place.path("a sweep"));
    finish(command.args(["--executor", "slurm"]))
        .expect(1, &["cannot start sbatch", "--executor local"]);
}

#[test]
fn a_report_is_of_the_same_sweep_and_makes_nothing() {
    let (place, file) = place(SWEEP);
    sweep(&place, &file, &["--report"]).expect(1, &["a sweep", "holds no sweep"]);
    assert!(!place.path("a sweep").exists());
    sweep(&place, &file, &["--report", "--retry-failed"]).expect(2, &["cannot be used with"]);
    sweep(&place, &file, &["--dry-run", "--retry-failed"]).expect(2, &["cannot be used with"]);
    sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    sweep(&place, &file, &["--report"]).expect(0, &[]);
    let other = SWEEP.replace("0.5]", "0.5, 0.7]");
    fs::write(&file, other).unwrap();
    sweep(&place, &file, &["--report"]).expect(1, &["temperature=0.7 is new"]);
}

#[test]
fn what_trials_are_judged_by_is_in_the_ledger_when_their_results_are_gone() {
    let metric = "metric = { name = \"eval/knn\", against = [\"loss/train\"] }";
    let aims =
        "aims = [{ name = \"eval/knn\" }, { name = \"loss/train\", direction = \"minimize\" }]";
    let (place, file) = place(&SWEEP.replace(metric, aims));
    sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    let table = || {
        let ended = sweep(&place, &file, &["--report", "--json"]).expect(0, &[]);
        let json = ended.out.lines().last().unwrap().to_owned();
        let shown = ended
            .out
            .strip_suffix(&format!("{json}\n"))
            .unwrap()
            .to_owned();
        (
            shown,
            serde_json::from_str::<serde_json::Value>(&json).unwrap(),
        )
    };
    let csv = || fs::read_to_string(place.path("a sweep/results.csv")).unwrap();
    let (shown, json) = table();
    let before = csv();
    for trial in ["temperature=0.1", "temperature=0.5"] {
        fs::remove_file(place.path("a sweep/trials").join(trial).join("result.json")).unwrap();
    }
    let (after, without) = table();
    assert_eq!(after, shown);
    assert_eq!(csv(), before);
    assert_eq!(without["configurations"], json["configurations"]);
    for (trial, before) in [0, 1].map(|at| (&without["trials"][at], &json["trials"][at])) {
        for aim in ["eval/knn", "loss/train"] {
            assert!(before["metrics"][aim].is_number(), "{before}");
            assert_eq!(trial["metrics"][aim], before["metrics"][aim]);
        }
    }
}

#[test]
fn a_ledger_without_entries_is_told() {
    let (place, file) = place(&SWEEP.replace("[0.1, 0.5]", "[0.1]"));
    sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    let folder = place.path("a sweep");
    let ledger = fs::read_to_string(folder.join("ledger.jsonl")).unwrap();
    fs::write(folder.join("ledger.jsonl"), "").unwrap();
    let status = |code, words: &[&str]| {
        let words: Vec<&str> = words.to_vec();
        call([
            std::ffi::OsStr::new("sweep"),
            "status".as_ref(),
            folder.as_os_str(),
        ])
        .expect(code, &words)
    };
    status(
        1,
        &["its ledger.jsonl is empty", "put a copy of the file back"],
    );
    sweep(&place, &file, &["--report"]).expect(1, &["its ledger.jsonl is empty"]);
    // Entries without the first one are not nothing.
    let (_, rest) = ledger.split_once('\n').unwrap();
    fs::write(folder.join("ledger.jsonl"), rest).unwrap();
    let first = [
        "ledger.jsonl:1: ",
        "the first line, which says what sweep this is, is gone",
    ];
    status(1, &first);
    for more in [&["--report"][..], &["--jobs", "2"]] {
        sweep(&place, &file, more).expect(1, &first);
    }
    fs::write(folder.join("ledger.jsonl"), "").unwrap();
    let ended = sweep(&place, &file, &["--jobs", "2"]);
    assert!(
        ended.err.contains("though there are 1 runs in trials/"),
        "{ended:?}"
    );
}

#[test]
fn a_schedule_that_does_not_fit_into_the_epochs_is_refused_before_anything_runs() {
    let late = "[[plugins]]\nkind = \"unitmem\"\nevery = \"1 epochs\"\n[[plugins]]\nkind = \"prune\"\n\
                schedule = { kind = \"one_shot\", epoch = 9 }\n";
    let place = Place::new();
    let base = place.write("tiny.toml", &format!("{TINY}\n{late}"));
    let file = place.write("sweep.toml", SWEEP);
    let words = ["plugins[1].schedule", "prunes after epoch 9"];
    call([std::ffi::OsStr::new("check"), base.as_os_str()]).expect(2, &words);
    sweep(&place, &file, &["--dry-run"]).expect(2, &words[1..]);
    sweep(&place, &file, &[]).expect(2, &words[1..]);
}

#[test]
fn a_page_says_what_it_does_not_draw() {
    let arm = |place: usize| {
        format!("{{ name = \"a{place}\", set = {{ \"schedule.peak\" = 1e-{place} }} }},")
    };
    let arms: String = (1..=41).map(arm).collect();
    let head = SWEEP.split_once("[grid]").unwrap().0;
    let (place, file) = place(&format!(
        "{head}arms = [{arms}]\nbudget = {{ trials = 1 }}\n"
    ));
    sweep(&place, &file, &[]).expect(0, &["trials are left"]);
    let page = fs::read_to_string(place.path("a sweep/report.html")).unwrap();
    assert!(page.contains("The 41 arms have no chart"), "{page}");
}
