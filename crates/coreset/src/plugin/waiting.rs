//! Selections under way on threads of their own.

use std::cell::RefCell;
use std::thread::JoinHandle;
use std::time::Instant;

use afterimage_hooks::Fault;
use serde::{Deserialize, Serialize};

use super::job::Job;
use super::selection::CoresetSelection;

/// A selection that will be put in force in a certain epoch.
///
/// What comes out is a function of what went in, so that a checkpoint waits for it and keeps it: a
/// resumed run goes on with the same choice, whenever the thread was done.
#[derive(Debug)]
pub(super) struct Waiting {
    /// The epoch in which it is put in force.
    pub(super) due: u32,
    state: RefCell<State>,
}

/// How a selection ended: what it chose, or why not.
type Outcome = Result<CoresetSelection, String>;

#[derive(Debug)]
enum State {
    Running(JoinHandle<(Outcome, f64)>),
    Done(Outcome, Option<f64>),
    /// Only while one of the others is being put in place.
    Moved,
}

/// A selection as a checkpoint has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Found {
    due: u32,
    outcome: Outcome,
}

impl Waiting {
    /// Begins `job` for epoch `due`.
    ///
    /// # Errors
    /// The system refuses a thread.
    pub(super) fn start(due: u32, job: Job) -> Result<Self, Fault> {
        let work = move || {
            let began = Instant::now();
            let outcome = job.run().map_err(|error| error.to_string());
            (outcome, began.elapsed().as_secs_f64())
        };
        let thread = std::thread::Builder::new().name("coreset".to_owned());
        let running = thread
            .spawn(work)
            .map_err(|error| Fault::new(format!("no thread for a selection: {error}")))?;
        Ok(Self {
            due,
            state: RefCell::new(State::Running(running)),
        })
    }

    /// A selection out of a checkpoint.
    pub(super) fn restored(found: Found) -> Self {
        Self {
            due: found.due,
            state: RefCell::new(State::Done(found.outcome, None)),
        }
    }

    fn finish(&self) {
        let mut state = self.state.borrow_mut();
        *state = match std::mem::replace(&mut *state, State::Moved) {
            State::Running(thread) => match thread.join() {
                Ok((outcome, seconds)) => State::Done(outcome, Some(seconds)),
                Err(_) => State::Done(Err("the selection panicked".to_owned()), None),
            },
            other => other,
        };
    }

    /// Waits, and gives what a checkpoint keeps.
    ///
    /// # Errors
    /// A selection that is gone.
    pub(super) fn found(&self) -> Result<Found, Fault> {
        self.finish();
        match &*self.state.borrow() {
            State::Done(outcome, _) => Ok(Found {
                due: self.due,
                outcome: outcome.clone(),
            }),
            _ => Err(Fault::new("a selection is gone")),
        }
    }

    /// Waits, and gives the choice with the seconds that it took, where it was made in this process.
    ///
    /// # Errors
    /// A selection that could not be made.
    pub(super) fn wait(self) -> Result<(CoresetSelection, Option<f64>), Fault> {
        self.finish();
        match self.state.into_inner() {
            State::Done(outcome, seconds) => Ok((outcome.map_err(Fault::new)?, seconds)),
            _ => Err(Fault::new("a selection is gone")),
        }
    }
}
