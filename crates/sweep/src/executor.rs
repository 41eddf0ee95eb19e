//! Where trials run.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::SweepError;

/// The program that runs a trial: `PROGRAM run CONFIG --out DIR --resume --json`.
///
/// It starts the run in `DIR`, or goes on with it if it was started before; SIGTERM makes it write a
/// checkpoint and end with 143; when it ends in order it leaves `DIR/result.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub path: PathBuf,
    /// Threads of a trial, given as `RAYON_NUM_THREADS`.
    pub threads: usize,
}

/// An attempt of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// The trial.
    pub trial: String,
    /// The attempt, from 1.
    pub attempt: u32,
}

/// How an attempt is found again by another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handle {
    /// A process of this machine.
    Local {
        /// Its number.
        pid: u32,
        /// When it was started, in ticks since the machine was, where the system tells.
        started: Option<u64>,
        /// Its place among those that run at a time, from 0: the number of the GPU that `cuda:local` gives it. None in
        /// ledgers of versions that told none.
        #[serde(default)]
        place: Option<usize>,
    },
    /// A task of a job array.
    Slurm {
        /// Job and task, as in `123_4`.
        job: String,
    },
}

/// An attempt that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The exit code; 128 + signal for one that was killed; `None` if nobody saw it end.
    pub code: Option<i32>,
    /// Whether the machine is to blame, not the trial.
    pub blameless: bool,
    /// Seconds that it ran, where that is not the time since it was handed over.
    pub seconds: Option<f64>,
    /// What the executor has to say about it.
    pub note: Option<String>,
    /// Why it failed for good, if it held more memory than it may.
    pub beyond: Option<String>,
}

impl Ended {
    /// An attempt that ended with `code`.
    pub fn with(code: Option<i32>) -> Self {
        Self {
            code,
            blameless: false,
            seconds: None,
            note: None,
            beyond: None,
        }
    }
}

/// What became of an attempt that another process of the sweep had started.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// It is under way.
    Running,
    /// It is over.
    Over(Ended),
    /// It was never started.
    Never,
}

/// Starts attempts, says when they are over, and asks them to end.
pub trait Executor {
    /// Its name in the ledger.
    fn name(&self) -> &'static str;

    /// How many more attempts it takes now.
    fn room(&self) -> usize;

    /// A name for the next batch, which goes into the ledger before the batch is started.
    ///
    /// # Errors
    /// A folder that cannot be read.
    fn ticket(&mut self) -> Result<String, SweepError>;

    /// Starts a batch; gives a handle for each task.
    ///
    /// # Errors
    /// A program that cannot be started; then none of those behind the first failure was.
    fn start(&mut self, ticket: &str, tasks: &[Task]) -> Result<Vec<Handle>, SweepError>;

    /// Takes up an attempt that another process of the sweep had started as number `place` of the
    /// batch `ticket`; without a `handle` that process was killed in between.
    ///
    /// # Errors
    /// An executor that cannot be asked.
    fn find(
        &mut self,
        task: &Task,
        ticket: &str,
        place: usize,
        handle: Option<&Handle>,
    ) -> Result<Found, SweepError>;

    /// The attempts that are over since the last call, by trial.
    ///
    /// # Errors
    /// An executor that cannot be asked for too long.
    fn over(&mut self) -> Result<Vec<(String, Ended)>, SweepError>;

    /// Asks an attempt to write a checkpoint and end; one that has not begun does not begin.
    ///
    /// # Errors
    /// An executor that cannot be asked.
    fn stop(&mut self, trial: &str) -> Result<(), SweepError>;

    /// Attempts under way that hold more memory than they may, by trial, each with what is to be said of it; none where
    /// the executor has no bound, or leaves it to others.
    fn beyond(&mut self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Ends an attempt at once, as it is: its last checkpoint stands.
    ///
    /// # Errors
    /// An executor that cannot be asked.
    fn kill(&mut self, trial: &str) -> Result<(), SweepError> {
        self.stop(trial)
    }

    /// How long to wait between two calls of [`over`](Self::over).
    fn pause(&self) -> Duration;
}
