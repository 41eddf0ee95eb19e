//! Images that stay in their files, beside the same images in memory.

#![allow(clippy::unwrap_used, clippy::panic)]

mod pictures;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage_data::{
    DataSet, DataSource, Limits, OnBad, Preset, Replacement, ViewConfig, ViewSource, Views,
};
use afterimage_hooks::{SampleId, Split};
use flate2::Compression;
use flate2::write::GzEncoder;
use pictures::{assert_same_images, ids, load, pictures, said, source, thirds};
use tempfile::TempDir;

/// Three classes of eight pictures of several formats.
fn three_classes() -> (TempDir, Vec<(String, u32)>) {
    pictures(3, 8, &["png", "jpg", "bmp"])
}

fn folder(dir: &Path, more: &str) -> DataSource {
    thirds("folder", dir, more)
}

fn tar_source(path: &Path, more: &str) -> DataSource {
    thirds("tar", path, more)
}

/// Members of a tar file: names and contents.
fn members(dir: &Path, names: &[(String, u32)]) -> Vec<(String, Vec<u8>)> {
    let mut members = Vec::new();
    for (at, (name, label)) in names.iter().enumerate() {
        let extension = name.rsplit_once('.').unwrap().1;
        let key = format!("set/{at:06}");
        members.push((format!("{key}.cls"), label.to_string().into_bytes()));
        let picture = fs::read(dir.join(name)).unwrap();
        members.push((format!("{key}.{extension}"), picture));
    }
    members
}

fn write_tar(path: &Path, members: &[(String, Vec<u8>)]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut builder = tar::Builder::new(fs::File::create(path).unwrap());
    for (name, content) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder
            .append_data(&mut header, name, content.as_slice())
            .unwrap();
    }
    builder.finish().unwrap();
}

/// The pictures in two shards.
fn shards(dir: &Path, names: &[(String, u32)]) -> PathBuf {
    let place = dir.join("shards");
    let members = members(dir, names);
    write_tar(&place.join("a.tar"), &members[..20]);
    write_tar(&place.join("b.tar"), &members[20..]);
    place
}

#[test]
fn a_lazy_folder_has_the_ids_pixels_names_and_views_of_one_in_memory() {
    let (dir, _) = three_classes();
    let eager = load(&folder(dir.path(), "")).unwrap();
    let mut notes = Vec::new();
    let lazy = folder(dir.path(), "lazy = true\n")
        .load_telling(Limits::default(), &mut notes)
        .unwrap();
    assert!(lazy.train.is_lazy() && !eager.train.is_lazy());
    assert!(
        notes[0].contains("an index of 24 images takes 1 MiB"),
        "{notes:?}"
    );
    assert_same_images(&eager, &lazy);
    for split in [Split::Train, Split::HeldOut] {
        assert_eq!(eager.split(split).classes(), lazy.split(split).classes());
        for id in ids(&eager, split) {
            let name = |set: &DataSet| set.split(split).name(id).unwrap().to_string();
            assert_eq!(name(&eager), name(&lazy));
            let picture = |set: &DataSet| set.split(split).picture(id).unwrap();
            assert_eq!(picture(&eager), picture(&lazy));
        }
    }
    let batch = |data: DataSet| {
        let views = Views::new(&ViewConfig::preset(Preset::Normal), data.train.shape(), 7).unwrap();
        let ids = ids(&data, Split::Train);
        let source = ViewSource::new(Arc::new(data), Split::Train, views);
        let one = source.batch_on_this_thread(&ids, &[], 2, 2).unwrap();
        assert_eq!(one, source.batch(&ids, 2, 2).unwrap());
        (
            one,
            source.probe_batch(&ids, 3).unwrap(),
            source.plain_batch(&ids).unwrap(),
        )
    };
    assert_eq!(batch(eager), batch(lazy));
}

#[test]
fn limits_colour_planted_pictures_and_labels_work_on_the_index() {
    let (dir, _) = three_classes();
    let limits = Limits {
        train: Some(7),
        held_out: Some(4),
    };
    let of = |more| folder(dir.path(), more).load(limits).unwrap();
    let (eager, lazy) = (of("channels = 1\n"), of("channels = 1\nlazy = true\n"));
    assert_same_images(&eager, &lazy);
    let change = |data: DataSet| {
        let size = data.train.shape().len();
        let train = data
            .train
            .replaced([Replacement {
                id: SampleId(5),
                pixels: vec![9; size],
                label: 2,
                shows: None,
            }])
            .unwrap();
        let labels = train.labels().iter().map(|label| 2 - label).collect();
        let train = train.relabelled(labels).unwrap();
        DataSet { train, ..data }.in_colour()
    };
    let (eager, changed) = (change(eager), change(lazy.clone()));
    assert_same_images(&eager, &changed);
    assert_eq!(*changed.train.image(SampleId(5)).unwrap().pixels, [9; 192]);
    assert_ne!(changed.digest(), lazy.digest());
    assert!(changed.train.image(SampleId(7)).is_err());
    assert!(changed.image(Split::Train, SampleId(7)).is_err());
}

#[test]
fn the_digest_of_an_index_tells_names_sizes_and_first_bytes_apart() {
    let (dir, _) = three_classes();
    let digest = || load(&folder(dir.path(), "lazy = true\n")).unwrap().digest();
    let first = digest();
    assert_eq!(first, digest());
    let path = dir.path().join("1/3.png");
    let content = fs::read(&path).unwrap();
    let mut head = content.clone();
    head[40] ^= 1;
    fs::write(&path, head).unwrap();
    let other_head = digest();
    fs::write(&path, [content.as_slice(), &[0]].concat()).unwrap();
    let other_size = digest();
    fs::write(&path, &content).unwrap();
    fs::rename(&path, dir.path().join("1/33.png")).unwrap();
    let mut digests = vec![first, other_head, other_size, digest()];
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), 4);
}

#[test]
fn what_changes_after_it_was_listed_is_an_error_that_names_it() {
    let (dir, names) = three_classes();
    let data = load(&folder(dir.path(), "lazy = true\n")).unwrap();
    let message = |at: u32| data.train.image(SampleId(at)).unwrap_err().to_string();
    fs::write(dir.path().join("0/0.png"), b"short").unwrap();
    assert!(message(0).contains("0/0.png: it had"), "{}", message(0));
    assert!(message(0).contains("has 5 now"), "{}", message(0));
    let grown = dir.path().join("0/1.jpg");
    let content = fs::read(&grown).unwrap();
    fs::write(&grown, [content.as_slice(), b"more"].concat()).unwrap();
    assert!(message(1).contains("more now"), "{}", message(1));
    fs::remove_file(&grown).unwrap();
    assert!(message(1).contains("0/1.jpg"), "{}", message(1));
    let ids = [SampleId(2), SampleId(1), SampleId(0)];
    let told = data.images(Split::Train, &ids).unwrap_err().to_string();
    assert_eq!(told, message(1));

    let dir = three_classes().0;
    let place = shards(dir.path(), &names);
    let data = load(&tar_source(&place, "")).unwrap();
    let path = place.join("b.tar");
    fs::write(&path, &fs::read(&path).unwrap()[..1024]).unwrap();
    let last = SampleId(data.train.len() as u32 - 1);
    let message = data.train.image(last).unwrap_err().to_string();
    assert!(message.contains("b.tar[set/0000"), "{message}");
    assert!(message.contains("and has 1024 now"), "{message}");
}

#[test]
fn images_that_cannot_be_decoded_stop_or_are_left_out() {
    let (dir, _) = three_classes();
    fs::write(dir.path().join("0/1.jpg"), b"no picture").unwrap();
    fs::write(dir.path().join("2/2.bmp"), b"BM").unwrap();
    let data = load(&folder(dir.path(), "lazy = true\n")).unwrap();
    let faults = data.faults();
    let told: Vec<_> = faults
        .iter()
        .map(|(split, fault)| (*split, fault.file.as_str()))
        .collect();
    assert_eq!(
        told,
        [(Split::Train, "0/1.jpg"), (Split::HeldOut, "2/2.bmp")]
    );
    let message = data.train.image(SampleId(1)).unwrap_err().to_string();
    assert!(message.contains("0/1.jpg"), "{message}");
    let mut notes = Vec::new();
    let skipping = folder(dir.path(), "lazy = true\non_bad = 'skip'\n")
        .load_telling(Limits::default(), &mut notes)
        .unwrap();
    assert!(
        notes[1].contains("2 of the images cannot be decoded"),
        "{notes:?}"
    );
    assert_eq!((skipping.train.len(), skipping.held_out.len()), (17, 5));
    assert_eq!(skipping.train.name(SampleId(1)).unwrap().file, "0/3.png");
    assert_eq!(skipping.train.position(SampleId(1)), Some(2));
    assert_eq!(skipping.train.skipped()[0].file, "0/1.jpg");
    assert!(skipping.faults().is_empty());
    let eager = DataSource::Folder {
        train: dir.path().to_owned(),
        held_out: None,
        held_out_ids: None,
        hold_out_every: None,
        size: 8,
        channels: None,
        lazy: false,
        on_bad: Some(OnBad::Skip),
    };
    assert_eq!(eager.problems()[0].0, "on_bad");
}

#[test]
fn a_flat_folder_is_one_class_without_labels() {
    let (dir, names) = three_classes();
    let flat = TempDir::new().unwrap();
    for (name, _) in &names {
        fs::copy(
            dir.path().join(name),
            flat.path().join(name.replace('/', "-")),
        )
        .unwrap();
    }
    let mut notes = Vec::new();
    let lazy = folder(flat.path(), "lazy = true\n")
        .load_telling(Limits::default(), &mut notes)
        .unwrap();
    assert!(
        notes.iter().any(|note| note.contains("have no labels")),
        "{notes:?}"
    );
    let eager = load(&folder(flat.path(), "")).unwrap();
    assert_same_images(&eager, &lazy);
    assert_eq!(eager.train.classes(), lazy.train.classes());
    assert_eq!(lazy.train.classes(), ["unlabelled"]);
    assert!(!lazy.train.has_labels() && !eager.held_out.has_labels());
    let mixed = source(&format!(
        "kind = 'folder'\nlazy = true\ntrain = {:?}\nheld_out = {:?}\nsize = 8\n",
        dir.path(),
        flat.path()
    ));
    said(&mixed, &["only one has labels"]);
}

#[test]
fn tar_shards_have_the_images_of_the_folder_in_their_order() {
    let (dir, names) = three_classes();
    let place = shards(dir.path(), &names);
    let data = load(&tar_source(&place, "")).unwrap();
    let (other, _) = three_classes();
    let eager = load(&folder(other.path(), "")).unwrap();
    assert_same_images(&eager, &data);
    assert_eq!(eager.train.classes(), data.train.classes());
    let name = data.train.name(SampleId(17)).unwrap().to_string();
    assert_eq!(name, "b.tar[set/000023.jpg]");
    let one = load(&tar_source(&place.join("*a.tar"), "")).unwrap();
    assert_eq!(one.train.len() + one.held_out.len(), 10);
}

#[test]
fn shards_that_are_cut_off_or_do_not_fit_are_named() {
    let (dir, names) = three_classes();
    let all = members(dir.path(), &names);
    let path = dir.path().join("x.tar");
    write_tar(&path, &all);
    let whole = fs::read(&path).unwrap();
    let ends = |path: &Path, bytes: usize, words: &[&str]| {
        fs::write(path, &whole[..bytes]).unwrap();
        said(&tar_source(path, ""), words);
    };
    ends(&path, 700, &["x.tar", "end mark"]);
    ends(&path, 1600, &["x.tar", "truncated", "set/000000.png"]);
    // Between two members: whole but for its end.
    ends(&path, 1024, &["x.tar", "end mark"]);
    fs::write(&path, b"<html></html>".repeat(100)).unwrap();
    said(&tar_source(&path, ""), &["x.tar", "no tar file"]);
    let mut other = all[..4].to_vec();
    other[0].1 = b"cat".to_vec();
    write_tar(&path, &other);
    said(&tar_source(&path, ""), &["set/000000.cls", "no label"]);
    write_tar(&path, &all[1..4]);
    said(
        &tar_source(&path, ""),
        &["1 of 2 images have no label", "set/000000.png"],
    );
    write_tar(&path, &[all[0].clone(), all[3].clone()]);
    said(
        &tar_source(&path, ""),
        &["the label of \"set/000000\" has no image"],
    );
    write_tar(
        &path,
        &[all[1].clone(), ("set/000000.jpg".to_owned(), vec![1])],
    );
    said(&tar_source(&path, ""), &["two images of one key"]);
    let images: Vec<_> = all
        .iter()
        .filter(|(name, _)| !name.ends_with(".cls"))
        .cloned()
        .collect();
    write_tar(&path, &images);
    let data = load(&tar_source(&path, "")).unwrap();
    assert!(!data.train.has_labels());
}

#[test]
fn what_is_no_tar_file_or_no_file_at_all_is_called_what_it_is() {
    let (dir, names) = three_classes();
    let place = shards(dir.path(), &names);
    let path = place.join("c.tar");
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed
        .write_all(&fs::read(place.join("a.tar")).unwrap())
        .unwrap();
    fs::write(&path, packed.finish().unwrap()).unwrap();
    for source in [&path, &place] {
        said(
            &tar_source(source, ""),
            &["c.tar: this is no tar file but compressed by gzip; unpack it first"],
        );
    }
    // A member whose name begins as a file of another kind does.
    let member = ("PAR1/0.cls".to_owned(), b"0".to_vec());
    let picture = fs::read(dir.path().join("0/0.png")).unwrap();
    let all = [
        vec![member, ("PAR1/0.png".to_owned(), picture)],
        members(dir.path(), &names),
    ]
    .concat();
    write_tar(&path, &all);
    assert!(load(&tar_source(&path, "")).is_ok());
    fs::remove_file(&path).unwrap();
    for kind in ["tar", "parquet"] {
        let pipe = place.join(format!("pipe.{kind}"));
        std::os::unix::fs::symlink("/dev/zero", &pipe).unwrap();
        // Named, and found in a folder.
        for named in [&pipe, &place] {
            said(
                &thirds(kind, named, ""),
                &[&format!("pipe.{kind}"), "no plain file"],
            );
        }
        fs::remove_file(&pipe).unwrap();
    }
}

#[test]
fn a_label_that_counts_no_class_is_told_where_it_stands() {
    let (dir, names) = three_classes();
    let place = shards(dir.path(), &names);
    let mut all = members(dir.path(), &names);
    all[2].1 = b"4000000000".to_vec();
    let path = dir.path().join("held.tar");
    write_tar(&path, &all);
    let both = source(&format!(
        "kind = 'tar'\ntrain = {place:?}\nheld_out = {path:?}\nsize = 8\n"
    ));
    said(
        &both,
        &[
            "held.tar: \"set/000001.cls\": the label is 4000000000",
            "below 1,048,576",
        ],
    );
}

#[test]
fn a_name_that_is_no_text_is_told_with_the_key_that_needs_one() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let (dir, _) = three_classes();
    let name = OsStr::from_bytes(b"0/\xff.png");
    fs::copy(dir.path().join("0/0.png"), dir.path().join(name)).unwrap();
    assert!(load(&folder(dir.path(), "")).is_ok());
    said(
        &folder(dir.path(), "lazy = true\n"),
        &["rename it, or remove the key data.lazy"],
    );
}

#[test]
fn names_of_images_are_printed_alike_everywhere() {
    let (dir, names) = three_classes();
    let name = "0/a\u{1b}\tb'\u{e9}.png";
    fs::write(dir.path().join(name), b"no picture").unwrap();
    let data = load(&folder(dir.path(), "lazy = true\n")).unwrap();
    let faults = data.faults();
    let [(split, fault)] = faults.as_slice() else {
        panic!("{faults:?}");
    };
    let shown = "0/a\\u001b\\u0009b'\u{e9}.png";
    assert!(
        fault.to_string().starts_with(&format!("{shown}: ")),
        "{fault}"
    );
    let images = data.split(*split);
    let id = ids(&data, *split)
        .into_iter()
        .find(|id| images.name(*id).unwrap().file == name)
        .unwrap();
    assert_eq!(images.name(id).unwrap().to_string(), shown);
    let error = images.image(id).unwrap_err().to_string();
    assert!(error.contains(shown), "{error}");
    // Members of shards, too.
    let path = dir.path().join("x.tar");
    let member = ("k\u{1b}'.png".to_owned(), b"no picture".to_vec());
    let mut all = members(dir.path(), &names[..4]);
    all.retain(|(name, _)| !name.ends_with(".cls"));
    all.push(member);
    write_tar(&path, &all);
    let data = load(&tar_source(&path, "")).unwrap();
    let (split, fault) = data.faults().remove(0);
    assert!(
        fault.to_string().starts_with("x.tar[k\\u001b'.png]: "),
        "{fault}"
    );
    let images = data.split(split);
    let told = |id: &SampleId| images.image(*id).err().map(|error| error.to_string());
    let told = ids(&data, split).iter().find_map(told).unwrap();
    assert!(told.contains("x.tar[k\\u001b'.png]: "), "{told}");
}
