//! Records of a run that went since its checkpoint are told.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::{Ended, Place, TINY, afterimage, finish, plugin, resume};

fn report(run: &Path) -> Ended {
    finish(afterimage().arg("report").arg(run))
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

/// A run that failed in step 25 with a checkpoint of it, and can be resumed.
fn stopped(place: &Place) -> PathBuf {
    let chaos = "\n[[plugins]]\nkind = \"chaos\"\nstep = 25\nintervenes = true\n";
    place.run("stopped", &(TINY.to_owned() + chaos), 1)
}

/// Ways to lose records: what is done to a run, and what is told of it.
type Loss = (&'static str, fn(&Path), &'static str);

fn rewrite(path: &Path, of: impl Fn(Vec<&str>) -> Vec<&str>) {
    let before = text(path);
    fs::write(path, of(before.split_inclusive('\n').collect()).concat()).unwrap();
}

fn first_table(run: &Path) -> PathBuf {
    let folder = run.join("tables/unitmem.points");
    let folder = match folder.is_dir() {
        true => folder,
        false => fs::read_dir(run.join("tables"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path(),
    };
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|f| f.unwrap().path())
        .collect();
    files.sort();
    files.swap_remove(0)
}

const LOSSES: [Loss; 9] = [
    (
        "histograms gone",
        |run| fs::remove_file(run.join("histograms.jsonl")).unwrap(),
        "histograms.jsonl lacks",
    ),
    (
        "histograms empty",
        |run| fs::write(run.join("histograms.jsonl"), "").unwrap(),
        "histograms.jsonl lacks",
    ),
    (
        "a histogram gone",
        |run| rewrite(&run.join("histograms.jsonl"), |lines| lines[1..].to_vec()),
        "histograms.jsonl lacks 1 of",
    ),
    (
        "decisions gone",
        |run| fs::remove_file(run.join("decisions.jsonl")).unwrap(),
        "decisions.jsonl lacks",
    ),
    (
        "garbage among decisions",
        |run| {
            rewrite(&run.join("decisions.jsonl"), |lines| {
                [&["garbage\n"][..], &lines[..]].concat()
            })
        },
        "decisions.jsonl has 1 lines that are no records, the first at line 1",
    ),
    (
        "a metric gone",
        |run| {
            rewrite(&run.join("metrics.jsonl"), |lines| {
                [&lines[..3], &lines[4..]].concat()
            })
        },
        "metrics.jsonl lacks 1 of",
    ),
    (
        "a metric doubled",
        |run| {
            rewrite(&run.join("metrics.jsonl"), |lines| {
                [&lines[..4], &lines[3..]].concat()
            })
        },
        "metrics.jsonl has other lines than were written, from epoch",
    ),
    (
        "tables gone",
        |run| fs::remove_dir_all(run.join("tables")).unwrap(),
        "tables lacks",
    ),
    (
        "a table gone",
        |run| fs::remove_file(first_table(run)).unwrap(),
        "tables lacks 1 of",
    ),
];

#[test]
fn records_that_went_since_the_checkpoint_are_told_with_their_epoch() {
    let place = Place::new();
    let config = TINY.to_owned()
        + &plugin("unitmem")
        + "\n[[plugins]]\nkind = \"watch\"\nevery = \"1 epochs\"\n\
           [[plugins]]\nkind = \"prune\"\nfraction = 0.5\nschedule = { kind = \"one_shot\", epoch = 1 }\n";
    let whole = place.run("whole", &config, 0);
    let half = place.run(
        "half",
        &(config + "\n[[plugins]]\nkind = \"chaos\"\nstep = 25\nintervenes = true\n"),
        1,
    );
    for run in [&whole, &half] {
        let copy = |name: &str| {
            let to = place.path(name);
            let _ = fs::remove_dir_all(&to);
            let done = std::process::Command::new("cp")
                .arg("-r")
                .arg(run)
                .arg(&to)
                .status();
            assert!(done.unwrap().success());
            to
        };
        for (name, lose, words) in LOSSES {
            let run = copy("t");
            lose(&run);
            report(&run).expect(1, &[words]);
            let ended = resume(&run).expect(5, &[words]);
            assert!(
                ended.err.contains("from epoch") || name.starts_with("garbage"),
                "{name}: {ended:?}"
            );
        }
        let run = copy("t");
        report(&run).expect(0, &[]);
    }
}

#[test]
fn a_loss_is_told_until_the_end_of_the_run() {
    let place = Place::new();
    let run = stopped(&place);
    fs::remove_file(run.join("metrics.jsonl")).unwrap();
    resume(&run).expect(5, &["lacks", "from epoch 0 on"]);
    let result = text(&run.join("result.json"));
    assert!(result.contains("\"exit_code\":5"), "{result}");
    // Complete now, and still not whole.
    resume(&run).expect(5, &["lacks", "put a copy of the file back"]);

    // A list of samples that was cut is made again.
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    let samples = run.join("samples.parquet");
    let before = fs::read(&samples).unwrap();
    fs::write(&samples, &before[..before.len() / 2]).unwrap();
    resume(&run).expect(0, &["samples.parquet", "written anew"]);
    assert_eq!(fs::read(&samples).unwrap(), before);
}
