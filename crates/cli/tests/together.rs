//! Whole runs that threads compute together, as processes do under MPI: `scripts/processes.py` is for those.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use afterimage::data::order;
use afterimage::train::Group;
use afterimage::{Options, Registry};
use run::threads::together;
use run::{Place, TINY, assert_same, ends, plugin, records, supervised, tiny_pair};

const NOISY: &str = include_str!("configs/noisy.toml");

/// A config with its batches cut into four.
fn cut(text: &str) -> String {
    format!("{text}\n[batch]\nshards = 4\n")
}

/// How a process ended.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    /// Its own error.
    own: Result<(), String>,
    /// What it heard of errors of others after its end.
    news: Vec<String>,
}

fn member(config: &Path, out: &Path, group: Group) -> Ended {
    let registry = Registry::standard();
    let loaded = registry.load(config, &[]).unwrap();
    let options = Options {
        out: Some(out.to_owned()),
        progress: Box::new(|| Box::new(io::sink())),
        signal: Arc::default(),
        quiet: true,
        processes: group.clone(),
        started: Box::new(|_| ()),
    };
    let result = match group.is_first() {
        true => afterimage::run(&registry, &loaded, options).map(Some),
        false => afterimage::follow(&registry, &loaded, out, options),
    };
    let own = afterimage::ending(&result);
    let news = group.conclude(own.clone());
    Ended { own, news }
}

/// Runs `text` in `size` processes.
fn run_in(place: &Place, name: &str, text: &str, size: usize) -> (PathBuf, Vec<Ended>) {
    let config = place.write(&format!("{name}.toml"), text);
    let out = place.path(&format!("{name}-{size}"));
    let ended = together(size, |group| member(&config, &out, group));
    (out, ended)
}

/// Runs `text` in 1, 2 and 4 processes, which leave the same bytes.
fn alike(name: &str, text: &str) {
    let place = Place::new();
    let runs = [1, 2, 4].map(|size| {
        let (run, ended) = run_in(&place, name, text, size);
        let well = |ended: &Ended| ended.own.is_ok() && ended.news.is_empty();
        assert!(ended.iter().all(well), "{name} in {size}: {ended:?}");
        ends(&run)
    });
    for (size, files) in [2, 4].into_iter().zip(&runs[1..]) {
        assert_same(&runs[0], files, &format!("{name} in {size} processes"));
    }
}

#[test]
fn a_run_whose_views_nobody_sees_has_the_bytes_of_one_process() {
    let values = "\n[[plugins]]\nkind = \"oob-value\"\npatch = 7\nheads = 8\n";
    // Plans with weights in which samples come again, each time with other views.
    let again = "\n[[plugins]]\nkind = \"coreset\"\nwarmup = 1\nrepeat = true\nproxy = \"features\"\n\
                 weights = \"cluster-size\"\npartition = \"none\"\n";
    let text = TINY.to_owned() + &plugin("unitmem") + values + again;
    alike("acting", &cut(&text));
    alike("all", &(cut(&text) + "negatives = \"all\"\n"));
}

#[test]
fn local_views_and_those_of_a_reference_are_shared_out_too() {
    let dino = "kind = \"dino\"\nprototypes = 32\nlocal_views = 2\nlocal_size = 16";
    let shorter = |text: &str| cut(&text.replace("epochs = 3", "epochs = 2"));
    alike("dino", &shorter(&TINY.replace("kind = \"simclr\"", dino)));
    alike("pair", &shorter(&(tiny_pair() + &plugin("layermem"))));
}

#[test]
fn a_run_whose_views_are_mixed_has_the_bytes_of_one_process() {
    let mixed =
        "\n[[plugins]]\nkind = \"coreset\"\npreset = \"crust-paper\"\nwarmup = 1\nrepeat = true\n";
    let text = NOISY.replace("epochs = 4", "epochs = 3") + mixed;
    alike("mixed", &cut(&text));
}

/// A gray picture, a pattern of its own for each `seed`.
fn picture(seed: u32) -> Vec<u8> {
    let mut bytes = b"P5 28 28 255\n".to_vec();
    let pixel =
        |at: u32| ((at % 28) * (seed % 7 + 1) + (at / 28) * (seed % 11 + 2) + 37 * seed) % 256;
    bytes.extend((0..28 * 28).map(|at| pixel(at) as u8));
    bytes
}

/// Writes `each` pictures of four classes into a folder; their names in the order of ids.
fn pictures(folder: &Path, each: u32) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for class in 0..4 {
        let class_folder = folder.join(class.to_string());
        fs::create_dir_all(&class_folder).unwrap();
        for at in 0..each {
            let path = class_folder.join(format!("{at:03}.pgm"));
            fs::write(&path, picture(1000 * class + at)).unwrap();
            paths.push(path);
        }
    }
    paths
}

/// `text` on pictures in their files, with nobody who looks at them but the steps.
fn on_files(text: &str, train: &Path, held_out: &Path) -> String {
    let data = format!(
        "kind = \"folder\"\ntrain = {train:?}\nheld_out = {held_out:?}\nsize = 28\nchannels = 1\n\
         lazy = true\n"
    );
    let text = text.replace("kind = \"embedded\"\n", &data);
    let text = text.replace("[limits]\ntrain = 320\nheld_out = 100\n", "");
    cut(&text) + "\n[evaluation]\nevery = 0\n"
}

#[test]
fn a_damaged_image_that_one_process_comes_to_ends_all_of_them() {
    let place = Place::new();
    let (train, held_out) = (place.path("train"), place.path("held-out"));
    let names = pictures(&train, 80);
    pictures(&held_out, 5);
    // In the third step: the second of two processes computes its shard, and the third of four.
    let bad = order(7, 1, names.len())[2 * 32 + 20];
    let bad = &names[bad.0 as usize];
    fs::write(bad, b"no picture").unwrap();

    let text = on_files(TINY, &train, &held_out);
    let (alone, ended) = run_in(&place, "bare", &text, 1);
    let error = ended[0].own.clone().unwrap_err();
    let name = bad.file_name().unwrap().to_str().unwrap();
    assert!(error.contains(name), "{error}");
    let metrics = String::from_utf8(records(&alone)["metrics.jsonl"].clone()).unwrap();
    assert!(metrics.contains("\"step\":2") && !metrics.contains("\"step\":3"));
    for (size, rank) in [(2, 1), (4, 2)] {
        let (run, ended) = run_in(&place, "bare", &text, size);
        for (process, ended) in ended.iter().enumerate() {
            // It is one process's own error; the others came to none, and hear of it.
            let told = match process == rank {
                true => error.clone(),
                false => format!("process {rank} of {size} failed: {error}"),
            };
            assert_eq!(ended.own, Err(told), "process {process} of {size}");
            assert_eq!(ended.news, [""; 0]);
        }
        assert_same(&records(&alone), &records(&run), "before the image");
    }

    // Where views are seen, all of them come to the image, and it is one error, too.
    let mixed = "\n[[plugins]]\nkind = \"coreset\"\nwarmup = 1\nrepeat = true\nproxy = \"features\"\n\
                 mixup = \"label\"\n";
    let text = on_files(&(supervised() + mixed), &train, &held_out);
    for size in [1, 2, 4] {
        let (_, ended) = run_in(&place, "mixed", &text, size);
        for ended in ended {
            let (own, news) = (Err(error.clone()), Vec::new());
            assert_eq!(ended, Ended { own, news }, "{size} processes");
        }
    }
}
