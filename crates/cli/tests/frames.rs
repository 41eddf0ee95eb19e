//! One frame in several files: indexes, ignored columns, delimiters, labels that are missing and numbers
//! beyond 32 bits, in `select` and `value`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;
mod valued;

use std::fs;

use afterimage::hooks::{Column, Table};
use afterimage::track::{write_table, write_table_with_vectors};
use run::{Ended, Place};
use selected::anew;
use valued::{value, write};

const ROWS: u64 = 24;

fn select(place: &Place, arguments: &[&str]) -> Ended {
    anew(place, &[arguments, &["--count", "4"]].concat())
}

fn chosen(place: &Place, arguments: &[&str], told: &[&str]) -> String {
    select(place, arguments).expect(0, told);
    fs::read_to_string(place.path("out/coreset.csv")).unwrap()
}

fn cells(row: u64) -> [f64; 2] {
    [row * row % 7, row * 5 % 11].map(|n| n as f64 + 0.25)
}

/// Lines of `head` and of what `row` makes of each.
fn text(head: &str, row: impl Fn(u64, [f64; 2]) -> String) -> String {
    let rows: String = (0..ROWS).map(|at| row(at, cells(at)) + "\n").collect();
    format!("{head}\n{rows}")
}

/// A file of the cells alone.
fn bare(place: &Place) -> String {
    let cells = text("a,b", |_, [a, b]| format!("{a},{b}"));
    write(place, "bare.csv", &cells)
}

#[test]
fn an_array_without_rows_is_refused_before_anything_is_reserved() {
    let place = Place::new();
    for shape in ["(0, 18446744073709551615)", "(18446744073709551615, 0)"] {
        let header = format!("{{'descr': '<f8', 'fortran_order': True, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        let path = place.path("x.npy");
        fs::write(&path, bytes).unwrap();
        let path = path.display().to_string();
        value(&[&path, "--label", "1"]).expect(2, &["there are no values in it"]);
        select(&place, &[&path]).expect(2, &["there are no values in it"]);
    }
}

#[test]
fn numbers_beyond_32_bits_are_refused_with_their_line() {
    let place = Place::new();
    let far = text("a,t,y", |at, [a, _]| match at {
        3 | 5 => format!("{a},-{at}e39,no"),
        _ => format!("{a},{at}.5,{}", if at % 2 == 0 { "yes" } else { "no" }),
    });
    let file = write(&place, "far.csv", &far);
    let told = "2 values are beyond what 32 bits hold (first: -3e39";
    value(&[&file, "--label", "y"]).expect(2, &["line 5", "column `t`", told, "scale them"]);
    let ended = select(&place, &[&file, "--ignore", "y"]);
    let ended = ended.expect(2, &["column `t`", told, "line 5"]);
    assert!(!ended.err.contains("diverged"), "{}", ended.err);
    value(&[&file, "--label", "y", "--ignore", "t"]).expect(0, &[]);
    let table = Table {
        columns: vec![("t".to_owned(), Column::F64(vec![1.0, 1e39, 2.0]))],
    };
    let path = place.path("far.parquet");
    write_table(&path, &table).unwrap();
    select(&place, &[path.to_str().unwrap()])
        .expect(2, &["column `t`: 1 value is beyond", "1e39, sample 1"]);
}

#[test]
fn indexes_are_left_out_or_told_and_columns_can_be_ignored() {
    let place = Place::new();
    let bare = bare(&place);
    let wanted = chosen(&place, &[&bare], &[]);
    for (head, index, told) in [
        (",,a,b", "0,", "columns ``, `` are left out"),
        (
            "Unnamed: 0.1,Unnamed: 0,a,b",
            "9,",
            "columns `Unnamed: 0.1`, `Unnamed: 0` are left out",
        ),
        (
            "level_0,a,b",
            "",
            "column `level_0` is left out: it numbers the rows",
        ),
        ("rownum,a,b", "", "column `rownum` is left out"),
    ] {
        let file = text(head, |at, [a, b]| format!("{index}{at},{a},{b}"));
        let file = write(&place, "index.csv", &file);
        assert_eq!(chosen(&place, &[&file], &[told]), wanted, "{head}");
    }
    // A name of its own may be a feature's: it is told, and can be ignored.
    let keyed = text("key,when,a,b", |at, [a, b]| {
        format!("{at},2020-01-{:02},{a},{b}", at + 1)
    });
    let keyed = write(&place, "keyed.csv", &keyed);
    select(&place, &[&keyed]).expect(0, &["`key` is taken", "--ignore key"]);
    for ignore in [
        &["--ignore", "key,when"][..],
        &["--ignore", "1", "--ignore", "when"],
    ] {
        let arguments = [&[keyed.as_str()], ignore].concat();
        assert_eq!(chosen(&place, &arguments, &[]), wanted);
    }
    select(&place, &[&keyed, "--ignore", "kex"])
        .expect(2, &["no column `kex` (--ignore)", "key, when, a, b"]);
    value(&[&keyed, "--label", "b"]).expect(0, &["`key` is taken", "--ignore key"]);
    let ended = value(&[&keyed, "--label", "b", "--ignore", "key,when"]).expect(0, &["1 columns"]);
    assert!(!ended.err.contains("--ignore"), "{}", ended.err);
    value(&[&keyed, "--label", "b", "--ignore", "kex"])
        .expect(2, &["no column `kex`", "key, when"]);
}

#[test]
fn the_clock_of_a_run_s_table_is_left_out_of_both_kinds_of_file() {
    let place = Place::new();
    let bare = bare(&place);
    let wanted = chosen(&place, &[&bare], &[]);
    let told = "columns `epoch`, `step` are left out: each says when a run wrote the row";
    let timed = text("epoch,step,a,b", |at, [a, b]| {
        format!("{},{at},{a},{b}", at / 3)
    });
    let timed = write(&place, "timed.csv", &timed);
    assert_eq!(chosen(&place, &[&timed], &[told]), wanted);
    let of = |at: usize| Column::F64((0..ROWS).map(|row| cells(row)[at]).collect());
    let clock = Column::I64((0..ROWS as i64).collect());
    let columns = vec![
        ("epoch".to_owned(), clock.clone()),
        ("step".to_owned(), clock),
        ("a".to_owned(), of(0)),
        ("b".to_owned(), of(1)),
    ];
    let path = place.path("timed.parquet");
    write_table(&path, &Table { columns }).unwrap();
    assert_eq!(chosen(&place, &[path.to_str().unwrap()], &[told]), wanted);
}

#[test]
fn delimiters_and_decimal_commas_are_those_of_value() {
    let place = Place::new();
    let bare = bare(&place);
    let wanted = chosen(&place, &[&bare], &[]);
    for delimiter in [";", "\t"] {
        let file = text(&format!("a{delimiter}b"), |_, [a, b]| {
            format!("{a}{delimiter}{b}")
        });
        let file = write(&place, "other.csv", &file);
        assert_eq!(chosen(&place, &[&file], &[]), wanted);
    }
    let comma = text("a;b", |_, [a, b]| format!("{a};{b}").replace('.', ","));
    let comma = write(&place, "comma.csv", &comma);
    select(&place, &[&comma]).expect(2, &["comma.csv:2", "a number with a decimal comma"]);
    let one: String = (0..ROWS).map(|at| format!("{at},0{at}\n")).collect();
    let one = write(&place, "one.csv", &one);
    select(&place, &[&one]).expect(2, &["one number each with a decimal comma"]);
    // Labels behind an index, with semicolons: two classes, not as many as samples.
    let labels = text(";label", |at, _| {
        format!("{at};{}", ["cat", "dog"][at as usize % 2])
    });
    let labels = write(&place, "labels.csv", &labels);
    select(&place, &[&bare, "--labels", &labels]).expect(0, &[]);
    let summary = fs::read_to_string(place.path("out/summary.json")).unwrap();
    assert!(
        summary.contains("cat") && !summary.contains(";cat"),
        "{summary}"
    );
    let losses = text("loss", |at, _| format!("0,1{at}"));
    let losses = write(&place, "losses.csv", &losses);
    let small = [&bare, "--strategy", "small-loss", "--losses", &losses];
    select(&place, &small).expect(2, &["losses.csv"]);
}

#[test]
fn a_missing_label_is_no_class() {
    let place = Place::new();
    let bare = bare(&place);
    for (word, line) in [("NA", 5), ("\"\"", 5), ("", 5), ("null", 5)] {
        let labels = text("label", |at, _| match at {
            3 => word.to_owned(),
            _ => ["cat", "dog"][at as usize % 2].to_owned(),
        });
        let labels = write(&place, "labels.csv", &labels);
        let told = format!("labels.csv:{line}: there is no label");
        select(&place, &[&bare, "--labels", &labels]).expect(2, &[&told]);
    }
    let mut words: Vec<String> = (0..ROWS).map(|at| format!("k{}", at % 2)).collect();
    words[3] = String::new();
    let path = place.path("labels.parquet");
    let columns = vec![("label".to_owned(), Column::Text(words))];
    write_table(&path, &Table { columns }).unwrap();
    select(&place, &[&bare, "--labels", path.to_str().unwrap()]).expect(2, &["row 4 (sample 3)"]);
    let blank = "y\n".to_owned() + &"cat\n\n".repeat(2) + &"dog\n".repeat(ROWS as usize - 3);
    let blank = write(&place, "blank.csv", &blank);
    value(&[&bare, "--label-file", &blank]).expect(2, &["blank.csv, line 3", "the line is blank"]);
    // The line, and not the number of labels that it changes.
    let blank = "cat\n\n".to_owned() + &"dog\n".repeat(ROWS as usize - 2);
    let blank = write(&place, "blank.csv", &blank);
    value(&[&bare, "--label-file", &blank]).expect(2, &["blank.csv, line 2", "the line is blank"]);
}

#[test]
fn a_first_line_of_fractions_may_name_columns() {
    let place = Place::new();
    let scale = text("0.1,0.2,0.3", |at, [a, b]| format!("{a},{b},{at}.75"));
    let scale = write(&place, "scale.csv", &scale);
    select(&place, &[&scale]).expect(
        2,
        &["`0.1,0.2,0.3`, may name columns", "--header=embeddings"],
    );
    select(&place, &[&scale, "--header=embeddings"]).expect(0, &[]);
    let sample = text("0.1,0.7,0.3", |at, [a, b]| format!("{a},{b},{at}.75"));
    let sample = write(&place, "sample.csv", &sample);
    let ended = select(&place, &[&sample]).expect(0, &[]);
    assert!(ended.out.contains("of 25 samples"), "{}", ended.out);
}

#[test]
fn what_is_exported_is_selected_from() {
    let place = Place::new();
    let vectors: Vec<f32> = (0..ROWS)
        .flat_map(|at| cells(at).map(|n| n as f32))
        .collect();
    let names = |of: &dyn Fn(u64) -> String| Column::Text((0..ROWS).map(of).collect());
    let columns = vec![
        ("id".to_owned(), Column::I64((0..ROWS as i64).collect())),
        ("split".to_owned(), names(&|_| "train".to_owned())),
        ("file".to_owned(), names(&|at| format!("{at}.png"))),
        (
            "label".to_owned(),
            Column::I64((0..ROWS as i64).map(|at| at % 2).collect()),
        ),
        (
            "label_name".to_owned(),
            names(&|at| ["cat", "dog"][at as usize % 2].to_owned()),
        ),
    ];
    let path = place.path("embeddings.parquet");
    write_table_with_vectors(&path, &Table { columns }, ("embedding", &vectors, 2)).unwrap();
    let path = path.display().to_string();
    let bare = bare(&place);
    let labels = write(
        &place,
        "labels.csv",
        &text("y", |at, _| (at % 2).to_string()),
    );
    let told = [
        "the embedding is column `embedding`",
        "left out: `id`, `split`",
        "`label` is taken",
    ];
    assert_eq!(
        chosen(&place, &[&path, "--labels", &path], &told),
        chosen(&place, &[&bare, "--labels", &labels], &[])
    );
}

#[test]
fn a_flipped_byte_in_a_page_is_found() {
    let place = Place::new();
    // Written by pyarrow with checksums of pages: `crc` is a column of numbers.
    let seeds = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tables_data/crc.parquet");
    let whole = fs::read(seeds).unwrap();
    let path = place.path("crc.parquet");
    fs::write(&path, &whole).unwrap();
    let file = path.display().to_string();
    value(&[&file, "--label", "y"]).expect(0, &[]);
    let mut flipped = whole;
    flipped[200] ^= 4;
    fs::write(&path, flipped).unwrap();
    value(&[&file, "--label", "y"]).expect(2, &["crc.parquet", "checksum"]);
}

#[test]
fn advice_fits_the_file() {
    let place = Place::new();
    let told = |name: &str, bytes: &[u8], words: &[&str]| {
        let path = place.path(name);
        fs::write(&path, bytes).unwrap();
        let path = path.display().to_string();
        value(&[&path, "--label", "y"]).expect(2, words);
        select(&place, &[&path]).expect(2, words);
    };
    told(
        "t.csv.gz",
        b"\x1f\x8b\x08\x00",
        &["compressed by gzip; unpack it first"],
    );
    told(
        "t.npz",
        b"PK\x03\x04....",
        &["a zip archive", "unpack it first"],
    );
    told("t.csv", b"PAR1....", &["a Parquet file; name it .parquet"]);
    for (cell, words) in [
        (
            "\"5,600\"",
            "a decimal comma, or with a comma between thousands",
        ),
        ("\"1,200,000\"", "with commas between thousands"),
        ("20%", "a number in percent"),
    ] {
        let table = text("a,t,y", |at, [a, _]| format!("{a},{cell},{}", at % 2));
        let file = write(&place, "cells.csv", &table);
        value(&[&file, "--label", "y"]).expect(2, &["line 2", "column `t`", words]);
        value(&[&file, "--label", "y", "--categorical", "t"]).expect(0, &[]);
        select(&place, &[&file]).expect(2, &["cells.csv:2: column 2", words]);
    }
    let dots = text("a,t,y", |at, [a, b]| match at % 2 {
        0 => format!("{a},.,0"),
        _ => format!("{a},{b},1"),
    });
    let dots = write(&place, "dots.csv", &dots);
    value(&[&dots, "--label", "y"]).expect(2, &["`.` is no number", "--missing ."]);
    value(&[&dots, "--label", "y", "--missing", "."]).expect(0, &[]);
    let table = Table {
        columns: vec![
            (
                "a".to_owned(),
                Column::F64((0..ROWS).map(|at| cells(at)[0]).collect()),
            ),
            ("y".to_owned(), Column::F64(vec![f64::NAN; ROWS as usize])),
        ],
    };
    let path = place.path("nan.parquet");
    write_table(&path, &table).unwrap();
    let ended = value(&[path.to_str().unwrap(), "--label", "y"])
        .expect(2, &["row 1: the label is not a number"]);
    assert!(!ended.err.contains("keep-missing"), "{}", ended.err);
}
