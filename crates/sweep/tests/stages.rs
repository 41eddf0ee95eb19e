//! Sweeps whose trials use the runs of earlier trials.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use afterimage_sweep::{Ending, Entry, Results, State, SweepError};
use rig::Rig;

const BASE: &str = "epochs = 2\n";
const HEAD: &str =
    "name = \"s\"\nconfig = \"base.toml\"\nseeds = [1, 2]\nmetric = { name = \"eval/knn\" }\n";
const TRAIN: &str = "[[stages]]\nname = \"train\"\n[stages.grid]\nquality = [0.1, 0.2]\n";
const ARMS: &str = "[[stages]]\nname = \"train\"\narms = [{ name = \"x\", set = { quality = 0.5 } }, { name = \"y\", set = { quality = 0.6 } }]\n";
const PRUNE: &str = "[[stages]]\nname = \"prune\"\nneeds = [\"train\"]\nset = { from = \"{train}\", epochs = 1 }\n\
                     [stages.grid]\nquality = [0.1, 0.2]\npace = [1, 2]\n";

fn two() -> String {
    format!("{HEAD}{TRAIN}{PRUNE}")
}

fn mistakes(sweep: &str) -> String {
    Rig::new(BASE, sweep).mistakes()
}

/// Fails the test if a run began before those that it uses were done.
fn assert_in_order(rig: &Rig) {
    let entries = rig.entries();
    let (_, plan) = rig.plan().unwrap();
    for trial in &plan.trials {
        let begun = entries.iter().position(
            |entry| matches!(entry, Entry::Start { trial: name, .. } if *name == trial.name),
        );
        for parent in &trial.parents {
            let done = entries.iter().rposition(
                |entry| matches!(entry, Entry::End { trial: name, .. } if *name == parent.trial),
            );
            assert!(
                begun.is_none_or(|begun| done.is_some_and(|done| done < begun)),
                "{} before {}",
                trial.name,
                parent.trial
            );
        }
    }
}

#[test]
fn a_trial_uses_the_run_with_its_seed_and_its_values() {
    let rig = Rig::new(BASE, &two());
    let (_, plan) = rig.plan().unwrap();
    let names: Vec<&str> = plan
        .trials
        .iter()
        .map(|trial| trial.name.as_str())
        .collect();
    assert_eq!(
        names[..6],
        [
            "train,quality=0.1,seed=1",
            "train,quality=0.2,seed=1",
            "prune,pace=1,quality=0.1,seed=1",
            "prune,pace=1,quality=0.2,seed=1",
            "prune,pace=2,quality=0.1,seed=1",
            "prune,pace=2,quality=0.2,seed=1",
        ]
    );
    assert_eq!(names.len(), 12);
    let parent = &plan
        .trial("prune,pace=2,quality=0.2,seed=2")
        .unwrap()
        .parents[0];
    assert_eq!(parent.trial, "train,quality=0.2,seed=2");
    assert_eq!(parent.uses[0].key, "from");
    // The plan is a function of the file: where the sweep lies is no part of it.
    let elsewhere = Rig::new(BASE, &two()).plan().unwrap().1;
    assert_eq!(elsewhere.trials, plan.trials);
    assert_eq!(elsewhere.digest, plan.digest);
    // What a parent is, its children are.
    let other = Rig::new(
        BASE,
        &two().replace("[0.1, 0.2]\n[[", "[0.1, 0.2]\nfail = [0]\n[["),
    );
    let other = other.plan().unwrap().1;
    let digest = |plan: &afterimage_sweep::Plan| plan.trials.last().unwrap().digest.clone();
    assert_eq!(digest(&other), digest(&plan), "the same value as before");
    let other = Rig::new(
        BASE,
        &two().replace(
            "name = \"train\"\n",
            "name = \"train\"\nset = { epochs = 3 }\n",
        ),
    );
    assert_ne!(digest(&other.plan().unwrap().1), digest(&plan));
}

#[test]
fn stages_may_stand_in_any_order_and_arms_and_selectors_choose() {
    let sweep = format!(
        "{HEAD}[[stages]]\nname = \"tune\"\nneeds = [\"prune\"]\nset = {{ from = \"{{prune}}@epoch=1\", \
         \"{{prune}}.pace\" = 2, \"{{prune}}.arm\" = \"b\" }}\n\
         [[stages]]\nname = \"prune\"\nneeds = [\"train\"]\nset = {{ from = \"{{train}}\" }}\n\
         grid = {{ pace = [1, 2] }}\narms = [{{ name = \"a\", set = {{ quality = 0.5 }} }}, {{ name = \"b\" }}]\n\
         [[stages]]\nname = \"train\"\narms = [{{ name = \"b\" }}, {{ name = \"a\", set = {{ quality = 0.6 }} }}]\n"
    );
    let rig = Rig::new(BASE, &sweep);
    let (_, plan) = rig.plan().unwrap();
    let parent = |name: &str| plan.trial(name).unwrap().parents[0].trial.clone();
    assert_eq!(parent("tune,seed=1"), "prune,b,pace=2,seed=1");
    assert_eq!(parent("prune,b,pace=2,seed=2"), "train,b,seed=2");
    assert_eq!(
        plan.stages
            .iter()
            .map(|s| s.name.as_str())
            .collect::<Vec<_>>(),
        ["train", "prune", "tune"]
    );
    assert_eq!(rig.run(3).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Done).len(), plan.trials.len());
    assert_in_order(&rig);
    let config = fs::read_to_string(rig.folder().config("tune,seed=1")).unwrap();
    let from = rig
        .folder()
        .run("prune,b,pace=2,seed=1")
        .join("checkpoints/step-00000001");
    let table: toml::Table = toml::from_str(&config).unwrap();
    assert_eq!(table["from"].as_str(), from.to_str());
}

#[test]
fn mistakes_in_stages_are_told_at_their_line() {
    let head = HEAD.replace("seeds = [1, 2]\n", "");
    for (sweep, wanted) in [
        ("[[stages]]\nname = \"a\"\nneeds = [\"a\"]\n".to_owned(),
         "sweep.toml:6: stages[0].needs[0]: a stage cannot need itself"),
        ("[[stages]]\nname = \"a\"\nneeds = [\"trian\"]\n[[stages]]\nname = \"train\"\n".to_owned(),
         "sweep.toml:6: stages[0].needs[0]: there is no stage \"trian\"; did you mean \"train\"?"),
        ("[[stages]]\nname = \"a\"\nneeds = [\"b\"]\n[[stages]]\nname = \"b\"\nneeds = [\"a\"]\n".to_owned(),
         "sweep.toml:6: stages[0].needs: stages need each other: a → b → a"),
        ("[[stages]]\nname = \"a\"\n[[stages]]\nname = \"a\"\n".to_owned(),
         "sweep.toml:7: stages[1].name: two stages are named \"a\""),
        ("[[stages]]\nname = \"a\"\n[[stages]]\nname = \"b\"\nset = { from = \"{a}\" }\n".to_owned(),
         "sweep.toml:8: stages[1].set.from: `{a}` is not among the stages that \"b\" needs; add it to `needs`"),
        ("[[stages]]\nname = \"a\"\n[[stages]]\nname = \"b\"\nneeds = [\"a\"]\nset = { from = \"{a}@step=3\" }\n".to_owned(),
         "sweep.toml:9: stages[1].set.from: \"{a}@step=3\" is no reference to a stage"),
        (format!("{TRAIN}[[stages]]\nname = \"b\"\nneeds = [\"train\"]\nset = {{ from = \"{{train}}\" }}\n"),
         "sweep.toml:11: stages[1].set.from: 2 trials of the stage \"train\" fit, which differ in quality; \
          say which is meant, as in \"{train}.quality\" = … in `set` or `grid`, or give \"quality\" itself"),
        (format!("{TRAIN}[[stages]]\nname = \"b\"\nneeds = [\"train\"]\nset = {{ quality = 0.7 }}\n"),
         "sweep.toml:11: stages[1].set.quality: no trial of the stage \"train\" has quality = 0.7"),
        (format!("{TRAIN}[[stages]]\nname = \"b\"\nneeds = [\"train\"]\nset = {{ \"{{train}}.pace\" = 1 }}\n"),
         "the stage \"train\" varies no \"pace\"; it varies quality"),
        (format!("{ARMS}[[stages]]\nname = \"b\"\nneeds = [\"train\"]\nset = {{ from = \"{{train}}\", \"{{train}}.arm\" = \"x\", \"{{train}}.quality\" = 0.6 }}\n"),
         "sweep.toml:10: stages[1].set.from: no trial of the stage \"train\" has quality = 0.6, arm \"x\""),
        ("[[stages]]\nname = \"a\"\n[[stages]]\nname = \"b\"\n".to_owned(),
         "stages[1]: two trials have the same config"),
        ("grid = { quality = [1.0] }\n[[stages]]\nname = \"a\"\n".to_owned(),
         "sweep.toml:4: grid: a sweep with stages has no grid of its own; move it into a stage"),
        ("[[stages]]\nname = \"a\"\nconfig = \"bse.toml\"\n".to_owned(),
         "sweep.toml:6: stages[0].config: there is no file bse.toml"),
        ("[[stages]]\nname = \"a\"\nset = { epoch = 1 }\n".to_owned(),
         "sweep.toml:6: stages[0].set.epoch: unknown key; did you mean `epochs`?"),
    ] {
        let text = mistakes(&format!("{head}{sweep}"));
        assert!(text.contains(wanted), "no {wanted:?} in\n{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    }
    let text = mistakes("name = \"s\"\nmetric = { name = \"m\" }\n");
    assert!(text.contains("config: name the experiment"), "{text}");
}

#[test]
fn stages_run_in_order_once_and_another_call_runs_none() {
    let rig = Rig::new(BASE, &two());
    assert_eq!(rig.run(3).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Done).len(), 12);
    assert_in_order(&rig);
    rig.assert_nothing_ran_twice();
    let before = rig.entries().len();
    assert_eq!(rig.run(3).unwrap(), Ending::Complete);
    assert_eq!(rig.entries().len(), before);
    let (config, plan) = rig.plan().unwrap();
    let results = Results::gather(
        "s",
        &config.judged(),
        &plan,
        &rig.folder(),
        &rig.standings(),
    );
    results.write(&rig.folder()).unwrap();
    let csv = fs::read_to_string(rig.path("out/results.csv")).unwrap();
    assert!(
        csv.starts_with("trial,state,stage,arm,pace,quality,seed,eval/knn,seconds"),
        "{csv}"
    );
    let stages = results.by_stage();
    assert_eq!(stages[0].labels, ["quality"]);
    assert_eq!((stages[0].rows.len(), stages[1].rows.len()), (4, 8));
    assert_eq!(stages[1].configurations[0].values["quality"], "0.2");
}

#[test]
fn a_failed_parent_ends_its_children_and_a_retried_one_lets_them_go_on() {
    let sweep = two()
        .replace("seeds = [1, 2]", "retries = 0\nseeds = [1]")
        .replace(
            "name = \"train\"\n",
            "name = \"train\"\nset = { gate = \"GATE\" }\n",
        );
    let rig = Rig::new(BASE, &sweep);
    let gate = rig.path("gate");
    fs::write(rig.path("base.toml"), BASE).unwrap();
    // The script reads the value up to its quotes, so that the path must hold none.
    let gate_text = gate.to_str().unwrap().to_owned();
    fs::write(rig.file(), sweep.replace("GATE", &gate_text)).unwrap();
    assert_eq!(rig.run(2).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Failed).len(), 2);
    let skipped = rig.in_state(State::Skipped);
    assert_eq!(skipped.len(), 4);
    let standing = &rig.standings()["prune,pace=1,quality=0.2,seed=1"];
    assert_eq!(standing.attempts, 0);
    assert_eq!(
        standing.reason.as_deref(),
        Some("parent train,quality=0.2,seed=1 failed")
    );
    let skips = rig
        .entries()
        .iter()
        .filter(|e| matches!(e, Entry::Skip { .. }))
        .count();
    assert_eq!(skips, 4, "one line each");
    // Another call adds nothing.
    rig.run(2).unwrap();
    assert_eq!(
        rig.entries()
            .iter()
            .filter(|e| matches!(e, Entry::Skip { .. }))
            .count(),
        4
    );
    fs::write(gate, "").unwrap();
    assert_eq!(
        rig.run_until(2, Arc::default(), true).unwrap(),
        Ending::Complete
    );
    assert_eq!(rig.in_state(State::Done).len(), 6);
    assert_in_order(&rig);
}

#[test]
fn a_checkpoint_that_is_not_there_ends_the_child_with_a_reason() {
    let sweep = two().replace("{train}\"", "{train}@epoch=5\"");
    let rig = Rig::new(BASE, &sweep);
    assert_eq!(rig.run(3).unwrap(), Ending::Complete);
    assert_eq!(
        (
            rig.in_state(State::Done).len(),
            rig.in_state(State::Skipped).len()
        ),
        (4, 8)
    );
    let reason = rig.standings()["prune,pace=1,quality=0.1,seed=1"]
        .reason
        .clone()
        .unwrap();
    assert!(
        reason.contains("has no checkpoint of epoch 5; it kept those of epochs 1, 2"),
        "{reason}"
    );
}

#[test]
fn halving_stops_a_branch_with_its_children() {
    let sweep = two()
        .replace(
            "seeds = [1, 2]",
            "seeds = [1]\nstopping = { kind = \"asha\", factor = 2 }",
        )
        .replace("[0.1, 0.2]", "[0.2, 0.1]");
    let rig = Rig::new("epochs = 6\npace = 2\n", &sweep);
    assert_eq!(rig.run(1).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Stopped), ["train,quality=0.1,seed=1"]);
    assert_eq!(rig.in_state(State::Skipped).len(), 2);
    assert_eq!(rig.in_state(State::Done).len(), 3);
    // There is nothing to retry in a branch that was stopped.
    let before = rig.entries().len();
    rig.run_until(1, Arc::default(), true).unwrap();
    assert_eq!(rig.entries().len(), before);
}

#[test]
fn budgets_hold_across_stages() {
    let rig = Rig::new(
        BASE,
        &two().replace("seeds", "budget = { trials = 5 }\nseeds"),
    );
    assert!(matches!(rig.run(2).unwrap(), Ending::Halted(why) if why.contains("5 trials")));
    assert_eq!(rig.in_state(State::Done).len(), 5);
}

#[test]
fn a_metric_that_a_stage_does_not_have_ends_the_sweep_at_its_first_trial() {
    let sweep = two().replace(
        "needs = [\"train\"]",
        "needs = [\"train\"]\nmetric = { name = \"eval/probe\" }",
    );
    let rig = Rig::new(BASE, &sweep);
    assert!(
        matches!(rig.run(1).unwrap(), Ending::Halted(why) if why.contains("no \"eval/probe\""))
    );
    assert_eq!(rig.in_state(State::Failed).len(), 1);
}

#[test]
fn a_changed_stage_is_refused_with_its_name_and_line() {
    let rig = Rig::new(BASE, &two());
    rig.run(4).unwrap();
    let refused = |sweep: String, what: &[&str]| {
        fs::write(rig.file(), sweep).unwrap();
        let Err(error @ SweepError::Changed { .. }) = rig.run(4) else {
            panic!("it was taken");
        };
        let text = error.to_string();
        assert!(what.iter().all(|part| text.contains(part)), "{text}");
    };
    refused(
        two().replace("epochs = 1 }", "epochs = 1, nested.x = 1.0 }"),
        &[
            "the config of prune,pace=1,quality=0.1,seed=1 is another now (stage \"prune\", ",
            "sweep.toml:9)",
        ],
    );
    refused(
        two().replace("pace = [1, 2]", "pace = [1, 2, 3]"),
        &["is new (stage \"prune\", "],
    );
    refused(
        two().replace("epochs = 1 }", "epochs = 1 }\nmetric = { name = \"cost\" }"),
        &["metric or stopping"],
    );
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
fn a_sweep_with_stages_killed_at_any_moment_ends_as_if_it_had_not_been() {
    for delay in [0, 150, 300, 500, 800] {
        let rig = Rig::new(BASE, &two());
        let mut child = start(&rig);
        let patience = Instant::now() + Duration::from_secs(20);
        while !rig.path("out/ledger.jsonl").exists() && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        let ending = loop {
            match rig.run(3) {
                Err(SweepError::Locked { .. }) if Instant::now() < patience => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => break other.unwrap(),
            }
        };
        assert_eq!(ending, Ending::Complete, "killed after {delay} ms");
        assert_eq!(
            rig.in_state(State::Done).len(),
            12,
            "killed after {delay} ms"
        );
        rig.assert_nothing_ran_twice();
        assert_in_order(&rig);
    }
}
