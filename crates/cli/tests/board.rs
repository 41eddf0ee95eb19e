//! What a run leaves for TensorBoard: groups of cards, times, its settings, and the plugin `watch`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use afterimage::track::{ScalarLine, read_scalars};
use run::{EPOCH, Place, TINY, plugin};

fn lines(run: &Path, file: &str) -> Vec<ScalarLine> {
    read_scalars(&run.join(file)).expect("lines")
}

/// The bytes of all event files of a run.
fn events(run: &Path) -> Vec<u8> {
    let entries = fs::read_dir(run.join("tensorboard")).expect("a folder");
    let files = entries.map(|entry| entry.expect("an entry").path());
    files.flat_map(|file| fs::read(file).unwrap()).collect()
}

fn holds(bytes: &[u8], word: &str) -> bool {
    bytes
        .windows(word.len())
        .any(|part| part == word.as_bytes())
}

#[test]
fn a_run_tells_its_times_its_settings_and_its_weights() {
    let place = Place::new();
    let text = TINY.to_owned() + &plugin("unitmem") + &plugin("watch");
    let run = place.run("run", &text, 0);

    let timings = lines(&run, "timings.jsonl");
    for tag in [
        "time/images_per_second",
        "time/epoch",
        "time/plugins/unitmem",
        "time/plugins/watch",
    ] {
        let found: Vec<&ScalarLine> = timings.iter().filter(|line| line.tag == tag).collect();
        let steps: Vec<u64> = found.iter().map(|line| line.step).collect();
        assert_eq!(steps, [EPOCH, 2 * EPOCH, 3 * EPOCH], "{tag}");
        assert!(found.iter().all(|line| line.value.0 > 0.0), "{tag}");
    }
    let metrics = lines(&run, "metrics.jsonl");
    assert!(metrics.iter().all(|line| !line.tag.starts_with("time/")));

    let of = |tag: &str| -> Vec<(u64, f64)> {
        let found = metrics.iter().filter(|line| line.tag == tag);
        found.map(|line| (line.step, line.value.0)).collect()
    };
    let steps = |tag: &str| -> Vec<u64> { of(tag).iter().map(|(step, _)| *step).collect() };
    assert_eq!(
        steps("watch/norm/parameters/all"),
        [0, 4, 8, 12, 16, 20, 24, 28]
    );
    assert_eq!(steps("watch/norm/updates/all"), [4, 8, 12, 16, 20, 24, 28]);
    for (step, ratio) in of("watch/ratio/all") {
        assert!(ratio > 0.0 && ratio < 0.5, "step {step}: {ratio}");
    }
    // All three are told of every layer.
    let layers = |what: &str| -> BTreeSet<String> {
        let prefix = format!("watch/norm/{what}/");
        let tags = metrics
            .iter()
            .filter_map(|line| line.tag.strip_prefix(&prefix));
        tags.map(str::to_owned).collect()
    };
    assert!(layers("parameters").len() > 10);
    assert_eq!(layers("parameters"), layers("gradients"));
    assert_eq!(layers("parameters"), layers("updates"));

    let events = events(&run);
    for word in [
        "1 training/loss/step",
        "2 memorization/unitmem/mean/train/all",
        "3 memorization by layer/unitmem/mean/train/encoder.",
        "5 weights/watch/gradients/encoder.",
        "7 time/time/images_per_second",
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
        "plugins.unitmem.points",
    ] {
        assert!(holds(&events, word), "no {word:?} in the event files");
    }
}
