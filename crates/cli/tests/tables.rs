//! Files as pandas writes them, and files that lie, in `select` and `value`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;

use std::fs;
use std::path::Path;

use run::{Ended, Place, call};
use selected::anew;

fn file(place: &Place, name: &str, bytes: &[u8]) -> String {
    let path = place.path(name);
    fs::write(&path, bytes).unwrap();
    path.display().to_string()
}

fn select(place: &Place, arguments: &[&str]) -> Ended {
    anew(place, &[arguments, &["--count", "3"]].concat())
}

/// The chosen of `select`.
fn chosen(place: &Place, arguments: &[&str]) -> String {
    select(place, arguments).expect(0, &[]);
    fs::read_to_string(place.path("out").join("coreset.csv")).unwrap()
}

fn value(arguments: &[&str]) -> Ended {
    call(["value", "--learners", "20"].iter().chain(arguments))
}

/// Twelve rows of three numbers.
fn rows() -> Vec<String> {
    let row = |i: usize| {
        format!(
            "{}.5,{}.25,{}.125",
            i * i % 7,
            i * 5 % 11,
            if i < 6 { 0 } else { 20 }
        )
    };
    (0..12).map(row).collect()
}

#[test]
fn a_header_of_numbers_and_an_index_are_no_samples() {
    let place = Place::new();
    let plain = file(&place, "plain.csv", rows().join("\n").as_bytes());
    let headed = format!("0,1,2\n{}\n", rows().join("\n"));
    let headed = file(&place, "headed.csv", headed.as_bytes());
    let indexed: String = rows()
        .iter()
        .enumerate()
        .map(|(at, row)| format!("{at},{row}\n"))
        .collect();
    let indexed = file(
        &place,
        "indexed.csv",
        format!(",0,1,2\n{indexed}").as_bytes(),
    );
    let labels: String = (0..12).map(|i| format!("{}\n", i % 2)).collect();
    let bare = file(&place, "bare.csv", labels.as_bytes());
    let named = file(&place, "named.csv", format!("0\n{labels}").as_bytes());
    let wanted = chosen(&place, &[&plain, "--labels", &bare]);
    assert_eq!(chosen(&place, &[&headed, "--labels", &named]), wanted);
    assert_eq!(chosen(&place, &[&indexed, "--labels", &bare]), wanted);
    let told = select(&place, &[&indexed]).expect(0, &["column `` is left out"]);
    assert!(!told.err.contains("names the columns"), "{}", told.err);
    select(&place, &[&headed]).expect(0, &["`0,1,2`, names the columns", "--no-header="]);
    let forced = ["--no-header=embeddings", "--labels", &bare];
    select(&place, &[&[headed.as_str()], &forced[..]].concat()).expect(
        2,
        &["labels has 12 entries and embeddings has 13", "`0,1,2`"],
    );
    let whole = file(&place, "whole.csv", b"0,1\n5,2\n1,7\n3,3\n9,1\n");
    select(&place, &[&whole]).expect(2, &["`0,1`", "--header=", "--no-header="]);
    let ended = select(&place, &[&whole, "--header"]).expect(0, &[]);
    assert!(ended.out.contains("of 4 samples"), "{}", ended.out);
    let ended = select(&place, &[&whole, "--no-header"]).expect(0, &[]);
    assert!(ended.out.contains("of 5 samples"), "{}", ended.out);
    select(&place, &[&whole, "--no-header", "--header"]).expect(2, &["contradict"]);
    let of_nothing = select(&place, &[&plain, "--header=labels"]);
    of_nothing.expect(2, &["--header", "no file of labels"]);
}

#[test]
fn an_index_in_parquet_is_no_feature() {
    let place = Place::new();
    let table = include_bytes!("tables/indexed.parquet");
    let table = file(&place, "t.parquet", table);
    value(&[&table, "--label", "y"]).expect(0, &["76 rows, 3 columns"]);
    let told = value(&[&table, "--label", "y", "--json"]);
    assert!((told.out + &told.err).contains("column `__index_level_0__` is left out"),);
}

#[test]
fn words_for_missing_cells_are_texts_in_parquet_and_where_asked() {
    let place = Place::new();
    let table = file(&place, "t.parquet", include_bytes!("tables/none.parquet"));
    let ended = value(&[&table, "--label", "y"]).expect(0, &[]);
    assert!(!(ended.out + &ended.err).contains("missing"));
    let text: String = (0..40)
        .map(|i| format!("{i},{}\n", if i < 20 { "NA" } else { "EU" }))
        .collect();
    let table = file(&place, "na.csv", format!("a,y\n{text}").as_bytes());
    value(&[&table, "--label", "y"]).expect(
        2,
        &[
            "line 2, column `y`: `NA` is read as a missing cell",
            "--keep-missing-words",
        ],
    );
    value(&[&table, "--label", "y", "--keep-missing-words"]).expect(0, &[]);
}

#[test]
fn half_floats_and_lists_are_read() {
    let place = Place::new();
    let half = file(
        &place,
        "half.parquet",
        include_bytes!("tables/half.parquet"),
    );
    chosen(&place, &[&half]);
    let lists = file(
        &place,
        "lists.parquet",
        include_bytes!("tables/lists.parquet"),
    );
    let ended = select(&place, &[&lists]).expect(0, &[]);
    assert!(ended.out.contains("3 of 40 samples"), "{}", ended.out);
    value(&[&lists, "--label", "emb"]).expect(2, &["column `emb`", "lists are not read"]);
    let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (5,), }\n";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.bytes());
    // 0, 1, 2, 8, 9
    npy.extend([0, 0, 0, 0x3c, 0, 0x40, 0, 0x48, 0x80, 0x48]);
    let npy = file(&place, "half.npy", &npy);
    let single = file(&place, "single.csv", b"x\n0\n1\n2\n8\n9\n");
    assert_eq!(chosen(&place, &[&npy]), chosen(&place, &[&single]));
}

#[test]
fn damaged_and_lying_files_end_with_2() {
    let place = Place::new();
    let broken = file(&place, "b.parquet", include_bytes!("tables/broken.parquet"));
    let ended = select(&place, &[&broken]).expect(2, &["b.parquet"]);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    let ended = value(&[&broken, "--label", "1"]).expect(2, &["b.parquet"]);
    assert!(!ended.err.contains("panicked"), "{}", ended.err);
    let header = format!("{{'descr': {}'<f4'", "[".repeat(90));
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.bytes());
    let npy = file(&place, "x.npy", &npy);
    select(&place, &[&npy]).expect(2, &["x.npy"]);
    value(&[&npy, "--label", "1"]).expect(2, &["x.npy"]);
}

#[test]
fn lines_after_blank_ones_are_told_right() {
    let place = Place::new();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", i % 2)).collect();
    let table = file(
        &place,
        "t.csv",
        format!("x,y\n{rows}\n\n\noops,1\n").as_bytes(),
    );
    value(&[&table, "--label", "y"]).expect(2, &["line 35, column `x`"]);
    let table = file(
        &place,
        "u.csv",
        format!("x,y\r\n{rows}\r\n\r\n1\r\n").as_bytes(),
    );
    value(&[&table, "--label", "y"]).expect(2, &["line 34", "1 cells"]);
    let table = file(&place, "e.csv", b"1,2\n\n\n3,4\nx,5\n");
    select(&place, &[&table]).expect(2, &["e.csv:5: column 1"]);
}

#[test]
fn dates_are_days() {
    let place = Place::new();
    let of = |name: &str, date: &dyn Fn(usize) -> String| {
        let row = |i: usize| format!("{},{},{}\n", date(i), i * 17 % 23, i * 7 % 28 / 14);
        let rows: String = (0..56).map(row).collect();
        let table = file(&place, name, format!("d,b,y\n{rows}").as_bytes());
        let out = place.path(&format!("{name}.out"));
        value(&[&table, "--label", "y", "--out", out.to_str().unwrap()]).expect(0, &[]);
        fs::read(out.join("rows.csv")).unwrap()
    };
    let day = |i: usize| i * 7 % 28;
    let dates = of("dates.csv", &|i| {
        format!("1970-{:02}-{:02}", 1 + i % 2, day(i) + 1)
    });
    let days = of("days.csv", &|i| (31 * (i % 2) + day(i)).to_string());
    assert_eq!(dates, days);
}

#[test]
fn counts_beyond_reason_are_refused() {
    let place = Place::new();
    let rows: String = (0..30).map(|i| format!("{i},{}\n", i % 2)).collect();
    let table = file(&place, "t.csv", format!("x,y\n{rows}").as_bytes());
    for (flag, number) in [
        ("--hidden", "18446744073709551615"),
        ("--epochs", "18446744073709551615"),
        ("--learners", "4294967295"),
    ] {
        let arguments = [
            "value",
            &table,
            "--label",
            "y",
            "--learner",
            "mlp",
            flag,
            number,
        ];
        call(arguments).expect(2, &[flag, number]);
    }
    assert!(Path::new(&table).exists());
}
