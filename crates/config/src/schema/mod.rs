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

pub use words::{cell, range, table, toml_text, word};

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

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// What a type has that does not describe itself.
    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Plain {
        every: String,
        points: u32,
        share: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<String>,
    }

    #[test]
    fn a_type_without_a_schema_has_its_keys_and_the_types_of_its_defaults() {
        assert_eq!(keys::<Plain>(), ["every", "points", "share", "file"]);
        let schema = of_defaults::<Plain>();
        assert_eq!(schema["additionalProperties"], false);
        let properties = &schema["properties"];
        assert_eq!(
            properties["points"],
            json!({ "type": "integer", "default": 0 })
        );
        assert_eq!(properties["share"]["type"], "number");
        // It is known, and nobody knows what it takes.
        assert_eq!(properties["file"], json!({}));
    }

    #[test]
    fn a_type_that_takes_any_key_lets_all_pass() {
        type Any = std::collections::BTreeMap<String, toml::Value>;
        assert!(keys::<Any>().is_empty());
        assert_eq!(of_defaults::<Any>()["additionalProperties"], true);
    }

    /// What a type has that does.
    #[derive(Debug, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(deny_unknown_fields)]
    struct Described {
        /// Share of [`Plain`]; at most 1.
        #[schemars(range(min = 0, max = 1))]
        share: f64,
        /// How many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        count: Option<u32>,
        /// Which.
        #[serde(default)]
        form: Form,
    }

    #[derive(Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    enum Form {
        /// The first.
        #[default]
        OneWord,
        /// The second.
        Other,
    }

    #[test]
    fn a_file_may_leave_required_keys_to_what_it_extends() {
        let file = of_file(of::<Described>(), "A test");
        assert_eq!(file["else"]["required"], json!(["share"]));
        assert_eq!(file.get("required"), None);
        assert!(file["properties"]["extends"].is_object());
    }

    #[test]
    fn tables_say_key_type_default_range_and_meaning() {
        let schema = of::<Described>();
        assert_eq!(
            table(&schema, &keys::<Described>()),
            "| key | type | default | range | meaning |\n|---|---|---|---|---|\n\
             | `share` | number | required | at least 0, at most 1 | Share of `Plain`; at most 1 |\n\
             | `count` | whole number |  | at least 0 | How many |\n\
             | `form` | `\"one-word\"`, `\"other\"` | `\"one-word\"` |  | Which |\n"
        );
    }
}
