//! Trials of a sweep that begin at a checkpoint of another one: the bytes of runs of their own.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use run::{Ended, Place, TINY, afterimage, finish};

const PRUNED: &str = "\n[[plugins]]\nkind = \"unitmem\"\nevery = \"1 epochs\"\npoints = 20\nviews = 2\n\
                      [[plugins]]\nkind = \"magnitude\"\n[[plugins]]\nkind = \"random-scores\"\n\
                      [[plugins]]\nkind = \"taylor\"\nevery = \"2 steps\"\n\
                      [[plugins]]\nkind = \"prune\"\nscore = \"magnitude\"\ncompact = \"at_end\"\n\
                      schedule = { kind = \"at_epochs\", epochs = [3], shares = [1.0] }\n";
const PRUNING: &str = r#"name = "t"
config = "base.toml"
fork = true
metric = { name = "eval/knn" }
set = { epochs = 5, "checkpoints.keep_last" = 3 }
grid = { "plugins.prune.fraction" = [0.2, 0.5] }
arms = [
    { name = "magnitude" },
    { name = "random", set = { "plugins.prune.score" = "random" } },
    { name = "taylor", set = { "plugins.prune.score" = "taylor", "plugins.prune.compact" = "never" } },
    { name = "late", set = { "plugins.prune.schedule" = { kind = "one_shot", epoch = 5 } } },
]
"#;

const CHOSEN: &str = "\n[[plugins]]\nkind = \"coreset\"\nwarmup = 3\nrepeat = true\n";
const CHOOSING: &str = r#"name = "t"
config = "base.toml"
fork = true
metric = { name = "loss/train", direction = "minimize" }
set = { epochs = 5 }
grid = { "plugins.coreset.fraction" = [0.4, 0.6] }
arms = [
    { name = "facility" },
    { name = "gated", set = { "plugins.coreset.gate" = { threshold = 0.4 } } },
]
"#;

fn sweep(place: &Place, file: &Path, more: &[&str]) -> Ended {
    let mut command = afterimage();
    command
        .arg("sweep")
        .arg(file)
        .arg("--out")
        .arg(place.path("s"));
    finish(command.args(more))
}

fn place(base: &str, file: &str) -> (Place, PathBuf) {
    let place = Place::new();
    place.write("base.toml", base);
    let file = place.write("sweep.toml", file);
    (place, file)
}

/// Runs every trial's config from its start, and compares all that both leave. Gives how many trials
/// trained less than all steps.
fn compared(place: &Place) -> usize {
    let mut less = 0;
    for entry in fs::read_dir(place.path("s/configs")).unwrap() {
        let config = entry.unwrap().path();
        let name = config.file_stem().unwrap().to_str().unwrap().to_owned();
        let (own, straight) = (place.path("s/trials").join(&name), place.path(&name));
        finish(
            afterimage()
                .arg("run")
                .arg(&config)
                .arg("--out")
                .arg(&straight),
        )
        .expect(0, &[]);
        run::assert_same(&run::records(&straight), &run::records(&own), &name);
        let of = |run: &Path| run::files_under(&run.join("checkpoints"));
        run::assert_same(&of(&straight), &of(&own), &name);
        let steps = |run: &Path| {
            let result: serde_json::Value =
                serde_json::from_slice(&fs::read(run.join("result.json")).unwrap()).unwrap();
            result["steps"].as_u64().unwrap()
        };
        less += usize::from(steps(&own) < steps(&straight));
    }
    less
}

#[test]
fn pruning_arms_share_what_comes_before_their_schedules() {
    let (place, file) = place(&format!("{TINY}{PRUNED}"), PRUNING);
    let ended = sweep(&place, &file, &["--dry-run"]).expect(0, &[]);
    for part in [
        // Six at epoch 2, and the second late one at epoch 4.
        "7 of them begin at a checkpoint of another: 16 of 40 epochs are not trained again",
        "  magnitude,fraction=0.2\n",
        "  taylor,fraction=0.5 (from magnitude,fraction=0.2 at epoch 2)\n",
        "  late,fraction=0.2 (from magnitude,fraction=0.2 at epoch 2)\n",
        "  late,fraction=0.5 (from late,fraction=0.2 at epoch 4)\n",
    ] {
        assert!(ended.out.contains(part), "no {part:?} in\n{}", ended.out);
    }
    let ended = sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    assert!(!ended.err.contains("not forked"), "{}", ended.err);
    assert!(
        ended
            .out
            .contains("8 trials: 8 done; 7 began at a checkpoint of another, which saved "),
        "{}",
        ended.out
    );
    assert!(!place.path("s/forks").exists());
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("s/sweep.json")).unwrap()).unwrap();
    let forked = &json["trials"][1]["forked"];
    assert_eq!(forked["from"], "magnitude,fraction=0.2");
    assert!(forked["seconds_saved"].as_f64().unwrap() > 0.0);
    assert_eq!(compared(&place), 7);
}

#[test]
fn coresets_share_their_warm_up_and_a_killed_sweep_still_ends_with_the_same_bytes() {
    let base = run::supervised() + CHOSEN;
    let (place, file) = place(&base, CHOOSING);
    let mut child = afterimage()
        .arg("sweep")
        .arg(&file)
        .arg("--out")
        .arg(place.path("s"))
        .args(["--jobs", "2"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(300);
    let begun = || {
        let ledger = fs::read_to_string(place.path("s/ledger.jsonl")).unwrap_or_default();
        ledger.contains("\"event\":\"fork\"")
    };
    while !begun() {
        let lives = child.try_wait().unwrap().is_none();
        assert!(Instant::now() < patience && lives, "nothing was forked");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let ended = sweep(&place, &file, &["--jobs", "2"]).expect(0, &[]);
    assert!(ended.out.contains("4 trials: 4 done; "), "{}", ended.out);
    assert_eq!(compared(&place), 3);
}

#[test]
fn what_differs_from_the_start_is_not_shared() {
    for (from, to) in [
        // A state of the pruner that differs before it prunes.
        (
            "{ name = \"random\", set = {",
            "{ name = \"random\", set = { \"plugins.prune.groups\" = \"encoder.res*\",",
        ),
        (
            "{ name = \"random\", set = {",
            "{ name = \"random\", set = { \"plugins.taylor.every\" = \"3 steps\",",
        ),
        (
            "{ name = \"random\", set = {",
            "{ name = \"random\", set = { \"schedule.peak\" = 1e-3,",
        ),
    ] {
        let (place, file) = place(&format!("{TINY}{PRUNED}"), &PRUNING.replace(from, to));
        let ended = sweep(&place, &file, &["--dry-run"]).expect(0, &[]);
        for part in [
            "  random,fraction=0.2\n",
            "  random,fraction=0.5 (from random,fraction=0.2 at epoch 2)\n",
            "  taylor,fraction=0.2 (from magnitude,fraction=0.2 at epoch 2)\n",
        ] {
            assert!(ended.out.contains(part), "no {part:?} in\n{}", ended.out);
        }
    }
    let none = PRUNING.replace(
        "set = { epochs = 5,",
        "set = { epochs = 5, \"checkpoints.every\" = 5,",
    );
    let (place, file) = place(&format!("{TINY}{PRUNED}"), &none);
    sweep(&place, &file, &["--dry-run"])
        .expect(0, &["fork: no two trials are known to be the same"]);
}
