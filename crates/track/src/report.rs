//! One self-contained HTML page about a run.

mod depth;
mod evaluation;
mod layers;
mod load;
mod names;
mod page;
mod pictures;
mod sections;
mod summary;
mod tables;

use std::path::Path;

use crate::{TrackError, files};
use load::Run;
pub use load::{PluginCost, Scalar, name_of, scalars_of};

/// A page with the charts, histograms, pictures and tables of a run. It needs no other file and no
/// network; a script of its own sorts tables and tells numbers under the pointer, and nothing hangs on it.
pub struct Report {
    run: Run,
}

impl Report {
    /// Reads the records in the run directory `run`. Parts that are missing are left out of the
    /// page, parts that are damaged are named on it.
    ///
    /// # Errors
    /// A folder with neither metrics nor a configuration.
    pub fn from_run(run: &Path) -> Result<Self, TrackError> {
        Ok(Self {
            run: Run::read(run)?,
        })
    }

    /// The page with the sentences `found` in front, in place of those of the run's `result.json`.
    #[must_use]
    pub fn found(mut self, found: &[String]) -> Self {
        self.run.found = found.to_vec();
        self
    }

    /// The page with the time of plugins, in place of that of the run's `result.json`.
    #[must_use]
    pub fn costs(mut self, costs: &[PluginCost]) -> Self {
        self.run.costs = costs.to_vec();
        self
    }

    /// Names further parts that are lost.
    pub fn lacks(&mut self, parts: Vec<String>) {
        self.run.damaged.extend(parts);
    }

    /// What is there and could not be read: file and fault of each part that the page lacks.
    pub fn damaged(&self) -> &[String] {
        &self.run.damaged
    }

    /// The page.
    pub fn html(&self) -> String {
        page::render(&self.run)
    }

    /// Writes the page to `path`; an earlier one is replaced as a whole.
    ///
    /// # Errors
    /// An unwritable folder or a full disk.
    pub fn write(&self, path: &Path) -> Result<(), TrackError> {
        files::write_beside(path, self.html().as_bytes())
    }
}
