//! The command in several processes at once, as `mpirun` and `srun` start it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use afterimage::Registry;
use afterimage::config::{ConfigErrors, Loaded};
use afterimage::sweep::SweepConfig;
use afterimage::train::Group;
use afterimage_mpi::MpiError;

use crate::Call;
use crate::arguments::Command;
use crate::output::complain;

/// How long the process whose exit code is the job's outlives the others where the code is not 0: `srun` can
/// take it for a death, upon which it kills who is left and gives the code of that.
const OUTLIVES: Duration = Duration::from_secs(1);

/// The processes that a command was started in.
#[derive(Default)]
pub(crate) struct Together {
    pub(crate) group: Group,
    /// Why they cannot work together, where they cannot; and whether this process is to say so.
    refusal: Option<(String, bool)>,
}

/// Runs the command in this process and with those that were started with it.
pub(crate) fn run(call: Call, registry: &Registry) -> u8 {
    let joined = match afterimage_mpi::join() {
        Ok(None) => return call.run(registry),
        Ok(Some(joined)) => joined,
        Err(error) => return call.run_in(registry, &Together::refused(&error)),
    };
    let together = Together {
        group: joined.group.clone(),
        refusal: None,
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let code = call.run_in(registry, &together);
        // One that never came to its command, as with a wrong flag, has not told the others.
        let own = match code {
            0 => Ok(()),
            _ => Err(format!("it ended with exit code {code}")),
        };
        together.conclude(own, code)
    }));
    let (rank, size) = (together.group.rank(), together.group.size());
    drop(together);
    match ended {
        Ok(code) => {
            joined.leave();
            // The first process's code is that of the job.
            match (rank, code) {
                (0, 0) | (1.., _) => 0,
                (0, code) => {
                    std::thread::sleep(OUTLIVES);
                    code
                }
            }
        }
        Err(_) => {
            complain(&format!(
                "process {rank} of {size} cannot go on and ends all others; where the run has a checkpoint it is \
                 good, and any number of processes can go on from it"
            ));
            joined.abort(101)
        }
    }
}

/// Whether this program can compute the trials of a sweep in as many processes as it asks for.
///
/// # Errors
/// Several processes, and a program without MPI.
pub(crate) fn check_trials(loaded: &Loaded<SweepConfig>) -> Result<(), ConfigErrors> {
    let mut report = loaded.locations.report();
    let alone = loaded.value.slurm.processes == 1 || afterimage_mpi::BUILT;
    report.check(alone, "slurm.processes", || {
        format!(
            "this program was built without MPI, so that a trial cannot have several processes; {}, or set 1",
            afterimage_mpi::BUILD
        )
    });
    report.finish()
}

impl Together {
    /// A program that does not join others: copies of a run that were started together are refused.
    pub(crate) fn unjoined() -> Self {
        match afterimage_mpi::launched() {
            None => Self::default(),
            Some(launch) => Self::refused(&MpiError::NotBuilt {
                by: launch.by,
                count: launch.count,
            }),
        }
    }

    fn refused(error: &MpiError) -> Self {
        let first = afterimage_mpi::launched().is_none_or(|launch| launch.rank == 0);
        Self {
            group: Group::default(),
            refusal: Some((error.to_string(), first)),
        }
    }

    /// Why `command` does not start in these processes, if it does not.
    pub(crate) fn refuses(&self, command: &Command) -> Option<String> {
        let shared = match command {
            Command::Run(run) => !run.dry_run,
            Command::Resume { .. } => true,
            _ => false,
        };
        if shared {
            return self.refusal.as_ref().map(|(why, _)| why.clone());
        }
        (!self.group.is_alone()).then(|| {
            format!(
                "{} processes can share out `run` and `resume` alone; start this command in one",
                self.group.size()
            )
        })
    }

    /// Whether this process speaks for all.
    pub(crate) fn speaks(&self) -> bool {
        let says = self.refusal.as_ref().is_none_or(|(_, first)| *first);
        self.group.is_first() && says
    }

    /// The exit code of this process, which ended as `own` says with `code`; says how others failed.
    pub(crate) fn conclude(&self, own: Result<(), String>, code: u8) -> u8 {
        let news = self.group.conclude(own);
        if self.speaks() {
            news.iter().for_each(|text| complain(text));
        }
        match news.is_empty() {
            true => code,
            false => code.max(1),
        }
    }
}
