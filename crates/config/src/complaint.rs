//! Reading what serde says, and saying it in the words of someone who writes TOML.

use toml::Value;

/// What a type complains of, as far as serde's sentence tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Complaint {
    /// A key that the type does not have, and those that it has.
    UnknownKey { name: String, known: Vec<String> },
    /// A name that is none of those that stand for a choice.
    UnknownChoice { name: String, known: Vec<String> },
    /// A key that must be there.
    Missing { name: String },
    /// Anything else, in serde's words.
    Other(String),
}

impl Complaint {
    pub(super) fn read(sentence: &str) -> Self {
        if let Some((name, known)) = unknown(sentence, "unknown field `") {
            Self::UnknownKey { name, known }
        } else if let Some((name, known)) = unknown(sentence, "unknown variant `") {
            Self::UnknownChoice { name, known }
        } else if let Some(name) = sentence
            .strip_prefix("missing field `")
            .and_then(|s| s.strip_suffix('`'))
        {
            Self::Missing {
                name: name.to_owned(),
            }
        } else {
            Self::Other(sentence.to_owned())
        }
    }

    /// The complaint as a message.
    pub(super) fn message(&self) -> String {
        match self {
            Self::UnknownKey { .. } => "unknown key".to_owned(),
            Self::UnknownChoice { name, .. } => format!("there is no \"{name}\""),
            Self::Missing { .. } => "missing; this key has no default".to_owned(),
            Self::Other(sentence) => plain(sentence),
        }
    }

    /// Whether the sentence is about `value`: it shows it as serde does, or as the value's text in quotes.
    pub(super) fn shows(&self, value: &Value) -> bool {
        let Self::Other(sentence) = self else {
            return false;
        };
        match value {
            Value::String(text) => {
                sentence.contains(&format!("{text:?}")) || sentence.contains(&format!("`{text}`"))
            }
            Value::Integer(number) => sentence.contains(&format!("integer `{number}`")),
            Value::Float(number) => sentence.contains(&format!("floating point `{number:?}`")),
            Value::Boolean(flag) => sentence.contains(&format!("boolean `{flag}`")),
            Value::Table(_) => sentence.starts_with("invalid type: map,"),
            Value::Array(_) => sentence.starts_with("invalid type: sequence,"),
            Value::Datetime(_) => false,
        }
    }

    /// How many elements an array should have that has none.
    pub(super) fn wanted_length(&self) -> Option<usize> {
        let Self::Other(sentence) = self else {
            return None;
        };
        let expected = sentence.strip_prefix("invalid length 0, expected ")?;
        expected
            .split_whitespace()
            .find_map(|word| word.parse().ok())
    }

    /// Whether the sentence has `name` as a word of its own.
    pub(super) fn names(&self, name: &str) -> bool {
        let Self::Other(sentence) = self else {
            return false;
        };
        sentence
            .split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-')
            .any(|word| word == name)
    }
}

/// The name and the known names in "unknown field `a`, expected one of `b`, `c`".
fn unknown(sentence: &str, prefix: &str) -> Option<(String, Vec<String>)> {
    let rest = sentence.strip_prefix(prefix)?;
    // The name is the user's and may hold anything; what follows it is serde's.
    let (name, known) = rest
        .rsplit_once("`, expected ")
        .or_else(|| rest.rsplit_once("`, there are no "))?;
    let known = known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    Some((name.to_owned(), known))
}

/// "invalid type: string \"x\", expected f64" as "expected a number; got \"x\"".
fn plain(sentence: &str) -> String {
    if let Some((count, expected)) = sentence
        .strip_prefix("invalid length ")
        .and_then(|s| s.split_once(", expected "))
    {
        return format!("expected {}; got {count}", expected.trim());
    }
    let invalid = sentence
        .strip_prefix("invalid type: ")
        .or_else(|| sentence.strip_prefix("invalid value: "));
    let Some((given, expected)) = invalid.and_then(|rest| rest.rsplit_once(", expected ")) else {
        return sentence.trim().to_owned();
    };
    format!(
        "expected {}; got {}",
        expectation(expected.trim()),
        shown(given)
    )
}

fn shown(given: &str) -> String {
    match given {
        "unit variant" => "another type".to_owned(),
        "map" => "a table".to_owned(),
        "sequence" => "an array".to_owned(),
        _ => ["string ", "integer `", "floating point `", "boolean `"]
            .iter()
            .find_map(|prefix| given.strip_prefix(prefix))
            .map_or_else(
                || given.to_owned(),
                |value| value.trim_end_matches('`').to_owned(),
            ),
    }
}

fn expectation(expected: &str) -> String {
    let text = match expected {
        "f32" | "f64" => "a number",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "a whole number, 1 or more",
        "a boolean" => "true or false",
        "a string" | "a borrowed string" | "string or map" => "a text in quotes",
        "a sequence" => "an array",
        "a map" => "a table",
        _ => {
            let table = [
                "struct ",
                "internally tagged enum ",
                "adjacently tagged enum ",
                "struct variant ",
            ];
            return if table.iter().any(|prefix| expected.starts_with(prefix)) {
                "a table".to_owned()
            } else if expected.starts_with("enum ")
                || ["variant identifier", "string only"].contains(&expected)
            {
                "one of its names, in quotes".to_owned()
            } else {
                expected.to_owned()
            };
        }
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn sentences_of_serde_are_read() {
        let unknown = |name: &str, known: &[&str]| Complaint::UnknownKey {
            name: name.to_owned(),
            known: owned(known),
        };
        assert_eq!(
            Complaint::read("unknown field `x`, expected one of `a`, `b`"),
            unknown("x", &["a", "b"])
        );
        assert_eq!(
            Complaint::read("unknown field `x`, expected `a`"),
            unknown("x", &["a"])
        );
        assert_eq!(
            Complaint::read("unknown field `x`, expected `a` or `b`"),
            unknown("x", &["a", "b"])
        );
        assert_eq!(
            Complaint::read("unknown field `x`, there are no fields"),
            unknown("x", &[])
        );
        let odd = "a`, expected `b";
        assert_eq!(
            Complaint::read(&format!("unknown field `{odd}`, expected `c`")),
            unknown(odd, &["c"])
        );
        assert_eq!(
            Complaint::read("missing field `x`"),
            Complaint::Missing {
                name: "x".to_owned()
            }
        );
    }

    #[test]
    fn sentences_are_put_plainly() {
        assert_eq!(
            plain("invalid type: string \"a`\", expected f64"),
            "expected a number; got \"a`\""
        );
        assert_eq!(
            plain("invalid value: integer `-1`, expected u32"),
            "expected a whole number from 0 to 4294967295; got -1"
        );
        assert_eq!(
            plain("invalid type: map, expected a boolean"),
            "expected true or false; got a table"
        );
        assert_eq!(
            plain("invalid type: sequence, expected struct Model"),
            "expected a table; got an array"
        );
        assert_eq!(
            plain("temperature must be above 0"),
            "temperature must be above 0"
        );
    }
}
