//! The experiment on which plugins are tested, and its tables of plugins.

use toml::Value;

/// A run of a second: 30 steps in three epochs, 320 embedded images in batches of 32, a small encoder.
pub const TINY: &str = include_str!("tiny.toml");

/// One `[[plugins]]` table.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) kind: String,
    pub(crate) settings: String,
    /// Whether it fails on purpose and is switched off.
    pub(crate) fails: bool,
}

impl Entry {
    pub(crate) fn new(kind: &str, settings: &str, fails: bool) -> Self {
        Self {
            kind: kind.to_owned(),
            settings: settings.to_owned(),
            fails,
        }
    }

    /// The table as TOML.
    pub(crate) fn table(&self) -> String {
        let Self { kind, settings, .. } = self;
        format!("\n[[plugins]]\nkind = {kind:?}\n{settings}\n")
    }

    /// The table under another id.
    pub(crate) fn table_as(&self, id: &str) -> String {
        let Self { kind, settings, .. } = self;
        let own = settings
            .lines()
            .filter(|line| !line.trim_start().starts_with("id ="));
        let own: Vec<&str> = own.collect();
        format!(
            "\n[[plugins]]\nkind = {kind:?}\nid = {id:?}\n{}\n",
            own.join("\n")
        )
    }
}

/// The plugin that stops a run in the middle of an epoch.
pub(crate) const STOPPING: &str = "testkit-stop";

/// A plugin that fails in `step`: an observer that panics, or an intervention that stops the run.
pub(crate) fn failing(id: &str, step: u64, stops: bool) -> String {
    let how = match stops {
        true => "intervenes = true\npanic = false\non_fault = \"stop\"",
        false => "on_fault = \"disable\"",
    };
    format!("\n[[plugins]]\nkind = \"chaos\"\nid = {id:?}\nstep = {step}\n{how}\n")
}

/// A value that no key takes whose default is `value`.
pub(crate) fn wrong_for(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "true",
        _ => "[[true]]",
    }
}
