//! Several runs on one page.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::PathBuf;

use run::{Place, TINY, afterimage, finish};

/// A short run of these settings.
fn run_of(place: &Place, name: &str, sets: &[&str]) -> PathBuf {
    let config = place.write("config.toml", TINY);
    let out = place.path(name);
    let mut command = afterimage();
    command.arg("run").arg(&config).arg("--out").arg(&out);
    let short = ["epochs=2", "schedule.warmup_epochs=0", "limits.train=64"];
    for set in short.iter().chain(sets) {
        command.args(["--set", set]);
    }
    finish(&mut command).expect(0, &[]);
    out
}

#[test]
fn several_runs_are_compared_on_one_page() {
    let place = Place::new();
    let mut runs = Vec::new();
    for (arm, peak) in [("low", "2e-3"), ("high", "2e-2")] {
        for seed in ["1", "2", "3"] {
            let sets = [format!("schedule.peak={peak}"), format!("seed={seed}")];
            let sets: Vec<&str> = sets.iter().map(String::as_str).collect();
            runs.push(run_of(&place, &format!("{arm}-{seed}"), &sets));
        }
    }
    let other = run_of(&place, "other", &["limits.train=96"]);
    let out = place.path("compared.html");
    let compare = |runs: &[&PathBuf]| {
        let mut command = afterimage();
        command.arg("report").args(runs).arg("--out").arg(&out);
        finish(&mut command)
    };
    let own = fs::read(runs[0].join("report.html")).unwrap();
    let all: Vec<_> = runs.iter().chain([&other]).collect();
    let ended = compare(&all).expect(0, &["other: other data than low-1", "limits.train"]);
    assert_eq!(ended.out, format!("{}\n", out.display()));
    assert_eq!(fs::read(runs[0].join("report.html")).unwrap(), own);
    let page = fs::read_to_string(&out).unwrap();
    for words in [
        "<td>schedule.peak</td><td class=\"number\">0.002</td>",
        "aria-label=\"eval/knn\"",
        "high-3",
        "before training",
        "The control is what was given first",
        "95 % bootstrap",
        "loss/train",
    ] {
        assert!(page.contains(words), "no {words:?} on the page");
    }
    assert!(page.contains("(3 seeds)"), "means over seeds");

    // What is damaged is told, and the others are shown.
    fs::write(runs[1].join("metrics.jsonl"), "no record\n{}\n").unwrap();
    let nothing = place.path("nothing");
    let words = ["low-2: its figures are not shown", "no run directory"];
    compare(&[&runs[0], &runs[1], &nothing]).expect(1, &words);
    let page = fs::read_to_string(&out).unwrap();
    assert!(page.contains("low-1") && page.contains("its figures are not shown"));
    let manifest = fs::read_to_string(runs[2].join("manifest.json")).unwrap();
    let live = manifest.replace("\"completed\"", "\"running\"");
    assert!(live != manifest);
    fs::write(runs[2].join("manifest.json"), live).unwrap();
    compare(&[&runs[0], &runs[2]]).expect(0, &["low-3: not over"]);
    fs::write(
        runs[2].join("manifest.json"),
        manifest.replace("\"completed\"", "\"diverged\""),
    )
    .unwrap();
    let words = ["low-3: not done (diverged)", "it is in no mean"];
    compare(&[&runs[0], &runs[2]]).expect(0, &words);
    let words = ["low-1 (2): it has the config and the seed of low-1"];
    compare(&[&runs[0], &runs[0]]).expect(0, &words);
    compare(&[&nothing]).expect(1, &["no run directory"]);
    let nowhere = place.path("nowhere");
    let none = compare(&[&nothing, &nowhere]).expect(1, &[]);
    let told: Vec<&str> = none.err.lines().collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (told, run) in told.iter().zip([&nothing, &nowhere]) {
        let words = format!("{}: this is no run directory", run.display());
        assert!(told.contains(&words), "{told}");
    }
    let records = runs[0].join("metrics.jsonl");
    let before = fs::read(&records).unwrap();
    for other in [&records, &place.path(".")] {
        let mut command = afterimage();
        command.arg("report").arg(&runs[0]).arg("--out").arg(other);
        finish(&mut command).expect(2, &["--out"]);
    }
    assert_eq!(fs::read(&records).unwrap(), before);
    fs::remove_file(runs[0].join("report.html")).unwrap();
    let mut command = afterimage();
    command.arg("report").args([&nothing, &runs[0]]);
    finish(&mut command).expect(1, &["no run directory"]);
    assert!(
        runs[0].join("report.html").is_file(),
        "the others are written"
    );
    let folder = place.path("no/compared.html");
    let mut command = afterimage();
    command.arg("report").arg(&runs[0]).arg("--out").arg(folder);
    finish(&mut command).expect(2, &["--out"]);
}
