//! Delivery of events: one table of calls per event, faults kept inside, time measured.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::clock::Clock;
use crate::cost::Costs;
use crate::error::{HooksError, StopRun};
use crate::event::*;
use crate::fault::{Fault, OnFault};
use crate::manifest::{Manifest, Write};
use crate::order::{Host, order};
use crate::plugin::{Attached, Plugin};
use crate::request::Decision;
use crate::resource::{Resource, Resources, decode_as};
use crate::state::PluginState;
use crate::tap::{TapPlan, TapSpec};

struct Slot {
    plugin: Box<dyn Plugin>,
    manifest: Arc<Manifest>,
    disabled: bool,
}

/// The plugins of a run, in order.
#[derive(Default)]
pub struct Hooks {
    slots: Vec<Slot>,
    tables: Tables,
    registered_taps: Vec<(String, TapSpec)>,
    costs: Costs,
    faults: Vec<Decision>,
}

/// The state of all plugins in a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HooksState {
    plugins: Vec<SavedPlugin>,
    resources: BTreeMap<String, Vec<u8>>,
    taps: Vec<(String, TapSpec)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SavedPlugin {
    id: String,
    kind: String,
    /// `None` for a plugin that was disabled.
    state: Option<PluginState>,
}

impl HooksState {
    /// Names of the plugins that were switched off.
    pub fn disabled(&self) -> Vec<String> {
        let off = self.plugins.iter().filter(|saved| saved.state.is_none());
        off.map(|saved| saved.id.clone()).collect()
    }

    /// What the plugin `id` kept; `None` where there was no such plugin, or it was switched off.
    pub fn plugin(&self, id: &str) -> Option<&PluginState> {
        let saved = self.plugins.iter().find(|saved| saved.id == id);
        saved?.state.as_ref()
    }

    /// The resource `R` as it stood; `None` where no plugin had provided it.
    ///
    /// # Errors
    /// Damaged bytes.
    pub fn resource<R: Resource>(&self) -> Result<Option<R>, Fault> {
        let bytes = self.resources.get(R::NAME);
        bytes.map(|bytes| decode_as::<R>(bytes)).transpose()
    }
}

impl Hooks {
    /// Orders `plugins` (given in the order of the config) for a host, and makes the names of
    /// their resources known to `resources`.
    ///
    /// # Errors
    /// Everything that is wrong with the set, all at once.
    pub fn new(
        plugins: Vec<Attached>,
        host: &Host,
        resources: &mut Resources,
    ) -> Result<Self, Vec<HooksError>> {
        let manifests: Vec<&Manifest> = plugins.iter().map(Attached::manifest).collect();
        let sorted = order(&manifests, host)?;
        let mut waiting: Vec<Option<Attached>> = plugins.into_iter().map(Some).collect();
        let mut hooks = Self::default();
        for index in sorted {
            let Some(attached) = waiting[index].take() else {
                continue;
            };
            attached
                .resources
                .iter()
                .for_each(|kind| resources.know(*kind));
            hooks.tables.append(hooks.slots.len(), attached.tables);
            hooks.costs.push(&attached.manifest.id);
            hooks.slots.push(Slot {
                plugin: attached.plugin,
                manifest: Arc::new(attached.manifest),
                disabled: false,
            });
        }
        Ok(hooks)
    }

    /// Manifests in the order of dispatch.
    pub fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.slots.iter().map(|slot| slot.manifest.as_ref())
    }

    /// Whether any handler of `E` is due at `clock`.
    pub fn is_due<E: Event>(&self, clock: &Clock) -> bool {
        E::table(&self.tables)
            .iter()
            .any(|entry| entry.every.is_due(clock) && !self.slots[entry.slot].disabled)
    }

    /// Whether a plugin that may write the loss is due at the [`LossReady`] of a step at `clock`.
    pub fn writes_loss(&self, clock: &Clock) -> bool {
        LossReady::table(&self.tables).iter().any(|entry| {
            let slot = &self.slots[entry.slot];
            let writes = &slot.manifest.writes;
            let loss = writes.contains(&Write::LossWeights) || writes.contains(&Write::LossTerms);
            loss && entry.every.is_due(clock) && !slot.disabled
        })
    }

    /// Delivers event `E` to every plugin that is due, in order.
    ///
    /// # Errors
    /// The fault of a plugin whose policy is to stop the run; later plugins are not called.
    pub fn fire<'a, E: Event>(&mut self, clock: &Clock, cx: &mut E::Cx<'a>) -> Result<(), StopRun> {
        for entry in E::table(&self.tables) {
            let slot = &mut self.slots[entry.slot];
            if slot.disabled || !entry.every.is_due(clock) {
                continue;
            }
            let start = Instant::now();
            E::scope(cx).enter(&slot.manifest);
            let waiting = E::scope(cx).requests_waiting();
            let plugin: &mut dyn Any = slot.plugin.as_mut();
            let result = catch_unwind(AssertUnwindSafe(|| (entry.call)(plugin, cx)))
                .unwrap_or_else(|panic| Err(Fault::new(format!("panicked: {}", words(&*panic)))));
            E::scope(cx).leave();
            self.costs.add(entry.slot, E::KIND, start.elapsed());
            if let Err(fault) = result {
                E::scope(cx).withdraw_requests(waiting);
                let stop = StopRun {
                    plugin: slot.manifest.id.clone(),
                    origin: slot.manifest.origin.clone(),
                    event: E::KIND,
                    step: clock.step,
                    fault,
                };
                match slot.manifest.on_fault {
                    OnFault::Stop => return Err(stop),
                    OnFault::Disable => {
                        slot.disabled = true;
                        tracing::error!("{stop}; the run goes on without it");
                        // The table of decisions does not depend on where the config lies.
                        let stop = StopRun {
                            origin: None,
                            ..stop
                        };
                        self.faults.push(Decision {
                            epoch: clock.epoch,
                            step: clock.step,
                            plugin: stop.plugin.clone(),
                            kind: "disable_plugin".to_owned(),
                            what: stop.to_string(),
                            outcome: "applied".to_owned(),
                        });
                    }
                }
            }
        }
        Ok(())
    }

    /// Taps that are on in a step at `clock`: those of plugins with a handler due inside a step.
    pub fn taps(&self, clock: &Clock, sites: &[crate::Site]) -> TapPlan {
        let active = |slot: &&Slot| {
            !slot.disabled
                && slot
                    .manifest
                    .events
                    .iter()
                    .any(|(event, every)| event.in_step() && every.is_due(clock))
        };
        let specs = self.slots.iter().filter(active).flat_map(|slot| {
            let id = &slot.manifest.id;
            let own = self
                .registered_taps
                .iter()
                .filter(move |(owner, _)| owner == id);
            slot.manifest.taps.iter().chain(own.map(|(_, spec)| spec))
        });
        TapPlan::new(specs, sites)
    }

    /// Adds the taps that plugins registered at `RunStart`.
    pub fn register_taps(&mut self, taps: Vec<(String, TapSpec)>) {
        self.registered_taps.extend(taps);
    }

    /// Time by plugin and event.
    pub fn costs(&self) -> &Costs {
        &self.costs
    }

    /// Ids of the plugins that failed and were switched off.
    pub fn disabled(&self) -> Vec<&str> {
        self.slots
            .iter()
            .filter(|s| s.disabled)
            .map(|s| s.manifest.id.as_str())
            .collect()
    }

    /// Takes the decisions to switch plugins off that were not logged yet.
    pub fn drain_faults(&mut self) -> Vec<Decision> {
        std::mem::take(&mut self.faults)
    }

    /// The state of every plugin and resource.
    ///
    /// # Errors
    /// A plugin that cannot give its state.
    pub fn state(&self, resources: &Resources) -> Result<HooksState, HooksError> {
        let save = |slot: &Slot| {
            let state = if slot.disabled {
                None
            } else {
                Some(slot.plugin.state()?)
            };
            Ok(SavedPlugin {
                id: slot.manifest.id.clone(),
                kind: slot.manifest.kind.clone(),
                state,
            })
        };
        let failed = |plugin: &str, verb, fault| HooksError::State {
            plugin: format!("{plugin:?}"),
            verb,
            fault,
        };
        let plugins = self
            .slots
            .iter()
            .map(|slot| save(slot).map_err(|fault| failed(&slot.manifest.id, "save", fault)))
            .collect::<Result<_, _>>()?;
        let resources = resources
            .state()
            .map_err(|fault| failed("resources", "save", fault))?;
        Ok(HooksState {
            plugins,
            resources,
            taps: self.registered_taps.clone(),
        })
    }

    /// Takes the state of every plugin and resource back.
    ///
    /// # Errors
    /// A checkpoint of another set of plugins, or a plugin that refuses its state.
    pub fn restore(
        &mut self,
        state: HooksState,
        resources: &mut Resources,
    ) -> Result<(), HooksError> {
        let names = |pairs: Vec<(&str, &str)>| {
            pairs
                .iter()
                .map(|(id, kind)| format!("{id:?} ({kind})"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let saved: Vec<_> = state
            .plugins
            .iter()
            .map(|p| (p.id.as_str(), p.kind.as_str()))
            .collect();
        let here: Vec<_> = self
            .slots
            .iter()
            .map(|s| (s.manifest.id.as_str(), s.manifest.kind.as_str()))
            .collect();
        if saved != here {
            return Err(HooksError::OtherPlugins {
                difference: format!(
                    "the checkpoint has [{}], this run has [{}]",
                    names(saved),
                    names(here)
                ),
            });
        }
        for (slot, saved) in self.slots.iter_mut().zip(state.plugins) {
            match saved.state {
                None => slot.disabled = true,
                Some(state) => slot
                    .plugin
                    .restore(state)
                    .map_err(|fault| HooksError::State {
                        plugin: slot.manifest.named(),
                        verb: "restore",
                        fault,
                    })?,
            }
        }
        self.registered_taps = state.taps;
        resources
            .restore(&state.resources)
            .map_err(|fault| HooksError::State {
                plugin: "resources".to_owned(),
                verb: "restore",
                fault,
            })
    }
}

pub(crate) fn words(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
