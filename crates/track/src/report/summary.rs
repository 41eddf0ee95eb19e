//! What was run, on what, and what a reader asks first of it.

use afterimage_report::{Section, Table, short};
use maud::html;
use serde_json::Value;

use super::load::Run;

/// Settings that tell one run from another, by table and key.
const SETTINGS: [(&str, &str, &str); 8] = [
    ("objective", "objective", "kind"),
    ("encoder", "encoder", "kind"),
    ("width", "encoder", "width"),
    ("data", "data", "kind"),
    ("epochs", "", "epochs"),
    ("images in a batch", "", "batch_size"),
    ("seed", "", "seed"),
    ("starts from", "fine_tune", "from"),
];

/// The settings that matter most, the last loss and evaluations.
pub fn summary(run: &Run) -> Section {
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (name, group, key) in SETTINGS {
        if let Some(value) = setting(&run.settings, group, key) {
            rows.push(vec![name.to_owned(), value]);
        }
    }
    for key in ["outcome", "device", "plugins"] {
        rows.extend(entry(run, key).map(|text| vec![key.to_owned(), text]));
    }
    for scalar in &run.scalars {
        let measured = scalar.tag.starts_with("eval/") || scalar.tag == "loss/train";
        if let (true, Some(epoch)) = (measured, scalar.epochs.last()) {
            let mut text = short(scalar.last());
            // Numbers beside each other say of when they are.
            if run.is_training() {
                text += &format!(", epoch {epoch}");
            }
            if let Some(first) = scalar.first().filter(|_| *epoch > 0) {
                text += &format!("; {} {}", run.start(), short(first));
            }
            rows.push(vec![scalar.tag.clone(), text]);
        }
    }
    let section = Section::new("What was run");
    match rows.is_empty() {
        true => section,
        false => section.content(plain(rows)),
    }
}

/// A table without a header.
fn plain(rows: Vec<Vec<String>>) -> Table {
    Table::new(&[""; 0]).rows(rows)
}

/// The value of `key` in the table `group` of a run's config, or outside of tables.
fn setting(config: &toml::Table, group: &str, key: &str) -> Option<String> {
    let table = match group {
        "" => config,
        group => config.get(group)?.as_table()?,
    };
    match table.get(key)? {
        toml::Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// A simple entry of the manifest as text.
fn entry(run: &Run, key: &str) -> Option<String> {
    match run.manifest.as_ref()?.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Array(items) => {
            let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            words.map(|words| words.join(", "))
        }
        Value::Null | Value::Object(_) => None,
    }
}

/// The config and what else says where the run came from, digests among it.
pub fn configuration(run: &Run) -> Section {
    let mut rows = Vec::new();
    if let Some(Value::Object(manifest)) = &run.manifest {
        for key in manifest.keys() {
            if let Some(text) = entry(run, key) {
                rows.push(vec![key.clone(), text.replace('+', " + ")]);
            }
        }
    }
    let mut section = Section::new("Configuration").folded();
    if !rows.is_empty() {
        section = section.content(plain(rows));
    }
    if let Some(config) = &run.config {
        section = section.content(html! { p { "config.toml" } pre { (config) } });
    }
    section
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_found_in_its_own_table() {
        let config =
            "seed = 3\n\n[data]\nkind = \"embedded\"\n[fine_tune]\nfrom = 'C:\\runs \"a\"'\n";
        let config: toml::Table = toml::from_str(config).unwrap_or_default();
        let from = setting(&config, "fine_tune", "from");
        assert_eq!(from.as_deref(), Some("C:\\runs \"a\""));
        assert_eq!(setting(&config, "", "seed").as_deref(), Some("3"));
        assert_eq!(setting(&config, "data", "width"), None);
    }
}
