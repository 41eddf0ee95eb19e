//! Runs that start from an encoder with pruned units: of a run, of a checkpoint, of a compacted folder.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterimage::train::{read_kept, read_state};
use burn::tensor::Bytes;
use burn_pack::Reader;
use run::kill::killed;
use run::{
    EPOCH, Place, TINY, afterimage, assert_same, ends, finish, last_checkpoint, plugin, resume,
};

/// Half of the units are gone after the second epoch, those of the embedding masked.
const HALF: &str = "fraction = 0.5\nschedule = { kind = \"one_shot\", epoch = 2 }\n";

fn pruned(text: &str, settings: &str) -> String {
    let scores = plugin("unitmem");
    format!("{text}{scores}\n[[plugins]]\nkind = \"prune\"\n{settings}\n")
}

fn smaller(text: &str) -> String {
    pruned(text, &format!("{HALF}compact = \"at_end\""))
}

/// `text` started from `from` with another seed.
fn onward(text: &str, from: &Path, layers: &str) -> String {
    still(&text.replace("seed = 7", "seed = 8"), from, layers)
}

/// `text` started from `from`, with the seed that decides what a probe looks at.
fn still(text: &str, from: &Path, layers: &str) -> String {
    let from = from.display();
    format!("{text}\n[fine_tune]\nfrom = \"{from}\"\nlayers = \"{layers}\"\n")
}

/// Shapes and bytes of the tensors below `place` in a checkpoint's model.
fn tensors(checkpoint: &Path, place: &str) -> BTreeMap<String, (Vec<usize>, Vec<u8>)> {
    let bytes = Bytes::from_bytes_vec(fs::read(checkpoint.join("model.bpk")).unwrap());
    let tensors = Reader::from_bytes(bytes).unwrap().into_tensors().unwrap();
    let parts = tensors
        .into_iter()
        .map(|tensor| tensor.into_parts().unwrap());
    parts
        .filter_map(|(name, _, shape, _, bytes)| {
            let name = name.strip_prefix(place)?.to_owned();
            Some((name, (shape.to_vec(), bytes.to_vec())))
        })
        .collect()
}

fn shapes(checkpoint: &Path, place: &str) -> BTreeMap<String, Vec<usize>> {
    let all = tensors(checkpoint, place).into_iter();
    all.map(|(name, (shape, _))| (name, shape)).collect()
}

fn weights_differ(checkpoint: &Path, place: &str, other: (&Path, &str)) -> bool {
    let theirs = tensors(other.0, other.1);
    tensors(checkpoint, place)
        .iter()
        .any(|(name, mine)| name.ends_with("conv.weight") && theirs[name] != *mine)
}

/// Embeddings and scores that `afterimage probe` has for `subject`.
fn probed(place: &Place, name: &str, subject: &Path) -> (Vec<u8>, String) {
    let (features, out) = (place.path(&format!("{name}.npy")), place.path(name));
    let mut command = afterimage();
    command
        .arg("probe")
        .arg(subject)
        .arg("--features")
        .arg(&features);
    command
        .args(["--points", "20", "--views", "2"])
        .arg("--out")
        .arg(&out);
    finish(&mut command).expect(0, &[]);
    let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let trained = metrics.lines().filter(|line| line.contains("mean/train"));
    let values = trained.map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        format!("{} {}\n", line["tag"], line["value"])
    });
    (fs::read(features).unwrap(), values.collect())
}

fn compacted(place: &Place, name: &str, subject: &Path) -> PathBuf {
    let out = place.path(name);
    let mut command = afterimage();
    command.args(["compact", "--batch", "2", "--repeats", "1"]);
    finish(command.arg(subject).arg("--out").arg(&out)).expect(0, &[]);
    out
}

/// Fails the test unless the run of `name`, killed early and late, ends as the straight one.
fn goes_on(place: &Place, name: &str, straight: &Path, steps: [u64; 2]) {
    let config = place.path(&format!("{name}.toml"));
    let mut hits = 0;
    for (at, step) in steps.into_iter().enumerate() {
        let out = place.path(&format!("{name}-killed-{at}"));
        if killed(&config, &out, step, Duration::from_millis(3)) {
            resume(&out).expect(0, &[]);
            assert_same(&ends(straight), &ends(&out), name);
            hits += 1;
        }
    }
    assert!(
        hits > 0,
        "{name}: no run was alive when it was to be killed"
    );
}

#[test]
fn a_run_goes_on_in_the_shape_of_a_smaller_one() {
    let place = Place::new();
    let source = place.run("source", &smaller(TINY), 0);
    let last = last_checkpoint(&source);
    let (kept, masks) = (read_kept(&last).unwrap(), read_state(&last).unwrap().masks);
    assert!(kept.removed() > 0 && !masks.is_empty());

    // Nothing moves, so that it says what it said; named by run and by checkpoint.
    let said = probed(&place, "of-source", &source);
    for (name, from) in [("still", &source), ("of-checkpoint", &last)] {
        let run = place.run(name, &still(TINY, from, "none"), 0);
        assert_eq!(read_state(&last_checkpoint(&run)).unwrap().masks, masks);
        let values = |checkpoint: &Path| {
            let mut all = tensors(checkpoint, "encoder.");
            // The flag that says whether a norm gathers statistics is a setting, not a value.
            all.retain(|name, _| !name.ends_with(".training"));
            all
        };
        assert_eq!(values(&last_checkpoint(&run)), values(&last));
        assert!(
            said == probed(&place, &format!("of-{name}"), &run),
            "{name}"
        );
    }

    // Trained on, it keeps its shape; what was masked is masked.
    let text = onward(TINY, &source, "all") + &plugin("unitmem");
    let on = place.run("on", &text, 0);
    let after = last_checkpoint(&on);
    assert_eq!(shapes(&after, "encoder."), shapes(&last, "encoder."));
    assert!(weights_differ(&after, "encoder.", (&last, "encoder.")));
    assert_eq!(read_kept(&after).unwrap(), kept);
    assert_eq!(read_state(&after).unwrap().masks, masks);
    goes_on(&place, "on", &on, [EPOCH, 2 * EPOCH]);

    probed(&place, "of-on", &on);
    let mut command = afterimage();
    command.arg("ablate").arg(&on);
    command.args(["--units", "top", "--controls", "1", "--points", "20"]);
    finish(&mut command).expect(0, &[]);
    let small = compacted(&place, "small", &on);
    let arch = fs::read_to_string(small.join("arch.json")).unwrap();
    let arch: serde_json::Value = serde_json::from_str(&arch).unwrap();
    // Numbers are those of the whole network, through both runs and the command.
    assert_eq!(arch["groups"]["encoder.prep"]["of"], 4, "{arch}");
}

#[test]
fn it_is_pruned_again() {
    let place = Place::new();
    let source = place.run("source", &smaller(TINY), 0);
    let again = "fraction = 0.3\ncompact = \"each_step\"\n\
                 schedule = { kind = \"one_shot\", epoch = 2 }";
    let text = pruned(&onward(TINY, &source, "all"), again);
    let run = place.run("again", &text, 0);
    let [first, second] = [&source, &run].map(|run| read_kept(&last_checkpoint(run)).unwrap());
    assert!(second.removed() > first.removed());
    for (name, units) in second.iter() {
        if let Some(before) = first.get(name) {
            assert_eq!(units.of, before.of);
            assert!(units.units.iter().all(|unit| before.units.contains(unit)));
        }
    }
    goes_on(&place, "again", &run, [EPOCH, 2 * EPOCH]);
}

#[test]
fn a_run_starts_from_a_compacted_folder() {
    let place = Place::new();
    let source = place.run("source", &pruned(TINY, HALF), 0);
    let small = compacted(&place, "small", &source);
    let frozen = place.run("still", &still(TINY, &small, "none"), 0);
    assert!(probed(&place, "of-small", &small).1 == probed(&place, "of-still", &frozen).1);

    let on = place.run("on", &onward(TINY, &small, "all"), 0);
    let after = last_checkpoint(&on);
    // The embedding is shorter, and the head that reads it made for that.
    assert_eq!(
        shapes(&after, "objective.")["projection.first.weight"][0],
        16
    );
    assert!(weights_differ(
        &after,
        "encoder.",
        (&last_checkpoint(&frozen), "encoder.")
    ));
    fs::rename(&small, place.path("moved")).unwrap();
    let cut = place.run("cut", &onward(TINY, &place.path("moved"), "all"), 0);
    fs::remove_dir_all(last_checkpoint(&cut)).unwrap();
    fs::remove_dir_all(place.path("moved")).unwrap();
    resume(&cut).expect(0, &[]);
    assert_eq!(
        tensors(&last_checkpoint(&cut), "encoder."),
        tensors(&after, "encoder.")
    );
    // Nothing is left to take out.
    let mut command = afterimage();
    command
        .arg("compact")
        .arg(&on)
        .arg("--out")
        .arg(place.path("more"));
    finish(&mut command).expect(1, &["no unit is masked"]);
}

#[test]
fn masks_of_a_run_that_was_not_made_smaller_stay() {
    let place = Place::new();
    let source = place.run("source", &pruned(TINY, HALF), 0);
    let masks = read_state(&last_checkpoint(&source)).unwrap().masks;
    let run = place.run("on", &onward(TINY, &source, "all"), 0);
    let after = last_checkpoint(&run);
    assert_eq!(read_state(&after).unwrap().masks, masks);
    let (shape, weight) = &tensors(&after, "encoder.")["prep.conv.weight"];
    let kept = masks.get("encoder.prep.act").unwrap();
    assert_eq!(kept.len(), shape[0]);
    for (unit, row) in weight.chunks_exact(weight.len() / kept.len()).enumerate() {
        assert_eq!(row.iter().any(|byte| *byte != 0), kept[unit], "unit {unit}");
    }
    goes_on(&place, "on", &run, [EPOCH, 2 * EPOCH]);
}

#[test]
fn both_encoders_of_a_pair_start_from_the_smaller_one() {
    let place = Place::new();
    let source = place.run("source", &smaller(TINY), 0);
    let text = onward(&run::tiny_pair(), &source, "all") + &plugin("layermem");
    let pair = place.run("pair", &text, 0);
    let after = last_checkpoint(&pair);
    for side in ["encoder.", "reference.encoder."] {
        let before = last_checkpoint(&source);
        assert_eq!(shapes(&after, side), shapes(&before, "encoder."));
        assert!(weights_differ(&after, side, (&before, "encoder.")));
    }
    // They saw other points, and each has gradients of its own.
    assert!(weights_differ(
        &after,
        "encoder.",
        (&after, "reference.encoder.")
    ));
    goes_on(&place, "pair", &pair, [EPOCH - 1, 2 * (EPOCH - 1)]);
}

#[test]
fn transformers_and_teachers_start_smaller_too() {
    let place = Place::new();
    let vit = TINY
        .replace(
            "kind = \"resnet9\"\nwidth = 0.125",
            "kind = \"vit\"\npatch = 7\ndepth = 1",
        )
        .replace("epochs = 3", "epochs = 2")
        .replace("train = 320", "train = 64");
    let random = "\n[[plugins]]\nkind = \"random-scores\"\nkinds = []\n";
    let settings = "score = \"random\"\nfraction = 0.34\ncompact = \"at_end\"\n\
                    schedule = { kind = \"one_shot\", epoch = 1 }";
    let text = format!("{vit}{random}\n[[plugins]]\nkind = \"prune\"\n{settings}\n");
    let source = place.run("source", &text, 0);
    let byol = vit.replace("kind = \"simclr\"", "kind = \"byol\"");
    let run = place.run("byol", &onward(&byol, &source, "all"), 0);
    let (before, after) = (last_checkpoint(&source), last_checkpoint(&run));
    for side in ["encoder.", "objective.teacher."] {
        assert_eq!(shapes(&after, side), shapes(&before, "encoder."));
    }
    fs::remove_dir_all(after).unwrap();
    resume(&run).expect(0, &[]);
}

#[test]
fn another_network_is_refused_with_what_to_write() {
    let place = Place::new();
    let source = place.run("source", &smaller(TINY), 0);
    let small = compacted(&place, "small", &source);
    for (name, from) in [("run", &source), ("folder", &small)] {
        let text = onward(TINY, from, "all").replace("width = 0.125", "width = 0.25");
        let config = place.write("other.toml", &text);
        let at = text
            .lines()
            .position(|line| line.starts_with("from ="))
            .unwrap()
            + 1;
        let line = format!("other.toml:{at}:");
        let words = [&line, "fine_tune.from", "`encoder = {", "width = 0.125"];
        for more in [&["--dry-run"][..], &[]] {
            let out = place.path(name);
            let mut command = afterimage();
            command
                .arg("run")
                .arg(&config)
                .args(more)
                .arg("--out")
                .arg(&out);
            finish(&mut command).expect(2, &words);
            assert!(!out.exists());
        }
    }
    let config = place.write("fits.toml", &onward(TINY, &source, "last:2"));
    let mut command = afterimage();
    command.arg("run").arg(&config).arg("--dry-run");
    let told = finish(&mut command).expect(0, &[]).out;
    for words in [
        "starts from",
        "of its units",
        "stay masked",
        "encoder.res2b.conv",
    ] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
