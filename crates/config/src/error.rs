//! What is wrong with a config, told as a compiler tells it.

use std::fmt;

/// One mistake in a config: where it is, what it is, and what was probably meant.
///
/// Displayed as `configs/a.toml:12: objective.temprature: unknown key; did you mean` `` `temperature`? ``
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.rendered())]
pub struct ConfigError {
    /// The file as it was named, or the whole flag: `--set optimizer.rate=-1`.
    pub file: String,
    /// The line, counted from 1; `None` where no line can be blamed (a flag, a file that cannot be read, a key
    /// that is missing from the root).
    pub line: Option<u32>,
    /// The column in characters, counted from 1.
    pub column: Option<u32>,
    /// The key's path, such as `plugins[0].every`; empty when the text could not be read as TOML.
    pub key: String,
    /// What is wrong and what is right.
    pub message: String,
    /// What was probably meant, such as `` did you mean `rate`? ``
    pub suggestion: Option<String>,
}

impl ConfigError {
    /// A mistake in a file as a whole.
    pub(super) fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: None,
            column: None,
            key: String::new(),
            message: message.into(),
            suggestion: None,
        }
    }

    fn rendered(&self) -> String {
        let mut text = self.file.clone();
        if let Some(line) = self.line {
            text.push_str(&format!(":{line}"));
            // Without a key, the column is what says where to look.
            if let (true, Some(column)) = (self.key.is_empty(), self.column) {
                text.push_str(&format!(":{column}"));
            }
        }
        text.push_str(": ");
        if !self.key.is_empty() {
            text.push_str(&format!("{}: ", self.key));
        }
        text.push_str(&self.message);
        if let Some(suggestion) = &self.suggestion {
            text.push_str(&format!("; {suggestion}"));
        }
        text
    }
}

/// Every mistake that was found in a config, in the order of the files and their lines; displayed one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// All of `errors`, which must not be empty.
    pub fn new(errors: Vec<ConfigError>) -> Self {
        Self(errors)
    }

    /// The mistakes; never empty.
    pub fn errors(&self) -> &[ConfigError] {
        &self.0
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for ConfigErrors {
    type Item = ConfigError;
    type IntoIter = std::vec::IntoIter<ConfigError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
