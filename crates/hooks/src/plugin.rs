//! The plugin trait and its declaration.

use std::any::Any;

use crate::clock::Every;
use crate::event::{Event, Handler, Tables};
use crate::fault::{Fault, OnFault};
use crate::manifest::{Beginning, Manifest, Origin, Write};
use crate::request::RequestKind;
use crate::resource::{Resource, ResourceType};
use crate::state::PluginState;
use crate::table::Entry;
use crate::tap::TapSpec;

/// Something attached to the training loop.
///
/// A handler is a method whose argument type is the event; only declared events are delivered.
/// `state` and `restore` have no default, because a plugin that forgets its state breaks the exact
/// resume of the whole run.
///
/// # Examples
/// ```
/// use afterimage_hooks::*;
///
/// /// Counts the samples that training has seen.
/// #[derive(Default)]
/// struct SampleCount(u64);
///
/// impl Plugin for SampleCount {
///     fn declare(&self, d: &mut Declare<'_, Self>) {
///         d.on::<StepDone>(Every::Always, Self::count);
///     }
///     fn state(&self) -> Result<PluginState, Fault> {
///         PluginState::encode(1, &self.0)
///     }
///     fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
///         self.0 = state.decode(1)?;
///         Ok(())
///     }
/// }
///
/// impl SampleCount {
///     fn count(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
///         self.0 += cx.ids.len() as u64;
///         cx.scalar("samples/seen", self.0 as f64);
///         Ok(())
///     }
/// }
///
/// let attached = Attached::new("count", "sample-count", SampleCount::default());
/// assert_eq!(attached.manifest().events, [(EventKind::StepDone, Every::Always)]);
/// ```
pub trait Plugin: Any + Send {
    /// Declares events, taps, resources, writes, requests and the fault policy.
    fn declare(&self, d: &mut Declare<'_, Self>)
    where
        Self: Sized;

    /// Everything that the plugin must find again after a resume.
    ///
    /// # Errors
    /// A state that cannot be encoded.
    fn state(&self) -> Result<PluginState, Fault>;

    /// Takes back what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// A state of another version or of another configuration.
    fn restore(&mut self, state: PluginState) -> Result<(), Fault>;
}

/// Collects what a plugin declares.
pub struct Declare<'d, P> {
    pub(crate) manifest: &'d mut Manifest,
    pub(crate) tables: &'d mut Tables,
    pub(crate) resources: &'d mut Vec<ResourceType>,
    pub(crate) fault_policy: &'d mut Option<OnFault>,
    pub(crate) plugin: std::marker::PhantomData<fn(&mut P)>,
}

impl<P: Plugin> Declare<'_, P> {
    /// Calls `handler` at event `E` with this cadence.
    pub fn on<E: Event>(&mut self, every: Every, handler: Handler<P, E>) -> &mut Self {
        self.manifest.events.push((E::KIND, every));
        E::table_mut(self.tables).push(Entry::new(every, handler));
        self
    }

    /// Taps sites whenever a handler of this plugin inside a step is due.
    pub fn taps(&mut self, spec: TapSpec) -> &mut Self {
        self.manifest.taps.push(spec);
        self
    }

    /// Reads a resource; whoever provides it comes first.
    pub fn reads<R: Resource>(&mut self) -> &mut Self {
        self.manifest.reads.push(R::NAME);
        self.resources.push(ResourceType::of::<R>());
        self
    }

    /// Reads the labels of samples, which are shown to nobody else.
    pub fn reads_labels(&mut self) -> &mut Self {
        self.manifest.reads_labels = true;
        self
    }

    /// Measures by labels as they were before label noise. A plugin that acts, or hands a resource
    /// to one that does, is refused with this.
    pub fn reads_truth(&mut self) -> &mut Self {
        self.manifest.reads_truth = true;
        self
    }

    /// Acts on labels as they were before label noise: a control arm that says what could be
    /// reached, named as such wherever plugins are listed.
    pub fn oracle(&mut self) -> &mut Self {
        self.manifest.reads_truth = true;
        self.manifest.oracle = true;
        self
    }

    /// Provides a resource; whoever reads it comes after.
    pub fn provides<R: Resource>(&mut self) -> &mut Self {
        self.manifest.provides.push(R::NAME);
        self.resources.push(ResourceType::of::<R>());
        self
    }

    /// Writes something inside events.
    pub fn writes(&mut self, write: Write) -> &mut Self {
        self.manifest.writes.push(write);
        self
    }

    /// Makes requests of this kind.
    pub fn requests(&mut self, kind: RequestKind) -> &mut Self {
        self.manifest.requests.push(kind);
        self
    }

    /// Comes after the plugin with this id, beyond what resources say.
    pub fn after(&mut self, id: impl Into<String>) -> &mut Self {
        self.manifest.after.push(id.into());
        self
    }

    /// What happens to the run when this plugin fails. Without it an observer is disabled and an
    /// intervention stops the run.
    pub fn on_fault(&mut self, policy: OnFault) -> &mut Self {
        *self.fault_policy = Some(policy);
        self
    }

    /// Needs arithmetic that is exact to rounding: Winograd convolutions are off in its runs.
    pub fn exact(&mut self) -> &mut Self {
        self.manifest.exact = true;
        self
    }

    /// Compares the encoder with a reference encoder: a run that trains none refuses this plugin.
    pub fn reference(&mut self) -> &mut Self {
        self.manifest.reference = true;
        self
    }

    /// Takes what a step says of a view for what it says of the view's sample alone: beside a plugin that
    /// writes views, which may mix samples, it is refused with `advice`.
    pub fn whole_views(&mut self, advice: &'static str) -> &mut Self {
        self.manifest.whole_views = Some(advice);
        self
    }

    /// Promises that before the end of `epoch` the plugin's writes, requests, records, resources and state
    /// hang on its declaration and on `until_then`, and on nothing else of its settings. Runs that differ in
    /// the rest alone are then the same up to the epoch before, and a sweep can let one begin where the
    /// other was ([`Manifest::begins`]). What a plugin reads, asks for and plans may differ, too.
    pub fn begins(&mut self, epoch: u32, until_then: &impl std::fmt::Debug) -> &mut Self {
        self.manifest.begins = Some(Beginning {
            epoch,
            until_then: format!("{until_then:?}"),
        });
        self
    }

    /// Says something that the plugin will do, as far as that is known before the run.
    pub fn plan(&mut self, line: impl Into<String>) -> &mut Self {
        self.manifest.plan.push(line.into());
        self
    }
}

/// A plugin with its manifest, ready to be ordered and run.
pub struct Attached {
    pub(crate) plugin: Box<dyn Plugin>,
    pub(crate) manifest: Manifest,
    pub(crate) tables: Tables,
    pub(crate) resources: Vec<ResourceType>,
}

impl Attached {
    /// Attaches `plugin` under a unique `id`; `kind` is its name in the registry.
    pub fn new<P: Plugin>(id: impl Into<String>, kind: impl Into<String>, plugin: P) -> Self {
        let mut manifest = Manifest::new(id, kind);
        let mut tables = Tables::default();
        let mut resources = Vec::new();
        let mut fault_policy = None;
        plugin.declare(&mut Declare {
            manifest: &mut manifest,
            tables: &mut tables,
            resources: &mut resources,
            fault_policy: &mut fault_policy,
            plugin: std::marker::PhantomData,
        });
        let default = if manifest.intervenes() {
            OnFault::Stop
        } else {
            OnFault::Disable
        };
        manifest.on_fault = fault_policy.unwrap_or(default);
        Self {
            plugin: Box::new(plugin),
            manifest,
            tables,
            resources,
        }
    }

    /// Says where the plugin was asked for.
    pub fn from_origin(mut self, origin: Origin) -> Self {
        self.manifest.origin = Some(origin);
        self
    }

    /// Adds plugins that this one comes after, as the user wrote.
    pub fn after(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        self.manifest.after.extend(ids);
        self
    }

    /// Overrides the fault policy, as the user wrote.
    pub fn on_fault(mut self, policy: OnFault) -> Self {
        self.manifest.on_fault = policy;
        self
    }

    /// What the plugin declared.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}
