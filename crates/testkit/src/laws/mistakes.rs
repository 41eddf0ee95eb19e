//! Mistakes in a plugin's settings are told at their line.

use afterimage::PluginKind;
use afterimage::config::ConfigError;
use toml::Table;

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::experiment::wrong_for;

/// The file with the mistake.
const FILE: &str = "mistaken.toml";
/// A key that no plugin has.
const UNKNOWN: &str = "no_key_of_this_plugin";

impl Conformance {
    /// A key that the plugin does not have, and a value of a wrong type at each key that it has, are refused
    /// with the key's name, the file and the line. The defaults that `afterimage plugins NAME` shows are
    /// taken where the plugin is taken without settings.
    ///
    /// # Errors
    /// A mistake that is taken, or told without key or line, and defaults that are refused.
    pub fn refuses_mistakes(&self) -> Result<Vec<String>, Broken> {
        for entry in &self.under_test {
            let kind = self
                .registry
                .get(&entry.kind)
                .ok_or_else(|| Broken::Mistake {
                    kind: entry.kind.clone(),
                    what: "the registry has no such kind".to_owned(),
                })?;
            self.refuses(kind, UNKNOWN, "1")?;
            for (key, default) in &defaults(kind)? {
                // Tables of a plugin are written behind its keys.
                if !default.is_table() {
                    self.refuses(kind, key, wrong_for(default))?;
                }
            }
            self.takes_its_defaults(kind)?;
        }
        Ok(Vec::new())
    }

    fn refuses(&self, kind: &PluginKind, key: &str, value: &str) -> Result<(), Broken> {
        let mistake = |what| {
            Err(Broken::Mistake {
                kind: kind.name().to_owned(),
                what,
            })
        };
        let text = self.config(&format!("\n[[plugins]]\nkind = {:?}\n", kind.name()));
        let line = text.lines().count() + 1;
        let text = format!("{text}{key} = {value}\n");
        let path = self.runs.write(FILE, &text)?;
        let Err(errors) = self.registry.load(&path, &[]) else {
            return mistake(format!(
                "`{key} = {value}` is taken; the settings must be `#[serde(deny_unknown_fields)]` \
                 and of a type each"
            ));
        };
        let named = |error: &ConfigError| {
            let there = error.line.and_then(|line| usize::try_from(line).ok()) == Some(line);
            there && error.file.ends_with(FILE) && error.to_string().contains(key)
        };
        match errors.errors().iter().any(named) {
            true => Ok(()),
            false => mistake(format!(
                "`{key} = {value}` in line {line} is not told with its key and line:\n{errors}"
            )),
        }
    }

    fn takes_its_defaults(&self, kind: &PluginKind) -> Result<(), Broken> {
        let plain = format!("\n[[plugins]]\nkind = {:?}\n", kind.name());
        let load = |text: &str| {
            let path = self.runs.write("defaults.toml", &self.config(text))?;
            Ok::<_, Broken>(self.registry.load(&path, &[]))
        };
        match (load(&plain)?, load(&(plain.clone() + kind.defaults()))?) {
            (Ok(_), Err(errors)) => Err(Broken::Mistake {
                kind: kind.name().to_owned(),
                what: format!("its own defaults are refused:\n{errors}"),
            }),
            _ => Ok(()),
        }
    }
}

/// The keys of `kind` with their defaults.
fn defaults(kind: &PluginKind) -> Result<Table, Broken> {
    kind.defaults().parse().map_err(|error| Broken::Mistake {
        kind: kind.name().to_owned(),
        what: format!("its defaults are no TOML: {error}"),
    })
}
