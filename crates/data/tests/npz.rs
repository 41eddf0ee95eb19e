//! Arrays of images in npz files, compressed and not.

#![allow(clippy::unwrap_used, clippy::panic)]

mod pictures;

use std::fs;
use std::io::Write;
use std::path::Path;

use afterimage_data::{DataSet, DataSource, Limits};
use afterimage_hooks::{SampleId, Split};
use pictures::{assert_same_images, ids, load, npy, said, source};
use tempfile::TempDir;
use zip::CompressionMethod::{self, Deflated, Stored};
use zip::write::SimpleFileOptions;

fn npz(path: &Path, method: CompressionMethod, arrays: &[(&str, Vec<u8>)]) {
    let mut zip = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, content) in arrays {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap();
}

fn bytes(count: usize, first: usize) -> Vec<u8> {
    (0..count)
        .map(|at| ((first + 7 * at) % 251) as u8)
        .collect()
}

/// Six images 4×5 in colour for training and three held out, under names of a public set.
fn public(names: [&str; 4]) -> Vec<(&str, Vec<u8>)> {
    let labels: Vec<u8> = [0i64, 1, 2, 0, 1, 2]
        .iter()
        .flat_map(|l| l.to_le_bytes())
        .collect();
    vec![
        (names[0], npy("|u1", "(6, 4, 5, 3)", &bytes(360, 3))),
        (names[1], npy("<i8", "(6,)", &labels)),
        (names[2], npy("|u1", "(3, 4, 5, 3)", &bytes(180, 90))),
        (names[3], npy("|u1", "(3, 1)", &[2, 1, 0])),
    ]
}

const KERAS: [&str; 4] = ["x_train", "y_train", "x_test", "y_test"];
const MED: [&str; 4] = ["train_images", "train_labels", "test_images", "test_labels"];

fn of(path: &Path, more: &str) -> DataSource {
    source(&format!("kind = 'npz'\nfile = {path:?}\n{more}"))
}

fn told(source: &DataSource) -> (DataSet, Vec<String>) {
    let mut notes = Vec::new();
    let data = source.load_telling(Limits::default(), &mut notes);
    (data.unwrap(), notes)
}

#[test]
fn what_is_no_array_and_classes_that_training_lacks_are_told() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x.npz");
    let mut arrays = public(KERAS);
    arrays[3].1 = npy("|u1", "(3, 1)", &[2, 5, 5]);
    let mut zip = zip::ZipWriter::new(fs::File::create(&path).unwrap());
    let options = SimpleFileOptions::default().compression_method(Stored);
    for (name, content) in &arrays {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.start_file("x_train", options).unwrap();
    zip.finish().unwrap();
    let (_, notes) = told(&of(&path, ""));
    for words in [
        "that are not used: x_train",
        "2 of the held-out images are of classes",
    ] {
        assert!(notes.iter().any(|note| note.contains(words)), "{notes:?}");
    }
}

#[test]
fn stored_and_compressed_arrays_of_public_sets_are_those_that_were_written() {
    let dir = TempDir::new().unwrap();
    let [stored, packed] = ["stored.npz", "packed.npz"].map(|name| dir.path().join(name));
    npz(&stored, Stored, &public(KERAS));
    let mut med = public(MED);
    med.push(("val_images", npy("|u1", "(1, 4, 5, 3)", &bytes(60, 1))));
    npz(&packed, Deflated, &med);
    let (one, notes) = told(&of(&stored, ""));
    assert!(
        !notes.iter().any(|note| note.contains("compressed")),
        "{notes:?}"
    );
    assert_eq!(one.train.labels(), [0, 1, 2, 0, 1, 2]);
    assert_eq!(one.held_out.labels(), [2, 1, 0]);
    assert_eq!(
        one.train.picture(SampleId(4)).unwrap(),
        bytes(360, 3)[240..300]
    );
    assert_eq!(
        one.held_out.picture(SampleId(2)).unwrap(),
        bytes(180, 90)[120..]
    );
    assert_eq!(of(&stored, "").side(), Some(4));
    let name = one.held_out.name(SampleId(2)).unwrap().to_string();
    assert_eq!(name, "stored.npz/x_test[2]");
    let (other, notes) = told(&of(&packed, ""));
    assert_same_images(&one, &other);
    for words in ["not used: val_images", "1 MiB of them are held in memory"] {
        assert!(notes.iter().any(|note| note.contains(words)), "{notes:?}");
    }
    // Images of an array that is not compressed stay in the file.
    fs::write(&stored, b"PK").unwrap();
    let gone = one
        .images(Split::Train, &ids(&one, Split::Train))
        .unwrap_err();
    assert!(gone.to_string().contains("stored.npz/x_train[0]"), "{gone}");
    fs::remove_file(&packed).unwrap();
    assert!(
        other
            .images(Split::Train, &ids(&other, Split::Train))
            .is_ok()
    );
}

#[test]
fn arrays_of_any_name_are_named_and_split_like_others() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.npz");
    npz(
        &path,
        Stored,
        &public(["photos", "kinds", "others", "their kinds"]),
    );
    said(
        &of(&path, ""),
        &[
            "a.npz",
            "no array \"x_train\" or \"train_images\"",
            "photos, kinds, others, their kinds",
            "data.train_images",
        ],
    );
    let all = of(
        &path,
        "train_images = 'photos'\ntrain_labels = 'kinds'\nheld_out_images = 'others'\n\
         held_out_labels = 'their kinds'\n",
    );
    assert_eq!(load(&all).unwrap().held_out.labels(), [2, 1, 0]);
    let bare = load(&of(&path, "train_images = 'photos'\nhold_out_every = 2\n")).unwrap();
    assert!(!bare.train.has_labels());
    assert_eq!((bare.train.len(), bare.held_out.len()), (3, 3));
    let list = dir.path().join("ids.txt");
    fs::write(&list, "1\na.npz/photos[4]\n").unwrap();
    let more =
        format!("train_images = 'photos'\ntrain_labels = 'kinds'\nheld_out_ids = {list:?}\n");
    let some = load(&of(&path, &more)).unwrap();
    assert_eq!(some.held_out.labels(), [1, 1]);
    assert_eq!(some.train.labels(), [0, 2, 0, 2]);
    // What the config says of a public set goes before its held-out arrays.
    npz(&path, Stored, &public(KERAS));
    let (some, notes) = told(&of(&path, "hold_out_every = 2\n"));
    assert_eq!((some.train.len(), some.held_out.len()), (3, 3));
    assert!(
        notes
            .iter()
            .any(|note| note.contains("not used: x_test, y_test")),
        "{notes:?}"
    );
    let problem = |more: &str| of(&path, more).problems()[0].0;
    assert_eq!(problem("train_labels = 'y'\n"), "train_images");
    assert_eq!(
        problem("train_images = 'x'\nheld_out_labels = 'y'\n"),
        "held_out_labels"
    );
    assert_eq!(
        problem("train_images = 'x'\nheld_out_images = 'y'\nhold_out_every = 3\n"),
        "hold_out_every"
    );
}

#[test]
fn archives_that_lie_or_are_damaged_are_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.npz");
    let with = |at: usize, content: Vec<u8>| {
        let mut arrays = public(KERAS);
        arrays[at].1 = content;
        arrays
    };
    for method in [Stored, Deflated] {
        let refused = |at: usize, content: Vec<u8>, words: &[&str]| {
            npz(&path, method, &with(at, content));
            said(&of(&path, ""), words);
        };
        refused(
            1,
            npy("|u1", "(5,)", &[0; 5]),
            &["a.npz", "array \"y_train\"", "labels of 6 images"],
        );
        refused(
            1,
            npy("<f4", "(6,)", &[0; 24]),
            &["array \"y_train\"", "as many whole numbers"],
        );
        refused(
            1,
            npy("|i1", "(6,)", &[0, 1, 255, 0, 0, 0]),
            &["the label of image 2 is -1"],
        );
        refused(
            0,
            npy("<f4", "(6, 4, 5)", &[0; 480]),
            &["array \"x_train\"", "images are bytes"],
        );
        refused(0, npy("|u1", "(6, 4, 5, 7)", &[0; 840]), &["[6, 4, 5, 7]"]);
        refused(
            2,
            npy("|u1", "(3, 4, 4, 3)", &[0; 144]),
            &["array \"x_test\"", "another shape"],
        );
        // More than the member has, and less.
        let huge = npy("|u1", "(1000000000, 4, 5, 3)", &bytes(360, 3));
        refused(0, huge, &["array \"x_train\"", "cannot hold"]);
        refused(
            0,
            npy("|u1", "(2, 4, 5, 3)", &bytes(360, 3)),
            &["tells of 120 bytes"],
        );
        refused(0, b"no npy".to_vec(), &["array \"x_train\""]);
    }
    npz(&path, Stored, &public(KERAS)[..2]);
    said(
        &of(&path, "train_images = 'x_trian'\n"),
        &["array \"x_trian\": it is not there; the arrays are x_train, y_train"],
    );
    npz(&path, Deflated, &public(KERAS));
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    said(&of(&path, ""), &["a.npz", "cut off or damaged"]);
    // A byte of the packed images: the checksum tells.
    let mut damaged = whole;
    damaged[150] ^= 0x55;
    fs::write(&path, damaged).unwrap();
    assert!(load(&of(&path, "")).is_err());
    fs::write(&path, npy("|u1", "(2, 4, 5)", &[0; 40])).unwrap();
    said(&of(&path, ""), &["this is no npz file: it is an npy file"]);
    fs::write(&path, b"").unwrap();
    said(&of(&path, ""), &["does not begin as a zip archive"]);
}

#[test]
fn a_damaged_byte_of_any_array_is_told_by_its_checksum() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.npz");
    let arrays = public(KERAS);
    npz(&path, Stored, &arrays);
    let whole = fs::read(&path).unwrap();
    for (name, content) in &arrays {
        let mut places = whole.windows(content.len());
        let place = places.position(|bytes| bytes == content).unwrap();
        let mut damaged = whole.clone();
        // The first value behind the header: a pixel, or a label that is a class all the same.
        damaged[place + 128] ^= 1;
        fs::write(&path, damaged).unwrap();
        let array = format!("array {name:?}: it is damaged");
        said(&of(&path, ""), &["a.npz", &array, "fetch the file again"]);
    }
    // Of a compressed array, too, the labels are all that is needed, and not all that is read.
    npz(&path, Deflated, &arrays);
    let mut damaged = fs::read(&path).unwrap();
    let entries = damaged.windows(4).enumerate();
    let mut entries = entries.filter(|(_, bytes)| bytes == b"PK\x01\x02");
    let (second, _) = entries.nth(1).unwrap();
    damaged[second + 16] ^= 1;
    fs::write(&path, damaged).unwrap();
    said(&of(&path, ""), &["array \"y_train\": it is damaged"]);
}

#[test]
fn two_arrays_of_one_name_are_refused_with_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.npz");
    let mut arrays = public(KERAS);
    arrays.push(("y_trial", npy("|u1", "(6,)", &[0; 6])));
    npz(&path, Stored, &arrays);
    assert!(load(&of(&path, "")).is_ok());
    let mut bytes = fs::read(&path).unwrap();
    let places: Vec<usize> = bytes
        .windows(7)
        .enumerate()
        .filter(|(_, name)| name == b"y_trial")
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        bytes[at..at + 7].copy_from_slice(b"y_train");
    }
    fs::write(&path, bytes).unwrap();
    said(
        &of(&path, ""),
        &["a.npz", "two members have the name \"y_train.npy\""],
    );
}

#[test]
fn names_that_break_a_line_are_told_on_one() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.npz");
    let mut arrays = public(KERAS);
    arrays.push(("more\n\tof it", npy("|u1", "(6,)", &[0; 6])));
    npz(&path, Stored, &arrays);
    let (_, notes) = told(&of(&path, ""));
    let note = notes.iter().find(|note| note.contains("not used"));
    let note = note.unwrap();
    assert!(note.contains("more\\u000a\\u0009of it"), "{note}");
    said(
        &of(&path, "train_images = 'x'\n"),
        &["x_test, y_test, more\\u000a\\u0009of it"],
    );
}

#[test]
fn a_member_that_unpacks_to_more_than_it_tells_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("a.npz");
    // 64 MiB of zeros in 64 KiB, told to be the six images of the header in both places of the archive.
    let mut bomb = npy("|u1", "(6, 4, 5, 3)", &[0; 360]);
    let told = bomb.len() as u32;
    bomb.resize(64 << 20, 0);
    let size = bomb.len() as u32;
    npz(&path, Deflated, &[("x_train", bomb)]);
    let mut archive = fs::read(&path).unwrap();
    let places: Vec<usize> = archive
        .windows(4)
        .enumerate()
        .filter(|(_, bytes)| *bytes == size.to_le_bytes())
        .map(|(at, _)| at)
        .collect();
    assert_eq!(places.len(), 2);
    for at in places {
        archive[at..at + 4].copy_from_slice(&told.to_le_bytes());
    }
    fs::write(&path, archive).unwrap();
    said(&of(&path, ""), &["array \"x_train\""]);
}
