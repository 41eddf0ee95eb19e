//! `afterimage export`: the encoder of a run for other programs, read back by `probe`, and what it
//! refuses.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use afterimage::hooks::Column;
use afterimage::model::{EncoderConfig, ResNetConfig, save_state_dict};
use afterimage::track::read_table;
use burn::tensor::Device;
use run::{Ended, Place, TINY, afterimage, assert_nothing, finish, last_checkpoint};

/// A run of two steps on few images.
fn short(encoder: &str) -> String {
    let text = TINY
        .replace("epochs = 3", "epochs = 1")
        .replace("train = 320", "train = 32")
        .replace("held_out = 100", "held_out = 20")
        .replace("batch_size = 32", "batch_size = 16")
        .replace("kind = \"resnet9\"\nwidth = 0.125", encoder);
    assert!(text.contains(encoder));
    text + "\n[evaluation]\nevery = 0\n"
}

/// `export` of `checkpoint` into the directory `out` of `place`.
fn export(place: &Place, checkpoint: &Path, out: &str, arguments: &[&str]) -> Ended {
    finish(
        afterimage()
            .arg("export")
            .arg(checkpoint)
            .arg("--out")
            .arg(place.path(out))
            .args(arguments),
    )
}

/// `select` of four rows of `file` into the folder `out` of `place`.
fn select(place: &Place, file: &Path, out: &str, more: &[&str]) -> Ended {
    let mut command = afterimage();
    command.arg("select").arg(file).args(["--count", "4"]);
    finish(command.args(more).arg("--out").arg(place.path(out)))
}

/// UnitMem's scalars and the embeddings of ten points of each split, as `probe` of `encoder` has them.
fn probed(place: &Place, encoder: &Path, out: &str, config: Option<&Path>) -> (String, Vec<u8>) {
    let features = place.path(&format!("{out}.npy"));
    let mut command = afterimage();
    command
        .arg("probe")
        .arg(encoder)
        .arg("--out")
        .arg(place.path(out));
    command.args(["--points", "10", "--views", "2", "--json", "--features"]);
    command.arg(&features);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let ended = finish(&mut command).expect(0, &[]);
    let last = ended.out.lines().last().unwrap();
    let result: serde_json::Value = serde_json::from_str(last).unwrap();
    let metrics = result["metrics"].as_object().unwrap();
    let scores: BTreeMap<&String, String> = metrics
        .iter()
        .filter(|(tag, _)| tag.starts_with("unitmem/"))
        .map(|(tag, value)| (tag, value.to_string()))
        .collect();
    assert!(scores.len() > 20, "{scores:?}");
    (format!("{scores:#?}"), fs::read(features).unwrap())
}

/// Exports the run of `encoder` for `layout`, and compares its probe with that of the export.
fn goes_round(encoder: &str, layout: &str, words: &[&str]) {
    let place = Place::new();
    let run = place.run("run", &short(encoder), 0);
    let ended = export(&place, &run, "out", &["--layout", layout]).expect(0, &[]);
    for words in words {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    let out = place.path("out");
    let facts = fs::read_to_string(out.join("preprocessing.json")).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
    assert_eq!(facts["mean"], serde_json::json!([0.5]));
    assert_eq!(facts["size"], serde_json::json!([28, 28]));
    assert_eq!(facts["channel_order"], "gray");
    let loader = fs::read_to_string(out.join("load.py")).unwrap();
    assert!(
        loader.contains(&format!("import {layout}")) || loader.contains(&format!("from {layout}"))
    );

    let ours = probed(&place, &run, "of-run", None);
    let weights = out.join("encoder.safetensors");
    let theirs = probed(&place, &weights, "of-export", Some(&out.join("probe.toml")));
    assert_eq!(ours.0, theirs.0);
    assert!(ours.1 == theirs.1, "embeddings differ");
}

#[test]
fn a_resnet_of_torchvision_says_what_the_run_says() {
    let words = [
        "torchvision (resnet18)",
        "the mean over the last map, 512 numbers",
        "100 tensors",
    ];
    goes_round("kind = \"resnet\"\ndepth = 18", "torchvision", &words);
}

#[test]
fn a_transformer_of_timm_says_what_the_run_says() {
    let words = [
        "timm (vit_tiny_patch16_224)",
        "the class token",
        "192 numbers",
    ];
    goes_round("kind = \"vit\"\npatch = 7\ndepth = 1", "timm", &words);
}

#[test]
fn an_encoder_that_no_library_has_is_refused_or_keeps_its_names() {
    let place = Place::new();
    let run = place.run("run", &short("kind = \"resnet9\"\nwidth = 0.125"), 0);
    for layout in ["torchvision", "timm"] {
        let words = [
            "has no ResNet-9",
            "`--layout safetensors` takes any encoder",
        ];
        export(&place, &run, "out", &["--layout", layout]).expect(2, &words);
        assert_nothing(&place, "out");
    }
    export(&place, &run, "out", &["--layout", "onnx"]).expect(2, &["there is no layout", "timm"]);
    let arguments = ["--layout", "safetensors", "--embeddings", "npy"];
    export(&place, &run, "out", &arguments).expect(0, &["embedding 52 images"]);
    let out = place.path("out");
    let ours = probed(&place, &run, "of-run", None);
    let theirs = probed(&place, &out, "of-export", None);
    assert!(ours == theirs, "probes differ:\n{}\n{}", ours.0, theirs.0);

    let bytes = fs::read(out.join("embeddings.npy")).unwrap();
    let header = String::from_utf8_lossy(&bytes[..128]);
    assert!(header.contains("'shape': (52, 32)"), "{header}");
    let samples = read_table(&out.join("samples.parquet")).unwrap();
    assert_eq!(samples, read_table(&run.join("samples.parquet")).unwrap());

    // What is there is kept, and a checkpoint says the same as its run.
    export(&place, &run, "out", &arguments).expect(2, &["is there already", "--out"]);
    export(&place, &last_checkpoint(&run), "again", &arguments).expect(0, &[]);
    for name in [
        "encoder.safetensors",
        "embeddings.npy",
        "arch.json",
        "load.py",
    ] {
        let [one, other] = ["out", "again"].map(|o| fs::read(place.path(o).join(name)).unwrap());
        assert!(one == other, "{name} differs");
    }
    let arguments = ["--layout", "safetensors", "--embeddings", "parquet"];
    export(&place, &run, "parquet", &arguments).expect(0, &[]);
    let table = fs::read(place.path("parquet").join("embeddings.parquet")).unwrap();
    assert!(table.starts_with(b"PAR1") && table.ends_with(b"PAR1"));
    // Both hold training and held-out images: nothing is chosen out of both without a word.
    let held_out = "of 52 rows are held out (`held_out`)";
    let select = |file: &Path, name: &str, more: &[&str]| select(&place, file, name, more);
    let parquet = place.path("parquet/embeddings.parquet");
    let words = [
        "embeddings.parquet: column `split`: ",
        held_out,
        "--ignore split",
    ];
    select(&parquet, "coreset", &[]).expect(2, &words);
    assert_nothing(&place, "coreset");
    select(&parquet, "of-all", &["--ignore", "split"]).expect(0, &[]);
    let words = ["samples.parquet says that ", held_out];
    select(&out.join("embeddings.npy"), "of-array", &[]).expect(0, &words);
    let data = ["--layout", "safetensors", "--data", "embedded"];
    export(&place, &run, "refused", &data).expect(2, &["--embeddings"]);
    assert_nothing(&place, "refused");

    let units = place.write("units.json", "{\"encoder.prep\": [0, 1]}");
    let mut command = afterimage();
    command.arg("compact").arg(&run).arg("--prune").arg(&units);
    command.args(["--repeats", "1", "--batch", "2", "--out"]);
    finish(command.arg(place.path("compacted"))).expect(0, &[]);
    let readme = fs::read_to_string(out.join("README.md")).unwrap();
    for words in [
        "from where the run was started",
        &format!("afterimage probe {} --out PROBE", out.display()),
    ] {
        assert!(readme.contains(words), "no {words:?} in\n{readme}");
    }
    let compacted = place.path("compacted");
    let words = [
        "2 units of this encoder were taken out",
        "--layout safetensors",
    ];
    export(&place, &compacted, "refused", &["--layout", "timm"]).expect(2, &words);
    assert_nothing(&place, "refused");
    export(&place, &compacted, "small", &["--layout", "safetensors"]).expect(0, &[]);
    let weights = |folder: &Path| fs::read(folder.join("encoder.safetensors")).unwrap();
    assert!(
        weights(&compacted) == weights(&place.path("small")),
        "weights differ"
    );
}

#[test]
fn nothing_is_chosen_out_of_held_out_rows_of_a_csv_table_without_a_word() {
    let place = Place::new();
    let row = |at: u32| {
        let split = if at < 8 { "train" } else { "held_out" };
        format!("{split},{}.5,{}.25\n", at % 5, at * at % 7)
    };
    let rows: String = (0..12).map(row).collect();
    let table = place.write("embeddings.csv", &format!("split,e0,e1\n{rows}"));
    let words = [
        "embeddings.csv:2: column 1: column `split` says which rows are held out",
        "--ignore split",
    ];
    select(&place, &table, "coreset", &[]).expect(2, &words);
    assert_nothing(&place, "coreset");
    select(&place, &table, "of-all", &["--ignore", "split"]).expect(0, &[]);
}

#[test]
fn samples_have_names_that_the_table_tells() {
    let place = Place::new();
    let run = place.run("run", &short("kind = \"resnet9\"\nwidth = 0.125"), 0);
    let table = read_table(&run.join("samples.parquet")).unwrap();
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        ["id", "split", "file", "member", "label", "label_name"]
    );
    let texts = |at: usize| match &table.columns[at].1 {
        Column::Text(texts) => texts.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        texts(1).iter().filter(|split| *split == "train").count(),
        32
    );
    assert_eq!(texts(1).len(), 52);
    assert!(texts(2)[0].contains("train-images"), "{:?}", texts(2)[0]);
    assert!(texts(3).iter().all(|member| member.parse::<u32>().is_ok()));
    assert!(texts(5).iter().all(|label| !label.is_empty()));
}

/// What `preprocessing.json` of an export says.
fn facts(out: &Path) -> serde_json::Value {
    let text = fs::read_to_string(out.join("preprocessing.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn preprocessing_is_that_of_the_embeddings() {
    let place = Place::new();
    let run = place.run("run", &short("kind = \"resnet9\"\nwidth = 0.125"), 0);
    let views = [
        "--set",
        "views.normalize={ mean = [0.25], std = [0.75] }",
        "--set",
        "views.size=16",
    ];
    let arguments = ["--layout", "safetensors", "--embeddings", "npy"];
    let arguments = [&arguments[..], &views].concat();
    export(&place, &run, "out", &arguments).expect(0, &[]);
    let out = place.path("out");
    assert_eq!(facts(&out)["mean"], serde_json::json!([0.25]));
    assert_eq!(facts(&out)["std"], serde_json::json!([0.75]));
    assert_eq!(facts(&out)["size"], serde_json::json!([16, 16]));

    // The probe of the export makes its images alike.
    let features = |encoder: &Path, name: &str, more: &[&str]| {
        let file = place.path(&format!("{name}.npy"));
        let mut command = afterimage();
        command.arg("probe").arg(encoder).args(["--points", "10"]);
        command.arg("--out").arg(place.path(name)).args(more);
        finish(command.arg("--features").arg(&file)).expect(0, &[]);
        fs::read(file).unwrap()
    };
    let ours = features(&run, "of-run", &views);
    assert!(
        ours == features(&out, "of-export", &[]),
        "embeddings differ"
    );
    assert!(ours != features(&run, "unchanged", &[]));

    let key = ["--layout", "safetensors", "--set", "device=cpu"];
    export(&place, &run, "refused", &key).expect(2, &["device=cpu", "--embeddings"]);
    assert_nothing(&place, "refused");
}

/// A ResNet-18 of few channels in a file of PyTorch's keys.
fn foreign(place: &Place) -> std::path::PathBuf {
    let config = ResNetConfig {
        width: 0.03125,
        ..ResNetConfig::new(18)
    };
    let config = EncoderConfig::ResNet(config).for_images(3, 32);
    let path = place.path("foreign.safetensors");
    save_state_dict(&config.init(3, &Device::flex()).unwrap(), &path).unwrap();
    path
}

#[test]
fn images_of_foreign_weights_are_made_as_the_flags_or_the_weights_say() {
    let place = Place::new();
    let weights = foreign(&place);
    let layout = ["--layout", "safetensors"];
    let embeddings = [
        "--embeddings",
        "npy",
        "--data",
        "embedded",
        "--set",
        "limits.train=20",
        "--set",
        "limits.held_out=10",
    ];
    let ended = export(
        &place,
        &weights,
        "out",
        &[&layout[..], &embeddings].concat(),
    );
    let ended = ended.expect(0, &["embedding 30 images"]);
    // Notes of the weights are told once.
    let notes: Vec<&str> = ended
        .out
        .lines()
        .filter(|line| line.starts_with("note:"))
        .collect();
    let mut different = notes.clone();
    different.sort_unstable();
    different.dedup();
    assert!(!notes.is_empty());
    assert_eq!(notes.len(), different.len(), "{notes:#?}");
    let told = facts(&place.path("out"));
    assert_eq!(told["size"], serde_json::json!([32, 32]));
    assert!((told["mean"][0].as_f64().unwrap() - 0.485).abs() < 1e-6);
    let settings = fs::read_to_string(place.path("out/probe.toml")).unwrap();
    assert!(settings.contains("size = 32"), "{settings}");

    let flags = ["--size", "24", "--normalize", "half"];
    export(&place, &weights, "told", &[&layout[..], &flags].concat()).expect(0, &[]);
    let told = facts(&place.path("told"));
    assert_eq!(told["size"], serde_json::json!([24, 24]));
    assert_eq!(told["mean"], serde_json::json!([0.5, 0.5, 0.5]));
}

#[test]
fn a_stem_that_no_loader_can_say_is_refused() {
    let place = Place::new();
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("../model/tests/data/sequence.pt");
    let layout = ["--layout", "safetensors"];
    let words = ["no ReLU behind its first norm"];
    export(&place, &weights, "out", &layout).expect(2, &words);
    assert_nothing(&place, "out");
    // A smaller copy would come back from its `arch.json` with one.
    let mut command = afterimage();
    command.arg("compact").arg(&weights).arg("--out");
    finish(command.arg(place.path("smaller"))).expect(2, &words);
    assert_nothing(&place, "smaller");
}

/// The tensors of `file` twice in `both`, below two prefixes.
fn twice(file: &Path, both: &Path) {
    let bytes = fs::read(file).unwrap();
    let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
    let (header, data) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let header: serde_json::Map<String, serde_json::Value> =
        serde_json::from_slice(header).unwrap();
    let mut twice = serde_json::Map::new();
    for (place, prefix) in ["encoder_q", "encoder_k"].iter().enumerate() {
        for (key, entry) in header.iter().filter(|(key, _)| *key != "__metadata__") {
            let mut entry = entry.clone();
            for at in 0..2 {
                let offset = entry["data_offsets"][at].as_u64().unwrap();
                entry["data_offsets"][at] = (offset + (place * data.len()) as u64).into();
            }
            twice.insert(format!("{prefix}.{key}"), entry);
        }
    }
    let header = serde_json::to_vec(&twice).unwrap();
    let length = (header.len() as u64).to_le_bytes();
    fs::write(both, [&length[..], &header, data, data].concat()).unwrap();
}

#[test]
fn one_of_several_encoders_is_chosen_by_its_prefix() {
    let place = Place::new();
    let both = place.path("both.safetensors");
    twice(&foreign(&place), &both);
    let layout = ["--layout", "safetensors"];
    export(&place, &both, "out", &layout).expect(1, &["several encoders", "encoder_q"]);
    assert_nothing(&place, "out");
    let one = [&layout[..], &["--prefix", "encoder_q"]].concat();
    export(&place, &both, "out", &one).expect(0, &[]);

    let run = short("kind = \"resnet\"\ndepth = 18\nwidth = 0.03125");
    let text = format!("{run}\n[fine_tune]\nfrom = {both:?}\n");
    let config = place.write("tuned.toml", &text);
    let mut command = afterimage();
    command
        .arg("run")
        .arg(config)
        .arg("--out")
        .arg(place.path("tuned"));
    let words = ["several encoders", "afterimage export", "--prefix PREFIX"];
    finish(&mut command).expect(2, &words);
    // A run has no prefix.
    let out = ["--layout", "safetensors", "--prefix", "encoder_q"];
    let own = place.run("run", &short("kind = \"resnet9\"\nwidth = 0.125"), 0);
    export(&place, &own, "own", &out).expect(2, &["--prefix"]);
}
