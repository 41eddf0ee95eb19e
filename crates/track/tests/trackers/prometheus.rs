//! The text file for Prometheus.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use afterimage_hooks::Outcome;
use afterimage_track::SinkConfig;

use crate::{expected, go, shown, whole};

fn sink(dir: &Path) -> [SinkConfig; 1] {
    [SinkConfig::Prometheus {
        dir: dir.to_owned(),
        every: 1,
    }]
}

/// The lines of the one file in `dir`, by what stands before the value.
fn lines(dir: &Path) -> BTreeMap<String, String> {
    let files: Vec<_> = fs::read_dir(dir).unwrap().map(Result::unwrap).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let name = files[0].file_name().into_string().unwrap();
    assert!(
        name.starts_with("afterimage-made-up.run-") && name.ends_with(".prom"),
        "{name}"
    );
    let text = fs::read_to_string(files[0].path()).unwrap();
    let values = text.lines().filter(|line| !line.starts_with('#'));
    values
        .map(|line| {
            let (name, value) = line.rsplit_once(' ').unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// The last value of each scalar of `run`, as the file writes it.
fn last(run: &Path) -> BTreeMap<String, String> {
    let lines = afterimage_track::read_scalars(&run.join("metrics.jsonl")).unwrap();
    let all = lines.into_iter().map(|line| {
        let value = match line.value.0 {
            value if value.is_infinite() && value > 0.0 => "+Inf".to_owned(),
            value if value.is_infinite() => "-Inf".to_owned(),
            value => shown(value),
        };
        (line.tag, value)
    });
    all.collect()
}

fn check(dir: &Path, run: &Path) {
    let lines = lines(dir);
    let id = afterimage_id(run);
    let labels = format!("run=\"made-up/run\",id=\"{id}\"");
    for (tag, value) in last(run) {
        let name = format!("afterimage_value{{{labels},tag=\"{tag}\"}}");
        assert_eq!(lines.get(&name), Some(&value), "{name} in {lines:?}");
    }
    let step = format!("afterimage_value_step{{{labels},tag=\"time/epoch\"}}");
    assert_eq!(lines[&step], "12");
    let seconds = format!("afterimage_value{{{labels},tag=\"time/epoch\"}}");
    assert_eq!(lines[&seconds], "0.25");
    for (name, value) in [("running", "0"), ("epoch", "3"), ("step", "12")] {
        assert_eq!(lines[&format!("afterimage_{name}{{{labels}}}")], value);
    }
    // Each scalar and the time of an epoch, with their steps, and four lines of the run.
    assert_eq!(lines.len(), 2 * (last(run).len() + 1) + 4);
}

fn afterimage_id(run: &Path) -> String {
    let text = fs::read_to_string(run.join("sinks.json")).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    kept["id"].as_str().unwrap()[..8].to_owned()
}

#[test]
fn the_file_has_the_last_value_of_each_scalar() {
    let place = tempfile::tempdir().unwrap();
    let (dir, run) = (place.path().join("text"), place.path().join("run"));
    fs::create_dir(&dir).unwrap();
    let mut cut = go(&run, &sink(&dir), None, 9);
    cut.close(&Outcome::Interrupted("9".to_owned()));
    drop(cut);
    assert_eq!(lines(&dir).len(), 12);
    // A resume has what was measured before its checkpoint from the run's own records.
    fs::remove_dir_all(&dir).unwrap();
    fs::create_dir(&dir).unwrap();
    assert_eq!(whole(&run, &sink(&dir), Some(8)), []);
    check(&dir, &run);
}

#[test]
fn a_folder_that_goes_and_comes_back_costs_nothing() {
    let place = tempfile::tempdir().unwrap();
    let (dir, run) = (place.path().join("text"), place.path().join("run"));
    let begun = Instant::now();
    let mut sinks = go(&run, &sink(&dir), None, 12);
    while sinks.disabled().is_empty() {
        sinks.flush();
        assert!(begun.elapsed() < Duration::from_secs(5), "it is told");
    }
    let told = sinks.disabled();
    assert!(told[0].reason.contains("the folder is gone"), "{told:?}");
    assert_eq!(expected(&run).len(), 34);
    fs::create_dir(&dir).unwrap();
    sinks.close(&Outcome::Completed);
    assert_eq!(sinks.disabled(), []);
    check(&dir, &run);
}
