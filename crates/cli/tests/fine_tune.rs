//! Fine-tuning: what starts where, what is trained, and what is frozen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::path::Path;

use afterimage::train::read_model;
use run::{
    Place, TINY, afterimage, assert_same, call, checkpoints, ends, finish, last_checkpoint, plugin,
    resume, swept, tiny_pair,
};

/// Tensors of the encoder at `place` in a checkpoint, by their path in the encoder.
fn encoder(checkpoint: &Path, place: &str) -> BTreeMap<String, Vec<u8>> {
    let record = read_model(checkpoint).unwrap();
    let bytes = burn::tensor::Bytes::from_bytes_vec(record);
    let reader = burn_pack::Reader::from_bytes(bytes).unwrap();
    let tensors = reader.into_tensors().unwrap().into_iter();
    tensors
        .map(|tensor| tensor.into_parts().unwrap())
        .map(|(name, _, _, _, bytes)| (name, bytes.to_vec()))
        .filter_map(|(name, bytes)| Some((name.strip_prefix(place)?.to_owned(), bytes)))
        .collect()
}

fn fine_tune(from: &Path, layers: &str) -> String {
    let from = from.display();
    format!("{TINY}\n[fine_tune]\nfrom = \"{from}\"\nlayers = {layers}\n")
        .replace("seed = 7", "seed = 8")
}

#[test]
fn frozen_layers_stay_to_the_bit_and_trained_ones_move() {
    let place = Place::new();
    let first = place.run("first", TINY, 0);
    let before = encoder(&last_checkpoint(&first), "encoder.");
    for (name, layers, trained) in [
        ("last", "\"last:2\"", vec!["res2a", "res2b"]),
        ("named", "[\"encoder.layer1\"]", vec!["layer1"]),
        ("none", "\"none\"", vec![]),
    ] {
        let run = place.run(name, &fine_tune(&first, layers), 0);
        let after = encoder(&last_checkpoint(&run), "encoder.");
        assert_eq!(before.len(), after.len());
        for (path, value) in &before {
            let block = path.split('.').next().unwrap();
            let moved = &after[path] != value;
            // The flag that says whether a norm gathers statistics is a setting, not a value.
            if !path.ends_with(".training") {
                assert_eq!(moved, trained.contains(&block), "{name}: {path}");
            }
        }
        // The optimizer keeps no state for what it does not train.
        let optimizer = last_checkpoint(&run).join("optimizer.bpk");
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&optimizer) < size(&last_checkpoint(&first).join("optimizer.bpk")));
    }
}

#[test]
fn fine_tuning_goes_on_after_an_interrupt_as_if_nothing_had_been() {
    let place = Place::new();
    let first = place.run("first", TINY, 0);
    let text = fine_tune(&first, "\"last:1\"") + &plugin("unitmem");
    let straight = place.run("straight", &text, 0);
    let cut = place.run("cut", &text, 0);
    // As after a kill behind the second epoch's checkpoint.
    let last = last_checkpoint(&cut);
    std::fs::remove_dir_all(&last).unwrap();
    assert!(!checkpoints(&cut).is_empty());
    // What it started from is not needed any more.
    std::fs::remove_dir_all(&first).unwrap();
    resume(&cut).expect(0, &[]);
    assert_same(&ends(&straight), &ends(&cut), "fine-tuning");
}

#[test]
fn layers_are_chosen_by_the_layermem_of_the_run_it_starts_from() {
    let place = Place::new();
    let pair = place.run("pair", &(tiny_pair() + &plugin("layermem")), 0);
    let before = encoder(&last_checkpoint(&pair), "encoder.");
    let run = place.run("top", &fine_tune(&pair, "\"top-delta-layermem:1\""), 0);
    let after = encoder(&last_checkpoint(&run), "encoder.");
    let mut moved: Vec<&str> = before
        .iter()
        .filter(|(path, value)| path.ends_with("conv.weight") && &after[*path] != *value)
        .map(|(path, _)| path.as_str())
        .collect();
    moved.dedup();
    assert_eq!(moved.len(), 1, "{moved:?}");
}

#[test]
fn both_encoders_of_a_pair_are_trained() {
    let place = Place::new();
    let first = place.run("first", TINY, 0);
    let from = format!("\n[fine_tune]\nfrom = \"{}\"\n", first.display());
    let pair = place.run("pair", &(tiny_pair() + &from), 0);
    let (before, after) = (last_checkpoint(&first), last_checkpoint(&pair));
    let (before, studied) = (encoder(&before, "encoder."), encoder(&after, "encoder."));
    let reference = encoder(&after, "reference.encoder.");
    for (path, value) in before.iter().filter(|(p, _)| p.ends_with("conv.weight")) {
        assert!(studied[path] != *value, "{path} of the encoder under study");
        assert!(reference[path] != *value, "{path} of its reference");
        assert!(reference[path] != studied[path], "{path} of both");
    }
}

#[test]
fn what_cannot_be_fine_tuned_is_told_before_anything_is_written() {
    let place = Place::new();
    let first = place.run("first", TINY, 0);
    for (name, text, words) in [
        (
            "many",
            fine_tune(&first, "\"last:9\""),
            vec!["fine_tune.layers", "at most 8"],
        ),
        (
            "unknown",
            fine_tune(&first, "[\"encoder.layer9\"]"),
            vec!["fine_tune.layers", "encoder.layer1.conv"],
        ),
        (
            "no-layermem",
            fine_tune(&first, "\"top-delta-layermem:1\""),
            vec!["layermem", "fine_tune.layermem"],
        ),
        (
            "nowhere",
            fine_tune(&place.path("nowhere"), "\"all\""),
            vec!["nowhere"],
        ),
        (
            "other",
            fine_tune(&first, "\"all\"").replace("width = 0.125", "width = 0.25"),
            vec!["fine_tune.from", "encoder"],
        ),
        (
            "word",
            fine_tune(&first, "\"top\""),
            vec!["fine_tune.layers", "last:N"],
        ),
    ] {
        let config = place.write(&format!("{name}.toml"), &text);
        let out = place.path(name);
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        let ended = finish(&mut command);
        assert_ne!(ended.code, Some(0), "{name}");
        let code = ended.code.unwrap();
        ended.expect(code, &words);
        assert!(!out.exists(), "{name} left something behind");
    }
}

#[test]
fn check_tells_what_a_run_would_start_from_where_it_is_there() {
    let place = Place::new();
    let first = place.run("first", TINY, 0);
    let check = |name: &str, from: &Path| {
        let config = place.write(&format!("{name}.toml"), &fine_tune(from, "\"all\""));
        call(["check".as_ref(), config.as_os_str()])
    };
    let told = check("there", &first).expect(0, &[]).out;
    assert!(
        told.contains("starts from ") && told.contains("epoch 3, step 30"),
        "{told}"
    );
    // A run that comes later is no mistake yet.
    let later = place.path("later");
    let told = check("later", &later).expect(0, &[]).out;
    let words = format!(
        "note: fine_tune.from: {}: there is no such run",
        later.display()
    );
    assert!(told.contains(&words), "{told}");
    // What is there and is no encoder will not become one.
    std::fs::create_dir(place.path("empty")).unwrap();
    let words = ["empty.toml:", "fine_tune.from", "neither a run nor one of"];
    check("empty", &place.path("empty")).expect(2, &words);
    let text = place.write("notes.txt", "no weights");
    check("text", &text).expect(2, &["text.toml:", "fine_tune.from", "notes.txt"]);
    let model = last_checkpoint(&first).join("model.bpk");
    std::fs::write(&model, "damaged").unwrap();
    let damaged = last_checkpoint(&first);
    check("damaged", &damaged).expect(1, &["model.bpk"]);
}

#[test]
fn a_sweep_tells_of_an_encoder_that_is_not_there() {
    let nowhere = fine_tune(Path::new("runs/nowhere"), "\"all\"");
    let text =
        "name = \"t\"\nconfig = \"tiny.toml\"\nmetric = { name = \"eval/knn\" }\nseeds = [1, 2]\n";
    let (place, file) = swept::place(&nowhere, text);
    let words = [
        "fine_tune.from: runs/nowhere: there is no such run",
        "(2 trials, the first is seed=1)",
    ];
    swept::sweep(&place, &file, &["--dry-run"]).expect(0, &words);
}
