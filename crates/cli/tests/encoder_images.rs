//! Images of other channels than an encoder's, and files that a probe must not write over.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::probed::probe;
use run::{Place, TINY, afterimage, assert_nothing, call, finish, last_checkpoint};

const FEW: [&str; 4] = ["--points", "10", "--views", "2"];

/// Two classes of thirty pictures in colour.
fn colours(place: &Place) -> PathBuf {
    for class in ["a", "b"] {
        let folder = place.path("colours").join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..30u32 {
            let mut bytes = b"P6 28 28 255\n".to_vec();
            bytes.extend((0..3 * 28 * 28u32).map(|at| ((at * (number + 3) + number) % 256) as u8));
            fs::write(folder.join(format!("{number:02}.ppm")), bytes).unwrap();
        }
    }
    place.path("colours")
}

/// A short run on embedded images, or on pictures in colour.
fn text(colours: Option<&Path>) -> String {
    let text = TINY
        .replace("epochs = 3", "epochs = 1")
        .replace("train = 320", "train = 40")
        .replace("held_out = 100", "held_out = 20")
        .replace("batch_size = 32", "batch_size = 8");
    let text = match colours {
        None => text,
        Some(folder) => {
            let data = format!("kind = \"folder\"\ntrain = {folder:?}\nsize = 28\n");
            text.replace("kind = \"embedded\"\n", &data)
                .replace("train = 40\nheld_out = 20\n", "")
        }
    };
    text + "\n[evaluation]\nevery = 0\n"
}

#[test]
fn gray_images_go_into_a_run_s_encoder_of_colour_and_not_the_other_way() {
    let place = Place::new();
    let folder = colours(&place);
    let gray = place.run("gray", &text(None), 0);
    let colour = place.run("colour", &text(Some(&folder)), 0);

    let embedded = [&FEW[..], &["--data", "embedded"]].concat();
    let ended = probe(&place, &colour, "out", &embedded).expect(0, &[]);
    let words = "the images are gray; each went in as three equal channels";
    assert!(ended.out.contains(words), "{}", ended.out);

    let images = format!("folder:{}", folder.display());
    let images = ["--data", images.as_str()];
    let words = [
        "the images have 3 channels; this encoder takes 1",
        "data.channels=1",
    ];
    probe(&place, &gray, "refused", &[&FEW[..], &images].concat()).expect(2, &words);
    assert_nothing(&place, "refused");
    let run = gray.to_str().unwrap();
    call(["ablate", run].iter().chain(&FEW).chain(&images)).expect(2, &words);
    let as_gray = [&FEW[..], &images, &["--set", "data.channels=1"]].concat();
    probe(&place, &gray, "as-gray", &as_gray).expect(0, &[]);

    // What an encoder is compared or begun with has its channels too.
    let words = ["its encoder takes images of 3 channels, and these have 1"];
    let reference = ["--reference", colour.to_str().unwrap()];
    probe(&place, &gray, "refused", &[&FEW[..], &reference].concat()).expect(2, &words);
    let tuned = format!("{}\n[fine_tune]\nfrom = {colour:?}\n", text(None));
    let config = place.write("tuned.toml", &tuned);
    let mut command = afterimage();
    command
        .arg("run")
        .arg(config)
        .arg("--out")
        .arg(place.path("tuned"));
    finish(&mut command).expect(2, &words);
}

#[test]
fn features_are_written_over_no_file() {
    let place = Place::new();
    let run = place.run("run", &text(None), 0);
    let model = last_checkpoint(&run).join("model.bpk");
    for file in [&model, &run.join("metrics.jsonl")] {
        let before = fs::read(file).unwrap();
        let features = ["--features", file.to_str().unwrap()];
        let words = ["--features", "this is there already"];
        probe(&place, &run, "out", &[&FEW[..], &features].concat()).expect(2, &words);
        assert_nothing(&place, "out");
        assert!(fs::read(file).unwrap() == before, "{}", file.display());
    }
}
