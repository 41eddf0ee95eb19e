//! Mistakes in trials, told at the places of the sweep file.

use afterimage_config::{ConfigError, ConfigErrors, KeyPath};

use crate::config::SweepFile;
use crate::overrides::Override;

/// Mistakes that are told at once.
const TOLD: usize = 50;

pub(crate) fn error_at(
    loaded: SweepFile<'_>,
    key: &KeyPath,
    message: impl Into<String>,
) -> ConfigError {
    let at = loaded.locations.nearest(key);
    ConfigError {
        file: at.file,
        line: at.line,
        column: at.column,
        key: key.to_string(),
        message: message.into(),
        suggestion: None,
    }
}

/// Mistakes of all trials, each once, with the number of trials that have it.
#[derive(Default)]
pub(crate) struct Problems {
    found: Vec<(ConfigError, usize)>,
    trials: usize,
}

impl Problems {
    /// Adds the mistakes of a trial that sets `overrides`, at the places of the sweep file.
    pub(crate) fn add(
        &mut self,
        loaded: SweepFile<'_>,
        overrides: &[Override],
        errors: ConfigErrors,
    ) {
        self.trials += 1;
        for error in errors {
            let flag = error.file.strip_prefix("--set ");
            let cause = flag.and_then(|flag| overrides.iter().find(|one| one.setting() == flag));
            let error = match (cause, flag) {
                (Some(cause), _) => {
                    let message = if error.key.is_empty() || error.key == cause.key {
                        error.message
                    } else {
                        format!("{}: {}", error.key, error.message)
                    };
                    ConfigError {
                        suggestion: error.suggestion,
                        ..error_at(loaded, &cause.place, message)
                    }
                }
                (None, Some(_)) => {
                    let seeds = KeyPath::root().key("seeds");
                    error_at(loaded, &seeds, error.message)
                }
                (None, None) => error,
            };
            self.count(error);
        }
    }

    /// Adds a mistake of one trial.
    pub(crate) fn add_one(&mut self, error: ConfigError) {
        self.trials += 1;
        self.count(error);
    }

    fn count(&mut self, error: ConfigError) {
        match self.found.iter_mut().find(|(other, _)| *other == error) {
            Some((_, count)) => *count += 1,
            None => self.found.push((error, 1)),
        }
    }

    /// # Errors
    /// All mistakes, if there is any.
    pub(crate) fn finish(self, sound: usize) -> Result<(), ConfigErrors> {
        let all = self.trials + sound;
        let mut errors: Vec<ConfigError> = self
            .found
            .into_iter()
            .map(|(mut error, count)| {
                if count < all {
                    error.message += &format!(" (in {count} of {all} trials)");
                }
                error
            })
            .collect();
        errors.sort_by_key(|error| (error.file.clone(), error.line, error.column));
        errors.truncate(TOLD);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(ConfigErrors::new(errors))
        }
    }
}
