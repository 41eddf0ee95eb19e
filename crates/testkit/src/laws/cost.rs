//! The time of each plugin at each event, as the run has measured it.

use std::fs;

use serde_json::Value;

use crate::conformance::Conformance;
use crate::error::Broken;

impl Conformance {
    /// Every plugin was called. Gives its calls, and their mean time, at each event: a figure of this
    /// machine and this small network, to be read and not to be asserted.
    ///
    /// # Errors
    /// A plugin that no event reached: then the other laws say nothing of it.
    pub fn cost_is_known(&self) -> Result<Vec<String>, Broken> {
        let path = self.straight()?.join("result.json");
        let text = fs::read_to_string(&path).map_err(Broken::io(&path))?;
        let result: Value =
            serde_json::from_str(&text).map_err(|error| Broken::file(&path, error))?;
        let costs: Vec<&Value> = result["costs"].as_array().into_iter().flatten().collect();
        let (steps, _) = self.steps()?;
        let mut lines = Vec::new();
        for manifest in self.manifests()? {
            let own: Vec<_> = costs
                .iter()
                .filter(|cost| cost["plugin"] == manifest.id.as_str())
                .collect();
            if own.is_empty() {
                return Err(Broken::NeverCalled {
                    plugin: manifest.id,
                    steps,
                });
            }
            lines.extend(own.iter().map(|cost| line(&manifest.id, cost)));
        }
        Ok(lines)
    }
}

fn line(plugin: &str, cost: &Value) -> String {
    let event = cost["event"].as_str().unwrap_or_default();
    let calls = cost["calls"].as_u64().unwrap_or_default();
    let seconds = cost["seconds"].as_f64().unwrap_or_default();
    let mean = seconds / calls.max(1) as f64 * 1e6;
    format!("{plugin} at {event}: {calls} calls of {mean:.1} µs on average")
}
