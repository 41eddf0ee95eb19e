//! Laws of whole runs: observers change nothing, and the same config gives the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::path::Path;

use run::{
    Files, Place, TINY, afterimage, assert_same, ends, files_under, finish, last_checkpoint,
    observers, plugin, records, supervised, tiny_pair, tiny_valued, with_every_observer,
};

/// What training made, apart from the plugins' own state.
fn learned(run: &Path) -> Files {
    let mut files = files_under(&last_checkpoint(run));
    files.retain(|name, _| ["model.bpk", "optimizer.bpk", "schedule.bpk"].contains(&name.as_str()));
    assert_eq!(files.len(), 3, "the checkpoint is whole");
    files
}

/// The loop's own measurements.
fn loop_lines(run: &Path) -> String {
    let text = String::from_utf8(records(run).remove("metrics.jsonl").unwrap()).unwrap();
    text.lines()
        .filter(|line| line.contains("\"author\":\"loop\""))
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn observers_do_not_change_a_bit_of_the_training() {
    let place = Place::new();
    let bare = place.run("bare", TINY, 0);
    // Exit code 3: the one that fails on purpose was switched off midway.
    let watched = place.run("watched", &with_every_observer(), 3);
    assert_same(&learned(&bare), &learned(&watched), "all observers at once");
    assert_eq!(loop_lines(&bare), loop_lines(&watched));
    assert!(!loop_lines(&bare).is_empty());

    for (kind, alone) in observers() {
        if alone {
            let code = if kind == "chaos" { 3 } else { 0 };
            let watched = place.run(&kind, &(TINY.to_owned() + &plugin(&kind)), code);
            assert_same(&learned(&bare), &learned(&watched), &kind);
        }
    }
}

#[test]
fn a_plugin_that_needs_exactness_turns_winograd_off() {
    let place = Place::new();
    let direct = TINY.replace("[encoder]", "[encoder]\nconvolution = \"direct\"");
    let exact = TINY.to_owned() + &plugin("chaos") + "exact = true\n";
    let approximate = place.run("approximate", TINY, 0);
    let direct = place.run("direct", &direct, 0);
    let exact = place.run("exact", &exact, 3);
    assert_same(
        &learned(&direct),
        &learned(&exact),
        "direct by key and by plugin",
    );
    assert_ne!(
        learned(&approximate)["model.bpk"],
        learned(&direct)["model.bpk"]
    );
}

#[test]
fn another_seed_is_another_training() {
    let place = Place::new();
    let one = place.run("one", TINY, 0);
    let other = place.run("other", &TINY.replace("seed = 7", "seed = 8"), 0);
    let (one, other) = (learned(&one), learned(&other));
    assert_ne!(one["model.bpk"], other["model.bpk"]);
    assert_ne!(one["optimizer.bpk"], other["optimizer.bpk"]);
}

#[test]
fn the_same_config_gives_the_same_bytes_on_any_number_of_threads() {
    let place = Place::new();
    let text = with_every_observer();
    let config = place.write("config.toml", &text);
    let run = |name: &str, threads: Option<&str>| {
        let out = place.path(name);
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        if let Some(threads) = threads {
            command.env("RAYON_NUM_THREADS", threads);
        }
        finish(&mut command).expect(3, &[]);
        out
    };
    let first = run("first", None);
    for (name, threads) in [
        ("again", None),
        ("one", Some("1")),
        ("two", Some("2")),
        ("three", Some("3")),
    ] {
        let other = run(name, threads);
        assert_same(&ends(&first), &ends(&other), name);
        assert_same(
            &files_under(&first.join("checkpoints")),
            &files_under(&other.join("checkpoints")),
            name,
        );
    }
    // How far views are rendered ahead is part of the config, and still changes no number.
    let loader = place.run(
        "loader",
        &(text + "\n[loader]\nthreads = 1\ndepth = 1\n"),
        3,
    );
    assert_same(&learned(&first), &learned(&loader), "one loader thread");
    assert_eq!(
        records(&first)["metrics.jsonl"],
        records(&loader)["metrics.jsonl"]
    );
}

#[test]
fn probing_a_pair_does_not_change_a_bit_of_either_encoder() {
    let place = Place::new();
    let bare = place.run("bare", &tiny_pair(), 0);
    let plugins = plugin("layermem") + &plugin("ownership");
    let watched = place.run("watched", &(tiny_pair() + &plugins), 0);
    assert_same(
        &learned(&bare),
        &learned(&watched),
        "layermem and ownership",
    );
    assert_eq!(loop_lines(&bare), loop_lines(&watched));
}

#[test]
fn a_plugin_that_compares_encoders_is_refused_without_a_pair() {
    let place = Place::new();
    let config = place.write("config.toml", &(TINY.to_owned() + &plugin("layermem")));
    let out = place.path("run");
    let mut command = afterimage();
    command.arg("run").arg(&config).arg("--out").arg(&out);
    finish(&mut command).expect(2, &["layermem", "config.toml:", "[pair]", "candidates"]);
}

#[test]
fn values_on_the_encoder_change_nothing_and_are_the_same_on_any_number_of_threads() {
    let place = Place::new();
    let bare = place.run("bare", &supervised(), 0);
    let valued = place.run("valued", &tiny_valued(), 0);
    assert_same(&learned(&bare), &learned(&valued), "values on the encoder");
    assert_eq!(loop_lines(&bare), loop_lines(&valued));
    let config = place.write("again.toml", &tiny_valued());
    for threads in ["1", "3"] {
        let out = place.path(threads);
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        finish(command.env("RAYON_NUM_THREADS", threads)).expect(0, &[]);
        assert_same(&ends(&valued), &ends(&out), threads);
    }
}

#[test]
fn in_run_values_without_a_classifier_switch_the_plugin_off() {
    let place = Place::new();
    let text = TINY.to_owned() + "\n[[plugins]]\nkind = \"dynamics\"\nvalidation = 8\n";
    let run = place.run("run", &text, 3);
    let log = std::fs::read_to_string(run.join("decisions.jsonl")).unwrap();
    assert!(log.contains("validation = 0"), "{log}");
}
