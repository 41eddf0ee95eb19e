//! What can be wrong with a set of plugins, before anything runs and at a resume.

use thiserror::Error;

use crate::event::EventKind;
use crate::fault::Fault;
use crate::manifest::{Origin, Write};
use crate::request::RequestKind;

/// A set of plugins that cannot run; each message names plugins and their place in the config.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HooksError {
    /// Two plugins with one id.
    #[error("plugins {first} and {second} have the same id; give one of them another `id`")]
    DuplicateId {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
    },
    /// A resource that nobody provides.
    #[error(
        "plugin {plugin} reads {resource:?}, which no plugin provides; attach one that does, before or after it"
    )]
    MissingProducer {
        /// Who reads.
        plugin: String,
        /// What is missing.
        resource: &'static str,
    },
    /// A resource that two plugins provide.
    #[error("plugins {first} and {second} both provide {resource:?}; remove one of them")]
    TwoProducers {
        /// The earlier one.
        first: String,
        /// The later one.
        second: String,
        /// What both provide.
        resource: &'static str,
    },
    /// A plugin named in `after` that is not attached.
    #[error("plugin {plugin} is to come after {after:?}, which is not attached{hint}")]
    UnknownAfter {
        /// Who says so.
        plugin: String,
        /// The name.
        after: String,
        /// A near name, if there is one.
        hint: String,
    },
    /// Plugins that wait for each other.
    #[error("plugins wait for each other: {chain}; remove one of these dependencies")]
    Cycle {
        /// The plugins in a row, with why each waits.
        chain: String,
    },
    /// Two plugins that write the same thing with no order between them.
    #[error(
        "plugins {first} and {second} both write {write}, and nothing says who comes first; add `after = [{first_id:?}]` to one of them"
    )]
    AmbiguousWriters {
        /// The earlier one.
        first: String,
        /// Its id alone.
        first_id: String,
        /// The later one.
        second: String,
        /// What both write.
        write: Write,
    },
    /// An event that this host does not have.
    #[error("plugin {plugin} needs the event {event}, which this model does not expose: {why}")]
    UnsupportedEvent {
        /// Who needs it.
        plugin: String,
        /// The event.
        event: EventKind,
        /// What to do.
        why: String,
    },
    /// A request that this host cannot apply.
    #[error("plugin {plugin} makes requests of kind {request}, which this run cannot apply")]
    UnsupportedRequest {
        /// Who makes them.
        plugin: String,
        /// The kind.
        request: RequestKind,
    },
    /// True labels in the hands of a plugin that acts.
    #[error(
        "plugin {plugin} reads the labels from before label noise, and writes, makes requests or \
         provides a resource; what measures by the truth must not act on it. A control arm that does \
         declares `.oracle()`"
    )]
    ActsOnTruth {
        /// Which one.
        plugin: String,
    },
    /// What an oracle provides in the hands of a plugin that acts.
    #[error(
        "plugin {plugin} writes, makes requests or provides a resource, and reads {resource:?} of \
         {provider}, which knows the labels from before label noise; a method must not act on them. \
         Remove one of the two"
    )]
    ActsOnOracle {
        /// Which one.
        plugin: String,
        /// Who provides it.
        provider: String,
        /// The resource's name.
        resource: &'static str,
    },
    /// A comparison with a reference encoder in a run that trains none.
    #[error(
        "plugin {plugin} compares the encoder with a reference encoder, which this run does not \
         train; add a table `[pair]` with `candidates = N` to the config"
    )]
    NoReference {
        /// Who compares.
        plugin: String,
    },
    /// A write that would reach one encoder of a pair alone.
    #[error(
        "plugin {plugin} writes {write}, which would reach the encoder and not its reference; what \
         the two then differ in is no memorization. Remove the plugin, or the table `[pair]`"
    )]
    OneOfAPair {
        /// Who writes.
        plugin: String,
        /// What.
        write: Write,
    },
    /// Outputs of views that another plugin may have mixed.
    #[error(
        "plugin {plugin} takes the outputs of a view for those of its sample alone, and {writer} writes \
         views, which may mix samples; {advice}"
    )]
    MixedViews {
        /// Who reads outputs.
        plugin: String,
        /// Who writes views.
        writer: String,
        /// What to do.
        advice: &'static str,
    },
    /// A tap that finds no site.
    #[error(
        "plugin {plugin} taps {pattern:?}, which matches no site of the model; sites are: {sites}"
    )]
    TapMatchesNothing {
        /// Who taps.
        plugin: String,
        /// The pattern.
        pattern: String,
        /// Names of the sites.
        sites: String,
    },
    /// A checkpoint of another set of plugins.
    #[error(
        "the checkpoint was written with other plugins: {difference}; resume with the config that wrote it, or start a new run"
    )]
    OtherPlugins {
        /// Plugins that are missing, new or different.
        difference: String,
    },
    /// A plugin that could not give or take its state.
    #[error("plugin {plugin} could not {verb} its state: {fault}")]
    State {
        /// Which one.
        plugin: String,
        /// `save` or `restore`.
        verb: &'static str,
        /// Why.
        #[source]
        fault: Fault,
    },
}

impl HooksError {
    /// The plugin that is to be changed, as its manifest names it; `None` where it is not one alone.
    pub fn plugin(&self) -> Option<&str> {
        match self {
            Self::DuplicateId { second, .. }
            | Self::TwoProducers { second, .. }
            | Self::AmbiguousWriters { second, .. } => Some(second),
            Self::MissingProducer { plugin, .. }
            | Self::UnknownAfter { plugin, .. }
            | Self::UnsupportedEvent { plugin, .. }
            | Self::UnsupportedRequest { plugin, .. }
            | Self::ActsOnTruth { plugin }
            | Self::ActsOnOracle { plugin, .. }
            | Self::NoReference { plugin }
            | Self::OneOfAPair { plugin, .. }
            | Self::MixedViews { plugin, .. }
            | Self::TapMatchesNothing { plugin, .. }
            | Self::State { plugin, .. } => Some(plugin),
            Self::Cycle { .. } | Self::OtherPlugins { .. } => None,
        }
    }
}

/// A fault that ends the run.
#[derive(Debug, Error)]
#[error("plugin {plugin:?}{} failed at {event} in step {step}: {fault}", place(.origin.as_ref()))]
pub struct StopRun {
    /// Id of the plugin.
    pub plugin: String,
    /// Its place in the config, if it has one.
    pub origin: Option<Origin>,
    /// The event it failed at.
    pub event: EventKind,
    /// The step under way.
    pub step: u64,
    /// Why.
    #[source]
    pub fault: Fault,
}

fn place(origin: Option<&Origin>) -> String {
    origin.map_or_else(String::new, |origin| format!(" ({origin})"))
}
