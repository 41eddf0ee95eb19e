//! The command `export`.

use std::path::PathBuf;

use afterimage::model::ImportOptions;
use afterimage::{EmbeddingsFormat, ExportOptions, Library, Pulse, RunError};
use clap::Args;
use serde_json::json;

use crate::alive::Alive;
use crate::logging;
use crate::output::conclude;
use crate::source::Normalize;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct Export {
    /// A run directory, a folder checkpoints/step-… in one, a compacted encoder's folder, or PyTorch
    /// weights.
    pub checkpoint: PathBuf,
    /// Who is to read the weights: torchvision (ResNet-18, -34, -50), timm (these and vision
    /// transformers), or safetensors, which takes every encoder under this project's own names.
    #[arg(long)]
    pub layout: Library,
    /// The directory for `encoder.safetensors`, `preprocessing.json`, `load.py` and `README.md`; must
    /// not hold anything.
    #[arg(long)]
    pub out: PathBuf,
    /// Also embed all training and held-out images, and write the embeddings with the names of the
    /// images: npy or parquet.
    #[arg(long, value_name = "FORMAT")]
    pub embeddings: Option<EmbeddingsFormat>,
    /// The images to embed: embedded, idx:DIR, cifar10:DIR, cifar100:DIR, folder:DIR, tar:PATH or
    /// parquet:PATH; by default
    /// those of the run.
    #[arg(long, value_name = "KIND:PATH", requires = "embeddings")]
    pub data: Option<String>,
    /// Side in pixels that images are scaled to (`views.size`); by default that of the run, or the side
    /// that PyTorch weights are made for.
    #[arg(long)]
    pub size: Option<usize>,
    /// Mean and deviation that the encoder's images are normalised by (`views.normalize`); by
    /// default those of the run, or ImageNet's for PyTorch weights.
    #[arg(long)]
    pub normalize: Option<Normalize>,
    /// What stands in front of the encoder's keys, where a file of PyTorch weights holds several, as in
    /// `teacher.backbone`.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Set a key of a probe: one of `views`, or, for the embeddings, any, as in `--set device=cuda:0`;
    /// may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Exports an encoder; its result is the exit code.
pub fn export(arguments: Export) -> Result<u8, RunError> {
    let _log = logging::start();
    let mut sets: Vec<String> = Vec::new();
    sets.extend(arguments.normalize.map(Normalize::setting));
    sets.extend(arguments.sets);
    let options = ExportOptions {
        checkpoint: arguments.checkpoint,
        library: arguments.layout,
        out: arguments.out,
        embeddings: arguments.embeddings,
        data: arguments.data,
        size: arguments.size,
        sets,
        import: ImportOptions {
            layout: None,
            prefix: arguments.prefix,
        },
    };
    let alive = Alive::watch(Pulse::default());
    alive.begin("reading the encoder");
    let exported = afterimage::export(&options, &mut |part| alive.say(part))?;
    drop(alive);
    let result = arguments.json.then(|| json!(exported));
    conclude(&exported.to_string(), "export", result);
    Ok(0)
}
