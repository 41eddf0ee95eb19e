//! The commands `exchange`, `ablate` and `insert`.

use std::path::PathBuf;

use afterimage::{
    AblateOptions, ExchangeOptions, Grain, InsertOptions, LayerChoice, ProbeOptions, Pulse, Ranked,
    Registry, RunError, Which, ablate, exchange, insert,
};
use clap::{Args, ValueEnum};
use serde_json::json;

use crate::alive::Alive;
use crate::logging;
use crate::output::conclude;
use crate::source::Source;

/// Arguments of `exchange`.
#[derive(Debug, Args)]
pub struct Exchange {
    /// The encoder that gets layers: a run directory, a checkpoint in one, or PyTorch weights.
    pub checkpoint: PathBuf,
    /// The encoder of the same architecture that gives them.
    #[arg(long, value_name = "CHECKPOINT")]
    pub with: PathBuf,
    /// Its layers: last:N, first:N, random:N, top-delta-layermem:N, bottom-delta-layermem:N, or
    /// names with commas between, as in `encoder.layer2,encoder.res2a`.
    #[arg(long, value_name = "LAYERS")]
    pub layers: LayerChoice,
    /// Random choices of as many layers that are exchanged beside.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=1000))]
    pub controls: u64,
    /// An encoder of the same architecture that never saw the training images, for LayerMem; a run with
    /// a `[pair]` brings its own.
    #[arg(long, value_name = "CHECKPOINT")]
    pub reference: Option<PathBuf>,
    #[command(flatten)]
    pub source: Source,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `ablate`.
#[derive(Debug, Args)]
pub struct Ablate {
    /// A run directory, a checkpoint in one, or PyTorch weights.
    pub checkpoint: PathBuf,
    /// What units are ranked by, with commas between: unitmem, unitmem-excess, ownership, layermem,
    /// layermem-delta, magnitude, taylor, activation-mean, random; each may name its end, as in
    /// magnitude:low.
    #[arg(
        long,
        value_name = "SCORE[:END]",
        value_delimiter = ',',
        default_value = "unitmem"
    )]
    pub score: Vec<Ranked>,
    /// Which end of a score is held at zero, where the score names none.
    #[arg(long, default_value = "top")]
    pub units: Units,
    /// Shares of the units, above 0 and below 1, with commas between.
    #[arg(long, value_delimiter = ',', default_value = "0.1")]
    pub fraction: Vec<f64>,
    /// Whether the share is taken of each layer or of all units together.
    #[arg(long, default_value = "layer")]
    pub per: Per,
    /// Training points whose units the score `ownership` looks for: a file of ids, one a line,
    /// or dose:8 for images that the run planted; by default the probed ones.
    #[arg(long, value_name = "FILE|dose:DOSE")]
    pub owned_by: Option<PathBuf>,
    /// Random choices of as many units of each layer that are held at zero beside.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=1000))]
    pub controls: u64,
    /// Also hold units at zero that are about as active as the chosen ones.
    #[arg(long)]
    pub matched: bool,
    /// An encoder of the same architecture that never saw the training images, for LayerMem; a run with
    /// a `[pair]` brings its own.
    #[arg(long, value_name = "CHECKPOINT")]
    pub reference: Option<PathBuf>,
    /// A new directory for arms.csv, arms.parquet and report.html, the curve of usefulness against
    /// memory left.
    #[arg(long)]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub source: Source,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `insert`.
#[derive(Debug, Args)]
pub struct Insert {
    /// The run directory.
    pub run: PathBuf,
    /// Site of the units; the last activation by default.
    #[arg(long)]
    pub site: Option<String>,
    /// Held-out points that are inserted.
    #[arg(long, default_value_t = 1)]
    pub points: usize,
    /// Training points that they are compared with.
    #[arg(long, default_value_t = 500)]
    pub others: usize,
    /// Views of each point when units are measured.
    #[arg(long, default_value_t = 10)]
    pub views: usize,
    /// Rows of a batch; a single point is repeated with other views.
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    /// Steps after which units are measured, ascending, with commas between; at most 1000000.
    #[arg(long, value_delimiter = ',', default_value = "0,10,50,200,500")]
    pub steps: Vec<u64>,
    /// Learning rate of plain gradient descent.
    #[arg(long, default_value_t = 0.05)]
    pub rate: f64,
    /// Set a key of the run's config, as in `--set data.dir=…`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// An end of a score.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Units {
    /// The highest.
    Top,
    /// The lowest.
    Low,
}

/// Where units are counted.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Per {
    /// The same share of each layer.
    Layer,
    /// A share of all units together.
    Network,
}

/// Exchanges layers; its result is the exit code.
pub fn exchange_layers(arguments: Exchange) -> Result<u8, RunError> {
    let _log = logging::start();
    let options = ExchangeOptions {
        subject: ProbeOptions {
            reference: arguments.reference,
            ..arguments.source.options(arguments.checkpoint)
        },
        donor: arguments.with,
        layers: arguments.layers,
        controls: arguments.controls,
    };
    let alive = alive(&options.subject.pulse);
    let arms = exchange(&options, &mut |part| alive.say(part))?;
    drop(alive);
    let result = arguments.json.then(|| json!(arms));
    conclude(&format!("{arms}\n"), "arms", result);
    Ok(0)
}

/// Holds units at zero; its result is the exit code.
pub fn ablate_units(registry: &Registry, arguments: Ablate) -> Result<u8, RunError> {
    let _log = logging::start();
    let options = AblateOptions {
        subject: ProbeOptions {
            reference: arguments.reference,
            ..arguments.source.options(arguments.checkpoint)
        },
        scores: arguments.score,
        which: match arguments.units {
            Units::Top => Which::Top,
            Units::Low => Which::Low,
        },
        fractions: arguments.fraction,
        grain: match arguments.per {
            Per::Layer => Grain::Layer,
            Per::Network => Grain::Network,
        },
        owned_by: arguments.owned_by,
        controls: arguments.controls,
        matched: arguments.matched,
        out: arguments.out,
    };
    let alive = alive(&options.subject.pulse);
    let ablation = ablate(registry, &options, &mut |part| alive.say(part))?;
    drop(alive);
    let mut found = format!("{ablation}\n");
    if let Some(out) = &options.out {
        found += &format!("curve:      {}\n", out.join("report.html").display());
    }
    let result = arguments.json.then(|| json!(ablation));
    conclude(&found, "ablation", result);
    Ok(0)
}

/// Inserts points into units; its result is the exit code.
pub fn insert_points(registry: &Registry, arguments: Insert) -> Result<u8, RunError> {
    let _log = logging::start();
    let options = InsertOptions {
        run: arguments.run,
        sets: arguments.sets,
        site: arguments.site,
        points: arguments.points,
        others: arguments.others,
        views: arguments.views,
        batch: arguments.batch,
        steps: arguments.steps,
        rate: arguments.rate,
        pulse: Pulse::default(),
    };
    let alive = alive(&options.pulse);
    let inserted = insert(registry, &options, &mut |part| alive.say(part))?;
    drop(alive);
    let result = arguments.json.then(|| json!(inserted));
    conclude(&format!("{inserted}\n"), "insertion", result);
    Ok(0)
}

fn alive(pulse: &Pulse) -> Alive {
    let alive = Alive::watch(pulse.clone());
    alive.begin("reading the encoder and the images");
    alive
}
