//! What a plugin saves is what it takes back.

use std::collections::BTreeMap;
use std::path::Path;

use afterimage::hooks::{Hooks, HooksState, Resources};
use afterimage::train::read_plugins;
use serde_json::Value;

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::experiment::{STOPPING, failing};
use crate::files::{Files, last_checkpoint, learned, records};

/// The saved state of each plugin and resource by its name, as bytes.
pub(crate) fn saved(state: &HooksState) -> Result<BTreeMap<String, Vec<u8>>, Broken> {
    let state = as_json(state)?;
    let name = |plugin: &Value| plugin["id"].as_str().unwrap_or_default().to_owned();
    let bytes = |value: &Value| value.to_string().into_bytes();
    let plugins = state["plugins"].as_array().into_iter().flatten();
    let resources = state["resources"].as_object().into_iter().flatten();
    Ok(plugins
        .map(|plugin| (name(plugin), bytes(&plugin["state"])))
        .chain(resources.map(|(name, value)| (name.clone(), bytes(value))))
        .collect())
}

/// What a run has on record, learned and saved, but for the plugin `other`, which only this run has.
pub(crate) fn measured(run: &Path, other: &str) -> Result<Files, Broken> {
    let mut files = records(run)?;
    files.remove("config.toml");
    if let Some(decisions) = files.get_mut("decisions.jsonl") {
        let text = String::from_utf8_lossy(decisions).into_owned();
        let others = text.lines().filter(|line| !line.contains(other));
        *decisions = others
            .flat_map(|line| [line, "\n"])
            .collect::<String>()
            .into_bytes();
    }
    files.extend(learned(run)?);
    for (name, state) in saved(&read_plugins(&last_checkpoint(run)?)?)? {
        if name != other {
            files.insert(format!("state of {name}"), state);
        }
    }
    Ok(files)
}

fn as_json(state: &HooksState) -> Result<Value, Broken> {
    serde_json::to_value(state).map_err(|error| Broken::file("plugins.bin", error))
}

fn from_json(state: Value) -> Result<HooksState, Broken> {
    serde_json::from_value(state).map_err(|error| Broken::file("plugins.bin", error))
}

impl Conformance {
    /// New plugins that take back what was saved in the middle of an epoch give the same bytes again, and
    /// refuse a state of another version. What keeps nothing is named.
    ///
    /// # Errors
    /// The plugin whose state is not the same, or that takes what is not its own.
    pub fn state_comes_back(&self) -> Result<Vec<String>, Broken> {
        let state = &self.stopped()?.state;
        let again = self
            .taken_back(state.clone())?
            .map_err(|what| Broken::State {
                plugin: self.names(),
                what: format!("its own state is refused: {what}"),
            })?;
        let (before, after) = (saved(state)?, saved(&again)?);
        for (name, bytes) in &before {
            if after.get(name) != Some(bytes) {
                let kept = after.get(name).map_or(0, Vec::len);
                return Err(Broken::State {
                    plugin: name.clone(),
                    what: format!(
                        "a new plugin that was given its state saves another one ({} and {kept} \
                         bytes as JSON); `restore` must take all that `state` gives",
                        bytes.len()
                    ),
                });
            }
        }
        let mut notes = Vec::new();
        for manifest in self.manifests()? {
            notes.extend(self.refuses_others(state, &manifest.id)?);
        }
        Ok(notes)
    }

    /// What new plugins save that were given `state`; `Err` in words where they refuse it.
    fn taken_back(&self, state: HooksState) -> Result<Result<HooksState, String>, Broken> {
        let stop = failing(STOPPING, self.middle()?, true);
        let loaded = self.loaded(&(self.tables() + &stop))?;
        let mut resources = Resources::default();
        let plugins = self.attach(&loaded)?;
        let mut hooks = Hooks::new(plugins, &self.host(&loaded)?, &mut resources)
            .map_err(|errors| Broken::Order(crate::laws::order::told(&errors)))?;
        if let Err(error) = hooks.restore(state, &mut resources) {
            return Ok(Err(error.to_string()));
        }
        Ok(hooks.state(&resources).map_err(|error| error.to_string()))
    }

    /// Hands the plugin `id` a state of another version, or a state at all if it keeps none.
    fn refuses_others(&self, state: &HooksState, id: &str) -> Result<Option<String>, Broken> {
        let mut other = as_json(state)?;
        let plugins = other["plugins"].as_array_mut().into_iter().flatten();
        let Some(own) = plugins.into_iter().find(|plugin| plugin["id"] == id) else {
            return Ok(None);
        };
        let own = &mut own["state"];
        if own.is_null() {
            return Ok(Some(format!(
                "{id}: was switched off, so that it has no state"
            )));
        }
        let none = own["bytes"].as_array().is_none_or(Vec::is_empty);
        let what = match none {
            true => {
                own["bytes"] = serde_json::json!([1]);
                "it keeps no state and takes one; write `state.expect_none()` in `restore`"
            }
            false => {
                let version = own["version"].as_u64().unwrap_or_default();
                own["version"] = (version + 1).into();
                "it takes a state of another version; read it by `state.decode(version)`"
            }
        };
        match self.taken_back(from_json(other)?)? {
            Ok(_) => Err(Broken::State {
                plugin: id.to_owned(),
                what: what.to_owned(),
            }),
            Err(_) => Ok(none.then(|| format!("{id}: keeps no state"))),
        }
    }
}
