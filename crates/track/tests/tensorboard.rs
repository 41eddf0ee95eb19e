//! Event files, read back by a reader that shares no code with the writer's framing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use afterimage_hooks::{Measurement, Record, Sink, Table};
use afterimage_track::{Category, Chart, HParam, Session, SessionStatus, TensorBoard, replay};
use protobuf::Message;
use tensorboard_proto::event::{Event, SessionLog_SessionStatus};
use tensorboard_proto::layout::Layout;
use tensorboard_proto::summary::Summary_Value;

/// CRC-32C bit by bit: polynomial 0x1EDC6F41, reflected.
fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0x82F6_3B78
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xA282_EAD8)
}

fn events(path: &Path) -> Vec<Event> {
    let bytes = fs::read(path).unwrap();
    let mut rest = bytes.as_slice();
    let mut events = Vec::new();
    while !rest.is_empty() {
        let (head, tail) = rest.split_at(12);
        let length = u64::from_le_bytes(head[..8].try_into().unwrap()) as usize;
        assert_eq!(
            u32::from_le_bytes(head[8..].try_into().unwrap()),
            masked(&head[..8])
        );
        let (data, tail) = tail.split_at(length);
        assert_eq!(
            u32::from_le_bytes(tail[..4].try_into().unwrap()),
            masked(data)
        );
        events.push(Event::parse_from_bytes(data).unwrap());
        rest = &tail[4..];
    }
    events
}

fn values(path: &Path) -> Vec<(i64, Summary_Value)> {
    let with_step = |event: Event| {
        let step = event.get_step();
        event
            .get_summary()
            .get_value()
            .iter()
            .map(move |v| (step, v.clone()))
            .collect::<Vec<_>>()
    };
    events(path).into_iter().flat_map(with_step).collect()
}

fn record(tag: &str, step: u64, value: Measurement) -> Record {
    Record {
        tag: tag.to_owned(),
        epoch: 1,
        step,
        author: "test".to_owned(),
        value,
    }
}

#[test]
fn the_checksum_of_the_reader_is_crc_32c() {
    assert_eq!(crc32c(b"123456789"), 0xE306_9283);
}

#[test]
fn every_kind_of_measurement_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(dir.path(), None).unwrap();
    let rgb = vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9, 8, 8, 8, 7, 7, 7];
    for value in [
        Measurement::Scalar(0.25),
        Measurement::Histogram(vec![0.0, 1.0, 1.0, f64::NAN, f64::INFINITY]),
        Measurement::Image {
            width: 3,
            height: 2,
            rgb: rgb.clone(),
        },
        Measurement::Text("# title".to_owned()),
        Measurement::Table(Table::default()),
        Measurement::Scalar(f64::NAN),
    ] {
        board.write(&record("x", 7, value)).unwrap();
    }
    board.flush().unwrap();
    let all = events(board.path());
    assert_eq!(all[0].get_file_version(), "brain.Event:2");
    assert!(all.iter().all(|event| event.get_wall_time() > 1.6e9));
    let values = values(board.path());
    assert!(values.iter().all(|(step, _)| *step == 7));
    let tags: Vec<&str> = values.iter().map(|(_, v)| v.get_tag()).collect();
    assert_eq!(tags, ["x", "x/not_finite", "x", "x", "x", "x"]);
    assert_eq!(values[0].1.get_simple_value(), 0.25);
    assert_eq!(values[1].1.get_simple_value(), 2.0);
    let histogram = values[2].1.get_histo();
    assert_eq!(
        (
            histogram.get_num(),
            histogram.get_sum(),
            histogram.get_sum_squares()
        ),
        (3.0, 2.0, 2.0)
    );
    assert_eq!((histogram.get_min(), histogram.get_max()), (0.0, 1.0));
    assert_eq!(histogram.get_bucket().iter().sum::<f64>(), 3.0);
    assert_eq!(
        histogram.get_bucket_limit().len(),
        histogram.get_bucket().len()
    );
    assert_eq!(histogram.get_bucket_limit().last(), Some(&1.0));
    let image = values[3].1.get_image();
    assert_eq!((image.get_width(), image.get_height()), (3, 2));
    let decoded = image::load_from_memory(image.get_encoded_image_string())
        .unwrap()
        .to_rgb8();
    assert_eq!((decoded.dimensions(), decoded.into_raw()), ((3, 2), rgb));
    assert_eq!(
        values[4].1.get_tensor().get_string_val(),
        [b"# title".to_vec()]
    );
    assert_eq!(
        values[4]
            .1
            .get_metadata()
            .get_plugin_data()
            .get_plugin_name(),
        "text"
    );
    assert!(values[5].1.get_simple_value().is_nan());
}

#[test]
fn two_writers_in_one_second_keep_their_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut boards: Vec<TensorBoard> = (0..5)
        .map(|_| TensorBoard::create(dir.path(), None).unwrap())
        .collect();
    for (index, board) in boards.iter_mut().enumerate() {
        board
            .write(&record("x", index as u64, Measurement::Scalar(1.0)))
            .unwrap();
        board.flush().unwrap();
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 5);
    for (index, board) in boards.iter().enumerate() {
        let steps: Vec<i64> = values(board.path()).iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [index as i64]);
    }
}

#[test]
fn a_later_file_sorts_behind_even_if_the_clock_was_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let ahead = dir
        .path()
        .join("events.out.tfevents.9999999999.0000.afterimage");
    fs::write(&ahead, b"").unwrap();
    let board = TensorBoard::create(dir.path(), Some(3)).unwrap();
    assert!(board.path() > ahead.as_path(), "{}", board.path().display());
}

/// TensorBoard drops, at a session start, what it has of that step and later ones.
#[test]
fn a_resumed_run_purges_the_steps_after_its_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = TensorBoard::create(dir.path(), None).unwrap();
    (1..=9).for_each(|step| {
        before
            .write(&record("x", step, Measurement::Scalar(0.0)))
            .unwrap()
    });
    drop(before);
    let mut after = TensorBoard::create(dir.path(), Some(6)).unwrap();
    (7..=8).for_each(|step| {
        after
            .write(&record("x", step, Measurement::Scalar(1.0)))
            .unwrap()
    });
    after.flush().unwrap();
    let mut files: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    files.sort();
    let mut seen: Vec<(i64, f32)> = Vec::new();
    for event in files.iter().flat_map(|file| events(file)) {
        if event.has_session_log()
            && event.get_session_log().get_status() == SessionLog_SessionStatus::START
        {
            seen.retain(|(step, _)| *step < event.get_step());
        }
        seen.extend(
            event
                .get_summary()
                .get_value()
                .iter()
                .map(|v| (event.get_step(), v.get_simple_value())),
        );
    }
    let expected: Vec<(i64, f32)> = (1..=8)
        .map(|step| (step, if step > 6 { 1.0 } else { 0.0 }))
        .collect();
    assert_eq!(seen, expected);
}

#[test]
fn the_layout_of_custom_scalars_comes_back() {
    let dir = tempfile::tempdir().unwrap();
    let mut board = TensorBoard::create(dir.path(), None).unwrap();
    let chart = Chart {
        title: "c".to_owned(),
        tags: vec!["^a$".to_owned(), "^b$".to_owned()],
    };
    board
        .custom_scalars(&[Category {
            title: "t".to_owned(),
            charts: vec![chart],
        }])
        .unwrap();
    board.flush().unwrap();
    let (_, value) = values(board.path()).remove(0);
    assert_eq!(value.get_tag(), "custom_scalars__config__");
    let layout = Layout::parse_from_bytes(&value.get_tensor().get_string_val()[0]).unwrap();
    assert_eq!(
        layout.get_category()[0].get_chart()[0]
            .get_multiline()
            .get_tag(),
        ["^a$", "^b$"]
    );
}

#[test]
fn what_another_run_measured_is_written_again_without_its_settings() {
    let place = tempfile::tempdir().unwrap();
    let (theirs, own) = (place.path().join("theirs"), place.path().join("own"));
    let session = Session {
        group: "g".to_owned(),
        hparams: BTreeMap::from([("x".to_owned(), HParam::Number(1.0))]),
        started: 1.0,
        ended: None,
        status: SessionStatus::Running,
    };
    let mut first = TensorBoard::create(&theirs, None).unwrap();
    first.hparams_session(&session).unwrap();
    first.flush().unwrap();
    let measured = |board: &mut TensorBoard, step: u64, value: f64| {
        let of = [
            Measurement::Scalar(value),
            Measurement::Histogram(vec![value, 2.0, step as f64]),
        ];
        for value in of {
            board.write(&record("a", step, value)).unwrap();
        }
    };
    let mut board = TensorBoard::create(&theirs, None).unwrap().grouped();
    let settings = Measurement::Text("    theirs = 1\n".to_owned());
    board.write(&record("config", 0, settings)).unwrap();
    (1..=6).for_each(|step| measured(&mut board, step, 0.0));
    board.flush().unwrap();
    // It was cut off, and went on behind step 4.
    let mut board = TensorBoard::create(&theirs, Some(4)).unwrap().grouped();
    (5..=8).for_each(|step| measured(&mut board, step, 1.0));
    board.flush().unwrap();
    // An event that is being written.
    let mut torn = fs::OpenOptions::new()
        .append(true)
        .open(board.path())
        .unwrap();
    std::io::Write::write_all(&mut torn, &[9; 13]).unwrap();

    let error = replay(&theirs, &own, 6, "own = 2\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("checksum"), "{error}");
    let whole = fs::read(board.path()).unwrap();
    fs::write(board.path(), &whole[..whole.len() - 13 - 5]).unwrap();
    assert!(!own.exists());
    replay(&theirs, &own, 6, "own = 2\n").unwrap();

    // As a run of its own would have written it.
    let mut straight = TensorBoard::create(&place.path().join("straight"), None)
        .unwrap()
        .grouped();
    let settings = Measurement::Text("    own = 2\n".to_owned());
    straight.write(&record("config", 0, settings)).unwrap();
    (1..=4).for_each(|step| measured(&mut straight, step, 0.0));
    (5..=6).for_each(|step| measured(&mut straight, step, 1.0));
    straight.flush().unwrap();
    let written: Vec<_> = fs::read_dir(&own).unwrap().collect();
    assert_eq!(written.len(), 1);
    let written = written[0].as_ref().unwrap().path();
    assert_eq!(values(&written), values(straight.path()));
    replay(&place.path().join("none"), &own, 6, "").unwrap();
}
