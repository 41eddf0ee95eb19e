//! Arguments of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::intervene::{Ablate, Exchange};
use crate::probe::Probe;
use crate::value::Value;

/// Shows what a self-supervised vision encoder memorizes while it trains, and acts on it.
#[derive(Debug, Parser)]
#[command(name = "afterimage", version, propagate_version = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run an experiment config.
    Run(Run),
    /// Go on with a run from its last checkpoint.
    Resume {
        /// The run directory.
        run: PathBuf,
        /// Print the result as one JSON object on the last line of standard output.
        #[arg(long)]
        json: bool,
    },
    /// Parse and validate configs, and print the order of their plugins; opens no device.
    Check {
        /// Config files.
        #[arg(required = true)]
        configs: Vec<PathBuf>,
        /// Set a key, as in `--set schedule.peak=0.1`; may be repeated.
        #[arg(long = "set", value_name = "KEY=VALUE")]
        sets: Vec<String>,
    },
    /// List plugins, or show one with its events, keys, defaults and resources.
    Plugins {
        /// Name of a plugin.
        name: Option<String>,
    },
    /// Measure the memorization of an encoder that is already trained.
    Probe(Probe),
    /// Put layers of one encoder in the places of another's, and judge what is left of it.
    Exchange(Exchange),
    /// Hold the units that memorize most or least at zero, and judge what is left of the encoder.
    Ablate(Ablate),
    /// Write the HTML report of runs again.
    Report {
        /// Run directories.
        #[arg(required = true)]
        runs: Vec<PathBuf>,
    },
    /// Value the rows and cells of a table: how well models that have not seen a row predict its
    /// label (Data-OOB), and how well those do that saw a column (2D-OOB).
    Value(Box<Value>),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The config file.
    pub config: PathBuf,
    /// Set a key, as in `--set schedule.peak=0.1` or `--set plugins.unitmem.points=500`; may be
    /// repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// The run directory; by default `runs/<name>/<seed>-<hash of the config>`.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Say what would run, read the data, and stop.
    #[arg(long)]
    pub dry_run: bool,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}
