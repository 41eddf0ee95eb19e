//! A plugin that fails leaves the others as they were.

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::experiment::failing;
use crate::files::difference;
use crate::laws::state::measured;

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
        let files = |run| measured(run, FAILING);
        match difference(&files(self.straight()?)?, &files(&run)?) {
            None => Ok(Vec::new()),
            Some(difference) => Err(Broken::Faults {
                plugins: self.names(),
                difference,
            }),
        }
    }
}
