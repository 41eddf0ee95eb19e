//! Ways to a reader that several targets take: where the bytes go, and what lies beside them.

use std::fs;
use std::path::{Path, PathBuf};

use afterimage::data::{DataSource, Limits};
use afterimage::model::{ImportOptions, Weights};
use afterimage::train::{Checkpoints, read_kept, read_state, read_stood};
use afterimage::value::{LabelSource, ReadOptions, read_table};
use sha2::{Digest, Sha256};

pub fn seeds() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds")
}

pub fn seed(name: &str) -> Vec<u8> {
    fs::read(seeds().join(name)).unwrap()
}

pub fn put(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// A file that the input does not change, written once.
pub fn keep(folder: &Path, name: &str, bytes: impl FnOnce() -> Vec<u8>) -> PathBuf {
    let path = folder.join(name);
    if !path.exists() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes()).unwrap();
    }
    path
}

pub fn options(label: LabelSource, header: bool) -> ReadOptions {
    ReadOptions {
        header,
        header_told: true,
        ..ReadOptions::of(label)
    }
}

pub fn value(path: &Path, draw: usize) -> bool {
    let label = LabelSource::Column(((draw % 3) + 1).to_string());
    read_table(path, &options(label, draw.is_multiple_of(2))).is_ok()
}

pub fn idx(folder: &Path, images: Option<&[u8]>, labels: Option<&[u8]>) -> bool {
    let file = |name: &str, given: Option<&[u8]>, kept: &str| match given {
        Some(bytes) => put(folder, name, bytes),
        None => keep(folder, kept, || seed(kept)),
    };
    let source = DataSource::IdxFiles {
        train_images: file("given-images", images, "images.idx"),
        train_labels: file("given-labels", labels, "labels.idx"),
        held_out_images: file("", None, "images.idx"),
        held_out_labels: file("", None, "labels.idx"),
    };
    let _ = source.side();
    source.load(Limits::default()).is_ok()
}

pub fn weights(folder: &Path, name: &str, bytes: &[u8]) -> bool {
    let path = put(folder, name, bytes);
    match Weights::open(&path, &ImportOptions::default()) {
        Ok(weights) => {
            let _ = weights.describe();
            true
        }
        // The seeds are tensors of no known encoder: to be told so is to have been read.
        Err(error) => error.to_string().contains("keys"),
    }
}

/// A checkpoint whose file `name` holds `bytes` and whose hashes are right.
pub fn checkpoint(folder: &Path, name: &str, bytes: &[u8]) -> bool {
    let place = folder.join("checkpoints/step-00000030");
    fs::create_dir_all(&place).unwrap();
    let mut hashes = String::new();
    let mut config = String::new();
    for file in [
        "model.bpk",
        "optimizer.bpk",
        "schedule.bpk",
        "loop.bin",
        "plugins.bin",
        "config.toml",
        "arch.json",
    ] {
        let content = match file {
            _ if file == name => bytes.to_vec(),
            "loop.bin" | "plugins.bin" | "arch.json" => seed(&format!("checkpoint/{file}")),
            "config.toml" => seed("run/config.toml"),
            _ => seed("schedule.bpk"),
        };
        put(&place, file, &content);
        let digest: String = Sha256::digest(&content)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        if file == "config.toml" {
            config.clone_from(&digest);
        }
        hashes += &format!(
            "{}\"{file}\": \"{digest}\"",
            if hashes.is_empty() { "" } else { ", " }
        );
    }
    let contents = format!(
        "{{\"layout\": 3, \"step\": 30, \"epoch\": 3, \"config_digest\": \"{config}\", \"sha256\": {{{hashes}}}}}"
    );
    let contents = match name {
        // A list of hashes with the changes of the input in it.
        "contents.json" => {
            let mut changed = contents.into_bytes();
            for pair in bytes.chunks_exact(61) {
                let at = (usize::from(pair[0]) << 2 | usize::from(pair[1] & 3)) % changed.len();
                changed[at] = pair[2];
            }
            changed
        }
        _ => contents.into_bytes(),
    };
    put(&place, "contents.json", &contents);
    let good = Checkpoints::new(folder.join("checkpoints"), 2, "")
        .last_good()
        .is_ok();
    let read = read_state(&place).is_ok() & read_kept(&place).is_ok() & read_stood(&place).is_ok();
    good & read
}

/// Whether images that stay in their files can be listed; each of them is decoded or refused.
pub fn images(source: &DataSource) -> bool {
    let data = source.load(Limits::default());
    data.map(|data| data.faults()).is_ok()
}

/// A class of pictures with one more, by its name.
pub fn picture(folder: &Path, name: &str, bytes: &[u8]) -> bool {
    // A folder for each name: what another target left would be read, too.
    let root = format!("pictures-{name}");
    for other in ["a/0.png", "a/1.png", "a/2.png"] {
        keep(folder, &format!("{root}/{other}"), || seed("colour.png"));
    }
    put(folder, &format!("{root}/a/{name}"), bytes);
    let folder = DataSource::Folder {
        train: folder.join(&root),
        held_out: None,
        held_out_ids: None,
        hold_out_every: Some(2),
        size: 8,
        channels: None,
        lazy: false,
        on_bad: None,
    };
    folder.load(Limits::default()).is_ok()
}
