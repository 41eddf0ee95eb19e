//! Numbers that went wrong are told where they are met, and not passed on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::path::Path;

use run::{Ended, Place, TINY, afterimage, finish, last_checkpoint};

fn start(place: &Place, name: &str, text: &str, settings: &[&str]) -> Ended {
    let config = place.write(&format!("{name}.toml"), text);
    let mut command = afterimage();
    command.arg("run").arg(config);
    command.arg("--out").arg(place.path(name));
    settings.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    finish(&mut command)
}

fn of(place: &Place, command: &str, checkpoint: &Path, out: &str) -> Ended {
    finish(
        afterimage()
            .arg(command)
            .arg(checkpoint)
            .arg("--out")
            .arg(place.path(out)),
    )
}

/// A run that diverged leaves weights that are no numbers; whoever starts from them is told.
#[test]
fn weights_of_a_run_that_diverged_are_refused_by_name() {
    let place = Place::new();
    let settings = [
        "optimizer.kind=sgd",
        "schedule.peak=1e38",
        "schedule.warmup_epochs=0",
    ];
    start(&place, "run", TINY, &settings).expect(4, &["checkpoints"]);
    let run = place.path("run");
    let last = last_checkpoint(&run);
    let words = [
        "model.bpk",
        "weights that are not finite",
        "encoder.",
        "the first at [",
    ];
    for checkpoint in [&run, &last] {
        of(&place, "probe", checkpoint, "probe").expect(1, &words);
        of(&place, "compact", checkpoint, "compact").expect(1, &words);
    }
    let from = last.display();
    let text = format!("{TINY}\n[fine_tune]\nfrom = \"{from}\"\n").replace("seed = 7", "seed = 8");
    let ended = start(&place, "fine", &text, &[]);
    assert!(!format!("{ended:?}").contains("schedule.peak"), "{ended:?}");
    ended.expect(2, &words);
}
