//! What is told of pruning before it happens: its steps, and what cannot be pruned.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod pruned;
mod run;

use pruned::pruned;
use run::{Place, TINY, afterimage, call, finish};

#[test]
fn steps_are_listed_before_the_run() {
    let place = Place::new();
    let settings = "fraction = 0.4\ncompact = \"at_end\"\n\
                    schedule = { kind = \"linear\", begin = 0, end = 2 }";
    let config = place.write("config.toml", &pruned(TINY, settings));
    let listed = call(["check", config.to_str().unwrap()]).expect(0, &[]).out;
    assert!(
        listed.contains("after epoch 1: 20.0 % of the units are gone\n"),
        "{listed}"
    );
    assert!(
        listed
            .contains("after epoch 2: 40.0 % of the units are gone, and the model is made smaller"),
        "{listed}"
    );
}

#[test]
fn what_cannot_be_pruned_is_told() {
    let place = Place::new();
    let refused = |name: &str, text: &str, code: i32, words: &[&str]| {
        let config = place.write(&format!("{name}.toml"), text);
        let mut command = afterimage();
        command
            .arg("run")
            .arg(config)
            .arg("--out")
            .arg(place.path(name));
        finish(&mut command).expect(code, words);
    };
    let alone = |settings: &str| format!("{TINY}\n[[plugins]]\nkind = \"prune\"\n{settings}\n");
    refused(
        "alone",
        &alone(""),
        2,
        &["prune", "unitmem.scores", "alone.toml:"],
    );
    refused(
        "all",
        &pruned(TINY, "fraction = 1.0"),
        2,
        &["all.toml:", "fraction", "below 1"],
    );
    refused("typo", &pruned(TINY, "fracton = 0.1"), 2, &["fracton"]);
    let late = "schedule = { kind = \"one_shot\", epoch = 9 }";
    refused(
        "late",
        &pruned(TINY, late),
        2,
        &["late.toml:", "schedule", "prunes after epoch 9", "3 epochs"],
    );
    let protected = "protect = [\"encoder.*\"]";
    refused(
        "protected",
        &pruned(TINY, protected),
        1,
        &["no unit may be pruned"],
    );
    let nothing = "groups = \"decoder.*\"";
    refused(
        "nothing",
        &pruned(TINY, nothing),
        1,
        &["matches nothing", "encoder.res1"],
    );
    let stale = pruned(TINY, "schedule = { kind = \"one_shot\", epoch = 3 }")
        .replace("points = 40", "every = \"2 epochs\"\npoints = 40");
    refused(
        "stale",
        &stale,
        1,
        &["of epoch 2", "after epoch 3", "every"],
    );
    let missing = pruned(TINY, "score = \"taylor\"")
        + "\n[[plugins]]\nkind = \"taylor\"\nevery = \"200 steps\"\n";
    refused(
        "missing",
        &missing,
        1,
        &["no score `taylor`", "end of epoch 1"],
    );
    let macs = pruned(TINY, "of = \"macs\"\ncouple = false");
    refused("macs", &macs, 2, &["couple"]);
}
