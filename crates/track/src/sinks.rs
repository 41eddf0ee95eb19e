//! All sinks of a run, and what happens when one fails.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use afterimage_hooks::{Record, Sink};

use crate::files::TENSORBOARD;
use crate::{Category, Images, Metrics, Tables, TensorBoard, TrackError};

/// A sink that was closed because it could not write.
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
    live: Vec<Box<dyn Sink>>,
    disabled: Vec<Disabled>,
    /// Sink and tag of malformed records, so that each is named once.
    refused: BTreeSet<(String, String)>,
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
            Ok(sink) => self.live.push(Box::new(sink)),
            Err(error) => self.disabled.push(disable(name, &error.to_string())),
        }
    }

    /// Hands `records` to every sink, in order.
    ///
    /// An error disables the sink that it comes from for the rest of the run. A record that is
    /// malformed in itself (`InvalidInput`) is left out instead, with a warning per tag.
    pub fn write_all(&mut self, records: &[Record]) {
        let refused = &mut self.refused;
        Self::each(&mut self.live, &mut self.disabled, |sink| {
            for record in records {
                match sink.write(record) {
                    Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                        if refused.insert((sink.name().to_owned(), record.tag.clone())) {
                            tracing::warn!(
                                "{} leaves out `{}`, measured by `{}`: {error}",
                                sink.name(),
                                record.tag,
                                record.author
                            );
                        }
                    }
                    result => result?,
                }
            }
            Ok(())
        });
    }

    /// Makes everything written so far readable by others. Due before each checkpoint: a resumed
    /// run counts on finding the records up to the checkpoint's step.
    pub fn flush(&mut self) {
        Self::each(&mut self.live, &mut self.disabled, |sink| sink.flush());
    }

    /// The sinks that were closed, in the order of their failures.
    pub fn disabled(&self) -> &[Disabled] {
        &self.disabled
    }

    fn each(
        live: &mut Vec<Box<dyn Sink>>,
        disabled: &mut Vec<Disabled>,
        mut call: impl FnMut(&mut dyn Sink) -> io::Result<()>,
    ) {
        live.retain_mut(|sink| match call(sink.as_mut()) {
            Ok(()) => true,
            Err(error) => {
                disabled.push(disable(sink.name(), &error.to_string()));
                false
            }
        });
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
