//! Whole searches of a shell script that learn from results: the same points whatever happens on the way.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use afterimage_sweep::{Ending, Entry, State, journal};
use rig::Rig;

const BASE: &str = "epochs = 1\n";
const AIMS: &str =
    "aims = [{ name = \"eval/knn\" }, { name = \"cost\", direction = \"minimize\" }]\n";
const SPACE: &str = "[search.space]\nquality = { low = 0.0, high = 1.0 }\ncost = { low = 1.0, high = 100.0, log = true }\n";

fn sweep(top: &str, search: &str, space: &str) -> String {
    format!("name = \"s\"\nconfig = \"base.toml\"\n{top}[search]\n{search}\n{space}")
}

fn nsga2(top: &str, samples: u32) -> String {
    let search = format!("kind = \"nsga2\"\nsamples = {samples}\ngeneration = 4");
    sweep(&format!("{AIMS}{top}"), &search, SPACE)
}

/// Every point that was asked for, in order.
fn points(rig: &Rig) -> Vec<BTreeMap<String, toml::Value>> {
    let asked = rig.entries().into_iter().filter_map(|entry| match entry {
        Entry::Ask { points, .. } => Some(points),
        _ => None,
    });
    asked.flatten().collect()
}

#[test]
fn a_search_asks_generation_by_generation_and_marks_its_front() {
    let rig = Rig::new(BASE, &nsga2("", 10));
    assert_eq!(rig.search(4, &Arc::default()).unwrap(), Ending::Complete);
    let generations: Vec<usize> = rig
        .entries()
        .iter()
        .filter_map(|entry| match entry {
            Entry::Ask { points, .. } => Some(points.len()),
            _ => None,
        })
        .collect();
    assert_eq!(generations, [4, 4, 2]);
    let before = rig.entries().len();
    assert_eq!(rig.search(4, &Arc::default()).unwrap(), Ending::Complete);
    assert_eq!(rig.entries().len(), before, "all is done");
    let (plan, results) = rig.found();
    assert_eq!(plan.trials.len(), 10);
    let done = |row: &&afterimage_sweep::Row| row.standing.state == State::Done;
    assert_eq!(results.rows.iter().filter(done).count(), 10);
    for c in &results.configurations {
        let (quality, cost) = (c.aims["eval/knn"].mean, c.aims["cost"].mean);
        let beaten = results.configurations.iter().any(|other| {
            let (q, k) = (other.aims["eval/knn"].mean, other.aims["cost"].mean);
            q >= quality && k <= cost && (q > quality || k < cost)
        });
        assert_eq!(c.front, Some(!beaten), "{}", c.name);
    }
    results.write(&rig.folder()).unwrap();
    let csv = fs::read_to_string(rig.path("out/results.csv")).unwrap();
    assert!(
        csv.lines().next().unwrap().contains("eval/knn,cost,front,"),
        "{csv}"
    );
    assert!(csv.contains(",true,") && csv.contains(",false,"), "{csv}");
    assert!(journal(&results).contains("\"directions\":[2,1]"));
    // More samples go on where it ended.
    fs::write(rig.file(), nsga2("", 14)).unwrap();
    let first = points(&rig);
    assert_eq!(rig.search(4, &Arc::default()).unwrap(), Ending::Complete);
    assert_eq!(points(&rig).len(), 14);
    assert_eq!(points(&rig)[..10], first);
    // Another seed is another search.
    let other = nsga2("", 14).replace("generation = 4", "generation = 4\nseed = 1");
    fs::write(rig.file(), other).unwrap();
    assert!(rig.search(4, &Arc::default()).is_err());
}

#[test]
fn neither_the_order_of_ends_nor_a_cut_off_search_changes_a_point() {
    let straight = Rig::new(BASE, &nsga2("seeds = [1, 2]\n", 12));
    straight.search(1, &Arc::default()).unwrap();
    let wanted = points(&straight);
    assert_eq!(wanted.len(), 12);
    let ledger = fs::read(straight.folder().ledger()).unwrap();
    let beside = Rig::new(BASE, &nsga2("seeds = [1, 2]\n", 12));
    let signal = Arc::new(AtomicUsize::new(0));
    let send = Arc::clone(&signal);
    let sender = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(700));
        send.store(15, Ordering::SeqCst);
    });
    assert_eq!(beside.search(5, &signal).unwrap(), Ending::Interrupted(15));
    sender.join().unwrap();
    assert_eq!(beside.search(8, &Arc::default()).unwrap(), Ending::Complete);
    assert_eq!(points(&beside), wanted);
    beside.assert_nothing_ran_twice();
    // What was not on disk when the power went, is found out or done again.
    for share in [0.07, 0.3, 0.52, 0.77, 0.96] {
        let cut = (ledger.len() as f64 * share) as usize;
        fs::write(straight.folder().ledger(), &ledger[..cut]).unwrap();
        assert_eq!(
            straight.search(8, &Arc::default()).unwrap(),
            Ending::Complete
        );
        assert_eq!(points(&straight), wanted, "cut at {share}");
    }
}

#[test]
fn a_configuration_is_judged_over_its_seeds_and_one_that_fails_is_dominated() {
    let space = "[search.space]\nquality = { low = 0.0, high = 1.0 }\nfail = { values = [0, 1] }\n";
    let search = "kind = \"nsga2\"\nsamples = 16\ngeneration = 8";
    let top = format!("{AIMS}seeds = [1, 2]\nretries = 0\n");
    let rig = Rig::new(BASE, &sweep(&top, search, space));
    assert_eq!(rig.search(8, &Arc::default()).unwrap(), Ending::Complete);
    let (_, results) = rig.found();
    assert_eq!(results.rows.len(), 32);
    for c in &results.configurations {
        if c.values["fail"] == "1" {
            assert_eq!((c.failed, c.front), (2, Some(false)), "{}", c.name);
        } else {
            assert_eq!(c.done, 2);
            assert_eq!(c.aims["eval/knn"].standard_error, Some(0.0));
        }
    }
    // All cost the same: the front is the best one.
    let front = results
        .configurations
        .iter()
        .filter(|c| c.front == Some(true));
    assert_eq!(front.count(), 1);
    assert_eq!(results.configurations[0].front, Some(true));
    let late = points(&rig).split_off(8);
    let failing = late
        .iter()
        .filter(|point| point["fail"] == 1.into())
        .count();
    assert!(failing <= 3, "{failing} of 8 have a parent that failed");
}

#[test]
fn a_generation_without_a_result_is_the_last() {
    let space = "[search.space]\nquality = { low = 0.0, high = 1.0 }\n";
    let text = sweep(AIMS, "kind = \"nsga2\"\nsamples = 9\ngeneration = 3", space);
    let rig = Rig::new("epochs = 1\ngate = \"gate\"\n", &text);
    let gate = rig.path("gate");
    let base = format!("epochs = 1\ngate = \"{}\"\n", gate.display());
    fs::write(rig.path("base.toml"), base).unwrap();
    assert_eq!(rig.search(3, &Arc::default()).unwrap(), Ending::Complete);
    assert_eq!(rig.in_state(State::Failed).len(), 3);
    assert_eq!(points(&rig).len(), 3);
    // Once they can run, another try lets the search go on.
    fs::write(gate, "").unwrap();
    assert_eq!(
        rig.run_until(3, Arc::default(), true).unwrap(),
        Ending::Complete
    );
    assert_eq!(rig.search(3, &Arc::default()).unwrap(), Ending::Complete);
    assert_eq!(points(&rig).len(), 9);
}

#[test]
fn tpe_searches_a_stage_behind_another_and_budgets_stop_it() {
    let text = "name = \"s\"\nconfig = \"base.toml\"\nmetric = { name = \"eval/knn\" }\nbudget = { trials = 18 }\n\
                [[stages]]\nname = \"train\"\n[[stages]]\nname = \"find\"\nneeds = [\"train\"]\n\
                set = { from = \"{train}\" }\n\
                [stages.search]\nkind = \"tpe\"\nsamples = 24\ngeneration = 6\n\
                space = { quality = { low = 0.0, high = 1.0 }, pace = { low = 1, high = 2, integer = true } }\n";
    let rig = Rig::new(BASE, text);
    assert!(
        matches!(rig.search(6, &Arc::default()).unwrap(), Ending::Halted(why) if why.contains("18 trials"))
    );
    fs::write(rig.file(), text.replace("trials = 18", "trials = 100")).unwrap();
    assert_eq!(rig.search(6, &Arc::default()).unwrap(), Ending::Complete);
    let quality: Vec<f64> = points(&rig)
        .iter()
        .map(|point| point["quality"].as_float().unwrap())
        .collect();
    assert_eq!(quality.len(), 24);
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
    assert!(
        mean(&quality[12..]) > mean(&quality[..12]) + 0.15,
        "{quality:?}"
    );
    let status = afterimage_sweep::Status::read(rig.folder().path()).unwrap();
    assert_eq!(status.searches, [(Some("find".to_owned()), 24, 24)]);
    assert_eq!(status.stages[1].counts[&State::Done], 24);
}

#[test]
fn a_chosen_point_that_is_no_config_counts_as_failed() {
    // Refused above 100: what is drawn first is told at its line, what is chosen later is passed over.
    let space = "[search.space]\nquality = { low = 0.0, high = 1.0 }\nnested.x = { low = 0.0, high = 1.0 }\n";
    let rig = Rig::new(
        BASE,
        &sweep(AIMS, "kind = \"nsga2\"\nsamples = 8\ngeneration = 4", space),
    );
    rig.search(4, &Arc::default()).unwrap();
    let mut asked = afterimage_sweep::Asked::default();
    let wrong = [
        ("quality".to_owned(), toml::Value::Float(200.0)),
        ("nested.x".to_owned(), toml::Value::Float(0.5)),
    ];
    asked.push(&None, vec![wrong.into()]);
    let (_, plan) = rig.plan_with(&asked).unwrap();
    assert_eq!(plan.trials.len(), 4);
    assert!(
        plan.notes[0].contains("quality=200.0")
            && plan.notes[0].contains(": a point that the search chose")
            && plan.notes[0].contains("counts as failed (quality: must be below 100)"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn an_aim_that_no_run_has_ends_the_sweep() {
    let rig = Rig::new(
        BASE,
        &nsga2("", 8).replace("\"cost\", dir", "\"costs\", dir"),
    );
    let ending = rig.search(1, &Arc::default()).unwrap();
    assert!(
        matches!(&ending, Ending::Halted(why) if why.contains("reports no \"costs\" (aims); it reports")),
        "{ending:?}"
    );
    assert_eq!(rig.in_state(State::Pending).len(), 3);
}

#[test]
fn mistakes_are_told_at_their_lines() {
    let told = |text: &str, parts: &[&str]| {
        let rig = Rig::new(BASE, text);
        let error = rig.plan().unwrap_err().to_string();
        for part in parts {
            assert!(error.contains(part), "no {part:?} in\n{error}");
        }
        assert_eq!(error.lines().count(), parts.len(), "{error}");
    };
    let both = nsga2("metric = { name = \"eval/knn\" }\n", 8);
    told(
        &both,
        &["sweep.toml:3: aims: trials are judged by `metric` or by `aims`, not by both"],
    );
    let twice = nsga2("", 8).replace("name = \"cost\"", "name = \"eval/knn\"");
    told(
        &twice,
        &["sweep.toml:3: aims[1].name: \"eval/knn\" is there twice"],
    );
    let none = nsga2("", 8).replace(AIMS, "");
    told(&none, &["metric: missing: say what trials are judged by"]);
    let nothing = nsga2("", 8).replace(SPACE, "[search.space]\n");
    told(
        &nothing,
        &["sweep.toml:8: search.space: name at least one key and its range"],
    );
    let turned = nsga2("", 8).replace("low = 0.0, high = 1.0", "low = 1.0, high = 0.0");
    told(
        &turned,
        &["sweep.toml:9: search.space.quality: `low` must be below `high`; got 1 and 0"],
    );
    told(
        &nsga2("", 8).replace("nsga2", "tpe"),
        &["sweep.toml:5: search.kind: \"tpe\" searches for one aim"],
    );
    let one = nsga2("", 8).replace(AIMS, "metric = { name = \"eval/knn\" }\n");
    told(
        &one,
        &["sweep.toml:5: search.kind: \"nsga2\" searches for several `aims`"],
    );
    told(
        &nsga2("stopping = { kind = \"median\" }\n", 8)
            .replace("nsga2", "random")
            .replace("generation = 4\n", ""),
        &["sweep.toml:4: stopping: trials are stopped early by one metric"],
    );
    told(
        &nsga2("grid = { pace = [1, 2] }\narms = [{ name = \"a\" }]\n", 8),
        &[
            "sweep.toml:4: grid: a search by \"nsga2\" has no grid",
            "sweep.toml:5: arms[0]: beside a search",
        ],
    );
    told(
        &nsga2("", 8).replace("nsga2", "random"),
        &["sweep.toml:7: search.generation: belongs to the kinds"],
    );
}
