//! Events, contexts, plugins, resources, requests, order and dispatch of the afterimage training
//! loop. This crate knows no network and no data set; it holds the vocabulary that they share.
//!
//! A run is a sequence of [events](EventKind); a [`Plugin`] declares which it takes, with what
//! cadence, and what it reads, provides, writes and requests. [`Hooks`] orders plugins before step
//! 0 and delivers events, keeping faults inside and measuring time.

mod clock;
mod context;
mod cost;
mod dispatch;
mod doses;
mod error;
mod event;
mod fault;
mod gradients;
mod manifest;
mod measure;
mod model;
mod order;
mod outputs;
mod pair;
mod peers;
mod plugin;
mod request;
mod resource;
mod sample;
mod sample_scores;
mod scope;
mod site;
mod state;
mod structure;
mod table;
mod tap;

/// Random keys and their generators, by the names that plugins use; all of `afterimage-random` is behind them.
pub mod random {
    pub use afterimage_random::{Generator, Purpose, RandomKey, Stream};
}

pub use clock::{CadenceError, Clock, Every, Percent};
pub use context::{
    BatchPlannedCx, BatchReadyCx, EpochEndCx, EpochStartCx, EvalDoneCx, ForwardDoneCx, GradReadyCx,
    LossReadyCx, LossWrites, Outcome, RunEndCx, RunStartCx, StepDoneCx,
};
pub use cost::{Cost, Costs};
pub use dispatch::{Hooks, HooksState};
pub use doses::{Dose, DoseGroup, Doses};
pub use error::{HooksError, StopRun};
pub use event::{
    BatchPlanned, BatchReady, EpochEnd, EpochStart, EvalDone, Event, EventKind, ForwardDone,
    GradReady, Handler, LossReady, RunEnd, RunStart, StepDone,
};
pub use fault::{Fault, OnFault};
pub use gradients::Gradients;
pub use manifest::{Beginning, Manifest, Origin, Write};
pub use measure::{Column, Measurement, Record, Recorder, Sink, Table};
pub use model::{Classifier, ModelView, Observation, Parameter};
pub use order::{Host, order};
pub use outputs::{HostOutputs, WantedOutputs};
pub use pair::{PairChoice, PairSets};
pub use peers::{Peers, own_passes, share_out};
pub use plugin::{Attached, Declare, Plugin};
pub use request::{Decision, Request, RequestKind, Requested};
pub use resource::{Resource, Resources};
pub use sample::{LabelAccess, Labels, Plan, SampleId, Samples, Split, TruthAccess};
pub use sample_scores::{CellValues, EpochHistory, SampleHistory, SampleValues};
pub use scope::{Desk, RunInfo, Scope};
pub use site::{Site, SiteKind};
pub use state::PluginState;
pub use structure::{Structure, TensorSize, UnitGroup, UnitParameters, WeightCost};
pub use tap::{HostReadings, Readings, Reduce, TapMode, TapPlan, TapSpec, glob};
