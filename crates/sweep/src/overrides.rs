//! Keys of the experiment that a sweep sets, and how they are written.

use afterimage_config::{KeyPath, Setting};
use toml::{Table, Value};

/// A key of the experiment's config, the value that a trial has there, and where the sweep says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Override {
    /// The key, as in `schedule.peak`.
    pub key: String,
    /// Its value.
    pub value: Value,
    /// Where the sweep file says so.
    pub place: KeyPath,
}

impl Override {
    /// As it follows `--set`.
    pub fn setting(&self) -> String {
        format!("{}={}", self.key, self.value)
    }

    /// Whether a flag can carry it; if not, why not.
    pub(crate) fn parsed(&self) -> Result<(), String> {
        match Setting::parse(&self.setting()) {
            Ok(_) => Ok(()),
            Err(error) => Err(error.message),
        }
    }
}

/// A key and the values that a grid gives it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    pub(crate) key: String,
    pub(crate) place: KeyPath,
    /// Empty where the grid has no array for the key.
    pub(crate) values: Vec<Override>,
}

/// The keys and values of a `set` table that stands at `at`, in order of their names. Nested tables
/// are walked: `"a.b" = 1`, `a.b = 1` and `a = { b = 1 }` are one.
pub(crate) fn leaves(set: &Table, at: &str) -> Vec<Override> {
    let mut found = Vec::new();
    walk(set, &root(at), "", &|_| false, &mut |key, place, value| {
        found.push(Override {
            key,
            value: value.clone(),
            place,
        });
    });
    found
}

/// The axes of the grid that stands at `at`.
pub(crate) fn grid(table: &Table, at: &str) -> Vec<Axis> {
    let mut axes = Vec::new();
    walk(
        table,
        &root(at),
        "",
        &|_| false,
        &mut |key, place, value| {
            let values = value.as_array().map_or(&[][..], Vec::as_slice);
            let values = values.iter().enumerate().map(|(index, value)| Override {
                key: key.clone(),
                value: value.clone(),
                place: place.index(index),
            });
            let values = values.collect();
            axes.push(Axis { key, place, values });
        },
    );
    axes
}

/// Calls `visit` with key, place and value of each leaf of `table`; tables for which `is_leaf` holds
/// are leaves, too, and so are empty ones.
pub(crate) fn walk(
    table: &Table,
    place: &KeyPath,
    prefix: &str,
    is_leaf: &dyn Fn(&Table) -> bool,
    visit: &mut dyn FnMut(String, KeyPath, &Value),
) {
    for (name, value) in table {
        let place = place.key(name);
        // A quoted name with dots is a whole key; one that needs quotes in it brings its own.
        let key = if prefix.is_empty() {
            name.clone()
        } else {
            format!("{prefix}.{name}")
        };
        match value {
            Value::Table(inner) if !inner.is_empty() && !is_leaf(inner) => {
                walk(inner, &place, &key, is_leaf, visit);
            }
            value => visit(key, place, value),
        }
    }
}

pub(crate) fn root(at: &str) -> KeyPath {
    at.parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_ways_to_write_a_key_are_one() -> Result<(), toml::de::Error> {
        let texts = ["\"a.b\" = 1", "a.b = 1", "a = { b = 1 }"];
        for text in texts {
            let found = leaves(&toml::from_str(text)?, "arms[0].set");
            let settings: Vec<String> = found.iter().map(Override::setting).collect();
            assert_eq!(settings, ["a.b=1"], "{text}");
            assert!(found[0].place.to_string().starts_with("arms[0].set."));
        }
        Ok(())
    }

    #[test]
    fn texts_keep_their_quotes() -> Result<(), toml::de::Error> {
        let found = leaves(
            &toml::from_str("a = \"1\"\nb = [\"x y\", 2]\nc = 1e-7")?,
            "set",
        );
        let settings: Vec<String> = found.iter().map(Override::setting).collect();
        assert_eq!(settings[0], "a=\"1\"");
        assert!(found.iter().all(|one| one.parsed().is_ok()), "{settings:?}");
        Ok(())
    }

    #[test]
    fn a_grid_without_an_array_has_no_values() -> Result<(), toml::de::Error> {
        let axes = grid(&toml::from_str("\"a.b\" = 1\nc = [1, 2]")?, "grid");
        assert_eq!((axes[0].values.len(), axes[1].values.len()), (0, 2));
        assert_eq!(axes[1].values[1].place.to_string(), "grid.c[1]");
        Ok(())
    }
}
