//! What was probably meant by a key or a value that is none.

use toml::Value;

use super::key::KeyPath;

/// What a user probably meant, where the names that are known say too little.
#[derive(Debug, Clone, PartialEq)]
pub struct Hint {
    /// What to do, such as `` did you mean `schedule.peak`? ``
    pub advice: String,
    /// What the search for further mistakes goes on with.
    pub instead: Instead,
}

/// What stands in for a mistake while the rest of a config is looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Instead {
    /// Nothing: the key counts as not set.
    Nothing,
    /// The value of the unknown key counts as that of this one, unless it is set, too.
    Key(KeyPath),
    /// This value counts in place of the one that was given.
    Value(Value),
}

impl Hint {
    /// A hint that the key `meant` was meant, such as `schedule.peak`.
    pub fn key(meant: &str) -> Self {
        Self {
            advice: format!("did you mean `{meant}`?"),
            instead: meant.parse().map_or(Instead::Nothing, Instead::Key),
        }
    }

    /// A hint in free words.
    pub fn advice(advice: impl Into<String>) -> Self {
        Self {
            advice: advice.into(),
            instead: Instead::Nothing,
        }
    }

    /// A hint in free words, with the value that was probably meant.
    pub fn value(advice: impl Into<String>, meant: impl Into<Value>) -> Self {
        Self {
            advice: advice.into(),
            instead: Instead::Value(meant.into()),
        }
    }
}

/// Which part of a line is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The key is unknown.
    Key,
    /// The key does not take the value.
    Value,
}

/// Says what was probably meant by a key that is unknown, or by the value of a key that does not take it; asked
/// before a name that is spelled alike is looked for.
pub type Hints<'a> = dyn Fn(Wrong, &KeyPath, &Value) -> Option<Hint> + 'a;

/// No hints but names that are spelled alike.
pub(super) fn no_hints(_: Wrong, _: &KeyPath, _: &Value) -> Option<Hint> {
    None
}
