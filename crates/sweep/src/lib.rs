//! Sweeps: many trials of one experiment, each a process of its own, run to a table of results
//! without a hand on them.
//!
//! - [`SweepConfig`] is the schema of a sweep file; [`Plan`] is the trials that it stands for, each
//!   with a resolved config that was checked before the first of them starts.
//! - [`Stage`] is a part of a sweep whose trials use the runs of an earlier one ([`Parent`]).
//! - [`Ledger`] holds what became of each trial, one JSON object a line, synced to disk; a killed
//!   sweep goes on from it.
//! - [`Executor`] is where trials run: [`Local`] processes, or [`Slurm`].
//! - [`Engine`] starts trials, watches what they report, and stops those that fall behind
//!   ([`Stopping`]).
//! - [`Compare`] is a question that a sweep answers, [`Answer`] what came out.
//! - [`Status`] is how a sweep stands, for anybody at any time.
//! - [`Results`] is what came out: a row a trial, and mean and standard error over seeds.
//!
//! The crate knows nothing of networks: a trial is a program that takes a config and a directory,
//! appends to `metrics.jsonl` and leaves a `result.json`.

mod aims;
mod checks;
mod compare;
mod config;
mod draft;
mod engine;
mod error;
mod executor;
mod folder;
mod forks;
mod judge;
mod ledger;
mod local;
mod means;
mod memory;
mod name;
mod optuna;
mod overrides;
mod parents;
mod plan;
mod problems;
mod process;
mod reference;
mod reports;
mod results;
mod rows;
mod search;
mod settle;
mod slurm;
mod space;
mod stage;
mod standing;
mod status;
mod stopping;

pub use afterimage_files::Lock;
pub use aims::{Aim, Judged};
pub use compare::{
    Answer, Choice, Compare, Comparison, Difference, Expects, Outcome, Told, answers, difference,
};
pub use config::{
    Arm, Budget, Direction, Metric, Search, SearchKind, StoppingConfig, SweepConfig, SweepFile,
};
pub use engine::{Ending, Engine, Note, Rules, same_sweep};
pub use error::SweepError;
pub use executor::{Ended, Executor, Found, Handle, Program, Task};
pub use folder::{Folder, LEDGER};
pub use forks::{Fork, Forks, Kept, Share};
pub use judge::{TrialResult, Verdict, judge};
pub use ledger::{End, Entry, Ledger, Line};
pub use local::Local;
pub use means::{Configuration, Mean, mean};
pub use memory::MemoryBound;
pub use optuna::journal;
pub use overrides::Override;
pub use parents::{Parent, Use};
pub use plan::{Check, Checked, Plan, PlannedStage, Trial};
pub use reports::{Reports, read_reports};
pub use results::{Results, Row};
pub use search::{Asked, Asking, Question, Searching};
pub use settle::settled;
pub use slurm::{Slurm, SlurmConfig};
pub use space::Range;
pub use stage::Stage;
pub use standing::{Forked, Standing, State, replay};
pub use status::{Running, StageStatus, Status};
pub use stopping::{Rungs, Stopping, asha_keeps, median_keeps};
