//! The example of an existing burn program runs, and what it gains is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../crates/afterimage/examples/own_training/main.rs"]
mod own_training;

use std::fs;
use std::path::Path;

/// The bytes of all TensorBoard files in `folder`.
fn events(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).expect("the TensorBoard folder is there");
    let paths = files.map(|file| file.unwrap().path());
    let events = paths.filter(|path| path.to_str().unwrap().contains("events.out.tfevents"));
    events.flat_map(|path| fs::read(path).unwrap()).collect()
}

fn holds(bytes: &[u8], tag: &str) -> bool {
    bytes
        .windows(tag.len())
        .any(|window| window == tag.as_bytes())
}

#[test]
fn an_existing_program_gains_unitmem_and_tensorboard() {
    let place = tempfile::tempdir().unwrap();
    let result = own_training::train(place.path(), 3);
    assert!(result.interrupted.is_none() && result.error.is_none());

    let events = events(&place.path().join("tensorboard"));
    for tag in [
        "unitmem_streaming/mean/train/encoder.conv1",
        "unitmem_streaming/mean/train/encoder.conv2",
        "loss/train",
        "lr",
    ] {
        assert!(holds(&events, tag), "no {tag} in TensorBoard's files");
    }
    // burn's own metrics are kept as they were, for training and validation.
    for split in ["train", "valid"] {
        for metric in ["Loss", "Accuracy"] {
            let log = place.path().join(format!("{split}/epoch-3/{metric}.log"));
            let text =
                fs::read_to_string(&log).unwrap_or_else(|e| panic!("{}: {e}", log.display()));
            assert!(!text.trim().is_empty(), "{}", log.display());
        }
    }
}
