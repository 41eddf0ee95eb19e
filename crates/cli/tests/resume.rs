//! A run that is interrupted, or killed before its first checkpoint, and goes on as if nothing had been; runs
//! that are killed later are in `conformance.rs`.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use run::kill::{start, wait};
use run::{
    EPOCH, Files, Place, TINY, afterimage, assert_same, call, checkpoints, ends, last_checkpoint,
    resume, with_every_observer,
};

/// Six epochs with every observer: long enough to be hit in the middle.
fn long() -> String {
    with_every_observer().replace("epochs = 3", "epochs = 6")
}

const END: u64 = 6 * EPOCH;

fn straight(place: &Place) -> (PathBuf, Files) {
    let run = place.run("straight", &long(), 3);
    assert_eq!(checkpoints(&run).last(), Some(&END));
    (place.path("straight.toml"), ends(&run))
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let place = Place::new();
    let (config, expected) = straight(&place);
    for delay in [0, 30] {
        let out = place.path(&format!("killed-{delay}"));
        let mut child = start(&config, &out);
        assert!(wait(&mut child, || out.join("metrics.jsonl").exists()));
        std::thread::sleep(Duration::from_millis(delay));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(
            checkpoints(&out),
            [0; 0],
            "the first epoch took less than {delay} ms"
        );
        resume(&out).expect(3, &[]);
        assert_same(
            &expected,
            &ends(&out),
            &format!("killed {delay} ms after its start"),
        );
    }
}

#[test]
fn a_signal_leaves_a_checkpoint_from_which_the_run_ends_the_same() {
    let place = Place::new();
    let (config, expected) = straight(&place);
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let out = place.path(&format!("{signal} it's"));
        let told = place.path(&format!("{signal}.txt"));
        // As on a terminal, both outputs go to one place.
        let both = fs::File::create(&told).unwrap();
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        let mut child = command
            .stdout(both.try_clone().unwrap())
            .stderr(both)
            .spawn()
            .unwrap();
        assert!(wait(&mut child, || !checkpoints(&out).is_empty()));
        std::thread::sleep(Duration::from_millis(15));
        let sent = Command::new("kill")
            .args(["-s", signal, &child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        let ended = child.wait().unwrap();
        let message = fs::read_to_string(&told).unwrap();
        assert_eq!(ended.code(), Some(128 + number), "{message}");
        // What to do stands behind the tables, as a shell reads it.
        let line = message.lines().last().unwrap();
        let begin = format!(
            "interrupted by signal {number} after a checkpoint; go on with: afterimage resume "
        );
        let word = line.strip_prefix(&begin);
        let word = word.unwrap_or_else(|| panic!("{message}"));
        let read = Command::new("sh")
            .args(["-c", &format!("printf %s {word}")])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(read.stdout).unwrap(),
            out.to_str().unwrap()
        );
        let last = *checkpoints(&out).last().unwrap();
        assert!((EPOCH..END).contains(&last), "{last}");
        let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
        assert!(
            manifest.contains(&format!("interrupted by signal {number}")),
            "{manifest}"
        );

        resume(&out).expect(3, &[]);
        assert_same(
            &expected,
            &ends(&out),
            &format!("interrupted in step {last}"),
        );
        let manifest = fs::read_to_string(out.join("manifest.json")).unwrap();
        assert!(manifest.contains("\"completed\""), "{manifest}");
    }
}

#[test]
fn what_cannot_be_resumed_is_told_and_left_as_it_is() {
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    let before = ends(&run);
    resume(&run).expect(1, &["this run is complete; there is nothing to resume"]);
    assert_same(&before, &ends(&run), "a refused resume");

    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    resume(&empty).expect(1, &["this is no run directory: it has no config.toml"]);
    assert_eq!(
        fs::read_dir(&empty).unwrap().count(),
        0,
        "nothing is made in a foreign folder"
    );
    resume(&place.path("nowhere")).expect(1, &["nowhere", "this is no run directory"]);
    assert!(!place.path("nowhere").exists());

    let out = run.to_str().unwrap();
    let again = place.path("run.toml");
    call(["run", again.to_str().unwrap(), "--out", out]).expect(
        1,
        &[
            "this run directory is not empty",
            &format!("afterimage resume {out}"),
        ],
    );
    let spaced = place.path("a run");
    fs::rename(&run, &spaced).unwrap();
    let spaced = spaced.to_str().unwrap();
    let word = format!("afterimage resume '{spaced}'`");
    call(["run", again.to_str().unwrap(), "--out", spaced]).expect(1, &[&word]);
    let other = place.write("other.toml", &TINY.replace("seed = 7", "seed = 8"));
    let other = other.to_str().unwrap();
    call(["run", other, "--out", spaced, "--resume"]).expect(1, &[&word]);
}

/// A run that stopped after its second epoch.
fn stopped(place: &Place) -> PathBuf {
    // An intervention that fails stops the run with a checkpoint of its step.
    let text = TINY.to_owned() + "\n[[plugins]]\nkind = \"chaos\"\nstep = 25\nintervenes = true\n";
    let run = place.run("stopped", &text, 1);
    assert_eq!(checkpoints(&run).last(), Some(&25));
    run
}

#[test]
fn a_changed_config_is_refused_in_words() {
    let place = Place::new();
    let run = stopped(&place);
    let config = run.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();

    fs::write(&config, text.replace("peak = 0.002", "peak = 0.003")).unwrap();
    let refused = resume(&run).expect(1, &["another config", "schedule.peak"]);
    assert!(
        !refused.err.contains("delete this checkpoint"),
        "no advice to lose it: {refused:?}"
    );

    fs::write(&config, text.replace("step = 25", "step = 26")).unwrap();
    resume(&run).expect(1, &["another config", "plugins[0].step"]);

    fs::write(&config, &text).unwrap();
    resume(&run).expect(0, &[]);
}

#[test]
fn a_damaged_checkpoint_is_set_aside_for_the_one_before_it() {
    let place = Place::new();
    let run = stopped(&place);
    let last = last_checkpoint(&run);
    let aside = run.join("checkpoints/step-00000025.damaged");
    // The step that fails comes again, and leaves the same checkpoint.
    let again = |told: &[&str]| {
        let words = [told, &["set aside", "step-00000020", "failed at"]].concat();
        resume(&run).expect(1, &words);
        assert_eq!(checkpoints(&run).last(), Some(&25));
        fs::remove_dir_all(&aside).unwrap();
    };
    for file in ["model.bpk", "config.toml", "plugins.bin"] {
        let path = last.join(file);
        let named = path.to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        again(&[named, "do not match their hash"]);
        assert_eq!(fs::read(&path).unwrap(), bytes);
        fs::remove_file(&path).unwrap();
        again(&[named, "missing"]);
    }
    let contents = last.join("contents.json");
    let text = fs::read(&contents).unwrap();
    fs::write(&contents, &text[..text.len() / 2]).unwrap();
    again(&[contents.to_str().unwrap()]);
}
