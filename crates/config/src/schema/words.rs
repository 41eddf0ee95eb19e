//! Tables of keys for people: key, type, default, range and meaning.

use serde_json::Value;

/// A table of the keys of `schema` in Markdown, those of `order` first; tables inside of it by dotted keys.
pub fn table(schema: &Value, order: &[String]) -> String {
    let mut text = "| key | type | default | range | meaning |\n|---|---|---|---|---|\n".to_owned();
    rows(schema, "", order, &mut text);
    text
}

fn rows(schema: &Value, prefix: &str, order: &[String], text: &mut String) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let rank = |name: &String| order.iter().position(|known| known == name);
    let mut names: Vec<&String> = properties.keys().collect();
    names.sort_by_key(|name| (rank(name).is_none(), rank(name), *name));
    let required = schema.get("required").and_then(Value::as_array);
    for name in names {
        let property = &properties[name];
        if property.get("const").is_some() {
            continue;
        }
        let is_required = required.is_some_and(|names| names.iter().any(|one| one == name));
        let key = format!("{prefix}{name}");
        let default = match property.get("default") {
            Some(value) => format!("`{}`", toml_text(value)),
            None if is_required => "required".to_owned(),
            None => String::new(),
        };
        let about = property.get("description").and_then(Value::as_str);
        text.push_str(&format!(
            "| `{key}` | {} | {default} | {} | {} |\n",
            word(property),
            range(property),
            cell(about.unwrap_or_default())
        ));
        if property.get("properties").is_some() {
            rows(property, &format!("{key}."), &[], text);
        }
        let variants = property.get("anyOf").and_then(Value::as_array);
        for variant in variants.into_iter().flatten() {
            rows(variant, &format!("{key}."), &[], text);
        }
    }
}

/// `text` as it stands in a cell of a table.
pub fn cell(text: &str) -> String {
    let text = text.replace("\n\n", " ").replace('\n', " ");
    text.trim().trim_end_matches('.').replace('|', "\\|")
}

/// What a value may be, in words.
pub fn word(schema: &Value) -> String {
    if let Some(words) = schema.get("x-words").and_then(Value::as_str) {
        return words.to_owned();
    }
    let list = |key: &str| schema.get(key).and_then(Value::as_array);
    if let Some(names) = list("enum") {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        return names.join(", ");
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(options) = list("anyOf") {
        let mut words: Vec<String> = options.iter().map(word).collect();
        words.dedup();
        return words.join(" or ");
    }
    let count = |key: &str| schema.get(key).and_then(Value::as_u64);
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => "text".to_owned(),
        Some("integer") => "whole number".to_owned(),
        Some("number") => "number".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("object") => "table".to_owned(),
        Some("array") => {
            let items = schema.get("items").map(word).unwrap_or_default();
            match (count("minItems"), count("maxItems")) {
                (Some(least), Some(most)) if least == most => format!("array of {least}: {items}"),
                _ => format!("array: {items}"),
            }
        }
        _ => "any".to_owned(),
    }
}

/// The range of a number, in words; empty where there is none.
pub fn range(schema: &Value) -> String {
    let bound = |key: &str| schema.get(key).map(toml_text);
    let low = bound("minimum").map(|low| format!("at least {low}"));
    let low = low.or(bound("exclusiveMinimum").map(|low| format!("above {low}")));
    let high = bound("maximum").map(|high| format!("at most {high}"));
    let high = high.or(bound("exclusiveMaximum").map(|high| format!("below {high}")));
    let both = [low, high].into_iter().flatten().collect::<Vec<_>>();
    match schema.get("items") {
        Some(items) if both.is_empty() => range(items),
        _ => both.join(", "),
    }
}

/// `value` as TOML writes it to the right of `=`.
pub fn toml_text(value: &Value) -> String {
    match value {
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let pairs: Vec<String> = table
                .iter()
                .map(|(key, value)| format!("{key} = {}", toml_text(value)))
                .collect();
            format!("{{ {} }}", pairs.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(toml_text).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}
