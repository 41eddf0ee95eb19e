//! `afterimage value`: near duplicates, shares of classes, and numbers as labels.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod valued;

use std::fs;

use run::Place;
use valued::{lines, value, write};

/// A number in [0, 100) that looks drawn.
fn drawn(row: usize, column: usize) -> f64 {
    let mut bits = (row * 31 + column + 1) as u32;
    for _ in 0..3 {
        bits = (bits ^ (bits >> 16)).wrapping_mul(0x045d_9f3b);
    }
    f64::from(bits >> 8) / f64::from(1u32 << 24) * 100.0
}

/// 300 rows of six numbers; row `to` is row `from` with each number moved by `by`, under the label that its
/// number says. Three classes.
fn copied(copies: &[(usize, usize, f64)]) -> String {
    let mut text = "id,a,b,c,d,e,f,y\n".to_owned();
    for row in 0..300 {
        let copy = copies.iter().find(|(_, to, _)| *to == row);
        let (of, by) = copy.map_or((row, 0.0), |(from, _, by)| (*from, *by));
        let cells: Vec<String> = (0..6)
            .map(|column| format!("{:.3}", drawn(of, column) + by * (1.0 + column as f64)))
            .collect();
        let class = ["red", "green", "blue"][row % 3];
        text += &format!("k{row},{},{class}\n", cells.join(","));
    }
    text
}

#[test]
fn near_duplicates_are_told_with_ids_distances_and_labels() {
    let place = Place::new();
    let copies = [(10, 110, 0.01), (20, 200, 0.02), (33, 133, 0.0)];
    let file = write(&place, "t.csv", &copied(&copies));
    let out = place.path("out");
    let ended = value(&[
        &file,
        "--label",
        "y",
        "--id",
        "id",
        "--out",
        out.to_str().unwrap(),
        "--json",
    ]);
    let ended = ended.expect(0, &["1 row equals one before"]);
    for words in [
        "6 rows are near duplicates of another, or equal it, in 3 sets, 2 of them under several labels",
        "the 16th neighbour",
        "k33, k133",
        "k10, k110",
    ] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    let rows = lines(&out.join("rows.csv"));
    let at = |name: &str| rows[0].iter().position(|known| known == name).unwrap();
    let [set, labels, nearest, distance] = [
        "duplicates",
        "duplicates:labels",
        "nearest",
        "nearest:distance",
    ]
    .map(at);
    let row = |row: usize| &rows[row + 1];
    // 33 and 133 are equal under two labels; 10 and 110 are near, under two; 20 and 200 under one.
    assert_eq!(
        [&row(33)[set], &row(133)[set], &row(33)[labels]],
        ["1", "1", "2"]
    );
    assert_eq!([&row(33)[nearest], &row(133)[nearest]], ["k133", "k33"]);
    assert_eq!(row(33)[distance], "0");
    assert_eq!(
        [&row(110)[set], &row(110)[labels], &row(110)[nearest]],
        ["2", "2", "k10"]
    );
    assert_eq!([&row(20)[set], &row(20)[labels]], ["3", "1"]);
    let far: f64 = row(110)[distance].parse().unwrap();
    assert!(far > 0.001 && far < 0.01, "{far}");
    assert_eq!([&row(0)[set], &row(0)[labels]], ["0", "0"]);
    assert!(row(0)[distance].parse::<f64>().unwrap() > 0.1);
    let result: serde_json::Value =
        serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    let near = &result["near_duplicates"];
    assert_eq!(
        (&near["rows"], &near["different_rows"]),
        (&6.into(), &299.into())
    );
    assert_eq!(near["sets"][0]["rows"], serde_json::json!([34, 134]));
    assert_eq!(near["sets_in_all"], 3);
    assert_eq!(near["within"][0]["neighbour"], 16);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Near duplicates") && page.contains("k10, k110"));
}

#[test]
fn tables_without_copies_have_none_and_small_ones_only_equal_rows() {
    let place = Place::new();
    let file = write(&place, "t.csv", &copied(&[]));
    let out = place.path("out");
    let ended = value(&[
        &file,
        "--label",
        "y",
        "--ignore",
        "id",
        "--out",
        out.to_str().unwrap(),
    ]);
    let ended = ended.expect(0, &[]);
    assert!(
        ended.out.contains("No row is a near duplicate of another"),
        "{}",
        ended.out
    );
    let rows = lines(&out.join("rows.csv"));
    let [set, nearest] = ["duplicates", "nearest"]
        .map(|name| rows[0].iter().position(|known| known == name).unwrap());
    assert!(rows[1..].iter().all(|row| row[set] == "0"));
    // Without ids the nearest row is a number from 1, and not the row itself.
    for (at, row) in rows[1..].iter().enumerate() {
        let number: usize = row[nearest].parse().unwrap();
        assert!((1..=300).contains(&number) && number != at + 1, "{row:?}");
    }
    let text = copied(&[]);
    let few: Vec<&str> = text.lines().take(51).collect();
    let few = write(&place, "few.csv", &few.join("\n"));
    let ended = value(&[&few, "--label", "y", "--ignore", "id"]).expect(0, &[]);
    assert!(ended.out.contains("No row equals another"), "{}", ended.out);
}

#[test]
fn shares_of_the_label_and_of_what_is_predicted_are_columns() {
    let place = Place::new();
    let file = write(&place, "t.csv", &valued::table());
    let out = place.path("out");
    value(&[&file, "--label", "y", "--out", out.to_str().unwrap()]).expect(0, &[]);
    let rows = lines(&out.join("rows.csv"));
    let at = |name: &str| rows[0].iter().position(|known| known == name).unwrap();
    let [label, predicted, given, share, value] = [
        "label",
        "predicted",
        "label:share",
        "predicted:share",
        "data_oob",
    ]
    .map(at);
    for row in &rows[1..] {
        let [given, share, value] = [given, share, value].map(|at| row[at].parse::<f64>().unwrap());
        assert!((0.0..=1.0).contains(&given) && given <= share, "{row:?}");
        if row[label] == row[predicted] {
            assert_eq!(given, share, "{row:?}");
        }
        assert!(
            (given - value).abs() < 1e-12,
            "a plain score is this share: {row:?}"
        );
        if row[label] != row[predicted] {
            assert!((given + share - 1.0).abs() < 1e-12, "{row:?}");
        }
    }
}

#[test]
fn numbers_as_labels_have_words_of_their_own() {
    let place = Place::new();
    let mut text = "a,b,y\n".to_owned();
    for row in 0..120 {
        let off = if row == 77 { 600 } else { 0 };
        text += &format!(
            "{row},{},{}.5\n",
            row * 37 % 53,
            row * 2 + row * 37 % 5 + off
        );
    }
    let file = write(&place, "t.csv", &text);
    let out = place.path("out");
    let arguments = [
        &file,
        "--label",
        "y",
        "--out",
        out.to_str().unwrap(),
        "--ratio",
        "1",
        "--json",
    ];
    let ended = value(&arguments).expect(0, &[]);
    for words in [
        "of the variance of the labels",
        "lie farthest from what is predicted",
        "off by",
    ] {
        assert!(ended.out.contains(words), "{words}: {}", ended.out);
    }
    assert!(
        !ended.out.contains("look wrong") && !ended.out.contains("share"),
        "{}",
        ended.out
    );
    let rows = lines(&out.join("rows.csv"));
    assert_eq!(rows[0][6..8], ["predicted", "duplicates"]);
    let predicted: f64 = rows[51][6].parse().unwrap();
    assert!((predicted - 103.0).abs() < 12.0, "{predicted}");
    let result: serde_json::Value =
        serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(result["lowest_rows"][0]["row"], 78);
    assert!(result["check"].is_null() && result["suspect_labels"].is_null());
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Rows farthest from what is predicted"));
}

#[test]
fn zeros_with_and_without_a_minus_are_one_label() {
    let place = Place::new();
    let mut text = "a,b,y\n".to_owned();
    for row in 0..100 {
        let row = if row == 99 { 0 } else { row };
        text += &format!("{},{},{row}.5\n", drawn(row, 0), drawn(row, 1));
    }
    let text = text
        .replacen(",0.5\n", ",0.0\n", 1)
        .replacen(",0.5\n", ",-0.0\n", 1);
    let file = write(&place, "t.csv", &text);
    let ended = value(&[&file, "--label", "y"]).expect(0, &["the labels are numbers from 0 to"]);
    assert!(ended.out.contains("in 1 set"), "{}", ended.out);
    // Among two columns the reach is far below a hundredth.
    assert!(!ended.out.contains("within 0.00 times"), "{}", ended.out);
}
