//! Commands, messages and exit codes, as a user meets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use run::{Ended, Place, TINY, afterimage, call, checkpoints, finish, plugin};

/// `run` with `--out` in `place`, and `settings`.
fn start(place: &Place, config: &Path, settings: &[&str]) -> Ended {
    let mut command = afterimage();
    command
        .arg("run")
        .arg(config)
        .arg("--out")
        .arg(place.path("run"));
    for set in settings {
        command.arg("--set").arg(set);
    }
    finish(&mut command)
}

/// Fails the test if a refused command left anything behind.
fn assert_nothing_written(place: &Place) {
    assert!(!place.path("run").exists(), "a run directory was made");
}

#[test]
fn a_mistake_in_a_config_is_told_with_file_line_and_suggestion() {
    let place = Place::new();
    let config = place.write(
        "mistake.toml",
        &TINY.replace("temperature", "").replace("peak", "peek"),
    );
    let line = 1 + TINY
        .lines()
        .position(|line| line.starts_with("peak"))
        .unwrap();
    let place_and_key = format!("{}:{line}: schedule.peek: unknown key", config.display());
    start(&place, &config, &[]).expect(2, &[&place_and_key, "did you mean `peak`?"]);
    assert_nothing_written(&place);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let place = Place::new();
    let text = TINY
        .replace("epochs = 3", "epochs = 0")
        .replace("batch_size = 32", "batch_size = \"many\"")
        .replace("width = 0.125", "width = 0.125\ndepth = 9")
        + "\n[[plugins]]\nkind = \"chaso\"\n";
    let config = place.write("mistakes.toml", &text);
    let ended = call(["check", config.to_str().unwrap()]).expect(
        2,
        &[
            "epochs: must be at least 1",
            "batch_size: expected a whole number",
            "encoder.depth: unknown key",
            "plugins[0].kind: there is no plugin \"chaso\"",
            "did you mean \"chaos\"?",
        ],
    );
    assert_eq!(ended.err.lines().count(), 4, "{}", ended.err);
}

#[test]
fn a_patch_that_does_not_divide_the_views_is_told() {
    let place = Place::new();
    let vit = TINY
        .replace("kind = \"resnet9\"", "kind = \"vit\"\ndepth = 1")
        .replace("width = 0.125", "patch = 5");
    let line = 1 + vit.lines().position(|line| line == "patch = 5").unwrap();
    // The size of the views is a key, and told by its line.
    let config = place.write("sized.toml", &format!("{vit}\n[views]\nsize = 24\n"));
    let words = format!(
        "{}:{line}: encoder.patch: 5 does not divide",
        config.display()
    );
    call(["check", config.to_str().unwrap()]).expect(2, &[&words, "24 pixels"]);
    // It is that of the images, and known once they are read.
    let config = place.write("images.toml", &vit);
    let words = format!(
        "{}:{line}: encoder.patch: 5 does not divide",
        config.display()
    );
    start(&place, &config, &[]).expect(2, &[&words, "28 pixels"]);
    assert_nothing_written(&place);
}

#[test]
fn text_that_is_no_toml_is_told_with_line_and_column() {
    let place = Place::new();
    let config = place.write("broken.toml", "name = \"x\"\nepochs = = 3\n");
    call(["check", config.to_str().unwrap()]).expect(2, &[&format!("{}:2:", config.display())]);
    call(["run", "no-such-file.toml"]).expect(2, &["no-such-file.toml", "there is no such file"]);
}

#[test]
fn settings_of_the_command_line_go_over_the_file() {
    let place = Place::new();
    let config = place.write("config.toml", TINY);
    let config_text = config.to_str().unwrap();
    let shown = call([
        "run",
        config_text,
        "--dry-run",
        "--set",
        "epochs=9",
        "--set",
        "batch_size=64",
    ])
    .expect(0, &[]);
    assert!(
        shown.out.contains("9 epochs, batches of 64"),
        "{}",
        shown.out
    );
    for (set, words) in [
        ("epochs", vec!["--set epochs", "key=value"]),
        (
            "epochs=many",
            vec!["--set epochs=many", "epochs: expected a whole number"],
        ),
        ("epoch=4", vec!["--set epoch=4", "did you mean `epochs`?"]),
        (
            "plugins.unitmen.every=2",
            vec!["--set plugins.unitmen.every=2"],
        ),
        ("schedule.peak=-1", vec!["--set schedule.peak=-1"]),
        (
            "device=cuda:0",
            vec!["cuda:0", "not compiled in", "--features cuda"],
        ),
        ("device=gpu", vec!["\"gpu\" is no device"]),
    ] {
        start(&place, &config, &[set]).expect(2, &words);
    }
    assert_nothing_written(&place);
}

#[test]
fn a_folder_that_holds_something_is_left_alone() {
    let place = Place::new();
    let config = place.write("config.toml", TINY);
    fs::create_dir(place.path("run")).unwrap();
    fs::write(place.path("run").join("thesis.tex"), "mine").unwrap();
    start(&place, &config, &[]).expect(1, &["not empty", "--out"]);
    let left: Vec<_> = fs::read_dir(place.path("run")).unwrap().collect();
    assert_eq!(left.len(), 1);
    assert_eq!(
        fs::read_to_string(place.path("run").join("thesis.tex")).unwrap(),
        "mine"
    );
}

#[test]
fn missing_data_is_told_before_anything_is_written() {
    let place = Place::new();
    for kind in ["cifar10", "cifar100", "idx"] {
        let data = format!("kind = \"{kind}\"\ndir = \"no/such/{kind}\"");
        let text = TINY
            .replace("kind = \"embedded\"", &data)
            .replace("[limits]\ntrain = 320\nheld_out = 100\n", "");
        let config = place.write("config.toml", &text);
        start(&place, &config, &[]).expect(1, &[&format!("no/such/{kind}")]);
        call(["run", config.to_str().unwrap(), "--dry-run"])
            .expect(1, &[&format!("no/such/{kind}")]);
    }
    let config = place.write("config.toml", TINY);
    start(&place, &config, &["batch_size=400"]).expect(2, &["320", "400", "batch_size"]);
    assert_nothing_written(&place);
}

#[test]
fn a_setting_that_the_data_refuse_is_told_with_its_line() {
    let place = Place::new();
    let text = TINY.to_owned() + "\n[pair]\ncandidates = 1000000\n";
    let config = place.write("config.toml", &text);
    let line = text.lines().count();
    let at = format!("config.toml:{line}: pair.candidates: ");
    start(&place, &config, &[]).expect(2, &[&at, "fewer than half"]);
    call(["run", config.to_str().unwrap(), "--dry-run"]).expect(2, &[&at]);
    let config = place.write("config.toml", TINY);
    for (set, words) in [
        (
            "limits.train=0",
            "--set limits.train=0: limits.train: a limit of 0",
        ),
        (
            "views.size=4",
            "--set views.size=4: views.size: views are 4 pixels",
        ),
        ("pair={candidates=500}", "pair.candidates: "),
    ] {
        start(&place, &config, &[set]).expect(2, &[words]);
    }
    assert_nothing_written(&place);
}

/// Every config that the project ships.
fn shipped() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let of = |folder: &str| fs::read_dir(root.join(folder)).unwrap();
    let mut found: Vec<PathBuf> = of("configs")
        .chain(of("configs/imagenet"))
        .map(|entry| entry.unwrap().path())
        // What others extend names no encoder.
        .filter(|path| !path.ends_with("base.toml"))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    found.sort();
    assert!(found.len() >= 2, "{found:?}");
    found
}

#[test]
fn every_config_of_the_project_is_valid() {
    let configs = shipped();
    let mut command = afterimage();
    let ended = finish(command.arg("check").args(&configs)).expect(0, &[]);
    for config in &configs {
        assert!(
            ended.out.contains(&format!("{}: ok", config.display())),
            "{}",
            ended.out
        );
    }
}

#[test]
fn the_cifar_config_names_the_folder_that_it_lacks() {
    let config = shipped()
        .into_iter()
        .find(|path| path.to_str().unwrap().contains("cifar10"))
        .unwrap();
    let place = Place::new();
    let missing = place.path("no-cifar");
    let set = format!("data.dir={}", missing.display());
    let words = [missing.to_str().unwrap(), "check the paths of `[data]`"];
    start(&place, &config, &[&set]).expect(1, &words);
    assert_nothing_written(&place);
}

#[test]
fn check_tells_the_good_from_the_bad() {
    let place = Place::new();
    let good = place.write("good.toml", &(TINY.to_owned() + &plugin("chaos")));
    let bad = place.write("bad.toml", &TINY.replace("seed = 7", "seed = -7"));
    let ended = finish(afterimage().arg("check").args([&good, &bad]))
        .expect(2, &[&format!("{}:", bad.display()), "seed"]);
    assert!(
        ended.out.contains(&format!("{}: ok", good.display())),
        "{}",
        ended.out
    );
    assert!(
        ended.out.contains("chaos [chaos]: StepDone"),
        "{}",
        ended.out
    );
    assert!(!ended.out.contains("bad.toml: ok"));
    finish(
        afterimage()
            .arg("check")
            .arg(&good)
            .args(["--set", "seed=-1"]),
    )
    .expect(2, &["seed"]);
}

#[test]
fn a_dry_run_tells_what_would_run_and_writes_nothing() {
    let place = Place::new();
    let config = place.write("config.toml", &(TINY.to_owned() + &plugin("chaos")));
    let mut command = afterimage();
    command
        .arg("run")
        .arg(&config)
        .arg("--dry-run")
        .current_dir(place.path("."));
    let ended = finish(&mut command).expect(0, &[]);
    for words in [
        "tiny: 3 epochs, batches of 32, device cpu",
        "run directory: runs/tiny/7-",
        "320 training and 100 held-out images, 10 steps an epoch",
        "chaos [chaos]: StepDone (always)",
    ] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    assert_eq!(
        fs::read_dir(place.path(".")).unwrap().count(),
        1,
        "only the config is there"
    );
}

#[test]
fn the_order_of_plugins_is_checked_before_anything_runs() {
    let place = Place::new();
    let chaos = |id: &str, after: &str| {
        format!("\n[[plugins]]\nkind = \"chaos\"\nid = \"{id}\"\nafter = [\"{after}\"]\n")
    };
    let line = |text: &str, id: &str| {
        1 + text
            .lines()
            .position(|line| line.contains(&format!("id = \"{id}\"")))
            .unwrap()
            - 2
    };
    let cycle = TINY.to_owned() + &chaos("first", "second") + &chaos("second", "first");
    let config = place.write("cycle.toml", &cycle);
    let at = |id: &str| format!("{}:{}", config.display(), line(&cycle, id));
    call(["check", config.to_str().unwrap()]).expect(
        2,
        &[
            "wait for each other",
            "first",
            "second",
            &at("first"),
            &at("second"),
        ],
    );
    start(&place, &config, &[]).expect(2, &["wait for each other"]);

    let twice = TINY.to_owned() + &plugin("chaos") + &plugin("chaos");
    let config = place.write("twice.toml", &twice);
    call(["check", config.to_str().unwrap()]).expect(2, &["same id", "\"chaos\""]);

    let config = place.write("after.toml", &(TINY.to_owned() + &chaos("first", "chaso")));
    call(["check", config.to_str().unwrap()]).expect(2, &["\"chaso\"", "not attached"]);
    assert_nothing_written(&place);
}

#[test]
fn plugins_are_listed_and_described() {
    let listed = call(["plugins"]).expect(0, &[]).out;
    assert!(
        listed.lines().any(|line| line.starts_with("chaos ")),
        "{listed}"
    );
    for kind in listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
    {
        let shown = call(["plugins", kind]).expect(0, &[]).out;
        for words in [
            kind,
            "events:",
            "reads:",
            "provides:",
            "effects:",
            "on fault:",
            "[[plugins]]",
        ] {
            assert!(shown.contains(words), "no {words:?} in\n{shown}");
        }
        // The description ends with a table that can be pasted into a config as it is.
        let place = Place::new();
        let pasted = TINY.to_owned() + "\n" + &shown[shown.find("[[plugins]]").unwrap()..];
        let config = place.write("pasted.toml", &pasted);
        let checked = call(["check", config.to_str().unwrap()]);
        // One that reads what another provides, compares with a reference encoder, or needs scores of
        // classes cannot be alone in this run, but its keys must be right.
        assert!(
            checked.code == Some(0)
                || checked.err.contains("which no plugin provides")
                || checked.err.contains("which this run does not train")
                || checked.err.contains("which this objective does not have"),
            "{checked:#?}"
        );
    }
    call(["plugins", "chaso"]).expect(2, &["there is no plugin \"chaso\"", "chaos"]);
}

#[test]
fn the_last_line_of_json_is_the_result() {
    let place = Place::new();
    let config = place.write("config.toml", TINY);
    let mut command = afterimage();
    command
        .arg("run")
        .arg(&config)
        .arg("--out")
        .arg(place.path("run"))
        .arg("--json");
    let ended = finish(&mut command).expect(0, &[]);
    let result: serde_json::Value =
        serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!(result["exit_code"], 0);
    assert_eq!(result["steps"], 30);
    assert_eq!(result["outcome"], "Completed");
    assert_eq!(
        Path::new(result["run"].as_str().unwrap()),
        place.path("run")
    );
    let knn = result["metrics"]["eval/knn"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&knn), "{knn}");
    for words in ["kNN", "run directory:", "tensorboard --logdir"] {
        assert!(ended.out.contains(words), "no {words:?} in\n{}", ended.out);
    }
    assert!(
        !ended.err.contains('\u{1b}'),
        "colours only on a terminal: {}",
        ended.err
    );
    assert_eq!(checkpoints(&place.path("run")).last(), Some(&30));
    // The resolved config runs as it is, and says the same about itself.
    let resolved = place.path("run").join("config.toml");
    call(["check", resolved.to_str().unwrap()]).expect(0, &[]);
}

#[test]
fn a_report_can_be_written_again() {
    let place = Place::new();
    let run = place.run("run", TINY, 0);
    let report = run.join("report.html");
    let page = fs::read_to_string(&report).unwrap();
    assert!(
        page.contains("eval/knn") || page.contains("kNN"),
        "the report shows the accuracy"
    );
    fs::remove_file(&report).unwrap();
    let ended = call(["report", run.to_str().unwrap()]).expect(0, &[]);
    assert!(ended.out.contains("report.html"), "{}", ended.out);
    assert_eq!(fs::read_to_string(&report).unwrap(), page);
    call(["report", place.path("nothing").to_str().unwrap()]).expect(1, &["no run directory"]);

    // A page that lacks a part is no whole one.
    let metrics = run.join("metrics.jsonl");
    let lines = fs::read_to_string(&metrics).unwrap();
    fs::write(&metrics, format!("no record\n{lines}")).unwrap();
    let words = ["the page lacks a part", "metrics.jsonl"];
    call(["report", run.to_str().unwrap()]).expect(1, &words);
    assert!(fs::read_to_string(&report).unwrap() != page);
}

#[test]
fn wrong_words_on_the_command_line_are_mistakes_and_help_is_none() {
    call(["frobnicate"]).expect(2, &["frobnicate", "--help"]);
    call(["run"]).expect(2, &["CONFIG"]);
    call(["run", "a.toml", "--frob"]).expect(2, &["--frob"]);
    for flag in ["--help", "--version"] {
        let ended = call([flag]).expect(0, &[]);
        assert!(ended.out.contains("afterimage"), "{}", ended.out);
    }
}
