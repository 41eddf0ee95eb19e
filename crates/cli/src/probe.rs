//! The command `probe`.

use std::path::PathBuf;

use afterimage::model::{ImportOptions, Layout};
use afterimage::{ProbeOptions, RunError};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::commands::{complain, say};
use crate::logging;

/// Arguments of `probe`.
#[derive(Debug, Args)]
pub struct Probe {
    /// A run directory, a folder checkpoints/step-… in one, or PyTorch weights (.safetensors, .pt,
    /// .pth) of a ResNet-18, -34, -50 or a vision transformer.
    pub checkpoint: PathBuf,
    /// The directory of the result.
    #[arg(long)]
    pub out: PathBuf,
    /// The images: embedded, idx:DIR, cifar10:DIR, cifar100:DIR or folder:DIR; by default those of
    /// the run.
    #[arg(long, value_name = "KIND:PATH")]
    pub data: Option<String>,
    /// A file with the keys of a probe: seed, device, convolution, [data], [limits], [views],
    /// [unitmem].
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Set a key, as in `--set views.preset=simclr`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Training points, and as many held-out ones (`unitmem.points`).
    #[arg(long)]
    pub points: Option<usize>,
    /// Augmented views of each point (`unitmem.views`).
    #[arg(long)]
    pub views: Option<usize>,
    /// Side of a view in pixels (`views.size`).
    #[arg(long)]
    pub size: Option<usize>,
    /// Mean and deviation that the encoder's images are normalised by (`views.normalize`); by
    /// default those of the run, or ImageNet's for PyTorch weights.
    #[arg(long)]
    pub normalize: Option<Normalize>,
    /// How the keys of PyTorch weights are named, if it is not found out: resnet, resnet-sequence
    /// or vit.
    #[arg(long)]
    pub layout: Option<Layout>,
    /// What stands in front of the encoder's keys, where a file holds several, as in
    /// `teacher.backbone`.
    #[arg(long)]
    pub prefix: Option<String>,
    /// Also write the embeddings of the points, [points, D], as a NumPy array (.npy).
    #[arg(long, visible_alias = "embeddings", value_name = "FILE")]
    pub features: Option<PathBuf>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// A usual normalisation.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Normalize {
    /// ImageNet's channels.
    Imagenet,
    /// Mean 0.5, deviation 0.5: values from −1 to 1.
    Half,
    /// None: values from 0 to 1.
    None,
}

impl Normalize {
    fn setting(self) -> String {
        let (mean, std) = match self {
            Self::Imagenet => ("[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"),
            Self::Half => ("[0.5]", "[0.5]"),
            Self::None => ("[0.0]", "[1.0]"),
        };
        format!("views.normalize={{ mean = {mean}, std = {std} }}")
    }
}

/// Probes an encoder; its result is the exit code.
pub fn probe(arguments: Probe) -> Result<u8, RunError> {
    // Its messages go to standard error; a probe keeps no log.
    let _log = logging::start();
    let mut sets = Vec::new();
    sets.extend(arguments.points.map(|n| format!("unitmem.points={n}")));
    sets.extend(arguments.views.map(|n| format!("unitmem.views={n}")));
    sets.extend(arguments.normalize.map(Normalize::setting));
    sets.extend(arguments.sets);
    let options = ProbeOptions {
        checkpoint: arguments.checkpoint,
        config: arguments.config,
        data: arguments.data,
        size: arguments.size,
        sets,
        import: ImportOptions {
            layout: arguments.layout,
            prefix: arguments.prefix,
        },
        features: arguments.features,
        out: arguments.out,
    };
    let probed = afterimage::probe(&options, &mut |part| complain(&format!("{part} …")))?;
    say(&probed.summary);
    if arguments.json {
        let result = json!({
            "probe": probed.out.path().display().to_string(),
            "exit_code": 0,
            "metrics": probed.scalars,
        });
        say(&format!("{result}\n"));
    }
    Ok(0)
}
