//! Checking what a config means, after its types are right.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::decode::{Decoded, Fault, decode, written};
use super::error::{ConfigError, ConfigErrors};
use super::hint::{Hint, Hints, Wrong, no_hints};
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
    /// Arrays, by key, with the most elements that they may have. A longer one is refused by itself, before anything
    /// is made of the config: each of its elements costs a look at all others.
    const LONGEST: &'static [(&'static str, usize)] = &[];

    /// Reports every mistake in the values; reports nothing when there is none.
    ///
    /// Also called where some keys could not be read: they hold defaults or anything else then. What is reported at
    /// them is not told; a check that compares them with other keys asks [`Report::knows`] first.
    fn validate(&self, report: &mut Report<'_>);

    /// What was probably meant by the unknown key `key`, or by `value`, which the key `key` does not take; `None`
    /// leaves it to names that are spelled alike.
    fn hint(wrong: Wrong, key: &KeyPath, value: &Value) -> Option<Hint>
    where
        Self: Sized,
    {
        no_hints(wrong, key, value)
    }
}

/// The mistakes found so far, each placed at the line that set its key.
pub struct Report<'a> {
    locations: &'a Locations,
    hints: &'a Hints<'a>,
    inside: KeyPath,
    errors: Vec<ConfigError>,
    /// The keys of what was reported after types were right.
    told: Vec<KeyPath>,
    doubtful: BTreeSet<KeyPath>,
    renamed: BTreeMap<KeyPath, KeyPath>,
}

impl<'a> Report<'a> {
    pub(super) fn new(locations: &'a Locations, hints: &'a Hints<'a>) -> Self {
        Self {
            locations,
            hints,
            inside: KeyPath::root(),
            errors: Vec::new(),
            told: Vec::new(),
            doubtful: BTreeSet::new(),
            renamed: BTreeMap::new(),
        }
    }

    /// Takes over what was found while the table at `at` was decoded; gives the value.
    pub(super) fn take<T>(&mut self, at: &KeyPath, decoded: Decoded<T>) -> Option<T> {
        for Fault {
            key,
            message,
            suggestion,
        } in decoded.faults
        {
            self.push_at(at.join(&key), message, suggestion);
        }
        let doubtful = decoded.doubtful.iter().map(|key| at.join(key));
        self.doubtful.extend(doubtful);
        let renamed = decoded.renamed.iter();
        self.renamed
            .extend(renamed.map(|(meant, written)| (at.join(meant), at.join(written))));
        decoded.value
    }

    /// Whether `key` and all that is inside of it hold what the config says; if not, there was a mistake.
    pub fn knows(&self, key: &str) -> bool {
        let key = self.full(key);
        !self
            .doubtful
            .iter()
            .any(|doubt| key.is_within(doubt) || doubt.is_within(&key))
    }

    /// Whether `key` and all that is inside of it was read as the config says it, and nothing was reported there.
    pub fn is_sound(&self, key: &str) -> bool {
        let at = self.full(key);
        self.knows(key) && !self.told.iter().any(|told| told.is_within(&at))
    }

    /// Where the keys were set.
    pub fn locations(&self) -> &'a Locations {
        self.locations
    }

    /// Reports that `key` (such as `optimizer.rate` or `plugins[0].every`) is wrong, and says what is right.
    ///
    /// A key that was not set is placed at its table.
    pub fn error(&mut self, key: &str, message: impl Into<String>) {
        self.push(key, message.into(), None);
    }

    /// Reports `message` at `key`, with what to do about it.
    pub fn suggest(&mut self, key: &str, message: impl Into<String>, suggestion: Option<String>) {
        self.push(key, message.into(), suggestion);
    }

    /// Reports `message` at `key` unless `holds`.
    pub fn check(&mut self, holds: bool, key: &str, message: impl FnOnce() -> String) {
        if !holds {
            self.error(key, message());
        }
    }

    /// Reports that `given` at `key` is none of the `known` names; `what` is what they name, such as `plugin`.
    pub fn unknown_name(&mut self, key: &str, what: &str, given: &str, known: &[String]) {
        let advice = suggest::advice(given, known, '"');
        self.push(key, format!("there is no {what} \"{given}\""), advice);
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
    /// Every mistake in it is reported. Then the value has defaults in place of what was wrong, or there is none. The
    /// rules are those of [`load`](super::load).
    pub fn decode<T: DeserializeOwned + Serialize>(
        &mut self,
        key: &str,
        table: &toml::Table,
    ) -> Option<T> {
        let at = self.full(key);
        let hints = self.hints;
        let decoded = decode::<T>(&Value::Table(table.clone()), &|wrong, key, value| {
            hints(wrong, &at.join(key), value)
        });
        self.take(&at, decoded)
    }

    /// Adds mistakes that were found elsewhere, such as in another file.
    pub fn extend(&mut self, errors: impl IntoIterator<Item = ConfigError>) {
        self.errors.extend(errors);
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
        let locations = self.locations;
        let mut errors = self.into_errors();
        locations.sort(&mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors::new(errors))
        }
    }

    pub(super) fn into_errors(self) -> Vec<ConfigError> {
        self.errors
    }

    fn push_at(&mut self, key: KeyPath, message: String, suggestion: Option<String>) {
        let error = ConfigError {
            suggestion,
            ..self.locations.nearest(&key).error(&key, message)
        };
        self.errors.push(error);
    }

    fn push(&mut self, key: &str, message: String, suggestion: Option<String>) {
        let key = self.full(key);
        if self.follows(&key, &message) {
            return;
        }
        self.push_at(written(&self.renamed, &key), message, suggestion);
        self.told.push(key);
    }

    /// Whether what is said of `key` may come from a mistake that was reported before: at it, inside or around it, or
    /// at a key beside it, or in a table beside it, that the message names.
    fn follows(&self, key: &KeyPath, message: &str) -> bool {
        // By its path from the table that both stand in: `gate.frozen`, `proxy = "embeddings"`.
        let names = |other: &KeyPath| {
            let table = key.parent().unwrap_or_default();
            other != key
                && other.rebased(&table, &KeyPath::root()).is_some_and(|path| {
                    message.contains(&format!("`{path}`"))
                        || message.contains(&format!("`{path} ="))
                })
        };
        let around = |doubt: &KeyPath| key.is_within(doubt) || doubt.is_within(key);
        self.doubtful
            .iter()
            .any(|doubt| names(doubt) || around(doubt))
            || self.told.iter().any(names)
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
