//! Trackio's database.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use afterimage_hooks::Outcome;
use afterimage_track::SinkConfig;
use rusqlite::Connection;
use serde_json::Value;

use crate::{Points, STEPS, expected, go, sorted, whole};

fn sink(dir: &Path) -> [SinkConfig; 1] {
    [SinkConfig::Trackio {
        dir: Some(dir.to_owned()),
        project: "p".to_owned(),
        name: None,
    }]
}

/// The points of the run called `name`, from the rows as Trackio reads them.
fn points(dir: &Path, name: &str) -> Points {
    let base = Connection::open(dir.join("p.db")).unwrap();
    let sql = "SELECT step, metrics FROM metrics WHERE run_name = ?1 ORDER BY timestamp, id";
    let mut rows = base.prepare(sql).unwrap();
    let rows = rows.query_map([name], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
    });
    let all = rows.unwrap().flat_map(|row| {
        let (step, text) = row.unwrap();
        let values: serde_json::Map<String, Value> = serde_json::from_str(&text).unwrap();
        values.into_iter().map(move |(tag, value)| {
            let value = match value.as_str() {
                Some("NaN") => f64::NAN,
                Some("Infinity") => f64::INFINITY,
                Some("-Infinity") => f64::NEG_INFINITY,
                _ => value.as_f64().unwrap(),
            };
            (u64::try_from(step).unwrap(), tag, value)
        })
    });
    sorted(all)
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("base");
    fs::create_dir(&dir).unwrap();
    (place, dir)
}

#[test]
fn a_run_is_there_to_the_last_digit() {
    let (place, dir) = place();
    let run = place.path().join("one");
    assert_eq!(whole(&run, &sink(&dir), None), []);
    let told = points(&dir, "made-up/one");
    assert_eq!(told, expected(&run));
    assert_eq!(told.len(), 34);
    let base = Connection::open(dir.join("p.db")).unwrap();
    let (config, name): (String, String) = base
        .query_row("SELECT config, run_name FROM configs", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(name, "made-up/one");
    assert_eq!(config["optimizer.kind"], "sgd");
    assert_eq!(config["seed"], 7.0);
    assert_eq!(config["plugins.watch.histograms"], false);
    let created = config["_Created"].as_str().unwrap();
    assert!(
        created.starts_with("20") && created.ends_with("+00:00"),
        "{created}"
    );
}

#[test]
fn a_run_that_goes_on_is_there_as_a_straight_one() {
    let (place, dir) = place();
    let straight = place.path().join("straight");
    assert_eq!(whole(&straight, &sink(&dir), None), []);
    let run = place.path().join("resumed");
    // Told to step 9, and cut off behind a checkpoint of step 5.
    let mut cut = go(&run, &sink(&dir), None, 9);
    cut.close(&Outcome::Interrupted("9".to_owned()));
    assert_eq!(points(&dir, "made-up/resumed").len(), 26);
    // What the file lacks of before the checkpoint is told as well.
    let base = Connection::open(dir.join("p.db")).unwrap();
    let gone = base.execute(
        "DELETE FROM metrics WHERE run_name = 'made-up/resumed' AND step = 3",
        [],
    );
    assert_eq!(gone.unwrap(), 1);
    drop(base);
    assert_eq!(whole(&run, &sink(&dir), Some(5)), []);
    assert_eq!(points(&dir, "made-up/resumed"), expected(&run));
    assert_eq!(expected(&run), expected(&straight));
    assert_eq!(points(&dir, "made-up/straight"), expected(&straight));
    // From the start again, as a run that was killed before its first checkpoint.
    afterimage_track::files::discard(&run).unwrap();
    assert_eq!(whole(&run, &sink(&dir), None), []);
    assert_eq!(points(&dir, "made-up/resumed"), expected(&straight));
}

#[test]
fn a_copy_of_a_run_is_a_run_of_its_own_and_a_moved_one_is_not() {
    let (place, dir) = place();
    let [run, copy, moved] = ["run", "copy", "moved"].map(|name| place.path().join(name));
    assert_eq!(whole(&run, &sink(&dir), None), []);
    fs::create_dir(&copy).unwrap();
    for name in ["sinks.json", "metrics.jsonl"] {
        fs::copy(run.join(name), copy.join(name)).unwrap();
    }
    assert_eq!(whole(&copy, &sink(&dir), Some(5)), []);
    assert_eq!(points(&dir, "made-up/run"), expected(&run));
    assert_eq!(points(&dir, "made-up/copy"), expected(&copy));
    fs::rename(&run, &moved).unwrap();
    assert_eq!(whole(&moved, &sink(&dir), Some(5)), []);
    let base = Connection::open(dir.join("p.db")).unwrap();
    let sql = "SELECT COUNT(DISTINCT run_id) FROM metrics";
    let runs: u32 = base.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 2);
}

#[test]
fn a_file_that_another_process_locks_holds_nothing_up() {
    let (place, dir) = place();
    whole(&place.path().join("first"), &sink(&dir), None);
    let locker = Connection::open(dir.join("p.db")).unwrap();
    locker.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let run = place.path().join("second");
    let begun = Instant::now();
    let mut sinks = go(&run, &sink(&dir), None, STEPS);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(expected(&run).len(), 34);
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        locker.execute_batch("ROLLBACK").unwrap();
    });
    sinks.close(&Outcome::Completed);
    assert_eq!(sinks.disabled(), []);
    assert_eq!(points(&dir, "made-up/second"), expected(&run));
}

#[test]
fn what_is_no_database_is_told_and_left_alone() {
    let (place, dir) = place();
    fs::write(dir.join("p.db"), "a diary, not a database at all").unwrap();
    let run = place.path().join("run");
    let lost = whole(&run, &sink(&dir), None);
    assert_eq!(lost.len(), 1);
    let reason = &lost[0].reason;
    assert!(
        reason.contains("from step 0 on")
            && reason.contains("34 records")
            && reason.contains("p.db"),
        "{reason}"
    );
    let text = fs::read_to_string(dir.join("p.db")).unwrap();
    assert_eq!(text, "a diary, not a database at all");
    assert_eq!(expected(&run).len(), 34);
    // A run id that somebody wrote is none.
    fs::write(run.join("sinks.json"), "{\"id\":\"x' OR 1\"}").unwrap();
    let lost = whole(&run, &sink(&dir), Some(STEPS));
    assert!(lost[0].reason.contains("sinks.json"), "{lost:?}");
}

#[test]
fn a_file_of_an_old_trackio_is_told() {
    let (place, dir) = place();
    let base = Connection::open(dir.join("p.db")).unwrap();
    base.execute_batch("CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp TEXT, run_name TEXT, step INTEGER, metrics TEXT)")
        .unwrap();
    drop(base);
    let lost = whole(&place.path().join("run"), &sink(&dir), None);
    assert!(lost[0].reason.contains("before 0.24"), "{lost:?}");
}
