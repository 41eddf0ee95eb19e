//! `afterimage probe`: runs, checkpoints and PyTorch weights, and what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::{Ended, Place, TINY, afterimage, assert_same, finish, last_checkpoint, plugin, records};

/// A ResNet-18 of width 1/32 in a file of PyTorch, with a head; see scripts/import_reference.py.
fn weights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/sequence.pt")
}

/// `probe` of `checkpoint` into the directory `out` of `place`.
fn probe(place: &Place, checkpoint: &Path, out: &str, arguments: &[&str]) -> Ended {
    finish(
        afterimage()
            .arg("probe")
            .arg(checkpoint)
            .arg("--out")
            .arg(place.path(out))
            .args(arguments),
    )
}

/// Few points of few images, for weights.
const SMALL: [&str; 6] = ["--data", "embedded", "--points", "20", "--views", "2"];

/// Fails the test if a refused command left anything at `out`.
fn assert_nothing(place: &Place, out: &str) {
    assert!(!place.path(out).exists(), "something was written");
    let partial = place.path(&format!(".{out}.partial"));
    assert!(!partial.exists(), "something was left beside");
}

/// Lines of `metrics.jsonl` about UnitMem at `step`.
fn scores(run: &Path, step: u64) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    text.lines()
        .filter(|line| line.contains("unitmem/") && line.contains(&format!("\"step\":{step},")))
        .filter(|line| !line.contains("turnover"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_probe_of_a_run_is_the_last_one_that_the_run_made() {
    let place = Place::new();
    let run = place.run("run", &(TINY.to_owned() + &plugin("unitmem")), 0);
    let ended = probe(&place, &run, "of-run", &[]).expect(0, &["probing the encoder"]);
    for words in [
        "ResNet-9 of width 0.125 of the run \"tiny\", epoch 3, step 30",
        "Mean UnitMem by layer",
        "train − held-out",
        "encoder.res2b.act",
    ] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    let out = place.path("of-run");
    for file in ["report.html", "manifest.json", "config.toml", "tensorboard"] {
        assert!(out.join(file).exists(), "{file}");
    }
    assert!(!place.path(".of-run.partial").exists());
    for step in [0, 30] {
        let (ours, theirs) = (scores(&out, step), scores(&run, step));
        assert!(theirs.len() > 20, "{theirs:?}");
        assert_eq!(ours, theirs, "step {step}");
    }
    let units = "tables/unitmem.units";
    let rows = |run: &Path| fs::read(run.join(units).join("epoch-0003.parquet")).expect("a table");
    assert_eq!(rows(&out), rows(&run));

    // The checkpoint's folder and its model file say the same.
    let last = last_checkpoint(&run);
    probe(&place, &last, "of-checkpoint", &[]).expect(0, &[]);
    probe(&place, &last.join("model.bpk"), "of-file", &[]).expect(0, &[]);
    for other in ["of-checkpoint", "of-file"] {
        assert_same(&records(&out), &records(&place.path(other)), other);
    }

    // Its own settings, written back, go over those of the run and change nothing.
    let config = out.join("config.toml");
    let again = ["--config", config.to_str().unwrap()];
    probe(&place, &run, "again", &again).expect(0, &[]);
    assert_same(&records(&out), &records(&place.path("again")), "again");

    let record = last.join("model.bpk");
    let mut bytes = fs::read(&record).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&record, bytes).unwrap();
    probe(&place, &last, "damaged", &[]).expect(1, &["model.bpk", "do not match their hash"]);
    assert_nothing(&place, "damaged");
}

#[test]
fn weights_of_pytorch_are_probed_on_images_that_the_flags_name() {
    let place = Place::new();
    let features = place.path("features.npy");
    let flags = ["--features", features.to_str().unwrap(), "--json"];
    let ended = probe(&place, &weights(), "out", &[&SMALL[..], &flags].concat()).expect(0, &[]);
    for words in [
        "ResNet-18 of width 0.03125 with the stem for small images, 3 channels",
        "layout resnet-sequence below \"state_dict.backbone\"",
        "left out:   state_dict (2 tensors)",
        "the images are gray",
        "encoder.layer4.1.act",
        "\"unitmem/mean/train/all\"",
    ] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    let config = fs::read_to_string(place.path("out/config.toml")).unwrap();
    for words in ["mean = [0.485", "convolution = \"direct\"", "points = 20"] {
        assert!(config.contains(words), "no {words:?} in\n{config}");
    }
    let bytes = fs::read(&features).unwrap();
    assert!(bytes.starts_with(b"\x93NUMPY\x01\x00"));
    let header = String::from_utf8_lossy(&bytes[..128]);
    assert!(header.contains("'shape': (40, 16)"), "{header}");
    assert_eq!(bytes.len(), 128 + 40 * 16 * 4);

    // A second probe into the same place is refused, and the first one stays.
    let before = records(&place.path("out"));
    probe(&place, &weights(), "out", &SMALL).expect(1, &["is there already", "--out"]);
    assert_same(&before, &records(&place.path("out")), "after the refusal");
}

#[test]
fn a_config_sets_views_and_their_normalisation() {
    let place = Place::new();
    let text = "seed = 3\n[data]\nkind = \"embedded\"\n[limits]\ntrain = 100\nheld_out = 50\n\
                [views]\npreset = \"simclr\"\nnormalize = { mean = [0.1, 0.2, 0.3], std = [1.0] }\n\
                [unitmem]\npoints = 10\nviews = 1\n";
    let config = place.write("probe.toml", text);
    let arguments = ["--config", config.to_str().unwrap()];
    probe(&place, &weights(), "out", &arguments).expect(2, &["views.normalize.mean"]);
    assert_nothing(&place, "out");
    let config = place.write("probe.toml", &text.replace("[1.0]", "[1.0, 1.0, 1.0]"));
    let arguments = ["--config", config.to_str().unwrap()];
    probe(&place, &weights(), "out", &arguments).expect(0, &[]);
    let resolved = fs::read_to_string(place.path("out/config.toml")).unwrap();
    assert!(resolved.contains("preset = \"simclr\""), "{resolved}");
    // A flag goes over the file.
    let flag = [&arguments[..], &["--normalize", "half"]].concat();
    probe(&place, &weights(), "half", &flag).expect(0, &[]);
    let resolved = fs::read_to_string(place.path("half/config.toml")).unwrap();
    assert!(resolved.contains("mean = [0.5]"), "{resolved}");

    let config = place.write(
        "wrong.toml",
        &text.replace("views = 1", "views = 0\nevrey = 1"),
    );
    let arguments = ["--config", config.to_str().unwrap()];
    let line = format!("{}:13: unitmem.evrey: unknown key", config.display());
    probe(&place, &weights(), "out2", &arguments).expect(2, &[&line, "did you mean `every`"]);
    assert_nothing(&place, "out2");
}

#[test]
fn files_that_are_no_weights_are_refused_before_anything_is_written() {
    let place = Place::new();
    let bytes = fs::read(weights()).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        fs::write(place.path(name), bytes).unwrap();
        place.path(name)
    };
    let refused = |checkpoint: &Path, flags: &[&str], code: i32, words: &[&str]| {
        probe(&place, checkpoint, "out", &[&SMALL[..], flags].concat()).expect(code, words);
        assert_nothing(&place, "out");
    };
    refused(&place.path("none.pt"), &[], 1, &["none.pt"]);
    let text = file("text.pt", b"not weights");
    refused(
        &text,
        &[],
        1,
        &["text.pt", "cannot be read as weights of PyTorch"],
    );
    let half = file("half.pt", &bytes[..bytes.len() / 2]);
    refused(
        &half,
        &[],
        1,
        &["half.pt", "cannot be read as weights of PyTorch"],
    );
    let vit = ["--layout", "vit"];
    refused(
        &weights(),
        &vit,
        1,
        &[
            "an encoder of layout vit was not found",
            "blocks.0.attn.qkv",
        ],
    );
    let wrong = ["--layout", "restnet"];
    refused(
        &weights(),
        &wrong,
        2,
        &["there is no layout \"restnet\"", "resnet-sequence"],
    );
    let nowhere = ["--prefix", "model.backbone"];
    refused(
        &weights(),
        &nowhere,
        1,
        &["below \"model.backbone\"", "was not found"],
    );
    refused(
        &place.path(""),
        &[],
        1,
        &["neither a run nor one of its checkpoints"],
    );

    // A ResNet-18 of which only the first convolutions are there, one of them with a wrong shape.
    let mut header = String::from(
        "{\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[2,3,3,3],\"data_offsets\":[0,216]}",
    );
    for block in 0..8 {
        let key = format!("layer{}.{}.conv1.weight", block / 2 + 1, block % 2);
        header += &format!(
            ",\"{key}\":{{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[{},{}]}}",
            216 + 4 * block,
            220 + 4 * block
        );
    }
    header += "}";
    let mut safe = (header.len() as u64).to_le_bytes().to_vec();
    safe.extend_from_slice(header.as_bytes());
    safe.extend_from_slice(&[0; 248]);
    let shapes = file("shapes.safetensors", &safe);
    refused(
        &shapes,
        &[],
        1,
        &[
            "not those of a ResNet-18",
            "missing: bn1.weight, bn1.bias",
            "and 81 more",
            "layer1.0.conv1.weight is [1] in place of [2, 2, 3, 3]",
        ],
    );
}

#[test]
fn images_that_do_not_fit_are_refused_before_anything_is_written() {
    let place = Place::new();
    let refused = |flags: &[&str], code: i32, words: &[&str]| {
        probe(&place, &weights(), "out", flags).expect(code, words);
        assert_nothing(&place, "out");
    };
    refused(&[], 2, &["--data KIND:PATH", "--config"]);
    refused(
        &["--data", "mnist:x"],
        2,
        &["--data mnist:x", "cifar10:DIR"],
    );
    refused(
        &["--data", "cifar10:no/such/folder"],
        1,
        &["no/such/folder"],
    );
    let many = ["--data", "embedded", "--points", "2000"];
    refused(
        &many,
        2,
        &["6000 training and 1000 held-out", "lower --points"],
    );
    refused(
        &["--data", "embedded", "--points", "1"],
        2,
        &["unitmem.points"],
    );
    refused(
        &["--data", "embedded", "--normalize", "cifar"],
        2,
        &["imagenet"],
    );
    let config = place.path("no.toml");
    refused(
        &["--config", config.to_str().unwrap()],
        2,
        &["no.toml", "no such file"],
    );
}
