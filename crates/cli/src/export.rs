//! The command `export`.

use std::path::PathBuf;

use afterimage::{EmbeddingsFormat, ExportOptions, Library, Pulse, RunError};
use clap::Args;
use serde_json::json;

use crate::alive::Alive;
use crate::logging;
use crate::output::conclude;

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
    /// Set a key of a probe for the embeddings, as in `--set device=cuda:0`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "embeddings")]
    pub sets: Vec<String>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Exports an encoder; its result is the exit code.
pub fn export(arguments: Export) -> Result<u8, RunError> {
    let _log = logging::start();
    let options = ExportOptions {
        checkpoint: arguments.checkpoint,
        library: arguments.layout,
        out: arguments.out,
        embeddings: arguments.embeddings,
        data: arguments.data,
        sets: arguments.sets,
    };
    let alive = Alive::watch(Pulse::default());
    alive.begin("reading the encoder");
    let exported = afterimage::export(&options, &mut |part| alive.say(part))?;
    drop(alive);
    let result = arguments.json.then(|| json!(exported));
    conclude(&exported.to_string(), "export", result);
    Ok(0)
}
