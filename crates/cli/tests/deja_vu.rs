//! The déjà-vu test of `afterimage probe`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;

use run::probed::{probe, scalars};
use run::{Place, TINY, afterimage, assert_nothing, assert_same, finish};

#[test]
fn the_deja_vu_test_needs_no_reference_and_is_the_same_on_any_number_of_threads() {
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    let few = [
        "--deja-vu",
        "--json",
        "--set",
        "unitmem.points=10",
        "--set",
        "deja_vu.points=40",
        "--set",
        "alignment.points=20",
    ];
    let first = probe(&place, &run, "first", &few).expect(0, &[]);
    assert!(first.out.contains("Déjà vu"), "{}", first.out);
    let told = scalars(&first, "deja_vu/");
    for tag in [
        "class/memorized",
        "class/null_se",
        "found/trained",
        "chance",
        "area_null",
    ] {
        assert!(
            told.contains_key(&format!("deja_vu/{tag}")),
            "{tag} {told:?}"
        );
    }
    assert!(scalars(&first, "alignment/").contains_key("alignment/area/embedding"));
    let points = fs::read_to_string(place.path("first/deja_vu/points.csv")).unwrap();
    assert_eq!(points.lines().count(), 81);
    let public = fs::read_to_string(place.path("first/deja_vu/public.csv")).unwrap();
    // Of 100 held-out images 60 are public.
    assert_eq!(public.lines().count(), 61);
    let mut command = afterimage();
    command
        .arg("probe")
        .arg(&run)
        .arg("--out")
        .arg(place.path("one"))
        .args(few);
    finish(command.env("RAYON_NUM_THREADS", "1")).expect(0, &[]);
    let folder = |name: &str| run::files_under(&place.path(name).join("deja_vu"));
    assert_same(&folder("first"), &folder("one"), "one thread");

    // Half of the held-out images at most are points, which is told.
    let many = [
        "--deja-vu",
        "--set",
        "unitmem.points=10",
        "--set",
        "deja_vu.points=90",
    ];
    let told = probe(&place, &run, "many", &many).expect(0, &[]);
    assert!(
        told.out.contains("deja_vu: 50 training points"),
        "{}",
        told.out
    );
    for (setting, words) in [
        ("deja_vu.part=1.0", ["deja_vu.part", "below 1"]),
        ("deja_vu.part=0.05", ["deja_vu.part", "pixels"]),
        ("deja_vu.k=0", ["deja_vu.k", "at least one"]),
    ] {
        probe(&place, &run, "wrong", &["--deja-vu", "--set", setting]).expect(2, &words);
        assert_nothing(&place, "wrong");
    }
}

/// [`TINY`] on noise pictures of one class.
fn one_class(place: &Place) -> String {
    for split in ["train", "test"] {
        let folder = place.path("images").join(split).join("thing");
        fs::create_dir_all(&folder).unwrap();
        for at in 0..40_u32 {
            // A gray picture of 28×28 as PGM.
            let mut bytes = b"P5 28 28 255\n".to_vec();
            let start = at * 784 + split.len() as u32;
            let grain = |pixel: u32| ((start + pixel).wrapping_mul(2_654_435_761) >> 24) as u8;
            bytes.extend((0..28 * 28).map(grain));
            fs::write(folder.join(format!("{at:02}.pgm")), bytes).unwrap();
        }
    }
    let folder = |split: &str| place.path("images").join(split).display().to_string();
    let images = format!(
        "kind = \"folder\"\ntrain = \"{}\"\nheld_out = \"{}\"\nsize = 28\nchannels = 1",
        folder("train"),
        folder("test")
    );
    TINY.replace("kind = \"embedded\"", &images)
        .replace("[limits]\ntrain = 320\nheld_out = 100\n", "")
        .replace("batch_size = 32", "batch_size = 8")
}

#[test]
fn where_there_is_one_class_no_number_is_told_of_guessing_it() {
    let place = Place::new();
    let run = place.run("run", &one_class(&place), 0);
    let few = ["--set", "unitmem.points=10", "--set", "alignment.points=10"];
    let flags = [&["--deja-vu", "--json"], &few[..]].concat();
    let ended = probe(&place, &run, "out", &flags).expect(0, &[]);
    assert!(ended.out.contains("of one class"), "{}", ended.out);
    let line = |name: &str| {
        let line = ended.out.lines().find(|line| line.starts_with(name));
        line.expect("a line").to_owned()
    };
    for name in ["class guessed", "area of neighbours"] {
        let told = line(name);
        assert!(told.contains('–') && !told.contains('0'), "{told}");
    }
    assert!(line("own image found").contains("0."));
    let told = scalars(&ended, "deja_vu/");
    assert!(!told.is_empty());
    let found = |tag: &String| tag.starts_with("deja_vu/found/");
    assert!(told.keys().all(found), "{told:?}");
}
