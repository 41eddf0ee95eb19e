//! What goes wrong inside a plugin.

use thiserror::Error;

/// A plugin's failure in its own words; the engine adds plugin, event and step.
#[derive(Debug, Error)]
#[error("{message}")]
pub struct Fault {
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Fault {
    /// A fault that says what is wrong and what to do.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// A fault caused by another error.
    pub fn caused_by(
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self {
            message: message.into(),
            source: Some(Box::new(source)),
        }
    }
}

/// What happens to the run when a plugin fails.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnFault {
    /// The plugin is switched off and the run goes on; the run ends with exit code 3.
    Disable,
    /// The run stops after a checkpoint of the last good step.
    Stop,
}
