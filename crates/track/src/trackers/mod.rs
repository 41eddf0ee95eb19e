//! Other tools that show the numbers of a run: Trackio, Prometheus, MLflow.
//!
//! Each is a [`Tracker`] behind a [`Courier`], which hands it the scalars on a thread of its own: a database that
//! is locked or a server that hangs holds up neither the run nor its other records.

mod config;
mod courier;
mod identity;
mod mlflow;
mod point;
mod prometheus;
mod trackio;

use std::path::Path;

use afterimage_hooks::Outcome;
use serde_json::{Value, json};

pub use config::SinkConfig;
pub use identity::{IDENTITY, Subject};

pub(crate) use courier::Undelivered;
use courier::{Courier, Pace};
use mlflow::Mlflow;
use point::{Point, past};
use prometheus::Prometheus;
use trackio::Trackio;

use crate::{Sinks, TrackError};

/// A tool that is told the points of one run.
///
/// It is called on one thread, in order. After an error [`begin`](Self::begin) is called anew, and the same points
/// are delivered again: what the tool has of them already is to be left out.
pub(crate) trait Tracker: Send {
    /// Finds the run in the tool or makes it there, and cuts it back to the step that it goes on from.
    fn begin(&mut self) -> Result<(), TrackError>;

    /// Hands over `points`, in the order in which they were measured.
    fn deliver(&mut self, points: &[Point]) -> Result<Delivered, TrackError>;

    /// Says that the run has ended.
    fn end(&mut self, outcome: &Outcome) -> Result<(), TrackError>;
}

/// What became of points that were handed over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delivered {
    /// How many of them the tool does not take, however often it is asked.
    pub(crate) refused: u64,
    /// Why.
    pub(crate) why: String,
}

/// A mistake in an error's words: what `tool` at `place` did not do.
pub(crate) fn failed(tool: &'static str, place: &str, why: impl Into<String>) -> TrackError {
    TrackError::Tracker {
        tool,
        place: place.to_owned(),
        why: why.into(),
    }
}

impl Sinks {
    /// Adds the `trackers` that the config of `subject` names. They are told the scalars of `metrics.jsonl`,
    /// Prometheus also those of `timings.jsonl`.
    ///
    /// `resume_step` is the step of the checkpoint that a resumed run goes on from: each tracker is brought to hold
    /// what `metrics.jsonl` does up to it, and nothing of later steps. The files must have been cut back.
    pub fn add_trackers(
        &mut self,
        trackers: &[SinkConfig],
        subject: &Subject,
        resume_step: Option<u64>,
    ) {
        for config in trackers {
            self.add(config.kind(), open(config, subject, resume_step));
        }
    }
}

fn open(
    config: &SinkConfig,
    subject: &Subject,
    resume_step: Option<u64>,
) -> Result<Courier, TrackError> {
    let known = subject.known()?;
    let timings = matches!(config, SinkConfig::Prometheus { .. });
    let past = match resume_step {
        Some(step) => past(subject.folder(), step, timings)?,
        None => Vec::new(),
    };
    let (tracker, pace): (Box<dyn Tracker>, Pace) = match config {
        SinkConfig::Trackio { dir, project, name } => {
            let tracker =
                Trackio::new(dir.as_deref(), project, known, name.as_deref(), resume_step);
            (Box::new(tracker?), Pace::seconds(1))
        }
        SinkConfig::Prometheus { dir, every } => (
            Box::new(Prometheus::new(dir, known)),
            Pace::seconds(u64::from(*every)),
        ),
        SinkConfig::Mlflow {
            url,
            experiment,
            name,
        } => (
            Box::new(Mlflow::new(url, experiment, known, name.as_deref())),
            Pace::seconds(1),
        ),
    };
    Courier::start(config.kind(), tracker, pace, timings, past)
}

/// Tells the `trackers` of a run that had been trained to its end what they lack of it, up to `step`; a line for
/// each that cannot be told.
pub fn catch_up(
    trackers: &[SinkConfig],
    subject: &Subject,
    step: u64,
    outcome: &Outcome,
) -> Vec<String> {
    let mut sinks = Sinks::new();
    sinks.add_trackers(trackers, subject, Some(step));
    sinks.close(outcome);
    let lost = sinks.disabled().into_iter();
    lost.map(|lost| format!("{}: {}", lost.sink, lost.reason))
        .collect()
}

/// A value as Trackio and protobuf's JSON write it.
fn number(value: f64) -> Value {
    match value {
        _ if value.is_nan() => json!("NaN"),
        _ if value.is_infinite() => json!(if value > 0.0 { "Infinity" } else { "-Infinity" }),
        _ => json!(value),
    }
}

/// A folder as messages name it.
fn shown(path: &Path) -> String {
    path.display().to_string()
}
