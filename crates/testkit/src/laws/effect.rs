//! An observer changes no bit of the training.

use std::path::Path;

use crate::conformance::Conformance;
use crate::error::Broken;
use crate::files::{Difference, difference, learned, loop_lines};

impl Conformance {
    /// The parameters, the state of optimizer and schedule, and the loop's own measurements are those of a
    /// run without the plugins: all together, and each alone that reads nothing of another. Not asked of
    /// plugins that declare writes or requests.
    ///
    /// # Errors
    /// What the plugins changed, and runs that do not end as they should.
    pub fn changes_nothing(&self) -> Result<Vec<String>, Broken> {
        let manifests = self.manifests()?;
        if let Some(acts) = manifests.iter().find(|manifest| manifest.intervenes()) {
            return Ok(vec![format!(
                "{}: declares writes or requests, so that it may change the training",
                acts.id
            )]);
        }
        let straight = self.straight()?;
        self.compare(straight, &self.names())?;
        if self.under_test.len() == 1 {
            return Ok(Vec::new());
        }
        let exact = manifests.iter().any(|manifest| manifest.exact);
        for (entry, manifest) in self.under_test.iter().zip(&manifests) {
            if manifest.reads.is_empty() && manifest.exact == exact {
                let name = format!("alone-{}", manifest.id);
                let code = if entry.fails { 3 } else { 0 };
                let run = self.runs.run(&name, &self.config(&entry.table()), code)?;
                self.compare(&run, &entry.kind)?;
            }
        }
        Ok(Vec::new())
    }

    /// Compares the training of `run` with that of the run without plugins.
    pub(crate) fn compare(&self, run: &Path, plugins: &str) -> Result<(), Broken> {
        match parted(self.bare()?, run)? {
            None => Ok(()),
            Some(difference) => Err(Broken::Effect {
                plugins: plugins.to_owned(),
                difference,
            }),
        }
    }
}

/// Where two trainings part.
fn parted(bare: &Path, run: &Path) -> Result<Option<Difference>, Broken> {
    if let Some(difference) = difference(&learned(bare)?, &learned(run)?) {
        return Ok(Some(difference));
    }
    let (bare, run) = (loop_lines(bare)?, loop_lines(run)?);
    let lines = |text: String| [("the loop's metrics.jsonl".to_owned(), text.into_bytes())].into();
    Ok(difference(&lines(bare), &lines(run)))
}
