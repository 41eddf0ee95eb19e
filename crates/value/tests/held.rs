//! Tables that a program holds, beside the same tables in files, and a stop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::atomic::AtomicBool;

use afterimage_table::{Cell, Kind, Number};
use afterimage_value::{
    HeldColumn, LabelSource, ReadOptions, Settings, Task, ValueError, hold_table, read_table,
    value, value_until,
};

const ROWS: usize = 60;

fn numbers(name: &str, of: impl Fn(usize) -> f64 + Send + Sync + 'static) -> HeldColumn<'static> {
    HeldColumn {
        name: name.to_owned(),
        kind: Kind::Number,
        cells: Box::new(move |sink| {
            (0..ROWS).for_each(|row| sink(Cell::Number(Number::Real(of(row)))));
        }),
    }
}

fn texts(
    name: &str,
    of: impl Fn(usize) -> Option<&'static str> + Send + Sync + 'static,
) -> HeldColumn<'static> {
    HeldColumn {
        name: name.to_owned(),
        kind: Kind::Text,
        cells: Box::new(move |sink| {
            (0..ROWS).for_each(|row| sink(of(row).map_or(Cell::Null, Cell::Text)));
        }),
    }
}

fn town(row: usize) -> Option<&'static str> {
    [Some("Ulm"), Some("Bern"), None, Some("Köln")][row % 4]
}

fn label(row: usize) -> &'static str {
    if (row * 7) % 20 < 9 { "low" } else { "high" }
}

fn day(row: usize) -> i128 {
    19_000 + (row as i128 * 13) % 31
}

fn columns() -> Vec<HeldColumn<'static>> {
    let days = HeldColumn {
        name: "day".to_owned(),
        kind: Kind::Date(24.0),
        cells: Box::new(|sink| {
            (0..ROWS).for_each(|row| sink(Cell::Number(Number::Whole(day(row) * 24))));
        }),
    };
    let x = numbers("x", |row| ((row * 7) % 20) as f64 / 8.0);
    vec![x, texts("town", town), days]
}

#[test]
fn held_columns_are_understood_like_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.csv");
    let lines: String = (0..ROWS)
        .map(|row| {
            let date = afterimage_table::date(day(row) as f64);
            let x = ((row * 7) % 20) as f64 / 8.0;
            format!("{x},{},{date},{}\n", town(row).unwrap_or(""), label(row))
        })
        .collect();
    std::fs::write(&path, format!("x,town,day,label\n{lines}")).unwrap();
    let options = ReadOptions::of(LabelSource::Column("label".to_owned()));
    let read = read_table(&path, &options).unwrap();

    let mut with_label = columns();
    with_label.push(texts("label", |row| Some(label(row))));
    let held = hold_table("the frame", &with_label, None, &options).unwrap();
    assert_eq!(held, read);

    let labels = texts("x", |row| Some(label(row)));
    let beside = hold_table("the frame", &columns(), Some(&labels), &options).unwrap();
    assert_eq!(beside.problem, read.problem);
    assert_eq!(
        beside.label, "x_",
        "a name that is taken gets an underscore"
    );
}

#[test]
fn what_is_wrong_is_named() {
    let labels = texts("label", |row| Some(label(row)));
    let told = |columns: &[HeldColumn<'_>], options: &ReadOptions| {
        let held = hold_table("the frame", columns, Some(&labels), options);
        held.unwrap_err().to_string()
    };
    let options = ReadOptions::of(LabelSource::Column(String::new()));
    let absent = ReadOptions {
        ignore: vec!["z".to_owned()],
        ..options.clone()
    };
    assert_eq!(
        told(&columns(), &absent),
        "the frame: there is no column `z` (--ignore); its columns are x, town, day, label"
    );
    let mut short = columns();
    short[0].cells = Box::new(|sink| sink(Cell::Null));
    assert!(told(&short, &options).starts_with("`x` has 1 rows"));
    let mut lists = columns();
    lists[1].kind = Kind::List;
    assert_eq!(
        told(&lists, &options),
        "the frame, column `town`: lists are not read; convert them, or say --ignore town"
    );
    let regression = ReadOptions {
        task: Some(Task::Regression),
        ..options
    };
    let text = told(&columns(), &regression);
    assert!(text.contains("row 1: `low` is no finite number"), "{text}");
}

#[test]
fn a_stop_ends_the_work_and_changes_nothing_otherwise() {
    let labels = texts("label", |row| Some(label(row)));
    let options = ReadOptions::of(LabelSource::Column(String::new()));
    let table = hold_table("the frame", &columns(), Some(&labels), &options).unwrap();
    let settings = Settings {
        learners: 40,
        ..Settings::default()
    };
    let until = |stop| value_until(&table.problem, &settings, &|_| (), &AtomicBool::new(stop));
    assert!(matches!(until(true), Err(ValueError::Stopped)));
    let whole = value(&table.problem, &settings, &|_| ()).unwrap();
    assert_eq!(until(false).unwrap().rows(), whole.rows());
}
