//! Readers: what they read, and what they say about files that cannot be used.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use afterimage_data::{DataError, DataSet, DataSource, Limits};
use afterimage_hooks::SampleId;
use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;

const ALL: Limits = Limits {
    train: None,
    held_out: None,
};

fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    dims.iter().for_each(|d| bytes.extend(d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A folder with 3 training and 2 test images of 2×2 pixels.
fn idx_folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
    write(
        "train-images-idx3-ubyte",
        idx(&[3, 2, 2], &(0..12).collect::<Vec<u8>>()),
    );
    write("train-labels-idx1-ubyte.gz", gzip(&idx(&[3], &[1, 0, 1])));
    write(
        "t10k-images.idx3-ubyte.gz",
        gzip(&idx(&[2, 2, 2], &(50..58).collect::<Vec<u8>>())),
    );
    write("t10k-labels.idx1-ubyte", idx(&[2], &[0, 1]));
    dir
}

fn load_idx(dir: &Path) -> Result<DataSet, DataError> {
    DataSource::Idx {
        dir: dir.to_owned(),
    }
    .load(ALL)
}

fn expect_message<T: std::fmt::Debug>(result: Result<T, DataError>, parts: &[&str]) {
    let message = result.unwrap_err().to_string();
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in: {message}");
    }
}

#[test]
fn idx_files_are_read_plain_and_packed_under_both_spellings() {
    let dir = idx_folder();
    let data = load_idx(dir.path()).unwrap();
    assert_eq!(data.train.labels(), [1, 0, 1]);
    assert_eq!(
        *data.train.image(SampleId(2)).unwrap().pixels,
        [8, 9, 10, 11]
    );
    assert_eq!(
        *data.held_out.image(SampleId(1)).unwrap().pixels,
        [54, 55, 56, 57]
    );
    assert_eq!(data.held_out.classes(), ["0", "1"]);
    let named = DataSource::IdxFiles {
        train_images: dir.path().join("train-images-idx3-ubyte"),
        train_labels: dir.path().join("train-labels-idx1-ubyte.gz"),
        held_out_images: dir.path().join("t10k-images.idx3-ubyte.gz"),
        held_out_labels: dir.path().join("t10k-labels.idx1-ubyte"),
    };
    assert_eq!(named.load(ALL).unwrap(), data);
}

#[test]
fn damaged_idx_files_are_named_with_the_reason() {
    let good = idx(&[3, 2, 2], &[7; 12]);
    let mut flipped = gzip(&good);
    let last = flipped.len() - 6;
    flipped[last] ^= 0xff;
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("train-images-idx3-ubyte", vec![], &["the file is empty"]),
        (
            "train-images-idx3-ubyte",
            good[..2].to_vec(),
            &["truncated", "2 bytes"],
        ),
        (
            "train-images-idx3-ubyte",
            good[..11].to_vec(),
            &["truncated", "11 bytes", "16 bytes of the header"],
        ),
        (
            "train-images-idx3-ubyte",
            good[..20].to_vec(),
            &["truncated", "3×2×2 = 12", "there are 4"],
        ),
        (
            "train-images-idx3-ubyte",
            [&good[..], &[0; 5]].concat(),
            &["5 bytes too many"],
        ),
        (
            "train-images-idx3-ubyte",
            idx(&[3], &[0; 3]),
            &["wrong magic number 0x00000801", "0x00000803"],
        ),
        (
            "train-images-idx3-ubyte",
            b"\x89PNG\r\n".to_vec(),
            &["wrong magic number 0x89504e47"],
        ),
        (
            "train-images-idx3-ubyte",
            idx(&[0, 2, 2], &[]),
            &["no images", "0×2×2"],
        ),
        (
            "train-images-idx3-ubyte",
            idx(&[1 << 31, 1 << 16, 1 << 16], &[0; 12]),
            &[
                "9223372036854775824 bytes that the header promises",
                "half of the memory",
            ],
        ),
        // A product beyond all numbers promises no less.
        (
            "train-images-idx3-ubyte",
            idx(&[u32::MAX; 3], &[]),
            &["bytes that the header promises", "half of the memory"],
        ),
        (
            "train-images-idx3-ubyte",
            gzip(&idx(&[u32::MAX; 3], &[])),
            &["bytes that the header promises", "half of the memory"],
        ),
        (
            "train-images-idx3-ubyte",
            gzip(&good)[..12].to_vec(),
            &["gzip stream is cut off"],
        ),
        (
            "train-images-idx3-ubyte",
            flipped,
            &["gzip stream is damaged"],
        ),
        (
            "train-labels-idx1-ubyte.gz",
            gzip(&idx(&[2], &[0, 1])),
            &["holds 3 images", "holds 2 labels"],
        ),
        (
            "t10k-images.idx3-ubyte.gz",
            gzip(&idx(&[2, 3, 3], &[0; 18])),
            &["images are 3×3", "are 2×2"],
        ),
    ];
    for (name, bytes, parts) in cases {
        let dir = idx_folder();
        fs::write(dir.path().join(name), bytes).unwrap();
        let result = load_idx(dir.path());
        let stem = name.split(['-', '.']).next().unwrap();
        expect_message(result, &[&[stem], parts].concat());
    }
    let dir = idx_folder();
    fs::remove_file(dir.path().join("t10k-labels.idx1-ubyte")).unwrap();
    expect_message(
        load_idx(dir.path()),
        &["lacks the labels of \"t10k\"", "t10k-labels-idx1-ubyte.gz"],
    );
}

fn cifar_records(labels: &[&[u8]], salt: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (at, label) in labels.iter().enumerate() {
        bytes.extend(*label);
        bytes.extend((0..3072u32).map(|i| (i as u8).wrapping_add(salt + at as u8)));
    }
    bytes
}

fn cifar10_folder() -> TempDir {
    let dir = TempDir::new().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(dir.path().join(name), bytes).unwrap();
    write("data_batch_2.bin", cifar_records(&[&[7]], 100));
    write("data_batch_10.bin", cifar_records(&[&[9], &[0]], 200));
    write("data_batch_1.bin", cifar_records(&[&[3], &[4]], 0));
    write("test_batch.bin", cifar_records(&[&[5]], 50));
    dir
}

#[test]
fn cifar10_is_read_in_the_order_of_the_batch_numbers() {
    let dir = cifar10_folder();
    let source = DataSource::Cifar10 {
        dir: dir.path().to_owned(),
    };
    let data = source.load(ALL).unwrap();
    assert_eq!(data.train.labels(), [3, 4, 7, 9, 0]);
    assert_eq!(data.held_out.labels(), [5]);
    assert_eq!(data.train.classes()[9], "truck");
    let image = data.train.image(SampleId(2)).unwrap();
    assert_eq!((image.pixels[0], image.pixels[3071]), (100, 99));
    // Planes become interleaved: red, green, blue of the second pixel.
    let first = data.train.picture(SampleId(0)).unwrap();
    assert_eq!(first[3..6], [1, (1025 % 256) as u8, (2049 % 256) as u8]);
}

#[test]
fn damaged_cifar_files_are_named_with_the_reason() {
    let good = cifar_records(&[&[1], &[2]], 0);
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("data_batch_2.bin", vec![], &["data_batch_2.bin", "empty"]),
        (
            "data_batch_2.bin",
            good[..4000].to_vec(),
            &[
                "data_batch_2.bin",
                "4000 bytes",
                "3073",
                "at byte 3073",
                "only 927",
            ],
        ),
        (
            "test_batch.bin",
            cifar_records(&[&[1], &[10]], 0),
            &["test_batch.bin", "image 1", "byte 3073", "is 10", "0 to 9"],
        ),
        (
            "batches.meta.txt",
            b"cat\ndog\n".to_vec(),
            &["batches.meta.txt", "2 class names", "10"],
        ),
    ];
    for (name, bytes, parts) in cases {
        let dir = cifar10_folder();
        fs::write(dir.path().join(name), bytes).unwrap();
        expect_message(
            DataSource::Cifar10 {
                dir: dir.path().to_owned(),
            }
            .load(ALL),
            parts,
        );
    }
    let empty = TempDir::new().unwrap();
    let source = DataSource::Cifar10 {
        dir: empty.path().to_owned(),
    };
    expect_message(source.load(ALL), &["no data_batch_1.bin"]);
    let nowhere = DataSource::Cifar10 {
        dir: empty.path().join("nowhere"),
    };
    expect_message(nowhere.load(ALL), &["nowhere"]);
}

#[test]
fn cifar100_has_coarse_and_fine_labels() {
    let dir = TempDir::new().unwrap();
    fs::write(
        dir.path().join("train.bin"),
        cifar_records(&[&[19, 99], &[3, 42]], 0),
    )
    .unwrap();
    fs::write(dir.path().join("test.bin"), cifar_records(&[&[0, 1]], 9)).unwrap();
    for (coarse, labels, classes) in [(false, [99, 42], 100), (true, [19, 3], 20)] {
        let data = DataSource::Cifar100 {
            dir: dir.path().to_owned(),
            coarse,
        }
        .load(ALL)
        .unwrap();
        assert_eq!(data.train.labels(), labels);
        assert_eq!(data.train.classes().len(), classes);
        assert_eq!(data.train.image(SampleId(1)).unwrap().pixels[..2], [1, 2]);
    }
}

#[test]
fn the_embedded_set_is_balanced_and_limits_keep_it_so() {
    let data = DataSource::Embedded {}.load(ALL).unwrap();
    assert_eq!((data.train.len(), data.held_out.len()), (6000, 1000));
    let count = |labels: &[u32], class| labels.iter().filter(|&&l| l == class).count();
    assert!((0..10).all(|class| count(data.train.labels(), class) == 600));
    assert!((0..10).all(|class| count(data.held_out.labels(), class) == 100));
    // The first training image of Fashion-MNIST is an ankle boot.
    assert_eq!(
        data.train.classes()[data.train.labels()[0] as usize],
        "Ankle boot"
    );
    let limits = Limits {
        train: Some(50),
        held_out: Some(20),
    };
    let some = DataSource::Embedded {}.load(limits).unwrap();
    assert!((0..10).all(|class| count(some.train.labels(), class) == 5));
    assert_ne!(some.digest(), data.digest());
    let limits = Limits {
        train: Some(7000),
        held_out: None,
    };
    let mut notes = Vec::new();
    let all = DataSource::Embedded {}.load_telling(limits, &mut notes);
    assert_eq!(all.unwrap().digest(), data.digest());
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].contains("limits.train is 7000; all 6000 images"),
        "{notes:?}"
    );
    let limits = Limits {
        train: None,
        held_out: Some(usize::MAX),
    };
    let all = DataSource::Embedded {}.load(limits).unwrap();
    assert_eq!(all.digest(), data.digest());
}

#[test]
fn sources_are_strict_about_their_keys() {
    let parse = |text: &str| toml::from_str::<DataSource>(text);
    assert_eq!(parse("kind = 'embedded'").unwrap(), DataSource::Embedded {});
    assert_eq!(
        parse("kind = 'cifar10'\ndir = 'x'").unwrap(),
        DataSource::Cifar10 {
            dir: PathBuf::from("x")
        }
    );
    for text in [
        "kind = 'embedded'\ndir = 'x'",
        "kind = 'cifar10'",
        "kind = 'cifar10'\ndir = 'x'\ncoarse = true",
        "kind = 'imagenet'",
        "dir = 'x'",
        "kind = 'folder'\ntrain = 'x'\nsize = 32\nresize = 3",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}

/// The real CIFAR-10, where it is: in the folder that `AFTERIMAGE_CIFAR10` names, or beside the
/// workspace.
#[test]
fn real_cifar10_is_read_where_it_is_present() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/cifar10");
    let dir = std::env::var_os("AFTERIMAGE_CIFAR10").map_or(beside, PathBuf::from);
    if !dir.is_dir() {
        println!(
            "skipped: there is no CIFAR-10 at {} (set AFTERIMAGE_CIFAR10)",
            dir.display()
        );
        return;
    }
    let data = DataSource::Cifar10 { dir }.load(ALL).unwrap();
    assert_eq!(data.train.classes()[0], "airplane");
    assert!(data.train.len() >= 10_000 && data.held_out.len() >= 1000);
    let count = |class| data.train.labels().iter().filter(|&&l| l == class).count();
    assert!((0..10).all(|class| count(class) == data.train.len() / 10));
}
