//! Runs on images that stay in their files, beside the same images in memory.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::Path;
use std::time::Duration;

use run::kill::killed;
use run::{
    EPOCH, Files, Place, TINY, afterimage, assert_same, call, checkpoints, ends, finish, plugin,
    records, resume, supervised, with_every_observer,
};

/// A gray picture in the simplest of formats, a pattern of its own for each `seed`.
fn picture(seed: u32) -> Vec<u8> {
    let mut bytes = b"P5 28 28 255\n".to_vec();
    bytes.extend((0..28 * 28u32).map(|at| {
        let (x, y) = (at % 28, at / 28);
        ((x * (seed % 7 + 1) + y * (seed % 11 + 2) + 37 * seed) % 256) as u8
    }));
    bytes
}

/// Four classes of 100 pictures, as names with contents, in the order of a folder.
fn pictures() -> Vec<(String, Vec<u8>)> {
    let names = (0..4u32).flat_map(|class| (0..100u32).map(move |at| (class, at)));
    names
        .map(|(class, at)| (format!("{class}/{at:03}.pgm"), picture(1000 * class + at)))
        .collect()
}

fn write(folder: &Path, pictures: &[(String, Vec<u8>)]) {
    for (name, content) in pictures {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

/// Leaves the run of `config` in `out` as a kill leaves it, `after` ms behind its checkpoint of `step`.
fn cut_off(config: &Path, out: &Path, step: u64, after: u64) {
    let hit = (0..12u64).any(|_| {
        let _ = fs::remove_dir_all(out);
        killed(config, out, step, Duration::from_millis(after))
    });
    assert!(hit, "no run was alive when it was to be killed");
}

/// A member of a tar file with its content, as POSIX has it.
fn member(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = vec![0u8; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    for (at, text) in [
        (100, "0000644\0".to_owned()),
        (108, "0000000\0".to_owned()),
        (116, "0000000\0".to_owned()),
        (124, format!("{:011o}\0", content.len())),
        (136, "00000000000\0".to_owned()),
        (148, "        ".to_owned()),
        (156, "0".to_owned()),
        (257, "ustar\0".to_owned()),
        (263, "00".to_owned()),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header.extend(content);
    header.resize(header.len().next_multiple_of(512), 0);
    header
}

/// The pictures as two shards of WebDataset.
fn shards(folder: &Path, pictures: &[(String, Vec<u8>)]) {
    fs::create_dir_all(folder).unwrap();
    for (number, part) in pictures.chunks(250).enumerate() {
        let mut bytes = Vec::new();
        for (name, content) in part {
            let key = name.strip_suffix(".pgm").unwrap();
            bytes.extend(member(&format!("{key}.cls"), &name.as_bytes()[..1]));
            bytes.extend(member(name, content));
        }
        bytes.extend(vec![0; 1024]);
        fs::write(folder.join(format!("{number:04}.tar")), bytes).unwrap();
    }
}

/// `text` with other images: 320 for training and 80 held out.
fn with_data(text: &str, kind: &str, path: &Path, more: &str) -> String {
    let data = format!(
        "kind = \"{kind}\"\ntrain = {path:?}\nhold_out_every = 5\nsize = 28\nchannels = 1\n{more}"
    );
    let text = text.replace("kind = \"embedded\"\n", &data);
    text.replace("[limits]\ntrain = 320\nheld_out = 100\n", "")
}

/// What does not tell where the images were.
fn without_places(mut files: Files) -> Files {
    files.retain(|name, _| name != "config.toml" && name != "samples.parquet");
    files
}

#[test]
fn runs_on_a_lazy_folder_and_on_tar_shards_are_those_in_memory() {
    let place = Place::new();
    let (folder, tar) = (place.path("photos"), place.path("shards"));
    write(&folder, &pictures());
    shards(&tar, &pictures());
    let text = with_every_observer();
    let memory = place.run("memory", &with_data(&text, "folder", &folder, ""), 3);
    let lazy = place.run(
        "lazy",
        &with_data(&text, "folder", &folder, "lazy = true\n"),
        3,
    );
    let shards = place.run("tar", &with_data(&text, "tar", &tar, ""), 3);
    let expected = records(&memory);
    assert!(!expected["metrics.jsonl"].is_empty());
    assert_eq!(
        expected["samples.parquet"],
        records(&lazy)["samples.parquet"]
    );
    let expected = without_places(expected);
    assert_same(&expected, &without_places(records(&lazy)), "a lazy folder");
    // Tables that name samples name them by their places.
    let named = |mut files: Files| {
        files.retain(|name, _| !name.starts_with("images/"));
        files
    };
    assert_same(
        &named(expected),
        &named(without_places(records(&shards))),
        "tar shards",
    );
    let manifest = fs::read_to_string(lazy.join("manifest.json")).unwrap();
    assert!(manifest.contains("not every byte"), "{manifest}");
    let manifest = fs::read_to_string(memory.join("manifest.json")).unwrap();
    assert!(!manifest.contains("data_sha256_covers"), "{manifest}");
    let listed = call(["data", "list", shards.to_str().unwrap()]).expect(0, &[]);
    let line = "319\ttrain\t0001.tar\t3/098.pgm\t3\t3\n";
    assert!(listed.out.contains(line), "{}", listed.out);
}

#[test]
fn killed_runs_on_files_end_as_straight_ones() {
    let place = Place::new();
    let (folder, tar) = (place.path("photos"), place.path("shards"));
    write(&folder, &pictures());
    shards(&tar, &pictures());
    let text = (TINY.to_owned() + &plugin("unitmem")).replace("epochs = 3", "epochs = 6");
    for (kind, path, more) in [("folder", &folder, "lazy = true\n"), ("tar", &tar, "")] {
        let text = with_data(&text, kind, path, more);
        let straight = place.run(&format!("{kind}-straight"), &text, 0);
        let config = place.path(&format!("{kind}-straight.toml"));
        let out = place.path(&format!("{kind}-killed"));
        cut_off(&config, &out, 2 * EPOCH, 15);
        assert!(
            checkpoints(&out)
                .last()
                .is_some_and(|&last| last < 6 * EPOCH)
        );
        resume(&out).expect(0, &[]);
        assert_same(&ends(&straight), &ends(&out), kind);
    }
}

#[test]
fn a_run_whose_images_change_says_which_and_goes_on_when_they_are_back() {
    let place = Place::new();
    let folder = place.path("photos");
    write(&folder, &pictures());
    let text = TINY.replace("epochs = 3", "epochs = 6");
    let text = with_data(&text, "folder", &folder, "lazy = true\n");
    let straight = place.run("straight", &text, 0);
    let config = place.path("straight.toml");
    let out = place.path("stopped");
    cut_off(&config, &out, EPOCH, 5);

    let bad = folder.join("2/041.pgm");
    let whole = fs::read(&bad).unwrap();
    fs::write(&bad, b"P5 28").unwrap();
    resume(&out).expect(
        1,
        &[
            "sizes or first bytes",
            "photos/2/041.pgm",
            "afterimage data check",
        ],
    );
    let checked = call(["data", "check", config.to_str().unwrap()]);
    assert_eq!(checked.code, Some(1));
    assert!(
        checked.out.contains("train: 2/041.pgm: "),
        "{}",
        checked.out
    );
    fs::write(&bad, whole).unwrap();
    call(["data", "check", config.to_str().unwrap()]).expect(0, &[]);

    fs::rename(folder.join("3/099.pgm"), folder.join("3/000b.pgm")).unwrap();
    resume(&out).expect(1, &["not those that the run began with"]);
    fs::rename(folder.join("3/000b.pgm"), folder.join("3/099.pgm")).unwrap();
    resume(&out).expect(0, &[]);
    assert_same(&ends(&straight), &ends(&out), "after a repair");
}

#[test]
fn a_run_in_memory_does_not_go_on_with_other_images() {
    let place = Place::new();
    let folder = place.path("photos");
    write(&folder, &pictures());
    let text = TINY.replace("epochs = 3", "epochs = 6");
    let text = with_data(&text, "folder", &folder, "");
    let straight = place.run("straight", &text, 0);
    let config = place.path("straight.toml");
    let out = place.path("stopped");
    cut_off(&config, &out, EPOCH, 5);
    let other = folder.join("2/041.pgm");
    fs::write(&other, picture(1)).unwrap();
    let manifest = fs::read(out.join("manifest.json")).unwrap();
    resume(&out).expect(
        1,
        &["pixels or labels", "not those that the run began with"],
    );
    assert_eq!(fs::read(out.join("manifest.json")).unwrap(), manifest);
    fs::write(&other, picture(2041)).unwrap();
    resume(&out).expect(0, &[]);
    assert_same(&ends(&straight), &ends(&out), "the images are back");
}

#[test]
fn skipped_images_are_told_and_named_in_a_file() {
    let place = Place::new();
    let folder = place.path("photos");
    write(&folder, &pictures());
    fs::write(folder.join("0/000.pgm"), b"").unwrap();
    fs::write(folder.join("1/004.pgm"), b"<html></html>").unwrap();
    let more = "lazy = true\non_bad = \"skip\"\n";
    let text = with_data(TINY, "folder", &folder, more);
    let config = place.write("skip.toml", &text);
    let out = place.path("skip");
    let mut command = afterimage();
    command.arg("run").arg(&config).arg("--out").arg(&out);
    finish(&mut command).expect(0, &["2 of the images cannot be decoded", "0/000.pgm"]);
    let skipped = fs::read_to_string(out.join("skipped.tsv")).unwrap();
    let lines: Vec<&str> = skipped.lines().collect();
    assert_eq!(lines.len(), 3, "{skipped}");
    assert!(lines[1].starts_with("train\t0/000.pgm\t\t"), "{skipped}");
    assert!(lines[2].starts_with("held_out\t1/004.pgm\t\t"), "{skipped}");
    let checked = call(["data", "check", config.to_str().unwrap()]);
    assert_eq!(checked.code, Some(1), "{checked:?}");
    assert!(
        checked.out.contains("held_out: 1/004.pgm: "),
        "{}",
        checked.out
    );
    assert!(
        checked.out.contains("2 of them cannot be decoded"),
        "{}",
        checked.out
    );
}

#[test]
fn images_without_labels_train_and_what_needs_labels_is_refused() {
    let place = Place::new();
    let folder = place.path("flat");
    let flat: Vec<_> = pictures()
        .into_iter()
        .map(|(name, content)| (name.replace('/', "-"), content))
        .collect();
    write(&folder, &flat);
    for more in ["", "lazy = true\n"] {
        let text = with_data(TINY, "folder", &folder, more) + &plugin("unitmem");
        let config = place.write("flat.toml", &text);
        let out = place.path(&format!("flat-{}", more.len()));
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        finish(&mut command).expect(0, &["the images have no labels", "kNN"]);
        let metrics = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        assert!(
            metrics.contains("unitmem") && !metrics.contains("eval/"),
            "{metrics}"
        );
    }
    let refused = |text: String, words: &[&str]| {
        let config = place.write("refused.toml", &text);
        let mut command = afterimage();
        command.arg("run").arg(config).arg("--dry-run");
        finish(&mut command).expect(2, words);
    };
    let lazy = |text: &str| with_data(text, "folder", &folder, "lazy = true\n");
    refused(
        lazy(&supervised()),
        &[
            "objective.kind",
            "the objective \"supervised\" needs labels",
        ],
    );
    refused(
        lazy(TINY) + &plugin("classmem"),
        &["plugins[0]", "\"classmem\" as it is set needs labels"],
    );
    let noise = "\n[label_noise]\nkind = \"symmetric\"\nfraction = 0.2\n";
    refused(lazy(TINY) + noise, &["label_noise", "needs labels"]);
}

/// The names of the file of ids that holds out every fifth picture of a class.
fn fifths() -> String {
    let names = (0..4).flat_map(|class| (4..100).step_by(5).map(move |at| (class, at)));
    names
        .map(|(class, at)| format!("{class}/{at:03}.pgm\n"))
        .collect()
}

#[test]
fn what_is_held_out_by_ids_or_a_column_runs_as_what_is_held_out_by_a_rule() {
    let place = Place::new();
    let (folder, tar, list) = (
        place.path("photos"),
        place.path("shards"),
        place.path("list.csv"),
    );
    write(&folder, &pictures());
    shards(&tar, &pictures());
    let rows = pictures().into_iter().enumerate().map(|(at, (name, _))| {
        let (class, fold) = (&name[..1], at % 5);
        format!("photos/{name},{class},{fold}\n")
    });
    fs::write(
        &list,
        rows.fold("path,class,fold\n".to_owned(), |all, row| all + &row),
    )
    .unwrap();
    let names = place.write("names.txt", &fifths());
    let numbers: String = (4..400).step_by(5).map(|at| format!("{at}\n")).collect();
    let numbers = place.write("numbers.txt", &numbers);
    let with = |kind: &str, keys: &str| {
        let data = format!("kind = \"{kind}\"\nsize = 28\nchannels = 1\n{keys}");
        let text = TINY.replace("kind = \"embedded\"\n", &data);
        text.replace(
            "train = 320\nheld_out = 100\n",
            "train = 280\nheld_out = 60\n",
        ) + "\n[label_noise]\nkind = \"symmetric\"\nfraction = 0.2\n\
               \n[doses]\ntimes = [2]\nshare = 0.1\nnoise = 0.1\n"
            + &plugin("unitmem")
    };
    let at = |path: &Path| format!("train = {path:?}\n");
    let rule = with(
        "folder",
        &(at(&folder) + "lazy = true\nhold_out_every = 5\n"),
    );
    let rule = place.run("rule", &rule, 0);
    let expected = records(&rule);
    assert!(!expected["metrics.jsonl"].is_empty());
    let same_names = |mut files: Files| {
        files.remove("config.toml");
        files
    };
    for (name, lazy) in [("lazy", "lazy = true\n"), ("memory", "")] {
        let ids = format!("{}held_out_ids = {names:?}\n{lazy}", at(&folder));
        let run = place.run(name, &with("folder", &ids), 0);
        assert_same(
            &same_names(expected.clone()),
            &same_names(records(&run)),
            name,
        );
        let samples = format!(
            "{}held_out_ids = {:?}\n{lazy}",
            at(&folder),
            run.join("samples.parquet")
        );
        let config = place.write("again.toml", &with("folder", &samples));
        let limits = "limits.held_out=80";
        let listed = call([
            "data",
            "list",
            config.to_str().unwrap(),
            "--split",
            "held_out",
            "--set",
            limits,
        ])
        .expect(0, &[]);
        // That run used 60 of them, and so does its list.
        assert_eq!(listed.out.lines().count(), 61, "{}", listed.out);
        assert!(listed.out.contains("\t0/004.pgm\t"), "{}", listed.out);
    }
    let other_names = |files: Files| {
        let mut files = without_places(files);
        files.retain(|name, _| !name.starts_with("images/"));
        files
    };
    let ids = format!("{}held_out_ids = {numbers:?}\n", at(&tar));
    let column =
        format!("file = {list:?}\nlabel = \"class\"\nsplit = \"fold\"\nheld_out_value = \"4\"\n");
    for (kind, keys) in [("tar", ids), ("csv", column)] {
        let run = place.run(kind, &with(kind, &keys), 0);
        assert_same(
            &other_names(expected.clone()),
            &other_names(records(&run)),
            kind,
        );
        let config = place.path(&format!("{kind}.toml"));
        let checked = call(["data", "check", config.to_str().unwrap()]).expect(0, &[]);
        assert!(
            checked
                .out
                .contains("280 training and 60 held-out images; 0 of them"),
            "{}",
            checked.out
        );
    }
    fs::write(&names, "0/000.pgm\n0/100.pgm\n").unwrap();
    let mut command = afterimage();
    let config = place.path("lazy.toml");
    command.arg("run").arg(config).arg("--dry-run");
    finish(&mut command).expect(1, &["names.txt: line 2: there is no image 0/100.pgm"]);
}
