//! What is somebody else's: a folder in the place of a result, and what is no plain file in the place of an
//! input.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use run::{Ended, Place, afterimage, finish};

/// A command in the place, with `out` for its result.
fn call(place: &Place, words: &[&str]) -> Ended {
    let start = Instant::now();
    let ended = finish(afterimage().current_dir(place.path(".")).args(words));
    assert!(start.elapsed() < Duration::from_secs(20), "{words:?}");
    ended
}

/// All commands that make a folder; where it goes is looked at before what it is made of.
const MAKERS: [&[&str]; 5] = [
    &["probe", "nowhere", "--data", "embedded"],
    &["export", "nowhere", "--layout", "safetensors"],
    &["compact", "nowhere"],
    &["sensitivity", "nowhere", "--data", "embedded"],
    &["ablate", "nowhere", "--data", "embedded"],
];

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let place = Place::new();
    let theirs = place.path(".o.partial");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("thesis.txt"), "precious").unwrap();
    for words in MAKERS {
        let words = [words, &["--out", "o"]].concat();
        call(&place, &words).expect(2, &["no result under way; move it away"]);
        assert_eq!(fs::read(theirs.join("thesis.txt")).unwrap(), b"precious");
    }
    // What a killed process left is nobody's.
    fs::write(theirs.join(".lock"), "1\n").unwrap();
    for words in MAKERS {
        let words = [words, &["--out", "o"]].concat();
        call(&place, &words).expect(1, &["nowhere"]);
        assert!(!theirs.exists(), "{words:?}");
    }
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/x"), "x").unwrap();
    for words in MAKERS {
        let words = [words, &["--out", "full"]].concat();
        call(&place, &words).expect(2, &["full: this is there already"]);
    }
}

#[test]
fn the_second_of_two_processes_touches_nothing() {
    let place = Place::new();
    let beside = place.path(".o.partial");
    fs::create_dir(&beside).unwrap();
    let held = afterimage::files::Lock::take(&beside.join(".lock")).unwrap();
    fs::write(beside.join("half"), "x").unwrap();
    for words in MAKERS {
        let words = [words, &["--out", "o"]].concat();
        call(&place, &words).expect(2, &["writes this result just now"]);
        assert!(beside.join("half").is_file(), "{words:?}");
    }
    drop(held);
}

#[test]
fn what_is_no_plain_file_is_refused_at_once() {
    let place = Place::new();
    let pipe = |path: &Path| {
        let made = std::process::Command::new("mkfifo").arg(path).status();
        assert!(made.unwrap().success());
    };
    for end in ["csv", "npy", "parquet", "toml", "pth", "safetensors"] {
        pipe(&place.path(&format!("pipe.{end}")));
        symlink("/dev/zero", place.path(&format!("zero.{end}"))).unwrap();
    }
    let rows: String = (0..40)
        .map(|row| format!("{row},{},{}\n", row % 7, row % 2))
        .collect();
    fs::write(place.path("real.csv"), &rows).unwrap();
    symlink(place.path("real.csv"), place.path("link.csv")).unwrap();
    fs::write(place.path("c.toml"), "extends = \"zero.toml\"\n").unwrap();
    let told = ["no plain file", "write it to a file first"];
    for kind in ["pipe", "zero"] {
        for end in ["csv", "npy", "parquet"] {
            let file = format!("{kind}.{end}");
            let words = ["value", &file, "--no-header", "--label", "3"];
            call(&place, &words).expect(2, &told);
            let words = ["value", "real.csv", "--no-header", "--label-file", &file];
            call(&place, &words).expect(2, &told);
            let words = ["select", &file, "--count", "2", "--out", "o"];
            call(&place, &words).expect(2, &told);
            let words = [
                "select", "real.csv", "--count", "2", "--out", "o", "--labels", &file,
            ];
            call(&place, &words).expect(2, &told);
        }
        let config = format!("{kind}.toml");
        for words in [
            &["check", config.as_str()][..],
            &["run", &config],
            &["sweep", &config],
        ] {
            let ended = call(&place, words);
            assert!(ended.err.contains("no plain file"), "{words:?} {ended:?}");
        }
        for end in ["pth", "safetensors"] {
            let file = format!("{kind}.{end}");
            let words = ["probe", &file, "--data", "embedded", "--out", "o"];
            call(&place, &words).expect(1, &told);
        }
    }
    call(&place, &["check", "c.toml"]).expect(2, &["zero.toml", "no plain file"]);
    // A standard input that is a file is one; a pipe is not.
    let words = [
        "value",
        "link.csv",
        "--no-header",
        "--label",
        "3",
        "--learners",
        "50",
    ];
    let ended = call(&place, &words).expect(0, &["40 rows"]);
    assert!(ended.out.contains("Lowest rows"), "{ended:?}");
    let mut cat = std::process::Command::new("cat")
        .arg(place.path("real.csv"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut command = afterimage();
    command.args(["value", "/dev/stdin", "--no-header", "--label", "3"]);
    let input = cat.stdout.take().unwrap();
    let output = command.stdin(input).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("write it to a file first"));
    let _ = cat.wait();
}

#[test]
fn a_name_breaks_no_line() {
    let place = Place::new();
    let name = "a\nerror: b\t.csv";
    let mut rows = "\"x\ny\",b,label\n".to_owned();
    rows.extend((0..40).map(|row| format!("{row},{},\"l\n{}\"\n", row % 7, row % 2)));
    fs::write(place.path(name), rows).unwrap();
    let words = ["value", name, "--label", "label", "--learners", "50"];
    let ended = call(&place, &words).expect(0, &["a\\u000aerror: b\\u0009.csv: 40 rows"]);
    assert!(ended.out.contains("l\\u000a1"), "{}", ended.out);
    assert!(ended.out.contains("x\\u000ay"), "{}", ended.out);
    let wrong = ["value", name, "--label", "no\ne"];
    let ended = call(&place, &wrong).expect(2, &["a\\u000aerror: b\\u0009.csv"]);
    assert_eq!(ended.err.trim_end().lines().count(), 1, "{}", ended.err);
    let ended = call(
        &place,
        &["probe", "no\nthing", "--data", "embedded", "--out", "o"],
    );
    let ended = ended.expect(1, &["no\\u000athing"]);
    assert_eq!(ended.err.trim_end().lines().count(), 1, "{}", ended.err);
}
