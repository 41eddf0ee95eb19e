//! What a plugin breaks, and what keeps it from being tested.

use std::io;
use std::path::PathBuf;

use afterimage::config::ConfigErrors;
use afterimage::train::TrainError;
use thiserror::Error;

use crate::files::Difference;

/// A law that a plugin does not keep, or a test that could not be made.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Broken {
    /// An observer changed the training.
    #[error(
        "the training with {plugins} is not the one without: {difference}. An observer changes no bit: \
         what it may write must be declared with `.writes(…)` or `.requests(…)`"
    )]
    Effect {
        /// The plugins of the run.
        plugins: String,
        /// Where the runs part.
        difference: Difference,
    },
    /// A run that went on is not the one that went straight through.
    #[error(
        "a run with {plugins} that was {how} does not end as one that went straight through: {difference}. \
         All that the plugin would need after a kill is in `state`, and `restore` takes it back"
    )]
    Resume {
        /// The plugins of the run.
        plugins: String,
        /// What happened to it.
        how: String,
        /// Where the runs part.
        difference: Difference,
    },
    /// No run was alive when it was to be killed.
    #[error(
        "no run with {plugins} was alive when it was to be killed, up to {epochs} epochs; give it an \
         experiment with more steps, by `Conformance::on`"
    )]
    NeverAlive {
        /// The plugins of the run.
        plugins: String,
        /// Epochs of the longest run.
        epochs: u32,
    },
    /// State that does not come back, or that of others that is taken.
    #[error("plugin {plugin:?}: {what}")]
    State {
        /// The plugin's id.
        plugin: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// Plugins that cannot be ordered, or that do not do what they declare.
    #[error("order: {0}")]
    Order(String),
    /// A plugin that does something else beside one that fails.
    #[error(
        "{plugins} did something else beside a plugin that failed: {difference}. A plugin hangs on \
         its own state and on what it declares that it reads"
    )]
    Faults {
        /// The plugins of the run.
        plugins: String,
        /// Where the runs part.
        difference: Difference,
    },
    /// A mistake in settings that is taken, or told badly.
    #[error("kind {kind:?}: {what}")]
    Mistake {
        /// The kind.
        kind: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// A plugin that no event reached.
    #[error(
        "plugin {plugin:?} was never called in a run of {steps} steps, so that nothing is tested; give \
         it settings under which it acts"
    )]
    NeverCalled {
        /// The plugin's id.
        plugin: String,
        /// Steps of the run.
        steps: u64,
    },
    /// The command ended otherwise than it should have.
    #[error("`afterimage {words}` ended with {ended}, not with {expected}:\n{told}")]
    Ended {
        /// The words of the command.
        words: String,
        /// The exit code, or that a signal ended it.
        ended: String,
        /// The exit code that was expected.
        expected: i32,
        /// What it wrote to standard error.
        told: String,
    },
    /// The command did not go on for two minutes.
    #[error("the run in {} hangs: it has no further checkpoint after two minutes", .0.display())]
    Hangs(PathBuf),
    /// The experiment with the plugins has mistakes.
    #[error("the experiment cannot be loaded:\n{0}")]
    Config(#[from] ConfigErrors),
    /// A checkpoint that cannot be read, or a network that cannot be made.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A file that is missing or holds something else.
    #[error("{}: {what}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file or process that the system refused.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Broken {
    /// Turns an error of the system at `path` into one of ours.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }

    /// A file that does not hold what it should.
    pub(crate) fn file(path: impl Into<PathBuf>, what: impl ToString) -> Self {
        Self::File {
            path: path.into(),
            what: what.to_string(),
        }
    }
}
