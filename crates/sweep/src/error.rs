//! What can keep a sweep from going on.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::ledger::VERSION;

/// A sweep that cannot be started or go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SweepError {
    /// Mistakes in the sweep file, or in the config of a trial.
    #[error(transparent)]
    Config(#[from] afterimage_config::ConfigErrors),
    /// The operating system refused a file or folder.
    #[error("{}: cannot {verb}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// A file that is no plain file of the sweep, or larger than any that it writes.
    #[error(transparent)]
    File(#[from] afterimage_files::FileError),
    /// Another process of the same sweep is at work.
    #[error(
        "{}: another sweep is at work in this folder{}; wait for it, or end it first",
        folder.display(),
        pid.map_or(String::new(), |pid| format!(" (process {pid})"))
    )]
    Locked {
        /// The sweep's folder.
        folder: PathBuf,
        /// The other process, where it is known.
        pid: Option<u32>,
    },
    /// A folder that holds something else.
    #[error(
        "{}: this folder is not empty and holds no sweep; choose another with --out", .0.display()
    )]
    NoSweep(PathBuf),
    /// No sweep where one is to be reported on.
    #[error("{}: holds no sweep (no ledger.jsonl); give the folder that one was begun in", .0.display())]
    NothingToReport(PathBuf),
    /// A search that another program drives, in a call that does not let it; or the other way round.
    #[error("{0}")]
    AskTell(&'static str),
    /// A ledger without an entry.
    #[error(
        "{}: its ledger.jsonl is empty, so that nothing is known of what was done: put a copy of the file \
         back; the sweep begins all over otherwise", .0.display()
    )]
    EmptyLedger(PathBuf),
    /// A line of the ledger that is none.
    #[error(
        "{}:{line}: not an entry of a sweep's ledger ({why}); put a copy of the file back, or start \
         again in another folder with --out",
        path.display()
    )]
    Ledger {
        /// The ledger.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A ledger that another version of this program wrote.
    #[error(
        "{}: this ledger has version {version} and this program reads version {VERSION}: go on with the program that \
         began it, or start again in another folder with --out",
        path.display()
    )]
    LedgerVersion {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
    /// A folder that was made by another sweep file.
    #[error(
        "{}: this folder was begun with another sweep: {what}. Put the sweep file and its config \
         back as they were, or start again in another folder with --out",
        folder.display()
    )]
    Changed {
        /// The sweep's folder.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// Trials of another executor that may be under way.
    #[error(
        "{count} trials of this sweep may still be under way with the executor {executor:?}, the \
         first is {first}; go on with --executor {executor}"
    )]
    OtherExecutor {
        /// Trials under way.
        count: usize,
        /// The first of them.
        first: String,
        /// The executor that they were started by.
        executor: String,
    },
    /// Trials of several processes, which only a cluster starts.
    #[error(
        "slurm.processes = {0}: only --executor slurm starts trials of several processes; give it, or \
         --set slurm.processes=1, with which each trial is one process and leaves the same bytes"
    )]
    Processes(u32),
    /// A program that cannot be started.
    #[error("cannot start {}: {source}{advice}", program.display())]
    Program {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// A command of Slurm that failed.
    #[error("{command} failed: {why}")]
    Slurm {
        /// The command.
        command: String,
        /// What it said.
        why: String,
    },
}

impl SweepError {
    /// The exit code of the command line: 2 for mistakes in configs, else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::AskTell(_) | Self::Processes(_) => 2,
            _ => 1,
        }
    }

    /// Names the file and the action in an error of the operating system, for `map_err`.
    pub(crate) fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, verb, source }
    }
}
