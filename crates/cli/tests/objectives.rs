//! Every objective on real images: it learns, observers change nothing, and resume is exact.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::path::Path;

use run::{Place, TINY, assert_same, checkpoints, learned, plugin, records, resume};

/// The mean loss of each epoch.
fn losses(run: &Path) -> Vec<f64> {
    let text = String::from_utf8(records(run).remove("metrics.jsonl").unwrap()).unwrap();
    text.lines()
        .filter(|line| line.contains("\"loss/train\""))
        .map(|line| {
            let (_, value) = line.split_once("\"value\":").unwrap();
            value.trim_end_matches('}').parse().unwrap()
        })
        .collect()
}

/// [`TINY`] with another objective, its keys, and a transformer of one block where it needs one.
fn tiny(objective: &str, transformer: bool, head: bool) -> String {
    let text = TINY.replace("kind = \"simclr\"", objective);
    let text = if transformer {
        text.replace(
            "kind = \"resnet9\"\nwidth = 0.125",
            "kind = \"vit\"\npatch = 7\ndepth = 1",
        )
    } else {
        text
    };
    if head {
        text
    } else {
        text.replace("[projection]\nhidden = 32\noutput = 16\n", "")
    }
}

/// A run that an observer watches learns, and one that stops in the middle and goes on ends with the
/// same parameters, teachers and centres.
fn learns_and_resumes(text: &str) {
    let place = Place::new();
    let watched = place.run("watched", &(text.to_owned() + &plugin("unitmem")), 0);
    let losses = losses(&watched);
    assert_eq!(losses.len(), 3);
    assert!(losses[2] < losses[0], "the loss does not fall: {losses:?}");

    // An intervention that fails stops the run with a checkpoint of its step, in mid-epoch.
    let stopping = "\n[[plugins]]\nkind = \"chaos\"\nstep = 17\nintervenes = true\n";
    let stopped = place.run("stopped", &(text.to_owned() + stopping), 1);
    assert_eq!(checkpoints(&stopped).last(), Some(&17));
    resume(&stopped).expect(0, &[]);
    assert_same(&learned(&watched), &learned(&stopped), "stopped in step 17");
}

#[test]
fn simclr() {
    learns_and_resumes(&tiny("kind = \"simclr\"", false, true));
}

#[test]
fn simsiam() {
    learns_and_resumes(&tiny(
        "kind = \"simsiam\"\npredictor_hidden = 8",
        false,
        true,
    ));
}

#[test]
fn vicreg() {
    learns_and_resumes(&tiny("kind = \"vicreg\"", false, true));
}

#[test]
fn barlow_twins() {
    learns_and_resumes(&tiny("kind = \"barlow_twins\"", false, true));
}

#[test]
fn byol() {
    learns_and_resumes(&tiny(
        "kind = \"byol\"\npredictor_hidden = 16\nmomentum = 0.9",
        false,
        true,
    ));
}

#[test]
fn dino_on_a_convolutional_encoder() {
    learns_and_resumes(&tiny(
        "kind = \"dino\"\nprototypes = 32\nlocal_views = 2\nlocal_size = 16\nmomentum = 0.9\n\
         teacher_temperature = 0.07\nwarmup_teacher_epochs = 2.0\nfreeze_prototypes_epochs = 0.5",
        false,
        true,
    ));
}

#[test]
fn dino_on_a_transformer() {
    learns_and_resumes(&tiny(
        "kind = \"dino\"\nprototypes = 32\nlocal_views = 1\nmomentum = 0.9",
        true,
        true,
    ));
}

#[test]
fn mae() {
    learns_and_resumes(&tiny(
        "kind = \"mae\"\ndecoder_depth = 1\ndecoder_heads = 1",
        true,
        false,
    ));
}

#[test]
fn supervised() {
    learns_and_resumes(&tiny("kind = \"supervised\"", false, false));
}

#[test]
fn what_does_not_go_together_is_told_by_key() {
    let place = Place::new();
    let refused = |name: &str, text: String, words: &[&str]| {
        let config = place.write(&format!("{name}.toml"), &text);
        run::call(["check", config.to_str().unwrap()]).expect(2, words);
    };
    refused(
        "mae",
        tiny("kind = \"mae\"\nmask = 1.0", false, true),
        &[
            "encoder.kind: the objective \"mae\" hides tokens",
            "projection: the objective \"mae\" has no projection head",
            "objective.mask: is 1",
        ],
    );
    refused(
        "supervised",
        tiny("kind = \"supervised\"", false, true),
        &["projection: the objective \"supervised\" has no projection head"],
    );
    refused(
        "dino",
        tiny(
            "kind = \"dino\"\nlocal_size = 10\nlocal_scale = [0.4, 0.1]\nprototypes = 0",
            false,
            true,
        ),
        &[
            "objective.local_size: local views are 10 pixels high and wide; the encoder needs at \
             least 16",
            "objective.local_scale",
            "objective.prototypes",
        ],
    );
    refused(
        "patches",
        tiny("kind = \"dino\"\nlocal_size = 10", true, true),
        &["objective.local_size: local views are 10 pixels high and wide, which the patch of 7"],
    );
    refused(
        "byol",
        tiny("kind = \"byol\"\nmomentum = 1.5", false, true),
        &["objective.momentum: is 1.5"],
    );
    // Half the side of the images is known once they are read.
    let small = place.write(
        "small.toml",
        &tiny("kind = \"dino\"\nprototypes = 8", false, true),
    );
    let out = place.path("small");
    let arguments = [
        "run",
        small.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    run::call(arguments).expect(2, &["small.toml", "objective.local_size: ", "14 pixels"]);
    assert!(!out.exists());
}
