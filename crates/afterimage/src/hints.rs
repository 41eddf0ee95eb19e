//! Keys and names as other tools call them, and as they are called here.

use toml::Value;

use crate::config::{Hint, KeyPath, Wrong};

/// Names that lead to a key, wherever in an experiment (but inside of plugins) they stand.
const KEYS: [(&str, &[&str]); 35] = [
    (
        "schedule.peak",
        &[
            "lr",
            "learning_rate",
            "base_lr",
            "max_lr",
            "peak_lr",
            "rate",
            "peak",
        ],
    ),
    (
        "schedule.floor",
        &["min_lr", "eta_min", "final_lr", "end_lr", "floor"],
    ),
    (
        "schedule.warmup_epochs",
        &["warmup", "warmup_epochs", "warm_up"],
    ),
    (
        "optimizer.weight_decay",
        &["weight_decay", "wd", "decay", "l2"],
    ),
    ("optimizer.momentum", &["momentum"]),
    ("optimizer.betas", &["betas"]),
    ("objective.temperature", &["temperature", "tau"]),
    (
        "epochs",
        &["epochs", "epoch", "num_epochs", "max_epochs", "n_epochs"],
    ),
    (
        "batch_size",
        &["batch_size", "batch", "bs", "batchsize", "train_batch_size"],
    ),
    (
        "batch.shards",
        &[
            "shards",
            "accumulate",
            "accumulation",
            "accumulation_steps",
            "accumulate_grad_batches",
            "grad_accum",
            "gradient_accumulation",
            "gradient_accumulation_steps",
        ],
    ),
    ("batch.negatives", &["negatives"]),
    ("seed", &["seed", "random_seed", "rng_seed", "manual_seed"]),
    ("device", &["device", "gpu", "accelerator", "cuda"]),
    (
        "loader.threads",
        &["threads", "workers", "num_workers", "n_workers"],
    ),
    ("loader.depth", &["prefetch", "prefetch_factor"]),
    (
        "views.size",
        &[
            "image_size",
            "img_size",
            "crop_size",
            "input_size",
            "resize",
        ],
    ),
    (
        "views.horizontal_flip",
        &["horizontal_flip", "hflip", "flip"],
    ),
    ("views.vertical_flip", &["vertical_flip", "vflip"]),
    (
        "views.jitter",
        &["jitter", "color_jitter", "colour_jitter", "colorjitter"],
    ),
    ("views.blur", &["blur", "gaussian_blur"]),
    ("views.grayscale", &["grayscale", "greyscale", "gray"]),
    (
        "views.crop",
        &["crop", "random_crop", "random_resized_crop"],
    ),
    (
        "projection.hidden",
        &["hidden", "hidden_dim", "projection_hidden"],
    ),
    (
        "projection.output",
        &["output", "output_dim", "projection_dim", "out_dim"],
    ),
    (
        "checkpoints.every",
        &[
            "save_every",
            "checkpoint_every",
            "save_freq",
            "save_interval",
        ],
    ),
    (
        "checkpoints.keep_last",
        &["keep_last", "keep", "save_top_k", "max_to_keep"],
    ),
    (
        "evaluation.every",
        &["eval_every", "eval_interval", "eval_freq"],
    ),
    (
        "encoder",
        &[
            "encoder",
            "model",
            "network",
            "net",
            "backbone",
            "arch",
            "architecture",
        ],
    ),
    (
        "objective",
        &["objective", "loss", "criterion", "method", "ssl"],
    ),
    ("optimizer", &["optimizer", "optim", "optimiser"]),
    (
        "schedule",
        &["schedule", "scheduler", "lr_schedule", "lr_scheduler"],
    ),
    ("data", &["data", "dataset", "datasets"]),
    (
        "views",
        &[
            "views",
            "augmentation",
            "augmentations",
            "augment",
            "transform",
            "transforms",
        ],
    ),
    (
        "projection",
        &["projection", "head", "projector", "projection_head"],
    ),
    ("evaluation", &["evaluation", "eval", "knn"]),
];

/// Tables that say by `kind` what they hold.
const CHOSEN_BY_KIND: [&str; 4] = ["data", "encoder", "objective", "optimizer"];

/// What was probably meant by a key or a value of an experiment; see [`Validate::hint`](crate::config::Validate::hint).
pub(crate) fn hint(wrong: Wrong, key: &KeyPath, value: &Value) -> Option<Hint> {
    let table = key.parent()?.to_string();
    match wrong {
        Wrong::Key if table.starts_with("plugins") => of_a_plugin(&table, key.name()?),
        Wrong::Key => misplaced(&table, key.name()?),
        Wrong::Value => misnamed(key, value),
    }
}

fn of_a_plugin(table: &str, name: &str) -> Option<Hint> {
    match name {
        "type" | "name" | "plugin" => Some(Hint {
            advice: "a plugin is chosen by `kind`, and called by `id`".to_owned(),
            ..Hint::key(&format!("{table}.kind"))
        }),
        "enabled" | "enable" | "disabled" => Some(Hint::advice(
            "a plugin that stands in the config is attached; take its table out instead",
        )),
        _ => None,
    }
}

fn misplaced(table: &str, name: &str) -> Option<Hint> {
    let advice = |text: &str| Some(Hint::advice(text));
    match name {
        "type" | "name" | "arch" if CHOSEN_BY_KIND.contains(&table) => {
            return Some(Hint::key(&format!("{table}.kind")));
        }
        "dir" | "path" | "root" | "folder" | "data_dir" | "train" | "train_dir" | "held_out"
            if table == "data" =>
        {
            return Some(place_of_images(name));
        }
        "out" | "output_dim" | "output_dims" | "out_features" if table == "projection" => {
            return Some(Hint::key("projection.output"));
        }
        "plugin" | "probe" | "probes" | "callbacks" | "hooks" if table.is_empty() => {
            return advice("plugins stand in tables `[[plugins]]`, each with its `kind`");
        }
        "warmup_steps" => return advice("warm-up is told in epochs: `schedule.warmup_epochs`"),
        "beta1" | "beta2" => return advice("write both: `optimizer.betas = [0.9, 0.999]`"),
        "mean" | "std" if !table.starts_with("views.normalize") => {
            return advice("write both: `views.normalize = { mean = […], std = […] }`");
        }
        "out" | "output_dir" | "log_dir" | "save_dir" => {
            return advice("the run's folder is told on the command line: `--out DIR`");
        }
        "resume" | "resume_from" => {
            return advice("a run goes on by `afterimage resume DIR`");
        }
        _ => {}
    }
    // A name of the table itself is left to those that are spelled alike.
    let (meant, _) = KEYS
        .iter()
        .filter(|(meant, _)| !is_in(meant, table, name))
        .find(|(_, names)| names.contains(&name.to_lowercase().replace('-', "_").as_str()))?;
    Some(Hint::key(meant))
}

/// Where a data set lies, which every kind names by keys of its own.
fn place_of_images(name: &str) -> Hint {
    let hint = match name {
        // What a kind does not know is the key of another kind.
        "dir" => Hint::key("data.train"),
        "held_out" => Hint::advice(""),
        _ => Hint::key("data.dir"),
    };
    Hint {
        advice: "images lie in `data.dir` with kind \"idx\", \"cifar10\" or \"cifar100\", in `data.train` \
                 and `data.held_out` with kind \"folder\", and nowhere with kind \"embedded\""
            .to_owned(),
        ..hint
    }
}

/// Whether `meant` is the key `name` of `table`.
fn is_in(meant: &str, table: &str, name: &str) -> bool {
    meant.rsplit_once('.').unwrap_or(("", meant)) == (table, name)
}

fn misnamed(key: &KeyPath, value: &Value) -> Option<Hint> {
    let key = key.to_string();
    let Value::String(text) = value else {
        if let ("batch", Value::Integer(size)) = (key.as_str(), value) {
            let advice = format!("write `batch_size = {size}`; `[batch]` tells how a batch is cut");
            return Some(Hint::advice(advice));
        }
        if key == "plugins" && value.get("kind").is_none() && value.is_table() {
            // As of `--set plugins.ID.KEY=VALUE` where there is no plugin.
            return Some(Hint::advice(
                "the config has no plugin whose key could be set: add a table `[[plugins]]` with its `kind` first",
            ));
        }
        let one = key == "plugins" && value.get("kind").is_some();
        return one.then(|| {
            let advice = "write `[[plugins]]`, once for each plugin";
            Hint::value(advice, Value::Array(vec![value.clone()]))
        });
    };
    if CHOSEN_BY_KIND.contains(&key.as_str()) {
        let advice = format!("write a table `[{key}]` with `kind = {text:?}` and its other keys");
        return Some(Hint::advice(advice));
    }
    let name = text.to_lowercase().replace(['-', '_', ' '], "");
    let kind = |advice: &str, kind: &str| Some(Hint::value(advice, kind));
    match key.as_str() {
        "encoder.kind" => encoder(&name),
        "objective.kind" => match name.as_str() {
            "infonce" | "ntxent" | "contrastive" => {
                kind("write \"simclr\", whose loss it is", "simclr")
            }
            "crossentropy" | "ce" | "classification" => kind("write \"supervised\"", "supervised"),
            "barlow" => kind("did you mean \"barlow_twins\"?", "barlow_twins"),
            "dinov2" => kind("did you mean \"dino\"?", "dino"),
            _ => None,
        },
        "optimizer.kind" if name == "adam" => kind(
            "write \"adamw\", which is Adam where `weight_decay = 0.0`",
            "adamw",
        ),
        "data.kind" => match name.as_str() {
            "mnist" | "fashionmnist" => kind(
                "write \"idx\" with `dir`, or \"embedded\" for the Fashion-MNIST inside the program",
                "idx",
            ),
            "cifar" => kind("did you mean \"cifar10\"?", "cifar10"),
            "imagenet" | "imagefolder" | "images" | "directory" => {
                kind("write \"folder\": one folder a class", "folder")
            }
            _ => None,
        },
        "views.preset" if name == "default" => kind("the default is \"normal\"", "normal"),
        _ => None,
    }
}

/// Encoders as model libraries name them.
fn encoder(name: &str) -> Option<Hint> {
    if let Some(depth) = name.strip_prefix("resnet")
        && matches!(depth, "18" | "34" | "50")
    {
        let advice = format!("write kind = \"resnet\", depth = {depth}");
        return Some(Hint::value(advice, "resnet"));
    }
    let size = name
        .strip_prefix("vit")
        .or_else(|| name.strip_prefix("deit"))?;
    let size = ["tiny", "small", "base"]
        .into_iter()
        .find(|known| !size.is_empty() && (size.starts_with(known) || known.starts_with(size)))?;
    let advice = format!("write kind = \"vit\", size = {size:?}");
    Some(Hint::value(advice, "vit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(wrong: Wrong, key: &str, value: &str) -> Option<String> {
        hint(wrong, &key.parse().ok()?, &Value::from(value)).map(|hint| hint.advice)
    }

    #[test]
    fn keys_of_other_tools_lead_to_ours() {
        for (key, meant) in [
            ("optimizer.lr", "`schedule.peak`"),
            ("lr", "`schedule.peak`"),
            ("optimizer.accumulation_steps", "`batch.shards`"),
            ("batch.batch_size", "`batch_size`"),
            ("optimizer.warmup_epochs", "`schedule.warmup_epochs`"),
            ("data.batch_size", "`batch_size`"),
            ("weight_decay", "`optimizer.weight_decay`"),
            ("schedule.epochs", "`epochs`"),
            ("model", "`encoder`"),
            ("plugin", "`[[plugins]]`"),
            ("encoder.name", "`encoder.kind`"),
            ("temperature", "`objective.temperature`"),
            ("evaluation.num-workers", "`loader.threads`"),
            ("projection.out", "`projection.output`"),
            ("data.dir", "`data.train`"),
            ("data.train", "`data.dir`"),
            ("data.root", "`data.dir`"),
            ("plugins[1].type", "`kind`"),
        ] {
            let advice = told(Wrong::Key, key, "").unwrap_or_default();
            assert!(advice.contains(meant), "{key}: {advice}");
        }
        for key in ["epoch", "plugins[0].lr", "nonsense", "schedule.peek"] {
            let advice = told(Wrong::Key, key, "");
            assert!(
                advice.is_none() || advice == Some("did you mean `epochs`?".to_owned()),
                "{key}: {advice:?}"
            );
        }
    }

    #[test]
    fn names_of_other_tools_lead_to_ours() {
        for (key, value, words) in [
            ("encoder.kind", "resnet18", "kind = \"resnet\", depth = 18"),
            ("encoder.kind", "ResNet-50", "kind = \"resnet\", depth = 50"),
            ("encoder.kind", "vit_small_patch16", "size = \"small\""),
            ("encoder.kind", "ViT-B", "size = \"base\""),
            ("objective.kind", "NT-Xent", "\"simclr\""),
            ("data.kind", "fashion_mnist", "\"embedded\""),
            ("encoder", "resnet9", "`[encoder]`"),
        ] {
            let advice = told(Wrong::Value, key, value).unwrap_or_default();
            assert!(advice.contains(words), "{key} = {value}: {advice}");
        }
        for (key, value) in [
            ("encoder.kind", "resnet101"),
            ("encoder.kind", "vit"),
            ("name", "resnet18"),
        ] {
            assert_eq!(told(Wrong::Value, key, value), None, "{key} = {value}");
        }
    }

    #[test]
    fn a_single_plugin_counts_as_a_list_of_one() {
        let plugins = KeyPath::root().key("plugins");
        let kind = [("kind".to_owned(), Value::from("unitmem"))];
        let told = hint(
            Wrong::Value,
            &plugins,
            &Value::Table(kind.into_iter().collect()),
        );
        assert!(told.is_some_and(|hint| hint.advice.contains("[[plugins]]")));
        let other = Value::Table(toml::Table::new());
        let told = hint(Wrong::Value, &plugins, &other);
        assert!(told.is_some_and(|hint| hint.advice.contains("has no plugin")));
    }
}
