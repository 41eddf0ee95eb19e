//! A killed and resumed run leaves the files of a run that went straight through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use afterimage_hooks::{Column, Measurement, Record, Table};
use afterimage_track::{Metrics, Number, Sinks, TrackError, read_scalars, read_table};
use proptest::prelude::*;

/// Steps per epoch of the made-up run.
const EPOCH: u64 = 5;

fn records(step: u64) -> Vec<Record> {
    let epoch = u32::try_from(step.div_ceil(EPOCH)).unwrap();
    let record = |tag: &str, value| Record {
        tag: tag.to_owned(),
        epoch,
        step,
        author: "test".to_owned(),
        value,
    };
    let table = |site: &str| {
        let columns = vec![
            ("site".to_owned(), Column::Text(vec![site.to_owned(); 2])),
            ("unit".to_owned(), Column::I64(vec![0, 1])),
            (
                "unitmem".to_owned(),
                Column::F64(vec![step as f64 / 7.0, f64::NAN]),
            ),
        ];
        Measurement::Table(Table { columns })
    };
    let mut all = vec![
        record(
            "loss/train",
            Measurement::Scalar(if step.is_multiple_of(4) {
                f64::NAN
            } else {
                1.0 / step as f64
            }),
        ),
        record("time/step", Measurement::Scalar(0.1)),
        record("unitmem/units", table("a")),
        record("unitmem/units", table("b")),
    ];
    if step.is_multiple_of(EPOCH) {
        all.push(record(
            "unitmem/train/a",
            Measurement::Histogram(vec![0.1, step as f64, f64::NAN]),
        ));
        all.push(record(
            "owners/a",
            Measurement::Image {
                width: 2,
                height: 1,
                rgb: vec![step as u8; 6],
            },
        ));
    }
    all
}

fn go(run: &Path, resume: Option<u64>, steps: std::ops::RangeInclusive<u64>) {
    let mut sinks = Sinks::for_run(run, resume, &[]);
    for step in steps {
        sinks.write_all(&records(step));
        if step.is_multiple_of(3) {
            sinks.flush();
        }
    }
    sinks.flush();
    assert_eq!(sinks.disabled(), []);
}

fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "tensorboard" {
            continue;
        }
        if path.is_dir() {
            found.extend(
                contents(&path)
                    .into_iter()
                    .map(|(below, bytes)| (format!("{name}/{below}"), bytes)),
            );
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn resuming_leaves_the_same_bytes((total, checkpoint, killed) in (1u64..24).prop_flat_map(|total| {
        (Just(total), 0..=total).prop_flat_map(|(total, at)| (Just(total), Just(at), at..=total))
    })) {
        let dir = tempfile::tempdir().unwrap();
        let (straight, broken) = (dir.path().join("straight"), dir.path().join("broken"));
        go(&straight, None, 1..=total);
        go(&broken, None, 1..=killed);
        let mut torn = OpenOptions::new().append(true).open(broken.join("metrics.jsonl")).unwrap();
        torn.write_all(b"{\"tag\":\"loss/tr").unwrap();
        go(&broken, Some(checkpoint), checkpoint + 1..=total);
        let (a, b) = (contents(&straight), contents(&broken));
        prop_assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
        for (name, bytes) in &a {
            prop_assert!(bytes == &b[name], "{} differs", name);
        }
        prop_assert!(a.len() >= 4);
    }
}

#[test]
fn clock_dependent_scalars_are_kept_out_of_the_metrics() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), None, 1..=4);
    let metrics = fs::read_to_string(dir.path().join("metrics.jsonl")).unwrap();
    assert!(
        metrics.lines().all(|line| line.contains("\"loss/train\"")),
        "{metrics}"
    );
    assert!(metrics.ends_with(
        "{\"tag\":\"loss/train\",\"epoch\":1,\"step\":4,\"author\":\"test\",\"value\":\"NaN\"}\n"
    ));
    let timings = read_scalars(&dir.path().join("timings.jsonl")).unwrap();
    assert!(timings.len() == 4 && timings.iter().all(|line| line.tag == "time/step"));
}

#[test]
fn a_second_run_does_not_write_over_the_first() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), None, 1..=4);
    let before = contents(dir.path());
    assert!(matches!(
        Metrics::create(dir.path(), None),
        Err(TrackError::NotEmpty(_))
    ));
    let sinks = Sinks::for_run(dir.path(), None, &[]);
    let disabled = sinks.disabled();
    let names: Vec<&str> = disabled.iter().map(|d| d.sink.as_str()).collect();
    assert_eq!(
        names,
        ["metrics", "timings", "tables"],
        "no picture was taken in 4 steps"
    );
    assert_eq!(contents(dir.path()), before);
    afterimage_track::files::discard(dir.path()).unwrap();
    go(dir.path(), None, 1..=4);
}

#[test]
fn a_damaged_line_in_the_middle_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("metrics.jsonl"),
        "{\"step\":1}\nnonsense\n{\"step\":2}\n",
    )
    .unwrap();
    let error = Metrics::create(dir.path(), Some(2))
        .err()
        .map(|e| e.to_string())
        .unwrap_or_default();
    assert!(error.contains("metrics.jsonl:2: "), "{error}");
}

#[test]
fn rows_of_one_epoch_stand_in_one_file_with_their_time() {
    let dir = tempfile::tempdir().unwrap();
    go(dir.path(), None, 1..=7);
    let table = read_table(&dir.path().join("tables/unitmem.units/epoch-0002.parquet")).unwrap();
    let names: Vec<&str> = table
        .columns
        .iter()
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(names, ["epoch", "step", "site", "unit", "unitmem"]);
    assert_eq!(table.columns[0].1, Column::I64(vec![2; 8]));
    assert_eq!(
        table.columns[1].1,
        Column::I64(vec![6, 6, 6, 6, 7, 7, 7, 7])
    );
    let sites = ["a", "a", "b", "b", "a", "a", "b", "b"]
        .map(str::to_owned)
        .to_vec();
    assert_eq!(table.columns[2].1, Column::Text(sites));
    let Column::F64(values) = &table.columns[4].1 else {
        panic!("a column of floats")
    };
    assert!(values[0] == 6.0 / 7.0 && values[1].is_nan());
}

proptest! {
    #[test]
    fn a_number_survives_json(bits in any::<u64>()) {
        let number = f64::from_bits(bits);
        let text = serde_json::to_string(&Number(number)).unwrap();
        let back: Number = serde_json::from_str(&text).unwrap();
        prop_assert!(back.0.to_bits() == bits || (back.0.is_nan() && number.is_nan()), "{}", text);
    }

    #[test]
    fn a_table_survives_parquet(
        numbers in proptest::collection::vec((any::<f64>(), any::<i64>(), ".{0,8}"), 0..40)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.parquet");
        let columns = vec![
            ("a/b".to_owned(), Column::F64(numbers.iter().map(|n| n.0).collect())),
            ("c".to_owned(), Column::I64(numbers.iter().map(|n| n.1).collect())),
            ("d e".to_owned(), Column::Text(numbers.iter().map(|n| n.2.clone()).collect())),
        ];
        afterimage_track::write_table(&path, &Table { columns: columns.clone() }).unwrap();
        let back = read_table(&path).unwrap().columns;
        // NaN is not equal to itself, its bits are.
        prop_assert_eq!(format!("{back:?}"), format!("{columns:?}"));
    }
}
