//! The readers: what each gets, and whether it took it.

use std::fs;
use std::path::Path;

use afterimage::Registry;
use afterimage::config::{Layer, Setting};
use afterimage::coreset::read;
use afterimage::data::{DataSource, Limits};
use afterimage::model::check_record;
use afterimage::model::compact::Architecture;
use afterimage::sweep::{Ledger, replay};
use afterimage::track::{Report, read_table as table_of_run};
use afterimage::value::{LabelSource, read_table};

use crate::readers::{checkpoint, idx, images, keep, options, picture, put, seed, value, weights};

/// A reader. `read` puts the bytes where it wants them below a folder of its own, and says whether they
/// were taken.
pub struct Target {
    pub name: &'static str,
    /// Files that are changed: below `seeds`, or below the repository if the name begins with `/`.
    pub seeds: &'static [&'static str],
    /// Inputs of the short run.
    pub short: usize,
    pub read: fn(&Path, &[u8]) -> bool,
}

pub const TARGETS: [Target; 31] = [
    Target {
        name: "toml",
        seeds: &["run/config.toml", "probe.toml"],
        short: 2000,
        read: |_, bytes| {
            let text = String::from_utf8_lossy(bytes);
            let whole = Layer::parse("config.toml", &text).is_ok();
            let flag: String = text.chars().take(80).collect();
            Setting::parse(&flag).is_ok() | whole
        },
    },
    Target {
        name: "config of a run",
        seeds: &[
            "run/config.toml",
            "/configs/quickstart.toml",
            "/configs/dino-vit-tiny-cifar10.toml",
            "/crates/cli/tests/configs/noisy.toml",
        ],
        short: 300,
        read: |folder, bytes| {
            let path = put(folder, "config.toml", bytes);
            Registry::standard().load(&path, &[]).is_ok()
        },
    },
    Target {
        name: "csv of value",
        seeds: &["table.csv", "decimal.csv", "points.csv"],
        short: 1500,
        read: |folder, bytes| value(&put(folder, "table.csv", bytes), bytes.len()),
    },
    Target {
        name: "labels of value",
        seeds: &["labels.csv", "f2.npy"],
        short: 1000,
        read: |folder, bytes| {
            let table = keep(folder, "table.csv", || {
                b"a,b\n1,2\n3,4\n5,6\n7,8\n".to_vec()
            });
            let end = if bytes.starts_with(b"\x93") {
                "labels.npy"
            } else {
                "labels.csv"
            };
            let file = put(folder, end, bytes);
            read_table(&table, &options(LabelSource::File(file), true)).is_ok()
        },
    },
    Target {
        name: "csv of select",
        seeds: &["points.csv", "table.csv", "labels.csv"],
        short: 1500,
        read: |folder, bytes| {
            let path = put(folder, "points.csv", bytes);
            let taken = read::matrix(&path, "embeddings").is_ok();
            taken | read::labels(&path, 4).is_ok() | read::numbers(&path).is_ok()
        },
    },
    Target {
        name: "npy",
        seeds: &["f4.npy", "f2.npy", "i8.npy", "order.npy"],
        short: 2000,
        read: |folder, bytes| {
            let path = put(folder, "x.npy", bytes);
            let taken = read::matrix(&path, "embeddings").is_ok() | value(&path, bytes.len());
            taken | read::labels(&path, 6).is_ok()
        },
    },
    Target {
        name: "parquet of value",
        seeds: &[
            "frame.parquet",
            "index.parquet",
            "v2.parquet",
            "delta.parquet",
        ],
        short: 1000,
        read: |folder, bytes| value(&put(folder, "x.parquet", bytes), bytes.len()),
    },
    Target {
        name: "parquet of select",
        seeds: &["lists.parquet", "v2.parquet", "delta.parquet"],
        short: 1000,
        read: |folder, bytes| {
            let path = put(folder, "x.parquet", bytes);
            read::matrix(&path, "embeddings").is_ok() | read::labels(&path, 6).is_ok()
        },
    },
    Target {
        name: "tables of a run",
        // Behind the first: a column that begins before its file, and columns of different lengths.
        seeds: &["run/table.parquet", "negative.parquet", "uneven.parquet"],
        short: 1000,
        read: |folder, bytes| table_of_run(&put(folder, "x.parquet", bytes)).is_ok(),
    },
    Target {
        name: "idx images",
        seeds: &["images.idx"],
        short: 1500,
        read: |folder, bytes| idx(folder, Some(bytes), None),
    },
    Target {
        name: "idx labels",
        seeds: &["labels.idx"],
        short: 1000,
        read: |folder, bytes| idx(folder, None, Some(bytes)),
    },
    Target {
        name: "idx in gzip",
        seeds: &["images.idx.gz"],
        short: 1000,
        read: |folder, bytes| idx(folder, Some(bytes), None),
    },
    Target {
        name: "cifar",
        seeds: &["run/decisions.jsonl", "labels.idx"],
        short: 500,
        read: |folder, bytes| {
            let two = [vec![3; 3073], vec![9; 3073]].concat();
            keep(folder, "cifar/test_batch.bin", || two.clone());
            // Changes are laid over two images.
            let mut batch = two;
            for (at, &byte) in bytes.iter().enumerate().take(6146) {
                let place = (at * 613) % 6146;
                batch[place] ^= byte;
            }
            batch.truncate(6146 - (bytes.len() % 2) * bytes.first().map_or(0, |&b| usize::from(b)));
            keep(folder, "cifar/here", Vec::new);
            put(folder, "cifar/data_batch_1.bin", &batch);
            let dir = folder.join("cifar");
            DataSource::Cifar10 { dir }.load(Limits::default()).is_ok()
        },
    },
    Target {
        name: "pictures",
        seeds: &[
            "alpha.png",
            "colour.png",
            "palette.png",
            "deep.png",
            "colour.jpg",
            "turned.jpg",
            "colour.gif",
            "colour.bmp",
            "colour.tif",
            "packed.tif",
            "colour.webp",
            "lossless.webp",
            "colour.ppm",
            "colour.ico",
            "colour.qoi",
        ],
        short: 1500,
        read: |folder, bytes| picture(folder, "3.png", bytes),
    },
    Target {
        // This format is known by its name alone.
        name: "pictures, tga",
        seeds: &["colour.tga"],
        short: 500,
        read: |folder, bytes| picture(folder, "3.tga", bytes),
    },
    Target {
        name: "tar shards",
        seeds: &["shard.tar"],
        short: 700,
        read: |folder, bytes| {
            let source = DataSource::Tar {
                train: put(folder, "x.tar", bytes),
                held_out: None,
                held_out_ids: None,
                hold_out_every: Some(2),
                size: 8,
                channels: None,
                on_bad: None,
            };
            images(&source)
        },
    },
    Target {
        name: "parquet of images",
        seeds: &["images.parquet"],
        short: 500,
        read: |folder, bytes| {
            let source = DataSource::Parquet {
                train: put(folder, "x.parquet", bytes),
                held_out: None,
                held_out_ids: None,
                hold_out_every: Some(2),
                image: None,
                label: None,
                split: None,
                held_out_value: None,
                cache: None,
                size: 8,
                channels: None,
                on_bad: None,
            };
            images(&source)
        },
    },
    Target {
        name: "npy of images",
        seeds: &["images.npy"],
        short: 1000,
        read: |folder, bytes| {
            let source = DataSource::Npy {
                train_images: put(folder, "x.npy", bytes),
                train_labels: None,
                held_out_images: None,
                held_out_labels: None,
                held_out_ids: None,
                hold_out_every: Some(2),
            };
            let _ = source.side();
            images(&source)
        },
    },
    Target {
        name: "npz of images",
        seeds: &["stored.npz", "deflated.npz"],
        short: 1000,
        read: |folder, bytes| {
            let source = DataSource::Npz {
                file: put(folder, "x.npz", bytes),
                train_images: None,
                train_labels: None,
                held_out_images: None,
                held_out_labels: None,
                held_out_ids: None,
                hold_out_every: None,
            };
            let _ = source.side();
            images(&source)
        },
    },
    Target {
        name: "ids of images",
        seeds: &["ids.txt", "ids.csv", "ids.parquet"],
        short: 1000,
        read: |folder, bytes| {
            for at in 0..6 {
                keep(folder, &format!("photos/{at}.png"), || seed("colour.png"));
            }
            let name = match bytes.first() {
                Some(b'P') => "ids.parquet",
                Some(b'i') => "ids.csv",
                _ => "ids.txt",
            };
            images(&DataSource::Folder {
                train: folder.join("photos"),
                held_out: None,
                held_out_ids: Some(put(folder, name, bytes)),
                hold_out_every: None,
                size: 8,
                channels: None,
                lazy: true,
                on_bad: None,
            })
        },
    },
    Target {
        name: "csv list of images",
        seeds: &["list.csv"],
        short: 1000,
        read: |folder, bytes| {
            for class in ["a", "b"] {
                for at in 0..3 {
                    keep(folder, &format!("{class}/{at}.png"), || seed("colour.png"));
                }
            }
            let of = |label: Option<&str>, split: Option<&str>| DataSource::Csv {
                file: folder.join("list.csv"),
                dir: None,
                path: None,
                label: label.map(str::to_owned),
                split: split.map(str::to_owned),
                held_out_value: None,
                held_out_ids: None,
                hold_out_every: None,
                size: 8,
                channels: None,
                on_bad: None,
            };
            put(folder, "list.csv", bytes);
            images(&of(None, None)) | images(&of(Some("label"), Some("split")))
        },
    },
    Target {
        name: "pt",
        seeds: &["flat.pt", "nested.pt"],
        short: 800,
        read: |folder, bytes| weights(folder, "weights.pt", bytes),
    },
    Target {
        name: "safetensors",
        seeds: &["flat.safetensors"],
        short: 1500,
        read: |folder, bytes| weights(folder, "weights.safetensors", bytes),
    },
    Target {
        name: "bpk",
        seeds: &["schedule.bpk"],
        short: 1500,
        read: |folder, bytes| check_record(bytes.to_vec(), &folder.join("model.bpk")).is_ok(),
    },
    Target {
        name: "arch.json",
        seeds: &["arch.json"],
        short: 1500,
        read: |folder, bytes| Architecture::read(&put(folder, "arch.json", bytes)).is_ok(),
    },
    Target {
        name: "checkpoint, loop",
        seeds: &["checkpoint/loop.bin", "checkpoint/mid-loop.bin"],
        short: 800,
        read: |folder, bytes| checkpoint(folder, "loop.bin", bytes),
    },
    Target {
        name: "checkpoint, plugins",
        seeds: &["checkpoint/plugins.bin", "checkpoint/pruned-plugins.bin"],
        short: 500,
        read: |folder, bytes| checkpoint(folder, "plugins.bin", bytes),
    },
    Target {
        name: "checkpoint, arch",
        seeds: &["checkpoint/arch.json"],
        short: 500,
        read: |folder, bytes| checkpoint(folder, "arch.json", bytes),
    },
    Target {
        name: "checkpoint, list",
        // The first changes nothing, since it is short.
        seeds: &["labels.idx", "run/result.json", "run/manifest.json"],
        short: 500,
        read: |folder, bytes| checkpoint(folder, "contents.json", bytes),
    },
    Target {
        name: "ledger",
        seeds: &["ledger.jsonl"],
        short: 1500,
        read: |folder, bytes| {
            let path = put(folder, "ledger.jsonl", bytes);
            let opened = Ledger::open(&path);
            opened
                .map(|(_, lines)| replay(["a=1", "a=2"], &lines))
                .is_ok()
        },
    },
    Target {
        name: "files of a run",
        seeds: &[
            "run/metrics.jsonl",
            "run/timings.jsonl",
            "run/histograms.jsonl",
            "run/index.jsonl",
            "run/manifest.json",
            "run/config.toml",
            "run/table.parquet",
        ],
        short: 500,
        read: |folder, bytes| {
            let run = folder.join("run");
            let (place, start) = match bytes.first() {
                Some(b'P') => ("tables/unitmem.points/epoch-0001.parquet", 0),
                // A line of one file in another is an input, too.
                Some(_) if bytes.starts_with(b"{\"tag\":\"unitmem/owners") => {
                    ("images/index.jsonl", 1)
                }
                Some(_) if bytes.starts_with(b"{\"tag\":\"unitmem/train") => {
                    ("histograms.jsonl", 1)
                }
                Some(_) if bytes.starts_with(b"{\"tag\":\"time") => ("timings.jsonl", 1),
                Some(b'{') if bytes.get(1) == Some(&b'\n') => ("manifest.json", 1),
                Some(b'{') => ("metrics.jsonl", 1),
                _ => ("config.toml", 0),
            };
            for name in [
                "metrics.jsonl",
                "timings.jsonl",
                "histograms.jsonl",
                "manifest.json",
                "config.toml",
            ] {
                let path = run.join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                if place != name {
                    fs::write(
                        path,
                        if start == 0 {
                            seed(&format!("run/{name}"))
                        } else {
                            Vec::new()
                        },
                    )
                    .unwrap();
                }
            }
            for inner in ["images", "tables/unitmem.points"] {
                let _ = fs::remove_dir_all(run.join(inner));
                fs::create_dir_all(run.join(inner)).unwrap();
            }
            put(&run, place, bytes);
            // Beside itself; what it is refused for is what the page of the run is refused for.
            let beside = [run.clone(), run.clone()];
            let _ = afterimage::compare(&beside, &folder.join("compared.html"));
            match Report::from_run(&run) {
                Ok(report) => {
                    assert!(!report.html().is_empty());
                    report.damaged().is_empty()
                }
                Err(_) => false,
            }
        },
    },
];
