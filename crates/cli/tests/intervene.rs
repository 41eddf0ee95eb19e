//! The commands `exchange`, `ablate` and `insert` on small runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::path::Path;

use run::{Ended, Place, TINY, call, last_checkpoint, plugin, tiny_pair};

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
    assert_eq!(all["chosen"]["what"].as_array().unwrap().len(), 8);
    // There are no other eight of eight layers, and seven others of one.
    assert_eq!(all["controls"], serde_json::json!([]));
    assert!(all["note"].as_str().unwrap().contains("no random control"));
    let (few, many) = (
        exchange_with(&other, &one, "9"),
        exchange_with(&other, &one, "2"),
    );
    assert!(few.err.contains("7 random controls"), "{few:?}");
    assert!(few.out.contains("note: 7 random controls"), "{few:?}");
    for (ended, count) in [(few, 7), (many, 2)] {
        let found = arms(&ended);
        let mut sets = vec![found["chosen"]["what"].to_string()];
        for control in found["controls"].as_array().unwrap() {
            sets.push(control["what"].to_string());
        }
        sets.sort();
        sets.dedup();
        assert_eq!(sets.len(), 1 + count, "{found}");
    }
}

/// The last layer of `other` in the place of that of `one`, beside `controls`.
fn exchange_with(other: &str, one: &str, controls: &str) -> Ended {
    let flags = [
        "--layers",
        "last:1",
        "--points",
        "40",
        "--json",
        "--controls",
    ];
    let words = ["exchange", one, "--with", other].into_iter().chain(flags);
    call(words.chain([controls])).expect(0, &[])
}

/// The figures of an ablation of `run`.
fn ablation(run: &str, more: &[&str]) -> serde_json::Value {
    let few = ["--json", "--points", "40", "--views", "2"];
    let ended = call(["ablate", run].iter().chain(more).chain(&few)).expect(0, &[]);
    let last = ended.out.lines().last().unwrap();
    serde_json::from_str::<serde_json::Value>(last).unwrap()["ablation"].clone()
}

/// The units of an arm by site.
fn units(arm: &serde_json::Value) -> Vec<usize> {
    let sites = arm["what"].as_array().unwrap().iter();
    sites
        .map(|site| site.as_str().unwrap().matches(',').count() + 1)
        .collect()
}

#[test]
fn an_ablation_names_the_units_and_has_as_many_random_ones_beside() {
    let place = Place::new();
    let one = text(&place.run("one", TINY, 0));
    let arms = ablation(&one, &["--fraction", "0.25", "--controls", "2"]);
    let cut = &arms["cuts"][0];
    let chosen = units(&cut["chosen"]);
    assert_eq!(chosen.len(), 8, "{arms}");
    for control in arms["random"][0]["draws"].as_array().unwrap() {
        assert_eq!(units(control), chosen);
        assert_ne!(control["what"], cut["chosen"]["what"]);
    }
    // Without a reference encoder there is no LayerMem.
    let left = &arms["original"]["memory"];
    assert_eq!(left[8]["layer"], "embedding", "{left}");
    assert!(left[8]["calibrated"].is_null() && left[8]["area"].is_null());
    assert!(left[8]["gap_area"]["area"].is_f64());
}

#[test]
fn an_ablation_draws_usefulness_against_memory_for_every_score_and_share() {
    let place = Place::new();
    let config = tiny_pair() + &plugin("layermem");
    let one = text(&place.run("one", &config, 0));
    let ids = place.path("ids.txt");
    let candidates: Vec<String> = (0..300).map(|id| id.to_string()).collect();
    // Some of these are independent points, which the encoder never saw.
    std::fs::write(&ids, candidates.join("\n")).unwrap();
    let (owned, out) = (text(&ids), text(&place.path("curve")));
    let scores = "unitmem,unitmem-excess,ownership,magnitude:low,taylor:low,activation-mean,random";
    call(["ablate", &one, "--score", scores, "--owned-by", &owned]).expect(2, &["--owned-by"]);
    let arguments = |threads| {
        [
            "--score",
            scores,
            "--fraction",
            "0.25,0.5",
            "--controls",
            "2",
            "--matched",
            "--out",
            threads,
        ]
    };
    let arms = ablation(&one, &arguments(&out));
    let cuts = arms["cuts"].as_array().unwrap();
    assert_eq!(cuts.len(), 14);
    // All shares of each layer are of one width, so that they have their controls in common.
    assert_eq!(arms["random"].as_array().unwrap().len(), 2);
    for cut in cuts {
        let draws = &arms["random"][cut["random"].as_u64().unwrap() as usize]["draws"];
        assert_eq!(units(&cut["chosen"]), units(&draws[0]));
        let left = cut["chosen"]["memory"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .clone();
        assert!(left["calibrated"]["mean"].is_f64() && left["area"]["area"].is_f64());
        assert!(cut["matched"]["knn"].is_f64());
    }
    let whats: Vec<&serde_json::Value> = cuts.iter().map(|cut| &cut["chosen"]["what"]).collect();
    assert!(whats.iter().skip(1).any(|what| what != &whats[0]));
    let page = std::fs::read_to_string(place.path("curve/report.html")).unwrap();
    assert!(page.contains("kNN accuracy against area of LayerMem"));
    let csv = std::fs::read_to_string(place.path("curve/arms.csv")).unwrap();
    // As it is, cuts, those as active, and random units, of nine layers each.
    assert_eq!(csv.lines().count(), 1 + 9 * (1 + 14 + 14 + 4));
    let (header, last) = (csv.lines().next().unwrap(), csv.lines().last().unwrap());
    assert!(
        header.ends_with(",gap_null,gap_null_se,controls"),
        "{header}"
    );
    // The last random units stand beside all scores of the larger share.
    assert!(
        last.contains("unitmem:top 0.5; unitmem-excess:top 0.5; "),
        "{last}"
    );
    // The same again, and nothing is written over.
    call(["ablate", &one, "--out", &out]).expect(2, &["there already"]);
    assert_eq!(
        arms,
        ablation(&one, &arguments(&text(&place.path("again"))))
    );
    // Layers are ranked over the whole network alone.
    let layers = [
        "--score",
        "layermem-delta",
        "--per",
        "network",
        "--controls",
        "1",
    ];
    let cut = ablation(&one, &layers)["cuts"][0].clone();
    assert!(units(&cut["chosen"]).len() < 8, "{cut}");
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
        (
            vec!["ablate", &one, "--score", "size"],
            vec!["--score", "none of unitmem, unitmem-excess"],
        ),
        (
            vec!["ablate", &one, "--score", "layermem-delta"],
            vec!["--score", "--per network"],
        ),
        (
            vec![
                "ablate", &one, "--score", "layermem", "--per", "network", "--points", "40",
            ],
            vec!["--score", "--reference"],
        ),
        (
            vec!["ablate", &one, "--owned-by", "ids.txt"],
            vec!["--owned-by", "add it to --score"],
        ),
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

#[test]
fn what_takes_too_much_or_is_no_run_is_refused() {
    let place = Place::new();
    let one = text(&place.run("one", TINY, 0));
    let checkpoint = text(&last_checkpoint(Path::new(&one)));
    let out = text(&place.path("probe"));
    for (arguments, words) in [
        (vec!["insert", &one, "--steps", "5,5"], vec!["each once"]),
        (
            vec!["insert", &one, "--steps", "0,18446744073709551615"],
            vec!["--steps", "at most 1000000"],
        ),
        (
            vec!["insert", &checkpoint],
            vec!["it is a checkpoint; give its run", "one"],
        ),
        (
            vec!["resume", &checkpoint],
            vec!["it is a checkpoint; give its run", "one"],
        ),
        (
            vec!["report", &checkpoint],
            vec!["it is a checkpoint; give its run", "one"],
        ),
        (
            vec![
                "exchange", &one, "--with", &one, "--layers", "last:1", "--size", "4096",
                "--views", "1024",
            ],
            vec!["4096 × 4096 pixels", "more than half of the memory"],
        ),
        (
            vec!["sensitivity", &one, "--size", "4096", "--views", "1024"],
            vec!["4096 × 4096 pixels", "more than half of the memory"],
        ),
        (
            vec![
                "probe", &one, "--size", "4096", "--views", "1024", "--out", &out,
            ],
            vec!["4096 × 4096 pixels", "more than half of the memory"],
        ),
        (
            vec!["ablate", &one, "--size", "40000"],
            vec!["views.size", "4096"],
        ),
        (
            vec!["ablate", &one, "--size", "4096", "--views", "1024"],
            vec!["4096 × 4096 pixels", "more than half of the memory"],
        ),
    ] {
        let ended = call(&arguments);
        assert!(matches!(ended.code, Some(1 | 2)), "{arguments:?} {ended:?}");
        let code = ended.code.unwrap();
        ended.expect(code, &words);
    }
    // Nothing was written there.
    let beside = ["lock", "report.html"].map(|name| Path::new(&checkpoint).join(name));
    assert!(beside.iter().all(|path| !path.exists()), "{beside:?}");
    assert!(!Path::new(&out).exists());
}

#[test]
fn a_compaction_refuses_what_it_cannot_do_and_leaves_nothing() {
    let place = Place::new();
    let one = text(&place.run("one", TINY, 0));
    let out = text(&place.path("small"));
    let file = |name: &str, units: &str| text(&place.write(name, units));
    let huge = file("huge.json", "{\"encoder.prep\": [18446744073709551615]}");
    let twice = file(
        "twice.json",
        "{\"encoder.prep\": [0], \"encoder.prep\": [1]}",
    );
    let fine = file("fine.json", "{\"encoder.prep\": [0]}");
    for (flags, words) in [
        (
            vec!["--prune", &huge],
            vec![
                "huge.json",
                "encoder.prep has units 0 to",
                "not 18446744073709551615",
            ],
        ),
        (
            vec!["--prune", &twice],
            vec!["twice.json", "\"encoder.prep\" stands there twice"],
        ),
        (
            vec!["--prune", &fine, "--size", "400000", "--batch", "1"],
            vec![
                "--size",
                "16 images of 400000 × 400000 pixels",
                "more than half of the memory",
            ],
        ),
        (
            vec!["--prune", &fine, "--size", "4294967295"],
            vec!["--size", "more than half of the memory"],
        ),
        (
            vec!["--prune", &fine, "--batch", "4294967295"],
            vec![
                "--batch",
                "4294967295 images",
                "more than half of the memory",
            ],
        ),
        (
            vec!["--prune", &fine, "--repeats", "1001"],
            vec!["--repeats", "1..=1000"],
        ),
    ] {
        let start = ["compact", &one, "--out", &out];
        let ended = call(start.into_iter().chain(flags.iter().copied()));
        assert!(matches!(ended.code, Some(1 | 2)), "{flags:?} {ended:?}");
        let code = ended.code.unwrap();
        ended.expect(code, &words);
        let left = std::fs::read_dir(place.path("")).unwrap();
        let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(
            names.into_iter().all(|name| !name.contains("small")),
            "{flags:?}"
        );
    }
}
