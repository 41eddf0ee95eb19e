//! What a broken plugin, or a loss that explodes, does to a run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::Path;

use run::{Ended, Place, STEPS, TINY, afterimage, checkpoints, finish, resume};

/// A plugin that fails in step 15, in the middle of the second epoch.
const CHAOS: &str = "\n[[plugins]]\nkind = \"chaos\"\nstep = 15\n";

fn start(place: &Place, plugins: &str, settings: &[&str]) -> Ended {
    let config = place.write("config.toml", &(TINY.to_owned() + plugins));
    let mut command = afterimage();
    command
        .arg("run")
        .arg(config)
        .arg("--out")
        .arg(place.path("run"));
    settings.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    finish(&mut command)
}

fn text(run: &Path, name: &str) -> String {
    fs::read_to_string(run.join(name)).unwrap_or_default()
}

fn decisions(run: &Path) -> Vec<serde_json::Value> {
    text(run, "decisions.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn an_observer_that_panics_is_switched_off_and_the_run_ends() {
    let place = Place::new();
    let run = place.path("run");
    let ended =
        start(&place, CHAOS, &[]).expect(3, &["plugin \"chaos\" (", ") failed at", "step 15"]);
    assert!(
        ended
            .out
            .contains("plugin \"chaos\" failed and was switched off"),
        "{ended:#?}"
    );
    assert_eq!(checkpoints(&run).last(), Some(&STEPS));

    let decisions = decisions(&run);
    assert_eq!(decisions.len(), 1, "{decisions:?}");
    let decision = &decisions[0];
    assert_eq!(decision["plugin"], "chaos");
    assert_eq!(decision["kind"], "disable_plugin");
    assert_eq!(
        (&decision["epoch"], &decision["step"]),
        (&2.into(), &15.into())
    );
    let what = decision["what"].as_str().unwrap();
    assert!(what.contains("panicked: chaos, as configured"), "{what}");
    assert!(!what.contains(".toml"), "{what}");
    assert!(
        text(&run, "log.txt").contains("plugin \"chaos\" ("),
        "the log has it"
    );
    assert!(text(&run, "manifest.json").contains("\"completed\""));
}

#[test]
fn an_observer_that_returns_an_error_is_switched_off_too() {
    let place = Place::new();
    let run = place.path("run");
    start(&place, CHAOS, &["plugins.chaos.panic=false"]).expect(3, &["chaos, as configured"]);
    assert_eq!(checkpoints(&run).last(), Some(&STEPS));
    let what = decisions(&run)[0]["what"].as_str().unwrap().to_owned();
    assert!(!what.contains("panicked"), "{what}");
}

#[test]
fn an_intervention_that_fails_stops_the_run_with_its_last_good_step() {
    for (panics, words) in [("true", "panicked: chaos"), ("false", "step 15: chaos")] {
        let place = Place::new();
        let run = place.path("run");
        let panics = format!("plugins.chaos.panic={panics}");
        let settings = ["plugins.chaos.intervenes=true", &panics];
        start(&place, CHAOS, &settings)
            .expect(1, &["plugin \"chaos\" (", ".toml:", ") failed at", words]);
        // It failed after the update of step 15, so that this step is done.
        assert_eq!(checkpoints(&run).last(), Some(&15));
        assert!(
            text(&run, "manifest.json").contains("failed: plugin"),
            "the outcome is recorded"
        );
        assert!(
            text(&run, "metrics.jsonl").contains("\"step\":15,"),
            "what was measured is kept"
        );
        // The step is past now; what it left is whole.
        resume(&run).expect(0, &[]);
        assert_eq!(checkpoints(&run).last(), Some(&STEPS));
    }
}

#[test]
fn the_users_fault_policy_goes_before_the_plugins() {
    let place = Place::new();
    let stop = format!("{CHAOS}on_fault = \"stop\"\n");
    start(&place, &stop, &[]).expect(1, &["plugin \"chaos\" (", ") failed at"]);
    let place = Place::new();
    let disable = format!("{CHAOS}on_fault = \"disable\"\nintervenes = true\n");
    start(&place, &disable, &[]).expect(3, &["plugin \"chaos\" (", ") failed at"]);
    assert_eq!(checkpoints(&place.path("run")).last(), Some(&STEPS));
}

#[test]
fn a_failure_in_the_first_and_in_the_last_step_is_handled_alike() {
    for step in [1, STEPS] {
        let place = Place::new();
        let run = place.path("run");
        let step = format!("plugins.chaos.step={step}");
        start(&place, CHAOS, &[&step]).expect(3, &["plugin \"chaos\" (", ") failed at"]);
        assert_eq!(checkpoints(&run).last(), Some(&STEPS));
        assert_eq!(decisions(&run).len(), 1);
    }
}

#[test]
fn a_loss_that_explodes_stops_the_run_with_a_checkpoint() {
    let place = Place::new();
    let run = place.path("run");
    let settings = [
        "optimizer.kind=sgd",
        "schedule.peak=1e30",
        "schedule.warmup_epochs=0",
    ];
    let words = [
        "the loss became infinite or not a number",
        "schedule.peak",
        "checkpoints",
    ];
    start(&place, "", &settings).expect(4, &words);
    let last = *checkpoints(&run).last().unwrap();
    assert!(last < STEPS, "{last}");
    assert!(text(&run, "manifest.json").contains("diverged"));
    let log = text(&run, "log.txt");
    assert!(
        log.contains(&format!("the loss is not finite in step {}", last + 1)),
        "{log}"
    );
    // Nothing that was measured is not a number.
    let metrics = text(&run, "metrics.jsonl");
    assert!(
        !metrics.contains("NaN") && !metrics.contains("inf"),
        "{metrics}"
    );
    assert!(metrics.contains(&format!("\"step\":{last},")));

    // From there it goes the same way again, and says so.
    resume(&run).expect(4, &words);
    assert_eq!(checkpoints(&run).last(), Some(&last));
    assert_eq!(text(&run, "metrics.jsonl"), metrics);
}

#[test]
fn a_plugin_whose_time_never_comes_is_named() {
    let place = Place::new();
    let plugin = "\n[[plugins]]\nkind = \"unitmem\"\npoints = 20\nviews = 2\n\
                  every = \"4 epochs\"\n";
    let ended = start(&place, plugin, &[]).expect(0, &["4 epochs", "3 epochs and 30 steps"]);
    assert!(ended.err.contains("plugin \"unitmem\" acts"), "{ended:#?}");
}
