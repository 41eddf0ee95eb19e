//! What a plugin declares about itself before anything runs.

use std::fmt;

use serde::Serialize;

use crate::clock::Every;
use crate::event::EventKind;
use crate::fault::OnFault;
use crate::request::RequestKind;
use crate::tap::TapSpec;

/// Where a plugin was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// File name, or what stands for it.
    pub file: String,
    /// Line number from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// What a plugin may write directly, inside an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Write {
    /// The samples of a batch and their weights, at `BatchPlanned`.
    Batch,
    /// The pixels of a batch, at `BatchReady`.
    Views,
    /// Per-sample loss weights, at `LossReady`.
    LossWeights,
    /// Extra loss terms, at `LossReady`.
    LossTerms,
    /// Gradients, at `GradReady`.
    Gradients,
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Write::Batch => "the batch",
            Write::Views => "the views",
            Write::LossWeights => "the loss weights",
            Write::LossTerms => "the loss terms",
            Write::Gradients => "the gradients",
        })
    }
}

/// From when on a plugin does what all of its settings say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Beginning {
    /// The epoch, from 1, at whose end it does so first.
    pub epoch: u32,
    /// What its part in the run hangs on up to then.
    pub until_then: String,
}

/// What a plugin declares: events with cadence, taps, resources, writes, requests, fault policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Unique name in the run.
    pub id: String,
    /// Kind in the registry, for example `unitmem`.
    pub kind: String,
    /// Events with their cadence, in the order of declaration.
    pub events: Vec<(EventKind, Every)>,
    /// Taps that are on whenever a handler of a step event is due.
    pub taps: Vec<TapSpec>,
    /// Names of the resources that it reads.
    pub reads: Vec<&'static str>,
    /// Whether it reads the labels of samples.
    pub reads_labels: bool,
    /// Whether it reads labels as they were before label noise, which only measurements may.
    pub reads_truth: bool,
    /// Whether it is a control arm that acts on the truth, as no method can.
    pub oracle: bool,
    /// Names of the resources that it provides.
    pub provides: Vec<&'static str>,
    /// What it writes inside events.
    pub writes: Vec<Write>,
    /// What it asks the engine for.
    pub requests: Vec<RequestKind>,
    /// Ids of plugins that it runs after, beyond what resources say.
    pub after: Vec<String>,
    /// What happens to the run when it fails.
    pub on_fault: OnFault,
    /// Whether it needs arithmetic that is exact to rounding; faster approximations, such as
    /// Winograd convolutions, are off in a run with such a plugin.
    pub exact: bool,
    /// Whether it compares the encoder with a reference encoder, which a run must then train.
    pub reference: bool,
    /// If it takes what a step says of a view for what it says of the view's sample alone: what to do
    /// beside a plugin that writes views, which may mix samples.
    pub whole_views: Option<&'static str>,
    /// From when on it does what all of its settings say; `None` for from the start.
    pub begins: Option<Beginning>,
    /// What it will do, as far as that is known before the run, a line each.
    pub plan: Vec<String>,
    /// Where it was asked for.
    pub origin: Option<Origin>,
}

impl Manifest {
    /// What a plugin has that declares nothing.
    pub fn new(id: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            events: Vec::new(),
            taps: Vec::new(),
            reads: Vec::new(),
            reads_labels: false,
            reads_truth: false,
            oracle: false,
            provides: Vec::new(),
            writes: Vec::new(),
            requests: Vec::new(),
            after: Vec::new(),
            on_fault: OnFault::Disable,
            exact: false,
            reference: false,
            whole_views: None,
            begins: None,
            plan: Vec::new(),
            origin: None,
        }
    }

    /// Whether the plugin can change the run: it writes something or makes requests.
    pub fn intervenes(&self) -> bool {
        !self.writes.is_empty() || !self.requests.is_empty()
    }

    /// The plugin's id with its place in the config, for messages.
    pub fn named(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{:?} ({origin})", self.id),
            None => format!("{:?}", self.id),
        }
    }
}
