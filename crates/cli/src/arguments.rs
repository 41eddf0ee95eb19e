//! Arguments of the command line.

use std::path::PathBuf;

use afterimage::coreset::Strategy;
use clap::{Args, Parser, Subcommand};

use crate::compact::Compact;
use crate::data::Data;
use crate::export::Export;
use crate::intervene::{Ablate, Exchange, Insert};
use crate::new::New;
use crate::probe::Probe;
use crate::sensitivity::Sensitivity;
use crate::shell::Completions;
use crate::sweep::Sweep;
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
    /// Write a first config: a recipe for your images, each key with what it does.
    New(New),
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
    /// Print the JSON schema of experiment configs, for editors that complete and check TOML by one.
    Schema {
        /// The schema of sweep files instead.
        #[arg(long, conflicts_with = "markdown")]
        sweep: bool,
        /// Tables of all keys in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
    /// Measure the memorization of an encoder that is already trained.
    Probe(Probe),
    /// Put layers of one encoder in the places of another's, and judge what is left of it.
    Exchange(Exchange),
    /// Hold the units of the highest or lowest scores at zero, and judge what is left of the encoder and
    /// of its memory.
    Ablate(Ablate),
    /// Hold units of one site after the other at zero, by scores and at random, and measure what is left.
    Sensitivity(Box<Sensitivity>),
    /// Train single units of a run's encoder on held-out points, and watch their UnitMem.
    Insert(Insert),
    /// Make a smaller encoder of one whose units are pruned, and measure what it saves.
    Compact(Compact),
    /// Write an encoder for other programs: weights under the names of torchvision or timm, how its
    /// images are made, a loader, and embeddings with the names of the images.
    Export(Export),
    /// Look at the images of a config or a run.
    Data(Data),
    /// Choose a coreset of an embedding matrix.
    Select(Box<Select>),
    /// Run many trials of an experiment, each a process of its own, and say which did best. The same
    /// command goes on with a sweep that was cut off.
    Sweep(Sweep),
    /// Write the HTML report of each run again; with --out, one page that compares the runs.
    ///
    /// The comparison has what differs in the configs, the figures at the end with their epochs and
    /// controls, and curves over each other. Runs that differ by their seed alone are a group: groups
    /// have means, and differences to the first group, paired by seed, with 95 % intervals where at
    /// least three seeds are in both.
    Report {
        /// Run directories; the first is what others are held against.
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// Write one page that compares the runs to this file, and leave their own pages alone.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Value the rows and cells of a table: how well models that have not seen a row predict its
    /// label (Data-OOB), and how well those do that saw a column (2D-OOB).
    Value(Box<Value>),
    /// Print a script by which a shell completes commands and flags.
    Completions(Completions),
    /// Print the manual page, or write those of all commands to a folder.
    Man {
        /// The folder; it is made if it is not there, and pages in it are written anew.
        folder: Option<PathBuf>,
    },
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
    /// Go on with the run in the run directory if it was started before; start it if it was not.
    #[arg(long)]
    pub resume: bool,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `select`.
#[derive(Debug, Args)]
pub struct Select {
    /// One row a sample: embeddings, features, or proxies of the gradient; npy, CSV or Parquet.
    pub embeddings: PathBuf,
    /// One label a sample; npy, CSV or Parquet. Each class is then selected from apart.
    #[arg(long)]
    pub labels: Option<PathBuf>,
    /// One loss a sample, for `--strategy small-loss`; npy, CSV or Parquet.
    #[arg(long)]
    pub losses: Option<PathBuf>,
    /// LayerMem of each sample, one number a row, for `--strategy memorization` and `memorization-alone`;
    /// npy, CSV or Parquet.
    #[arg(long)]
    pub layermem: Option<PathBuf>,
    /// Units that each sample owns, or another score of UnitMem, likewise; with both, the mean of their
    /// ranks counts.
    #[arg(long)]
    pub unitmem: Option<PathBuf>,
    /// The first line of a CSV file names its columns: of `all` files, or of those that hold FILE; by
    /// default their form tells.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = ["all", "embeddings", "labels", "losses", "layermem", "unitmem"]
    )]
    pub header: Vec<String>,
    /// The first line of a CSV file is a sample: of `all` files, or of those that hold FILE.
    #[arg(
        long,
        value_name = "FILE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all",
        value_parser = ["all", "embeddings", "labels", "losses", "layermem", "unitmem"]
    )]
    pub no_header: Vec<String>,
    /// Columns of the embeddings to leave out, by name or by number from 1, with commas between them; may
    /// be repeated.
    #[arg(long, value_name = "COL")]
    pub ignore: Vec<String>,
    /// A column of the embeddings that names the samples, by name or by number from 1; it is copied to the
    /// results, and nothing is chosen by it.
    #[arg(long, value_name = "COL")]
    pub id: Option<String>,
    /// In a CSV or npy file of labels, NA, None, null and the like are labels. In Parquet files they
    /// always are.
    #[arg(long, requires = "labels")]
    pub keep_missing_words: bool,
    /// What the rows are. `el2n`, `grand` and `grad-match` rank by gradients of a network's loss, or their
    /// proxies, and are refused on embeddings, whose lengths say nothing of it.
    #[arg(long, default_value = "embeddings", value_parser = ["embeddings", "gradients"])]
    pub rows: String,
    /// Which samples `--strategy memorization` leans towards, and `memorization-alone` chooses; by default
    /// `memorized`.
    #[arg(long, value_parser = ["memorized", "typical"])]
    pub prefer: Option<String>,
    /// What the most preferred sample of `--strategy memorization` is worth beside what it covers, in
    /// units of what covering one sample whole is worth; by default 0.2.
    #[arg(long, allow_negative_numbers = true)]
    pub bonus: Option<f64>,
    /// The part of the samples to choose, in (0, 1].
    #[arg(
        long,
        required_unless_present = "count",
        conflicts_with = "count",
        allow_negative_numbers = true
    )]
    pub fraction: Option<f64>,
    /// The number of samples to choose.
    #[arg(long, allow_negative_numbers = true)]
    pub count: Option<usize>,
    /// What to choose by: facility-location, centrality, k-centre, herding, prototypes, prototypes-easy,
    /// small-loss, el2n, grand, craig, grad-match, graph-cut, sas, sas-released, memorization,
    /// memorization-alone, random or uniform.
    #[arg(long, value_name = "NAME", default_value = "facility-location", value_parser = strategy)]
    pub strategy: String,
    /// How facility location finds the next sample; all but `stochastic` choose the same. By default
    /// `event-driven`.
    #[arg(long, value_parser = ["naive", "lazy", "stochastic", "event-driven"])]
    pub greedy: Option<String>,
    /// What `--greedy stochastic` may lose of the best value on average, in (0, 1); by default 0.01.
    #[arg(long)]
    pub epsilon: Option<f64>,
    /// Weights of the chosen: the number of samples nearest to each, the number within `--radius`, or
    /// 1. By default `cluster-size`; `craig` and `grad-match` have weights of their own.
    #[arg(long, value_parser = ["cluster-size", "radius", "none"])]
    pub weights: Option<String>,
    /// Cut cluster sizes at this quantile, in (0, 1].
    #[arg(long)]
    pub cap: Option<f64>,
    /// The distance of `--weights radius`.
    #[arg(long, required_if_eq("weights", "radius"))]
    pub radius: Option<f64>,
    /// Select from each of this many k-means clusters apart, instead of from each class.
    #[arg(long, conflicts_with = "labels")]
    pub clusters: Option<usize>,
    /// Memory that the process may hold, program and input included, as in 512MB; decides how the
    /// distances of facility location, `craig` and `memorization` are held. What is too little for program
    /// and input is for the distances alone. By default they have 2GiB; other strategies hold none.
    #[arg(long)]
    pub memory: Option<String>,
    /// How distances are held, whatever `--memory` would choose: `half` and `sparse` approximate.
    #[arg(long, value_parser = ["dense", "half", "matrix-free", "sparse"])]
    pub storage: Option<String>,
    /// Threads; the result does not depend on them. By default all of the machine.
    #[arg(long)]
    pub threads: Option<usize>,
    /// Seed of random choices.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The directory for `coreset.csv`, `.parquet`, `.npy`, `summary.json` and the page `report.html`; must not
    /// hold anything.
    #[arg(long)]
    pub out: PathBuf,
}

/// The strategies of `select`; those that need more than files are told what they need.
fn strategy(name: &str) -> Result<String, String> {
    let beyond = match name {
        "forgetting" => Some("how often a network in training forgot each sample"),
        "glister" => Some("the last layer of a network in training, and a validation set"),
        _ => None,
    };
    if let Some(needs) = beyond {
        return Err(format!(
            "it needs {needs}, and is a choice of the library alone (`afterimage::coreset`)"
        ));
    }
    let known = Strategy::ALL.map(|(name, _)| name);
    match known.contains(&name) {
        true => Ok(name.to_owned()),
        false => {
            let there: Vec<&str> = known
                .into_iter()
                .filter(|name| strategy(name).is_ok())
                .collect();
            Err(format!("there is none; write one of {}", there.join(", ")))
        }
    }
}
