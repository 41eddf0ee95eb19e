//! Where the trials of a sweep run, and how many of them at a time.

use std::path::PathBuf;

use afterimage::config::{ConfigErrors, Loaded};
use afterimage::files::{Bytes, free_memory, machine_memory};
use afterimage::sweep::{
    Executor, Folder, Local, MemoryBound, Plan, Program, Slurm, SweepConfig, SweepError,
};

use crate::sweep::{Sweep, Where};

/// Whether this machine has the memory that each trial may hold, where trials run on it.
///
/// # Errors
/// More than the machine has; a system that does not tell what processes hold.
pub(crate) fn check_memory(loaded: &Loaded<SweepConfig>, place: Where) -> Result<(), ConfigErrors> {
    let mut report = loaded.locations.report();
    if let (Where::Local, Some(bound)) = (place, loaded.value.memory_bound()) {
        match machine_memory() {
            None => report.error(
                "memory",
                "this system does not tell what a process holds, so that trials on it cannot be bounded; remove this \
                 key, or give --executor slurm",
            ),
            Some(all) => report.check(bound.bytes() <= all, "memory", || {
                format!(
                    "a trial may hold {}, and this machine has {}; lower it, or remove this key",
                    Bytes(bound.bytes()),
                    Bytes(all)
                )
            }),
        }
    }
    report.finish()
}

/// How many trials of `plan` run at a time on this machine; and why, where memory has room for fewer than were asked
/// for.
pub(crate) fn at_a_time(
    arguments: &Sweep,
    config: &SweepConfig,
    plan: &Plan,
) -> (usize, Option<String>) {
    let mut trials = plan.trials.iter();
    let on_gpu = trials.any(|trial| !trial.config.contains("device = \"cpu\""));
    let cores = cores();
    let jobs = arguments.jobs.map(usize::from).unwrap_or(if on_gpu {
        1
    } else {
        (cores / 2).max(cores.min(2))
    });
    match (config.memory_bound(), free_memory()) {
        (Some(bound), Some(free)) => with_room(&bound, free, jobs),
        _ => (jobs, None),
    }
}

/// How many of `jobs` trials have room in `free` bytes, one at least; and why, where these are fewer.
fn with_room(bound: &MemoryBound, free: u64, jobs: usize) -> (usize, Option<String>) {
    let (fits, free) = (bound.fits(free), Bytes(free));
    let why = match fits {
        _ if fits >= jobs => return (jobs, None),
        0 => format!(
            "{bound}: this machine has {free} free now, less than a trial may hold; trials run one at a time"
        ),
        _ => format!(
            "{bound}: this machine has {free} free now, room for {fits} at a time in place of {jobs}"
        ),
    };
    (fits.max(1), Some(why))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Where the trials of `plan` run; and why fewer at a time than were asked for, where that is so. They are processes
/// of `program`, or of the one of this process.
///
/// # Errors
/// A program that cannot be found; a machine without Slurm, where trials are to be its jobs.
pub(crate) fn executor(
    arguments: &Sweep,
    config: &SweepConfig,
    plan: &Plan,
    folder: &Folder,
    program: Option<PathBuf>,
) -> Result<(Box<dyn Executor>, Option<String>), SweepError> {
    let found = program.map_or_else(std::env::current_exe, Ok);
    let path = found.map_err(|source| SweepError::Io {
        path: "afterimage".into(),
        verb: "find the program",
        source,
    })?;
    let (folder, bound) = (folder.clone(), config.memory_bound());
    match arguments.executor {
        Where::Local => {
            let (jobs, why) = at_a_time(arguments, config, plan);
            let threads = (cores() / jobs).max(1);
            let local = Local::new(folder, Program { path, threads }, jobs);
            Ok((Box::new(local.bounded(bound)), why))
        }
        Where::Slurm => {
            let threads = config.slurm.cpus as usize;
            let program = Program { path, threads };
            let jobs = arguments.jobs.map(usize::from);
            let slurm = Slurm::new(folder, program, config.slurm.clone(), jobs)?;
            Ok((Box::new(slurm.bounded(bound)), None))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn as_many_run_as_memory_has_room_for() {
        let bound = MemoryBound::parse("4 GB").unwrap();
        let told = |free: u64, jobs: usize| with_room(&bound, free * 1_000_000_000, jobs);
        assert_eq!(told(16, 4), (4, None));
        let (jobs, why) = told(9, 4);
        assert_eq!(jobs, 2);
        assert_eq!(
            why.unwrap(),
            "memory = \"4 GB\": this machine has 9.0 GB free now, room for 2 at a time in place of 4"
        );
        let (jobs, why) = told(3, 4);
        assert_eq!(jobs, 1);
        assert!(why.unwrap().contains("less than a trial may hold"));
        assert_eq!(told(5, 1), (1, None));
    }
}
