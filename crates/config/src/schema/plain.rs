//! A derived schema in the form that editors show best.

use serde_json::{Map, Value, json};

/// `schema` without `null`, with choices as lists of names, and with descriptions in plain words.
pub(super) fn plain(schema: Value) -> Value {
    match schema {
        Value::Object(table) => object(table),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        other => other,
    }
}

fn object(table: Map<String, Value>) -> Value {
    let mut plain_table = Map::new();
    for (key, value) in table {
        match (key.as_str(), value) {
            // Formats of numbers, such as `uint32`, are no formats of JSON Schema.
            ("format", _) | ("default", Value::Null) => {}
            ("description", Value::String(text)) => {
                plain_table.insert(key, Value::String(unlinked(&text)));
            }
            ("type", Value::Array(types)) => {
                let mut types: Vec<Value> =
                    types.into_iter().filter(|name| name != "null").collect();
                let one = if types.len() == 1 { types.pop() } else { None };
                plain_table.insert(key, one.unwrap_or(Value::Array(types)));
            }
            ("enum", Value::Array(values)) => {
                let values = values.into_iter().filter(|value| !value.is_null());
                plain_table.insert(key, values.collect());
            }
            ("default" | "const", value) => {
                plain_table.insert(key, value);
            }
            (_, value) => {
                plain_table.insert(key, plain(value));
            }
        }
    }
    choices(lifted(plain_table))
}

/// A choice between something and `null` is that thing.
fn lifted(mut table: Map<String, Value>) -> Map<String, Value> {
    for key in ["anyOf", "oneOf"] {
        let Some(Value::Array(options)) = table.remove(key) else {
            continue;
        };
        let nothing = |option: &Value| option.get("type") == Some(&json!("null"));
        let mut options: Vec<Value> = options.into_iter().filter(|o| !nothing(o)).collect();
        match (options.len(), options.pop()) {
            (1, Some(Value::Object(only))) => {
                for (name, value) in only {
                    table.entry(name).or_insert(value);
                }
            }
            (_, last) => {
                options.extend(last);
                // Without a required kind, a table may be any of several.
                table.insert("anyOf".to_owned(), Value::Array(options));
            }
        }
    }
    table
}

/// A choice between names is a list of them; what each says is shown where the editor can.
fn choices(mut table: Map<String, Value>) -> Value {
    let Some(options) = table.get("anyOf").and_then(Value::as_array) else {
        return Value::Object(table);
    };
    let mut names = Vec::new();
    let mut about = Vec::new();
    for option in options {
        match (
            option.get("const"),
            option.get("enum").and_then(Value::as_array),
        ) {
            (Some(name), _) => {
                names.push(name.clone());
                about.push(option.get("description").cloned().unwrap_or_default());
            }
            (None, Some(several)) => {
                names.extend(several.iter().cloned());
                about.extend(several.iter().map(|_| Value::Null));
            }
            (None, None) => return Value::Object(table),
        }
    }
    table.remove("anyOf");
    table.insert("type".to_owned(), json!("string"));
    table.insert("enum".to_owned(), Value::Array(names));
    if about.iter().any(Value::is_string) {
        table.insert(
            "x-taplo".to_owned(),
            json!({ "docs": { "enumValues": about } }),
        );
    }
    Value::Object(table)
}

/// Takes `required` out of all tables of a file but those in arrays, which are replaced as a whole.
pub(super) fn without_required(schema: &mut Value) {
    match schema {
        Value::Object(table) => {
            table.remove("required");
            for (key, inner) in table.iter_mut() {
                if key != "items" && key != "default" {
                    without_required(inner);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_required),
        _ => {}
    }
}

/// Text of a doc comment without its links, on one line a paragraph.
fn unlinked(text: &str) -> String {
    let paragraphs = text.split("\n\n").map(|lines| lines.replace('\n', " "));
    let mut rest = paragraphs.collect::<Vec<_>>().join("\n\n");
    let mut plain = String::new();
    while let Some(start) = rest.find("[`") {
        let Some(length) = rest[start..].find("`]") else {
            break;
        };
        let end = start + length;
        plain.push_str(&rest[..start]);
        plain.push_str(&rest[start + 1..=end]);
        let after = &rest[end + 2..];
        let target = after
            .strip_prefix('(')
            .and_then(|link| link.split_once(')'));
        rest = target.map_or(after, |(_, behind)| behind).to_owned();
    }
    plain + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_doc_comments_are_plain_words() {
        assert_eq!(
            unlinked("Settings of [`Prune`](crate::Prune), in [0, 1],\nand [`X`]."),
            "Settings of `Prune`, in [0, 1], and `X`."
        );
    }

    #[test]
    fn null_is_no_value_of_toml() {
        let optional =
            json!({ "anyOf": [{ "type": "object" }, { "type": "null" }], "default": null });
        assert_eq!(plain(optional), json!({ "type": "object" }));
        let number = json!({ "type": ["integer", "null"], "format": "uint32" });
        assert_eq!(plain(number), json!({ "type": "integer" }));
    }

    #[test]
    fn choices_are_lists_of_names() {
        let choice = json!({ "oneOf": [
            { "const": "a", "type": "string", "description": "First." },
            { "enum": ["b", "c"], "type": "string" },
        ] });
        let plain = plain(choice);
        assert_eq!(plain["enum"], json!(["a", "b", "c"]));
        assert_eq!(
            plain["x-taplo"]["docs"]["enumValues"],
            json!(["First.", null, null])
        );
    }
}
