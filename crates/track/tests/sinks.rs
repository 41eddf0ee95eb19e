//! A sink that fails tries again; the others and the run go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::sync::{Arc, Mutex};

use afterimage_hooks::{Column, Measurement, Record, Sink, Table};
use afterimage_track::{Sinks, TensorBoard, TrackError, read_scalars};

fn record(tag: &str, step: u64, value: Measurement) -> Record {
    Record {
        tag: tag.to_owned(),
        epoch: 1,
        step,
        author: "test".to_owned(),
        value,
    }
}

fn scalars(steps: std::ops::Range<u64>) -> Vec<Record> {
    steps
        .map(|step| record("loss/train", step, Measurement::Scalar(1.0)))
        .collect()
}

/// Writes to `/dev/full`, which takes no byte.
struct Full(BufWriter<File>);

impl Sink for Full {
    fn name(&self) -> &str {
        "full"
    }
    fn write(&mut self, record: &Record) -> io::Result<()> {
        writeln!(self.0, "{record:?}")
    }
    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[derive(Clone, Default)]
struct Counter(Arc<Mutex<usize>>);

impl Sink for Counter {
    fn name(&self) -> &str {
        "counter"
    }
    fn write(&mut self, _: &Record) -> io::Result<()> {
        *self.0.lock().unwrap() += 1;
        Ok(())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_stops_one_sink_and_no_other() {
    let counter = Counter::default();
    let mut sinks = Sinks::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    sinks.add("full", Ok(Full(BufWriter::new(full))));
    sinks.add("counter", Ok(counter.clone()));
    sinks.write_all(&scalars(0..3));
    assert_eq!(sinks.disabled(), []);
    sinks.flush();
    sinks.write_all(&scalars(3..5));
    sinks.flush();
    assert_eq!(*counter.0.lock().unwrap(), 5);
    let [disabled] = &sinks.disabled()[..] else {
        panic!("one sink is off: {:?}", sinks.disabled())
    };
    assert!(
        disabled.sink == "full" && disabled.reason.contains("space"),
        "{disabled:?}"
    );
}

#[test]
fn what_could_not_be_written_is_written_once_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let mut sinks = Sinks::for_run(dir.path(), None, &[]);
    let straight = tempfile::tempdir().unwrap();
    let mut others = Sinks::for_run(straight.path(), None, &[]);
    let table = |value: i64| Table {
        columns: vec![("a".to_owned(), Column::I64(vec![value]))],
    };
    let image = |value: u8| Measurement::Image {
        width: 1,
        height: 1,
        rgb: vec![value; 3],
    };
    // With these in their way, as without room, the files cannot be written.
    let ways = [
        "tables/t/.epoch-0001.parquet.tmp",
        "images/p/.epoch-0001.png.tmp",
    ];
    let ways = ways.map(|name| dir.path().join(name));
    for step in 1..=6 {
        if step == 3 {
            ways.iter().for_each(|way| fs::create_dir(way).unwrap());
        }
        if step == 5 {
            let names: Vec<String> = sinks.disabled().into_iter().map(|d| d.sink).collect();
            assert_eq!(names, ["tables", "images"]);
            assert!(sinks.disabled()[0].reason.contains("from step 3 on"));
            ways.iter().for_each(|way| fs::remove_dir(way).unwrap());
        }
        let records = [
            record("t", step, Measurement::Table(table(step as i64))),
            record("p", step, image(step as u8)),
        ];
        for sinks in [&mut sinks, &mut others] {
            sinks.write_all(&records);
            sinks.flush();
        }
    }
    assert_eq!(sinks.disabled(), []);
    for name in [
        "images/p/epoch-0001.png",
        "images/index.jsonl",
        "tables/t/epoch-0001.parquet",
    ] {
        let [got, expected] = [&dir, &straight].map(|run| fs::read(run.path().join(name)).unwrap());
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn a_file_in_the_place_of_a_folder_closes_that_sink_only() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("tensorboard"), b"in the way").unwrap();
    fs::write(dir.path().join("tables"), b"in the way").unwrap();
    let mut sinks = Sinks::for_run(dir.path(), None, &[]);
    sinks.write_all(&scalars(0..3));
    sinks.flush();
    let names: Vec<String> = sinks.disabled().into_iter().map(|d| d.sink).collect();
    assert_eq!(names, ["tables", "tensorboard"]);
    assert!(
        sinks.disabled()[1]
            .reason
            .contains(&dir.path().join("tensorboard").display().to_string())
    );
    assert_eq!(
        read_scalars(&dir.path().join("metrics.jsonl"))
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_folder_that_vanishes_during_the_run_closes_the_sinks_that_need_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut sinks = Sinks::for_run(dir.path(), None, &[]);
    fs::remove_dir_all(dir.path().join("tables")).unwrap();
    fs::write(dir.path().join("tables"), b"in the way").unwrap();
    let table = Table {
        columns: vec![("a".to_owned(), Column::I64(vec![1]))],
    };
    sinks.write_all(&[record("t", 1, Measurement::Table(table))]);
    sinks.write_all(&scalars(0..3));
    sinks.flush();
    let names: Vec<String> = sinks.disabled().into_iter().map(|d| d.sink).collect();
    assert_eq!(names, ["tables"]);
    assert_eq!(
        read_scalars(&dir.path().join("metrics.jsonl"))
            .unwrap()
            .len(),
        3
    );
}

#[test]
fn a_malformed_record_is_left_out_and_closes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut sinks = Sinks::for_run(dir.path(), None, &[]);
    let crooked = Table {
        columns: vec![
            ("a".to_owned(), Column::I64(vec![1])),
            ("b".to_owned(), Column::F64(vec![])),
        ],
    };
    let wrong_time = Table {
        columns: vec![("epoch".to_owned(), Column::I64(vec![7]))],
    };
    let right_time = Table {
        columns: vec![
            ("x".to_owned(), Column::I64(vec![5])),
            ("epoch".to_owned(), Column::I64(vec![1])),
        ],
    };
    sinks.write_all(&[
        record("t", 1, Measurement::Table(crooked)),
        record("t", 1, Measurement::Table(wrong_time)),
        record(
            "t",
            1,
            Measurement::Image {
                width: 9,
                height: 9,
                rgb: vec![0; 3],
            },
        ),
        record("t", 1, Measurement::Table(right_time)),
        record("loss", 1, Measurement::Scalar(1.0)),
    ]);
    sinks.flush();
    assert_eq!(sinks.disabled(), []);
    let table =
        afterimage_track::read_table(&dir.path().join("tables/t/epoch-0001.parquet")).unwrap();
    let one = |name: &str, value| (name.to_owned(), Column::I64(vec![value]));
    assert_eq!(
        table.columns,
        [one("epoch", 1), one("step", 1), one("x", 5)]
    );
    assert_eq!(
        read_scalars(&dir.path().join("metrics.jsonl"))
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn an_unwritable_place_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("file");
    fs::write(&place, b"").unwrap();
    let Err(TrackError::Io { path, .. }) = TensorBoard::create(&place.join("events"), None) else {
        panic!("a folder inside of a file");
    };
    assert!(path.starts_with(&place));
}
