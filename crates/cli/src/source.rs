//! Arguments that name an encoder's images and how its file is read.

use std::path::PathBuf;

use afterimage::ProbeOptions;
use afterimage::model::{ImportOptions, Layout};
use clap::{Args, ValueEnum};

/// What an encoder that is already trained is looked at with.
#[derive(Debug, Args)]
pub struct Source {
    /// The images: embedded, idx:DIR, cifar10:DIR, cifar100:DIR, folder:DIR, tar:PATH or
    /// parquet:PATH; by default those of
    /// the run.
    #[arg(long, value_name = "KIND:PATH")]
    pub data: Option<String>,
    /// A file with the keys of a probe: seed, device, convolution, [data], [limits], [views],
    /// [unitmem], [alignment], [layermem].
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
    /// The key of a probe's config that says it.
    pub fn setting(self) -> String {
        let (mean, std) = match self {
            Self::Imagenet => ("[0.485, 0.456, 0.406]", "[0.229, 0.224, 0.225]"),
            Self::Half => ("[0.5]", "[0.5]"),
            Self::None => ("[0.0]", "[1.0]"),
        };
        format!("views.normalize={{ mean = {mean}, std = {std} }}")
    }
}

impl Source {
    /// These arguments for the encoder in `checkpoint`.
    pub fn options(self, checkpoint: PathBuf) -> ProbeOptions {
        let mut sets = Vec::new();
        sets.extend(self.points.map(|n| format!("unitmem.points={n}")));
        sets.extend(self.views.map(|n| format!("unitmem.views={n}")));
        sets.extend(self.normalize.map(Normalize::setting));
        sets.extend(self.sets);
        ProbeOptions {
            checkpoint,
            config: self.config,
            data: self.data,
            size: self.size,
            sets,
            import: ImportOptions {
                layout: self.layout,
                prefix: self.prefix,
            },
            ..ProbeOptions::default()
        }
    }
}
