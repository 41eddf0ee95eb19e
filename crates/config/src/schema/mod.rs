//! The JSON schema of a config, from the types that decode it: what an editor completes and checks keys with, and what
//! the tables of keys in the documentation are made of.

mod plain;
mod words;

use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::attempt::attempt;
use super::complaint::Complaint;
use super::source::EXTENDS;

pub use words::{cell, range, table, word};

/// The schema of `T` (draft 7 of JSON Schema), without references and without `null`, which TOML does not have.
pub fn of<T: schemars::JsonSchema>() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let schema = settings.into_generator().into_root_schema_for::<T>();
    plain::plain(schema.to_value())
}

/// The schema of a type that brings none: its keys, and the types of their defaults.
pub fn of_defaults<T: Default + Serialize + DeserializeOwned>() -> Value {
    let defaults = toml::Value::try_from(T::default()).ok();
    let default = |key: &str| defaults.as_ref().and_then(|table| table.get(key));
    let keys = keys::<T>();
    let properties: Map<String, Value> = keys
        .iter()
        .map(|key| (key.clone(), default(key).map_or(json!({}), of_default)))
        .collect();
    // A type that takes any key does not say which it has.
    json!({ "type": "object", "properties": properties, "additionalProperties": keys.is_empty() })
}

fn of_default(value: &toml::Value) -> Value {
    let kind = match value {
        toml::Value::String(_) | toml::Value::Datetime(_) => "string",
        toml::Value::Integer(_) => "integer",
        toml::Value::Float(_) => "number",
        toml::Value::Boolean(_) => "boolean",
        toml::Value::Array(_) => "array",
        toml::Value::Table(_) => "object",
    };
    json!({ "type": kind, "default": value })
}

/// The keys that the table `T` takes, in the order of the type; none where it takes any.
pub fn keys<T: DeserializeOwned>() -> Vec<String> {
    // A key that no type has makes a strict one tell those that it has.
    let stranger = [("\u{1}".to_owned(), toml::Value::Boolean(true))];
    let tree = toml::Value::Table(stranger.into_iter().collect());
    match attempt::<T>(&tree).result {
        Err(failure) => match failure.complaint {
            Complaint::UnknownKey { known, .. } => known,
            _ => Vec::new(),
        },
        Ok(_) => Vec::new(),
    }
}

/// `schema` as that of a whole file, which may leave keys to the files that it extends.
pub fn of_file(mut schema: Value, title: &str) -> Value {
    let required = schema.get("required").cloned();
    plain::without_required(&mut schema);
    let Some(table) = schema.as_object_mut() else {
        return schema;
    };
    table.insert(
        "$schema".to_owned(),
        json!("http://json-schema.org/draft-07/schema#"),
    );
    table.insert("title".to_owned(), json!(title));
    if let Some(properties) = table.get_mut("properties").and_then(Value::as_object_mut) {
        let path = json!({ "type": "string" });
        let extends = json!({
            "description": "A file, or several, that this one builds on, relative to it; of several the later wins.",
            "anyOf": [path, { "type": "array", "items": path }],
        });
        properties.insert(EXTENDS.to_owned(), extends);
    }
    if let Some(required) = required {
        table.insert("if".to_owned(), json!({ "required": [EXTENDS] }));
        table.insert("then".to_owned(), json!({}));
        table.insert("else".to_owned(), json!({ "required": required }));
    }
    schema
}
