//! Every mistake of a config in one round: one line each, with the file's line.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use run::{Place, TINY, call};

/// Checks that `text` is refused with exactly these mistakes: what the line in the file begins with, the key, and
/// words of the message.
fn assert_told(text: &str, mistakes: &[(&str, &str, &str)]) {
    let place = Place::new();
    let config = place.write("config.toml", text);
    let ended = call(["check", config.to_str().unwrap()]).expect(2, &[]);
    assert_lines(&ended.err, &config.display().to_string(), text, mistakes);
}

fn assert_lines(err: &str, file: &str, text: &str, mistakes: &[(&str, &str, &str)]) {
    let told: Vec<&str> = err.lines().collect();
    for (start, key, words) in mistakes {
        let line = text.lines().position(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| panic!("no line {start:?}")) + 1;
        let place = format!("{file}:{line}: {key}: ");
        assert!(
            told.iter()
                .any(|line| line.starts_with(&place) && line.contains(words)),
            "no {place}… {words} in\n{err}"
        );
    }
    assert_eq!(told.len(), mistakes.len(), "{err}");
}

#[test]
fn ten_mistakes_of_ten_kinds_are_ten_lines() {
    // Types, unknown keys, ranges, choices, plugin kinds, plugin settings and plugin sets.
    let text = TINY
        .replace("epochs = 3", "epochs = -1")
        .replace("batch_size = 32", "batch_sise = 32")
        .replace("width = 0.125", "width = 0.0")
        .replace("kind = \"simclr\"", "kind = \"simclr\"\ntemperature = -0.5")
        .replace("weight_decay = 1e-4", "betas = [0.9, 2.0]\nlr = 0.1")
        + "
[views]
grayscale = 2

[[plugins]]
kind = \"unitmme\"

[[plugins]] # gap
kind = \"alignment-gap\"
points = \"many\"

[[plugins]] # pruning
kind = \"prune\"
score = \"taylor\"
";
    assert_told(
        &text,
        &[
            ("epochs = -1", "epochs", "expected a whole number"),
            ("batch_sise", "batch_sise", "did you mean `batch_size`?"),
            ("width = 0.0", "encoder.width", "is not possible"),
            ("temperature", "objective.temperature", "above 0"),
            ("betas", "optimizer.betas", "is 2"),
            ("lr = 0.1", "optimizer.lr", "did you mean `schedule.peak`?"),
            ("grayscale", "views.grayscale", "not in [0, 1]"),
            ("kind = \"unitmme\"", "plugins[0].kind", "\"unitmem\"?"),
            ("points", "plugins[1].points", "expected a whole number"),
            (
                "[[plugins]] # pruning",
                "plugins[2]",
                "reads \"taylor.scores\", which no plugin provides; add a `[[plugins]]` with `kind = \"taylor\"`",
            ),
        ],
    );
}

#[test]
fn every_wrong_key_of_a_table_is_told() {
    let text = TINY.to_owned()
        + "
[views]
grayscale = 2
invert = 7
horizontal_flip = -1
jitter = { brightness = -1.0, contrast = 0.0, saturation = 0.0, hue = 0.7, p = 1.0 }
";
    assert_told(
        &text,
        &[
            ("grayscale", "views.grayscale", "2 is not in [0, 1]"),
            ("invert", "views.invert", "7 is not in [0, 1]"),
            ("horizontal_flip", "views.horizontal_flip", "-1 is not in"),
            ("jitter", "views.jitter.brightness", "-1 is not in"),
            ("jitter", "views.jitter.hue", "0.7 is not in"),
        ],
    );
}

#[test]
fn names_of_other_tools_lead_to_those_of_here() {
    let text = TINY
        .replace("epochs = 3", "num_epochs = 3")
        .replace(
            "kind = \"resnet9\"\nwidth = 0.125",
            "kind = \"resnet18\"\ndepht = 18",
        )
        .replace("warmup_epochs", "warmup")
        + "
[model]
kind = \"resnet9\"

[eval]
k = 0
";
    assert_told(
        &text,
        &[
            ("num_epochs", "num_epochs", "did you mean `epochs`?"),
            (
                "kind = \"resnet18\"",
                "encoder.kind",
                "kind = \"resnet\", depth = 18",
            ),
            ("depht", "encoder.depht", "did you mean `depth`?"),
            (
                "warmup",
                "schedule.warmup",
                "did you mean `schedule.warmup_epochs`?",
            ),
            ("[model]", "model", "did you mean `encoder`?"),
            ("[eval]", "eval", "did you mean `evaluation`?"),
            // The table counts as that of the name that was meant.
            ("k = 0", "eval.k", "must be at least 1"),
        ],
    );
}

#[test]
fn a_kind_by_another_name_hides_nothing_of_its_table() {
    let text = TINY.replace(
        "kind = \"resnet9\"\nwidth = 0.125",
        "type = \"resnet\"\nwidth = 0.0\ndepht = 18",
    ) + "
[[plugins]] # typed
type = \"unitmem\"
points = \"many\"
";
    assert_told(
        &text,
        &[
            (
                "type = \"resnet\"",
                "encoder.type",
                "did you mean `encoder.kind`?",
            ),
            ("width = 0.0", "encoder.width", "is not possible"),
            ("depht", "encoder.depht", "did you mean `depth`?"),
            ("type = \"unitmem\"", "plugins[0].type", "chosen by `kind`"),
            ("points", "plugins[0].points", "expected a whole number"),
        ],
    );
    let spelled = TINY.replace("kind = \"simclr\"", "kidn = \"simclr\"\ntemperature = -1.0");
    assert_told(
        &spelled,
        &[
            ("kidn", "objective.kidn", "did you mean `kind`?"),
            ("temperature", "objective.temperature", "above 0"),
        ],
    );
}

#[test]
fn the_place_of_images_is_told_by_kind() {
    let folder = "kind = \"folder\"\ndir = \"images\"\nsize = 0";
    let text = TINY.replace("kind = \"embedded\"", folder);
    assert_told(
        &text,
        &[
            (
                "dir",
                "data.dir",
                "in `data.train` and `data.held_out` with kind \"folder\"",
            ),
            ("size", "data.size", "0 is not in 1 to 4096"),
        ],
    );
    let text = TINY.replace(
        "kind = \"embedded\"",
        "kind = \"cifar10\"\ntrain = \"images\"",
    );
    assert_told(&text, &[("train", "data.train", "in `data.dir` with kind")]);
    let text = TINY.replace(
        "kind = \"embedded\"",
        "kind = \"embedded\"\ndir = \"images\"",
    );
    assert_told(
        &text,
        &[("dir = \"im", "data.dir", "nowhere with kind \"embedded\"")],
    );
}

#[test]
fn what_follows_from_a_half_normalisation_is_not_told() {
    let text = TINY.to_owned() + "\n[views]\nnormalize = { mean = [0.5], std = \"x\" }\n";
    assert_told(
        &text,
        &[("normalize", "views.normalize.std", "expected an array")],
    );
    let text = TINY.to_owned() + "\n[views]\nnormalize = { mean = [0.5] }\n";
    assert_told(&text, &[("normalize", "views.normalize.std", "missing")]);
    let text = TINY.to_owned() + "\n[views]\nnormalize = { mean = [0.5, 0.5], std = [1.0] }\n";
    assert_told(
        &text,
        &[(
            "normalize",
            "views.normalize.mean",
            "`mean = [0.5, 0.5]` beside `std = [1.0]`; each takes one number, or one a channel",
        )],
    );
}

#[test]
fn so_many_plugins_are_one_mistake_and_told_at_once() {
    let start = std::time::Instant::now();
    let text = TINY.to_owned() + &"[[plugins]]\nkind = \"unitmme\"\nafter = []\n".repeat(50_000);
    let place = Place::new();
    let config = place.write("config.toml", &text);
    let told = call(["check", config.to_str().unwrap()]).expect(2, &[]).err;
    // At the first that is too many.
    let line = TINY.lines().count() + 3 * 1000 + 1;
    let expected = format!(
        "{}:{line}: plugins: 50000 of them; at most 1000 are read\n",
        config.display()
    );
    assert_eq!(told, expected);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn sets_of_plugins_are_told_at_each_plugin() {
    let plugin = |id: &str, more: &str| {
        format!("\n[[plugins]] # {id}\nkind = \"chaos\"\nid = \"{id}\"\n{more}\n")
    };
    let text = TINY.replace("kind = \"adamw\"", "kind = \"adam\"")
        + "\n[[plugins]] # compared\nkind = \"layermem\"\n"
        + &plugin("one", "")
        + &plugin("two", "after = [\"oen\"]")
        + "\n[[plugins]] # twice\nkind = \"chaos\"\nid = \"one\"\n";
    assert_told(
        &text,
        &[
            ("kind = \"adam\"", "optimizer.kind", "\"adamw\""),
            (
                "[[plugins]] # compared",
                "plugins[0]",
                "add a table `[pair]`",
            ),
            ("after", "plugins[2].after", "did you mean \"one\"?"),
            ("[[plugins]] # twice", "plugins[3]", "have the same id"),
        ],
    );
}

#[test]
fn nothing_is_said_that_follows_from_a_mistake() {
    // Whether the warm-up fits, the patch divides, the head is used or the scores are there is not known.
    let text = TINY
        .replace("epochs = 3", "epochs = \"three\"")
        .replace("warmup_epochs = 1", "warmup_epochs = 2")
        .replace("kind = \"simclr\"", "kind = \"none\"")
        .replace(
            "kind = \"resnet9\"\nwidth = 0.125",
            "kind = \"vit\"\npatch = 5",
        )
        + "
[views]
size = \"24\"

[pair]
candidates = \"all\"

[[plugins]]
kind = \"mine\"

[[plugins]]
kind = \"layermem\"

[[plugins]]
kind = \"prune\"
score = \"taylor\"
";
    assert_told(
        &text,
        &[
            ("epochs", "epochs", "expected a whole number"),
            ("kind = \"none\"", "objective.kind", "there is no \"none\""),
            ("size", "views.size", "expected a whole number"),
            ("candidates", "pair.candidates", "expected a number"),
            ("kind = \"mine\"", "plugins[0].kind", "there is no plugin"),
        ],
    );
}

#[test]
fn mistakes_of_a_sweep_and_of_its_trials_come_together() {
    let sweep = "\
name = \"t\"
config = \"tiny.toml\"
retires = 1000
[metric]
nmae = \"eval/knn\"
[grid]
\"objective.temperature\" = [0.1, -0.5]
[slurm]
grace = 3
processes = 0
";
    let place = Place::new();
    place.write("tiny.toml", &TINY.replace("peak = 2e-3", "peak = -2.0"));
    let file = place.write("sweep.toml", sweep);
    let run = |file: &std::path::Path| {
        call(["sweep", file.to_str().unwrap(), "--dry-run"])
            .expect(2, &["tiny.toml", "schedule.peak: is -2"])
            .err
            .lines()
            .filter(|line| !line.contains("tiny.toml"))
            .map(|line| format!("{line}\n"))
            .collect::<String>()
    };
    assert_lines(
        &run(&file),
        &file.display().to_string(),
        sweep,
        &[
            ("retires", "retires", "did you mean `retries`?"),
            ("retires", "retires", "must be at most 100"),
            ("nmae", "metric.nmae", "did you mean `name`?"),
            (
                "\"objective.temperature\"",
                "grid.\"objective.temperature\"[1]",
                "is -0.5",
            ),
            ("grace", "slurm.grace", "must be from 10"),
            ("processes", "slurm.processes", "must be from 1 to 1024"),
        ],
    );
    // Where the trials cannot be told, the experiment is checked by itself.
    let ranges = "\
name = \"t\"
config = \"tiny.toml\"
metric.name = \"eval/knn\"
search.kind = \"sobol\"
search.samples = 4
search.space.\"batch_size\" = { low = 64, high = 8, intger = true }
";
    let file = place.write("ranges.toml", ranges);
    assert_lines(
        &run(&file),
        &file.display().to_string(),
        ranges,
        &[
            (
                "search.space",
                "search.space.batch_size",
                "`low` must be below `high`",
            ),
            (
                "search.space",
                "search.space.batch_size.intger",
                "did you mean `integer`?",
            ),
        ],
    );
}

#[test]
fn what_the_objective_rules_out_is_told_before_the_run_at_its_key() {
    let simclr = TINY.to_owned()
        + "
[[plugins]] # residuals
kind = \"coreset\"

[[plugins]] # labels
kind = \"coreset\"
id = \"b\"
strategy = \"small-loss\"
partition = \"prediction\"
mixup = \"label\"

[[plugins]] # gated
kind = \"coreset\"
id = \"c\"
[plugins.gate]
neighbours = 3

[[plugins]] # features
kind = \"coreset\"
id = \"d\"
proxy = \"features\"

[[plugins]] # dynamics
kind = \"dynamics\"
validation = 20
";
    // What provides a coreset stands there once, which is told, too.
    let place = Place::new();
    let config = place.write("config.toml", &simclr);
    let told: Vec<(&str, &str, &str)> = vec![
        (
            "[[plugins]] # residuals",
            "plugins[0].proxy",
            "set \"features\" or \"embeddings\"",
        ),
        (
            "strategy",
            "plugins[1].strategy",
            "choose \"facility-location\"",
        ),
        (
            "partition",
            "plugins[1].partition",
            "set \"label\", \"cluster\" or \"none\"",
        ),
        ("mixup", "plugins[1].mixup", "this one has 2; set \"none\""),
        (
            "[plugins.gate]",
            "plugins[2].gate.losses",
            "set `gate.losses = false`",
        ),
        (
            "validation",
            "plugins[4].validation",
            "set 0, or `objective.kind = \"supervised\"`",
        ),
    ];
    let config = config.to_str().unwrap();
    for words in [&["check", config][..], &["run", config, "--dry-run"]] {
        let ended = call(words.iter().copied()).expect(2, &[]);
        let own: String = ended
            .err
            .lines()
            .filter(|line| !line.contains("both provide"))
            .map(|line| format!("{line}\n"))
            .collect();
        assert_lines(&own, config, &simclr, &told);
    }
    // With scores of classes all of it is possible; mixing within clusters needs them.
    let labelled = run::supervised();
    for (keys, code) in [
        ("mixup = \"label\"", 0),
        ("partition = \"prediction\"", 0),
        ("strategy = \"small-loss\"", 0),
        ("[plugins.gate]\nneighbours = 3", 0),
        ("mixup = \"cluster\"", 0),
    ] {
        let text = format!("{labelled}\n[[plugins]]\nkind = \"coreset\"\n{keys}\n");
        let config = place.write("labelled.toml", &text);
        call(["check", config.to_str().unwrap()]).expect(code, &[]);
    }
    let painted = TINY
        .replace(
            "kind = \"resnet9\"\nwidth = 0.125",
            "kind = \"vit\"\nsize = \"tiny\"\npatch = 4",
        )
        .replace("[projection]\nhidden = 32\noutput = 16\n", "")
        .replace("kind = \"simclr\"", "kind = \"mae\"")
        + "\n[[plugins]]\nkind = \"coreset\"\nproxy = \"features\"\nmixup = \"cluster\"\n";
    let words = "mixing within clusters mixes labels, by scores of classes";
    assert_told(&painted, &[("mixup", "plugins[0].mixup", words)]);
    // A coreset is that of one encoder.
    let pair = run::supervised() + "\n[[plugins]]\nkind = \"coreset\"\n\n[pair]\ncandidates = 10\n";
    assert_told(
        &pair,
        &[("[[plugins]]", "plugins[0]", "remove the table `[pair]`")],
    );
}

#[test]
fn a_large_encoder_is_checked_at_once() {
    // 86 million parameters, of which none is drawn.
    let text = TINY.replace(
        "kind = \"resnet9\"\nwidth = 0.125",
        "kind = \"vit\"\nsize = \"base\"\npatch = 4",
    ) + "\n[[plugins]]\nkind = \"unitmem\"\n\n[[plugins]]\nkind = \"prune\"\n";
    let place = Place::new();
    let config = place.write("config.toml", &text);
    let start = std::time::Instant::now();
    let ended = call(["check", config.to_str().unwrap()]).expect(0, &[]);
    assert!(start.elapsed().as_secs() < 3, "{:?}", start.elapsed());
    assert!(ended.out.contains("unitmem"), "{}", ended.out);
}
