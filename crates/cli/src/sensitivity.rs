//! The command `sensitivity`.

use std::path::PathBuf;

use afterimage::prune::{Direction, Score};
use afterimage::{Budget, Pulse, RunError, SensitivityOptions, sensitivity};
use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};

use crate::alive::Alive;
use crate::logging;
use crate::output::say;
use crate::source::Source;

/// Arguments of `sensitivity`.
#[derive(Debug, Args)]
pub struct Sensitivity {
    /// A run directory, a folder checkpoints/step-… in one, a compacted encoder's folder, or PyTorch
    /// weights.
    pub checkpoint: PathBuf,
    /// Globs over names of groups of units, or of sites in them, as in `encoder.res2*`; all by default.
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    pub sites: Vec<String>,
    /// Shares of the units of a site that go, ascending, with commas between.
    #[arg(long, value_delimiter = ',', default_value = "0.1,0.3,0.5")]
    pub fractions: Vec<f64>,
    /// What units are chosen by, with commas between; random units are always beside. `magnitude`,
    /// `bn-gamma`, `unitmem` and `unitmem-excess` are computed, others are what the run recorded.
    #[arg(long, value_delimiter = ',', default_value = "magnitude,unitmem", value_parser = words())]
    pub scores: Vec<String>,
    /// Which end of the scores goes.
    #[arg(long, default_value = "both")]
    pub direction: End,
    /// Random draws of as many units, 1 to 1000.
    #[arg(long, default_value_t = 3)]
    pub repeats: u32,
    /// Also take the units out and time forward passes.
    #[arg(long)]
    pub latency: bool,
    /// The directory for sensitivity.csv, sensitivity.parquet, sensitivity.html and tensorboard; must
    /// not hold anything. Without it the tables are printed alone.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Write a config of the plugin `prune` that leaves what --budget says, by fractions for each site.
    #[arg(long, value_name = "FILE", requires = "budget")]
    pub write: Option<PathBuf>,
    /// What may be left, as in "50 % of macs" or "70 % of units".
    #[arg(long, requires = "write")]
    pub budget: Option<String>,
    #[command(flatten)]
    pub source: Source,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Scores that choose among the units of a layer; those of whole layers do not.
fn words() -> PossibleValuesParser {
    let words = Score::ALL.into_iter();
    PossibleValuesParser::new(words.filter(|score| !score.of_layers()).map(Score::word))
}

/// Which end of the scores goes.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum End {
    /// The highest scores.
    Highest,
    /// The lowest scores.
    Lowest,
    /// Each in an arm of its own.
    Both,
}

/// Studies an encoder; its result is the exit code.
pub fn study(arguments: Sensitivity) -> Result<u8, RunError> {
    let _log = logging::start();
    let write = match (arguments.write, arguments.budget) {
        (Some(path), Some(budget)) => Some((path, budget.parse::<Budget>()?)),
        _ => None,
    };
    let mut scores: Vec<Score> = Vec::new();
    for score in arguments
        .scores
        .iter()
        .filter_map(|word| Score::named(word))
    {
        if !scores.contains(&score) {
            scores.push(score);
        }
    }
    let options = SensitivityOptions {
        subject: arguments.source.options(arguments.checkpoint),
        sites: arguments.sites,
        fractions: arguments.fractions,
        scores,
        directions: match arguments.direction {
            End::Highest => vec![Direction::Highest],
            End::Lowest => vec![Direction::Lowest],
            End::Both => vec![Direction::Lowest, Direction::Highest],
        },
        repeats: arguments.repeats,
        latency: arguments.latency,
        out: arguments.out,
        write,
    };
    let alive = Alive::watch(Pulse::default());
    alive.begin("reading the encoder and the images");
    let found = sensitivity(&options, &mut |part| alive.say(part))?;
    drop(alive);
    say(&found.to_string());
    if let Some((path, _)) = &options.write {
        say(&format!("prune:      {}\n", path.display()));
    }
    if let Some(out) = &options.out {
        say(&format!("result:     {}\n", out.display()));
    }
    if arguments.json {
        say(&format!("{}\n", found.json()));
    }
    Ok(0)
}
