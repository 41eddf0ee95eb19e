//! `--set a.b=value`.

use toml::Value;

use super::error::ConfigError;
use super::key::{KeyPath, Segment};
use super::location::Location;
use super::source::{EXTENDS, parse_value};
use super::suggest;

/// A key set on the command line.
///
/// The value is TOML; a bare word, a path or words with spaces need no quotes: `--set plugins.unitmem.every="2 epochs"`.
/// An element of an array of tables is named by its position (`plugins[0].every`), or by its `id`, or by its `kind`
/// when it has no `id` (`plugins.unitmem.every`).
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    flag: String,
    key: KeyPath,
    value: Value,
}

impl Setting {
    /// Parses what follows `--set`.
    ///
    /// # Errors
    /// No `=`, a key that is none, no value, or a value that starts like TOML and is not.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let flag = format!("--set {text}");
        let error = |message: String| ConfigError::of_file(&flag, message);
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| error("write it as key=value".to_owned()))?;
        let key: KeyPath = key
            .trim()
            .parse()
            .map_err(|e: super::key::KeyPathError| error(e.to_string()))?;
        if key.segments().first() == Some(&Segment::Key(EXTENDS.to_owned())) {
            return Err(error("a base can only be named in a file".to_owned()));
        }
        let value = value.trim();
        if value.is_empty() {
            return Err(error(format!(
                "no value; an empty text is written {key}='\"\"'"
            )));
        }
        let value = match parse_value(value) {
            Some(value) => value,
            None if is_bare(value) => Value::String(value.to_owned()),
            None => return Err(error(format!("`{value}` is not valid TOML"))),
        };
        Ok(Self { flag, key, value })
    }

    /// The key as it was written.
    pub fn key(&self) -> &KeyPath {
        &self.key
    }

    /// The value to set.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// The place that messages name: the flag.
    pub(super) fn location(&self) -> Location {
        Location {
            file: self.flag.clone(),
            line: None,
            column: None,
        }
    }

    /// The key in `tree`, with elements of arrays named by their positions.
    ///
    /// # Errors
    /// An element that is not there or is named twice, and a way through a value that is no table.
    pub(super) fn resolve(&self, tree: &Value) -> Result<KeyPath, ConfigError> {
        let mut path = KeyPath::root();
        let mut here = Some(tree);
        for segment in self.key.segments() {
            let fail = |message: String| self.location().error(&self.key, message);
            let segment = match (here, segment) {
                (Some(Value::Table(_)) | None, Segment::Key(_)) => segment.clone(),
                (Some(Value::Array(array)), Segment::Key(id)) => {
                    Segment::Index(self.element(&path, array, id)?)
                }
                (Some(Value::Array(array)), Segment::Index(index)) if *index < array.len() => {
                    segment.clone()
                }
                (Some(Value::Array(array)), Segment::Index(index)) => {
                    let message = format!(
                        "`{path}` has {} elements; there is no [{index}]",
                        array.len()
                    );
                    return Err(fail(message));
                }
                (_, Segment::Index(_)) => return Err(fail(format!("`{path}` is no array"))),
                (Some(_), Segment::Key(_)) => {
                    return Err(fail(format!(
                        "`{path}` is a single value and has no keys inside"
                    )));
                }
            };
            path = path.with(segment.clone());
            here = match (here, &segment) {
                (Some(Value::Table(table)), Segment::Key(name)) => table.get(name),
                (Some(Value::Array(array)), Segment::Index(index)) => array.get(*index),
                _ => None,
            };
        }
        Ok(path)
    }

    fn element(&self, path: &KeyPath, array: &[Value], id: &str) -> Result<usize, ConfigError> {
        let names: Vec<Option<&str>> = array.iter().map(element_name).collect();
        let found: Vec<usize> = (0..names.len()).filter(|&i| names[i] == Some(id)).collect();
        match found[..] {
            [index] => Ok(index),
            [] => {
                let known: Vec<String> = names.into_iter().flatten().map(str::to_owned).collect();
                let mut error = self
                    .location()
                    .error(&self.key, format!("`{path}` has no element \"{id}\""));
                error.suggestion = suggest::advice(id, &known, '"');
                Err(error)
            }
            [first, ..] => {
                let message = format!(
                    "{} elements of `{path}` are named \"{id}\"; name one by position: `{path}[{first}]`",
                    found.len()
                );
                Err(self.location().error(&self.key, message))
            }
        }
    }
}

/// What an element of an array of tables is called on the command line.
fn element_name(element: &Value) -> Option<&str> {
    element
        .get("id")
        .or_else(|| element.get("kind"))
        .and_then(Value::as_str)
}

/// Whether `text` is meant as a text although it has no quotes: words, a path, a share, a date.
fn is_bare(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_alphanumeric() || " _-./\\~:+%@*".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, String> {
        Setting::parse(text)
            .map(|s| s.value)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn values_are_toml_or_bare_words() {
        assert_eq!(value("a=1"), Ok(Value::Integer(1)));
        assert_eq!(value("a = 1e-3"), Ok(Value::Float(1e-3)));
        assert_eq!(value("a=true"), Ok(Value::Boolean(true)));
        assert_eq!(value("a=\"1\""), Ok(Value::String("1".to_owned())));
        for bare in [
            "simclr",
            "2 epochs",
            "25 %",
            "data/cifar-10",
            "encoder.*",
            "2024-01-01",
            "Zürich",
        ] {
            assert_eq!(
                value(&format!("a.b={bare}")),
                Ok(Value::String(bare.to_owned()))
            );
        }
    }

    #[test]
    fn mistakes_are_told() {
        let says = |text: &str| value(text).err().unwrap_or_default();
        assert_eq!(says("a"), "--set a: write it as key=value");
        assert_eq!(
            says("a="),
            "--set a=: no value; an empty text is written a='\"\"'"
        );
        assert_eq!(says("a=[1, 2"), "--set a=[1, 2: `[1, 2` is not valid TOML");
        assert_eq!(says("a=\"x"), "--set a=\"x: `\"x` is not valid TOML");
        assert_eq!(
            says("extends=b.toml"),
            "--set extends=b.toml: a base can only be named in a file"
        );
        assert_eq!(
            says("a..b=1"),
            "--set a..b=1: `a..b` is no key; write `a.b`, `a[0].b`, or quote a part with other characters: `a.\"b c\"`"
        );
    }
}
