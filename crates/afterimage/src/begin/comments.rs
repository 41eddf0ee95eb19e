//! A config with what its types say of every key.

use serde_json::{Map, Value};
use toml_edit::{DocumentMut, Item, Table};

use crate::config::schema;
use crate::toml_comment::wrapped;

/// Letters of a line of comments.
const WIDTH: usize = 100;

/// `about` as lines of a comment.
pub(super) fn comment(about: &str) -> String {
    wrapped(about, WIDTH)
}

/// `document` with a comment above each key and table, from `schema`, keys that it does not have behind
/// their `#`, and the tables that it does not have at the end.
pub(super) fn commented(document: &DocumentMut, schema: &Value) -> String {
    let mut text = String::new();
    plain_keys(&mut text, document.as_table(), schema, &[]);
    let none = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&none);
    for (name, item) in document.iter() {
        let about = &known.get(name).unwrap_or(&Value::Null);
        match item {
            Item::Table(table) => {
                text.push('\n');
                if let Some(about) = about.get("description").and_then(Value::as_str) {
                    text += &comment(about);
                }
                text.push_str(&format!("[{name}]\n"));
                body(&mut text, table, about);
            }
            Item::ArrayOfTables(tables) => {
                for table in tables {
                    text.push_str(&format!("\n[[{name}]]\n"));
                    body(&mut text, table, &about["items"]);
                }
            }
            _ => {}
        }
    }
    let others: Vec<(&String, &Value)> = known
        .iter()
        .filter(|(name, about)| is_table(about) && !document.contains_key(name))
        .collect();
    if !others.is_empty() {
        text.push_str("\n# Further tables:\n");
    }
    for (name, about) in others {
        let about = about.get("description").and_then(Value::as_str);
        text += &comment(&format!("[{name}] {}", about.unwrap_or_default()));
    }
    text
}

/// The keys of a table, or of one of several kinds of tables.
fn body(text: &mut String, table: &Table, schema: &Value) {
    let Some(variants) = schema.get("anyOf").and_then(Value::as_array) else {
        plain_keys(text, table, schema, &[]);
        return;
    };
    let kind = |one: &Value| {
        let kind = one["properties"]["kind"]["const"].as_str();
        kind.map(str::to_owned)
    };
    let told = table.get("kind").and_then(Item::as_str);
    // Without a kind a table is of the one that says nothing of kinds.
    let own = variants.iter().find(|one| kind(one).as_deref() == told);
    let others: Vec<String> = variants
        .iter()
        .filter_map(kind)
        .filter(|kind| Some(kind.as_str()) != told)
        .collect();
    plain_keys(text, table, own.unwrap_or(&Value::Null), &others);
}

/// Keys with values, in the order of `table`, then those that it does not have. `kinds` are what the key
/// `kind` may be beside what it is.
fn plain_keys(text: &mut String, table: &Table, schema: &Value, kinds: &[String]) {
    let none = Map::new();
    let known = schema["properties"].as_object().unwrap_or(&none);
    for (key, item) in table.iter() {
        let Some(value) = item.as_value() else {
            continue;
        };
        match key {
            "kind" => {
                let about = schema["description"].as_str().unwrap_or_default();
                let about = about.trim_end_matches('.');
                *text += &match kinds.is_empty() {
                    true => comment(about),
                    false => comment(&format!("{about}. Other kinds: {}", kinds.join(", "))),
                };
            }
            _ => *text += &comment(&known.get(key).map_or_else(String::new, about)),
        }
        if let Some((key, _)) = table.get_key_value(key) {
            own_comments(text, key);
            text.push_str(&format!("{} = {}\n", key.get(), value.to_string().trim()));
        }
    }
    for (key, property) in known {
        let default = property.get("default").map(schema::toml_text);
        if let Some(default) = default
            && !table.contains_key(key)
            && !is_table(property)
            && !matches!(default.as_str(), "{}" | "[]")
        {
            *text += &comment(&about(property));
            text.push_str(&format!("#{key} = {default}\n"));
        }
    }
}

/// What the recipe itself says of a key.
fn own_comments(text: &mut String, key: &toml_edit::Key) {
    let before = key.leaf_decor().prefix().and_then(|raw| raw.as_str());
    // Comments in front of the first key are about the recipe as a whole.
    for line in before.unwrap_or_default().lines().map(str::trim) {
        if line.starts_with('#') && key.get() != "name" {
            text.push_str(line);
            text.push('\n');
        }
    }
}

/// What a key means and may be.
fn about(property: &Value) -> String {
    let about = property.get("description").and_then(Value::as_str);
    let mut text = about
        .unwrap_or_default()
        .trim_end_matches('.')
        .replace("\n\n", " ");
    if property.get("enum").is_some() {
        text.push_str(&format!(" ({})", schema::word(property).replace('`', "")));
    }
    let range = schema::range(property);
    if !range.is_empty() {
        text.push_str(&format!(" ({range})"));
    }
    text
}

fn is_table(property: &Value) -> bool {
    let inner = property.get("items").unwrap_or(property);
    let variants = inner.get("anyOf").and_then(Value::as_array);
    let has_keys = |one: &Value| one.get("properties").is_some();
    has_keys(inner) || variants.is_some_and(|all| all.iter().any(has_keys))
}
