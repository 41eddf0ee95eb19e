//! Parquet, npy and CSV lists whose images stay in their files.

#![allow(clippy::unwrap_used, clippy::panic)]

mod pictures;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::{DataSet, DataSource};
use afterimage_hooks::SampleId;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use pictures::{assert_same_images, load, npy, pictures, said, source, thirds};
use tempfile::TempDir;

/// Two classes of six pictures as PNG files.
fn two_classes() -> (TempDir, Vec<(String, u32)>) {
    pictures(2, 6, &["png"])
}

fn in_memory(dir: &Path) -> DataSet {
    load(&thirds("folder", dir, "")).unwrap()
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
    thirds("parquet", place, more)
}

#[test]
fn parquet_shards_have_the_images_of_the_folder_in_memory_and_in_a_cache() {
    let (dir, names) = two_classes();
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
    let (plain, _) = two_classes();
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
    // A link that leads nowhere is no cache, and nothing can be written in its place.
    fs::remove_dir_all(&folder).unwrap();
    symlink("nowhere", &folder).unwrap();
    said(&source, &["the cache is damaged", "remove this folder"]);
}

#[test]
fn parquet_of_another_schema_or_cut_off_is_told() {
    let (dir, names) = two_classes();
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
    let mut large = names.clone();
    large[3].1 = 4_000_000_000;
    let held = dir.path().join("held.parquet");
    shard(&held, dir.path(), &large, None);
    let both = source(&format!(
        "kind = 'parquet'\ntrain = {path:?}\nheld_out = {held:?}\nsize = 8\n"
    ));
    said(
        &both,
        &[
            "held.parquet: row 3: the label is 4000000000",
            "below 1,048,576",
        ],
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

/// The file `path` with an array.
fn array(path: &Path, kind: &str, shape: &str, data: &[u8]) -> PathBuf {
    fs::write(path, npy(kind, shape, data)).unwrap();
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
    let labels = array(&dir.path().join("y.npy"), "<i8", "(6,)", &labels);
    let of = |images: &Path| {
        source(&format!(
            "kind = 'npy'\ntrain_images = {images:?}\ntrain_labels = {labels:?}\nhold_out_every = 3\n"
        ))
    };
    let rows = array(&dir.path().join("a.npy"), "|u1", "(6, 4, 5, 3)", &data);
    let planes = array(&dir.path().join("b.npy"), "|u1", "(6, 3, 4, 5)", &data);
    let gray = array(&dir.path().join("c.npy"), "|u1", "(6, 12, 5)", &data);
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
        said(
            &of(&array(&dir.path().join(name), kind, shape, &data)),
            words,
        );
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
    array(&labels, "<i8", "(6,)", &negative);
    said(
        &of(&dir.path().join("a.npy")),
        &["y.npy", "the label of image 2 is -1", "from 0 on"],
    );
    let large: Vec<u8> = [0i64, 1, 0, 1, 4_000_000, 1]
        .iter()
        .flat_map(|l| l.to_le_bytes())
        .collect();
    array(&labels, "<i8", "(6,)", &large);
    said(
        &of(&dir.path().join("a.npy")),
        &["y.npy: the label of image 4 is 4000000", "below 1,048,576"],
    );
    let a = dir.path().join("a.npy");
    let bare = load(&source(&format!("kind = 'npy'\ntrain_images = {a:?}\n"))).unwrap();
    assert!(!bare.train.has_labels());
}

#[test]
fn a_list_has_paths_labels_and_splits() {
    let (dir, names) = two_classes();
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
        let (plain, _) = two_classes();
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
    with(("./0/2.png", "ash", "train"));
    said(
        &of("split = 'part'\n"),
        &["0/2.png is listed for training and as held out, as its images 3 and 13"],
    );
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replacen("kind,path", "path,path", 1)).unwrap();
    said(
        &source(&format!("kind = 'csv'\nfile = {list:?}\nsize = 8\n")),
        &["two columns have the name \"path\""],
    );
    fs::write(&list, text.replacen("ash,", "\"ash,", 1)).unwrap();
    said(&of(""), &["a quote is opened in line 2 and never closed"]);
    with(("", "ash", "train"));
    said(&of(""), &["line 14 has no path"]);
    // Lines are counted as an editor counts them, and delimiters are those of tables.
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replacen('\n', "\n\n\n", 1).replace(',', ";")).unwrap();
    said(&of(""), &["line 16 has no path"]);
    write(&rows);
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replace(',', "\t")).unwrap();
    assert_same_images(&eager, &load(&of("split = 'part'\n")).unwrap());
    let mut packed = vec![0x1f, 0x8b];
    packed.extend(text.bytes());
    fs::write(&list, packed).unwrap();
    said(&of(""), &["list.csv: this is compressed by gzip"]);
    symlink("/etc/hosts", dir.path().join("0/out.png")).unwrap();
    with(("0/out.png", "ash", "train"));
    said(&of(""), &["0/out.png", "a link that leads out of it"]);
    // Lines of other lengths than the first, and other encodings.
    fs::write(&list, text.clone() + "a.png,ash,train,4\n").unwrap();
    said(
        &of(""),
        &["list.csv: line 14: 4 cells, where the first line has 3; is a cell with the delimiter"],
    );
    fs::write(&list, [text.as_bytes(), b"a.png,\xe9,train\n"].concat()).unwrap();
    said(
        &of(""),
        &["list.csv: line 14: not UTF-8; save the file in this encoding"],
    );
}
