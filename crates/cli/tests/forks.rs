//! Trials of a sweep that begin at a checkpoint of another one: the bytes of runs of their own.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use run::swept::{self, sweep};
use run::{Place, TINY, afterimage, finish};

const PRUNED: &str = "\n[[plugins]]\nkind = \"unitmem\"\nevery = \"1 epochs\"\npoints = 20\nviews = 2\n\
                      [[plugins]]\nkind = \"magnitude\"\n[[plugins]]\nkind = \"random-scores\"\n\
                      [[plugins]]\nkind = \"taylor\"\nevery = \"2 steps\"\n\
                      [[plugins]]\nkind = \"prune\"\nscore = \"magnitude\"\ncompact = \"at_end\"\n\
                      schedule = { kind = \"at_epochs\", epochs = [3], shares = [1.0] }\n";
const PRUNING: &str = r#"name = "t"
config = "tiny.toml"
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
config = "tiny.toml"
fork = true
metric = { name = "loss/train", direction = "minimize" }
set = { epochs = 5 }
grid = { "plugins.coreset.fraction" = [0.4, 0.6] }
arms = [
    { name = "facility" },
    { name = "gated", set = { "plugins.coreset.gate" = { threshold = 0.4 } } },
]
"#;

/// What TensorBoard shows of a run: its events without their times, and how often it has the words of a session.
fn shown(run: &Path) -> (Vec<Vec<u8>>, usize) {
    let files = run::files_under(&run.join("tensorboard"));
    let mut events = Vec::new();
    let mut sessions = 0;
    let holds = |event: &[u8], word: &str| event.windows(word.len()).any(|w| w == word.as_bytes());
    // In the order of their names, as TensorBoard reads them.
    for bytes in files.values() {
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            // Behind the time: the step, where it is not 0, and what happened.
            let event = rest[12 + 9..12 + length].to_vec();
            rest = &rest[12 + length + 4..];
            sessions += usize::from(holds(&event, "_hparams_/session_start_info"));
            let behind = match event.first() {
                Some(0x10) => 2 + event[1..].iter().take_while(|byte| **byte >= 0x80).count(),
                _ => 0,
            };
            let is_measured = event.get(behind) == Some(&0x2a);
            let other = ["_hparams_/", "/time/"];
            if is_measured && !other.iter().any(|word| holds(&event, word)) {
                events.push(event);
            }
        }
    }
    (events, sessions)
}

/// Runs every trial's config from its start, and compares all that both leave. Gives how many trials
/// trained less than all steps.
fn compared(place: &Place) -> usize {
    let mut less = 0;
    for entry in fs::read_dir(place.path("a sweep/configs")).unwrap() {
        let config = entry.unwrap().path();
        let name = config.file_stem().unwrap().to_str().unwrap().to_owned();
        let (own, straight) = (place.path("a sweep/trials").join(&name), place.path(&name));
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
        let (theirs, ours) = (shown(&straight), shown(&own));
        assert_eq!(ours.1, 1, "{name}: sessions");
        assert_eq!(theirs.0.len(), ours.0.len(), "{name}: events");
        assert!(theirs.0 == ours.0, "{name}: TensorBoard shows others");
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
    let (place, file) = swept::place(&format!("{TINY}{PRUNED}"), PRUNING);
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
            .contains("8 trials: 8 done; 7 began at a checkpoint of another, which saved ")
            && ended.out.contains(" seconds\n"),
        "{}",
        ended.out
    );
    assert!(!place.path("a sweep/forks").exists());
    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path("a sweep/sweep.json")).unwrap()).unwrap();
    let forked = &json["trials"][1]["forked"];
    assert_eq!(forked["from"], "magnitude,fraction=0.2");
    assert!(forked["seconds_saved"].as_f64().unwrap() > 0.0);
    assert_eq!(compared(&place), 7);
}

#[test]
fn coresets_share_their_warm_up_and_a_killed_sweep_still_ends_with_the_same_bytes() {
    let base = run::supervised() + CHOSEN;
    let (place, file) = swept::place(&base, CHOOSING);
    let mut child = swept::at_work(&place, &file);
    let patience = Instant::now() + Duration::from_secs(300);
    let begun = || {
        let ledger = fs::read_to_string(place.path("a sweep/ledger.jsonl")).unwrap_or_default();
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
        let (place, file) = swept::place(&format!("{TINY}{PRUNED}"), &PRUNING.replace(from, to));
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
    let (place, file) = swept::place(&format!("{TINY}{PRUNED}"), &none);
    sweep(&place, &file, &["--dry-run"])
        .expect(0, &["fork: no two trials are known to be the same"]);
}
