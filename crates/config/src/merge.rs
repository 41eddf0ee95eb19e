//! Laying configs over one another, through the `config` crate.

use config::{Config, Source, ValueKind};
use toml::Value;

use super::error::ConfigError;
use super::key::{KeyPath, Segment};
use super::location::Locations;
use super::set::Setting;
use super::source::Layer;
use super::tree;

/// The key that says which of several sets of keys a table has.
const KIND: &str = "kind";

/// The key that names an element of an array.
const ID: &str = "id";

/// Layers laid over one another: the values, and where each was set last.
///
/// Tables are merged key by key; anything else, arrays included, is replaced as a whole. A table whose `kind` changes
/// starts afresh, because the keys of one kind mean nothing to another: it keeps no inherited key but `id`, and a note
/// says what was dropped.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    pub(super) value: Value,
    pub(super) locations: Locations,
    pub(super) notes: Vec<String>,
}

impl Merged {
    pub(super) fn new() -> Self {
        Self {
            value: Value::Table(toml::Table::new()),
            locations: Locations::default(),
            notes: Vec::new(),
        }
    }

    /// Lays a file over what is there.
    ///
    /// # Errors
    /// As [`deep_merge`].
    pub(super) fn add_layer(&mut self, layer: &Layer) -> Result<(), ConfigError> {
        self.locations.add_file(layer.name());
        self.start_afresh(&KeyPath::root(), layer.value(), layer.name());
        self.value = deep_merge(&self.value, layer.value())?;
        for (path, location) in layer.places() {
            if let Some(value) = tree::get(layer.value(), path) {
                self.locations.set(path, value, location);
            }
        }
        Ok(())
    }

    /// Lays a flag over what is there.
    ///
    /// # Errors
    /// A key that leads nowhere, and as [`deep_merge`].
    pub(super) fn add_setting(&mut self, setting: &Setting) -> Result<(), ConfigError> {
        let location = setting.location();
        self.locations.add_flag(&location.file);
        let path = setting.resolve(&self.value)?;
        self.start_afresh_along(&path, setting.value(), &location.file);
        let over = overlay(Some(&self.value), path.segments(), setting.value())?;
        self.value = deep_merge(&self.value, &over)?;
        self.locations.set_all(&path, setting.value(), &location);
        Ok(())
    }

    /// Empties the table around a flag's key when that key is a `kind`, and the tables inside of a flag's value.
    fn start_afresh_along(&mut self, path: &KeyPath, value: &Value, by: &str) {
        self.start_afresh(path, value, by);
        if let (Some(KIND), Some(parent)) = (path.name(), path.parent()) {
            let over = Value::Table([(KIND.to_owned(), value.clone())].into_iter().collect());
            self.start_afresh(&parent, &over, by);
        }
    }

    /// Drops the inherited keys of each table at or below `path` for which `over` names another `kind`.
    fn start_afresh(&mut self, path: &KeyPath, over: &Value, by: &str) {
        let (Some(Value::Table(base)), Value::Table(over)) = (tree::get(&self.value, path), over)
        else {
            return;
        };
        let kind = |table: &toml::Table| table.get(KIND).and_then(Value::as_str).map(str::to_owned);
        match (kind(base), kind(over)) {
            (Some(old), Some(new)) if old != new => {
                let dropped: Vec<KeyPath> = base
                    .keys()
                    .filter(|name| *name != ID && *name != KIND)
                    .map(|name| path.key(name))
                    .collect();
                for key in &dropped {
                    tree::remove(&mut self.value, key);
                    self.locations.forget(key);
                }
                if !dropped.is_empty() {
                    let names: Vec<String> = dropped.iter().map(|key| format!("`{key}`")).collect();
                    self.notes.push(format!(
                        "{by}: {path}: \"{new}\" takes the place of \"{old}\"; not inherited: {}",
                        names.join(", ")
                    ));
                }
            }
            _ => {
                for (name, value) in over {
                    self.start_afresh(&path.key(name), value, by);
                }
            }
        }
    }
}

/// What must be laid over `base` so that `value` stands at `path`.
fn overlay(base: Option<&Value>, path: &[Segment], value: &Value) -> Result<Value, ConfigError> {
    let Some((first, rest)) = path.split_first() else {
        return Ok(value.clone());
    };
    match (first, base) {
        (Segment::Key(name), _) => {
            let inner = overlay(base.and_then(|table| table.get(name)), rest, value)?;
            Ok(Value::Table([(name.clone(), inner)].into_iter().collect()))
        }
        // An array is replaced as a whole: by itself, with one element changed.
        (Segment::Index(index), Some(Value::Array(array))) => {
            let mut array = array.clone();
            if let Some(element) = array.get_mut(*index) {
                *element = deep_merge(element, &overlay(Some(element), rest, value)?)?;
            }
            Ok(Value::Array(array))
        }
        (Segment::Index(_), _) => Ok(Value::Array(Vec::new())),
    }
}

/// `over` laid over `base`: tables key by key, anything else replaced.
///
/// # Errors
/// A value that the `config` crate cannot carry; none comes out of TOML.
fn deep_merge(base: &Value, over: &Value) -> Result<Value, ConfigError> {
    let (Value::Table(whole), Value::Table(changed)) = (base, over) else {
        return merge_all(base, over);
    };
    // What stays as it is need not be carried over and back.
    let part: toml::Table = whole
        .iter()
        .filter(|(key, _)| changed.contains_key(*key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let mut all = whole.clone();
    if let Value::Table(part) = merge_all(&Value::Table(part), over)? {
        all.extend(part);
    }
    Ok(Value::Table(all))
}

/// As [`deep_merge`].
fn merge_all(base: &Value, over: &Value) -> Result<Value, ConfigError> {
    let merged = Config::builder()
        .add_source(Rooted(to_config(base)))
        .add_source(Rooted(to_config(over)))
        .build()
        .map_err(|error| ConfigError::of_file("config", error.to_string()))?;
    match merged.cache.kind {
        ValueKind::Table(mut table) => table
            .remove(ROOT)
            .map_or_else(|| Ok(base.clone()), from_config),
        _ => Ok(base.clone()),
    }
}

/// The `config` crate splits top-level keys at dots; below this one, keys stay whole.
const ROOT: &str = "root";

#[derive(Debug, Clone)]
struct Rooted(config::Value);

impl Source for Rooted {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<config::Map<String, config::Value>, config::ConfigError> {
        Ok([(ROOT.to_owned(), self.0.clone())].into_iter().collect())
    }
}

fn to_config(value: &Value) -> config::Value {
    let kind = match value {
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Integer(number) => ValueKind::I64(*number),
        Value::Float(number) => ValueKind::Float(*number),
        Value::Boolean(flag) => ValueKind::Boolean(*flag),
        Value::Datetime(date) => ValueKind::String(date.to_string()),
        Value::Array(array) => ValueKind::Array(array.iter().map(to_config).collect()),
        Value::Table(table) => ValueKind::Table(
            table
                .iter()
                .map(|(name, value)| (name.clone(), to_config(value)))
                .collect(),
        ),
    };
    config::Value::new(None, kind)
}

fn from_config(value: config::Value) -> Result<Value, ConfigError> {
    Ok(match value.kind {
        ValueKind::String(text) => Value::String(text),
        ValueKind::I64(number) => Value::Integer(number),
        ValueKind::Float(number) => Value::Float(number),
        ValueKind::Boolean(flag) => Value::Boolean(flag),
        ValueKind::Array(array) => Value::Array(
            array
                .into_iter()
                .map(from_config)
                .collect::<Result<_, _>>()?,
        ),
        ValueKind::Table(table) => Value::Table(
            table
                .into_iter()
                .map(|(name, value)| Ok((name, from_config(value)?)))
                .collect::<Result<_, ConfigError>>()?,
        ),
        other => {
            return Err(ConfigError::of_file(
                "config",
                format!("cannot be merged: {other}"),
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Result<Value, toml::de::Error> {
        toml::from_str::<toml::Table>(text).map(Value::Table)
    }

    #[test]
    fn tables_are_merged_and_the_rest_is_replaced() -> Result<(), Box<dyn std::error::Error>> {
        let base = table("a = 1\nb = [1, 2, 3]\n\"x.y\" = 1\n[c]\nd = 1\ne = 2\n[f]\ng = 1")?;
        let over = table("b = [9]\nf = 7\n\"x.y\" = 2\n\"x[0]\" = 3\n[c]\ne = 3\n[h]")?;
        let expected =
            table("a = 1\nb = [9]\nf = 7\n\"x.y\" = 2\n\"x[0]\" = 3\n[c]\nd = 1\ne = 3\n[h]")?;
        assert_eq!(deep_merge(&base, &over)?, expected);
        Ok(())
    }

    #[test]
    fn numbers_keep_their_type() -> Result<(), Box<dyn std::error::Error>> {
        let base = table("a = 1.0\nb = 1\nc = true\nd = 9223372036854775807\ne = inf\nf = \"1\"")?;
        assert_eq!(deep_merge(&base, &table("")?)?, base);
        assert_eq!(deep_merge(&table("")?, &base)?, base);
        Ok(())
    }
}
