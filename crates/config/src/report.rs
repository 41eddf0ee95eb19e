//! Checking what a config means, after its types are right.

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::decode::{Fault, decode};
use super::error::{ConfigError, ConfigErrors};
use super::key::KeyPath;
use super::location::Locations;
use super::suggest;

/// A config that can say what is wrong with its values: ranges, and keys that contradict each other.
///
/// # Examples
/// ```
/// use afterimage_config::{Report, Validate};
/// struct Optimizer { rate: f64 }
/// impl Validate for Optimizer {
///     fn validate(&self, report: &mut Report<'_>) {
///         report.check(self.rate > 0.0, "rate", || format!("must be above 0; got {}", self.rate));
///     }
/// }
/// ```
pub trait Validate {
    /// Reports every mistake in the values; reports nothing when there is none.
    fn validate(&self, report: &mut Report<'_>);
}

/// The mistakes found so far, each placed at the line that set its key.
#[derive(Debug)]
pub struct Report<'a> {
    locations: &'a Locations,
    inside: KeyPath,
    errors: Vec<(KeyPath, ConfigError)>,
}

impl<'a> Report<'a> {
    pub(super) fn new(locations: &'a Locations) -> Self {
        Self {
            locations,
            inside: KeyPath::root(),
            errors: Vec::new(),
        }
    }

    /// Reports that `key` (such as `optimizer.rate` or `plugins[0].every`) is wrong, and says what is right.
    ///
    /// A key that was not set is placed at its table.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        self.push(key, message.into(), None);
    }

    /// Reports `message` at `key` unless `holds`.
    pub fn check(&mut self, holds: bool, key: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.error(key, message());
        }
    }

    /// Reports that `given` at `key` is none of the `known` names; `what` is what they name, such as `plugin`.
    pub fn unknown_name(&mut self, key: &str, what: &str, given: &str, known: &[String]) {
        self.push(
            key,
            format!("there is no {what} \"{given}\""),
            suggest::advice(given, known, '"'),
        );
    }

    /// Validates `part`, whose keys stand inside the table at `key`.
    pub fn part(&mut self, key: &str, part: &impl Validate) {
        self.within(key, |report| part.validate(report));
    }

    /// Runs `checks` with keys that stand inside the table at `key`.
    pub fn within(&mut self, key: &str, checks: impl FnOnce(&mut Self)) {
        let outside = self.inside.clone();
        self.inside = self.full(key);
        checks(self);
        self.inside = outside;
    }

    /// Makes a typed value of the table at `key`, for parts whose type depends on a name, such as a plugin's keys.
    ///
    /// Every mistake in it is reported; `None` then. The rules are those of [`load`](super::load).
    pub fn decode<T: DeserializeOwned + Serialize>(
        &mut self,
        key: &str,
        table: &toml::Table,
    ) -> Option<T> {
        let decoded = decode::<T>(&Value::Table(table.clone()));
        let at = self.full(key);
        let sound = decoded.faults.is_empty();
        for Fault {
            key,
            message,
            suggestion,
        } in decoded.faults
        {
            self.push_at(at.join(&key), message, suggestion);
        }
        decoded.value.filter(|_| sound)
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The outcome of all checks.
    ///
    /// # Errors
    /// All that was reported, by file and line.
    pub fn finish(self) -> Result<(), ConfigErrors> {
        let mut errors: Vec<ConfigError> =
            self.errors.into_iter().map(|(_, error)| error).collect();
        self.locations.sort(&mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors::new(errors))
        }
    }

    /// The mistakes at keys that are neither at, nor inside, nor around one of `known`.
    pub(super) fn apart_from(self, known: &[KeyPath]) -> impl Iterator<Item = ConfigError> {
        self.errors
            .into_iter()
            .filter(|(key, _)| {
                !known
                    .iter()
                    .any(|other| key.is_within(other) || other.is_within(key))
            })
            .map(|(_, error)| error)
    }

    pub(super) fn push_at(&mut self, key: KeyPath, message: String, suggestion: Option<String>) {
        let error = ConfigError {
            suggestion,
            ..self.locations.nearest(&key).error(&key, message)
        };
        self.errors.push((key, error));
    }

    fn push(&mut self, key: &str, message: String, suggestion: Option<String>) {
        self.push_at(self.full(key), message, suggestion);
    }

    /// `key` from the root; the empty key is the table that the checks are in.
    fn full(&self, key: &str) -> KeyPath {
        if key.is_empty() {
            return self.inside.clone();
        }
        key.parse()
            .map_or_else(|_| self.inside.key(key), |path| self.inside.join(&path))
    }
}
