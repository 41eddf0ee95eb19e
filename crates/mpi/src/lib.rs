//! Processes that were started together by `mpirun` or `srun`, as a [`Group`] of the training loop.
//!
//! With the feature `mpi` they speak through the machine's MPI library. Without it the crate knows no
//! more than whether the program was started that way, so that several copies never mistake themselves
//! for runs of their own. Nothing here opens a port.

mod launch;
mod threads;
#[cfg(feature = "mpi")]
mod world;

use afterimage_train::Group;
use thiserror::Error;

pub use launch::{Launch, launched};

/// Whether the program has MPI.
pub const BUILT: bool = cfg!(feature = "mpi");

/// How a program with MPI is built, as a part of a sentence.
pub const BUILD: &str = "build it with `cargo build --release -p afterimage-cli --features mpi`";

/// What keeps processes from working together.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MpiError {
    /// The program has no MPI.
    #[error(
        "{by} started {count} processes of a program that was built without MPI; {build}, or start it alone",
        build = BUILD
    )]
    NotBuilt {
        /// `mpirun` or `srun`.
        by: &'static str,
        /// Processes that were started.
        count: usize,
    },
    /// The library could not begin.
    #[error("MPI cannot be started: {0}")]
    Start(String),
    /// Each process is alone in MPI's eyes.
    #[error(
        "{by} started {count} processes that do not find each other: MPI sees {found}; start them with \
         `srun --mpi=pmix`, or with the `mpirun` of the library that the program was built with"
    )]
    Strangers {
        /// `mpirun` or `srun`.
        by: &'static str,
        /// Processes that were started.
        count: usize,
        /// Processes that MPI sees.
        found: usize,
    },
}

/// Begins to work with the processes that were started with this one, and gives it its part of the
/// machine's cores; nothing where it was started alone. To be called by the main thread, once, and the
/// group to be used by it alone.
///
/// # Errors
/// A program without MPI, or a library that does not work.
pub fn join() -> Result<Option<Joined>, MpiError> {
    match launched() {
        Some(launch) => with(launch).map(Some),
        None => Ok(None),
    }
}

/// The processes of a job, until it ends.
pub struct Joined {
    /// What the training loop takes.
    pub group: Group,
    #[cfg(feature = "mpi")]
    world: world::Handle,
}

#[cfg(not(feature = "mpi"))]
fn with(Launch { by, count, .. }: Launch) -> Result<Joined, MpiError> {
    Err(MpiError::NotBuilt { by, count })
}

#[cfg(feature = "mpi")]
fn with(launch: Launch) -> Result<Joined, MpiError> {
    use afterimage_train::Processes as _;

    let (world, handle) = world::World::begin()?;
    if world.size() != launch.count {
        return Err(MpiError::Strangers {
            by: launch.by,
            count: launch.count,
            found: world.size(),
        });
    }
    threads::share(&world, &world.machine());
    Ok(Joined {
        group: Group::of(Box::new(world)),
        world: handle,
    })
}

impl Joined {
    /// Leaves the others in order, as all of them do at their end.
    pub fn leave(self) {
        drop(self.group);
        #[cfg(feature = "mpi")]
        self.world.leave();
    }

    /// Ends all processes at once with an exit code: this one cannot go on.
    // Nothing that would be written when it is dropped may be: state can be half way through a step.
    #[cfg_attr(not(feature = "mpi"), expect(clippy::disallowed_methods))]
    pub fn abort(self, code: u8) -> ! {
        #[cfg(feature = "mpi")]
        self.world.abort(code);
        #[cfg(not(feature = "mpi"))]
        std::process::exit(code.into())
    }
}
