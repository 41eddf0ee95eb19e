//! From layers to a typed config.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::decode::{MOST, decode};
use super::error::{ConfigError, ConfigErrors};
use super::extends::read_layers;
use super::key::KeyPath;
use super::location::Locations;
use super::merge::Merged;
use super::report::{Report, Validate};
use super::resolved;
use super::set::Setting;
use super::source::{EXTENDS, Layer};
use super::tree;

/// A config without a mistake.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded<T> {
    /// The typed config.
    pub value: T,
    /// The config as TOML with every key, defaults too, sorted; it runs as it is and extends nothing. Equal configs
    /// have equal bytes, however many files and flags they came from.
    pub resolved: String,
    /// The SHA-256 of `resolved`: 64 hex digits.
    pub digest: String,
    /// Where each key was set.
    pub locations: Locations,
    /// What the user should know and need not change: inherited keys that a change of `kind` dropped.
    pub notes: Vec<String>,
}

impl<T> Loaded<T> {
    /// The first 8 hex digits of the digest, as in the name of a run's directory.
    pub fn short_digest(&self) -> &str {
        &self.digest[..8]
    }
}

/// Loads the config at `path`, what it extends, and the flags `sets` (what follows `--set`) over them.
///
/// # Errors
/// Every mistake in the files that are not TOML and in the flags; if there is none, as [`load`].
pub fn load_file<T>(path: &Path, sets: &[String]) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    load_file_with(path, sets, |_, _| {})
}

/// Loads as [`load_file`] does, and hands the typed config to `also` for checks that need more than
/// the config itself, such as a list of names; its mistakes are told in the same round.
///
/// # Errors
/// As [`load_file`], and what `also` reports.
pub fn load_file_with<T>(
    path: &Path,
    sets: &[String],
    also: impl FnOnce(&T, &mut Report<'_>),
) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    let (layers, settings) = both(read_layers(path), settings(sets))?;
    load_with(layers, &settings, also)
}

/// Loads the config at `path`, which is whole, as the one that a run keeps of itself is; otherwise as
/// [`load_file_with`].
///
/// # Errors
/// As [`load_file_with`], and an `extends`: what a run does must not hang on files elsewhere.
pub fn load_whole_with<T>(
    path: &Path,
    sets: &[String],
    also: impl FnOnce(&T, &mut Report<'_>),
) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    let layers = Layer::read(path).map(|layer| vec![layer]);
    let (layers, settings) = both(layers, settings(sets))?;
    load_with(layers, &settings, also)
}

/// Loads one text, named `name` in messages, and the flags `sets` over it; the text cannot extend a file.
///
/// # Errors
/// As [`load_file`].
pub fn load_text<T>(name: &str, text: &str, sets: &[String]) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    let layers = Layer::parse(name, text).map(|layer| vec![layer]);
    both(layers, settings(sets)).and_then(|(layers, settings)| load(layers, &settings))
}

fn settings(sets: &[String]) -> Result<Vec<Setting>, ConfigErrors> {
    collect(sets.iter().map(|text| Setting::parse(text)))
}

/// All values, or all errors.
fn collect<V>(
    results: impl Iterator<Item = Result<V, ConfigError>>,
) -> Result<Vec<V>, ConfigErrors> {
    let (mut values, mut errors) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        Ok(values)
    } else {
        Err(ConfigErrors::new(errors))
    }
}

fn both<A, B>(
    a: Result<A, ConfigErrors>,
    b: Result<B, ConfigErrors>,
) -> Result<(A, B), ConfigErrors> {
    match (a, b) {
        (Ok(a), Ok(b)) => Ok((a, b)),
        (Err(a), Err(b)) => Err(ConfigErrors::new(a.into_iter().chain(b).collect())),
        (Err(errors), Ok(_)) | (Ok(_), Err(errors)) => Err(errors),
    }
}

/// Makes a typed config of `layers`, each laid over those before it, and `settings` over all.
///
/// # Errors
/// Every mistake, by file (bases first, flags last) and line, 50 at most and a word that there may be more: flags that lead nowhere, unknown keys,
/// values of a wrong type, keys that are missing, and what [`Validate`] says about the values that could be read.
pub fn load<T>(layers: Vec<Layer>, settings: &[Setting]) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    load_with(layers, settings, |_, _| {})
}

fn load_with<T>(
    layers: Vec<Layer>,
    settings: &[Setting],
    also: impl FnOnce(&T, &mut Report<'_>),
) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    load_over(Files::of(layers)?, settings, also)
}

/// A config and what it extends, read once to be loaded with many flags.
#[derive(Debug, Clone)]
pub struct Files {
    merged: Merged,
    errors: Vec<ConfigError>,
}

impl Files {
    /// Reads the config at `path` and what it extends.
    ///
    /// # Errors
    /// Every mistake in the files that are not TOML.
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        Self::of(read_layers(path)?)
    }

    fn of(layers: Vec<Layer>) -> Result<Self, ConfigErrors> {
        let mut merged = Merged::new();
        let mut errors = Vec::new();
        for mut layer in layers {
            if let Some((_, location)) = layer.take_extends() {
                let message = "this config is whole and extends no other; the one that a run keeps of itself never does";
                errors.push(location.error(&KeyPath::root().key(EXTENDS), message));
            }
            merged.add_layer(&layer)?;
        }
        Ok(Self { merged, errors })
    }

    /// Loads the config with the flags `sets` over it, as [`load_file_with`] does.
    ///
    /// # Errors
    /// As [`load_file_with`].
    pub fn load_with<T>(
        &self,
        sets: &[String],
        also: impl FnOnce(&T, &mut Report<'_>),
    ) -> Result<Loaded<T>, ConfigErrors>
    where
        T: DeserializeOwned + Serialize + Validate,
    {
        load_over(self.clone(), &settings(sets)?, also)
    }
}

fn load_over<T>(
    files: Files,
    settings: &[Setting],
    also: impl FnOnce(&T, &mut Report<'_>),
) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize + Validate,
{
    let Files {
        mut merged,
        mut errors,
    } = files;
    // A change of `kind` empties its table, so it comes before the flags that fill the table again.
    let (kinds, others): (Vec<&Setting>, Vec<&Setting>) = settings
        .iter()
        .partition(|setting| setting.key().name() == Some("kind"));
    for setting in kinds.into_iter().chain(others) {
        errors.extend(merged.add_setting(setting).err());
    }
    let Merged {
        value: tree,
        locations,
        notes,
    } = merged;

    let long = too_long(T::LONGEST, &tree, &locations);
    if !long.is_empty() {
        errors.extend(long);
        return Err(ConfigErrors::new(errors));
    }
    let mut report = Report::new(&locations, &T::hint);
    let value = report.take(&KeyPath::root(), decode::<T>(&tree, &T::hint));
    if let Some(value) = &value {
        value.validate(&mut report);
        also(value, &mut report);
    }
    errors.extend(report.into_errors());
    match value {
        Some(value) if errors.is_empty() => finish(value, locations, notes),
        _ => {
            locations.sort(&mut errors);
            if errors.len() >= MOST {
                errors.truncate(MOST);
                let main = locations.nearest(&KeyPath::root());
                let message = format!(
                    "these are the first {MOST} mistakes; put them right to see whether there are more"
                );
                errors.push(main.error(&KeyPath::root(), message));
            }
            Err(ConfigErrors::new(errors))
        }
    }
}

/// An error for each array of `tree` that has more elements than it may have.
fn too_long(longest: &[(&str, usize)], tree: &Value, locations: &Locations) -> Vec<ConfigError> {
    let long = longest.iter().filter_map(|(name, most)| {
        let key: KeyPath = name.parse().ok()?;
        let length = tree::get(tree, &key)?.as_array()?.len();
        let message = format!("{length} of them; at most {most} are read");
        let place = locations.nearest(&key.index(*most));
        (length > *most).then(|| place.error(&key, message))
    });
    long.collect()
}

/// Writes the resolved text and makes sure that it is one: that it reads back to itself.
fn finish<T>(value: T, locations: Locations, notes: Vec<String>) -> Result<Loaded<T>, ConfigErrors>
where
    T: DeserializeOwned + Serialize,
{
    let fail = |what: String| {
        let main = locations.nearest(&KeyPath::root());
        ConfigErrors::from(main.error(&KeyPath::root(), format!("the resolved config {what}")))
    };
    let text =
        resolved::text(&value).map_err(|why| fail(format!("cannot be written as TOML: {why}")))?;
    let again: toml::Table =
        toml::from_str(&text).map_err(|why| fail(format!("is not valid TOML: {why}")))?;
    let again = T::deserialize(Value::Table(again))
        .map_err(|why| fail(format!("cannot be read back: {}", why.message())))?;
    if resolved::text(&again).ok().as_deref() != Some(text.as_str()) {
        return Err(fail(
            "changes when it is read back; its types must read what they write".to_owned(),
        ));
    }
    let digest = resolved::digest(&text);
    Ok(Loaded {
        value,
        resolved: text,
        digest,
        locations,
        notes,
    })
}
