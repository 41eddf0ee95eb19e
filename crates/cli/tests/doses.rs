//! Training images that are planted: `[doses]` in a config.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use afterimage::hooks::{Column, Table};
use afterimage::track::read_table;
use run::kill::killed;
use run::{
    Place, TINY, afterimage, assert_same, ends, files_under, finish, last_checkpoint, plugin,
    resume, tiny_pair,
};

/// A pair with planted candidates: 300 images, of which 4 are shown twice and 4 eight times.
fn planted() -> String {
    let doses = "\n[doses]\ntimes = [2, 8]\nshare = 0.2\nnoise = 0.1\n";
    tiny_pair() + doses + &plugin("layermem") + &plugin("alignment-gap") + &plugin("unitmem")
}

/// Steps of an epoch of [`planted`]: 332 images in batches of 32.
const PLANTED: u64 = (300 + 4 + 4 * 7) / 32;

fn texts(column: &Column) -> Vec<String> {
    match column {
        Column::Text(values) => values.clone(),
        other => panic!("{other:?}"),
    }
}

fn steps(run: &Path) -> u64 {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .filter_map(|line| line["step"].as_u64())
        .max()
        .unwrap()
}

#[test]
fn planted_images_are_shown_as_often_as_told_and_memory_is_told_by_dose() {
    let place = Place::new();
    let run = place.run("run", &planted(), 0);
    assert_eq!(steps(&run), 3 * PLANTED);
    let table = read_table(&run.join("doses.parquet")).unwrap();
    let column = |name: &str| &table.columns.iter().find(|(key, _)| key == name).unwrap().1;
    let doses = texts(column("dose"));
    let count = |dose: &str| doses.iter().filter(|other| *other == dose).count();
    // Candidates, and the independent points in their places.
    assert_eq!([count("2"), count("8"), count("noise")], [8, 8, 4]);
    let file = run.join("tables/memory.doses/epoch-0003.parquet");
    let table = read_table(&file).unwrap();
    let column = |name: &str| &table.columns.iter().find(|(key, _)| key == name).unwrap().1;
    let (measures, doses) = (texts(column("measure")), texts(column("dose")));
    for measure in ["layermem", "alignment"] {
        for dose in ["1", "2", "8", "noise"] {
            let there = measures.iter().zip(&doses);
            let rows = there.filter(|(m, d)| *m == measure && *d == dose).count();
            assert!(rows >= 9, "{measure} {dose} {rows}");
        }
    }
    // UnitMem looks at fewer points, with whatever doses they have.
    assert!(measures.contains(&"units".to_owned()));
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    assert!(text.contains("doses/layermem/area/8/embedding"));
    // Noise has no held-out pictures of its kind.
    assert!(!text.contains("doses/layermem/area/noise/"));

    // A probe of the run sees what the run saw.
    let mut command = afterimage();
    let probe = place.path("probe");
    command.arg("probe").arg(&run).arg("--out").arg(&probe);
    let told = finish(&mut command).expect(0, &[]);
    assert!(told.out.contains("Memory by dose"), "{}", told.out);
    let again = read_table(&probe.join("tables/memory.doses/epoch-0003.parquet")).unwrap();
    let rows = |table: &Table| {
        let count = table.columns[0].1.len();
        let cell = |row: usize, column: &Column| match column {
            Column::F64(values) => values[row].to_string(),
            Column::I64(values) => values[row].to_string(),
            Column::Text(values) => values[row].clone(),
        };
        let row = |row| {
            table
                .columns
                .iter()
                .map(|c| cell(row, &c.1))
                .collect::<Vec<_>>()
        };
        (0..count).map(row).collect::<BTreeSet<_>>()
    };
    // Plugins come in another order.
    assert_eq!(rows(&again), rows(&table));
}

#[test]
fn observers_of_a_planted_run_change_nothing_and_a_killed_one_ends_as_a_straight_one() {
    let place = Place::new();
    let text = planted();
    let watched = place.run("watched", &text, 0);
    let bare = place.run("bare", text.split("\n[[plugins]]").next().unwrap(), 0);
    let learned = |run: &Path| {
        let mut files = files_under(&last_checkpoint(run));
        files.retain(|name, _| ["model.bpk", "optimizer.bpk"].contains(&name.as_str()));
        files
    };
    assert_same(&learned(&bare), &learned(&watched), "observers of doses");
    let config = place.path("watched.toml");
    let out = place.path("killed");
    assert!(killed(&config, &out, PLANTED, Duration::from_millis(5)));
    resume(&out).expect(0, &[]);
    assert_same(&ends(&watched), &ends(&out), "a killed run with doses");
    for threads in ["1", "3"] {
        let out = place.path(threads);
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        finish(command.env("RAYON_NUM_THREADS", threads)).expect(0, &[]);
        assert_same(&ends(&watched), &ends(&out), threads);
    }
}

#[test]
fn near_duplicates_keep_the_length_of_an_epoch() {
    let place = Place::new();
    let doses = "\n[doses]\ntimes = [4]\nshare = 0.1\nkind = \"copies\"\n";
    let run = place.run(
        "copies",
        &(TINY.to_owned() + doses + &plugin("alignment-gap")),
        0,
    );
    let bare = place.run("bare", &(TINY.to_owned() + &plugin("alignment-gap")), 0);
    assert_eq!(steps(&run), steps(&bare));
    // A near duplicate is named by the picture that it shows, wherever samples are.
    let [doses, samples, others] = [
        run.join("doses.parquet"),
        run.join("samples.parquet"),
        bare.join("samples.parquet"),
    ]
    .map(|path| read_table(&path).unwrap());
    let whole =
        |table: &Table, name: &str| match &table.columns.iter().find(|c| c.0 == name).unwrap().1 {
            Column::I64(values) => values.clone(),
            other => panic!("{other:?}"),
        };
    let places = |table: &Table| {
        let column = |name: &str| texts(&table.columns.iter().find(|c| c.0 == name).unwrap().1);
        let (files, members) = (column("file"), column("member"));
        files.into_iter().zip(members).collect::<Vec<_>>()
    };
    let (shown, plain) = (places(&samples), places(&others));
    let planted = whole(&doses, "id")
        .into_iter()
        .zip(whole(&doses, "picture"));
    let planted: Vec<(usize, usize)> = planted
        .map(|(id, picture)| (id as usize, picture as usize))
        .collect();
    assert!(planted.iter().filter(|(id, picture)| id != picture).count() >= 24);
    for (id, picture) in planted {
        assert_eq!(shown[id], plain[picture], "{id} shows {picture}");
    }
    let digest = |run: &Path| {
        let text = std::fs::read_to_string(run.join("manifest.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["data_sha256"].clone()
    };
    assert_ne!(digest(&run), digest(&bare));
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let place = Place::new();
    for (name, doses, words) in [
        (
            "share",
            "times = [2]\nshare = 1.5",
            vec!["doses.share", "0.05"],
        ),
        (
            "once",
            "times = [1]\nshare = 0.1",
            vec!["doses.times", "shown once"],
        ),
        (
            "twice",
            "times = [2, 2]\nshare = 0.1",
            vec!["doses.times", "twice"],
        ),
        ("nothing", "share = 0.1", vec!["doses.times", "`noise`"]),
        (
            "of",
            "times = [2]\nshare = 0.1\nof = \"candidates\"",
            vec!["doses.of", "[pair]"],
        ),
        (
            "many",
            "times = [2, 4]\nshare = 0.6",
            vec!["doses", "ids are left"],
        ),
        ("key", "times = [2]\nshare = 0.1\nsize = 3", vec!["size"]),
    ] {
        let text = format!("{TINY}\n[doses]\n{doses}\n");
        let config = place.write(&format!("{name}.toml"), &text);
        let mut command = afterimage();
        command
            .arg("run")
            .arg(&config)
            .arg("--out")
            .arg(place.path(name));
        finish(&mut command).expect(2, &words);
        assert!(!place.path(name).join("metrics.jsonl").exists());
    }
}
