//! Laws of whole runs: observers change nothing, and the same config gives the same bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use afterimage::Registry;
use afterimage_testkit::{Conformance, Program, held};
use run::{
    Place, TINY, afterimage, assert_same, ends, files_under, finish, learned, observers, of,
    of_columns, plugin, records, settings, supervised, tiny_pair, tiny_valued, with_every_observer,
};

const NOISY: &str = include_str!("configs/noisy.toml");

/// No plugin yet, tested by the command of this project.
fn kit() -> Conformance {
    let program = Program::Command(env!("CARGO_BIN_EXE_afterimage").into());
    of(Conformance::new(Registry::standard(), program))
}

/// Every plugin of the registry that observes any encoder, one of which fails midway.
fn all_observers() -> Conformance {
    observers().into_iter().fold(kit(), |kit, kind| match kind {
        "chaos" => kit.failing(kind, settings(kind)),
        _ => kit.plugin(kind, settings(kind)),
    })
}

/// Those that compare two encoders.
fn on_a_pair() -> Conformance {
    ["layermem", "ownership"]
        .into_iter()
        .fold(kit().on(&tiny_pair()), |kit, kind| {
            kit.plugin(kind, settings(kind))
        })
}

/// Values of cells of the encoder's output, and of samples by held-out images.
fn on_classes() -> Conformance {
    let bank = "cells = \"encoder\"\naverage = 0.5\nshare = \"cells\"";
    kit()
        .on(&supervised())
        .plugin("oob-value", bank)
        .plugin("dynamics", "validation = 20\nvalidation_every = 3")
}

/// Values of the columns of a table about the images.
fn on_columns() -> Conformance {
    kit().plugin("oob-value", &of_columns())
}

/// Those that act on the training, and those that go with them.
fn acting() -> [Conformance; 3] {
    let pruned = "fraction = 0.5\nschedule = { kind = \"one_shot\", epoch = 2 }";
    [
        kit()
            .plugin("unitmem", settings("unitmem"))
            .plugin("prune", pruned),
        kit()
            .on(NOISY)
            .plugin("coreset", "warmup = 1\nrepeat = true")
            .plugin("coreset-quality", ""),
        kit()
            .on(NOISY)
            .plugin("coreset-oracle", "")
            .plugin("coreset-quality", ""),
    ]
}

fn others() -> [Conformance; 6] {
    let [prune, coreset, oracle] = acting();
    let columns = on_columns();
    [on_a_pair(), on_classes(), columns, prune, coreset, oracle]
}

#[test]
fn every_kind_is_tested() {
    let mut tested = all_observers().kinds();
    tested.extend(others().iter().flat_map(Conformance::kinds));
    for kind in Registry::standard().names() {
        assert!(tested.contains(&kind), "{kind} is in none of the tests");
    }
}

#[test]
fn observers_do_not_change_a_bit_of_the_training() {
    held(all_observers().changes_nothing());
    held(on_a_pair().changes_nothing());
    held(on_classes().changes_nothing());
    held(on_columns().changes_nothing());
}

#[test]
fn killed_runs_end_as_straight_ones() {
    held(all_observers().kills(3).resumes_exactly());
}

#[test]
fn killed_runs_of_a_pair_with_classes_and_on_columns_end_as_straight_ones() {
    held(on_a_pair().resumes_exactly());
    held(on_classes().resumes_exactly());
    held(on_columns().resumes_exactly());
}

#[test]
fn states_come_back_and_orders_hold() {
    let kit = all_observers();
    held(kit.state_comes_back());
    held(kit.order_holds());
    held(kit.bears_faults_of_others());
    held(kit.cost_is_known());
    for kit in others() {
        held(kit.state_comes_back());
        held(kit.bears_faults_of_others());
        held(kit.cost_is_known());
    }
}

#[test]
fn mistakes_in_settings_of_every_kind_are_told_at_their_line() {
    held(all_observers().refuses_mistakes());
    for kit in others() {
        held(kit.refuses_mistakes());
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
fn a_plugin_that_compares_encoders_is_refused_without_a_pair() {
    let place = Place::new();
    let config = place.write("config.toml", &(TINY.to_owned() + &plugin("layermem")));
    let out = place.path("run");
    let mut command = afterimage();
    command.arg("run").arg(&config).arg("--out").arg(&out);
    finish(&mut command).expect(2, &["layermem", "config.toml:", "[pair]", "candidates"]);
}

#[test]
fn values_on_the_encoder_and_of_columns_are_the_same_on_any_number_of_threads() {
    let place = Place::new();
    let columns = format!(
        "{TINY}\n[[plugins]]\nkind = \"oob-value\"\n{}",
        of_columns()
    );
    for (name, text) in [("encoder", tiny_valued()), ("columns", columns)] {
        let valued = place.run(name, &text, 0);
        let config = place.write("again.toml", &text);
        for threads in ["1", "3"] {
            let out = place.path(&format!("{name}-{threads}"));
            let mut command = afterimage();
            command.arg("run").arg(&config).arg("--out").arg(&out);
            finish(command.env("RAYON_NUM_THREADS", threads)).expect(0, &[]);
            assert_same(&ends(&valued), &ends(&out), &format!("{name}, {threads}"));
        }
    }
}
