//! Coresets in a run: plans, exact resume, gates, control arms, and what is refused.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use run::{
    Ended, Files, Place, afterimage, assert_same, call, checkpoints, ends, files_under, finish,
    last_checkpoint, records, resume,
};

const NOISY: &str = include_str!("configs/noisy.toml");
/// Steps of an epoch of [`NOISY`].
const EPOCH: u64 = 10;

fn with(plugins: &str) -> String {
    format!("{NOISY}\n{plugins}")
}

/// A coreset from the second epoch on, with `keys`.
fn coreset(keys: &str) -> String {
    format!("[[plugins]]\nkind = \"coreset\"\nwarmup = 1\nrepeat = true\n{keys}\n")
}

/// Values out of bag on patches, from the second epoch on.
const OOB: &str = "[[plugins]]\nkind = \"oob-value\"\npatch = 7\nheads = 8\n";
const QUALITY: &str = "[[plugins]]\nkind = \"coreset-quality\"\n";

/// The values of a scalar, in order of steps.
fn scalar(run: &Path, tag: &str) -> Vec<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["tag"] == tag)
        .map(|line| line["value"].as_f64().unwrap())
        .collect()
}

fn decisions(run: &Path) -> String {
    fs::read_to_string(run.join("decisions.jsonl")).unwrap_or_default()
}

fn check(place: &Place, text: &str) -> Ended {
    call([
        "check".as_ref(),
        place.write("config.toml", text).as_os_str(),
    ])
}

/// Every way to choose, each under a name.
fn ways(place: &Place) -> Vec<(&'static str, String)> {
    let row = |id: u32| {
        let x = f64::from(id);
        format!(
            "{},{},{}\n",
            (x * 0.7).sin(),
            (x * 1.3).cos(),
            (x * 2.9).sin()
        )
    };
    let rows = place.write("rows.csv", &(0..320).map(row).collect::<String>());
    let frozen = format!(
        "embeddings = {:?}\n[plugins.gate]\nfrozen = true\nclassifier = true\ntransitions = \"balanced\"",
        rows.display().to_string()
    );
    vec![
        ("released", coreset("preset = \"crust-released\"")),
        (
            "paper",
            coreset("preset = \"crust-paper\"\nmemory = \"64MB\""),
        ),
        ("random", coreset("strategy = \"random\"\nfraction = 0.3")),
        (
            "small-loss",
            coreset("strategy = \"small-loss\"\ngather = false"),
        ),
        (
            "stale",
            coreset(
                "proxy = \"last-layer\"\nstaleness = 1\nthreads = 2\nrefresh = 0.5\nweights = \"cluster-size\"",
            ),
        ),
        (
            "drift",
            coreset("drift = 0.05\npartition = \"prediction\"\nevery = 3"),
        ),
        ("gate", coreset("[plugins.gate]\nthreshold = 0.3")),
        (
            "gate-classifier",
            coreset("[plugins.gate]\nclassifier = true\nexpected = true\nlosses = false"),
        ),
        ("gate-transitions", coreset(&frozen)),
        (
            "gate-random",
            coreset("[plugins.gate]\nfill = \"random\"\nthreshold = 0.3\npermute = true"),
        ),
        (
            "gate-values",
            coreset(
                "[plugins.gate]\nvalues = true\nlosses = false\nneighbours = 10\nthreshold = 0.3",
            )
            .replace("warmup = 1", "warmup = 2")
                + OOB,
        ),
        (
            "oracle",
            "[[plugins]]\nkind = \"coreset-oracle\"\nwarmup = 1\nrepeat = true\n".to_owned(),
        ),
    ]
}

#[test]
fn every_way_to_choose_trains_as_many_steps_as_on_everything() {
    let place = Place::new();
    for (name, plugins) in ways(&place) {
        let run = place.run(name, &with(&(plugins + QUALITY)), 0);
        assert_eq!(checkpoints(&run).last(), Some(&(4 * EPOCH)), "{name}");
        assert!(
            !decisions(&run).contains("refused"),
            "{name}: {}",
            decisions(&run)
        );
        let plans = decisions(&run).matches("set_plan").count();
        let late = ["stale", "gate-values"].contains(&name);
        assert_eq!(plans, if late { 2 } else { 3 }, "{name}");
        let clean = scalar(&run, "coreset/clean");
        assert_eq!(clean.len(), plans, "{name}");
        assert!(
            clean.iter().all(|x| (0.0..=1.0).contains(x)),
            "{name}: {clean:?}"
        );
        if name == "oracle" {
            assert_eq!(clean, [1.0; 3]);
        }
        assert!(scalar(&run, "eval/accuracy").len() >= 4, "{name}");
    }
}

/// Starts a run and kills it as soon as its checkpoint of `step` appears.
fn kill_at(config: &Path, out: &Path, step: u64, delay: u64) -> bool {
    let mut command = afterimage();
    command.arg("run").arg(config).arg("--out").arg(out);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let patience = Instant::now() + Duration::from_secs(120);
    while checkpoints(out).last().is_none_or(|&last| last < step) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < patience, "the run hangs");
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(delay));
    let alive = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    alive
}

#[test]
fn a_killed_run_ends_as_a_straight_one_with_every_way_to_choose() {
    let place = Place::new();
    for (name, plugins) in ways(&place) {
        let text = with(&(plugins + QUALITY)).replace("epochs = 4", "epochs = 5");
        let straight = place.run(name, &text, 0);
        let config = place.path(&format!("{name}.toml"));
        let mut hits = 0;
        for (step, delay) in [(EPOCH, 0), (2 * EPOCH, 0), (2 * EPOCH, 40), (3 * EPOCH, 0)] {
            let out = place.path(&format!("{name}-{step}-{delay}"));
            if kill_at(&config, &out, step, delay) {
                resume(&out).expect(0, &[]);
                assert_same(
                    &ends(&straight),
                    &ends(&out),
                    &format!("{name} after {step}"),
                );
                hits += 1;
            }
        }
        assert!(
            hits > 0,
            "{name}: no run was alive when it was to be killed"
        );
    }
}

#[test]
fn a_signal_in_the_middle_of_a_coreset_s_epoch_loses_nothing() {
    let place = Place::new();
    let text = with(&(coreset("preset = \"crust-paper\"\nstaleness = 1") + QUALITY));
    let text = text.replace("epochs = 4", "epochs = 8");
    let straight = place.run("straight", &text, 0);
    let out = place.path("stopped");
    let mut command = afterimage();
    command
        .arg("run")
        .arg(place.path("straight.toml"))
        .arg("--out")
        .arg(&out);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while checkpoints(&out)
        .last()
        .is_none_or(|&last| last < 3 * EPOCH)
    {
        assert!(child.try_wait().unwrap().is_none(), "the run ended early");
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    resume(&out).expect(0, &[]);
    assert_same(&ends(&straight), &ends(&out), "stopped by a signal");
}

#[test]
fn the_same_bytes_on_any_number_of_threads() {
    let place = Place::new();
    for (name, plugins) in ways(&place)
        .into_iter()
        .filter(|(name, _)| ["paper", "stale", "gate", "gate-transitions"].contains(name))
    {
        let text = with(&(plugins + QUALITY));
        let first = place.run(name, &text, 0);
        let config = place.path(&format!("{name}.toml"));
        let out = place.path(&format!("{name}-one"));
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        finish(command.env("RAYON_NUM_THREADS", "1")).expect(0, &[]);
        assert_same(&ends(&first), &ends(&out), name);
        // Threads of the selection are part of the config, and still change no number.
        let threads = text.replace("threads = 2\n", "");
        let threads = threads.replace("repeat = true", "repeat = true\nthreads = 3");
        let other = place.run(&format!("{name}-three"), &threads, 0);
        let learned = |run: &Path| -> Files {
            let mut files = files_under(&last_checkpoint(run));
            files.retain(|name, _| name == "model.bpk" || name == "optimizer.bpk");
            files
        };
        assert_same(&learned(&first), &learned(&other), name);
        assert_eq!(
            records(&first)["metrics.jsonl"],
            records(&other)["metrics.jsonl"],
            "{name}"
        );
    }
}

#[test]
fn measuring_changes_nothing() {
    let place = Place::new();
    let plugins = coreset("preset = \"crust-paper\"");
    let bare = place.run("bare", &with(&plugins), 0);
    let embeddings = "[[plugins]]\nkind = \"embeddings\"\n";
    let watched = place.run("watched", &with(&(plugins + QUALITY + embeddings)), 0);
    for name in ["model.bpk", "optimizer.bpk"] {
        let of = |run: &Path| fs::read(last_checkpoint(run).join(name)).unwrap();
        assert_eq!(of(&bare), of(&watched), "{name}");
    }
    assert!(watched.join("tables").read_dir().unwrap().count() >= 2);
}

#[test]
fn embeddings_of_one_run_choose_for_another() {
    let place = Place::new();
    let embed = with("[[plugins]]\nkind = \"embeddings\"\n");
    let first = place.run("first", &embed, 0);
    let table = files_under(&first.join("tables"));
    let name = table
        .keys()
        .find(|name| name.contains("embeddings"))
        .unwrap();
    let path = first.join("tables").join(name);
    let keys = format!(
        "proxy = \"embeddings\"\nembeddings = {:?}\npartition = \"cluster\"\n",
        path.display().to_string()
    );
    // Without labels, for an objective without any, and before the first step.
    let text = with(&coreset(&keys).replace("warmup = 1", "warmup = 0"))
        .replace("kind = \"supervised\"", "kind = \"simclr\"");
    let run = place.run("chosen", &text, 0);
    assert_eq!(decisions(&run).matches("applied").count(), 4);
    let shown = check(&place, &text).expect(0, &[]).out;
    assert!(!shown.contains("reads labels"), "{shown}");
    let fewer = text.replace("train = 320", "train = 300");
    let config = place.write("fewer.toml", &fewer);
    let out = place.path("fewer");
    finish(afterimage().arg("run").arg(config).arg("--out").arg(&out))
        .expect(1, &["has 320 rows", "300 samples"]);
    // Files are looked at before anything is trained.
    for gate in ["", "[plugins.gate]\nfrozen = true\n"] {
        let keys = format!("proxy = \"embeddings\"\nembeddings = \"nowhere.npy\"\n{gate}");
        let config = place.write("nowhere.toml", &with(&coreset(&keys)));
        let out = place.path("nowhere");
        finish(afterimage().arg("run").arg(config).arg("--out").arg(&out)).expect(
            1,
            &[
                "nowhere.toml:",
                "embeddings",
                "nowhere.npy",
                "name a file",
                "step 0",
            ],
        );
        fs::remove_dir_all(&out).unwrap();
    }
}

#[test]
fn memorization_chooses_for_an_objective_without_labels() {
    let place = Place::new();
    let numbers = |of: &dyn Fn(u32) -> u32| -> String {
        (0..320).map(|id| format!("{}\n", of(id))).collect()
    };
    let units = place.write("units.csv", &numbers(&|id| id * 7 % 320));
    let keys = |rest: &str| {
        let units = units.display();
        let keys = format!(
            "strategy = \"memorization\"\nproxy = \"features\"\npartition = \"none\"\n\
             fraction = 0.25\ntable = true\n[plugins.memorization]\nunitmem = \"{units}\"\n{rest}"
        );
        with(&coreset(&keys)).replace("kind = \"supervised\"", "kind = \"simclr\"")
    };
    let mean = |name: &str, rest: &str| {
        let run = place.run(name, &keys(rest), 0);
        let tables = run.join("tables/coreset.chosen");
        let first = files_under(&tables).into_keys().next().unwrap();
        let table = afterimage::track::read_table(&tables.join(first)).unwrap();
        let ids = table.columns.into_iter().find(|(name, _)| name == "sample");
        let Some((_, afterimage::hooks::Column::I64(ids))) = ids else {
            panic!("no ids in the table");
        };
        assert_eq!(ids.len(), 80);
        ids.iter().map(|id| (id * 7 % 320) as f64).sum::<f64>() / 80.0
    };
    let memorized = mean("memorized", "bonus = 1.0");
    let typical = mean("typical", "prefer = \"typical\"\nbonus = 1.0");
    let neither = mean("neither", "bonus = 0.0");
    assert!(
        typical < neither && neither < memorized,
        "{typical} {neither} {memorized}"
    );
    let shown = check(&place, &keys("")).expect(0, &[]).out;
    assert!(!shown.contains("reads labels"), "{shown}");

    let broken = |name: &str, text: &str, words: &[&str]| {
        fs::write(&units, text).unwrap();
        let config = place.write(&format!("{name}.toml"), &keys(""));
        let out = place.path(name);
        finish(afterimage().arg("run").arg(config).arg("--out").arg(out)).expect(1, words);
    };
    let nan = numbers(&|id| id).replacen("5\n", "nan\n", 1);
    broken(
        "nan",
        &nan,
        &["units.csv", "`memorization.unitmem`", "sample 5 in line 6"],
    );
    broken(
        "short",
        "1\n2\n",
        &["`memorization.unitmem` has 2 numbers for 320 samples"],
    );
    let text = numbers(&|id| id).replacen("5\n", "five\n", 1);
    broken("text", &text, &["units.csv:6", "\"five\" is no number"]);
}

#[test]
fn noise_is_seeded_and_the_held_out_split_is_clean() {
    let place = Place::new();
    let digest = |run: &Path| {
        let manifest = fs::read_to_string(run.join("manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
        manifest["data_sha256"].as_str().unwrap().to_owned()
    };
    let noisy = digest(&place.run("noisy", NOISY, 0));
    let clean = digest(&place.run(
        "clean",
        &NOISY.replace("fraction = 0.4", "fraction = 0.0"),
        0,
    ));
    let [noisy_train, noisy_held] = [0, 1].map(|at| noisy.split('+').nth(at).unwrap());
    let [clean_train, clean_held] = [0, 1].map(|at| clean.split('+').nth(at).unwrap());
    assert_ne!(noisy_train, clean_train);
    assert_eq!(noisy_held, clean_held);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_key() {
    let place = Place::new();
    let refused = |text: &str, words: &[&str]| {
        check(&place, text).expect(2, words);
    };
    refused(
        &NOISY.replace("0.4", "1.4"),
        &["label_noise.fraction", "not in [0, 1]"],
    );
    refused(
        &NOISY.replace("symmetric", "salty"),
        &["label_noise.kind", "salty"],
    );
    refused(&with(&coreset("fraction = 0.0")), &["plugins[0].fraction"]);
    refused(&with(&coreset("radius = 2.0")), &["plugins[0].radius"]);
    refused(
        &with(&coreset("memory = \"lots\"")),
        &["memory", "no amount of memory"],
    );
    refused(
        &with(&coreset("proxy = \"embeddings\"")),
        &["plugins[0].embeddings"],
    );
    refused(
        &with(&coreset("strategy = \"glister\"")),
        &["plugins[0].strategy"],
    );
    refused(
        &with(&coreset("[plugins.gate]\nlosses = false\nneighbours = 0")),
        &["plugins[0].gate", "needs a signal"],
    );
    refused(
        &with(&coreset("strategy = \"memorization\"")),
        &["plugins[0].memorization", "name the files of scores"],
    );
    refused(
        &with(&coreset("[plugins.gate]\nvalues = true")),
        &["values.samples", "no plugin provides"],
    );
    refused(&with(QUALITY), &["coreset.selection", "no plugin provides"]);
    refused(
        &with(&(coreset("") + "[[plugins]]\nkind = \"coreset-oracle\"\n")),
        &["both provide \"coreset.selection\""],
    );
}

#[test]
fn a_control_arm_is_named_where_plugins_are_listed() {
    let place = Place::new();
    let oracle = "[[plugins]]\nkind = \"coreset-oracle\"\n".to_owned() + QUALITY;
    let shown = check(&place, &with(&oracle)).expect(0, &[]).out;
    assert!(shown.contains("ORACLE: acts on the true labels"), "{shown}");
    assert!(shown.contains("measures by the true labels"), "{shown}");
}

#[test]
fn a_coreset_that_fills_no_batch_stops_the_run() {
    let place = Place::new();
    let run = |name: &str, text: &str, words: &[&str]| {
        let config = place.write(&format!("{name}.toml"), text);
        let out = place.path(name);
        finish(afterimage().arg("run").arg(config).arg("--out").arg(out)).expect(1, words);
    };
    let small = coreset("fraction = 0.05").replace("repeat = true\n", "");
    run(
        "small",
        &with(&small),
        &["does not fill a batch of 32", "repeat = true"],
    );
    let gate = coreset("[plugins.gate]\nthreshold = 1.0\nat_least = 0.0\nneighbours = 0");
    run("closed", &with(&gate), &["threshold", "admits none"]);
}
