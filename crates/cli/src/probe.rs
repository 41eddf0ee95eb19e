//! The command `probe`.

use std::path::PathBuf;

use afterimage::{ProbeOptions, RunError};
use clap::Args;
use serde_json::json;

use crate::alive::Alive;
use crate::logging;
use crate::output::say;
use crate::source::Source;

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// A run directory, a folder checkpoints/step-… in one, or PyTorch weights (.safetensors, .pt,
    /// .pth) of a ResNet-18, -34, -50 or a vision transformer.
    pub checkpoint: PathBuf,
    /// The directory of the result.
    #[arg(long)]
    pub out: PathBuf,
    #[command(flatten)]
    pub source: Source,
    /// Also measure the alignment gap of each layer, which needs no reference encoder
    /// (`[alignment]`).
    #[arg(long)]
    pub alignment: bool,
    /// Also make the déjà-vu test and measure the alignment gap, neither of which needs a reference
    /// encoder (`[deja_vu]`, `[alignment]`).
    #[arg(long)]
    pub deja_vu: bool,
    /// A checkpoint or weights of an encoder of the same architecture that never saw the training
    /// images: also measure LayerMem against it (`[layermem]`).
    #[arg(long, value_name = "CHECKPOINT")]
    pub reference: Option<PathBuf>,
    /// Also write the embeddings of the points, [points, D], as a NumPy array (.npy).
    #[arg(long, visible_alias = "embeddings", value_name = "FILE")]
    pub features: Option<PathBuf>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Probes an encoder; its result is the exit code.
pub fn probe(arguments: Probe) -> Result<u8, RunError> {
    // Its messages go to standard error; a probe keeps no log.
    let _log = logging::start();
    let options = ProbeOptions {
        alignment: arguments.alignment,
        deja_vu: arguments.deja_vu,
        reference: arguments.reference,
        features: arguments.features,
        out: arguments.out,
        ..arguments.source.options(arguments.checkpoint)
    };
    let alive = Alive::watch(options.pulse.clone());
    alive.begin("reading the encoder and the images");
    let probed = afterimage::probe(&options, &mut |part| alive.say(part))?;
    drop(alive);
    say(&probed.summary);
    let code = if probed.lost_records.is_empty() { 0 } else { 5 };
    if arguments.json {
        let result = json!({
            "probe": probed.out.path().display().to_string(),
            "exit_code": code,
            "metrics": probed.scalars,
        });
        say(&format!("{result}\n"));
    }
    Ok(code)
}
