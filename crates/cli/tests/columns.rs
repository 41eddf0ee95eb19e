//! Columns that number the rows, numbers that 24 bits cannot tell apart, and names that a terminal or a
//! spreadsheet would obey, in `select` and `value`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;
mod valued;

use std::fs;

use run::{Ended, Place, afterimage, finish};
use selected::anew as select;
use valued::{lines, value, write};

/// A table of 40 rows whose first column has a name of its own and counts from `start` on.
fn counted(name: &str, start: u64) -> String {
    let mut text = format!("{name},a,b,y\n");
    for row in 0..40u64 {
        let label = if row >= 20 { "yes" } else { "no" };
        let (a, b) = ((row * 7) % 20 + row / 20 * 20, (row * 17) % 23);
        text += &format!("{},{a},{b},{label}\n", start + row);
    }
    text
}

#[test]
fn a_column_that_numbers_the_rows_is_no_feature() {
    let place = Place::new();
    let out = place.path("plain").display().to_string();
    let ids: String = counted("x", 0);
    let bare: Vec<&str> = ids
        .lines()
        .map(|line| line.split_once(',').unwrap().1)
        .collect();
    let bare = write(&place, "bare.csv", &(bare.join("\n") + "\n"));
    value(&[&bare, "--label", "y", "--out", &out]).expect(0, &[]);
    let wanted = lines(&place.path("plain/cells.csv"));
    for (at, (name, start)) in [
        ("PassengerId", 1),
        ("customerID", 900),
        ("user_id", 5_000_000_000),
        ("tweetId", 1_745_000_000_000_000_000),
        ("Order ID", 16_777_210),
    ]
    .iter()
    .enumerate()
    {
        let file = write(&place, &format!("{at}.csv"), &counted(name, *start));
        let out = place.path(&format!("{at}")).display().to_string();
        let told = format!("column `{name}` is left out: it numbers the rows");
        value(&[&file, "--label", "y", "--out", &out]).expect(0, &[&told]);
        assert_eq!(
            lines(&place.path(&format!("{at}/cells.csv"))),
            wanted,
            "{name}"
        );
    }
    // A number that is there twice, and a name that only ends alike, are features.
    for text in [
        counted("grid", 1),
        counted("userId", 1).replace("\n2,", "\n1,"),
    ] {
        let file = write(&place, "feature.csv", &text);
        let ended = value(&[&file, "--label", "y"]).expect(0, &[]);
        assert!(!ended.err.contains("left out"), "{}", ended.err);
    }
}

#[test]
fn an_embedding_has_no_ids_in_it() {
    let place = Place::new();
    let row = |i: usize| format!("{}.5,{}.25", i * i % 7, i * 5 % 11);
    let bare: String = (0..12).map(|i| row(i) + "\n").collect();
    let bare = write(&place, "bare.csv", &format!("e0,e1\n{bare}"));
    let chosen = |file: &str, told: &[&str]| {
        select(&place, &[file, "--count", "3"]).expect(0, told);
        fs::read_to_string(place.path("out/coreset.csv")).unwrap()
    };
    let wanted = chosen(&bare, &[]);
    let indexed: String = (0..12)
        .map(|i| format!("{},{}\n", row(i), 70_000_000_001u64 + i as u64))
        .collect();
    let indexed = write(
        &place,
        "indexed.csv",
        &format!("e0,e1,sample_id\n{indexed}"),
    );
    assert_eq!(
        chosen(&indexed, &["column `sample_id` is left out"]),
        wanted
    );
    // Nothing else is there.
    let alone: String = (0..12).map(|i| format!("{}\n", i * 3)).collect();
    let alone = write(&place, "alone.csv", &format!("id\n{alone}"));
    select(&place, &[&alone, "--count", "3", "--header=embeddings"]).expect(0, &[]);
}

#[test]
fn numbers_that_24_bits_cannot_tell_apart_are_called_that() {
    let place = Place::new();
    let file = write(&place, "stamps.csv", &counted("stamp", 1_700_000_001));
    value(&[&file, "--label", "y"]).expect(
        0,
        &[
            "column `stamp`: numbers are held with 24 bits",
            "1700000001 from 1700000002",
            "--categorical stamp",
        ],
    );
    let moments: String = (0..40)
        .map(|i| {
            format!(
                "2024-05-01T00:{i:02}:00Z,{},{}\n",
                (i * 7) % 20 + i / 20 * 20,
                i / 20
            )
        })
        .collect();
    let moments = write(&place, "moments.csv", &format!("when,a,y\n{moments}"));
    value(&[&moments, "--label", "y"]).expect(0, &["column `when`: numbers are held with 24 bits"]);
    let points: String = (0..12)
        .map(|i| format!("{},{}\n", 3_000_000_000u64 + i, i % 5))
        .collect();
    let points = write(&place, "points.csv", &format!("e0,e1\n{points}"));
    select(&place, &[&points, "--count", "3"])
        .expect(0, &["column `e0`: numbers are held with 24 bits"]);
}

#[test]
fn weights_of_duplicates_are_told() {
    let place = Place::new();
    let rows: String = (0..12)
        .map(|i| format!("{}.5,{}.25\n", i % 4, i % 4))
        .collect();
    let file = write(&place, "twice.csv", &rows);
    select(&place, &[&file, "--count", "6"]).expect(
        0,
        &[
            "2 of the chosen samples are equal to one chosen before",
            "weight is 0",
        ],
    );
    let summary = fs::read_to_string(place.path("out/summary.json")).unwrap();
    assert!(summary.contains("\"repeated\": 2"), "{summary}");
    for (flags, words) in [
        (&["--cap", "0.5"][..], "as far as --cap leaves it"),
        (&["--weights", "none"], "each has weight 1"),
        (&["--strategy", "craig"], "weight is 0"),
        (
            &["--strategy", "grad-match", "--rows", "gradients"],
            "fit of grad-match gives",
        ),
    ] {
        let arguments = [&[file.as_str(), "--count", "6"], flags].concat();
        let told = select(&place, &arguments).expect(0, &[words]).err;
        let zero = told.contains("weight is 0");
        assert_eq!(zero, words.contains("cap") || words.contains('0'), "{told}");
    }
    let ended = select(&place, &[&file, "--count", "4"]).expect(0, &[]);
    assert!(!ended.err.contains("equal to one"), "{}", ended.err);
}

#[test]
fn a_terminal_is_told_nothing_by_names() {
    let place = Place::new();
    let text = counted("id", 1)
        .replace("a,b", "\u{1b}[31ma,b\u{9b}2J")
        .replace("yes", "y\u{1b}]0;x\u{7}s");
    let file = write(&place, "e\u{1b}[2Jvil.csv", &text);
    let hidden = |ended: &Ended| {
        for text in [&ended.out, &ended.err] {
            let bad = text
                .chars()
                .find(|c| c.is_control() && !matches!(c, '\n' | '\t'));
            assert_eq!(bad, None, "{text:?}");
        }
    };
    let ended = value(&[&file, "--label", "y", "--json"]).expect(0, &["y\\u001b]0;x\\u0007s"]);
    hidden(&ended);
    let last = ended.out.lines().last().unwrap();
    assert!(
        last.contains("b\\u009b2J") || last.contains("\\u001b[31ma"),
        "{last}"
    );
    hidden(&value(&[&file, "--label", "\u{1b}[31mnone"]).expect(2, &["\\u001b[31mnone"]));
    hidden(&select(&place, &[&file, "--count", "2"]).expect(2, &["e\\u001b[2Jvil.csv"]));
    let config = place.write("c.toml", "\"\\u001b[31m\" = 1\n");
    let mut call = afterimage();
    hidden(&finish(call.args(["check", config.to_str().unwrap()])).expect(2, &[]));
    let mut call = afterimage();
    hidden(&finish(call.arg("\u{1b}[31mfly")).expect(2, &["fly"]));
}

#[test]
fn a_line_of_the_labels_file_is_named() {
    let place = Place::new();
    let table: String = (0..6).map(|i| format!("{i}.5,{}\n", i * 5 % 7)).collect();
    let table = write(&place, "table.csv", &format!("a,b\n{table}"));
    for (text, line) in [
        ("y\n\n1\n0\n\n\nNA\n1\n0\n1\n", "labels.csv, line 7"),
        ("1\n0\n\nNA\n1\n0\n1\n", "labels.csv, line 4"),
        (",y\n0,1\n1,0\n2,NA\n3,1\n4,0\n5,1\n", "labels.csv, line 4"),
    ] {
        let labels = write(&place, "labels.csv", text);
        value(&[&table, "--label-file", &labels])
            .expect(2, &[line, "`NA` is read as a missing cell"]);
    }
    let labels = write(&place, "labels.csv", "1.5\n\n2\ninf\n1\n0\n1\n");
    value(&[&table, "--label-file", &labels]).expect(2, &["labels.csv, line 4", "not finite"]);
}

#[test]
fn a_quote_that_is_never_closed_swallows_no_rows() {
    let place = Place::new();
    let rows = "x,y,l\n1,2,a\n2,1,b\n3,2,a\n4,1,\"b\n5,2,a\n6,1,b\n7,2,a\n";
    let table = write(&place, "table.csv", rows);
    let told = "a quote is opened in line 5 and never closed";
    value(&[&table, "--label", "l"]).expect(2, &["table.csv", told]);
    select(&place, &[&table, "--id", "l", "--count", "2"]).expect(2, &["table.csv", told]);
    let whole = write(&place, "whole.csv", "x,y,l\n1,2,\"a\nb\"\n2,1,\"5\"\"\"\n");
    select(&place, &[&whole, "--id", "l", "--count", "1"]).expect(0, &[]);
}

#[test]
fn formulas_are_told() {
    let place = Place::new();
    let text = counted("id", 1)
        .replace("yes", "=cmd|' /C calc'!A0")
        .replace("no\n", "-2+3\n");
    let file = write(&place, "table.csv", &text);
    let out = place.path("values").display().to_string();
    let ended = value(&[
        &file, "--label", "y", "--out", &out, "--fix", "--fix-z", "1",
    ]);
    let ended = ended.expect(0, &[]);
    assert!(
        ended
            .out
            .contains("begin as formulas do, first `-2+3` in rows.csv"),
        "{}",
        ended.out
    );
    let plain = write(
        &place,
        "plain.csv",
        &counted("id", 1).replace(",7,", ",-7,"),
    );
    let out = place.path("plain").display().to_string();
    let ended = value(&[&plain, "--label", "y", "--out", &out, "--fix"]).expect(0, &[]);
    assert!(!ended.out.contains("formulas"), "{}", ended.out);
    // Names of columns stand with the values of cells, and not of rows.
    let named = write(&place, "named.csv", &counted("=id", 1));
    for (flags, words) in [
        (&["--label", "y"][..], "first `=id` in cells.csv"),
        (&["--label", "y", "--id", "=id"], "first `=id` in rows.csv"),
    ] {
        let out = place.path(words).display().to_string();
        let ended = value(&[&[&named, "--out", &out], flags].concat()).expect(0, &[]);
        let words = format!("begin as formulas do, {words}");
        assert!(ended.out.contains(&words), "{}", ended.out);
    }
}

#[test]
fn what_a_killed_command_left_is_taken_over() {
    let place = Place::new();
    let file = write(&place, "table.csv", &counted("id", 1));
    let beside = place.path(".values.partial");
    let out = place.path("values").display().to_string();
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join("rows.csv"), "half").unwrap();
    value(&[&file, "--label", "y", "--out", &out]).expect(2, &["no result under way"]);
    fs::write(beside.join(".lock"), "1\n").unwrap();
    value(&[&file, "--label", "y", "--out", &out]).expect(0, &[]);
    assert!(!beside.exists());
    let names: Vec<String> = fs::read_dir(place.path("values"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 5, "{names:?}");

    // So with `select`, whose folder here is `out`.
    let points = write(&place, "points.csv", "1,2\n3,4\n5,7\n9,1\n2,2\n");
    let beside = place.path(".out.partial");
    fs::create_dir(&beside).unwrap();
    fs::write(beside.join("coreset.csv"), "half").unwrap();
    let ended = select(&place, &[&points, "--count", "2"]);
    ended.expect(2, &["no result under way"]);
    assert_eq!(fs::read(beside.join("coreset.csv")).unwrap(), b"half");
    fs::write(beside.join(".lock"), "1\n").unwrap();
    select(&place, &[&points, "--count", "2"]).expect(0, &[]);
    assert!(!beside.exists());
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 5);
}

#[test]
fn a_place_is_taken_before_the_work_and_has_a_name() {
    let place = Place::new();
    let table = place.write("table.csv", &counted("id", 1));
    let points = place.write("points.csv", "1,2\n3,4\n5,7\n9,1\n2,2\n");
    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    let [table, points] = [table, points].map(|file| file.display().to_string());
    for words in [
        &["value", &table, "--label", "y"][..],
        &["select", &points, "--count", "2"],
    ] {
        let mut command = afterimage();
        let ended = finish(command.args(words).args(["--out", "."]).current_dir(&empty));
        ended.expect(2, &["takes a name of its own", "./out"]);
        assert_eq!(fs::read_dir(&empty).unwrap().count(), 0);
    }
    // Another command has the place: known before an hour of learners.
    let beside = place.path(".taken.partial");
    fs::create_dir(&beside).unwrap();
    let held = afterimage::files::Lock::take(&beside.join(".lock")).unwrap();
    let mut command = afterimage();
    command.args([
        "value",
        &table,
        "--label",
        "y",
        "--learners",
        "2000000",
        "--out",
    ]);
    let start = std::time::Instant::now();
    finish(command.arg(place.path("taken"))).expect(2, &["writes this result just now"]);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    drop(held);
}
