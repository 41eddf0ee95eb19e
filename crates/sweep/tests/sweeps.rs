//! Whole sweeps of a shell script: ends of all kinds, kills, signals, early stopping.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use afterimage_sweep::{
    Direction, Ending, Entry, Folder, Handle, Results, State, SweepError, journal,
};
use rig::Rig;

const HEAD: &str = "name = \"s\"\nconfig = \"base.toml\"\n";
const METRIC: &str = "metric = { name = \"eval/knn\", against = [\"cost\"] }\n";
const BASE: &str = "epochs = 2\n";

fn grid(extra: &str) -> String {
    format!("{HEAD}{METRIC}{extra}[grid]\nquality = [0.1, 0.2, 0.3, 0.4]\n")
}

#[test]
fn a_sweep_runs_each_trial_once_and_another_call_runs_none() {
    let rig = Rig::new(BASE, &grid("seeds = [1, 2]\n"));
    assert_eq!(rig.run(3).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Done).len(), 8);
    let before = rig.entries().len();
    assert_eq!(rig.run(3).unwrap(), Ending::Complete);
    assert_eq!(rig.entries().len(), before);
    rig.assert_nothing_ran_twice();
    let (config, plan) = rig.plan().unwrap();
    let results = Results::gather(
        "s",
        &config.judged(),
        &plan,
        &rig.folder(),
        &rig.standings(),
    );
    results.write(&rig.folder()).unwrap();
    assert_eq!(results.configurations[0].name, "quality=0.4");
    assert_eq!(results.configurations[0].mean, Some(0.4));
    assert_eq!(results.configurations[0].standard_error, Some(0.0));
    assert_eq!(results.configurations[0].against["cost"], 2.0);
    let csv = fs::read_to_string(rig.path("out/results.csv")).unwrap();
    assert_eq!(csv.lines().count(), 9);
    assert!(
        csv.starts_with("trial,state,arm,quality,seed,eval/knn,cost,seconds,attempts,"),
        "{csv}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(rig.path("out/sweep.json")).unwrap()).unwrap();
    assert_eq!(json["trials"].as_array().unwrap().len(), 8);
    let journal = journal(&results);
    // A study; for each trial its start, two parameters, a name, two epochs and an end.
    assert_eq!(journal.lines().count(), 1 + 8 * 7);
}

#[test]
fn failures_are_retried_from_the_checkpoint_and_then_shown() {
    let sweep = format!("{HEAD}{METRIC}retries = 1\n[grid]\nfail = [0, 2]\n");
    let rig = Rig::new(BASE, &sweep);
    assert_eq!(rig.run(2).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Failed), ["fail=2"]);
    let failed = &rig.standings()["fail=2"];
    assert_eq!((failed.attempts, failed.code), (2, Some(1)));
    assert_eq!(
        rig.folder().last_lines("fail=2", 2, 8),
        ["it broke in epoch 2"]
    );
    // The first epoch was done once: the second attempt went on behind it.
    assert_eq!(rig.text("fail=2", "metrics.jsonl").lines().count(), 1);
    assert_eq!(
        rig.run_until(2, Arc::default(), true).unwrap(),
        Ending::Complete
    );
    assert_eq!(rig.standings()["fail=2"].attempts, 4);
}

#[test]
fn too_many_failures_and_used_up_budgets_stop_the_sweep() {
    let head = format!("{HEAD}{METRIC}retries = 0\n");
    let rig = Rig::new(
        BASE,
        &format!("{head}max_failures = 0\n[grid]\nfail = [1, 2]\npace = [1, 2]\n"),
    );
    assert!(matches!(rig.run(1).unwrap(), Ending::Halted(why) if why.contains("max_failures = 0")));
    assert_eq!(rig.in_state(State::Pending).len(), 3);
    let rig = Rig::new(BASE, &grid("budget = { trials = 3 }\n"));
    assert!(matches!(rig.run(2).unwrap(), Ending::Halted(why) if why.contains("3 trials")));
    assert_eq!(rig.in_state(State::Done).len(), 3);
    let rig = Rig::new(BASE, &grid("budget = { hours = 1e-5 }\n"));
    assert!(matches!(rig.run(1).unwrap(), Ending::Halted(why) if why.contains("hours")));
    assert_eq!(rig.in_state(State::Done).len(), 1);
}

#[test]
fn a_metric_that_no_run_has_ends_the_sweep_after_the_first_trial() {
    let rig = Rig::new(BASE, &grid("").replace("eval/knn", "eval/knnn"));
    assert!(
        matches!(rig.run(1).unwrap(), Ending::Halted(why) if why.contains("it reports eval/knn"))
    );
    assert_eq!(rig.in_state(State::Pending).len(), 3);
}

#[test]
fn another_process_is_kept_out() {
    let rig = Rig::new(BASE, &grid(""));
    let folder = rig.folder();
    let lock = folder.lock().unwrap();
    let error = rig.run(1).unwrap_err();
    assert!(
        matches!(error, SweepError::Locked { pid: Some(pid), .. } if pid == std::process::id())
    );
    drop(lock);
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
}

#[test]
fn another_sweep_is_refused_and_other_budgets_are_not() {
    let rig = Rig::new(BASE, &grid(""));
    rig.run(4).unwrap();
    fs::write(rig.file(), grid("retries = 3\nbudget = { hours = 3.0 }\n")).unwrap();
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    let refused = |what: &str| match rig.run(4) {
        Err(error @ SweepError::Changed { .. }) => {
            let text = error.to_string();
            assert!(text.contains(what), "{text}");
        }
        other => panic!("{other:?}"),
    };
    fs::write(rig.file(), grid("").replace("0.4]", "0.4, 0.5]")).unwrap();
    refused("the trial quality=0.5 is new");
    fs::write(rig.file(), grid("").replace("0.3, ", "")).unwrap();
    refused("there is no trial quality=0.3 any more");
    fs::write(
        rig.file(),
        grid("").replace("against", "direction = \"minimize\", against"),
    )
    .unwrap();
    refused("metric or stopping");
    fs::write(rig.file(), grid("")).unwrap();
    fs::write(rig.path("base.toml"), "epochs = 3\n").unwrap();
    refused("the config of quality=0.1 is another now");
}

#[test]
fn folders_of_others_and_broken_ledgers_are_left_alone() {
    let rig = Rig::new(BASE, &grid(""));
    let out = rig.path("mine");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.tex"), "x").unwrap();
    assert!(matches!(Folder::open(&out), Err(SweepError::NoSweep(_))));
    rig.run(4).unwrap();
    let ledger = rig.folder().ledger();
    fs::write(&ledger, "\u{0}\u{0}\u{0}\n").unwrap();
    assert!(matches!(
        rig.run(4),
        Err(SweepError::Ledger { line: 1, .. })
    ));
    assert_eq!(fs::read(&ledger).unwrap(), b"\0\0\0\n");
}

#[test]
fn a_signal_makes_trials_write_checkpoints_and_the_next_call_goes_on() {
    let rig = Rig::new("epochs = 6\n", &grid(""));
    let signal = Arc::new(AtomicUsize::new(0));
    let sender = Arc::clone(&signal);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(350));
            sender.store(15, Ordering::SeqCst);
        });
        assert_eq!(
            rig.run_until(2, signal, false).unwrap(),
            Ending::Interrupted(15)
        );
    });
    assert_eq!(rig.in_state(State::Pending).len(), 4);
    assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Done).len(), 4);
    assert_eq!(rig.standings()["quality=0.1"].attempts, 2);
    rig.assert_nothing_ran_twice();
}

/// Starts the sweep in a process of its own, which is this test's executable.
fn start(rig: &Rig) -> std::process::Child {
    std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_a_process", "--ignored", "--nocapture"])
        .env("SWEEP_RIG", rig.path(""))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

/// Not a test: what [`start`] runs.
#[test]
#[ignore = "started by other tests"]
fn as_a_process() {
    let Some(place) = std::env::var_os("SWEEP_RIG") else {
        return;
    };
    Rig::at(place.as_ref()).run(3).unwrap();
}

#[test]
fn a_sweep_killed_at_any_moment_ends_as_if_it_had_not_been() {
    for delay in [0, 30, 60, 120, 250, 400, 700] {
        let rig = Rig::new("epochs = 3\n", &grid("seeds = [1, 2]\n"));
        let mut child = start(&rig);
        let patience = Instant::now() + Duration::from_secs(20);
        while !rig.path("out/ledger.jsonl").exists() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        // A trial that was just being started may hold the sweep's lock for a moment longer.
        let ending = loop {
            match rig.run(3) {
                Err(SweepError::Locked { .. }) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => break other.unwrap(),
            }
        };
        // Orphans of the killed process are waited for.
        assert_eq!(ending, Ending::Complete, "killed after {delay} ms");
        assert_eq!(
            rig.in_state(State::Done).len(),
            8,
            "killed after {delay} ms"
        );
        rig.assert_nothing_ran_twice();
        let starts: usize = rig
            .standings()
            .keys()
            .map(|name| rig.text(name, "starts").lines().count())
            .sum();
        assert_eq!(starts, 8, "killed after {delay} ms");
    }
}

#[test]
fn a_killed_trial_goes_on_from_its_checkpoint() {
    let rig = Rig::new("epochs = 8\n", &grid(""));
    let victim = "quality=0.2";
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let patience = Instant::now() + Duration::from_secs(20);
            while rig.text(victim, "checkpoint").trim() != "2" && Instant::now() < patience {
                std::thread::sleep(Duration::from_millis(5));
            }
            let pid = rig.entries().into_iter().find_map(|entry| match entry {
                Entry::Running {
                    trial,
                    handle: Handle::Local { pid, .. },
                    ..
                } => (trial == victim).then_some(pid),
                _ => None,
            });
            let kill = std::process::Command::new("kill")
                .args(["-9", &pid.unwrap().to_string()])
                .status();
            assert!(kill.unwrap().success());
            fs::remove_dir(rig.folder().run(victim).join("busy")).unwrap();
        });
        assert_eq!(rig.run(4).unwrap(), Ending::Complete);
    });
    assert_eq!(rig.in_state(State::Done).len(), 4);
    assert_eq!(rig.standings()["quality=0.2"].attempts, 2);
    rig.assert_nothing_ran_twice();
}

#[test]
fn successive_halving_stops_those_that_fall_behind() {
    let sweep = format!(
        "{HEAD}{METRIC}[stopping]\nkind = \"asha\"\nfirst = 1\nfactor = 2\n[grid]\n\
         quality = [0.8, 0.7, 0.6, 0.5, 0.4, 0.3]\n"
    );
    let rig = Rig::new("epochs = 8\npace = 2\n", &sweep);
    assert_eq!(rig.run(1).unwrap(), Ending::Complete);
    // One at a time: each but the first finds enough better ones before it.
    assert_eq!(rig.in_state(State::Done), ["quality=0.8"]);
    assert_eq!(rig.in_state(State::Stopped).len(), 5);
    for name in rig.in_state(State::Stopped) {
        let epochs = rig.text(&name, "metrics.jsonl").lines().count();
        assert!(
            (1..4).contains(&epochs),
            "{name} went on for {epochs} epochs"
        );
        assert_eq!(rig.text(&name, "checkpoint").trim(), epochs.to_string());
    }
    assert_eq!(rig.run(1).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Stopped).len(), 5);
    assert_eq!(
        rig.plan().unwrap().0.judged().metric.direction,
        Direction::Maximize
    );
}

#[test]
fn trials_of_one_time_have_places_of_their_own() {
    let rig = Rig::new(BASE, &grid("seeds = [1, 2]\n"));
    assert_eq!(rig.run(2).unwrap(), Ending::Complete);
    let mut at = std::collections::BTreeMap::new();
    for entry in rig.entries() {
        match entry {
            Entry::Running {
                trial,
                handle: Handle::Local {
                    place: Some(place), ..
                },
                ..
            } => {
                assert!(place < 2, "{trial} has place {place} of two");
                assert!(
                    !at.values().any(|other| *other == place),
                    "{trial} shares its place"
                );
                assert_eq!(rig.text(&trial, "place").trim(), place.to_string());
                at.insert(trial, place);
            }
            Entry::End { trial, .. } => {
                at.remove(&trial);
            }
            _ => {}
        }
    }
}

#[test]
fn a_trial_that_holds_more_than_it_may_fails_for_that_and_no_other_does() {
    let sweep = |memory: &str| {
        format!("{HEAD}{METRIC}memory = \"{memory}\"\nretries = 3\n[grid]\nhoard = [0, 60]\n")
    };
    // As long as that takes to be seen, and not for long once it has room.
    let rig = Rig::new("epochs = 30\n", &sweep("30 MB"));
    assert_eq!(rig.run(2).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Done), ["hoard=0"]);
    let failed = |rig: &Rig| {
        let standing = rig.standings().remove("hoard=60").unwrap();
        assert_eq!((standing.state, standing.attempts), (State::Failed, 1));
        standing.reason.unwrap()
    };
    let why = failed(&rig);
    assert!(
        why.starts_with("memory = \"30 MB\": it held ") && why.contains("--retry-failed"),
        "{why}"
    );
    // A sweep that was killed before it wrote the end down counts it the same.
    let ledger = rig.folder().ledger();
    let text = fs::read_to_string(&ledger).unwrap();
    let beyond = text
        .lines()
        .position(|line| line.contains("\"event\":\"beyond\""));
    let lines: Vec<&str> = text.lines().collect();
    let is_end = |line: &&&str| line.contains("\"event\":\"end\"") && line.contains("hoard=60");
    let end = lines.iter().position(|line| is_end(&line)).unwrap();
    assert!(beyond.unwrap() < end, "{text}");
    let without: Vec<&str> = lines.iter().filter(|line| !is_end(line)).copied().collect();
    fs::write(&ledger, without.join("\n") + "\n").unwrap();
    assert_eq!(rig.run(2).unwrap(), Ending::Complete);
    assert_eq!(failed(&rig), why);
    // With more room another try is one.
    fs::write(rig.file(), sweep("500 MB")).unwrap();
    assert_eq!(
        rig.run_until(2, Arc::default(), true).unwrap(),
        Ending::Complete
    );
    assert_eq!(rig.in_state(State::Done), ["hoard=0", "hoard=60"]);
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let rig = Rig::new(BASE, &grid(""));
    fs::remove_file(rig.program()).unwrap();
    let error = rig.run(1).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot start ") && error.contains("trial.sh"),
        "{error}"
    );
    // Nothing was begun, so nothing is taken for done.
    let rig = Rig::at(&rig.path(""));
    assert!(rig.in_state(State::Done).is_empty());
}
