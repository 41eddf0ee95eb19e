//! `afterimage select`, as a user meets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;
mod selected;

use std::fs;
use std::path::PathBuf;

use afterimage::track::read_table;
use run::{Place, afterimage, finish};
use selected::{LINE, csv, npy, select};

#[test]
fn a_coreset_is_written_in_the_order_of_choice_in_three_forms() {
    let place = Place::new();
    let input = place.write("line.csv", LINE);
    let ended = select(&place, &input, &["--fraction", "0.4"])
        .expect(0, &["distances of 1 group: matrix-free"]);
    assert!(
        ended.out.contains("2 of 5 samples; k-medoids cost 4.0"),
        "{}",
        ended.out
    );
    assert_eq!(csv(&place), "index,weight\n2,3\n0,2\n");
    let table = read_table(&place.path("out").join("coreset.parquet")).unwrap();
    assert_eq!(table.columns[0].0, "index");
    assert_eq!(
        table.columns[1].1,
        afterimage::hooks::Column::F64(vec![3.0, 2.0])
    );
    let npy = fs::read(place.path("out").join("coreset.npy")).unwrap();
    assert!(npy.starts_with(b"\x93NUMPY"));
    assert!(
        npy.ends_with(
            &[
                2i64.to_le_bytes(),
                3f64.to_le_bytes(),
                0i64.to_le_bytes(),
                2f64.to_le_bytes()
            ]
            .concat()
        )
    );
    let summary = fs::read_to_string(place.path("out").join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["k_medoids_cost"], 4.0);
    // The largest distance of five samples is 11.
    assert!((summary["objective"].as_f64().unwrap() - 51.0).abs() < 1e-5);
    for key in ["seconds_to_build", "seconds_to_select", "peak_memory_bytes"] {
        assert!(
            summary[key].as_f64().is_some_and(|value| value > 0.0),
            "{key}: {summary}"
        );
    }
    assert_eq!(
        fs::read_dir(place.path("")).unwrap().count(),
        2,
        "something is left beside"
    );
}

#[test]
fn npy_and_labels_of_classes() {
    let place = Place::new();
    let input = npy(&place, "x.npy", "(5, 1)", &[0.0, 1.0, 9.0, 10.0, 11.0]);
    let labels = place.write("labels.csv", "label\ncat\ndog\ncat\ndog\ndog\n");
    let labels = labels.to_str().unwrap();
    let arguments = [
        "--labels",
        labels,
        "--count",
        "2",
        "--threads",
        "2",
        "--memory",
        "3MB",
    ];
    select(&place, &input, &arguments).expect(0, &[]);
    assert_eq!(csv(&place), "index,weight\n0,2\n3,3\n");
    fs::remove_dir_all(place.path("out")).unwrap();
    fs::create_dir(place.path("out")).unwrap();
    let arguments = [
        "--count",
        "2",
        "--strategy",
        "centrality",
        "--weights",
        "none",
    ];
    select(&place, &input, &arguments).expect(0, &[]);
    assert_eq!(csv(&place), "index,weight\n2,1\n3,1\n");
}

#[test]
fn a_parquet_table_is_read() {
    let place = Place::new();
    let table = afterimage::hooks::Table {
        columns: vec![
            (
                "x".to_owned(),
                afterimage::hooks::Column::F64(vec![0.0, 1.0, 9.0, 10.0, 11.0]),
            ),
            ("y".to_owned(), afterimage::hooks::Column::I64(vec![0; 5])),
        ],
    };
    let input = place.path("x.parquet");
    afterimage::track::write_table(&input, &table).unwrap();
    select(&place, &input, &["--count", "2"]).expect(0, &[]);
    assert_eq!(csv(&place), "index,weight\n2,3\n0,2\n");
}

#[test]
fn memorization_leans_towards_the_scores_or_away() {
    let place = Place::new();
    // Pairs at 0, 10 and 20, of which one is memorized.
    let input = place.write("line.csv", "0\n0.1\n10\n10.1\n20\n20.1\n");
    let units = place.write("units.csv", "units\n0\n5\n0\n3\n0\n4\n");
    let layers = npy(
        &place,
        "layers.npy",
        "(6,)",
        // Of the first pair it says the opposite of what the units say, and more strongly.
        &[0.9, 0.0, 0.05, 0.2, 0.05, 0.3],
    );
    let [units, layers] = [&units, &layers].map(|path| path.to_str().unwrap());
    let chosen = |arguments: &[&str]| {
        let strategy = [
            "--strategy",
            "memorization",
            "--count",
            "3",
            "--threads",
            "2",
        ];
        select(&place, &input, &[&strategy[..], arguments].concat()).expect(0, &["matrix-free"]);
        let mut ids: Vec<usize> = csv(&place)
            .lines()
            .skip(1)
            .map(|line| line.split(',').next().unwrap().parse().unwrap())
            .collect();
        ids.sort_unstable();
        let summary = fs::read_to_string(place.path("out").join("summary.json")).unwrap();
        fs::remove_dir_all(place.path("out")).unwrap();
        (
            ids,
            serde_json::from_str::<serde_json::Value>(&summary).unwrap(),
        )
    };
    let (ids, summary) = chosen(&["--unitmem", units]);
    assert_eq!(ids, [1, 3, 5]);
    assert_eq!(
        (&summary["prefer"], &summary["bonus"]),
        (&"memorized".into(), &0.2.into())
    );
    assert_eq!(
        chosen(&["--layermem", layers, "--unitmem", units]).0,
        [0, 3, 5]
    );
    let typical = ["--unitmem", units, "--prefer", "typical"];
    assert_eq!(chosen(&typical).0, [0, 2, 4]);
    // A bonus above any coverage takes what is memorized most, wherever it lies.
    let count = ["--bonus", "1000", "--unitmem", units];
    assert_eq!(chosen(&count).0, [1, 3, 5]);
    // The same as the tables that runs write; of layers the last one counts, and 0.2 is the middle.
    let [unit_points, layer_points] = tables_of_points(&place);
    let [units, layers] = [&unit_points, &layer_points].map(|path| path.to_str().unwrap());
    assert_eq!(chosen(&["--unitmem", units]).0, [1, 3, 5]);
    assert_eq!(
        chosen(&["--layermem", layers, "--unitmem", units]).0,
        [0, 3, 5]
    );
    assert_eq!(chosen(&["--layermem", layers]).0, [0, 3, 5]);
    let few = place.write("few.csv", LINE);
    let strategy = [
        "--strategy",
        "memorization",
        "--count",
        "3",
        "--unitmem",
        units,
    ];
    select(&place, &few, &strategy).expect(2, &["its point 5 is none of the 5 samples"]);
}

/// The tables `unitmem/points` and `layermem/points` of a run over six images.
fn tables_of_points(place: &Place) -> [PathBuf; 2] {
    use afterimage::hooks::{Column, Table};
    let texts = |texts: &[&str]| Column::Text(texts.iter().map(|t| (*t).to_owned()).collect());
    let units = Table::of([
        ("epoch", Column::I64(vec![3; 3])),
        ("point", Column::I64(vec![1, 3, 5])),
        ("units", Column::I64(vec![5, 3, 4])),
        ("top_decile", Column::I64(vec![0; 3])),
    ]);
    let layers = Table::of([
        ("epoch", Column::I64(vec![3; 7])),
        ("layer", texts(&["a", "b", "b", "b", "b", "b", "b"])),
        (
            "set",
            texts(&[
                "candidates",
                "candidates",
                "candidates",
                "candidates",
                "independent",
                "independent",
                "shared",
            ]),
        ),
        ("point", Column::I64(vec![1, 0, 2, 3, 5, 1, 4])),
        (
            "score",
            Column::F64(vec![9.0, 0.9, 0.05, 0.2, -0.3, 0.0, 7.0]),
        ),
    ]);
    let paths = ["units.parquet", "layers.parquet"].map(|name| place.path(name));
    for (path, table) in paths.iter().zip([units, layers]) {
        afterimage::track::write_table(path, &table).unwrap();
    }
    paths
}

#[test]
fn mistakes_in_scores_of_memorization_are_told_with_their_place() {
    let place = Place::new();
    let line = place.write("line.csv", LINE);
    let gap = place.write("gap.csv", "units\n1\n2\nnan\n4\n5\n");
    let words = place.write("words.csv", "1\n2\nmany\n4\n5\n");
    let three = place.write("three.csv", "1\n2\n3\n");
    let five = place.write("five.csv", "1\n2\n3\n4\n5\n");
    let holes = npy(&place, "holes.npy", "(5,)", &[1.0, f32::NAN, 2.0, 3.0, 4.0]);
    let [gap, words, three, five, holes] =
        [&gap, &words, &three, &five, &holes].map(|path| path.to_str().unwrap());
    for (arguments, told) in [
        (
            &["--strategy", "memorization"][..],
            "`memorization` needs a score of each sample",
        ),
        (
            &["--unitmem", five],
            "--unitmem: is for `--strategy memorization` and `memorization-alone`",
        ),
        (
            &["--strategy", "memorization-alone"],
            "`memorization-alone` needs a score of each sample",
        ),
        (
            &[
                "--strategy",
                "memorization-alone",
                "--unitmem",
                five,
                "--bonus",
                "1",
            ],
            "--bonus: is for",
        ),
        (&["--layermem", five], "--layermem: is for"),
        (&["--prefer", "typical"], "--prefer: is for"),
        (&["--bonus", "0.1"], "--bonus: is for"),
        (
            &["--strategy", "memorization", "--unitmem", gap],
            "gap.csv: `--unitmem` needs a finite number of every sample; that of sample 2 in line 4",
        ),
        (
            &["--strategy", "memorization", "--layermem", holes],
            "holes.npy: `--layermem` needs a finite number of every sample; that of sample 1 is NaN",
        ),
        (
            &["--strategy", "memorization", "--unitmem", words],
            "words.csv:3: \"many\" is no number",
        ),
        (
            &["--strategy", "memorization", "--unitmem", three],
            "three.csv: `--unitmem` has 3 numbers for 5 samples",
        ),
        (
            &[
                "--strategy",
                "memorization",
                "--unitmem",
                five,
                "--bonus",
                "-1",
            ],
            "bonus: -1 is not between",
        ),
        (
            &[
                "--strategy",
                "memorization",
                "--unitmem",
                five,
                "--storage",
                "sparse",
            ],
            "strategy: `memorization` looks at all pairs",
        ),
        (
            &[
                "--strategy",
                "memorization",
                "--unitmem",
                five,
                "--greedy",
                "lazy",
            ],
            "--greedy: is for",
        ),
    ] {
        let arguments = [&["--count", "1"], arguments].concat();
        let ended = select(&place, &line, &arguments).expect(2, &[told]);
        assert!(ended.out.is_empty(), "{ended:?}");
        assert!(!place.path("out").exists(), "{told}: something was written");
    }
}

#[test]
fn mistakes_are_told_once_and_leave_nothing() {
    let place = Place::new();
    let line = place.write("line.csv", LINE);
    let broken = place.write("broken.csv", "a,b\n1,2\n3,\n");
    let ragged = place.write("ragged.csv", "1,2\n3\n");
    let nan = place.write("nan.csv", "1\nnan\n3\ninf\n");
    let text = place.write("text.txt", "1\n");
    let cut = npy(&place, "cut.npy", "(50, 2)", &[1.0; 7]);
    let cube = npy(&place, "cube.npy", "(1, 2, 2)", &[1.0; 4]);
    let none = npy(&place, "none.npy", "(0, 2)", &[]);
    let noise = place.write("noise.npy", "no array");
    let three = place.write("three.csv", "1\n2\n3\n");
    let three = three.to_str().unwrap();
    let some = ["--count", "1"];
    for (input, arguments, words) in [
        (
            &line,
            &["--fraction", "1.5"][..],
            "fraction: 1.5 is not in (0, 1]",
        ),
        (
            &line,
            &["--fraction", "0.01"],
            "0.01 of 5 samples is not one sample",
        ),
        (&line, &["--count", "6"], "6 of 5 samples cannot be chosen"),
        (&line, &[], "--fraction"),
        (
            &line,
            &["--count", "1", "--fraction", "0.5"],
            "cannot be used with",
        ),
        (
            &line,
            &["--count", "1", "--strategy", "facility"],
            "facility-location",
        ),
        (
            &line,
            &["--count", "1", "--memory", "lots"],
            "--memory: \"lots\" is no amount",
        ),
        (&line, &["--count", "1", "--memory", "1kB"], "too small"),
        (
            &line,
            &[
                "--count",
                "1",
                "--strategy",
                "centrality",
                "--memory",
                "1GB",
            ],
            "--memory: is about the distances",
        ),
        (
            &line,
            &["--count", "1", "--strategy", "herding", "--greedy", "lazy"],
            "--greedy: is for",
        ),
        (
            &line,
            &["--count", "1", "--epsilon", "0.1"],
            "--epsilon: is for `--greedy stochastic`",
        ),
        (
            &line,
            &[
                "--count",
                "1",
                "--strategy",
                "grad-match",
                "--weights",
                "none",
            ],
            "--weights: cannot be chosen",
        ),
        (
            &line,
            &["--count", "1", "--strategy", "craig", "--cap", "0.9"],
            "--cap: cannot be set",
        ),
        (
            &line,
            &["--count", "1", "--threads", "0"],
            "--threads: 0 is not in",
        ),
        (
            &line,
            &["--count", "1", "--labels", three],
            "three.csv: labels has 3 entries and embeddings has",
        ),
        (
            &line,
            &["--count", "1", "--strategy", "small-loss"],
            "needs losses",
        ),
        (
            &line,
            &["--count", "1", "--cap", "0.9", "--weights", "none"],
            "--cap",
        ),
        (&line, &["--count", "1", "--weights", "radius"], "--radius"),
        (&broken, &some, "broken.csv:3: column 2: the cell is empty"),
        (&ragged, &some, "ragged.csv: this is no CSV"),
        (
            &nan,
            &some,
            "2 of 4 samples hold values that are not finite: 1, 3;",
        ),
        (&text, &some, "must end in .npy, .csv, .tsv or .parquet"),
        (&cut, &some, "cut off"),
        (&cube, &some, "[1, 2, 2]"),
        (&none, &some, "no values"),
        (&noise, &some, "no npy file"),
        (&place.path("absent.npy"), &some, "absent.npy: cannot open"),
    ] {
        let ended = select(&place, input, arguments).expect(2, &[words]);
        assert!(ended.out.is_empty(), "{ended:?}");
        assert!(
            !place.path("out").exists(),
            "{words}: something was written"
        );
    }
}

#[test]
fn a_directory_that_holds_something_stays_as_it_is() {
    let place = Place::new();
    let input = place.write("line.csv", LINE);
    fs::create_dir(place.path("out")).unwrap();
    fs::write(place.path("out").join("mine"), "mine").unwrap();
    select(&place, &input, &["--count", "1"]).expect(2, &["this directory is not empty"]);
    assert_eq!(fs::read_dir(place.path("out")).unwrap().count(), 1);
    // A parent that is a file is no place for a directory.
    let mut command = afterimage();
    command
        .arg("select")
        .arg(&input)
        .args(["--count", "1", "--out"]);
    let ended = finish(command.arg(place.path("line.csv").join("out")));
    assert_ne!(ended.code, Some(0), "{ended:?}");
}
