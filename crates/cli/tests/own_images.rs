//! Which images a run was trained on is known by their names and content, whatever a config says of them.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use afterimage::hooks::{Column, PairChoice, PairSets};
use afterimage::track::read_table;
use run::probed::{probe, scalars};
use run::{Ended, Place, TINY, assert_nothing, call, last_checkpoint};

/// Training images of [`photos`], and candidates of [`of_pair`].
const TRAINED: usize = 80;
const CANDIDATES: usize = 20;
/// Few points in few views.
const FEW: [&str; 5] = ["--points", "10", "--views", "2", "--json"];

/// A gray picture in the simplest of formats, a pattern of its own for each `seed`.
fn picture(path: &Path, seed: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = b"P5 28 28 255\n".to_vec();
    bytes.extend((0..28 * 28u32).map(|at| {
        let (x, y) = (at % 28, at / 28);
        ((x * (seed % 7 + 1) + y * (seed % 11 + 2) + 37 * seed) % 256) as u8
    }));
    fs::write(path, bytes).unwrap();
}

/// Four classes of twenty pictures to train on, and of ten that are held out.
fn photos(place: &Place) -> PathBuf {
    for (split, count) in [("train", 20), ("held", 10)] {
        for class in 0..4u32 {
            for at in 0..count {
                let seed = 1000 * class + at + 100 * u32::from(split == "held");
                let name = format!("photos/{split}/{class}/{at:03}.pgm");
                picture(&place.path(&name), seed);
            }
        }
    }
    place.path("photos")
}

/// A short run on these pictures, with `more` tables.
fn text(folder: &Path, more: &str) -> String {
    let data = format!(
        "kind = \"folder\"\ntrain = {:?}\nheld_out = {:?}\nsize = 28\nchannels = 1\n",
        folder.join("train"),
        folder.join("held")
    );
    let text = TINY
        .replace("kind = \"embedded\"\n", &data)
        .replace("[limits]\ntrain = 320\nheld_out = 100\n", "")
        .replace("epochs = 3", "epochs = 1")
        .replace("batch_size = 32", "batch_size = 16");
    format!("{text}\n[evaluation]\nevery = 0\n{more}")
}

fn of_pair(folder: &Path) -> String {
    text(
        folder,
        &format!(
            "\n[pair]\ncandidates = {CANDIDATES}\n\
             \n[[plugins]]\nkind = \"unitmem\"\npoints = 30\nviews = 2\n\
             \n[[plugins]]\nkind = \"layermem\"\npoints = 10\nviews = 2\n"
        ),
    )
}

/// The training images that the encoder of a pair was trained on.
fn members() -> Vec<i64> {
    let sets = PairSets::choose(TRAINED, CANDIDATES, PairChoice::Random, 7).unwrap();
    sets.members().iter().map(|id| i64::from(id.0)).collect()
}

/// The training points that the probe in `out` looked at.
fn points(out: &Path) -> Vec<i64> {
    let folder = fs::read_dir(out.join("tables/probe.points")).unwrap();
    let file = folder.map(|entry| entry.unwrap().path()).next().unwrap();
    let columns: BTreeMap<String, Column> =
        read_table(&file).unwrap().columns.into_iter().collect();
    let (Column::Text(splits), Column::I64(ids)) = (&columns["split"], &columns["id"]) else {
        panic!("{columns:?}");
    };
    let rows = splits
        .iter()
        .zip(ids)
        .filter(|(split, _)| *split == "train");
    rows.map(|(_, id)| *id).collect()
}

/// The last values of a command with `--json`.
fn metrics(ended: &Ended) -> serde_json::Value {
    let last = ended.out.lines().last().unwrap();
    serde_json::from_str::<serde_json::Value>(last).unwrap()["metrics"].clone()
}

/// `command` on `run` with more arguments.
fn on(command: &str, run: &Path, more: &[&str]) -> Ended {
    let run = run.to_str().unwrap();
    call([command, run].iter().chain(more))
}

/// All commands that look at an encoder's own images refuse them, with `words`.
fn all_refuse(place: &Place, run: &Path, words: &[&str]) {
    let with = run.to_str().unwrap();
    probe(place, run, "refused", &FEW).expect(1, words);
    assert_nothing(place, "refused");
    on("ablate", run, &FEW).expect(1, words);
    let exchange = ["--with", with, "--layers", "last:1"];
    on("exchange", run, &[&exchange[..], &FEW].concat()).expect(1, words);
    on("sensitivity", run, &["--scores", "magnitude"]).expect(1, words);
    let insert = ["--steps", "0,1", "--points", "1", "--others", "10"];
    on("insert", run, &[&insert[..], &["--views", "2"]].concat()).expect(1, words);
}

#[test]
fn a_pair_on_other_training_images_is_refused_by_every_command() {
    let place = Place::new();
    let folder = photos(&place);
    let run = place.run("run", &of_pair(&folder), 0);
    let lost = folder.join("train/1/003.pgm");

    fs::remove_file(&lost).unwrap();
    let words = [
        "1 of the run's 80 are missing",
        "0 of the 79 here",
        "[pair]",
    ];
    all_refuse(&place, &run, &words);

    let added = folder.join("train/0/0005.pgm");
    picture(&added, 77);
    all_refuse(&place, &run, &["1 of the 80 here are others"]);
    picture(&lost, 1003);
    all_refuse(&place, &run, &["0 of the run's 80", "1 of the 81 here"]);
    fs::remove_file(&added).unwrap();

    picture(&lost, 4711);
    all_refuse(&place, &run, &["the content of some is another"]);
    picture(&lost, 1003);
    probe(&place, &run, "back", &FEW).expect(0, &[]);

    // Fewer of its images are others too: sets out of 40 are not those out of 80.
    let fewer = [&FEW[..], &["--set", "limits.train=40"]].concat();
    probe(&place, &run, "fewer", &fewer).expect(1, &["40 of the run's 80 are missing"]);
    // What is embedded alone is called nothing.
    let arguments = ["--layout", "safetensors", "--embeddings", "npy", "--out"];
    let out = place.path("export");
    let export = [
        &arguments[..],
        &[out.to_str().unwrap(), "--data", "embedded"],
    ]
    .concat();
    on("export", &run, &export).expect(0, &["not those that the run was trained on"]);
}

#[test]
fn the_sets_of_a_pair_follow_its_images_wherever_they_lie() {
    let place = Place::new();
    let folder = photos(&place);
    let run = place.run("run", &of_pair(&folder), 0);
    let ended = probe(&place, &run, "plain", &FEW).expect(0, &[]);
    let plain = metrics(&ended);
    assert!(!scalars(&ended, "layermem/mean/candidates").is_empty());
    assert!(
        points(&place.path("plain"))
            .iter()
            .all(|id| members().contains(id))
    );

    // A folder elsewhere with the same images is the same.
    let there = place.path("moved");
    fs::rename(&folder, &there).unwrap();
    let train = format!("data.train={:?}", there.join("train"));
    let held = format!("data.held_out={:?}", there.join("held"));
    let moved = ["--set", train.as_str(), "--set", held.as_str()];
    let moved = [&FEW[..], &moved].concat();
    let ended = probe(&place, &run, "moved-probe", &moved).expect(0, &[]);
    assert_eq!(metrics(&ended), plain);
    assert!(!ended.out.contains("not those"), "{}", ended.out);

    // Fewer held-out images leave the training images alone.
    fs::rename(&there, &folder).unwrap();
    let arguments = ["--points", "20", "--views", "2", "--json"];
    let fewer = [&arguments[..], &["--set", "limits.held_out=20"]].concat();
    let ended = probe(&place, &run, "fewer", &fewer).expect(0, &[]);
    assert!(!scalars(&ended, "layermem/mean/candidates").is_empty());
    let looked_at = points(&place.path("fewer"));
    assert_eq!(looked_at.len(), 20);
    assert!(
        looked_at.iter().all(|id| members().contains(id)),
        "{looked_at:?}"
    );

    // A seed of the probe chooses other points of the same sets.
    let seed = [&FEW[..], &["--set", "seed=3"]].concat();
    probe(&place, &run, "seed", &seed).expect(0, &[]);
    assert!(
        points(&place.path("seed"))
            .iter()
            .all(|id| members().contains(id))
    );

    // A checkpoint without its run is taken at its word, and this is said.
    let alone = place.path("alone");
    fs::create_dir(&alone).unwrap();
    for entry in fs::read_dir(last_checkpoint(&run)).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), alone.join(entry.file_name())).unwrap();
    }
    let ended = probe(&place, &alone, "of-alone", &FEW).expect(0, &["lies in no run directory"]);
    assert_eq!(metrics(&ended), plain);
}

#[test]
fn beside_a_reference_candidates_are_what_the_encoder_of_a_pair_saw() {
    let place = Place::new();
    let folder = photos(&place);
    let run = place.run("run", &of_pair(&folder), 0);
    let other = place.run(
        "other",
        &text(&folder, "").replace("seed = 7", "seed = 8"),
        0,
    );
    let reference = ["--reference", other.to_str().unwrap()];
    let arguments = ["--points", "40", "--views", "2", "--json"];
    let all = [&arguments[..], &reference].concat();
    let ended = probe(&place, &run, "out", &all).expect(0, &[]);
    let words = "candidates are the 60 of the 80 training images that this encoder of a pair saw";
    assert!(ended.out.contains(words), "{}", ended.out);
    let words = "its run was trained on 60 of the 60 candidates, too";
    assert!(ended.out.contains(words), "{}", ended.out);
    assert!(
        points(&place.path("out"))
            .iter()
            .all(|id| members().contains(id))
    );
    on("ablate", &run, &[&FEW[..], &reference].concat())
        .expect(0, &["candidates are the 60 of the 80"]);
}

#[test]
fn a_run_without_a_pair_says_how_many_images_are_others() {
    let place = Place::new();
    let folder = photos(&place);
    let run = place.run("run", &text(&folder, ""), 0);
    let ended = probe(&place, &run, "own", &FEW).expect(0, &[]);
    assert!(!(ended.err + &ended.out).contains("not those"));

    fs::remove_file(folder.join("train/2/011.pgm")).unwrap();
    let told = "1 of the run's 80 are missing, and 0 of the 79 here are others";
    let ended = probe(&place, &run, "missing", &FEW).expect(0, &[told]);
    assert!(ended.out.contains(told), "{}", ended.out);
    let manifest = fs::read_to_string(place.path("missing/manifest.json")).unwrap();
    assert!(manifest.contains(told), "{manifest}");
    on("ablate", &run, &FEW).expect(0, &[told]);
    on(
        "insert",
        &run,
        &[
            "--steps", "0,1", "--points", "1", "--others", "10", "--views", "2",
        ],
    )
    .expect(0, &[told]);
    let out = place.path("export");
    let arguments = ["--layout", "safetensors", "--embeddings", "npy", "--out"];
    let arguments = [&arguments[..], &[out.to_str().unwrap()]].concat();
    let ended = on("export", &run, &arguments).expect(0, &[told]);
    assert_eq!(ended.out.matches(told).count(), 1, "{}", ended.out);

    picture(&folder.join("train/2/011.pgm"), 4711);
    let words = [
        "training images are not those",
        "the content of some is another",
    ];
    probe(&place, &run, "replaced", &FEW).expect(0, &words);
    picture(&folder.join("train/2/011.pgm"), 2011);
    picture(&folder.join("held/2/999.pgm"), 5);
    let words = [
        "held-out images are not those of the run",
        "1 of the 41 here",
    ];
    probe(&place, &run, "held-out", &FEW).expect(0, &words);
}

#[test]
fn planted_images_and_their_places_are_those_of_the_run() {
    let place = Place::new();
    let folder = photos(&place);
    let doses = "\n[doses]\ntimes = [2]\nshare = 0.1\nnoise = 0.1\nof = \"train\"\n";
    let run = place.run("run", &text(&folder, doses), 0);
    let seed = [&FEW[..], &["--set", "seed=3"]].concat();
    let ended = probe(&place, &run, "seed", &seed).expect(0, &[]);
    assert!(!ended.err.contains("not those"), "{}", ended.err);
    let manifest = |folder: &Path| {
        let text = fs::read_to_string(folder.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&text).unwrap();
        manifest["data_sha256"].clone()
    };
    // The same images are planted, whatever the seed of the probe.
    assert_eq!(manifest(&place.path("seed")), manifest(&run));
    fs::remove_file(folder.join("train/2/011.pgm")).unwrap();
    probe(&place, &run, "refused", &FEW).expect(1, &["[doses]", "are missing"]);
    assert_nothing(&place, "refused");
}
