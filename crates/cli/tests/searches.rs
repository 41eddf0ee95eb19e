//! `afterimage sweep` with searches that learn, on runs of a second.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use run::{Ended, Place, TINY, afterimage, finish};
use serde_json::Value;

const AIMS: &str =
    "aims = [{ name = \"eval/knn\" }, { name = \"loss/train\", direction = \"minimize\" }]\n";
const SEARCH: &str = "name = \"t\"\nconfig = \"tiny.toml\"\nset = { epochs = 1 }\nAIMS[search]\nkind = \"nsga2\"\nsamples = 6\n\
                      generation = 3\n[search.space]\n\"objective.temperature\" = { low = 0.1, high = 1.0 }\n";

fn place(sweep: &str) -> (Place, PathBuf) {
    let place = Place::new();
    place.write("tiny.toml", TINY);
    let file = place.write("sweep.toml", &sweep.replace("AIMS", AIMS));
    (place, file)
}

fn sweep(place: &Place, file: &Path, more: &[&str]) -> Ended {
    let mut command = afterimage();
    command
        .arg("sweep")
        .arg(file)
        .arg("--out")
        .arg(place.path("s"));
    finish(command.args(more))
}

#[test]
fn the_pruning_search_runs_in_its_tiny_size_and_shows_its_front() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../experiments/pruning/search/tiny/search.toml");
    let place = Place::new();
    let dry = sweep(&place, &file, &["--dry-run"]).expect(0, &[]);
    for part in [
        "18 trials in ",
        "generation 1 of the search of stage search by nsga2: 4 of 8 points; later ones depend on the results",
        "encoder.layer1_=",
    ] {
        assert!(dry.out.contains(part), "no {part:?} in\n{}", dry.out);
    }
    let ended = sweep(&place, &file, &["--json"])
        .expect(0, &["generation 2 of the search of stage search"]);
    assert!(ended.out.contains("26 trials: 26 done"), "{}", ended.out);
    let json: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(json["aims"][1]["name"], "prune/macs");
    let of_search = |c: &&Value| c["stage"] == "search";
    let all = json["configurations"].as_array().unwrap();
    let fronts: Vec<bool> = all
        .iter()
        .filter(of_search)
        .map(|c| c["front"].as_bool().unwrap())
        .collect();
    assert_eq!(fronts.len(), 8);
    assert!(fronts.contains(&true), "{fronts:?}");
    let page = fs::read_to_string(place.path("s/report.html")).unwrap();
    for part in [
        "search: the front",
        "plain: the front",
        "search: on the front",
        "eval/knn against prune/macs",
        "opacity=\"0.25\"",
    ] {
        assert!(page.contains(part), "no {part:?}");
    }
    assert!(!page.contains("NaN"));
    let study = fs::read_to_string(place.path("s/study.md")).unwrap();
    assert!(
        study.contains("prune/macs (lower is better) | 95 %"),
        "{study}"
    );
    let csv = fs::read_to_string(place.path("s/results.csv")).unwrap();
    assert!(csv.lines().next().unwrap().contains(",front,"), "{csv}");
    let mut status = afterimage();
    status.args(["sweep", "status"]).arg(place.path("s"));
    let status = finish(&mut status).expect(0, &[]);
    assert!(
        status
            .out
            .contains("the search of stage search has asked for 8 of 8 points"),
        "{}",
        status.out
    );
    // Nothing is left, and a report is of all of it.
    let again = sweep(&place, &file, &["--report"]).expect(0, &[]);
    assert!(again.out.contains("26 trials: 26 done"), "{}", again.out);
}

#[test]
fn another_program_asks_and_is_told() {
    let search = SEARCH
        .replace("kind = \"nsga2\"", "kind = \"ask\"")
        .replace("generation = 3\n", "");
    let (place, file) = place(&search);
    sweep(&place, &file, &[]).expect(2, &["call it with --ask-tell"]);
    let wrong = search
        .replace("temperature", "temprature")
        .replace("AIMS", AIMS);
    let wrong = place.write("wrong.toml", &wrong);
    let told = "wrong.toml:9: search.space.\"objective.temprature\": unknown key";
    sweep(&place, &wrong, &["--ask-tell"]).expect(2, &[told]);
    let talk = |lines: &[&str]| -> Vec<Value> {
        let mut child = afterimage()
            .arg("sweep")
            .arg(&file)
            .arg("--out")
            .arg(place.path("s"))
            .args(["--ask-tell", "--jobs", "2"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ask = child.stdin.take().unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut next = || serde_json::from_str::<Value>(&told.next().unwrap().unwrap()).unwrap();
        let mut answers = vec![next()];
        for line in lines {
            writeln!(ask, "{line}").unwrap();
            answers.push(next());
        }
        drop(ask);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        answers
    };
    let one = "{\"id\": 7, \"ask\": {\"objective.temperature\": 0.5}}";
    let answers = talk(&[
        one,
        "{\"ask\": [{\"objective.temperature\": 0.2}, {\"objective.temperature\": 1}]}",
        "{\"id\": \"x\", \"ask\": {\"objective.temperature\": 5.0}}",
        "{\"ask\": {\"objective.temprature\": 0.5}}",
        "what",
        "{\"id\": 1, \"ask\": {\"objective.temperature\": 0.3, \"objective.temperature\": 0.4}}",
        "{\"ask\": [{\"objective.temperature\": 0.3, \"objective.temperature\": 0.3}]}",
        "{\"ask\": [], \"ask\": {\"objective.temperature\": 0.3}}",
        "{\"ask\": [[{\"objective.temperature\": 0.3}]]}",
        "{\"ask\": 3}",
    ]);
    assert_eq!(answers[0]["aims"][1]["direction"], "minimize");
    assert_eq!(answers[0]["space"]["objective.temperature"]["high"], 1.0);
    let told = &answers[1]["told"];
    assert_eq!(
        (&answers[1]["id"], &told["state"]),
        (&7.into(), &"done".into())
    );
    assert_eq!(told["values"][0], told["metrics"]["eval/knn"]);
    assert_eq!(told["trials"][0], "temperature=0.5");
    assert_eq!(answers[2]["told"][1]["trials"][0], "temperature=1");
    let error = |index: usize| answers[index]["error"].as_str().unwrap();
    assert_eq!(answers[3]["id"], "x");
    assert!(
        error(3).contains("objective.temperature: 5.0 is not in its range"),
        "{}",
        error(3)
    );
    assert!(
        error(4).contains("no key of search.space, which has objective.temperature"),
        "{}",
        error(4)
    );
    assert!(error(5).contains("no question"), "{}", error(5));
    for index in [6, 7] {
        let words = "the key `objective.temperature` stands twice in a point; name it once";
        assert!(error(index).contains(words), "{}", error(index));
    }
    for (index, words) in [
        (8, "duplicate field `ask`"),
        (9, "a list of points is in a list"),
        (
            10,
            "expected a point, as {\"KEY\": VALUE}, or a list of points",
        ),
    ] {
        assert!(error(index).contains(words), "{}", error(index));
    }
    // What was asked before is told at once, and more points than samples are refused.
    let five = (1..=5).map(|i| format!("{{\"objective.temperature\": 0.3{i}}}"));
    let many = format!("{{\"ask\": [{}]}}", five.collect::<Vec<String>>().join(","));
    let again = talk(&[one, &many]);
    assert_eq!(again[1], answers[1]);
    assert!(
        again[2]["error"]
            .as_str()
            .unwrap()
            .contains("search.samples allows 6"),
        "{}",
        again[2]
    );
    let ledger = fs::read_to_string(place.path("s/ledger.jsonl")).unwrap();
    assert_eq!(ledger.matches("\"event\":\"start\"").count(), 3);
    let page = fs::read_to_string(place.path("s/report.html")).unwrap();
    assert!(page.contains("The front"));
}

#[test]
fn aims_that_no_plugin_reports_are_told_at_their_line() {
    let (place, file) = place(&SEARCH.replace("AIMS", &AIMS.replace("loss/train", "prune/macs")));
    sweep(&place, &file, &[]).expect(
        2,
        &["sweep.toml:4: aims[1].name: runs without the plugin \"prune\" report no \"prune/macs\""],
    );
    assert!(!place.path("s").exists());
}

#[test]
fn a_chosen_point_that_the_processes_cannot_share_out_is_no_trial() {
    let text = SEARCH
        .replace("generation = 3", "generation = 2")
        .replace("[search]\n", "slurm = { processes = 2 }\n[search]\n")
        + "\"batch.shards\" = { values = [2, 4] }\n";
    let (_place, file) = place(&text);
    let registry = afterimage::Registry::standard();
    let (loaded, plan) = afterimage::sweeps::load_sweep(&registry, &file, &[]).unwrap();
    assert_eq!(plan.trials.len(), 2);
    let point = |shards: i64| -> BTreeMap<String, toml::Value> {
        let shards = ("batch.shards".to_owned(), toml::Value::from(shards));
        let heat = ("objective.temperature".to_owned(), toml::Value::from(0.45));
        [shards, heat].into()
    };
    let mut asked = afterimage::sweep::Asked::default();
    asked.push(&None, vec![point(1), point(4)]);
    let next = afterimage::sweeps::plan_with(&registry, &loaded, &file, &[], &asked).unwrap();
    assert_eq!(next.trials.len(), 3);
    let told = next.notes.iter();
    let told: Vec<&String> = told
        .filter(|note| note.contains("counts as failed"))
        .collect();
    assert_eq!(told.len(), 1, "{told:?}");
    for words in [
        "batch.shards=1",
        "(slurm.processes: 2 processes cannot share out the 1 shard",
    ] {
        assert!(told[0].contains(words), "{told:?}");
    }
    // What the ledger tells of stays: it was begun by another number of processes.
    let alone = place_alone(&text);
    let (one, _) = afterimage::sweeps::load_sweep(&registry, &alone.1, &[]).unwrap();
    let all = afterimage::sweeps::plan_with(&registry, &one, &alone.1, &[], &asked).unwrap();
    assert_eq!(all.trials.len(), 4);
    let trials = all.trials.iter();
    let line = afterimage::sweep::Line {
        time: 0.0,
        entry: afterimage::sweep::Entry::Ask {
            stage: None,
            generation: 1,
            samples: 6,
            points: vec![point(1), point(4)],
            trials: trials.map(|t| (t.name.clone(), t.digest.clone())).collect(),
        },
    };
    let again = afterimage::sweeps::plan_with(&registry, &loaded, &file, &[line], &asked).unwrap();
    assert_eq!(again.trials.len(), 4);
}

/// The same sweep with one process a trial.
fn place_alone(sweep: &str) -> (Place, PathBuf) {
    place(&sweep.replace("processes = 2", "processes = 1"))
}
