//! The JSON schemas of experiments and sweeps, and the tables of their keys.

use afterimage_sweep::SweepConfig;
use serde_json::{Map, Value, json};

use crate::config::schema;
use crate::experiment::{Experiment, PluginEntry};
use crate::registry::{PluginKind, Registry};

/// The JSON schema (draft 7) of an experiment config whose plugins are those of `registry`.
pub fn experiment_schema(registry: &Registry) -> Value {
    schema::of_file(whole_schema(registry), "An experiment of afterimage")
}

/// The same of an experiment that extends no file.
pub(crate) fn whole_schema(registry: &Registry) -> Value {
    let mut schema = schema::of::<Experiment>();
    let common = common();
    let kinds: Vec<Value> = registry.kinds().map(|kind| plugin(kind, &common)).collect();
    schema["properties"]["plugins"]["items"] = json!({ "anyOf": kinds });
    schema
}

/// The JSON schema (draft 7) of a sweep file.
pub fn sweep_schema() -> Value {
    schema::of_file(schema::of::<SweepConfig>(), "A sweep of afterimage")
}

/// The keys that every plugin has.
fn common() -> Map<String, Value> {
    let schema = schema::of::<PluginEntry>();
    let properties = schema["properties"].as_object().cloned();
    properties.unwrap_or_default()
}

fn plugin(kind: &PluginKind, common: &Map<String, Value>) -> Value {
    let mut schema = kind.schema();
    schema["description"] = json!(kind.about());
    let mut properties = common.clone();
    if let Some(own) = schema["properties"].as_object() {
        properties.extend(own.clone());
    }
    let name = json!({ "type": "string", "const": kind.name(), "description": kind.about() });
    properties.insert("kind".to_owned(), name);
    schema["properties"] = Value::Object(properties);
    schema["required"] = json!(["kind"]);
    schema
}

/// The keys of experiments, plugins and sweeps as a page in Markdown.
pub fn key_tables(registry: &Registry) -> String {
    let mut text = format!("# Keys\n\n{MADE}\n\n{CONTENTS}\n\n## Experiments\n\n");
    tables(&schema::of::<Experiment>(), &EXPERIMENT, &mut text);
    text.push_str("## Plugins\n\nWhat every `[[plugins]]` has:\n\n");
    let common = schema::of::<PluginEntry>();
    text.push_str(&schema::table(&common, &[]));
    for kind in registry.kinds() {
        let (name, about) = (kind.name(), capital(kind.about()));
        text.push_str(&format!("\n### `{name}`\n\n{about}.\n\n"));
        let keys = kind.keys();
        match keys.is_empty() {
            true => text.push_str("No keys of its own.\n"),
            false => text.push_str(&schema::table(&kind.schema(), &keys)),
        }
    }
    text.push_str("\n## Sweeps\n\n");
    tables(&schema::of::<SweepConfig>(), &SWEEP, &mut text);
    text.trim_end().to_owned() + "\n"
}

const MADE: &str = "Made by `afterimage schema --markdown > docs/keys.md` from the types that read configs; a test \
                    holds it against them. Do not edit it.";

const CONTENTS: &str = "How files and flags become one config, and what the tables are for, is told in \
                        [configs.md](configs.md); what plugins measure and do, in [plugins.md](plugins.md). Here: \
                        [experiments](#experiments), [plugins](#plugins), [sweeps](#sweeps).";

/// The tables of an experiment in the order in which they are told.
const EXPERIMENT: [&str; 17] = [
    "data",
    "limits",
    "label_noise",
    "views",
    "pair",
    "fine_tune",
    "encoder",
    "projection",
    "objective",
    "optimizer",
    "schedule",
    "batch",
    "loader",
    "evaluation",
    "checkpoints",
    "overhead",
    "sinks",
];

/// The tables of a sweep.
const SWEEP: [&str; 7] = [
    "metric", "aims", "search", "arms", "stopping", "budget", "slurm",
];

/// A table of the keys at the top, then one for each table: those named in `order` first.
fn tables(schema: &Value, order: &[&str], text: &mut String) {
    let properties = schema["properties"].as_object().cloned();
    let (tables, plain): (Map<String, Value>, Map<String, Value>) = properties
        .unwrap_or_default()
        .into_iter()
        .filter(|(name, _)| name != "plugins")
        .partition(|(_, property)| is_table(property));
    let mut top = schema.clone();
    top["properties"] = Value::Object(plain);
    text.push_str(&schema::table(&top, &[]));
    let rank = |name: &String| order.iter().position(|known| known == name);
    let mut names: Vec<&String> = tables.keys().collect();
    names.sort_by_key(|name| (rank(name).is_none(), rank(name), *name));
    for name in names {
        let property = &tables[name];
        let heading = match property.get("items") {
            Some(_) => format!("`[[{name}]]`"),
            None => format!("`[{name}]`"),
        };
        text.push_str(&format!("\n### {heading}\n\n"));
        if let Some(about) = property.get("description").and_then(Value::as_str) {
            text.push_str(&format!("{about}\n\n"));
        }
        kinds(property.get("items").unwrap_or(property), text);
    }
    text.push('\n');
}

fn is_table(property: &Value) -> bool {
    let inner = property.get("items").unwrap_or(property);
    let variants = inner.get("anyOf").and_then(Value::as_array);
    inner.get("properties").is_some()
        || variants.is_some_and(|all| all.iter().any(|one| one.get("properties").is_some()))
}

/// The keys of a table, or of each of its kinds.
fn kinds(schema: &Value, text: &mut String) {
    let Some(variants) = schema.get("anyOf").and_then(Value::as_array) else {
        text.push_str(&schema::table(schema, &[]));
        return;
    };
    for variant in variants {
        let kind = &variant["properties"]["kind"]["const"];
        let about = variant.get("description").and_then(Value::as_str);
        let about = about.map(schema::cell).unwrap_or_default();
        text.push_str(&format!("`kind = {kind}`: {about}.\n\n"));
        let keys = variant["properties"].as_object().map_or(0, Map::len);
        if keys > 1 {
            text.push_str(&schema::table(variant, &[]));
            text.push('\n');
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().collect::<String>() + letters.as_str()
    })
}
