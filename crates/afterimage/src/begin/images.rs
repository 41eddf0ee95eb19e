//! Which images a folder or a file holds, as `[data]` of a config.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use toml_edit::{Table, Value};

use crate::error::RunError;

/// Side of images that are scaled, in pixels: that of CIFAR-10, which the recipes are for.
const SIDE: i64 = 32;

/// Names of a folder with images that are never trained on, beside one called `train`.
const HELD_OUT: [&str; 5] = ["held_out", "test", "val", "valid", "validation"];

/// Endings of the names of pictures.
const PICTURES: [&str; 15] = [
    "png", "jpg", "jpeg", "gif", "bmp", "tif", "tiff", "webp", "pnm", "pbm", "pgm", "ppm", "tga",
    "qoi", "ico",
];

/// The images of a config.
pub(super) struct Images {
    /// The keys of `[data]`.
    keys: Vec<(&'static str, Value)>,
    /// What they are, in words.
    pub(super) about: String,
    /// Whether they are those in the program.
    pub(super) inside: bool,
    /// How many pictures the folder to train on holds, where it is one of pictures.
    pub(super) pictures: Option<usize>,
}

impl Images {
    /// The table `[data]`.
    pub(super) fn table(&self) -> Table {
        let mut table = Table::new();
        for (key, value) in &self.keys {
            table.insert(key, toml_edit::value(value.clone()));
        }
        table
    }
}

/// The images that `--data` names.
///
/// # Errors
/// A word that is neither a kind nor a path, a folder without images that are known.
pub(super) fn images(flag: Option<&str>) -> Result<Images, RunError> {
    let Some(flag) = flag else {
        return Ok(kind_at("embedded", None, None));
    };
    let refuse = |reason: &str| RunError::New {
        what: format!("--data {flag}"),
        reason: reason.to_owned(),
    };
    match flag.split_once(':').unwrap_or((flag, "")) {
        ("embedded", "") => return Ok(kind_at("embedded", None, None)),
        ("cifar10", "") => {
            return Ok(kind_at(
                "cifar10",
                Some("data/cifar-10-batches-bin".into()),
                None,
            ));
        }
        ("cifar100", "") => {
            return Ok(kind_at(
                "cifar100",
                Some("data/cifar-100-binary".into()),
                None,
            ));
        }
        (kind @ ("idx" | "cifar10" | "cifar100" | "folder" | "tar" | "parquet"), path)
            if !path.is_empty() =>
        {
            return Ok(kind_at(kind, Some(path.into()), None));
        }
        _ => {}
    }
    let path = Path::new(flag);
    if path.is_file() {
        return of_file(path).ok_or_else(|| {
            refuse(
                "the kind of this file is not known; give a .tar, .parquet, .npy, .npz or .csv file, or a \
                 folder",
            )
        });
    }
    if !path.is_dir() {
        return Err(refuse(
            "there is no such folder or file; give one, or embedded, idx:DIR, cifar10[:DIR], cifar100[:DIR], \
             folder:DIR, tar:PATH or parquet:PATH",
        ));
    }
    of_folder(path).ok_or_else(|| {
        refuse(
            "no images were found: neither pictures, one folder a class, nor the files of CIFAR or MNIST, \
             .tar or .parquet files",
        )
    })
}

/// `[data]` of a kind, with its place and that of images that are held out.
fn kind_at(kind: &str, place: Option<PathBuf>, held_out: Option<PathBuf>) -> Images {
    let text = |path: &Path| Value::from(path.to_string_lossy().into_owned());
    let shown = place
        .as_deref()
        .map_or_else(String::new, |path| format!(" ({})", path.display()));
    let at = |key: &'static str| {
        place
            .iter()
            .map(move |path| (key, text(path)))
            .collect::<Vec<_>>()
    };
    let (about, place_keys) = match kind {
        "embedded" => (
            "the pictures of clothes in the program".to_owned(),
            Vec::new(),
        ),
        "idx" => (format!("IDX files{shown}"), at("dir")),
        "cifar10" => (format!("CIFAR-10{shown}"), at("dir")),
        "cifar100" => (format!("CIFAR-100{shown}"), at("dir")),
        "npy" => (format!("an npy file{shown}"), at("train_images")),
        "npz" => (format!("an npz file{shown}"), at("file")),
        "csv" => (format!("a CSV list{shown}"), at("file")),
        _ => (format!("your pictures{shown}"), at("train")),
    };
    let mut keys = vec![("kind", Value::from(kind))];
    keys.extend(place_keys);
    keys.extend(held_out.iter().map(|path| ("held_out", text(path))));
    if matches!(kind, "folder" | "tar" | "parquet" | "csv") {
        keys.push(("size", Value::from(SIDE)));
    }
    Images {
        keys,
        about,
        inside: kind == "embedded",
        pictures: None,
    }
}

fn of_file(path: &Path) -> Option<Images> {
    let end = ending(path)?;
    let kind = ["tar", "parquet", "npy", "npz", "csv"]
        .into_iter()
        .find(|kind| *kind == end)?;
    Some(kind_at(kind, Some(path.to_owned()), None))
}

fn of_folder(folder: &Path) -> Option<Images> {
    let holds = |name: &str| folder.join(name).exists();
    let known = [
        ("cifar10", "data_batch_1.bin"),
        ("cifar100", "train.bin"),
        ("idx", "train-images-idx3-ubyte"),
        ("idx", "train-images-idx3-ubyte.gz"),
        ("idx", "train-images.idx3-ubyte"),
        ("idx", "train-images.idx3-ubyte.gz"),
    ];
    if let Some((kind, _)) = known.into_iter().find(|(_, name)| holds(name)) {
        return Some(kind_at(kind, Some(folder.to_owned()), None));
    }
    let train = folder.join("train");
    if train.is_dir() {
        let held_out = HELD_OUT.into_iter().map(|name| folder.join(name));
        let held_out = held_out.into_iter().find(|path| path.is_dir());
        return Some(counted(pictured(&train)?, &train, held_out));
    }
    Some(counted(pictured(folder)?, folder, None))
}

/// `[data]` of a kind in a folder to train on, with the number of its pictures.
fn counted(kind: &str, train: &Path, held_out: Option<PathBuf>) -> Images {
    let mut images = kind_at(kind, Some(train.to_owned()), held_out);
    if kind == "folder" {
        let entries = inside(train);
        let below = entries.iter().filter(|path| path.is_dir());
        let below: usize = below.map(|path| pictures(&inside(path))).sum();
        images.pictures = Some(pictures(&entries) + below);
    }
    images
}

/// The entries of a folder.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// How many of `paths` are pictures by their names.
fn pictures(paths: &[PathBuf]) -> usize {
    let is_picture = |path: &&PathBuf| ending(path).is_some_and(|end| PICTURES.contains(&&*end));
    paths.iter().filter(is_picture).count()
}

/// What a folder holds: shards, Parquet files, or pictures in it or in folders of it.
fn pictured(folder: &Path) -> Option<&'static str> {
    let entries = inside(folder);
    let ends = |paths: &[PathBuf], ends: &[&str]| {
        paths
            .iter()
            .any(|path| ending(path).is_some_and(|end| ends.contains(&end.as_str())))
    };
    if ends(&entries, &["tar"]) {
        return Some("tar");
    }
    if ends(&entries, &["parquet"]) {
        return Some("parquet");
    }
    let below = |path: &PathBuf| path.is_dir() && ends(&inside(path), &PICTURES);
    (ends(&entries, &PICTURES) || entries.iter().any(below)).then_some("folder")
}

fn ending(path: &Path) -> Option<String> {
    path.extension()
        .and_then(OsStr::to_str)
        .map(str::to_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(flag: &str) -> String {
        let found = images(Some(flag)).unwrap();
        found
            .keys
            .iter()
            .map(|(key, value)| format!("{key}={} ", value.to_string().trim()))
            .collect()
    }

    #[test]
    fn folders_and_files_are_looked_into() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let make = |name: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
        };
        for name in [
            "cifar/data_batch_1.bin",
            "hundred/train.bin",
            "mnist/train-images-idx3-ubyte.gz",
            "shards/a-0.tar",
            "tables/train-0.parquet",
            "pictures/cat/1.JPG",
            "flat/1.png",
            "split/train/cat/1.png",
            "split/val/cat/2.png",
            "list.csv",
            "odd/readme.txt",
        ] {
            make(name);
        }
        let of = |name: &str| {
            told(root.join(name).to_str().unwrap()).replace(root.to_str().unwrap(), "")
        };
        assert_eq!(of("cifar"), "kind=\"cifar10\" dir=\"/cifar\" ");
        assert_eq!(of("hundred"), "kind=\"cifar100\" dir=\"/hundred\" ");
        assert_eq!(of("mnist"), "kind=\"idx\" dir=\"/mnist\" ");
        assert_eq!(of("shards"), "kind=\"tar\" train=\"/shards\" size=32 ");
        assert_eq!(of("tables"), "kind=\"parquet\" train=\"/tables\" size=32 ");
        assert_eq!(
            of("pictures"),
            "kind=\"folder\" train=\"/pictures\" size=32 "
        );
        assert_eq!(of("flat"), "kind=\"folder\" train=\"/flat\" size=32 ");
        assert_eq!(
            of("split"),
            "kind=\"folder\" train=\"/split/train\" held_out=\"/split/val\" size=32 "
        );
        assert_eq!(of("list.csv"), "kind=\"csv\" file=\"/list.csv\" size=32 ");
        for (wrong, words) in [
            ("odd", "no images were found"),
            ("absent", "there is no such folder"),
        ] {
            let refused = images(root.join(wrong).to_str()).err().unwrap().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn kinds_may_bring_their_place() {
        assert_eq!(told("embedded"), "kind=\"embedded\" ");
        assert_eq!(
            told("cifar10"),
            "kind=\"cifar10\" dir=\"data/cifar-10-batches-bin\" "
        );
        assert_eq!(told("cifar10:/a \"b\""), "kind=\"cifar10\" dir='/a \"b\"' ");
        assert_eq!(
            told("tar:x/*.tar"),
            "kind=\"tar\" train=\"x/*.tar\" size=32 "
        );
        assert!(images(Some("idx")).is_err());
    }
}
