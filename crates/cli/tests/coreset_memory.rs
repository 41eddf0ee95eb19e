//! Coresets by what an encoder memorized, in runs with a reference encoder.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use afterimage::hooks::{Column, Table};
use afterimage::track::read_table;
use run::kill::killed;
use run::{
    Ended, Place, TINY, afterimage, assert_same, call, ends, finish, learned, plugin, resume,
};

/// 320 images, of which 60 and 60 are seen by one of the encoders alone: the last ones, in order.
const ALONE: i64 = 60;
/// Images that the encoder under study is trained on: those before the independent points.
const MEMBERS: i64 = 320 - ALONE;
const DOSES: &str = "\n[doses]\ntimes = [2, 4]\nshare = 0.2\nkind = \"copies\"\n";

fn pair() -> String {
    format!("{TINY}\n[pair]\ncandidates = {ALONE}\nchoice = \"last\"\n")
}

/// A coreset of half of the images, chosen once and before the first epoch, by the scores in `table`.
fn coreset(table: &Path) -> String {
    format!(
        "\n[[plugins]]\nkind = \"coreset\"\nstrategy = \"memorization-alone\"\npartition = \"none\"\n\
         warmup = 0\nevery = 1000\ntable = true\n[plugins.memorization]\n\
         layermem = {:?}\nprefer = \"typical\"\n",
        table.display().to_string()
    )
}

fn column<'t>(table: &'t Table, name: &str) -> &'t Column {
    &table.columns.iter().find(|(key, _)| key == name).unwrap().1
}

fn whole(table: &Table, name: &str) -> Vec<i64> {
    match column(table, name) {
        Column::I64(values) => values.clone(),
        other => panic!("{other:?}"),
    }
}

fn texts(table: &Table, name: &str) -> Vec<String> {
    match column(table, name) {
        Column::Text(values) => values.clone(),
        other => panic!("{other:?}"),
    }
}

/// The embedding's LayerMem of the candidates in a table of points, and minus that of the independent
/// points.
fn scores(table: &Path) -> Vec<(i64, f64)> {
    let table = read_table(table).unwrap();
    let Column::F64(scores) = column(&table, "score") else {
        panic!("scores are numbers");
    };
    let rows = texts(&table, "layer").into_iter().zip(texts(&table, "set"));
    let rows = rows.zip(whole(&table, "point").into_iter().zip(scores));
    rows.filter(|((layer, _), _)| layer == "embedding")
        .filter_map(|((_, set), (point, score))| match set.as_str() {
            "candidates" => Some((point, *score)),
            "independent" => Some((point, -score)),
            _ => None,
        })
        .collect()
}

fn refused(place: &Place, code: i32, name: &str, text: &str, words: &[&str]) -> Ended {
    let config = place.write(&format!("{name}.toml"), text);
    let out = place.path(name);
    finish(afterimage().arg("run").arg(config).arg("--out").arg(out)).expect(code, words)
}

#[test]
fn scores_of_one_pair_choose_what_another_pair_trains_on() {
    let place = Place::new();
    let probe = plugin("layermem").replace("points = 10", "points = 60");
    let first = place.run("first", &(pair() + &probe), 0);
    let folder = first.join("tables/layermem.points");
    let last = folder.join("epoch-0003.parquet");
    let mut known = scores(&last);
    assert_eq!(known.len(), 2 * ALONE as usize);
    known.sort_by(|a, b| a.1.total_cmp(&b.1));
    let at = known.len() / 2;
    let middle = (known[at - 1].1 + known[at].1) / 2.0;
    let mut ranked: Vec<(i64, f64)> = (0..MEMBERS)
        .map(|id| {
            let found = known.iter().find(|(point, _)| *point == id);
            (id, found.map_or(middle, |(_, score)| *score))
        })
        .collect();
    // The sort is stable, so that equal scores stay in the order of ids.
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let expected: Vec<i64> = ranked[..130].iter().map(|(id, _)| *id).collect();

    // Without a number of its own, the folder stands for the last epoch.
    let text = pair().replace("epochs = 3", "epochs = 8") + &coreset(&folder);
    let run = place.run("chosen", &text, 0);
    let table = read_table(&run.join("tables/coreset.chosen/epoch-0001.parquet")).unwrap();
    assert_eq!(whole(&table, "sample"), expected);
    let decisions = fs::read_to_string(run.join("decisions.jsonl")).unwrap();
    assert_eq!(decisions.matches("train on 130 samples").count(), 8);
    assert!(!decisions.contains("refused"), "{decisions}");

    // A probe beside it changes nothing, and threads do not either.
    let watched = place.run("watched", &(text.clone() + &plugin("layermem")), 0);
    assert_same(&learned(&run), &learned(&watched), "a probe beside it");
    let out = place.path("threads");
    let mut command = afterimage();
    let config = place.path("watched.toml");
    command.arg("run").arg(&config).arg("--out").arg(&out);
    finish(command.env("RAYON_NUM_THREADS", "1")).expect(0, &[]);
    assert_same(&ends(&watched), &ends(&out), "one thread");

    let mut hits = 0;
    for (step, delay) in [(8, 0), (8, 20), (16, 0)] {
        let out = place.path(&format!("killed-{step}-{delay}"));
        if killed(&config, &out, step, Duration::from_millis(delay)) {
            resume(&out).expect(0, &[]);
            assert_same(&ends(&watched), &ends(&out), &format!("killed at {step}"));
            hits += 1;
        }
    }
    assert!(hits > 0, "no run was alive when it was to be killed");

    let labels = text.replace("partition = \"none\"\n", "");
    refused(
        &place,
        2,
        "labels",
        &labels,
        &["`[pair]`", "`partition = \"none\"`"],
    );
    let few = text.replace(&format!("candidates = {ALONE}"), "candidates = 10");
    let few = few.replace("train = 320", "train = 300");
    refused(
        &place,
        1,
        "few",
        &few,
        &["layermem.points", "none of the 300 samples"],
    );
}

#[test]
fn the_oracle_leaves_out_the_copies_that_were_planted_and_no_other() {
    let place = Place::new();
    let oracle = "\n[[plugins]]\nkind = \"coreset-oracle\"\nleaves_out = \"planted-repeats\"\n\
                  fraction = 1.0\nwarmup = 1\n";
    let run = place.run("run", &(pair() + DOSES + oracle), 0);
    let doses = read_table(&run.join("doses.parquet")).unwrap();
    let rows = whole(&doses, "id")
        .into_iter()
        .zip(whole(&doses, "picture"))
        .zip(texts(&doses, "encoder"));
    let repeats: BTreeSet<i64> = rows
        .filter(|((id, picture), encoder)| encoder == "studied" && id != picture)
        .map(|((id, _), _)| id)
        .collect();
    // Of 12 ids each: six pictures twice, three four times.
    assert_eq!(repeats.len(), 6 + 9);
    let left = MEMBERS as usize - repeats.len();
    let decisions = fs::read_to_string(run.join("decisions.jsonl")).unwrap();
    let told = format!("train on {left} samples");
    assert_eq!(decisions.matches(&told).count(), 2, "{decisions}");

    let shown = call(["check".as_ref(), place.path("run.toml").as_os_str()]);
    let shown = shown.expect(0, &[]).out;
    assert!(
        shown.contains("ORACLE: acts on what was planted"),
        "{shown}"
    );
    assert!(!shown.contains("reads labels"), "{shown}");
    refused(
        &place,
        1,
        "nothing",
        &(pair() + oracle),
        &["`[doses] kind = \"copies\"`"],
    );
    let repeated = DOSES.replace("copies", "repeats");
    refused(
        &place,
        1,
        "repeats",
        &(pair() + &repeated + oracle),
        &["planted-repeats"],
    );
}
