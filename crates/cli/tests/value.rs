//! `afterimage value`: results.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod valued;

use std::fs;

use run::Place;
use valued::{lines, table, value, write};

#[test]
fn wrong_labels_come_first_and_the_files_are_in_the_order_of_the_table() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    let out = place.path("out");
    let ended = value(&[
        &file,
        "--label",
        "y",
        "--out",
        out.to_str().unwrap(),
        "--json",
    ]);
    let ended = ended.expect(
        0,
        &[
            "40 rows, 3 columns",
            "2 classes: no, yes",
            "memory: at most",
        ],
    );
    assert!(
        ended.out.contains("Lowest rows by Data-OOB"),
        "{}",
        ended.out
    );
    let result: serde_json::Value =
        serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    let mut first: Vec<u64> = result["lowest_rows"].as_array().unwrap()[..2]
        .iter()
        .map(|row| row["row"].as_u64().unwrap())
        .collect();
    first.sort_unstable();
    assert_eq!(first, [6, 31]);

    let rows = lines(&out.join("rows.csv"));
    assert_eq!(
        rows[0],
        [
            "row",
            "label",
            "data_oob",
            "data_oob:count",
            "data_oob:se",
            "marginal",
            "predicted",
            "predicted:share",
            "suggested",
            "label:share",
            "duplicates",
            "duplicates:labels",
            "nearest",
            "nearest:distance"
        ]
    );
    assert_eq!(rows.len(), 41);
    assert_eq!((rows[1][0].as_str(), rows[40][0].as_str()), ("1", "40"));
    assert_eq!((rows[6][1].as_str(), rows[7][1].as_str()), ("yes", "no"));
    assert!(rows[6][2].parse::<f64>().unwrap() < 0.3, "{:?}", rows[6]);

    let cells = lines(&out.join("cells.csv"));
    assert_eq!(cells[0][..5], ["row", "a", "b", "kind", "a:count"]);
    assert_eq!((cells.len(), cells[0].len()), (41, 16));
    assert!(cells[6][1].parse::<f64>().unwrap() < 0.3);
    for name in ["rows.parquet", "cells.parquet", "report.html"] {
        assert!(fs::metadata(out.join(name)).unwrap().len() > 500, "{name}");
    }
    let left: Vec<_> = fs::read_dir(out.parent().unwrap()).unwrap().collect();
    assert_eq!(
        left.len(),
        2,
        "nothing is left beside table and results: {left:?}"
    );

    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("http") && !page.contains("<script"));
}

#[test]
fn threads_change_no_byte_and_seeds_do() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    let files = |name: &str, further: [&str; 2]| {
        let out = place.path(name);
        let arguments = [&file, "--label", "y", "--out", out.to_str().unwrap()];
        value(&[&arguments[..], &further[..]].concat()).expect(0, &[]);
        [
            "rows.csv",
            "cells.csv",
            "rows.parquet",
            "cells.parquet",
            "report.html",
        ]
        .map(|name| fs::read(out.join(name)).unwrap())
    };
    let one = files("one", ["--threads", "1"]);
    assert!(one == files("two", ["--threads", "2"]));
    assert!(one[0] != files("other", ["--seed", "1"])[0]);
}

#[test]
fn parquet_that_was_written_is_read() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    let out = place.path("out");
    value(&[&file, "--label", "y", "--out", out.to_str().unwrap()]).expect(0, &[]);
    let parquet = out.join("cells.parquet");
    let labels: Vec<String> = table()
        .lines()
        .skip(1)
        .map(|l| l.rsplit(',').next().unwrap().to_owned())
        .collect();
    let labels = write(&place, "y.txt", &labels.join("\n"));
    value(&[parquet.to_str().unwrap(), "--label-file", &labels])
        .expect(0, &["40 rows", "column `row` is left out"]);
    value(&[parquet.to_str().unwrap(), "--label", "nothing"])
        .expect(2, &["there is no column `nothing`", "row, a, b"]);
}

#[test]
fn columns_go_by_number_without_a_header() {
    let place = Place::new();
    let text = table();
    let file = write(&place, "t.csv", text.split_once('\n').unwrap().1);
    value(&[&file, "--no-header", "--label", "4"]).expect(0, &["40 rows, 3 columns", "label `4`"]);
    value(&[&file, "--no-header", "--label", "5"])
        .expect(2, &["there is no column `5`", "numbered 1 to 4"]);
    value(&[&file, "--no-header", "--label", "0"]).expect(2, &["there is no column `0`"]);
    // A row that is taken for a header is noticed where it holds something twice.
    value(&[&file, "--label", "no"]).expect(2, &["two columns have this name", "--no-header"]);
}

#[test]
fn an_npy_matrix_with_labels_in_a_file() {
    let place = Place::new();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 2), }";
    let padding = 64 - (10 + header.len() + 1) % 64;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(((header.len() + padding + 1) as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(vec![b' '; padding]);
    bytes.push(b'\n');
    for row in 0..40u8 {
        bytes.extend(f32::from(row).to_le_bytes());
        bytes.extend(f32::from(row * 17 % 23).to_le_bytes());
    }
    let matrix = place.path("x.npy");
    fs::write(&matrix, &bytes).unwrap();
    let matrix = matrix.to_str().unwrap();
    let label = |rows: usize| {
        let labels: Vec<&str> = (0..rows).map(|r| if r >= 20 { "1" } else { "0" }).collect();
        write(&place, &format!("y{rows}.csv"), &labels.join("\n"))
    };
    value(&[matrix, "--label-file", &label(40)]).expect(0, &["40 rows, 2 columns"]);
    value(&[matrix, "--label-file", &label(39)]).expect(2, &["39 labels", "40 rows"]);
    value(&[matrix, "--label", "2", "--task", "regression"]).expect(0, &["40 rows, 1 columns"]);
    fs::write(place.path("x.npy"), &bytes[..bytes.len() - 10]).unwrap();
    value(&[matrix, "--label", "2"]).expect(2, &["cut off or damaged"]);
}

#[test]
fn ids_name_the_rows_and_are_not_learned_from() {
    let place = Place::new();
    let mut text = String::new();
    for (at, line) in table().lines().enumerate() {
        text += &match at {
            0 => format!("id,name,{line}\n"),
            _ => format!("{},person {at},{line}\n", at + 1000),
        };
    }
    let file = write(&place, "t.csv", &text);
    let out = place.path("out");
    let out_name = out.to_str().unwrap();
    value(&[&file, "--label", "y", "--id", "name", "--out", out_name])
        .expect(
            0,
            &["3 columns", "column `id` is left out: it numbers the rows"],
        )
        .expect(0, &[]);
    let rows = lines(&out.join("rows.csv"));
    assert_eq!(
        (rows[0][1].as_str(), rows[1][1].as_str()),
        ("name", "person 1")
    );
    value(&[&file, "--label", "y", "--ignore", "name"]).expect(0, &["3 columns"]);
    value(&[&file, "--label", "y"]).expect(0, &["column `name` is left out", "--categorical name"]);
    value(&[&file, "--label", "y", "--id", "kind"]).expect(
        2,
        &[
            "t.csv, line 5, column `kind`",
            "the id `red` names more than one row, line 2 too",
        ],
    );
}

#[test]
fn missing_cells_and_constant_columns_are_told_and_taken() {
    let place = Place::new();
    let text = table()
        .replacen("a,b,kind,y", "a,b,kind,flat,y", 1)
        .replace("red,", "red,7,")
        .replace("green,", ",7,")
        .replace("blue,", "blue,7,")
        .replacen("\n3,5,", "\n?,NA,", 1)
        .replacen("\n8,21,", "\n-,21,", 1);
    let file = write(&place, "t.csv", &text);
    let out = place.path("out");
    let arguments = [
        &file,
        "--label",
        "y",
        "--missing",
        "-",
        "--out",
        out.to_str().unwrap(),
    ];
    value(&arguments).expect(0, &["column `flat` is constant", "16 cells are missing"]);
    let cells = lines(&out.join("cells.csv"));
    assert_eq!(cells[0][1..5], ["a", "b", "kind", "flat"]);
    assert_eq!(cells[1][4], "");
    assert!(
        cells[4][1].parse::<f64>().is_ok(),
        "a missing cell has a value, too"
    );
}

#[test]
fn repairs_go_to_a_copy_and_a_log() {
    let place = Place::new();
    let text = table().replacen("\n7,4,", "\n7,\"900\",", 1).replacen(
        "\n1,17,green",
        "\n1,17,\"gre,en\"",
        1,
    );
    let file = write(&place, "t.csv", &text);
    let run = |name: &str, flag: &str, further: &[&str]| {
        let out = place.path(name);
        let arguments = [&file, "--label", "y", flag, "--out", out.to_str().unwrap()];
        value(&[&arguments[..], further].concat()).expect(0, &[]);
        (
            lines(&out.join("fixes.csv")),
            fs::read_to_string(out.join("fixed.csv")).unwrap(),
        )
    };
    let (log, fixed) = run("blank", "--fix=blank", &[]);
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(
        log[0],
        ["row", "column", "was", "is", "value", "value:se", "z"]
    );
    assert_eq!(log[1][..4], ["8", "b", "900", ""]);
    assert_eq!(fixed, text.replacen("\n7,\"900\",", "\n7,,", 1));
    let (log, fixed) = run("impute", "--fix", &[]);
    assert_eq!(log[1][..3], ["8", "b", "900"]);
    assert!(fixed.contains(&format!("\n7,{},", log[1][3])), "{fixed}");
    let (log, _) = run("lowest", "--fix", &["--fix-lowest", "0.05"]);
    assert_eq!(log.len(), 7);
}

#[test]
fn all_learners_and_scores_run() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    for learner in ["tree", "linear", "mlp"] {
        for score in ["plain", "soft", "distance"] {
            let arguments = [
                &file,
                "--label",
                "y",
                "--learner",
                learner,
                "--score",
                score,
            ];
            value(&arguments).expect(0, &[]);
        }
        let arguments = [
            &file,
            "--label",
            "a",
            "--task",
            "regression",
            "--learner",
            learner,
        ];
        value(&arguments).expect(0, &["numbers from 0 to 39"]);
    }
}

#[test]
fn whole_ids_beyond_two_to_the_53_are_kept_apart() {
    let place = Place::new();
    let path = place.path("t.npy");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let header = "{'descr': '<i8', 'fortran_order': False, 'shape': (40, 3), }";
    let header = format!("{header:<117}\n");
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let first = (1i64 << 60) + 1;
    for row in 0..40i64 {
        for number in [first + row, row * 7 % 11, row % 2] {
            bytes.extend(number.to_le_bytes());
        }
    }
    fs::write(&path, bytes).unwrap();
    let out = place.path("out");
    let (file, folder) = (path.to_str().unwrap(), out.to_str().unwrap());
    value(&[file, "--label", "3", "--id", "1", "--out", folder]).expect(0, &[]);
    let rows = lines(&out.join("rows.csv"));
    let ids: Vec<&str> = rows[1..].iter().map(|row| row[1].as_str()).collect();
    assert!(ids.contains(&first.to_string().as_str()), "{ids:?}");
    assert!(ids.contains(&(first + 39).to_string().as_str()), "{ids:?}");
}

/// 200 rows whose label two columns tell, with `wrong` ones; a copy of the label as `copy`, and a row twice.
fn labelled(wrong: &[usize]) -> String {
    let mut text = "key,a,b,noise,copy,y\n".to_owned();
    for row in 0..200usize {
        let place = if row == 199 { 198 } else { row };
        let label = if (place >= 100) != wrong.contains(&row) {
            "yes"
        } else {
            "no"
        };
        let copy = if label == "yes" { "T" } else { "F" };
        let noise = place * 37 % 101;
        text += &format!(
            "k{row},{place},{},{noise},{copy},{label}\n",
            place * 2 + noise % 7
        );
    }
    text
}

#[test]
fn labels_that_look_wrong_are_suggested_and_the_rule_is_checked() {
    let place = Place::new();
    let wrong = [7, 23, 61, 130, 150, 177];
    let file = write(&place, "t.csv", &labelled(&wrong));
    let out = place.path("out");
    let arguments = [
        &file, "--label", "y", "--id", "key", "--ignore", "copy", "--json",
    ];
    let written = ["--out", out.to_str().unwrap()];
    let ended = value(&[&arguments[..], &written].concat()).expect(0, &[]);
    assert!(
        ended.out.contains("labels of 200 look wrong"),
        "{}",
        ended.out
    );
    assert!(
        ended
            .out
            .contains("Check: of 10 labels made wrong on purpose"),
        "{}",
        ended.out
    );
    // The rows themselves, by their ids.
    assert!(
        ended.out.contains("k61") && ended.out.contains("a 61, b 1"),
        "{}",
        ended.out
    );
    let result: serde_json::Value =
        serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    let rows = lines(&out.join("rows.csv"));
    let suspects: Vec<usize> = (0..200)
        .filter(|row| !rows[row + 1][9].is_empty())
        .collect();
    assert_eq!(result["suspect_labels"], suspects.len());
    let found = wrong.iter().filter(|row| suspects.contains(row)).count();
    assert!(found >= 5 && suspects.len() <= found + 3, "{suspects:?}");
    for row in &rows[1..] {
        assert_eq!(row.len(), 15);
        // What is suggested is what is predicted, and never the label.
        assert!(
            row[9].is_empty() || (row[9] == row[7] && row[9] != row[2]),
            "{row:?}"
        );
    }
    let check = &result["check"];
    assert_eq!(check["planted"], 10);
    let found = check["found"].as_u64().unwrap();
    assert!(
        found >= 6 && check["right"].as_u64().unwrap() >= found - 1,
        "{check}"
    );
    let interval = check["interval"].as_array().unwrap();
    assert!(interval[0].as_f64().unwrap() < found as f64 / 10.0);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    for words in [
        "Suggested labels",
        "Rows by Data-OOB",
        "Check: of 10 labels",
        "k61",
    ] {
        assert!(page.contains(words), "{words}");
    }
}

#[test]
fn copies_of_the_label_and_rows_that_are_there_twice_are_told() {
    let place = Place::new();
    let file = write(&place, "t.csv", &labelled(&[198]));
    let told = value(&[&file, "--label", "y", "--id", "key"]).expect(
        0,
        &[
            "column `copy` tells the label of every row by itself",
            "--ignore copy",
        ],
    );
    assert!(!told.err.contains("equal"), "{}", told.err);
    value(&[&file, "--label", "y", "--id", "key", "--ignore", "copy"]).expect(
        0,
        &[
            "1 row equals one before in every column",
            "1 of them under another label (as k198 and k199)",
        ],
    );
}

#[test]
fn soft_scores_of_pure_leaves_are_said_to_be_those_of_plain() {
    let place = Place::new();
    let file = write(&place, "t.csv", &labelled(&[]));
    let arguments = [
        file.as_str(),
        "--label",
        "y",
        "--score",
        "soft",
        "--ignore",
        "copy,key",
    ];
    value(&arguments).expect(0, &["soft scores are those of plain", "--max-depth"]);
    for other in [&["--max-depth", "3"][..], &["--learner", "linear"]] {
        let told = value(&[&arguments[..], other].concat()).expect(0, &[]);
        assert!(!told.err.contains("those of plain"), "{}", told.err);
    }
}
