//! `afterimage value`: exit codes and messages.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod valued;

use std::fs;

use run::{Place, call};
use valued::{table, value, write};

#[test]
fn every_mistake_in_a_table_says_what_and_where() {
    let place = Place::new();
    let changed = |from: &str, to: &str| {
        let text = table();
        assert!(text.contains(from));
        text.replacen(from, to, 1)
    };
    let cases: [(&str, String, &[&str]); 9] = [
        ("empty", String::new(), &["the file is empty"]),
        ("header", "a,y\n".into(), &["0 rows"]),
        (
            "long",
            changed("3,5,red,no", "3,5,red,no,1"),
            &["line 5", "5 cells", "has 4"],
        ),
        (
            "stray",
            changed("9,15,red,no", "oops,15,red,no"),
            &[
                "line 11",
                "column `a`",
                "`oops` is no number",
                "--missing oops",
            ],
        ),
        (
            "label",
            changed("9,15,red,no", "9,15,red,"),
            &["line 11", "column `y`", "the label is missing"],
        ),
        (
            "twice",
            changed("a,b,kind,y", "a,a,kind,y"),
            &["column `a`", "two columns have this name"],
        ),
        (
            "one",
            table().replace("yes", "no"),
            &["one.csv, column `y`: all labels are `no`"],
        ),
        (
            "constant",
            "a,y\n".to_owned() + &"1,u\n1,v\n".repeat(9),
            &["constant.csv: every column beside the label is constant"],
        ),
        (
            "alone",
            "y\n".to_owned() + &"u\nv\n".repeat(9),
            &["alone.csv: there is no column beside the label"],
        ),
    ];
    for (name, text, words) in cases {
        let file = write(&place, &format!("{name}.csv"), &text);
        let ended = value(&[&file, "--label", "y"]).expect(2, words);
        assert_eq!(ended.err.matches("error:").count(), 1, "{}", ended.err);
        assert!(ended.out.is_empty());
    }
    let missing = place.path("none.csv");
    value(&[missing.to_str().unwrap(), "--label", "y"]).expect(2, &["none.csv", "cannot open"]);
    let latin = place.path("latin.csv");
    fs::write(&latin, b"a,y\n1,u\n2,\xe9\n").unwrap();
    value(&[latin.to_str().unwrap(), "--label", "y"]).expect(2, &["line 3", "not UTF-8"]);
    let broken = write(&place, "t.parquet", "not parquet");
    value(&[&broken, "--label", "y"]).expect(2, &["not a Parquet file"]);
    let broken = write(&place, "t.npy", "not npy");
    value(&[&broken, "--label", "1"]).expect(2, &["not an npy file"]);
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999, 4), }";
    let mut liar = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    liar.extend(format!("{header:117}\n").bytes());
    liar.extend([0; 64]);
    let file = place.path("liar.npy");
    fs::write(&file, liar).unwrap();
    value(&[file.to_str().unwrap(), "--label", "1"]).expect(2, &["9999999999999 rows", "cut off"]);
    let file = write(&place, "good.csv", &table());
    let same = write(&place, "same.csv", &"no\n".repeat(40));
    value(&[&file, "--label-file", &same]).expect(2, &["same.csv: all labels are `no`"]);
    let two = write(&place, "two.csv", &"1,2\n0,3\n".repeat(20));
    value(&[&file, "--label-file", &two]).expect(2, &["one column", "this has 2"]);
    let huge = "a,y\n".to_owned()
        + &(0..40)
            .map(|i| format!("{i},{i}.5e200\n"))
            .collect::<String>();
    let file = write(&place, "huge.csv", &huge);
    value(&[&file, "--label", "y"]).expect(2, &["beyond", "scale the labels"]);
}

#[test]
fn every_mistake_in_the_arguments_ends_with_2() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    let full = place.path("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("x"), "").unwrap();
    let cases: [(&[&str], &[&str]); 14] = [
        (&[], &["--label"]),
        (
            &["--label", "y", "--label-file", "f"],
            &["cannot be used with"],
        ),
        (&["--label", "y", "--ratio", "0"], &["--ratio is 0"]),
        (&["--label", "y", "--ratio", "1.5"], &["--ratio is 1.5"]),
        (&["--label", "y", "--learners", "0"], &["--learners"]),
        (&["--label", "y", "--threads", "0"], &["--threads is 0"]),
        (&["--label", "y", "--bins", "2"], &["--bins is 2"]),
        (
            &["--label", "y", "--max-features", "some"],
            &["--max-features", "`sqrt`, `all`"],
        ),
        (&["--label", "y", "--max-depth", "0"], &["--max-depth is 0"]),
        (
            &["--label", "y", "--memory", "1MB"],
            &["of memory", "the limit is 1", "--memory"],
        ),
        (&["--label", "y", "--fix"], &["--fix", "needs --out"]),
        (
            &["--label", "y", "--id", "y"],
            &["--id names a column that another argument names"],
        ),
        (
            &[
                "--label",
                "y",
                "--score",
                "distance",
                "--task",
                "regression",
            ],
            &["`no` is no finite number"],
        ),
        (
            &["--label", "y", "--out", full.to_str().unwrap()],
            &["not empty", "--out"],
        ),
    ];
    for (arguments, words) in cases {
        // Not through `value`: `--learners` may be given once.
        let all = [&["value", file.as_str()], arguments].concat();
        call(all).expect(2, words);
    }
    call([
        "value",
        &file,
        "--label",
        "a",
        "--score",
        "distance",
        "--task",
        "regression",
    ])
    .expect(2, &["--score distance", "class"]);
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);
}

#[test]
fn decimal_commas_and_infinite_labels_are_called_what_they_are() {
    let place = Place::new();
    let mut text = "a;b;y\n".to_owned();
    for row in 0..40 {
        text += &format!("{row},5;{};{}\n", row * 7 % 11, row % 2);
    }
    let file = write(&place, "t.csv", &text);
    value(&[&file, "--label", "y"]).expect(2, &["line 2", "`0,5`", "decimal comma"]);
    let mut text = "a,y\n".to_owned();
    for row in 0..40 {
        let label = if row == 7 {
            "inf".to_owned()
        } else {
            format!("{row}.5")
        };
        text += &format!("{},{label}\n", row * 7 % 11);
    }
    let file = write(&place, "t.csv", &text);
    value(&[&file, "--label", "y"]).expect(2, &["line 9", "`inf`", "not finite"]);
}

#[test]
fn a_flag_of_another_learner_is_refused_and_a_score_without_effect_is_told() {
    let place = Place::new();
    let file = write(&place, "t.csv", &table());
    let flags = [
        ("--max-features", "2", "tree"),
        ("--max-depth", "3", "tree"),
        ("--bins", "100", "tree"),
        ("--penalty", "2", "linear"),
        ("--hidden", "4", "mlp"),
        ("--epochs", "2", "mlp"),
    ];
    for learner in ["tree", "linear", "mlp"] {
        for (flag, number, of) in flags {
            let flags = ["value", &file, "--label", "y", "--learner", learner];
            let more = ["--learners", "2", flag, number];
            let ended = call([&flags[..], &more].concat());
            if learner == of {
                ended.expect(0, &[]);
                continue;
            }
            let told = format!(
                "error: {flag} is for `--learner {of}` alone, and the learner is `{learner}`; leave it out\n"
            );
            assert_eq!(ended.expect(2, &[]).err, told);
        }
    }
    let soft = ["value", &file, "--label", "b", "--learners", "2"];
    let soft = [&soft[..], &["--score", "soft", "--task", "regression"]].concat();
    call(soft).expect(0, &["--score soft changes nothing", "numbers"]);
    value(&[&file, "--label", "y", "--score", "soft"]).expect(0, &[]);
}
