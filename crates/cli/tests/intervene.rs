//! The commands `exchange`, `ablate` and `insert` on small runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::path::Path;

use run::{Ended, Place, TINY, call};

fn arms(ended: &Ended) -> serde_json::Value {
    let last = ended.out.lines().last().unwrap();
    serde_json::from_str::<serde_json::Value>(last).unwrap()["arms"].clone()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn an_exchange_with_oneself_changes_nothing_and_with_another_much() {
    let place = Place::new();
    let one = place.run("one", TINY, 0);
    let other = place.run("other", &TINY.replace("seed = 7", "seed = 8"), 0);
    let exchange = |donor: &Path, layers: &str| {
        let (one, donor) = (text(&one), text(donor));
        call([
            "exchange",
            &one,
            "--with",
            &donor,
            "--layers",
            layers,
            "--controls",
            "2",
            "--json",
            "--points",
            "40",
        ])
        .expect(0, &[])
    };
    let same = arms(&exchange(&one, "last:3"));
    assert_eq!(same["original"]["knn"], same["chosen"]["knn"]);
    assert_eq!(
        same["original"]["linear_probe"],
        same["chosen"]["linear_probe"]
    );
    // All layers of the other make the other.
    let all = arms(&exchange(&other, "all"));
    let (other, one) = (text(&other), text(&one));
    let there = call([
        "exchange",
        &other,
        "--with",
        &one,
        "--layers",
        "none",
        "--controls",
        "0",
        "--json",
        "--set",
        "seed=7",
        "--points",
        "40",
    ])
    .expect(0, &[]);
    assert_eq!(all["chosen"]["knn"], arms(&there)["original"]["knn"]);
    assert_eq!(all["controls"].as_array().unwrap().len(), 2);
    assert_eq!(all["chosen"]["what"].as_array().unwrap().len(), 8);
}

#[test]
fn an_ablation_names_the_units_and_has_as_many_random_ones_beside() {
    let place = Place::new();
    let one = text(&place.run("one", TINY, 0));
    let ended = call([
        "ablate",
        &one,
        "--units",
        "top",
        "--fraction",
        "0.25",
        "--controls",
        "2",
        "--json",
        "--points",
        "40",
        "--views",
        "2",
    ])
    .expect(0, &[]);
    assert!(
        ended.out.contains("random units at zero (2 draws)"),
        "{}",
        ended.out
    );
    let arms = arms(&ended);
    let count = |arm: &serde_json::Value| -> Vec<usize> {
        let sites = arm["what"].as_array().unwrap().iter();
        sites
            .map(|site| site.as_str().unwrap().matches(',').count() + 1)
            .collect()
    };
    let chosen = count(&arms["chosen"]);
    assert_eq!(chosen.len(), 8, "{arms}");
    for control in arms["controls"].as_array().unwrap() {
        assert_eq!(count(control), chosen);
        assert_ne!(control["what"], arms["chosen"]["what"]);
    }
}

#[test]
fn an_insertion_trains_three_units_from_the_same_encoder() {
    let place = Place::new();
    let one = text(&place.run("one", TINY, 0));
    let insert = |steps: &str, points: &str| {
        let ended = call([
            "insert", &one, "--steps", steps, "--points", points, "--others", "40", "--views", "2",
            "--batch", "8", "--json",
        ])
        .expect(0, &[]);
        assert!(ended.out.contains("UnitMem while"), "{}", ended.out);
        let last = ended.out.lines().last().unwrap();
        serde_json::from_str::<serde_json::Value>(last).unwrap()["insertion"].clone()
    };
    let single = insert("0,3", "1");
    let units = single["units"].as_array().unwrap();
    assert_eq!(units.len(), 3);
    for unit in units {
        let course = unit["course"].as_array().unwrap();
        assert_eq!(course[0]["steps"], 0);
        assert_eq!(course[1]["steps"], 3);
    }
    // A pure function of the run; the start does not depend on what follows.
    assert_eq!(single, insert("0,3", "1"));
    let several = insert("0,3", "4");
    // A unit that is silent for its points stays as it is; not all are.
    let moved =
        |unit: &serde_json::Value| unit["course"][0]["inserted"] != unit["course"][1]["inserted"];
    assert!(
        several["units"].as_array().unwrap().iter().any(moved),
        "{several}"
    );
    assert_eq!(several["points"].as_array().unwrap().len(), 4);
    assert_eq!(several["units"][0]["unit"], units[0]["unit"]);
}

#[test]
fn mistakes_are_told_with_what_to_do() {
    let place = Place::new();
    let one = text(&place.run("one", TINY, 0));
    let wide = place.run("wide", &TINY.replace("width = 0.125", "width = 0.25"), 0);
    let wide = text(&wide);
    for (arguments, words) in [
        (
            vec![
                "exchange", &one, "--with", &wide, "--layers", "last:1", "--points", "40",
            ],
            vec!["--with", "width 0.25"],
        ),
        (
            vec![
                "exchange", &one, "--with", &one, "--layers", "last:99", "--points", "40",
            ],
            vec!["at most 8"],
        ),
        (
            vec!["exchange", &one, "--with", &one, "--layers", "lst:1"],
            vec!["last:N"],
        ),
        (
            vec!["ablate", &one, "--units", "top", "--fraction", "1.5"],
            vec!["--fraction", "below 1"],
        ),
        (
            vec![
                "ablate",
                &one,
                "--units",
                "top",
                "--set",
                "unitmem.sites=zzz",
                "--points",
                "40",
            ],
            vec!["unitmem.sites", "no site"],
        ),
        (
            vec!["ablate", &one, "--units", "top", "--points", "1"],
            vec!["unitmem.points"],
        ),
        (vec!["ablate", "nowhere", "--units", "low"], vec!["nowhere"]),
        (vec!["insert", "nowhere"], vec!["nowhere"]),
        (vec!["insert", &one, "--steps", "5,1"], vec!["ascend"]),
        (vec!["insert", &one, "--rate", "0"], vec!["not positive"]),
        (
            vec!["insert", &one, "--site", "encoder.nothing"],
            vec!["encoder.nothing", "encoder.res2b.act"],
        ),
        (vec!["insert", &one, "--others", "0"], vec!["at least 2"]),
        (
            vec!["insert", &one, "--views", "100000000"],
            vec!["--views", "too many"],
        ),
    ] {
        let ended = call(&arguments);
        assert!(matches!(ended.code, Some(1 | 2)), "{arguments:?} {ended:?}");
        let code = ended.code.unwrap();
        ended.expect(code, &words);
    }
}
