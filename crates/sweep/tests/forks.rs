//! Trials that begin at a checkpoint of another one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use afterimage_sweep::{Ending, Entry, Fork, Forks as _, State, SweepError};
use rig::{ByEpoch, Rig};

const BASE: &str = "epochs = 4\nfork = 2\n";
const HEAD: &str =
    "name = \"s\"\nconfig = \"base.toml\"\nfork = true\nmetric = { name = \"eval/knn\" }\n";

fn three() -> String {
    format!("{HEAD}seeds = [1, 2]\n[grid]\nquality = [0.1, 0.2, 0.3]\n")
}

/// The values that a trial's epochs reported.
fn values(rig: &Rig, trial: &str) -> Vec<String> {
    let text = rig.text(trial, "metrics.jsonl");
    let value = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["value"].to_string()
    };
    text.lines().map(value).collect()
}

/// How often each trial was begun at a checkpoint of another.
fn forks(rig: &Rig) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in rig.entries() {
        if let Entry::Fork { trial, .. } = entry {
            *counts.entry(trial).or_default() += 1;
        }
    }
    counts
}

#[test]
fn trials_begin_where_another_was_and_what_they_save_is_on_record() {
    let rig = Rig::new(BASE, &three());
    let (_, plan) = rig.plan().unwrap();
    let fork = |name: &str| plan.trial(name).unwrap().fork.clone();
    assert_eq!(fork("quality=0.1,seed=1"), None);
    let wanted = Fork {
        trial: "quality=0.1,seed=2".to_owned(),
        epoch: 2,
    };
    assert_eq!(fork("quality=0.3,seed=2"), Some(wanted));
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Done).len(), 6);
    rig.assert_nothing_ran_twice();
    for seed in [1, 2] {
        let of = |quality: f64| values(&rig, &format!("quality={quality},seed={seed}"));
        assert_eq!(of(0.1), ["0.1"; 4]);
        assert_eq!(of(0.3), ["0.1", "0.1", "0.3", "0.3"]);
    }
    assert_eq!(forks(&rig).len(), 4);
    let standing = &rig.standings()["quality=0.3,seed=1"];
    let forked = standing.forked.clone().unwrap();
    assert_eq!(
        (forked.from.as_str(), forked.epoch),
        ("quality=0.1,seed=1", 2)
    );
    // Two epochs of a tenth of a second, at least.
    assert!(forked.seconds >= 0.2, "{}", forked.seconds);
    assert!(
        !rig.path("out/forks").exists(),
        "nobody wants them any more"
    );
    let before = rig.entries().len();
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    assert_eq!(rig.entries().len(), before);
    // Whether trials share is no part of what they are.
    let text = three().replace("fork = true\n", "");
    fs::write(rig.file(), text).unwrap();
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    let (_, apart) = rig.plan().unwrap();
    assert!(apart.trials.iter().all(|trial| trial.fork.is_none()));
    assert_eq!(apart.digest, plan.digest);
}

#[test]
fn trials_begin_at_their_start_where_the_other_one_fails_before() {
    let sweep = format!(
        "retries = 0\n{HEAD}arms = [{{ name = \"x\", set = {{ fail = 1 }} }}, \
         {{ name = \"y\", set = {{ quality = 0.5 }} }}]\n"
    );
    let rig = Rig::new(BASE, &sweep);
    assert_eq!(rig.run(2).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Failed), ["x"]);
    assert_eq!(values(&rig, "y"), ["0.5"; 4]);
    assert!(forks(&rig).is_empty());
}

#[test]
fn where_nothing_is_shared_it_is_said() {
    let rig = Rig::new("epochs = 4\n", &three());
    let notes = rig.plan().unwrap().1.notes;
    assert!(
        notes
            .iter()
            .any(|note| note.starts_with("fork: no two trials")),
        "{notes:?}"
    );
}

/// A sweep of two trials whose first is done, and what the second begins with is kept.
fn halted() -> Rig {
    let two = format!("{HEAD}[grid]\nquality = [0.1, 0.2]\n");
    let rig = Rig::new(BASE, &format!("{two}[budget]\ntrials = 1\n"));
    assert!(matches!(rig.run(2).unwrap(), Ending::Halted(_)));
    assert!(rig.path("out/forks/quality=0.1~2").is_dir());
    fs::write(rig.file(), two).unwrap();
    rig
}

#[test]
fn what_a_kill_left_unsaid_is_found_and_said_once() {
    for what in ["keep", "fork"] {
        let rig = halted();
        // The folder stands in its place, and the sweep was killed before it said so.
        let folder = rig.folder();
        if what == "keep" {
            let text = fs::read_to_string(folder.ledger()).unwrap();
            let lines = text
                .lines()
                .filter(|line| !line.contains("\"event\":\"keep\""));
            let rest: String = lines.map(|line| format!("{line}\n")).collect();
            assert!(rest.len() < text.len());
            fs::write(folder.ledger(), rest).unwrap();
        } else {
            let (config, run) = (folder.config("quality=0.2"), folder.run("quality=0.2"));
            let kept = rig.path("out/forks/quality=0.1~2");
            ByEpoch.begin(&kept, &config, &run).unwrap();
        }
        assert_eq!(rig.run(2).unwrap(), Ending::Complete);
        assert_eq!(values(&rig, "quality=0.2"), ["0.1", "0.1", "0.2", "0.2"]);
        let counts: Vec<usize> = forks(&rig).into_values().collect();
        assert_eq!(counts, [1], "{what}");
        let keeps = rig.entries().into_iter();
        let keeps = keeps.filter(|entry| matches!(entry, Entry::Keep { .. }));
        assert_eq!(keeps.count(), 1, "{what}");
        let forked = rig.standings()["quality=0.2"].forked.clone().unwrap();
        assert!(forked.seconds >= 0.2, "{what}: {}", forked.seconds);
    }
}

#[test]
fn what_was_kept_or_half_made_goes_when_nobody_can_begin_with_it() {
    for off in [true, false] {
        let rig = halted();
        let half = rig.path("out/trials/.quality=0.2.fork");
        fs::create_dir(&half).unwrap();
        if off {
            let text = fs::read_to_string(rig.file()).unwrap();
            fs::write(rig.file(), text.replace("fork = true\n", "")).unwrap();
        }
        assert_eq!(rig.run(2).unwrap(), Ending::Complete);
        assert!(!half.exists() && !rig.path("out/forks").exists(), "{off}");
        let first = if off { "0.2" } else { "0.1" };
        assert_eq!(values(&rig, "quality=0.2")[0], first);
    }
}

#[test]
fn what_was_half_made_is_no_run_that_is_forgotten() {
    let rig = halted();
    fs::create_dir(rig.path("out/trials/.quality=0.2.fork")).unwrap();
    assert_eq!(rig.folder().forgotten(), 0);
    fs::write(rig.folder().ledger(), "").unwrap();
    assert_eq!(rig.folder().forgotten(), 1);
}

/// Not a test: a sweep in a process of its own.
#[test]
#[ignore = "started by other tests"]
fn as_a_process() {
    let Some(place) = std::env::var_os("SWEEP_RIG") else {
        return;
    };
    Rig::at(place.as_ref()).run(2).unwrap();
}

#[test]
fn a_sweep_killed_at_any_moment_forks_each_trial_once() {
    for delay in [100, 250, 400, 600] {
        let rig = Rig::new(BASE, &three());
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "as_a_process", "--ignored", "--nocapture"])
            .env("SWEEP_RIG", rig.path(""))
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let patience = Instant::now() + Duration::from_secs(20);
        while !rig.path("out/ledger.jsonl").exists() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let ending = loop {
            match rig.run(2) {
                Err(SweepError::Locked { .. }) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => break other.unwrap(),
            }
        };
        assert_eq!(ending, Ending::Complete, "killed after {delay} ms");
        assert_eq!(rig.in_state(State::Done).len(), 6);
        rig.assert_nothing_ran_twice();
        assert!(forks(&rig).values().all(|&count| count == 1));
        assert_eq!(values(&rig, "quality=0.3,seed=2").len(), 4);
    }
}
