//! Numbers that went wrong are told where they are met, and not passed on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::Path;

use run::{Ended, Place, TINY, afterimage, finish, last_checkpoint};
use sha2::{Digest as _, Sha256};

fn start(place: &Place, name: &str, text: &str, settings: &[&str]) -> Ended {
    let config = place.write(&format!("{name}.toml"), text);
    let mut command = afterimage();
    command.arg("run").arg(config);
    command.arg("--out").arg(place.path(name));
    settings.iter().for_each(|set| {
        command.args(["--set", set]);
    });
    finish(&mut command)
}

fn of(place: &Place, command: &str, checkpoint: &Path, out: &str) -> Ended {
    finish(
        afterimage()
            .arg(command)
            .arg(checkpoint)
            .arg("--out")
            .arg(place.path(out)),
    )
}

/// Puts NaN in front of the values of an encoder's weight in a checkpoint, as training that diverged
/// does; gives the weight's name.
fn poison(checkpoint: &Path) -> String {
    let digest = |bytes: &[u8]| -> String {
        let hash = Sha256::digest(bytes);
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let path = checkpoint.join("model.bpk");
    let mut record = fs::read(&path).unwrap();
    let before = digest(&record);
    let reader = burn_pack::Reader::from_bytes(burn::tensor::Bytes::from_bytes_vec(record.clone()));
    let tensors = reader.unwrap().into_tensors().unwrap();
    let weight = tensors
        .iter()
        .find(|tensor| tensor.name.starts_with("encoder.") && tensor.name.ends_with("conv.weight"))
        .expect("a convolution");
    let values = weight.to_bytes().unwrap();
    let at = record
        .windows(values.len())
        .position(|bytes| bytes == &values[..])
        .expect("its values");
    record[at..at + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, &record).unwrap();
    let contents = checkpoint.join("contents.json");
    let text = fs::read_to_string(&contents).unwrap();
    assert!(text.contains(&before));
    fs::write(&contents, text.replace(&before, &digest(&record))).unwrap();
    weight.name.clone()
}

/// What training that diverged left behind computes nothing; whoever starts from it is told.
#[test]
fn weights_that_are_not_finite_are_refused_by_name() {
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    let last = last_checkpoint(&run);
    let name = poison(&last);
    let name = name.trim_start_matches("encoder.");
    let words = [
        "model.bpk",
        "weights that are not finite",
        name,
        "(1 of ",
        "the first at [0, 0, 0, 0]: NaN)",
    ];
    for checkpoint in [&run, &last] {
        of(&place, "probe", checkpoint, "probe").expect(1, &words);
    }
    of(&place, "compact", &last, "compact").expect(1, &words);
    let from = last.display();
    let text = format!("{TINY}\n[fine_tune]\nfrom = \"{from}\"\n").replace("seed = 7", "seed = 8");
    let ended = start(&place, "fine", &text, &[]);
    assert!(!format!("{ended:?}").contains("schedule.peak"), "{ended:?}");
    ended.expect(2, &words);
}

/// Of one class every answer is right: no accuracy is told.
#[test]
fn one_class_has_no_accuracy() {
    let place = Place::new();
    let folder = place.path("images/only");
    fs::create_dir_all(&folder).unwrap();
    for at in 0..40_u8 {
        // A gray picture of 28×28 as PGM.
        let mut bytes = b"P5 28 28 255\n".to_vec();
        bytes.extend((0..28 * 28).map(|pixel| (pixel as u8).wrapping_mul(at + 1)));
        fs::write(folder.join(format!("{at:02}.pgm")), bytes).unwrap();
    }
    let images = place.path("images");
    let folder = format!(
        "kind = \"folder\"\ntrain = \"{}\"\nsize = 28\nchannels = 1",
        images.display()
    );
    let text = TINY
        .replace("kind = \"embedded\"", &folder)
        .replace("[limits]\ntrain = 320\nheld_out = 100\n", "")
        .replace("batch_size = 32", "batch_size = 8");
    let ended = start(&place, "run", &text, &[]).expect(0, &["of one class"]);
    assert!(!ended.out.contains("kNN"), "{}", ended.out);
}
