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
    entries: BTreeMap<(String, EventKind), Cost>,
}

impl Costs {
    pub(crate) fn add(&mut self, plugin: &str, event: EventKind, time: Duration) {
        let cost = match self.entries.get_mut(&(plugin.to_owned(), event)) {
            Some(cost) => cost,
            None => self.entries.entry((plugin.to_owned(), event)).or_default(),
        };
        cost.calls += 1;
        cost.time += time;
    }

    /// Every entry, by plugin, then in the order of the events.
    pub fn iter(&self) -> impl Iterator<Item = (&str, EventKind, Cost)> {
        self.entries
            .iter()
            .map(|((plugin, event), cost)| (plugin.as_str(), *event, *cost))
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
