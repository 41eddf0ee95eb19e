//! All sinks of a run, and what happens when one fails.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use afterimage_hooks::{Outcome, Record, Sink};

use crate::files::TENSORBOARD;
use crate::trackers::Undelivered;
use crate::{Category, Images, Metrics, Tables, TensorBoard, TrackError};

/// A sink that lost records, or holds some that it could not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    /// Name of the sink.
    pub sink: String,
    /// What happened, with the file.
    pub reason: String,
}

/// The sinks of a run. Whatever happens to one of them, the run goes on.
#[derive(Default)]
pub struct Sinks {
    live: Vec<Live>,
    /// Those that could not be opened.
    closed: Vec<Disabled>,
    /// Sink and tag of malformed records, so that each is named once.
    refused: BTreeSet<(String, String)>,
}

/// A sink, and how it fares.
struct Live {
    sink: Box<dyn Sink>,
    /// Why it could not write last, and the step of the first record behind that.
    waiting: Option<(String, u64)>,
    /// Records whose writing failed.
    failed: u64,
    /// Why a record was lost, where one was.
    reason: Option<String>,
    /// Step of the last record.
    step: u64,
}

impl Live {
    fn lost(&self) -> u64 {
        self.sink.lost().unwrap_or(self.failed)
    }

    /// Notes that the sink could not write, and says so where it could before.
    fn fails(&mut self, error: &io::Error) {
        let reason = error.to_string();
        if self.waiting.is_none() {
            tracing::warn!(
                "the sink `{}` cannot write: {reason}. What it has not written waits while there is memory \
                 for it, and it tries again; what still waits when the run ends is lost, and the run then \
                 ends with exit code 5",
                self.sink.name()
            );
            self.waiting = Some((reason.clone(), self.step));
        }
        self.reason = Some(reason);
    }

    fn flush(&mut self) {
        match self.sink.flush() {
            Err(error) => self.fails(&error),
            Ok(()) => self.recovers(),
        }
    }

    /// Notes that the sink can write, and says so where it could not before.
    fn recovers(&mut self) {
        let Some((_, since)) = self.waiting.take() else {
            return;
        };
        let told = match self.lost() {
            0 => "none is lost".to_owned(),
            lost => format!("{lost} records are lost"),
        };
        tracing::warn!(
            "the sink `{}` can write again, and wrote the records that waited since step {since}; \
             {told}",
            self.sink.name()
        );
    }

    /// Closes the sink of a run that ended as `outcome` says.
    fn close(&mut self, outcome: &Outcome) {
        let Err(error) = self.sink.close(outcome) else {
            return self.recovers();
        };
        let undelivered = error.get_ref().and_then(|why| why.downcast_ref());
        let Some(Undelivered { since, .. }) = undelivered else {
            return self.fails(&error);
        };
        // What it failed to hand on is told once, at the end of the run.
        tracing::debug!("the sink `{}` is closed: {error}", self.sink.name());
        self.waiting = Some((error.to_string(), *since));
    }

    /// What is lost of it as things stand.
    fn told(&self) -> Option<Disabled> {
        let reason = match (&self.waiting, self.lost()) {
            (None, 0) => return None,
            (Some((reason, since)), _) => {
                format!("what was measured from step {since} on could not be written: {reason}")
            }
            (None, lost) => {
                let reason = self.reason.as_deref().unwrap_or("it could not write");
                format!("{lost} records could not be written and did not wait: {reason}")
            }
        };
        Some(Disabled {
            sink: self.sink.name().to_owned(),
            reason,
        })
    }
}

impl Sinks {
    /// No sinks: records are dropped.
    pub fn new() -> Self {
        Self::default()
    }

    /// JSON lines, tables, pictures and TensorBoard in the run directory `run`.
    ///
    /// `resume_step` is the step of the checkpoint that a resumed run goes on from; everything of
    /// later steps is dropped. `layout` groups the scalars of TensorBoard's custom-scalars tab, with the
    /// names of grouped cards ([`TensorBoard::grouped`]).
    pub fn for_run(run: &Path, resume_step: Option<u64>, layout: &[Category]) -> Self {
        let mut sinks = Self::new();
        sinks.add("metrics", Metrics::create(run, resume_step));
        sinks.add("timings", Metrics::timings(run, resume_step));
        sinks.add("histograms", Metrics::histograms(run, resume_step));
        sinks.add("tables", Tables::create(run, resume_step));
        sinks.add("images", Images::create(run, resume_step));
        let events = run.join(TENSORBOARD);
        let board = TensorBoard::create(&events, resume_step).and_then(|mut board| {
            // A resumed run finds it in the first event file.
            if resume_step.is_none() && !layout.is_empty() {
                board
                    .custom_scalars(layout)
                    .map_err(TrackError::io("write", &events))?;
            }
            Ok(board.grouped())
        });
        sinks.add("tensorboard", board);
        sinks
    }

    /// Adds a sink; one that could not be opened is listed as disabled, with a warning.
    pub fn add<S: Sink + 'static>(&mut self, name: &str, sink: Result<S, TrackError>) {
        match sink {
            Ok(sink) => self.live.push(Live {
                sink: Box::new(sink),
                waiting: None,
                failed: 0,
                reason: None,
                step: 0,
            }),
            Err(error) => self.closed.push(disable(name, &error.to_string())),
        }
    }

    /// Hands `records` to every sink, in order.
    ///
    /// A sink that cannot write is asked again with the next records; what it holds meanwhile comes first.
    /// A record that is malformed in itself (`InvalidInput`) is left out, with a warning per tag.
    pub fn write_all(&mut self, records: &[Record]) {
        for live in &mut self.live {
            if live.waiting.is_some() {
                live.flush();
            }
            for record in records {
                live.step = record.step;
                match live.sink.write(record) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        let sink = live.sink.name();
                        if self.refused.insert((sink.to_owned(), record.tag.clone())) {
                            tracing::warn!(
                                "{sink} leaves out `{}`, measured by `{}`: {error}",
                                record.tag,
                                record.author
                            );
                        }
                    }
                    Err(error) => {
                        live.failed += 1;
                        live.fails(&error);
                    }
                }
            }
        }
    }

    /// Makes everything written so far readable by others. Due before each checkpoint: a resumed
    /// run counts on finding the records up to the checkpoint's step.
    pub fn flush(&mut self) {
        self.live.iter_mut().for_each(Live::flush);
    }

    /// Closes the sinks of a run that ended as `outcome` says; no record follows. Those that hand records on in
    /// their own time get a last while for it, behind all others.
    pub fn close(&mut self, outcome: &Outcome) {
        self.live.iter_mut().for_each(|live| live.close(outcome));
    }

    /// The sinks of which records are lost, as things stand: those that could not be opened, and those that
    /// could not write.
    pub fn disabled(&self) -> Vec<Disabled> {
        let told = self.live.iter().filter_map(Live::told);
        self.closed.iter().cloned().chain(told).collect()
    }
}

fn disable(sink: &str, reason: &str) -> Disabled {
    tracing::warn!(
        "the sink `{sink}` is off for the rest of the run: {reason}. The run goes on without it and \
         ends with exit code 5; to have these records, run it again in another directory after the \
         repair"
    );
    Disabled {
        sink: sink.to_owned(),
        reason: reason.to_owned(),
    }
}
