//! The studies in `experiments/`: every sweep file is sound, and each study runs in a tiny size.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::{Place, afterimage, finish};

/// The project's folder.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// All files named `*.toml` below `folder`.
fn configs(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            configs(&path, found);
        } else if path.extension().is_some_and(|end| end == "toml") {
            found.push(path);
        }
    }
}

#[test]
fn every_sweep_file_of_the_project_is_sound() {
    let mut files = Vec::new();
    configs(&project().join("experiments"), &mut files);
    configs(&project().join("configs"), &mut files);
    let is_sweep = |path: &PathBuf| {
        path.file_name().is_some_and(|name| {
            ["sweep.toml", "search.toml", "gradual.toml"]
                .iter()
                .any(|s| name == *s)
        }) || fs::read_to_string(path)
            .unwrap()
            .lines()
            .any(|line| line.starts_with("metric = {"))
    };
    files.retain(is_sweep);
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let mut command = afterimage();
        command
            .arg("sweep")
            .arg(&file)
            .arg("--dry-run")
            .current_dir(project());
        let ended = finish(&mut command).expect(0, &[]);
        assert!(ended.out.contains(" trials in "), "{file:?}: {}", ended.out);
    }
}

/// Runs the tiny size of a study in a new folder to its end, of which the last lines say `counts`, and fails the
/// test unless each question has an answer and its tables hold `parts`. Gives the lines of `comparisons.csv`.
fn runs(study: &str, counts: &str, parts: &[&str]) -> usize {
    runs_file(study, "sweep.toml", counts, parts)
}

/// The same of another sweep file of the study.
fn runs_file(study: &str, file: &str, counts: &str, parts: &[&str]) -> usize {
    let place = Place::new();
    let mut command = afterimage();
    command
        .arg("sweep")
        .arg(
            project()
                .join("experiments")
                .join(study)
                .join("tiny")
                .join(file),
        )
        .arg("--out")
        .arg(place.path("s"));
    let ended = finish(&mut command).expect(0, &[]);
    assert!(ended.out.contains(counts), "{}", ended.out);
    assert!(!ended.err.contains("not forked"), "{}", ended.err);
    let text = fs::read_to_string(place.path("s/study.md")).unwrap();
    assert!(!text.contains("No trial of these that is done"), "{text}");
    assert!(!text.contains("counts for nothing"), "{text}");
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let csv = fs::read_to_string(place.path("s/comparisons.csv")).unwrap_or_default();
    csv.lines().count()
}

#[test]
fn the_pruning_study_runs_in_its_tiny_size() {
    let parts = [
        "### During training less at its end",
        "eval/linear_probe; expected above 0",
        "| during,unitmem-low,fraction=0.5 | after,unitmem-low,fraction=0.5 |",
        "| total,taylor-low,random_units=false | total,taylor-low,random_units=true |",
        "## Stage total",
    ];
    let lines = runs("pruning", "213 trials: 213 done", &parts);
    // 2 + 2 + 12 within layers, 1 + 1 + 6 in all, 18 beside the end, 15 beside random units, 3.
    assert_eq!(lines, 1 + 16 + 8 + 18 + 15 + 3);
}

#[test]
fn the_study_of_gradual_pruning_runs_in_its_tiny_size() {
    let parts = [
        "### Without training on: in steps less at once",
        "| during,unitmem-low | once,unitmem-low |",
        "| steps,taylor-low | after,taylor-low |",
        "| steps,magnitude-low | steps,random |",
        "## Stage steps",
    ];
    let lines = runs_file("pruning", "gradual.toml", "51 trials: 51 done", &parts);
    // Four arms in each of four questions, three beside random units in each of four stages.
    assert_eq!(lines, 1 + 4 * 4 + 4 * 3);
}

#[test]
fn the_study_of_coresets_runs_in_its_tiny_size() {
    let parts = [
        "eval/accuracy, mean of the last 5 epochs; expected above 0.1",
        "| sym80,gate-fl-transitions | sym80,crust-released |",
        "### Subsets without labels less a random fifth",
        "## Stage subsets",
    ];
    let lines = runs("crust", "90 trials: 90 done", &parts);
    // 7 + 7 gates and 4 on clean data, 23 for what each part is worth at two noises, 8 subsets.
    assert_eq!(lines, 1 + 7 + 7 + 4 + 2 * 23 + 8);
}

#[test]
fn the_study_of_localizing_runs_in_its_tiny_size() {
    let parts = [
        "layermem/calibrated/encoder.res2b.conv; expected above 0",
        "| supervised | simclr |",
        "| tune,top-1 | tune,last-1 |",
        "| small-simclr | none: 0 |",
    ];
    let lines = runs("localizing", "45 trials: 45 done", &parts);
    assert_eq!(lines, 1 + 4 + 5 + 2 + 4 + 4 + 7);
}

#[test]
fn the_runs_of_the_parity_study_run_in_a_tiny_size() {
    let parts = ["| width=1 |", "| width=0.25 |"];
    assert_eq!(runs("parity", "2 trials: 2 done", &parts), 0);
}

#[test]
fn the_study_of_coresets_by_memory_runs_in_its_tiny_size() {
    let parts = [
        "eval/knn; expected below 0",
        "| subset,without-memorized | subset,random |",
        "| subset,oracle | subset,random |",
        "## Stage whole",
    ];
    let lines = runs("memory-coresets", "15 trials: 15 done", &parts);
    assert_eq!(lines, 1 + 1 + 1 + 1 + 3 + 1);
}

#[test]
fn the_study_of_online_values_runs_in_its_tiny_size() {
    let parts = [
        "value_quality/found_now; expected below -0.2",
        "| encoder-averaged | patches |",
        "| simclr-encoder | simclr-patches |",
    ];
    assert_eq!(
        runs("two-d-oob", "15 trials: 15 done", &parts),
        1 + 2 + 1 + 2
    );
}
