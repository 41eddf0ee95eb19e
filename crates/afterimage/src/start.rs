//! The encoder that a run starts with.

use std::path::Path;

use afterimage_files::{SMALL, read_text, word};
use afterimage_model::compact::{Kept, without_units};
use afterimage_model::{
    AnyEncoder, Encoder as _, EncoderConfig, ImportOptions, Layer, Masks, ModelError, layers,
    parameters,
};
use afterimage_train::{Checkpoints, TrainError, read_kept};
use burn::tensor::Device;

use crate::error::RunError;
use crate::experiment::Experiment;
use crate::fine_tune::FineTuneConfig;
use crate::probe::Subject;
use crate::run_dir::RunDir;

/// Where a fine-tuning run keeps the names of the layers that it trains.
const TRAINED: &str = "trained_layers.json";

/// Random initial parameters, or an encoder that is there already.
pub(crate) struct Start<'a> {
    encoder: &'a EncoderConfig,
    seed: u64,
    device: &'a Device,
    from: From<'a>,
}

enum From<'a> {
    Scratch,
    Encoder(&'a FineTuneConfig, Box<Subject>),
    /// A run goes on: its checkpoint has the values, masks and kept units, and its directory the
    /// layers. What it started from may be gone or different by now, and has no say any more.
    Resumed {
        layers: Vec<String>,
        kept: Kept,
    },
}

impl<'a> Start<'a> {
    /// Looks at what the experiment starts from; `encoder` is its encoder for its images, `resumed`
    /// the directory of a run that goes on from a checkpoint.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub(crate) fn open(
        experiment: &'a Experiment,
        encoder: &'a EncoderConfig,
        device: &'a Device,
        resumed: Option<&Path>,
    ) -> Result<Self, RunError> {
        let from = match (&experiment.fine_tune, resumed) {
            (None, _) => From::Scratch,
            (Some(_), Some(run)) => {
                let checkpoints = Checkpoints::new(RunDir::open(run)?.checkpoints(), 1, "");
                From::Resumed {
                    layers: kept_layers(run)?,
                    kept: read_kept(&checkpoints.last_good()?.path)?,
                }
            }
            (Some(config), None) => match find(config)? {
                Found::Encoder(subject) => From::Encoder(config, subject),
                Found::Nothing(what) => {
                    return Err(RunError::Start {
                        path: config.from.clone(),
                        reason: what.to_owned(),
                    });
                }
            },
        };
        Ok(Self {
            encoder,
            seed: experiment.seed,
            device,
            from,
        })
    }

    /// The encoder without the units that are not [`kept`](Self::kept); each call gives one that
    /// shares nothing with the others.
    ///
    /// # Errors
    /// A checkpoint of another encoder than the experiment's.
    pub(crate) fn encoder(&self) -> Result<AnyEncoder, RunError> {
        let fresh = self.encoder.init(self.seed, self.device)?;
        let (config, subject) = match &self.from {
            From::Scratch => return Ok(fresh),
            From::Resumed { kept, .. } => return Ok(without_units(&fresh, kept)?),
            From::Encoder(config, subject) => (config, subject),
        };
        let refuse = |reason: String| RunError::Start {
            path: config.from.clone(),
            reason,
        };
        let holds = &subject.description;
        let table = subject.written().map_or_else(String::new, |table| {
            format!("; its network is `encoder = {{ {table} }}`")
        });
        // Whether the network is another or its file is damaged, the error of the loader says.
        let opened = subject.load(self.encoder, self.device).map_err(|error| {
            if let RunError::Model(
                error @ (ModelError::NotFinite { .. } | ModelError::NegativeVariance { .. }),
            ) = &error
            {
                return refuse(error.to_string());
            }
            refuse(format!(
                "it holds {holds}, which this config's `encoder` cannot take: {error}{table}"
            ))
        })?;
        let shapes = |encoder: &AnyEncoder| -> Vec<(String, Vec<usize>)> {
            let all = parameters(encoder).into_iter();
            all.map(|parameter| (parameter.path, parameter.shape))
                .collect()
        };
        let wanted = without_units(&fresh, &subject.kept())?;
        if shapes(&opened.encoder) != shapes(&wanted) {
            return Err(refuse(format!(
                "it holds {holds}, and this config's `encoder` is another network{table}"
            )));
        }
        if let AnyEncoder::ResNet(network) = &opened.encoder
            && !network.stem.rectified
        {
            return Err(refuse(
                "it has no ReLU behind its first norm, which no config can say; fine-tune an \
                 encoder that has one"
                    .to_owned(),
            ));
        }
        opened.masks.check(&opened.encoder.sites())?;
        Ok(opened.encoder)
    }

    /// What the encoder has of the network that the config describes: all of it, but where the run
    /// starts from a smaller one or goes on with one.
    pub(crate) fn kept(&self) -> Kept {
        match &self.from {
            From::Scratch => Kept::default(),
            From::Encoder(_, subject) => subject.kept(),
            From::Resumed { kept, .. } => kept.clone(),
        }
    }

    /// Units of the encoder that are held at zero from the first step.
    pub(crate) fn masks(&self) -> Masks {
        match &self.from {
            From::Encoder(_, subject) => subject.masks(),
            From::Scratch | From::Resumed { .. } => Masks::none(),
        }
    }

    /// What the run starts from, in a few words; none for random initial parameters.
    pub(crate) fn described(&self) -> Option<String> {
        let From::Encoder(config, subject) = &self.from else {
            return None;
        };
        let masked = match subject.masks().iter().count() {
            0 => String::new(),
            sites => format!("; units of {sites} sites stay masked"),
        };
        let from = config.from.display();
        Some(format!("{from}: {}{masked}", subject.description))
    }

    /// The layers that are trained, and the paths of all parameters and statistics that are not.
    ///
    /// # Errors
    /// Layers that cannot be chosen.
    pub(crate) fn trained(&self) -> Result<Trained, RunError> {
        let all = self.layers()?;
        let trained = match &self.from {
            From::Scratch => all.clone(),
            From::Encoder(config, _) => config.trained(&all, self.seed)?,
            From::Resumed { layers, .. } => {
                let kept = |layer: &&Layer| layers.contains(&layer.site);
                all.iter().filter(kept).cloned().collect()
            }
        };
        let names: Vec<String> = trained.iter().map(|layer| layer.site.clone()).collect();
        let frozen = all.into_iter().filter(|layer| !trained.contains(layer));
        Ok(Trained {
            names: (!matches!(self.from, From::Scratch)).then_some(names),
            frozen: frozen.flat_map(|layer| layer.parameters).collect(),
        })
    }

    fn layers(&self) -> Result<Vec<Layer>, RunError> {
        let encoder = self.encoder.init(self.seed, self.device)?;
        let paths: Vec<String> = parameters(&encoder)
            .into_iter()
            .map(|parameter| format!("encoder.{}", parameter.path))
            .collect();
        Ok(layers(&encoder.sites(), &paths))
    }
}

/// What is where a run is to start from.
enum Found {
    Encoder(Box<Subject>),
    /// Nothing, in a few words: the run that makes it may be still to come.
    Nothing(&'static str),
}

/// Looks at what a run starts from.
///
/// # Errors
/// A path that is there and names no encoder; a checkpoint that cannot be read.
fn find(config: &FineTuneConfig) -> Result<Found, RunError> {
    if !config.from.exists() {
        return Ok(Found::Nothing(
            "there is no such run, checkpoint, compacted encoder or file of weights",
        ));
    }
    match Subject::open(&config.from, &ImportOptions::default()) {
        Ok(subject) => Ok(Found::Encoder(Box::new(subject))),
        Err(RunError::Train(TrainError::NoCheckpoint { .. })) => {
            Ok(Found::Nothing("this run has no checkpoint"))
        }
        // A damaged file is no mistake in the config.
        Err(
            error @ RunError::Train(
                TrainError::Checkpoint { .. } | TrainError::NoneWhole(_) | TrainError::File(_),
            ),
        ) => Err(error),
        Err(error) => {
            let several = matches!(&error, RunError::Model(ModelError::Several { .. }));
            let more = match several {
                true => one_of(&config.from),
                false => String::new(),
            };
            Err(RunError::Start {
                path: config.from.clone(),
                reason: format!("{error}{more}"),
            })
        }
    }
}

/// What a run with this table would start from, as far as its path alone tells: a line.
///
/// # Errors
/// As [`find`].
pub(crate) fn foreseen(config: &FineTuneConfig) -> Result<String, RunError> {
    let from = config.from.display();
    Ok(match find(config)? {
        Found::Encoder(subject) => format!("starts from {from}: {}\n", subject.description),
        Found::Nothing(what) => format!("note: {}\n", not_yet(config, what)),
    })
}

/// Why a run of now with this table would be refused: nothing is there to start from, or what is no encoder, or one
/// that is damaged.
pub(crate) fn refused(config: &FineTuneConfig) -> Option<String> {
    let why = match find(config) {
        Ok(Found::Encoder(_)) => return None,
        Ok(Found::Nothing(what)) => return Some(not_yet(config, what)),
        Err(RunError::Start { reason, .. }) => reason,
        Err(error) => error.to_string(),
    };
    let from = config.from.display().to_string();
    Some(match why.contains(&from) {
        true => format!("fine_tune.from: {why}"),
        false => format!("fine_tune.from: {from}: {why}"),
    })
}

fn not_yet(config: &FineTuneConfig, what: &str) -> String {
    let from = config.from.display();
    format!("fine_tune.from: {from}: {what} yet; a run is refused until there is one")
}

/// How to start from one of several encoders in the file `from`.
fn one_of(from: &Path) -> String {
    format!(
        "; write that one by itself with `afterimage export {} --prefix PREFIX --layout safetensors --out \
         DIR`, and start from DIR",
        word(from)
    )
}

/// What fine-tuning trains.
pub(crate) struct Trained {
    /// Names of the trained layers, in a run that fine-tunes.
    pub(crate) names: Option<Vec<String>>,
    /// Paths of the encoder's parameters and statistics that are not trained.
    pub(crate) frozen: Vec<String>,
}

/// Keeps the names of the trained layers in the directory of a run, for its resume.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn keep_layers(run: &Path, names: &[String]) -> Result<(), RunError> {
    tracing::info!("trained layers of the encoder: {}", names.join(", "));
    let text = serde_json::to_string_pretty(names).unwrap_or_default() + "\n";
    afterimage_track::files::write_beside(&run.join(TRAINED), text.as_bytes())?;
    Ok(())
}

fn kept_layers(run: &Path) -> Result<Vec<String>, RunError> {
    let path = run.join(TRAINED);
    let text = read_text(&path, SMALL)?;
    serde_json::from_str(&text).map_err(|error| RunError::Start {
        path,
        reason: format!("does not name the trained layers: {error}"),
    })
}
