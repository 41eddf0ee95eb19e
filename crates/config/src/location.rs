//! Which line of which file, or which flag, said what.

use std::collections::BTreeMap;

use toml::Value;

use super::error::ConfigError;
use super::hint::no_hints;
use super::key::KeyPath;
use super::report::Report;
use super::tree;

/// A place in a config file, or a flag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The file as it was named, or the whole flag.
    pub file: String,
    /// The line, counted from 1; `None` for a flag.
    pub line: Option<u32>,
    /// The column in characters, counted from 1; `None` for a flag.
    pub column: Option<u32>,
}

impl Location {
    pub(super) fn error(&self, key: &KeyPath, message: impl Into<String>) -> ConfigError {
        ConfigError {
            file: self.file.clone(),
            line: self.line,
            column: self.column,
            key: key.to_string(),
            message: message.into(),
            suggestion: None,
        }
    }
}

/// Where each key of a merged config was set: the last layer that set it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Locations {
    places: BTreeMap<KeyPath, Location>,
    /// Files and flags, from the first read to the last.
    sources: Vec<String>,
    /// The config that was asked for: what is missing from the root is missing there.
    main: String,
}

impl Locations {
    /// Where `key` was set; `None` for a default.
    pub fn get(&self, key: &KeyPath) -> Option<&Location> {
        self.places.get(key)
    }

    /// Where `key` was set, or else the table that it would stand in, or else the file as a whole.
    pub fn nearest(&self, key: &KeyPath) -> Location {
        let mut at = Some(key.clone());
        while let Some(path) = at {
            if let Some(location) = self.places.get(&path) {
                return location.clone();
            }
            at = path.parent();
        }
        Location {
            file: self.main.clone(),
            line: None,
            column: None,
        }
    }

    /// An empty report of mistakes at these places, for checks that come after loading, such as building plugins.
    pub fn report(&self) -> Report<'_> {
        Report::new(self, &no_hints)
    }

    /// Registers the next file.
    pub(super) fn add_file(&mut self, name: &str) {
        self.sources.push(name.to_owned());
        self.main = name.to_owned();
    }

    /// Registers the next flag.
    pub(super) fn add_flag(&mut self, name: &str) {
        self.sources.push(name.to_owned());
    }

    /// Notes that a layer set `path` to `value` at `location`.
    ///
    /// A table is merged into what was there; anything else takes the place of all that was there.
    pub(super) fn set(&mut self, path: &KeyPath, value: &Value, location: &Location) {
        if !value.is_table() {
            self.forget(path);
        }
        self.places.insert(path.clone(), location.clone());
    }

    /// Notes that a flag set `path` and all that is inside of `value`, making the tables above it where needed.
    pub(super) fn set_all(&mut self, path: &KeyPath, value: &Value, location: &Location) {
        self.set(path, value, location);
        for (below, inner) in tree::children(path, value) {
            self.set_all(&below, inner, location);
        }
        let mut above = path.parent();
        while let Some(table) = above.filter(|table| !table.is_root()) {
            self.places
                .entry(table.clone())
                .or_insert_with(|| location.clone());
            above = table.parent();
        }
    }

    /// Drops `path` and all below it.
    pub(super) fn forget(&mut self, path: &KeyPath) {
        // Keys within a path follow it without a gap.
        let from = self.places.range(path.clone()..).map(|(key, _)| key);
        let gone: Vec<KeyPath> = from
            .take_while(|key| key.is_within(path))
            .cloned()
            .collect();
        gone.iter().for_each(|key| drop(self.places.remove(key)));
    }

    /// Sorts mistakes by file (a base before what extends it, flags last), line, column and key.
    pub(super) fn sort(&self, errors: &mut [ConfigError]) {
        let rank = |error: &ConfigError| self.sources.iter().position(|name| *name == error.file);
        errors.sort_by_cached_key(|e| (rank(e), e.line, e.column, e.key.clone()));
    }
}
