//! `afterimage probe`: runs, checkpoints and PyTorch weights, and what it refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::probed::{probe, scalars};
use run::{Place, TINY, assert_nothing, assert_same, last_checkpoint, plugin, records};

/// A ResNet-18 of width 1/32 in a file of PyTorch, with a head; see scripts/import_reference.py.
fn weights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/sequence.pt")
}

/// Few points of few images, for weights.
const SMALL: [&str; 6] = ["--data", "embedded", "--points", "20", "--views", "2"];

/// What compares with earlier probes, of which a run has more: words in tags and columns.
const HISTORY: [&str; 3] = ["turnover", "streak", "since"];

/// Lines of `metrics.jsonl` at `step` about `score`, without what compares with earlier probes.
fn scores(run: &Path, step: u64, score: &str) -> Vec<String> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let at = format!("\"step\":{step},");
    text.lines()
        .filter(|line| line.contains(&format!("\"{score}/")) && line.contains(&at))
        .filter(|line| !HISTORY.iter().any(|word| line.contains(word)))
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
        let (ours, theirs) = (scores(&out, step, "unitmem"), scores(&run, step, "unitmem"));
        assert!(theirs.len() > 20, "{theirs:?}");
        assert_eq!(ours, theirs, "step {step}");
    }
    let units = |run: &Path| {
        let path = run.join("tables/unitmem.units/epoch-0003.parquet");
        let table = afterimage::track::read_table(&path).expect("a table");
        let columns = table.columns.into_iter();
        columns
            .filter(|(name, _)| !HISTORY.iter().any(|word| name.contains(word)))
            .map(|(name, column)| format!("{name} {column:?}"))
            .collect::<Vec<String>>()
    };
    assert!(units(&run).len() > 8);
    assert_eq!(units(&out), units(&run));

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
fn flags_that_could_do_nothing_are_refused() {
    let place = Place::new();
    let run = place.path("run");
    fs::create_dir(&run).unwrap();
    for flags in [["--layout", "vit"], ["--prefix", "student"]] {
        probe(&place, &run, "out", &flags).expect(2, &["--layout and --prefix", "leave them out"]);
    }
    let nowhere = place.path("no/such/features.npy");
    let flags = ["--features", nowhere.to_str().unwrap()];
    let words = ["features.npy: this is a folder, or lies in none"];
    probe(&place, &weights(), "out", &[&SMALL[..], &flags].concat()).expect(2, &words);
    assert_nothing(&place, "out");
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
        "left out:   state_dict.projection_head (2 tensors)",
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
    probe(&place, &weights(), "out", &SMALL).expect(2, &["is there already", "--out"]);
    assert_same(&before, &records(&place.path("out")), "after the refusal");
}

/// A vision transformer of one block for 8×8 images in a safetensors file, all values equal.
fn transformer(place: &Place) -> PathBuf {
    const WIDTH: usize = 192;
    let mut keys = vec![
        ("cls_token".to_owned(), vec![1, 1, WIDTH]),
        ("pos_embed".to_owned(), vec![1, 5, WIDTH]),
        ("patch_embed.proj.weight".to_owned(), vec![WIDTH, 3, 4, 4]),
    ];
    for (layer, inputs, outputs) in [
        ("attn.qkv", WIDTH, 3 * WIDTH),
        ("attn.proj", WIDTH, WIDTH),
        ("mlp.fc1", WIDTH, 4 * WIDTH),
        ("mlp.fc2", 4 * WIDTH, WIDTH),
    ] {
        keys.push((format!("blocks.0.{layer}.weight"), vec![outputs, inputs]));
        keys.push((format!("blocks.0.{layer}.bias"), vec![outputs]));
    }
    for norm in ["blocks.0.norm1", "blocks.0.norm2", "norm"] {
        keys.push((format!("{norm}.weight"), vec![WIDTH]));
        keys.push((format!("{norm}.bias"), vec![WIDTH]));
    }
    keys.push(("patch_embed.proj.bias".to_owned(), vec![WIDTH]));
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (key, shape) in keys {
        let start = data.len();
        for _ in 0..shape.iter().product::<usize>() {
            data.extend_from_slice(&0.01f32.to_le_bytes());
        }
        let entry = serde_json::json!({
            "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()],
        });
        header.insert(key, entry);
    }
    let header = serde_json::to_string(&header).unwrap();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&data);
    let path = place.path("vit.safetensors");
    fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn a_transformer_brings_its_size_and_a_map_for_its_activations() {
    let place = Place::new();
    let vit = transformer(&place);
    let ended = probe(&place, &vit, "out", &SMALL).expect(0, &[]);
    for words in [
        "1 block, patches of 4 pixels and positions for 8×8",
        "encoder.blocks.0.act",
    ] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    let config = fs::read_to_string(place.path("out/config.toml")).unwrap();
    for words in ["map = \"relu\"", "size = 8"] {
        assert!(config.contains(words), "no {words:?} in\n{config}");
    }
    let larger = [&SMALL[..], &["--size", "12"]].concat();
    let ended = probe(&place, &vit, "larger", &larger).expect(0, &[]);
    assert!(ended.out.contains("interpolated to 12×12"), "{}", ended.out);
    let uneven = [&SMALL[..], &["--size", "10"]].concat();
    probe(&place, &vit, "uneven", &uneven).expect(2, &["`patch = 4`", "10 pixels"]);
    assert_nothing(&place, "uneven");
}

#[test]
fn units_without_a_score_are_told() {
    let place = Place::new();
    let norms = [&SMALL[..], &["--set", "unitmem.kinds=[\"norm\"]"]].concat();
    let ended = probe(&place, &weights(), "out", &norms).expect(0, &[]);
    let words = "units have no UnitMem, since their activations are negative on average";
    assert!(ended.out.contains(words), "{}", ended.out);
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
    let missing = [
        "none.pt: there is no such file or folder",
        "a run directory, a checkpoint of one, or a file of PyTorch weights",
    ];
    refused(&place.path("none.pt"), &[], 1, &missing);
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
    refused(
        &["--data", "embedded", "--views", "100000000"],
        2,
        &["unitmem.views", "too many"],
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

#[test]
fn the_probe_of_a_pair_is_the_last_one_that_the_run_made() {
    let place = Place::new();
    let text = TINY.to_owned()
        + "\n[pair]\ncandidates = 40\n"
        + &plugin("unitmem")
        + "\n[[plugins]]\nkind = \"layermem\"\npoints = 12\nviews = 2\n"
        + "\n[[plugins]]\nkind = \"alignment-gap\"\npoints = 12\nviews = 2\n";
    let run = place.run("run", &text, 0);
    let ended = probe(&place, &run, "out", &[]).expect(0, &[]);
    for words in [
        "LayerMem by layer",
        "calibrated",
        "Alignment gap by layer",
        "embedding",
    ] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    let last = *run::checkpoints(&run).last().unwrap();
    for score in ["unitmem", "layermem", "alignment"] {
        let (ours, theirs) = (
            scores(&place.path("out"), last, score),
            scores(&run, last, score),
        );
        assert!(theirs.len() > 20, "{score}: {theirs:?}");
        assert_eq!(ours, theirs, "{score}");
    }
}

#[test]
fn layermem_of_two_checkpoints_is_negated_when_they_change_places() {
    let place = Place::new();
    let one = place.run("one", TINY, 0);
    let two = place.run("two", &TINY.replace("seed = 7", "seed = 8"), 0);
    let flags = |reference: &Path| {
        let reference = reference.to_str().unwrap().to_owned();
        let text = "--json --alignment --points 20 --views 1 --set seed=7 --set layermem.points=10 \
                    --set layermem.views=2 --set alignment.points=10 --reference";
        let words = text.split_whitespace().map(str::to_owned);
        words.chain([reference]).collect::<Vec<String>>()
    };
    let means = |out: &str, studied: &Path, reference: &Path| {
        let flags = flags(reference);
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let ended = probe(&place, studied, out, &flags).expect(0, &[]);
        assert!(!scalars(&ended, "alignment/gap/").is_empty());
        scalars(&ended, "layermem/mean/candidates/")
    };
    let there = means("there", &one, &two);
    let back = means("back", &two, &one);
    assert!(there.len() > 20, "{there:?}");
    assert!(there.values().any(|mean| mean.abs() > 1e-3), "{there:?}");
    for (tag, mean) in &there {
        assert!(
            (mean + back[tag]).abs() < 1e-9,
            "{tag}: {mean} {}",
            back[tag]
        );
    }
    let same = means("same", &one, &one);
    assert!(same.values().all(|mean| *mean == 0.0), "{same:?}");

    let other = place.run("other", &TINY.replace("width = 0.125", "width = 0.0625"), 0);
    let arguments = ["--points", "20", "--reference", other.to_str().unwrap()];
    let words = [
        "ResNet-9 of width 0.0625",
        "not of the architecture",
        "ResNet-9 of width 0.125",
    ];
    probe(&place, &one, "out", &arguments).expect(2, &words);
    assert_nothing(&place, "out");
}
