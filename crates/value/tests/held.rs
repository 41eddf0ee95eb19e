//! Tables that a program holds, beside the same tables in files, and a stop.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use afterimage_table::{Cell, Kind, Number};
use afterimage_value::{
    HeldColumn, LabelSource, ReadOptions, Settings, Task, ValueError, hold_table, read_table,
    value, value_until,
};
use parquet::data_type::{BoolType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

const ROWS: usize = 60;

fn numbers(name: &str, of: impl Fn(usize) -> f64 + Send + Sync + 'static) -> HeldColumn<'static> {
    HeldColumn {
        name: name.to_owned(),
        kind: Kind::Number,
        single: false,
        truth: false,
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
        single: false,
        truth: false,
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
        single: false,
        truth: false,
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

/// A column of whole numbers that stand for something.
fn stands_for(
    name: &str,
    kind: Kind,
    truth: bool,
    of: impl Fn(usize) -> i128 + Send + Sync + 'static,
) -> HeldColumn<'static> {
    HeldColumn {
        name: name.to_owned(),
        kind,
        single: false,
        truth,
        cells: Box::new(move |sink| {
            (0..ROWS).for_each(|row| sink(Cell::Number(Number::Whole(of(row)))));
        }),
    }
}

/// A Parquet file with the columns `x`, `truth`, `day`, `moment` (milliseconds) and `single` of the rows.
fn write_parquet(path: &std::path::Path) {
    let schema = "message schema { required double x; required boolean truth; required int32 day (DATE); \
                  required int64 moment (TIMESTAMP_MILLIS); required float single; }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    macro_rules! column {
        ($type:ty, $of:expr) => {{
            let values: Vec<_> = (0..ROWS).map($of).collect();
            let mut column = group.next_column().unwrap().unwrap();
            let typed = column.typed::<$type>();
            typed.write_batch(&values, None, None).unwrap();
            column.close().unwrap();
        }};
    }
    column!(DoubleType, x);
    column!(BoolType, |row| truth(row) == 1);
    column!(Int32Type, |row| day(row) as i32);
    column!(Int64Type, |row| moment(row) as i64);
    column!(FloatType, |row| single(row) as f32);
    group.close().unwrap();
    writer.close().unwrap();
}

fn x(row: usize) -> f64 {
    ((row * 7) % 20) as f64 / 8.0
}

fn truth(row: usize) -> i128 {
    i128::from(row.is_multiple_of(3))
}

/// A day in whole, and noon of it for some.
fn moment(row: usize) -> i128 {
    (day(row) % 5) * 86_400_000 + (row as i128 % 2) * 43_200_000
}

fn single(row: usize) -> f64 {
    f64::from((row % 4) as f32 / 10.0)
}

#[test]
fn dates_truths_and_short_numbers_have_the_texts_that_a_parquet_file_gives_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    write_parquet(&path);
    let columns = [
        numbers("x", x),
        stands_for("truth", Kind::Number, true, truth),
        stands_for("day", Kind::Date(1.0), false, day),
        stands_for("moment", Kind::Date(86_400e3), false, moment),
        HeldColumn {
            single: true,
            ..numbers("single", single)
        },
    ];
    let all = ["truth", "day", "moment", "single"];
    for label in all {
        let others = all.into_iter().filter(|name| *name != label);
        let categorical: Vec<String> = others.map(str::to_owned).collect();
        // As names of categories, and as features.
        for categorical in [categorical, Vec::new()] {
            let options = ReadOptions {
                categorical,
                task: Some(Task::Classification),
                ..ReadOptions::of(LabelSource::Column(label.to_owned()))
            };
            let read = read_table(&path, &options);
            let held = hold_table("the frame", &columns, None, &options);
            match (held, read) {
                (Ok(held), Ok(read)) => assert_eq!(held, read, "{label}"),
                // 31 days are too many classes of 60 rows.
                (Err(held), Err(read)) => {
                    let told = |error: ValueError| {
                        error.to_string().split_once(": ").unwrap().1.to_owned()
                    };
                    assert_eq!(told(held), told(read), "{label}");
                }
                (held, read) => panic!("{label}: {held:?} beside {read:?}"),
            }
        }
    }
}

#[test]
fn what_a_program_holds_is_no_file_of_lines() {
    let twice = [
        numbers("x", x),
        numbers("x", x),
        texts("y", |row| Some(label(row))),
    ];
    let options = ReadOptions::of(LabelSource::Column("y".to_owned()));
    let told = hold_table("the frame", &twice, None, &options)
        .unwrap_err()
        .to_string();
    assert_eq!(
        told,
        "the frame, column `x`: two columns have this name; rename one of them"
    );
    let gap = |row| {
        if row == 7 {
            f64::NAN
        } else {
            f64::from(row as u8 % 2)
        }
    };
    let labels = numbers("y", gap);
    let told = hold_table("the frame", &columns(), Some(&labels), &options)
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("row 8: the label is not a number (NaN)"),
        "{told}"
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
