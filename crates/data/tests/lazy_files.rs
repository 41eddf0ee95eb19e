//! Parquet, npy and CSV lists whose images stay in their files.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::{DataError, DataSet, DataSource, Limits};
use afterimage_hooks::{SampleId, Split};
use image::{Rgb, RgbImage};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tempfile::TempDir;

/// Two classes of six pictures as PNG files, with names and classes in order.
fn pictures() -> (TempDir, Vec<(String, u32)>) {
    let dir = TempDir::new().unwrap();
    let mut names = Vec::new();
    for class in 0..2u32 {
        fs::create_dir(dir.path().join(class.to_string())).unwrap();
        for at in 0..6u32 {
            let name = format!("{class}/{at}.png");
            let picture = RgbImage::from_fn(9, 11 + at, |x, y| {
                Rgb([(90 * class + x) as u8, (20 * at + y) as u8, (x * y) as u8])
            });
            picture.save(dir.path().join(&name)).unwrap();
            names.push((name, class));
        }
    }
    (dir, names)
}

fn source(text: &str) -> DataSource {
    toml::from_str(text).unwrap()
}

fn load(source: &DataSource) -> Result<DataSet, DataError> {
    source.load(Limits::default())
}

fn in_memory(dir: &Path) -> DataSet {
    load(&source(&format!(
        "kind = 'folder'\ntrain = {dir:?}\nhold_out_every = 3\nsize = 8\n"
    )))
    .unwrap()
}

fn assert_same_images(one: &DataSet, other: &DataSet) {
    for split in [Split::Train, Split::HeldOut] {
        assert_eq!(one.split(split).labels(), other.split(split).labels());
        let ids: Vec<SampleId> = (0..one.split(split).len() as u32).map(SampleId).collect();
        assert_eq!(
            one.images(split, &ids).unwrap(),
            other.images(split, &ids).unwrap()
        );
    }
}

fn said(source: &DataSource, words: &[&str]) {
    let message = load(source).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
}

/// A shard as public sets have it: `image` with `bytes` and `path`, and `label`.
fn shard(path: &Path, dir: &Path, rows: &[(String, u32)], about: Option<&str>) {
    let schema = "message schema { optional group image { optional binary bytes; optional binary path \
                  (UTF8); } optional int64 label; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let pairs = about.map(|about| vec![KeyValue::new("huggingface".to_owned(), about.to_owned())]);
    let properties = WriterProperties::builder()
        .set_key_value_metadata(pairs)
        .build();
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for rows in rows.chunks(4) {
        let mut group = writer.next_row_group().unwrap();
        let bytes: Vec<ByteArray> = rows
            .iter()
            .map(|(name, _)| fs::read(dir.join(name)).unwrap().into())
            .collect();
        let names: Vec<ByteArray> = rows.iter().map(|(name, _)| name.as_str().into()).collect();
        for values in [bytes, names] {
            let mut column = group.next_column().unwrap().unwrap();
            let levels = vec![2; rows.len()];
            column
                .typed::<ByteArrayType>()
                .write_batch(&values, Some(&levels), None)
                .unwrap();
            column.close().unwrap();
        }
        let labels: Vec<i64> = rows.iter().map(|(_, label)| i64::from(*label)).collect();
        let mut column = group.next_column().unwrap().unwrap();
        let levels = vec![1; rows.len()];
        column
            .typed::<Int64Type>()
            .write_batch(&labels, Some(&levels), None)
            .unwrap();
        column.close().unwrap();
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn parquet_source(place: &Path, more: &str) -> DataSource {
    source(&format!(
        "kind = 'parquet'\ntrain = {place:?}\nhold_out_every = 3\nsize = 8\n{more}"
    ))
}

#[test]
fn parquet_shards_have_the_images_of_the_folder_in_memory_and_in_a_cache() {
    let (dir, names) = pictures();
    let place = dir.path().join("data");
    fs::create_dir(&place).unwrap();
    let about = r#"{"info":{"features":{"label":{"names":["cat","dog"],"_type":"ClassLabel"}}}}"#;
    shard(
        &place.join("train-0.parquet"),
        dir.path(),
        &names[..7],
        Some(about),
    );
    shard(
        &place.join("train-1.parquet"),
        dir.path(),
        &names[7..],
        Some(about),
    );
    let (plain, _) = pictures();
    let eager = in_memory(plain.path());
    let held = load(&parquet_source(&place.join("train-*.parquet"), "")).unwrap();
    assert_same_images(&eager, &held);
    assert_eq!(held.train.classes(), ["cat", "dog"]);
    let name = held.train.name(SampleId(7)).unwrap().to_string();
    assert_eq!(name, "train-1.parquet[3]");
    let cache = dir.path().join("cache");
    let source = parquet_source(&place, &format!("cache = {cache:?}\n"));
    let cached = load(&source).unwrap();
    assert_same_images(&eager, &cached);
    assert_eq!(cached.digest(), held.digest());
    // The cache is found again, and a damaged one is told.
    let folder = fs::read_dir(&cache)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let written = fs::metadata(folder.join("images"))
        .unwrap()
        .modified()
        .unwrap();
    assert_same_images(&eager, &load(&source).unwrap());
    let again = fs::metadata(folder.join("images"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(written, again);
    let images = fs::read(folder.join("images")).unwrap();
    fs::write(folder.join("images"), &images[1..]).unwrap();
    said(&source, &["remove this folder"]);
    assert!(
        cached
            .train
            .image(SampleId(0))
            .unwrap_err()
            .to_string()
            .contains("may not change")
    );
    fs::write(folder.join("images"), images).unwrap();
    let mut ends = fs::read(folder.join("ends")).unwrap();
    ends[40] ^= 1;
    fs::write(folder.join("ends"), ends).unwrap();
    said(&source, &["does not list 12 images"]);
}

#[test]
fn parquet_of_another_schema_or_cut_off_is_told() {
    let (dir, names) = pictures();
    let path = dir.path().join("x.parquet");
    shard(&path, dir.path(), &names, None);
    said(
        &parquet_source(&path, "image = 'img'\n"),
        &[
            "x.parquet",
            "no column \"img\"",
            "image.bytes, image.path, label",
        ],
    );
    said(
        &parquet_source(&path, "label = 'fine'\n"),
        &["no column \"fine\""],
    );
    said(
        &parquet_source(&path, "label = 'image.bytes'\n"),
        &["x.parquet"],
    );
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    said(&parquet_source(&path, ""), &["x.parquet", "cannot be read"]);
    let mut damaged = whole;
    damaged[60..400].fill(0xa5);
    fs::write(&path, damaged).unwrap();
    let found = load(&parquet_source(&path, ""));
    let bad = found.map_or(true, |data| !data.faults().is_empty());
    assert!(bad);
}

/// An npy file of bytes or of whole numbers.
fn npy(path: &Path, kind: &str, shape: &str, data: &[u8]) -> PathBuf {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    fs::write(path, bytes).unwrap();
    path.to_owned()
}

#[test]
fn arrays_are_read_image_by_image_in_each_layout() {
    let dir = TempDir::new().unwrap();
    let data: Vec<u8> = (0..6 * 4 * 5 * 3u32).map(|at| (at % 251) as u8).collect();
    let labels: Vec<u8> = [0i64, 1, 0, 1, 0, 1]
        .iter()
        .flat_map(|l| l.to_le_bytes())
        .collect();
    let labels = npy(&dir.path().join("y.npy"), "<i8", "(6,)", &labels);
    let of = |images: &Path| {
        source(&format!(
            "kind = 'npy'\ntrain_images = {images:?}\ntrain_labels = {labels:?}\nhold_out_every = 3\n"
        ))
    };
    let rows = npy(&dir.path().join("a.npy"), "|u1", "(6, 4, 5, 3)", &data);
    let planes = npy(&dir.path().join("b.npy"), "|u1", "(6, 3, 4, 5)", &data);
    let gray = npy(&dir.path().join("c.npy"), "|u1", "(6, 12, 5)", &data);
    let [rows, planes, gray] = [rows, planes, gray].map(|path| load(&of(&path)).unwrap());
    // Every third of a class is held out: images 4 and 5.
    assert_eq!(rows.train.labels(), [0, 1, 0, 1]);
    let name = rows.held_out.name(SampleId(1)).unwrap().to_string();
    assert_eq!(name, "a.npy[5]");
    let second = &data[60..120];
    let pixels = |set: &DataSet| set.train.image(SampleId(1)).unwrap().pixels.to_vec();
    assert_eq!(rows.train.picture(SampleId(1)).unwrap(), second);
    assert_eq!(pixels(&planes), second);
    assert_eq!(pixels(&gray), second);
    assert_eq!(gray.train.shape().channels, 1);
    assert_eq!(
        (rows.train.shape().height, rows.train.shape().width),
        (4, 5)
    );

    let bad = |name: &str, kind: &str, shape: &str, words: &[&str]| {
        said(&of(&npy(&dir.path().join(name), kind, shape, &data)), words);
    };
    bad("d.npy", "|u1", "(6, 4, 5, 4)", &["d.npy", "[6, 4, 5, 4]"]);
    bad("e.npy", "<f4", "(6, 3, 5)", &["e.npy", "images are bytes"]);
    bad(
        "f.npy",
        "|u1",
        "(6, 400, 5)",
        &["f.npy", "cut off or damaged"],
    );
    bad(
        "g.npy",
        "|u1",
        "(5, 12, 5)",
        &["y.npy", "labels of 5 images"],
    );
    let negative: Vec<u8> = [0i64, 1, -1, 1, 0, 1]
        .iter()
        .flat_map(|l| l.to_le_bytes())
        .collect();
    npy(&labels, "<i8", "(6,)", &negative);
    said(
        &of(&dir.path().join("a.npy")),
        &["y.npy", "the label of image 2"],
    );
    let a = dir.path().join("a.npy");
    let bare = load(&source(&format!("kind = 'npy'\ntrain_images = {a:?}\n"))).unwrap();
    assert!(!bare.train.has_labels());
}

#[test]
fn a_list_has_paths_labels_and_splits() {
    let (dir, names) = pictures();
    let list = dir.path().join("list.csv");
    let write = |rows: &[(&str, &str, &str)]| {
        let lines = rows
            .iter()
            .map(|(path, label, split)| format!("{label},{path},{split}\n"));
        fs::write(
            &list,
            "kind,path,part\n".to_owned() + &lines.collect::<String>(),
        )
        .unwrap();
    };
    let of = |more: &str| {
        source(&format!(
            "kind = 'csv'\nfile = {list:?}\nlabel = 'kind'\nsize = 8\n{more}"
        ))
    };
    let words = ["ash", "birch"];
    let rows: Vec<(&str, &str, &str)> = names
        .iter()
        .enumerate()
        .map(|(at, (name, class))| {
            let split = if at % 6 % 3 == 2 { "test" } else { "train" };
            (name.as_str(), words[*class as usize], split)
        })
        .collect();
    write(&rows);
    let eager = in_memory(&{
        let (plain, _) = pictures();
        plain.keep()
    });
    let data = load(&of("split = 'part'\n")).unwrap();
    assert_same_images(&eager, &data);
    assert_eq!(data.train.classes(), ["ash", "birch"]);
    assert_eq!(data.held_out.name(SampleId(0)).unwrap().file, "0/2.png");
    assert_same_images(&eager, &load(&of("hold_out_every = 3\n")).unwrap());
    let problem = of("split = 'part'\nhold_out_every = 3\n").problems();
    assert_eq!(problem[0].0, "hold_out_every");

    said(
        &of("path = 'file'\n"),
        &["no column \"file\"", "kind, path, part"],
    );
    let with = |row: (&'static str, &'static str, &'static str)| {
        let mut all = rows.clone();
        all.push(row);
        all.push(("nowhere/b.png", "ash", "train"));
        write(&all);
    };
    with(("nowhere/a.png", "ash", "train"));
    said(&of(""), &["2 unusable", "nowhere/a.png", "nowhere/b.png"]);
    with(("../a.png", "ash", "train"));
    said(&of(""), &["../a.png", "leads out of it"]);
    with(("/etc/hosts", "ash", "train"));
    said(&of(""), &["/etc/hosts", "is an absolute path"]);
    with(("0/1.png", "ash", "dev"));
    said(&of("split = 'part'\n"), &["line 14", "\"dev\""]);
    with(("0/1.png", "", "train"));
    said(&of(""), &["line 14 has no label"]);
    std::os::unix::fs::symlink("/etc/hosts", dir.path().join("0/out.png")).unwrap();
    with(("0/out.png", "ash", "train"));
    said(&of(""), &["0/out.png", "a link that leads out of it"]);
}
