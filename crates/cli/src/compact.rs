//! The command `compact`.

use std::path::PathBuf;

use afterimage::model::{ImportOptions, Layout};
use afterimage::{CompactOptions, Pulse, RunError};
use clap::Args;
use serde_json::json;

use crate::alive::Alive;
use crate::logging;
use crate::output::conclude;

/// Arguments of `compact`.
#[derive(Debug, Args)]
pub struct Compact {
    /// A run directory, a checkpoint in one, a compacted encoder's folder, or PyTorch weights.
    pub checkpoint: PathBuf,
    /// The directory for `arch.json`, `encoder.safetensors`, `probe.toml` and `report.json`.
    #[arg(long)]
    pub out: PathBuf,
    /// Units to take out beside those that the run pruned: a JSON file of unit numbers by group, as
    /// in {"encoder.layer2": [0, 3]}.
    #[arg(long, value_name = "FILE")]
    pub prune: Option<PathBuf>,
    /// Keep the length of the embedding, for a head that was made for it.
    #[arg(long)]
    pub keep_embedding: bool,
    /// Side of the images in pixels that are timed and counted; by default the encoder's own.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub size: Option<u32>,
    /// Images in a forward pass that is timed.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Forward passes that are timed, 1 to 1000; the median counts.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeats: u32,
    /// Also judge the encoder before and after on the images of its run: accuracy, and memory of the
    /// points that it was trained on.
    #[arg(long)]
    pub memory: bool,
    /// How the keys of PyTorch weights are named, if it is not found out.
    #[arg(long)]
    pub layout: Option<Layout>,
    /// What stands in front of the encoder's keys in PyTorch weights.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Compacts an encoder; its result is the exit code.
pub fn compact(arguments: Compact) -> Result<u8, RunError> {
    let _log = logging::start();
    let options = CompactOptions {
        checkpoint: arguments.checkpoint,
        out: arguments.out,
        prune: arguments.prune,
        keep_embedding: arguments.keep_embedding,
        size: arguments.size.map(|size| size as usize),
        batch: arguments.batch as usize,
        repeats: arguments.repeats as usize,
        memory: arguments.memory,
        import: ImportOptions {
            layout: arguments.layout,
            prefix: arguments.prefix,
        },
    };
    let alive = Alive::watch(Pulse::default());
    alive.begin("reading the encoder");
    let compacted = afterimage::compact(&options, &mut |part| alive.say(part))?;
    drop(alive);
    let result = arguments.json.then(|| json!(compacted));
    conclude(&compacted.to_string(), "compact", result);
    Ok(0)
}
