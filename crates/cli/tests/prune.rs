//! Pruning while training goes on: masks, cleared parameters, smaller models, and going on exactly.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod pruned;
mod run;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use afterimage_testkit::draw;
use pruned::{checkpoint, chosen, pruned, tensors};
use run::kill::killed;
use run::{
    EPOCH, Place, TINY, afterimage, assert_same, call, checkpoints, ends, finish, plugin, resume,
    tiny_pair, with_every_observer,
};

#[test]
fn pruned_units_get_no_update_and_others_do() {
    let place = Place::new();
    let optimizers = [
        ("adamw", "kind = \"adamw\"\nweight_decay = 1e-2"),
        ("sgd", "kind = \"sgd\"\nmomentum = 0.9\nweight_decay = 1e-2"),
        (
            "lars",
            "kind = \"lars\"\nmomentum = 0.9\nweight_decay = 1e-2",
        ),
    ];
    for (name, optimizer) in optimizers {
        let text = TINY.replace("kind = \"adamw\"\nweight_decay = 1e-4", optimizer)
            + "\n[checkpoints]\nkeep_last = 9\n";
        let text = pruned(
            &text,
            "fraction = 0.5\nschedule = { kind = \"one_shot\", epoch = 1 }",
        );
        let run = place.run(name, &text, 0);
        let gone = &chosen(&run)["encoder.prep.act"];
        assert!(!gone.is_empty());
        // The checkpoint of an epoch lies behind its end, and so behind the pruning.
        let [first, last] = [EPOCH, 3 * EPOCH].map(|step| {
            let mut all = tensors(&checkpoint(&run, step).join("model.bpk"));
            all.retain(|name, _| name.starts_with("encoder.") && !name.contains("running"));
            all
        });
        for (path, rows) in [
            ("encoder.prep.conv.weight", 0),
            ("encoder.prep.conv.bias", 0),
            ("encoder.prep.norm.gamma", 0),
            ("encoder.prep.norm.beta", 0),
            ("encoder.layer1.conv.weight", 1),
        ] {
            let ((before, shape), (after, _)) = (&first[path], &last[path]);
            let inner: usize = shape[rows + 1..].iter().product();
            let mut moved = 0;
            for (at, (a, b)) in before.iter().zip(after).enumerate() {
                let unit = at / inner % shape[rows];
                if gone.contains(&unit) {
                    assert_eq!((*a, *b), (0.0, 0.0), "{name}: {path} unit {unit}");
                } else {
                    moved += usize::from(a != b);
                }
            }
            assert!(moved > 0, "{name}: {path} did not move");
        }
        // And the optimizer keeps nothing for them.
        let paths: Vec<String> = tensors(&checkpoint(&run, EPOCH).join("model.bpk"))
            .into_keys()
            .collect();
        let number = paths
            .iter()
            .position(|path| path == "encoder.prep.conv.weight")
            .unwrap();
        for step in [EPOCH, 3 * EPOCH] {
            let state = tensors(&checkpoint(&run, step).join("optimizer.bpk"));
            let own = state.iter().filter(|(key, (_, shape))| {
                key.starts_with(&format!("{number}.")) && shape.len() == 4
            });
            let mut seen = 0;
            for (key, (values, shape)) in own {
                let inner: usize = shape[1..].iter().product();
                for unit in 0..shape[0] {
                    let row = &values[unit * inner..][..inner];
                    let zero = row.iter().all(|value| *value == 0.0);
                    assert_eq!(
                        zero,
                        gone.contains(&unit),
                        "{name}: {key} unit {unit} step {step}"
                    );
                }
                seen += 1;
            }
            assert!(seen > 0, "{name}: no state of the optimizer");
        }
    }
}

#[test]
fn a_run_that_gets_smaller_and_is_killed_ends_as_a_straight_one() {
    let place = Place::new();
    let settings = "fraction = 0.6\ncompact = \"each_step\"\nevaluate = true\n\
                    schedule = { kind = \"cubic\", begin = 1, end = 5, every = 1 }";
    let text = with_every_observer().replace("epochs = 3", "epochs = 7");
    let text = format!("{text}\n[[plugins]]\nkind = \"prune\"\n{settings}\n");
    let straight = place.run("straight", &text, 3);
    let decisions = fs::read_to_string(straight.join("decisions.jsonl")).unwrap();
    let compacted = decisions
        .lines()
        .filter(|line| line.contains("\"compact\"") && line.contains("applied: "));
    assert_eq!(compacted.count(), 4, "{decisions}");
    let last = checkpoint(&straight, 7 * EPOCH);
    let whole = 8;
    assert!(tensors(&last.join("model.bpk"))["encoder.layer1.conv.weight"].1[0] < whole);
    let arch = fs::read_to_string(last.join("arch.json")).unwrap();
    assert!(arch.contains("encoder.res1a"), "{arch}");

    let config = place.path("straight.toml");
    let mut hits = 0;
    for seed in 0..12 {
        let out = place.path(&format!("killed-{seed}"));
        let (step, delay) = (EPOCH * (1 + draw(seed, 5)), draw(seed + 50, 300));
        if !killed(&config, &out, step, Duration::from_millis(delay)) {
            continue;
        }
        resume(&out).expect(3, &[]);
        let what = format!("killed {delay} ms after step {step}");
        assert_same(&ends(&straight), &ends(&out), &what);
        hits += 1;
        if hits == 4 {
            return;
        }
    }
    panic!("only {hits} of 12 runs were alive when they were to be killed");
}

#[test]
fn teachers_and_references_lose_the_same_units() {
    let place = Place::new();
    let settings = "score = \"magnitude\"\nfraction = 0.5\ncompact = \"at_end\"\n\
                    schedule = { kind = \"one_shot\", epoch = 2 }";
    let byol = TINY.replace("kind = \"simclr\"", "kind = \"byol\"");
    for (name, text) in [("byol", byol), ("pair", tiny_pair())] {
        let magnitude = "\n[[plugins]]\nkind = \"magnitude\"\n";
        let text = format!("{text}{magnitude}\n[[plugins]]\nkind = \"prune\"\n{settings}\n");
        let straight = place.run(name, &text, 0);
        let steps = if name == "pair" {
            3 * (EPOCH - 1)
        } else {
            3 * EPOCH
        };
        let model = tensors(&checkpoint(&straight, steps).join("model.bpk"));
        let (place_of, copy) = match name {
            "byol" => ("objective.teacher.", "teacher"),
            _ => ("reference.encoder.", "reference"),
        };
        let mut copies = 0;
        for (path, (_, shape)) in &model {
            if let Some(rest) = path.strip_prefix(place_of) {
                assert_eq!(
                    *shape,
                    model[&format!("encoder.{rest}")].1,
                    "{copy}: {path}"
                );
                copies += 1;
            }
        }
        assert!(copies > 0, "{name}");
        assert_eq!(model["encoder.prep.conv.weight"].1[0], 2, "half of four");
        // Killed before and after.
        let config = place.path(&format!("{name}.toml"));
        for (at, step) in [(0, steps / 3), (1, 2 * steps / 3)] {
            let out = place.path(&format!("{name}-killed-{at}"));
            if killed(&config, &out, step, Duration::from_millis(3)) {
                resume(&out).expect(0, &[]);
                assert_same(&ends(&straight), &ends(&out), name);
            }
        }
    }
}

#[test]
fn a_transformer_loses_hidden_units_and_heads() {
    let place = Place::new();
    let text = TINY.replace(
        "kind = \"resnet9\"\nwidth = 0.125",
        "kind = \"vit\"\npatch = 7\ndepth = 1",
    );
    let settings = "score = \"random\"\nfraction = 0.34\ncompact = \"at_end\"\n\
                    schedule = { kind = \"one_shot\", epoch = 1 }";
    let random = "\n[[plugins]]\nkind = \"random-scores\"\nkinds = []\n";
    let text = format!("{text}{random}\n[[plugins]]\nkind = \"prune\"\n{settings}\n");
    let run = place.run("vit", &text, 0);
    let model = tensors(&checkpoint(&run, 3 * EPOCH).join("model.bpk"));
    assert_eq!(model["encoder.blocks.0.qkv.weight"].1, [192, 3 * 128]);
    assert_eq!(model["encoder.blocks.0.output.weight"].1, [128, 192]);
    assert_eq!(model["encoder.blocks.0.fc1.weight"].1, [192, 507]);
    // What is compacted during training is compacted again with what was pruned since.
    let place_of = |name: &str| place.path(name);
    fs::write(
        place_of("more.json"),
        r#"{"encoder.blocks.0.fc1": [0, 1, 506]}"#,
    )
    .unwrap();
    let small = finish(
        afterimage()
            .args([
                "compact",
                "--json",
                "--batch",
                "2",
                "--repeats",
                "1",
                "--prune",
            ])
            .arg(place_of("more.json"))
            .arg(&run)
            .arg("--out")
            .arg(place_of("small")),
    )
    .expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(small.out.lines().last().unwrap()).unwrap();
    assert_eq!(json["compact"]["compacted"]["units"], 504 + 2);
    let arch = fs::read_to_string(place_of("small").join("arch.json")).unwrap();
    let arch: serde_json::Value = serde_json::from_str(&arch).unwrap();
    assert_eq!(arch["groups"]["encoder.blocks.0.fc1"]["of"], 768);
    assert_eq!(arch["side"], 28);
    let heads = arch["groups"]["encoder.blocks.0.heads"]["units"]
        .as_array()
        .unwrap();
    assert_eq!(heads.len(), 2);
}

#[test]
fn a_pruned_run_is_compacted_and_probed() {
    let place = Place::new();
    let text = pruned(
        TINY,
        "fraction = 0.5\nschedule = { kind = \"one_shot\", epoch = 2 }",
    );
    let run = place.run("run", &text, 0);
    let out = place.path("small");
    let refused = |option: &str, value: &str, words: &[&str]| {
        let mut command = afterimage();
        command.arg("compact").arg(&run).arg("--out").arg(&out);
        finish(command.args([option, value])).expect(2, words);
        assert!(!out.exists());
    };
    refused("--size", "2", &["--size 2", "at least"]);
    for option in ["--size", "--batch", "--repeats"] {
        refused(option, "0", &[option]);
    }
    let small = finish(
        afterimage()
            .args(["compact", "--json", "--batch", "2", "--repeats", "1"])
            .arg(&run)
            .arg("--out")
            .arg(&out),
    )
    .expect(0, &[]);
    let json: serde_json::Value = serde_json::from_str(small.out.lines().last().unwrap()).unwrap();
    let of = |side: &str, what: &str| json["compact"][side][what].as_f64().unwrap();
    for what in ["units", "parameters", "macs", "bytes"] {
        assert!(of("compacted", what) < of("masked", what), "{json}");
    }
    assert_eq!(json["compact"]["embedding"], 16, "half of 32");
    for file in [
        "arch.json",
        "encoder.safetensors",
        "probe.toml",
        "report.json",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    // It is an encoder like any other.
    let settings = ["--points", "30", "--views", "2"];
    for (name, subject) in [("of-run", &run), ("of-small", &out)] {
        let probed = place.path(name);
        let features = place.path(&format!("{name}.npy"));
        finish(
            afterimage()
                .arg("probe")
                .arg(subject)
                .args(settings)
                .arg("--features")
                .arg(&features)
                .arg("--out")
                .arg(&probed),
        )
        .expect(0, &[]);
    }
    let width = |name: &str| -> Vec<f32> {
        let bytes = fs::read(place.path(name)).unwrap();
        let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let values = bytes[header..].chunks_exact(4);
        values
            .map(|v| f32::from_le_bytes(v.try_into().unwrap()))
            .collect()
    };
    let (masked, compacted) = (width("of-run.npy"), width("of-small.npy"));
    let kept: Vec<f32> = masked.into_iter().filter(|value| *value != 0.0).collect();
    let alive: Vec<f32> = compacted
        .into_iter()
        .filter(|value| *value != 0.0)
        .collect();
    assert_eq!(kept.len(), alive.len());
    assert!(kept.iter().zip(&alive).all(|(a, b)| (a - b).abs() < 1e-4));
    // There is nothing more to take out, nor a place for it.
    let again = place.path("again");
    finish(
        afterimage()
            .arg("compact")
            .arg(&out)
            .arg("--out")
            .arg(&again),
    )
    .expect(1, &["no unit is masked"]);
    assert!(!again.exists());
    finish(afterimage().arg("compact").arg(&run).arg("--out").arg(&out))
        .expect(2, &["this is there already"]);
}

#[test]
fn a_broken_plugin_beside_it_changes_nothing() {
    let place = Place::new();
    let text = pruned(TINY, "fraction = 0.3\ncompact = \"at_end\"");
    let calm = place.run("calm", &text, 0);
    let broken = place.run("broken", &(text + &plugin("chaos")), 3);
    for file in ["model.bpk", "optimizer.bpk", "arch.json"] {
        let [a, b] = [&calm, &broken].map(|run| fs::read(checkpoint(run, 3 * EPOCH).join(file)));
        assert_eq!(a.unwrap(), b.unwrap(), "{file}");
    }
}

#[test]
fn a_control_prunes_as_many_units_elsewhere() {
    let place = Place::new();
    let settings = "fraction = 0.4\nscope = \"global\"\nnormalise = \"rank\"\nmax_fraction = 0.75";
    let counts = |run: &Path| -> BTreeMap<String, usize> {
        chosen(run)
            .into_iter()
            .map(|(site, units)| (site, units.len()))
            .collect()
    };
    let by_score = place.run("score", &pruned(TINY, settings), 0);
    let control = pruned(TINY, &format!("{settings}\nrandom_units = true"));
    let at_random = place.run("random", &control, 0);
    assert_eq!(counts(&by_score), counts(&at_random));
    assert_ne!(chosen(&by_score), chosen(&at_random));
    // Operations as the budget: fewer units go, since deep layers have most of the units.
    let macs = place.run("macs", &pruned(TINY, "fraction = 0.4\nof = \"macs\""), 0);
    assert!(checkpoints(&macs).contains(&(3 * EPOCH)));
    let metrics = fs::read_to_string(macs.join("metrics.jsonl")).unwrap();
    let reached = metrics
        .lines()
        .find(|line| line.contains("\"prune/fraction\""))
        .unwrap();
    let value: serde_json::Value = serde_json::from_str(reached).unwrap();
    let reached = value["value"].as_f64().unwrap();
    assert!((0.4..0.6).contains(&reached), "{reached}");
}

#[test]
fn each_level_of_pruning_is_measured() {
    let place = Place::new();
    let levels = "\n[evaluation]\nevery = 9\nprobe_every_time = true\n\n[[plugins]]\nkind = \"magnitude\"\n\
                  [[plugins]]\nkind = \"prune\"\nscore = \"magnitude\"\nfraction = 0.6\ncompact = \"each_step\"\n\
                  protect = [\"encoder.res2*\"]\n\
                  evaluate = true\n\
                  schedule = { kind = \"at_epochs\", epochs = [1, 2, 3], shares = [0.4, 0.7, 1.0] }\n";
    let text = format!("{TINY}{levels}");
    let run = place.run("run", &text, 0);
    let lines = afterimage::track::read_scalars(&run.join("metrics.jsonl")).unwrap();
    // The last value of each step: an evaluation may come before the units go, too.
    let of = |tag: &str| -> BTreeMap<u64, f64> {
        let found = lines.iter().filter(|line| line.tag == tag && line.step > 0);
        found.map(|line| (line.step, line.value.0)).collect()
    };
    for tag in [
        "eval/knn",
        "eval/linear_probe",
        "prune/macs",
        "prune/parameters",
        "prune/size",
    ] {
        let steps: Vec<u64> = of(tag).into_keys().collect();
        assert_eq!(steps, [EPOCH, 2 * EPOCH, 3 * EPOCH], "{tag}");
    }
    for tag in ["prune/macs", "prune/parameters", "prune/size"] {
        let left: Vec<f64> = of(tag).into_values().collect();
        assert!(left.is_sorted_by(|a, b| a > b), "{tag}: {left:?}");
    }
    // The embedding, whose width a smaller model keeps, was protected.
    let model = tensors(&checkpoint(&run, 3 * EPOCH).join("model.bpk"));
    let of_encoder = |is_statistic: bool| -> usize {
        let own = model.iter().filter(|(name, _)| {
            name.starts_with("encoder.") && name.contains("running_") == is_statistic
        });
        own.map(|(_, (values, _))| values.len()).sum()
    };
    let trained = of_encoder(false);
    assert_eq!(of("prune/parameters")[&(3 * EPOCH)], trained as f64);
    let bytes = 4 * (trained + of_encoder(true));
    assert_eq!(of("prune/size")[&(3 * EPOCH)], bytes as f64);
    let off = text.replace("every = 9", "every = 9\nlinear_probe = false");
    let config = place.write("off.toml", &off);
    call([std::ffi::OsStr::new("check"), config.as_os_str()])
        .expect(2, &["evaluation.probe_every_time", "linear_probe = true"]);

    // The time of a forward pass is on record beside the numbers of the run, and changes none of them.
    let timed = text.replace("evaluate = true", "evaluate = true\nlatency = 8");
    let timed = place.run("timed", &timed, 0);
    let lines = afterimage::track::read_scalars(&timed.join("timings.jsonl")).unwrap();
    let latency = "time/prune/latency";
    let times = lines.iter().filter(|line| line.tag == latency);
    let (steps, times): (Vec<u64>, Vec<f64>) = times.map(|line| (line.step, line.value.0)).unzip();
    // Behind each level, and at the end of the run.
    assert_eq!(steps, [EPOCH, 2 * EPOCH, 3 * EPOCH, 3 * EPOCH]);
    assert!(times.iter().all(|time| *time > 0.0), "{times:?}");
    let result = fs::read_to_string(timed.join("result.json")).unwrap();
    let result: serde_json::Value = serde_json::from_str(&result).unwrap();
    assert_eq!(result["metrics"][latency].as_f64(), times.last().copied());
    for (name, model) in [("metrics.jsonl", None), ("model.bpk", Some(3 * EPOCH))] {
        let read = |run: &Path| match model {
            Some(step) => fs::read(checkpoint(run, step).join(name)).unwrap(),
            None => fs::read(run.join(name)).unwrap(),
        };
        assert!(read(&run) == read(&timed), "{name}");
    }
}
