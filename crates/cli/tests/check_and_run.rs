//! What `check` passes, `run` must take, as far as no image is read.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::ffi::OsString;

use run::{Ended, Place, TINY, call};

fn called(place: &Place, command: &[&str], sets: &[&str]) -> Ended {
    let config = place.write("tiny.toml", TINY);
    let mut arguments: Vec<OsString> = vec![command[0].into(), config.into_os_string()];
    arguments.extend(command[1..].iter().map(OsString::from));
    for set in sets {
        arguments.extend(["--set".into(), OsString::from(set)]);
    }
    call(arguments)
}

#[test]
fn what_needs_no_image_is_refused_by_check_as_by_run() {
    let place = Place::new();
    let short = ["epochs=1", "schedule.warmup_epochs=0"];
    for (set, words) in [
        (
            "views.size=5",
            "views.size: views are 5 pixels high or wide; the encoder needs at least 16",
        ),
        (
            "limits.train=31",
            "batch_size: `limits.train` leaves 31 training images",
        ),
        (
            "schedule.warmup_epochs=2",
            "2 epochs of warm-up do not fit into `epochs` = 1; set this key to 1 at most, or raise `epochs`",
        ),
        (
            "plugins.unitmem.points=9",
            "the config has no plugin whose key could be set",
        ),
    ] {
        let sets = [&short[..], &[set]].concat();
        let out = place.path("out");
        called(&place, &["check"], &sets).expect(2, &[words]);
        called(&place, &["run", "--out", out.to_str().unwrap()], &sets).expect(2, &[words]);
        assert!(!out.exists(), "{set}");
    }
    called(
        &place,
        &["check"],
        &[&short[..], &["limits.train=32"]].concat(),
    )
    .expect(0, &[]);
}

#[test]
fn what_the_images_show_is_refused_by_a_dry_run_as_by_run() {
    let place = Place::new();
    for (set, words) in [
        (
            "encoder={kind=\"vit\", size=\"tiny\", patch=5, depth=1}",
            "encoder.patch: 5 does not divide the side of the views, 28 pixels",
        ),
        ("views.size=4096", "the output of one layer for"),
    ] {
        // As many rows as no machine has room for.
        let sets = ["batch_size=4096", "limits.train=4096", set];
        let out = place.path("out");
        called(&place, &["run", "--dry-run"], &sets).expect(2, &[words]);
        called(&place, &["run", "--out", out.to_str().unwrap()], &sets).expect(2, &[words]);
        assert!(!out.exists(), "{set}");
    }
}
