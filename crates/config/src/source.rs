//! One TOML text and where each of its keys stands.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::Path;

use afterimage_files::read_input;
use toml::Value;
use toml_edit::{Document, Item, TableLike};

use super::error::{ConfigError, ConfigErrors};
use super::key::KeyPath;
use super::location::Location;

/// The top-level key that names the files a config builds on; it is followed, and not part of the config.
pub(super) const EXTENDS: &str = "extends";

/// A TOML text, parsed once: its values and the place of each key.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    name: String,
    value: Value,
    places: BTreeMap<KeyPath, Location>,
}

impl Layer {
    /// Parses `text`; `name` stands for it in messages.
    ///
    /// # Errors
    /// The first place that is not TOML, or every date: dates have no use here and must be quoted.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigErrors> {
        let document = Document::parse(text).map_err(|error| syntax_error(name, text, &error))?;
        let mut reader = Reader {
            name,
            ruler: Ruler::new(text),
            places: BTreeMap::new(),
            errors: Vec::new(),
        };
        let value = reader.table(&KeyPath::root(), document.as_table());
        if reader.errors.is_empty() {
            Ok(Self {
                name: name.to_owned(),
                value,
                places: reader.places,
            })
        } else {
            Err(ConfigErrors::new(reader.errors))
        }
    }

    /// Reads and parses a file.
    ///
    /// # Errors
    /// A file that cannot be read or is not UTF-8, and all of [`Layer::parse`].
    pub fn read(path: &Path) -> Result<Self, ConfigErrors> {
        let name = path.display().to_string();
        if path.is_dir() {
            return Err(
                ConfigError::of_file(name, "this is a directory; name a TOML file in it").into(),
            );
        }
        let bytes = read_input(path, LARGEST).map_err(|error| {
            let message = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::InvalidData => {
                    format!("longer than {LARGEST} bytes, which no config is")
                }
                _ => format!("cannot be read: {error}"),
            };
            ConfigError::of_file(&name, message)
        })?;
        match String::from_utf8(bytes) {
            Ok(text) => Self::parse(&name, text.strip_prefix('\u{feff}').unwrap_or(&text)),
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let (line, _) =
                    position(&String::from_utf8_lossy(&error.as_bytes()[..valid]), valid);
                let byte = error.as_bytes().get(valid).copied().unwrap_or_default();
                let message = format!("not UTF-8 text (byte 0x{byte:02x}); save the file as UTF-8");
                Err(ConfigError {
                    line: Some(line),
                    ..ConfigError::of_file(name, message)
                }
                .into())
            }
        }
    }

    /// The name that stands for this text in messages: a path.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All values, as one table.
    pub(super) fn value(&self) -> &Value {
        &self.value
    }

    /// Where each key stands; elements of arrays included.
    pub(super) fn places(&self) -> &BTreeMap<KeyPath, Location> {
        &self.places
    }

    /// Takes the `extends` key out: its value and its place.
    pub(super) fn take_extends(&mut self) -> Option<(Value, Location)> {
        let value = self.value.as_table_mut()?.remove(EXTENDS)?;
        let key = KeyPath::root().key(EXTENDS);
        let location = self.places.get(&key).cloned()?;
        self.places.retain(|path, _| !path.is_within(&key));
        Some((value, location))
    }
}

/// The most bytes of a config; the largest ones that people write have some ten thousand.
const LARGEST: u64 = 16 << 20;

/// Where lines and characters of a text lie, so that a place is found without reading the text again.
struct Ruler<'a> {
    text: &'a str,
    /// The byte behind each new line.
    lines: Vec<usize>,
    /// The number of characters before each stretch of bytes.
    characters: Vec<usize>,
}

/// Bytes of a stretch.
const STRETCH: usize = 256;

impl<'a> Ruler<'a> {
    fn new(text: &'a str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let mut characters = Vec::with_capacity(text.len() / STRETCH + 1);
        let mut count = 0;
        for stretch in text.as_bytes().chunks(STRETCH) {
            characters.push(count);
            count += stretch
                .iter()
                .filter(|byte| begins_character(**byte))
                .count();
        }
        characters.push(count);
        Self {
            text,
            lines: newlines.map(|(at, _)| at + 1).collect(),
            characters,
        }
    }

    /// The number of characters that begin before byte `offset`.
    fn before(&self, offset: usize) -> usize {
        let offset = offset.min(self.text.len());
        let stretch = offset / STRETCH;
        let rest = &self.text.as_bytes()[stretch * STRETCH..offset];
        let known = self.characters.get(stretch).copied().unwrap_or_default();
        known + rest.iter().filter(|byte| begins_character(**byte)).count()
    }

    /// Line and column of a byte offset, both counted from 1, columns in characters.
    fn position(&self, offset: usize) -> (u32, u32) {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).map_or(0, |line| self.lines[line]);
        let number = |counted: usize| u32::try_from(counted + 1).unwrap_or(u32::MAX);
        (
            number(line),
            number(self.before(offset) - self.before(start)),
        )
    }
}

fn begins_character(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// Line and column of a byte offset, both counted from 1, columns in characters.
fn position(text: &str, offset: usize) -> (u32, u32) {
    Ruler::new(text).position(offset)
}

fn syntax_error(name: &str, text: &str, error: &toml_edit::TomlError) -> ConfigError {
    let place = error.span().map(|span| position(text, span.start));
    let what = error.message().trim();
    let key = match error.span().and_then(|span| text.get(span)) {
        Some(key) if what == "duplicate key" => format!(" `{key}`"),
        _ => String::new(),
    };
    let message = format!("not valid TOML: {what}{key}");
    ConfigError {
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        ..ConfigError::of_file(name, message)
    }
}

struct Reader<'a> {
    name: &'a str,
    ruler: Ruler<'a>,
    places: BTreeMap<KeyPath, Location>,
    errors: Vec<ConfigError>,
}

impl Reader<'_> {
    fn place(&mut self, path: &KeyPath, span: Option<Range<usize>>) {
        if let Some(span) = span {
            let location = self.location(span);
            self.places.insert(path.clone(), location);
        }
    }

    fn location(&self, span: Range<usize>) -> Location {
        let (line, column) = self.ruler.position(span.start);
        Location {
            file: self.name.to_owned(),
            line: Some(line),
            column: Some(column),
        }
    }

    fn table(&mut self, path: &KeyPath, table: &dyn TableLike) -> Value {
        let mut values = toml::Table::new();
        for (name, item) in table.iter() {
            let at = path.key(name);
            self.place(
                &at,
                table.get_key_value(name).and_then(|(key, _)| key.span()),
            );
            if let Some(value) = self.item(&at, item) {
                values.insert(name.to_owned(), value);
            }
        }
        Value::Table(values)
    }

    fn item(&mut self, path: &KeyPath, item: &Item) -> Option<Value> {
        match item {
            Item::None => None,
            Item::Value(value) => self.value(path, value),
            Item::Table(table) => Some(self.table(path, table)),
            Item::ArrayOfTables(tables) => {
                let mut values = Vec::new();
                for (i, table) in tables.iter().enumerate() {
                    let at = path.index(i);
                    self.place(&at, table.span());
                    values.push(self.table(&at, table));
                }
                Some(Value::Array(values))
            }
        }
    }

    fn value(&mut self, path: &KeyPath, value: &toml_edit::Value) -> Option<Value> {
        Some(match value {
            toml_edit::Value::String(text) => Value::String(text.value().clone()),
            toml_edit::Value::Integer(number) => Value::Integer(*number.value()),
            toml_edit::Value::Float(number) => Value::Float(*number.value()),
            toml_edit::Value::Boolean(flag) => Value::Boolean(*flag.value()),
            toml_edit::Value::InlineTable(table) => self.table(path, table),
            toml_edit::Value::Array(array) => {
                let mut values = Vec::new();
                for (i, element) in array.iter().enumerate() {
                    let at = path.index(i);
                    self.place(&at, element.span());
                    values.extend(self.value(&at, element));
                }
                Value::Array(values)
            }
            toml_edit::Value::Datetime(date) => {
                let location = date
                    .span()
                    .map(|span| self.location(span))
                    .unwrap_or(Location {
                        file: self.name.to_owned(),
                        line: None,
                        column: None,
                    });
                let message = format!(
                    "dates are not used here; write it in quotes: \"{}\"",
                    date.value()
                );
                self.errors.push(location.error(path, message));
                return None;
            }
        })
    }
}

/// A value as TOML writes it to the right of `=`; `None` when `text` is not one.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    let value: toml_edit::Value = text.parse().ok()?;
    let mut reader = Reader {
        name: "",
        ruler: Ruler::new(text),
        places: BTreeMap::new(),
        errors: Vec::new(),
    };
    let value = reader.value(&KeyPath::root(), &value)?;
    reader.errors.is_empty().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(layer: &Layer, key: &str) -> Option<(u32, u32)> {
        let location = layer.places.get(&key.parse().ok()?)?;
        location.line.zip(location.column)
    }

    #[test]
    fn every_key_has_its_place() -> Result<(), ConfigErrors> {
        let text = "name = \"é\"\r\nsize = [ 1,\r\n  2 ]\r\na.b.c = 1\r\n[d]\r\n\"e f\" = { g = 1, h = { i = 2 } }\r\n\
                    [[p]]\r\nx = 1\r\n[[p]]\r\nx = 2\r\n[q.r]\r\n  s = 1\r\n";
        let layer = Layer::parse("a.toml", text)?;
        let places = [
            ("name", (1, 1)),
            ("size", (2, 1)),
            ("size[0]", (2, 10)),
            ("size[1]", (3, 3)),
            ("a.b", (4, 3)),
            ("a.b.c", (4, 5)),
            ("d", (5, 2)),
            ("d.\"e f\"", (6, 1)),
            ("d.\"e f\".g", (6, 11)),
            ("d.\"e f\".h.i", (6, 24)),
            ("p[0]", (7, 1)),
            ("p[1]", (9, 1)),
            ("p[1].x", (10, 1)),
            ("q.r", (11, 4)),
            ("q.r.s", (12, 3)),
        ];
        for (key, place) in places {
            assert_eq!(line_of(&layer, key), Some(place), "{key}");
        }
        Ok(())
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(position("ab\né = ü", "ab\né = ".len()), (2, 5));
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("é\n", 3), (2, 1));
        let long = format!("{}\n{}x", "a\n".repeat(400), "é".repeat(1000));
        assert_eq!(position(&long, long.len() - 1), (402, 1001));
    }

    #[test]
    fn only_whole_values_are_values() {
        assert_eq!(parse_value("1_000"), Some(Value::Integer(1000)));
        assert_eq!(
            parse_value("[1, 2]"),
            Some(Value::Array(vec![Value::Integer(1), Value::Integer(2)]))
        );
        assert_eq!(parse_value("1\nb = 2"), None);
        assert_eq!(parse_value("2024-01-01"), None);
        assert_eq!(parse_value("simclr"), None);
    }
}
