//! Configs by key.

use std::collections::BTreeMap;

use toml::{Table, Value};

/// Tables and keys that change no number.
const WITHOUT_EFFECT: [&str; 6] = [
    "checkpoints",
    "loader",
    "name",
    "overhead",
    "renderer",
    "sinks",
];

/// Whether the setting of this key may change a number.
pub(crate) fn has_effect(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or(key);
    !WITHOUT_EFFECT.contains(&first)
}

/// Every key of a config with its value; plugins by their ids, as in `plugins.unitmem.points`.
pub(crate) fn flat(config: &Table) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for (key, value) in config {
        match value {
            Value::Array(plugins) if key == "plugins" => {
                for plugin in plugins {
                    let word = |key: &str| plugin.get(key).and_then(Value::as_str);
                    let id = word("id").or(word("kind")).unwrap_or_default();
                    add(&format!("plugins.{id}"), plugin, &mut all);
                }
            }
            value => add(key, value, &mut all),
        }
    }
    all
}

fn add(key: &str, value: &Value, all: &mut BTreeMap<String, Value>) {
    match value {
        Value::Table(table) => table
            .iter()
            .for_each(|(name, value)| add(&format!("{key}.{name}"), value, all)),
        value => {
            all.insert(key.to_owned(), value.clone());
        }
    }
}
