//! Whole runs on batches that are cut into shards.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::time::Duration;

use afterimage_testkit::draw;
use run::kill::killed;
use run::{
    EPOCH, Place, TINY, afterimage, assert_nothing, assert_same, checkpoints, ends, finish,
    learned, plugin, records, resume, tiny_pair, with_every_observer,
};

/// A config with its batches cut into four, and more keys for how.
fn cut(text: &str, keys: &str) -> String {
    format!("{text}\n[batch]\nshards = 4\n{keys}")
}

/// [`TINY`] with what measures and what acts: plans with weights, and masks.
fn acting() -> String {
    let plugins = [
        plugin("unitmem"),
        "\n[[plugins]]\nkind = \"oob-value\"\npatch = 7\nheads = 8\n".to_owned(),
        "\n[[plugins]]\nkind = \"coreset\"\nwarmup = 1\nrepeat = true\nproxy = \"features\"\n\
         weights = \"cluster-size\"\npartition = \"none\"\n"
            .to_owned(),
        "\n[[plugins]]\nkind = \"prune\"\nfraction = 0.3\n\
         schedule = { kind = \"one_shot\", epoch = 2 }\n"
            .to_owned(),
    ];
    TINY.to_owned() + &plugins.concat()
}

#[test]
fn one_shard_is_a_batch_in_one_piece_to_the_byte() {
    let place = Place::new();
    let whole = place.run("whole", &with_every_observer(), 3);
    let text = with_every_observer() + "\n[batch]\nshards = 1\n";
    let one = place.run("one", &text, 3);
    assert_same(&ends(&whole), &ends(&one), "one shard");
    let four = place.run("four", &cut(TINY, ""), 0);
    assert_ne!(learned(&whole)["model.bpk"], learned(&four)["model.bpk"]);
}

#[test]
fn observers_of_shards_do_not_change_a_bit_of_the_training() {
    let place = Place::new();
    let bare = place.run("bare", &cut(TINY, ""), 0);
    let watched = place.run("watched", &cut(&with_every_observer(), ""), 3);
    assert_same(&learned(&bare), &learned(&watched), "all observers");
    let bare = place.run("bare-pair", &cut(&tiny_pair(), ""), 0);
    let text = tiny_pair() + &plugin("layermem") + &plugin("ownership");
    let watched = place.run("watched-pair", &cut(&text, ""), 0);
    assert_same(&learned(&bare), &learned(&watched), "a pair's observers");
}

#[test]
fn the_bytes_of_shards_hang_on_no_number_of_threads() {
    let place = Place::new();
    for (keys, name) in [("", "own"), ("negatives = \"all\"\n", "all")] {
        let config = place.write("config.toml", &cut(&acting(), keys));
        let run = |threads: &str| {
            let out = place.path(&format!("{name}-{threads}"));
            let mut command = afterimage();
            command.arg("run").arg(&config).arg("--out").arg(&out);
            finish(command.env("RAYON_NUM_THREADS", threads)).expect(0, &[]);
            out
        };
        let one = run("1");
        for threads in ["2", "3"] {
            assert_same(&ends(&one), &ends(&run(threads)), threads);
        }
    }
}

#[test]
fn a_killed_run_on_shards_ends_as_a_straight_one() {
    let place = Place::new();
    let text = cut(&acting(), "").replace("epochs = 3", "epochs = 6");
    let straight = place.run("straight", &text, 0);
    let config = place.path("straight.toml");
    let expected = ends(&straight);
    let log = String::from_utf8(records(&straight)["decisions.jsonl"].clone()).unwrap();
    for kind in ["\"set_plan\"", "\"mask\""] {
        assert!(log.contains(kind), "{log}");
    }
    let mut hits = 0;
    for seed in 0..12 {
        let out = place.path(&format!("killed-{seed}"));
        let (step, delay) = (EPOCH * (1 + draw(seed, 4)), draw(seed + 100, 200));
        if !killed(&config, &out, step, Duration::from_millis(delay)) {
            continue;
        }
        assert!(
            checkpoints(&out)
                .last()
                .is_some_and(|&last| last < 6 * EPOCH)
        );
        resume(&out).expect(0, &[]);
        let what = format!("killed {delay} ms after step {step}");
        assert_same(&expected, &ends(&out), &what);
        hits += 1;
        if hits == 2 {
            return;
        }
    }
    panic!("only {hits} of 12 runs were alive when they were to be killed");
}

#[test]
fn every_objective_learns_on_shards() {
    let place = Place::new();
    let head = "[projection]\nhidden = 32\noutput = 16\n";
    let byol = "kind = \"byol\"\npredictor_hidden = 16";
    let dino = "kind = \"dino\"\nprototypes = 32\nlocal_views = 2\nlocal_size = 16";
    for (name, objective, with_head) in [
        ("simsiam", "kind = \"simsiam\"\npredictor_hidden = 16", true),
        ("byol", byol, true),
        ("dino", dino, true),
        ("supervised", "kind = \"supervised\"", false),
    ] {
        let mut text = TINY.replace("kind = \"simclr\"", objective);
        if !with_head {
            text = text.replace(head, "");
        }
        let run = place.run(name, &cut(&text, ""), 0);
        let again = place.run(&format!("{name}-again"), &cut(&text, ""), 0);
        assert_same(&ends(&run), &ends(&again), name);
    }
}

#[test]
fn batches_that_cannot_be_cut_are_refused_at_their_line() {
    let place = Place::new();
    let shards = |count: usize| format!("{TINY}\n[batch]\nshards = {count}\n");
    let supervised = TINY
        .replace("kind = \"simclr\"", "kind = \"supervised\"")
        .replace("[projection]\nhidden = 32\noutput = 16\n", "");
    for (text, words) in [
        (shards(0), ["batch.shards", "at least 1"]),
        (shards(3), ["batch.shards", "cannot be cut into 3 shards"]),
        (shards(32), ["batch.shards", "at least two samples"]),
        (
            cut(&supervised, "negatives = \"all\"\n"),
            ["batch.negatives", "compares no samples"],
        ),
        (
            TINY.replace("batch_size = 32", "batch = 32"),
            ["batch", "write `batch_size = 32`"],
        ),
    ] {
        let config = place.write("config.toml", &text);
        let out = place.path("run");
        let mut command = afterimage();
        command.arg("run").arg(&config).arg("--out").arg(&out);
        let told = finish(&mut command).expect(2, &words);
        assert!(told.err.contains("config.toml:"), "{}", told.err);
        assert_nothing(&place, "run");
    }
    let config = place.write("config.toml", &cut(TINY, "negatives = \"all\"\n"));
    let told = finish(afterimage().arg("run").arg(&config).arg("--dry-run")).expect(0, &[]);
    let shown = "batches of 32 in 4 shards, all of it compared";
    assert!(told.out.contains(shown), "{}", told.out);
    let config = place.write("config.toml", &cut(TINY, ""));
    let mut command = afterimage();
    command
        .arg("run")
        .arg(&config)
        .arg("--out")
        .arg(place.path("run"));
    finish(&mut command).expect(0, &["the 8 samples of its shard", "another loss"]);
}
