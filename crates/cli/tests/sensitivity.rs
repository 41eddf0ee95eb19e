//! Studies of sensitivity: beside the run's own figures, the same at any time, and a proposal that runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use run::{Place, TINY, afterimage, call, finish, plugin, tiny_pair};

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// The last value of a scalar of a run.
fn last(run: &Path, tag: &str) -> f64 {
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let lines = metrics
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut values = lines.filter(|line| line["tag"] == tag);
    values.next_back().unwrap()["value"].as_f64().unwrap()
}

/// The rows of a CSV file by column.
fn rows(file: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned));
    let names: Vec<String> = lines.next().unwrap().collect();
    lines
        .map(|row| names.iter().cloned().zip(row).collect())
        .collect()
}

#[test]
fn a_study_agrees_with_the_run_and_its_proposal_prunes() {
    let place = Place::new();
    let one = place.run("one", TINY, 0);
    let study = |out: &str, threads: &str| {
        let mut command = afterimage();
        command.env("RAYON_NUM_THREADS", threads);
        command
            .arg("sensitivity")
            .arg(&one)
            .arg("--out")
            .arg(place.path(out));
        command.args([
            "--fractions",
            "0.25,0.5,0.75",
            "--scores",
            "magnitude",
            "--repeats",
            "2",
        ]);
        command
            .arg("--write")
            .arg(place.path(&format!("{out}.toml")));
        command.args(["--budget", "60 % of macs", "--json"]);
        finish(&mut command).expect(0, &["judging the encoder as it is"])
    };
    let ended = study("a", "2");
    for words in [
        "lowest magnitude",
        "highest magnitude",
        "epoch 3, step 30",
        "2 draws",
        "± ",
    ] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    let all = rows(&place.path("a/sensitivity.csv"));
    let whole = &all[0];
    assert_eq!(whole["score"], "none");
    for (figure, tag) in [("knn", "eval/knn"), ("linear_probe", "eval/linear_probe")] {
        let value: f64 = whole[figure].parse().unwrap();
        assert_eq!(value, last(&one, tag), "{figure}");
    }
    // Six groups, three fractions, two ends and two random draws.
    assert_eq!(all.len(), 1 + 6 * 3 * (2 + 2));
    let mut apart = 0;
    for row in &all[1..] {
        let of = |column: &str| row[column].parse::<f64>().unwrap();
        assert!(
            of("macs_share") < 1.0 && of("cosine_distance") >= 0.0,
            "{row:?}"
        );
        assert_eq!((row["epoch"].as_str(), row["layermem"].as_str()), ("3", ""));
        apart += usize::from(of("cosine_distance") > 0.0);
    }
    assert!(apart > 60, "units that go leave other embeddings: {apart}");
    let page = fs::read_to_string(place.path("a/sensitivity.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("Proposal") && !page.contains("NaN"));
    assert!(place.path("a/sensitivity.parquet").is_file());
    assert!(!place.path(".a.partial").exists());

    study("b", "1");
    for file in [
        "sensitivity.csv",
        "sensitivity.parquet",
        "sensitivity.html",
        "config.toml",
    ] {
        let of = |out: &str| fs::read(place.path(out).join(file)).unwrap();
        assert!(of("a") == of("b"), "{file} depends on threads or on time");
    }
    let proposal = fs::read_to_string(place.path("a.toml")).unwrap();
    assert_eq!(proposal, fs::read_to_string(place.path("b.toml")).unwrap());

    let config = place.write(
        "pruned.toml",
        &format!(
            "extends = [\"one.toml\", \"a.toml\"]\nepochs = 2\n[fine_tune]\nfrom = {:?}\n",
            text(&one)
        ),
    );
    let checked = call(["check", &text(&config)]).expect(0, &[]);
    assert!(checked.out.contains("are gone"), "{}", checked.out);
    let out = place.path("pruned");
    finish(afterimage().arg("run").arg(&config).arg("--out").arg(&out)).expect(0, &[]);
    let all: f64 = whole["macs"].parse().unwrap();
    let left = last(&out, "prune/macs") / all;
    assert!(left <= 0.6, "{left}");
    // A name that is there already is never written over.
    let again = [
        "sensitivity",
        &text(&one),
        "--write",
        &text(&place.path("a.toml")),
        "--budget",
        "50 % of macs",
    ];
    call(again).expect(2, &["a.toml", "already"]);
}

#[test]
fn recorded_scores_and_a_reference_are_used_and_missing_ones_are_told() {
    let place = Place::new();
    let taylor = "\n[[plugins]]\nkind = \"taylor\"\nevery = \"3 steps\"\n";
    let run = text(&place.run("pair", &format!("{}{taylor}", tiny_pair()), 0));
    let out = place.path("out");
    let sites = ["--sites", "encoder.res1a*", "encoder.layer3.act"];
    let study = [
        "sensitivity",
        &run,
        "--fractions",
        "0.5",
        "--repeats",
        "1",
        "--direction",
        "lowest",
    ];
    let set = ["--set", "layermem.points=10", "--set", "layermem.views=3"];
    call(
        study
            .into_iter()
            .chain(sites)
            .chain([
                "--scores",
                "taylor,bn-gamma",
                "--latency",
                "--out",
                &text(&out),
            ])
            .chain(set),
    )
    .expect(0, &[]);
    let all = rows(&out.join("sensitivity.csv"));
    let names: Vec<&str> = all[1..].iter().map(|row| row["site"].as_str()).collect();
    // layer3 goes with the residual sum behind it.
    assert_eq!(names[..3], ["encoder.res1a"; 3]);
    assert_eq!(names[3..], ["encoder.res2"; 3]);
    for row in &all {
        let layermem: f64 = row["layermem"].parse().unwrap();
        assert!(layermem.abs() <= 1.0, "{row:?}");
        assert!(row["milliseconds"].parse::<f64>().unwrap() > 0.0);
    }
    call(study.into_iter().chain(["--scores", "classmem"]))
        .expect(2, &["classmem", "holds none", "attached"]);
}

#[test]
fn mistakes_of_a_study_are_told_with_what_to_do() {
    let place = Place::new();
    let run = text(&place.run("one", TINY, 0));
    let full = text(&place.path("full"));
    fs::create_dir(&full).unwrap();
    fs::write(place.path("full/file"), "kept").unwrap();
    let write = text(&place.path("prune.toml"));
    let nowhere = text(&place.path("no/such/prune.toml"));
    for (arguments, words) in [
        (
            vec!["--sites", "encoder.res3*"],
            vec!["encoder.res3*", "encoder.res2a"],
        ),
        (
            vec!["--fractions", "0.5,0.1"],
            vec!["--fractions", "ascending"],
        ),
        (vec!["--fractions", "0.5,1"], vec!["--fractions", "below 1"]),
        (vec!["--repeats", "0"], vec!["--repeats 0", "1 to 1000"]),
        (vec!["--scores", "layermem"], vec!["layermem", "magnitude"]),
        (vec!["--scores", "magnitued"], vec!["magnitude"]),
        (
            vec!["--scores", "taylor"],
            vec!["taylor", "plugin `taylor`", "holds none"],
        ),
        (vec!["--write", &write], vec!["--budget"]),
        (vec!["--budget", "50 % of macs"], vec!["--write"]),
        (
            vec!["--write", &nowhere, "--budget", "50 % of macs"],
            vec!["--write", "prune.toml", "lies in none"],
        ),
        (
            vec!["--write", &write, "--budget", "half"],
            vec!["half", "50 % of macs"],
        ),
        (
            vec![
                "--scores",
                "random",
                "--write",
                &write,
                "--budget",
                "50 % of macs",
            ],
            vec!["--write", "--scores"],
        ),
        (
            vec![
                "--scores",
                "magnitude",
                "--fractions",
                "0.25",
                "--repeats",
                "1",
                "--write",
                &write,
                "--budget",
                "5 % of units",
            ],
            vec!["5.0 % are asked for", "larger --fractions"],
        ),
        (vec!["--layout", "vit"], vec!["--layout"]),
    ] {
        let arguments = ["sensitivity", run.as_str()].into_iter().chain(arguments);
        let ended = call(arguments.clone());
        assert_eq!(ended.code, Some(2), "{ended:?}");
        ended.expect(2, &words);
    }
    call(["sensitivity", &run, "--out", &full]).expect(2, &["there already"]);
    call(["sensitivity", "nowhere"]).expect(1, &["nowhere"]);
    assert!(!place.path("prune.toml").exists() && place.path("full/file").exists());
}

#[test]
fn fractions_by_site_prune_what_they_say() {
    let place = Place::new();
    let pruned = |settings: &str| {
        format!(
            "{TINY}{}\n[[plugins]]\nkind = \"prune\"\nscore = \"magnitude\"\n{settings}\n",
            plugin("magnitude")
        )
    };
    let settings = "protect = [\"encoder.res1a\"]\n\
                    schedule = { kind = \"linear\", begin = 0, end = 2 }\n\
                    [plugins.fractions]\n\"encoder.res*\" = 0.5\n\"encoder.res2a\" = 0.25\n";
    let run = place.run("fractions", &pruned(settings), 0);
    let decisions = fs::read_to_string(run.join("decisions.jsonl")).unwrap();
    let gone = |site: &str| -> usize {
        let lines = decisions
            .lines()
            .filter(|line| line.contains("\"kind\":\"mask\""));
        let of_site = lines.filter_map(|line| line.split_once(&format!(" units of {site}: [")));
        of_site
            .map(|(_, rest)| rest.split(']').next().unwrap().split(", ").count())
            .sum()
    };
    // Widths of 32, 64, … by 0.125: a half of 8 and 32 units, a quarter of 32, half of it by the first step.
    assert_eq!(gone("encoder.res1b.act"), 4);
    assert_eq!(gone("encoder.layer3.act"), 16);
    assert_eq!(gone("encoder.res2a.act"), 8);
    for kept in [
        "encoder.res1a.act",
        "encoder.prep.act",
        "encoder.layer2.act",
    ] {
        assert!(!decisions.contains(kept), "{kept}");
    }
    for (settings, at, words) in [
        (
            "[plugins.fractions]\n\"encoder.res3*\" = 0.5",
            "res3",
            vec!["no group or site", "did you mean"],
        ),
        (
            "[plugins.fractions]\n\"encoder.prep\" = 0.5\n\"encoder.res1a\" = 1.0",
            "= 1.0",
            vec!["below 1"],
        ),
        (
            "protect = [\"encoder.prep\"]\n[plugins.fractions]\n\"encoder.prep*\" = 0.5",
            "0.5",
            vec!["protected"],
        ),
        (
            "[plugins.fractions]\n\"encoder.layer3.act\" = 0.5\n\"encoder.res2b.act\" = 0.25",
            "0.25",
            vec!["tied", "encoder.layer3.act"],
        ),
        (
            "of = \"macs\"\n[plugins.fractions]\n\"encoder.prep\" = 0.5",
            "of = ",
            vec!["fractions"],
        ),
        (
            "scope = \"global\"\n[plugins.fractions]\n\"encoder.prep\" = 0.5",
            "global",
            vec!["fractions"],
        ),
    ] {
        let wrong = pruned(settings);
        let line = wrong.lines().position(|line| line.contains(at)).unwrap() + 1;
        let place_of = format!("wrong.toml:{line}: plugins[1]");
        let words: Vec<&str> = words.into_iter().chain([place_of.as_str()]).collect();
        let config = place.write("wrong.toml", &wrong);
        let ended = call(["check", &text(&config)]).expect(2, &words);
        // One mistake, one line of it.
        assert_eq!(ended.err.matches("plugins[1]").count(), 1, "{}", ended.err);
        let out = place.path("never");
        let ended = finish(afterimage().arg("run").arg(&config).arg("--out").arg(&out));
        ended.expect(2, &words);
        assert!(!out.exists());
    }
}
