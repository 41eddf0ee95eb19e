//! What every event context offers: time, the run, measurements and resources.

use std::sync::Arc;

use afterimage_random::fnv1a_32;

use crate::clock::Clock;
use crate::doses::Doses;
use crate::fault::Fault;
use crate::manifest::{Manifest, Write};
use crate::measure::{Measurement, Recorder, Table};
use crate::model::Parameter;
use crate::pair::PairSets;
use crate::random::{RandomKey, Stream};
use crate::request::{Request, RequestKind, Requested};
use crate::resource::{Resource, Resources};
use crate::sample::{LabelAccess, Samples, Split, TruthAccess};
use crate::site::Site;

/// Facts of a run that never change.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// The run's seed.
    pub seed: u64,
    /// The resolved configuration as TOML; empty where the program has none.
    pub config: String,
    /// The model's sites in forward order; empty for a model without taps.
    pub sites: Vec<Site>,
    /// The model's parameters in visit order.
    pub parameters: Vec<Parameter>,
    /// Samples in a batch.
    pub batch_size: usize,
    /// Views of a sample in a training step.
    pub views: usize,
    /// Training samples.
    pub train_samples: usize,
    /// Held-out samples.
    pub held_out_samples: usize,
    /// Which training samples which encoder sees, where a reference encoder is trained beside.
    pub pair: Option<PairSets>,
    /// Training samples that are shown more often than others, copied or made of noise, where a run
    /// plants some.
    pub doses: Option<Doses>,
}

/// What plugins share and leave behind: resources, measurements and requests.
#[derive(Default)]
pub struct Desk {
    /// Typed values passed between plugins.
    pub resources: Resources,
    /// Measurements that no sink has seen.
    pub recorder: Recorder,
    /// Requests that the engine has not judged.
    pub requests: Vec<Requested>,
}

/// The part that all contexts share; contexts dereference to it.
pub struct Scope<'a> {
    clock: Clock,
    run: &'a RunInfo,
    desk: &'a mut Desk,
    caller: Option<Arc<Manifest>>,
}

impl<'a> Scope<'a> {
    /// The scope of an event at `clock`.
    pub fn new(clock: Clock, run: &'a RunInfo, desk: &'a mut Desk) -> Self {
        Self {
            clock,
            run,
            desk,
            caller: None,
        }
    }

    pub(crate) fn enter(&mut self, caller: &Arc<Manifest>) {
        self.caller = Some(Arc::clone(caller));
    }

    pub(crate) fn leave(&mut self) {
        self.caller = None;
    }

    /// Number of requests that wait for the engine.
    pub(crate) fn requests_waiting(&self) -> usize {
        self.desk.requests.len()
    }

    /// Takes back the requests made since `waiting` were there: a call that failed asks nothing.
    pub(crate) fn withdraw_requests(&mut self, waiting: usize) {
        self.desk.requests.truncate(waiting);
    }

    pub(crate) fn caller_id(&self) -> &str {
        self.caller.as_ref().map_or("loop", |m| m.id.as_str())
    }

    /// Where the run stands.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Facts of the run.
    pub fn run(&self) -> &'a RunInfo {
        self.run
    }

    /// A random key of this plugin's own; add counters and take the generator.
    pub fn random(&self) -> RandomKey {
        // A function of the id alone, whatever else is attached.
        let hash = fnv1a_32(self.caller_id());
        RandomKey::new(self.run.seed, Stream::Plugin).sample(hash)
    }

    /// Puts a number on record.
    pub fn scalar(&mut self, tag: impl Into<String>, value: f64) {
        self.record(tag, Measurement::Scalar(value));
    }

    /// Puts a distribution on record.
    pub fn histogram(&mut self, tag: impl Into<String>, values: Vec<f64>) {
        self.record(tag, Measurement::Histogram(values));
    }

    /// Puts a text on record.
    pub fn text(&mut self, tag: impl Into<String>, text: impl Into<String>) {
        self.record(tag, Measurement::Text(text.into()));
    }

    /// Appends rows to a table.
    pub fn table(&mut self, tag: impl Into<String>, table: Table) {
        self.record(tag, Measurement::Table(table));
    }

    /// Puts any measurement on record.
    pub fn record(&mut self, tag: impl Into<String>, value: Measurement) {
        let author = self.caller_id().to_owned();
        self.desk.recorder.record(&author, &self.clock, tag, value);
    }

    /// The value of a resource, or `None` before its provider first ran.
    ///
    /// # Errors
    /// A resource that the plugin's manifest does not read.
    pub fn resource<R: Resource>(&self) -> Result<Option<&R>, Fault> {
        if let Some(manifest) = &self.caller
            && !manifest.reads.contains(&R::NAME)
            && !manifest.provides.contains(&R::NAME)
        {
            return Err(Fault::new(format!(
                "resource {:?} is read but not declared; add `.reads::<…>()` to the manifest",
                R::NAME
            )));
        }
        Ok(self.desk.resources.get())
    }

    /// Permission to see labels, for [`Samples::labels`].
    ///
    /// # Errors
    /// A plugin whose manifest does not declare that it reads labels.
    pub fn label_access(&self) -> Result<LabelAccess, Fault> {
        match &self.caller {
            Some(manifest) if !manifest.reads_labels => Err(Fault::new(
                "labels are read but not declared; add `.reads_labels()` to the manifest",
            )),
            _ => Ok(LabelAccess(())),
        }
    }

    /// Permission to see labels as they were before label noise, for
    /// [`Samples::true_labels`].
    ///
    /// # Errors
    /// A plugin whose manifest does not declare that it measures by the truth.
    pub fn truth_access(&self) -> Result<TruthAccess, Fault> {
        match &self.caller {
            Some(manifest) if !manifest.reads_truth => Err(Fault::new(
                "true labels are read but not declared; add `.reads_truth()` to the manifest",
            )),
            _ => Ok(TruthAccess(())),
        }
    }

    /// The labels of the samples of `split` as they were before label noise, and as training has them.
    ///
    /// # Errors
    /// As [`truth_access`](Self::truth_access) and [`label_access`](Self::label_access), and samples without labels.
    pub fn truth_and_labels<'s>(
        &self,
        samples: &'s dyn Samples,
        split: Split,
    ) -> Result<(&'s [u32], &'s [u32]), Fault> {
        let truth = samples.true_labels(split, &self.truth_access()?)?;
        let given = samples.labels(split, &self.label_access()?)?;
        Ok((truth.of_samples, given.of_samples))
    }

    /// Puts a new value of a resource in place.
    ///
    /// # Errors
    /// A resource that the plugin's manifest does not provide.
    pub fn provide<R: Resource>(&mut self, value: R) -> Result<(), Fault> {
        if let Some(manifest) = &self.caller
            && !manifest.provides.contains(&R::NAME)
        {
            return Err(Fault::new(format!(
                "resource {:?} is provided but not declared; add `.provides::<…>()` to the manifest",
                R::NAME
            )));
        }
        self.desk.resources.put(value);
        Ok(())
    }

    pub(crate) fn check_write(&self, write: Write) -> Result<(), Fault> {
        match &self.caller {
            Some(manifest) if !manifest.writes.contains(&write) => Err(Fault::new(format!(
                "{write} may be written only by a plugin that declares `.writes(Write::{write:?})`"
            ))),
            _ => Ok(()),
        }
    }

    pub(crate) fn request(&mut self, request: Request) -> Result<(), Fault> {
        let kind: RequestKind = request.kind();
        if let Some(manifest) = &self.caller
            && !manifest.requests.contains(&kind)
        {
            return Err(Fault::new(format!(
                "request {kind} is not declared; add `.requests(RequestKind::{kind:?})` to the manifest"
            )));
        }
        let plugin = self.caller_id().to_owned();
        self.desk.requests.push(Requested { plugin, request });
        Ok(())
    }
}
