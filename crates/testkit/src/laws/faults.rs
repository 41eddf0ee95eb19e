//! A plugin that fails leaves the others as they were.

use std::path::Path;

use afterimage::train::read_plugins;

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::experiment::failing;
use crate::files::{Files, difference, last_checkpoint, learned, records};
use crate::laws::state::saved;

/// The plugin that fails.
const FAILING: &str = "testkit-failing";

impl Conformance {
    /// Beside a plugin that panics in the middle of an epoch and is switched off, the plugins measure and
    /// save what they did without it.
    ///
    /// # Errors
    /// What they did otherwise, and runs that do not end as they should.
    pub fn bears_faults_of_others(&self) -> Result<Vec<String>, Broken> {
        let panicking = failing(FAILING, self.middle()?, false);
        // Before all others, so that they come behind it in the step in which it fails.
        let text = self.config(&(panicking + &self.tables()));
        let run = self.runs.run("beside-a-fault", &text, 3)?;
        let parted = difference(&measured(self.straight()?)?, &measured(&run)?);
        match parted {
            None => Ok(Vec::new()),
            Some(difference) => Err(Broken::Faults {
                plugins: self.names(),
                difference,
            }),
        }
    }
}

/// What a run has on record, learned and saved, but for the plugin that fails in it.
fn measured(run: &Path) -> Result<Files, Broken> {
    let mut files = records(run)?;
    files.remove("config.toml");
    if let Some(decisions) = files.get_mut("decisions.jsonl") {
        let text = String::from_utf8_lossy(decisions).into_owned();
        let others = text.lines().filter(|line| !line.contains(FAILING));
        *decisions = others
            .flat_map(|line| [line, "\n"])
            .collect::<String>()
            .into_bytes();
    }
    files.extend(learned(run)?);
    for (name, state) in saved(&read_plugins(&last_checkpoint(run)?)?)? {
        if name != FAILING {
            files.insert(format!("state of {name}"), state);
        }
    }
    Ok(files)
}
