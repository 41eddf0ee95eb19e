//! Images, limits and numbers that a run cannot take as they are told, and what it says.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::Path;
use std::time::Duration;

use run::kill::killed;
use run::{Ended, Place, TINY, afterimage, assert_same, ends, finish, resume, supervised};

const UNITMEM: &str = "\n[[plugins]]\nkind = \"unitmem\"\npoints = 40\nviews = 2\n";

/// A gray picture in the simplest of formats.
fn picture(path: &Path, value: u8) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = b"P5 32 32 255\n".to_vec();
    bytes.extend((0..32u32 * 32).map(|at| value.wrapping_add((at % 251) as u8)));
    fs::write(path, bytes).unwrap();
}

/// Two classes of twelve pictures.
fn photos(place: &Place) {
    for class in ["a", "b"] {
        for number in 0..12u8 {
            let name = format!("photos/{class}/{number:02}.pgm");
            picture(&place.path(&name), number);
        }
    }
}

fn with(place: &Place, command: &str, text: &str, rest: &[&str]) -> Ended {
    let config = place.write("config.toml", text);
    let mut call = afterimage();
    call.current_dir(place.path(".")).arg(command).arg(config);
    finish(call.args(rest))
}

const FOLDER: [&str; 15] = [
    "--dry-run",
    "--set",
    "data.kind=folder",
    "--set",
    "data.train=photos",
    "--set",
    "data.size=32",
    "--set",
    "batch_size=8",
    "--set",
    "limits.train=20",
    "--set",
    "limits.held_out=4",
    "--set",
    "views.preset=weak",
];

#[test]
fn unusable_images_of_both_splits_are_told_at_once() {
    let place = Place::new();
    photos(&place);
    // Every sixth file is held out.
    fs::write(place.path("photos/a/03.pgm"), b"").unwrap();
    fs::write(place.path("photos/b/05.pgm"), b"<html></html>").unwrap();
    let ended = with(&place, "run", TINY, &FOLDER);
    assert!(matches!(ended.code, Some(1 | 2)), "{ended:?}");
    let code = ended.code.unwrap();
    ended.expect(
        code,
        &[
            "2 unusable image files",
            "photos/a/03.pgm",
            "photos/b/05.pgm",
        ],
    );
}

#[test]
fn files_that_are_no_images_are_counted_and_named() {
    let place = Place::new();
    photos(&place);
    let quiet = with(&place, "run", TINY, &FOLDER).expect(0, &[]);
    assert!(!quiet.out.contains("note:"), "{}", quiet.out);
    for name in ["a/12.heic", "a/13.avif", "a/14.svg", "b/.hidden"] {
        fs::write(place.path("photos").join(name), b"x").unwrap();
    }
    let ended = with(&place, "run", TINY, &FOLDER).expect(0, &[]);
    assert!(
        ended
            .out
            .contains("note: 3 files are no images that can be read: photos/a/12.heic, "),
        "{}",
        ended.out
    );
}

#[test]
fn a_limit_beyond_the_set_takes_all_of_it() {
    let place = Place::new();
    for limit in ["10000000000", "1000000000000", "9223372036854775807"] {
        let limit = format!("limits.train={limit}");
        let ended = with(&place, "run", TINY, &["--dry-run", "--set", &limit]).expect(0, &[]);
        for words in ["6000 training and 100 held-out", "note: limits.train is"] {
            assert!(ended.out.contains(words), "{}", ended.out);
        }
    }
}

#[test]
fn a_limit_that_cuts_the_set_is_told() {
    let place = Place::new();
    let few = ["--set", "limits.train=400", "--set", "epochs=1"];
    let words = "takes 400 of 6,000 training and 100 of 1,000 held-out images: limits.train, limits.held_out";
    let dry = with(&place, "run", TINY, &[&few[..], &["--dry-run"]].concat()).expect(0, &[]);
    assert!(dry.out.contains(&format!("note: {words}\n")), "{}", dry.out);
    with(&place, "run", TINY, &[&few[..], &["--out", "run"]].concat()).expect(0, &[words]);
    let whole = TINY.split("[limits]").next().unwrap().to_owned()
        + "\n["
        + TINY
            .split("[limits]")
            .nth(1)
            .unwrap()
            .split_once("\n[")
            .unwrap()
            .1;
    let dry = with(&place, "run", &whole, &["--dry-run"]).expect(0, &[]);
    assert!(!dry.out.contains("note:"), "{}", dry.out);
}

#[test]
fn numbers_that_no_machine_can_hold_are_refused_at_once() {
    let place = Place::new();
    let text = TINY.to_owned()
        + UNITMEM
        + "\n[pair]\ncandidates = 60\n\
           [[plugins]]\nkind = \"ownership\"\npoints = 40\nviews = 2\n\
           [[plugins]]\nkind = \"layermem\"\npoints = 20\nviews = 2\n\
           [[plugins]]\nkind = \"alignment-gap\"\npoints = 20\nviews = 2\n\
           [[plugins]]\nkind = \"embeddings\"\n";
    let text = text.as_str();
    let fine = with(&place, "check", text, &[]);
    fine.expect(0, &[]);
    for key in [
        "plugins.unitmem.views",
        "plugins.ownership.views",
        "plugins.ownership.draws",
        "plugins.layermem.views",
        "plugins.alignment-gap.views",
        "plugins.embeddings.batch",
        "epochs",
        "batch_size",
        "loader.depth",
        "loader.threads",
        "evaluation.batch_size",
        "projection.hidden",
        "encoder.width",
        "views.size",
    ] {
        for value in ["100000000", "9223372036854775807", "18446744073709551616"] {
            let set = format!("{key}={value}");
            let name = key.rsplit('.').next().unwrap();
            let out = place.path("out");
            let out = out.to_str().unwrap();
            // All three say the same; one of them is asked about every number.
            let ways = match value {
                "100000000" => 3,
                _ => 1,
            };
            for rest in [
                vec!["check"],
                vec!["run", "--dry-run"],
                vec!["run", "--out", out],
            ]
            .into_iter()
            .take(ways)
            {
                let mut arguments = rest[1..].to_vec();
                arguments.extend(["--set", &set]);
                let ended = with(&place, rest[0], text, &arguments);
                assert_eq!(ended.code, Some(2), "{set} {rest:?}: {ended:?}");
                assert!(ended.err.contains(name), "{set} {rest:?}: {ended:?}");
            }
        }
    }
    assert!(!place.path("out").exists());
}

#[test]
fn a_schedule_of_prune_that_ends_beyond_all_epochs_is_refused() {
    let place = Place::new();
    let text = TINY.to_owned()
        + UNITMEM
        + "[[plugins]]\nkind = \"prune\"\nschedule = { kind = \"linear\", begin = 0, end = 4294967295 }\n";
    with(&place, "check", &text, &[]).expect(2, &["schedule", "4294967295"]);
}

#[test]
fn probes_look_at_as_many_points_as_there_are() {
    let place = Place::new();
    let text = TINY.replace("epochs = 3", "epochs = 1")
        + "\n[overhead]\nwarn = 1.0\n[[plugins]]\nkind = \"unitmem\"\npoints = 150\nviews = 1\n\
           [[plugins]]\nkind = \"classmem\"\npoints = 150\nviews = 1\n";
    let note = "100 held-out points, as many as there are; 150 were asked for";
    let dry = with(&place, "run", &text, &["--dry-run"]).expect(0, &[]);
    assert_eq!(dry.out.matches(note).count(), 2, "{}", dry.out);
    let ended = with(&place, "run", &text, &["--out", "out"]).expect(0, &[note]);
    assert_eq!(ended.err.matches(note).count(), 2, "{}", ended.err);
    let metrics = fs::read_to_string(place.path("out/metrics.jsonl")).unwrap();
    for tag in ["unitmem/mean/train/all", "classmem/mean/train/all"] {
        assert!(metrics.contains(tag), "{tag}");
    }
}

#[test]
fn a_batch_that_the_images_do_not_fill_is_refused_before_a_run_too() {
    let place = Place::new();
    let rest = ["--dry-run", "--set", "batch_size=321"];
    with(&place, "run", TINY, &rest).expect(2, &["batch_size", "320"]);
}

#[test]
fn more_held_out_images_to_compare_with_than_there_are_are_refused_before_a_run_too() {
    let place = Place::new();
    let text = supervised() + "\n[[plugins]]\nkind = \"dynamics\"\nvalidation = 100000000\n";
    let words = ["validation", "100000000 held-out images", "config.toml:"];
    with(&place, "run", &text, &["--dry-run"]).expect(2, &words);
    with(&place, "run", &text, &["--out", "out"]).expect(2, &words);
    with(
        &place,
        "run",
        &text.replace("100000000", "100"),
        &["--dry-run"],
    )
    .expect(0, &[]);
}

/// The learning rates of a run, step by step.
fn rates(run: &Path) -> Vec<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["tag"] == "lr")
        .map(|line| line["value"].as_f64().unwrap())
        .collect()
}

#[test]
fn a_schedule_ends_with_the_run_where_a_plugin_makes_epochs_shorter() {
    let place = Place::new();
    let text = supervised();
    let whole = rates(&place.run("whole", &text, 0));
    let half = "\n[[plugins]]\nkind = \"coreset\"\nwarmup = 1\nfraction = 0.5\n";
    let halved = rates(&place.run("half", &(text.clone() + half), 0));
    // One epoch of ten steps, two of five.
    assert_eq!((whole.len(), halved.len()), (30, 20));
    assert_eq!(whole[..10], halved[..10]);
    // A step of the shorter epochs stands for two.
    assert_eq!(
        halved[10..],
        [11, 13, 15, 17, 19, 21, 23, 25, 27, 29].map(|at| whole[at])
    );
}

/// The epochs in which a plugin put numbers on record, of its tag `tag`.
fn epochs_of(run: &Path, tag: &str) -> Vec<(u64, u64)> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["tag"] == tag)
        .map(|line| {
            (
                line["epoch"].as_u64().unwrap(),
                line["step"].as_u64().unwrap(),
            )
        })
        .collect()
}

#[test]
fn ramps_and_shares_of_a_run_follow_shorter_epochs_and_a_resume() {
    let place = Place::new();
    // Ten steps, then four epochs of five.
    let text = TINY
        .replace("epochs = 3", "epochs = 5")
        .replace("[projection]\nhidden = 32\noutput = 16\n", "")
        .replace("kind = \"simclr\"", "kind = \"dino\"\nprototypes = 32\nlocal_views = 0\nwarmup_teacher_epochs = 2.0\nwarmup_teacher_temperature = 0.02")
        + "\n[[plugins]]\nkind = \"coreset\"\nproxy = \"features\"\npartition = \"none\"\nwarmup = 1\nfraction = 0.5\n\
           \n[[plugins]]\nkind = \"unitmem\"\npoints = 20\nviews = 2\nevery = \"20 %\"\n";
    let straight = place.run("straight", &text, 0);
    assert_eq!(rates(&straight).len(), 30);
    // An epoch is a fifth of the run, whatever its length.
    let seen = epochs_of(&straight, "unitmem/mean/train/all");
    assert_eq!(seen, [(0, 0), (1, 10), (2, 15), (3, 20), (4, 25), (5, 30)]);
    let config = place.path("straight.toml");
    for steps in [12, 17, 28] {
        let out = place.path(&format!("killed-{steps}"));
        assert!(killed(&config, &out, steps, Duration::from_millis(5)));
        resume(&out).expect(0, &[]);
        assert_same(&ends(&straight), &ends(&out), "ramps of shorter epochs");
    }
}
