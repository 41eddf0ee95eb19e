//! Why a run did not start, or did not go on.

use std::path::PathBuf;

use afterimage_data::DataError;
use afterimage_files::word;
use afterimage_model::ModelError;
use afterimage_ssl::SslError;
use afterimage_track::TrackError;
use afterimage_train::TrainError;
use thiserror::Error;

use crate::config::ConfigErrors;
use crate::fine_tune::LayerError;
use crate::sensitivity::SensitivityError;

/// An error of a whole run, in the user's terms.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// Mistakes in the config, all of them.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// A device that this program or machine does not have.
    #[error("{0}")]
    Device(String),
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Images that are no longer those that a run began with.
    #[error(
        "data: the images are not those that the run began with: names, order or labels differ; \
         put them back, or begin a new run"
    )]
    OtherImages,
    /// Images whose pixels or labels are no longer those that a run began with.
    #[error(
        "data: pixels or labels of some images are not those that the run began with (`data_sha256` in its \
         manifest.json); put them back, or begin a new run"
    )]
    OtherPixels,
    /// A table that is no longer the one whose columns a run began to value.
    #[error("{key}: {what}")]
    OtherTable {
        /// The key that names it.
        key: String,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Training images that are not those of a run whose sets of points hang on them.
    #[error(
        "data: the training images are not those that the run {run} was trained on: {others}; {sets} chose \
         points among those, and nothing here tells which the encoder saw; put the images back, and leave \
         [data] and `limits.train` as the run has them"
    )]
    OtherTrainingImages {
        /// The directory of the run.
        run: PathBuf,
        /// The tables of its config that chose points.
        sets: &'static str,
        /// How they differ.
        others: String,
    },
    /// A first config that cannot be written.
    #[error("{what}: {reason}")]
    New {
        /// What is wrong: a flag, a pair or a file.
        what: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A key that asks for labels, where the images have none.
    #[error("{key}: {what} needs labels, and the images have none")]
    NoLabels {
        /// The key.
        key: String,
        /// What needs them.
        what: String,
    },
    /// A setting of objective, optimizer or schedule.
    #[error(transparent)]
    Ssl(#[from] SslError),
    /// Training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A setting of the model, or weights that cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of the run could not be written.
    #[error(transparent)]
    Track(#[from] TrackError),
    /// A sweep could not go on.
    #[error(transparent)]
    Sweep(#[from] afterimage_sweep::SweepError),
    /// Candidates and independent points that the data set does not have.
    #[error("pair.candidates: {0}")]
    Pair(afterimage_hooks::Fault),
    /// Label noise that does not fit the data.
    #[error("label_noise: {0}")]
    LabelNoise(String),
    /// Doses that do not fit the data.
    #[error("doses: {0}")]
    Doses(String),
    /// An encoder whose weights are finite and whose embeddings are not.
    #[error(
        "the embeddings of {count} of {images} images are not finite: the encoder's weights are numbers, \
         but overflow 32 bits in what it computes, so that nothing can be said of it; training that \
         diverged writes such weights: take an earlier checkpoint, or fetch the file again"
    )]
    Overflow {
        /// Images whose embeddings are not finite.
        count: usize,
        /// Images that were looked at.
        images: usize,
    },
    /// Images that the déjà-vu test cannot be made on.
    #[error("{0}")]
    DejaVu(String),
    /// Layers that cannot be chosen for fine-tuning.
    #[error("fine_tune.layers: {0}")]
    Layers(#[from] LayerError),
    /// An encoder that fine-tuning cannot start from.
    #[error("fine_tune.from: {path}: {reason}")]
    Start {
        /// What `from` says.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Layers of an encoder of another architecture.
    #[error(
        "--with: {donor} has other layers than the encoder, {studied}; layers can be exchanged between \
         encoders of one architecture"
    )]
    OtherLayers {
        /// The encoder that gets layers.
        studied: String,
        /// The encoder that gives them.
        donor: String,
    },
    /// An encoder with pruned units where only whole ones can be used.
    #[error("{path}: units of this encoder are pruned; give a checkpoint from before that")]
    PrunedLayers {
        /// The checkpoint.
        path: PathBuf,
    },
    /// Too few training points for UnitMem.
    #[error(
        "UnitMem compares at least 2 training points with each other; {points} were asked for, and \
         there are {train} training images"
    )]
    FewPoints {
        /// Points that were asked for.
        points: usize,
        /// Training images.
        train: usize,
    },
    /// A pattern that no site matches.
    #[error(
        "unitmem.sites: {pattern:?} and `unitmem.kinds` match no site of the encoder, so that there \
         is no unit to hold at zero"
    )]
    NoUnits {
        /// The pattern.
        pattern: String,
    },
    /// Layers that cannot be chosen for an exchange.
    #[error("--layers: {0}")]
    ExchangedLayers(LayerError),
    /// A share of units that is none.
    #[error("--fraction {given}: give a share above 0 and below 1")]
    Fraction {
        /// What was given.
        given: f64,
    },
    /// Units that cannot be chosen as asked for.
    #[error("--{key}: {reason}")]
    Ablate {
        /// The flag.
        key: &'static str,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// A number that would take more memory, or time, than there is.
    #[error("--{flag}: {reason}")]
    TooMuch {
        /// The flag.
        flag: &'static str,
        /// How much it is, how much may be, and what to do.
        reason: String,
    },
    /// Images to be timed that the encoder cannot take.
    #[error("--size {size}: the encoder needs images of at least {least} pixels a side")]
    SmallImages {
        /// The side that was asked for.
        size: usize,
        /// The least side.
        least: usize,
    },
    /// Views that the encoder cannot take.
    #[error(
        "views are {side} pixels high or wide; the encoder needs at least {least}; set `views.size`"
    )]
    SmallViews {
        /// The shorter side.
        side: usize,
        /// The least side.
        least: usize,
    },
    /// Points that cannot be inserted.
    #[error("points cannot be inserted: {reason}")]
    Insert {
        /// What is in the way.
        reason: String,
    },
    /// Local views that the encoder cannot take.
    #[error("{0}; set `objective.local_size`")]
    LocalViews(String),
    /// A run directory that already holds something.
    #[error(
        "{path}: this run directory is not empty; choose another with --out, or, if the run in it did \
         not end, go on with `afterimage resume {}`",
        word(path)
    )]
    NotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A directory whose run another process writes.
    #[error(
        "{path}: another process is at work on this run{}; wait for it, or end it first",
        pid.map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// The other process, where it is known.
        pid: Option<u32>,
    },
    /// A directory whose run was cut off before it stood there.
    #[error(
        "{path}: the start of this run was cut off before its config was written, so that there is \
         nothing to go on from; start it again with `afterimage run CONFIG --out {}`",
        word(path)
    )]
    Unbegun {
        /// The directory.
        path: PathBuf,
    },
    /// A directory that is gone while its run is at work.
    #[error(
        "{path}: this run directory was removed or replaced while the run was at work; what it held is \
         lost: start the run again"
    )]
    Removed {
        /// The directory.
        path: PathBuf,
    },
    /// A file that is not below its folder, no plain file, or cannot be read.
    #[error(transparent)]
    File(#[from] afterimage_files::FileError),
    /// A directory that holds no run.
    #[error("{path}: this is no run directory: {what}")]
    NoRun {
        /// The directory.
        path: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A place where a result cannot be made.
    #[error("--out: {0}")]
    Out(#[from] afterimage_files::PartialError),
    /// An encoder that is not there.
    #[error(
        "{path}: there is no such file or folder; give a run directory, a checkpoint of one, or a file \
         of PyTorch weights"
    )]
    NoSuchEncoder {
        /// What was given.
        path: PathBuf,
    },
    /// A directory that holds no encoder.
    #[error(
        "{path}: this folder is neither a run nor one of its checkpoints; name a run directory, a \
         folder checkpoints/step-… in it, or a file of PyTorch weights"
    )]
    NoCheckpoint {
        /// The directory.
        path: PathBuf,
    },
    /// Words about PyTorch weights where there are none.
    #[error(
        "--layout and --prefix say how PyTorch weights are named; {path} is a checkpoint of a run or a \
         compacted encoder, which says so itself: leave them out"
    )]
    NoForeignWeights {
        /// The checkpoint.
        path: PathBuf,
    },
    /// A file that cannot be written when its time comes.
    #[error(
        "{flag} {path}: this is a folder, or lies in none; name a file in a folder that is there"
    )]
    NoFolder {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// No run that could be compared: why not, run by run.
    #[error("{}", .0.join("\n"))]
    NoneToCompare(Vec<String>),
    /// A place for a page that holds something else.
    #[error("{flag} {path}: this is there already and no page; choose another name")]
    NoPage {
        /// The flag that names it.
        flag: &'static str,
        /// What is there.
        path: PathBuf,
    },
    /// An encoder that another program has no network for.
    #[error("--layout {layout}: {reason}; `--layout safetensors` takes any encoder")]
    Layout {
        /// The layout that was asked for.
        layout: String,
        /// Why not.
        reason: String,
    },
    /// Settings of an encoder that do not say how its images are made.
    #[error("the encoder cannot be exported: {reason}")]
    Export {
        /// What is wrong.
        reason: String,
    },
    /// An encoder that is to be written and has another stem than those that can be described.
    #[error(
        "the encoder has no ReLU behind its first norm, which neither `arch.json` nor a loader can say; it can be \
         probed, and neither compacted nor exported"
    )]
    NoRelu,
    /// Weights that come without images.
    #[error(
        "a file of weights does not say on which images to probe; give --data KIND:PATH, or a \
         [data] table with --config"
    )]
    NoImages,
    /// A `--data` flag that says nothing.
    #[error(
        "--data {given}: write embedded, idx:DIR, cifar10:DIR, cifar100:DIR, folder:DIR, tar:PATH or parquet:PATH; for \
         everything else write a [data] table and give it with --config"
    )]
    DataFlag {
        /// What was given.
        given: String,
    },
    /// Colour images for an encoder of gray ones.
    #[error(
        "the images have 3 channels; this encoder takes 1; pictures of files are read as gray with \
         --set data.channels=1"
    )]
    ColourImages,
    /// An encoder for images of other channels.
    #[error("{path}: its encoder takes images of {has} channels, and these have {given}")]
    Channels {
        /// The checkpoint.
        path: PathBuf,
        /// Channels that the encoder takes.
        has: usize,
        /// Channels of the images.
        given: usize,
    },
    /// A file that is there, where a new one is to be written.
    #[error("{flag} {path}: this is there already; name a file that is not, or remove it first")]
    IsThere {
        /// The flag.
        flag: &'static str,
        /// What is there.
        path: PathBuf,
    },
    /// A reference encoder whose layers cannot be compared.
    #[error(
        "the reference ({reference}) is not of the architecture of the encoder ({studied}); \
         LayerMem compares them layer by layer"
    )]
    OtherArchitecture {
        /// The encoder under study, in a few words.
        studied: String,
        /// Its reference.
        reference: String,
    },
    /// Too few images to compare points with each other.
    #[error(
        "at least 2 training points are looked at, and as many held-out ones; there are {train} \
         training and {held_out} held-out images; give more"
    )]
    FewImages {
        /// Training images.
        train: usize,
        /// Held-out images.
        held_out: usize,
    },
    /// Units to take out that the encoder does not have.
    #[error("{path}: {reason}")]
    Units {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A directory whose run has another config than the one that is to go on in it.
    #[error(
        "{path}: the run in this directory has another config; go on with it by `afterimage resume \
         {}`, or choose another directory with --out",
        word(path)
    )]
    OtherConfig {
        /// The directory.
        path: PathBuf,
    },
    /// Processes that cannot compute this run together.
    #[error("{0}")]
    Processes(String),
    /// A run that is already over.
    #[error("{path}: this run is complete; there is nothing to resume")]
    Complete {
        /// The directory.
        path: PathBuf,
    },
    /// A run that is over and lacks records.
    #[error(
        "{}; this run is complete and measures nothing again: put a copy of the file back, or run \
         it again in another directory",
        lost.join("; ")
    )]
    Lost {
        /// What is missing where.
        lost: Vec<String>,
    },
    /// A study of sensitivity that cannot be made.
    #[error(transparent)]
    Sensitivity(#[from] SensitivityError),
    /// A file could not be read or written.
    #[error("{path}: cannot {verb}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl RunError {
    pub(crate) fn io(
        path: impl Into<PathBuf>,
        verb: &'static str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, verb, source }
    }
}
