//! The time that each plugin takes at each event.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::event::EventKind;

/// Calls and time of one plugin at one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Number of calls.
    pub calls: u64,
    /// Time in the handler.
    pub time: Duration,
}

/// Costs by plugin and event.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    plugins: Vec<PluginCosts>,
}

#[derive(Debug, Clone)]
struct PluginCosts {
    plugin: String,
    events: [Cost; EventKind::ALL.len()],
}

impl Costs {
    /// Makes room for the next plugin; its slot is the number of plugins before it.
    pub(crate) fn push(&mut self, plugin: &str) {
        self.plugins.push(PluginCosts {
            plugin: plugin.to_owned(),
            events: [Cost::default(); EventKind::ALL.len()],
        });
    }

    pub(crate) fn add(&mut self, slot: usize, event: EventKind, time: Duration) {
        let cost = &mut self.plugins[slot].events[event as usize];
        cost.calls += 1;
        cost.time += time;
    }

    /// Every plugin and event with at least one call, in the order of dispatch, then of the events.
    pub fn iter(&self) -> impl Iterator<Item = (&str, EventKind, Cost)> {
        self.plugins.iter().flat_map(|costs| {
            EventKind::ALL
                .iter()
                .zip(costs.events)
                .filter(|(_, cost)| cost.calls > 0)
                .map(|(event, cost)| (costs.plugin.as_str(), *event, cost))
        })
    }

    /// Total time by plugin.
    pub fn by_plugin(&self) -> BTreeMap<&str, Duration> {
        let mut totals = BTreeMap::new();
        for (plugin, _, cost) in self.iter() {
            *totals.entry(plugin).or_insert(Duration::ZERO) += cost.time;
        }
        totals
    }

    /// Plugins that took more than `share` (0 to 1) of `total`, with their share.
    pub fn over(&self, share: f64, total: Duration) -> Vec<(String, f64)> {
        self.by_plugin()
            .into_iter()
            .map(|(plugin, time)| (plugin.to_owned(), time.as_secs_f64() / total.as_secs_f64()))
            .filter(|(_, taken)| *taken > share)
            .collect()
    }
}
