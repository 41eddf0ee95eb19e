//! The settings of trackers.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::mlflow::address_problem;
use super::trackio::{default_folder, project_problem};

/// Characters of a name at most.
const LONGEST: usize = 200;

/// Another tool that is told the numbers of a run: the `kind` key of a `[[sinks]]` table and its settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SinkConfig {
    /// Trackio: the SQLite database of a project, which its dashboard and its command read.
    Trackio {
        /// Folder of the databases, which must be there; default Trackio's own: `TRACKIO_DIR`, or
        /// `trackio` in the cache of Hugging Face.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dir: Option<PathBuf>,
        /// The project: letters, digits, `-`, `_`.
        project: String,
        /// What the run is called there, with the name of its folder behind it; default the
        /// experiment's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A text file of the last value of each scalar, for the textfile collector of Prometheus'
    /// node exporter.
    Prometheus {
        /// The collector's folder, which must be there; each run has a file of its own in it.
        dir: PathBuf,
        /// Seconds between two writings of the file; default 15.
        #[serde(default = "default_every")]
        #[schemars(range(min = 1, max = 86_400))]
        every: u32,
    },
    /// MLflow: a tracking server.
    Mlflow {
        /// The server's address, as in `http://127.0.0.1:5000`; HTTP without a password.
        url: String,
        /// The experiment; it is made if it is missing.
        experiment: String,
        /// What the run is called there, with the name of its folder behind it; default the
        /// experiment's name in this file.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

fn default_every() -> u32 {
    15
}

impl SinkConfig {
    /// The word of its `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Trackio { .. } => "trackio",
            Self::Prometheus { .. } => "prometheus",
            Self::Mlflow { .. } => "mlflow",
        }
    }

    /// Where the numbers go, and the key that says so: two sinks of one kind and place would tell everything twice.
    pub fn place(&self) -> (&'static str, String) {
        let whole = |dir: &Path| dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
        match self {
            Self::Trackio { dir, project, .. } => {
                let dir = dir.clone().or_else(default_folder).unwrap_or_default();
                let file = whole(&dir).join(format!("{project}.db"));
                ("project", file.display().to_string())
            }
            Self::Prometheus { dir, .. } => ("dir", whole(dir).display().to_string()),
            Self::Mlflow {
                url, experiment, ..
            } => {
                let url = url.trim_end_matches('/').to_lowercase();
                ("experiment", format!("{experiment:?} at {url}"))
            }
        }
    }

    /// What is wrong with the settings by themselves, by key.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let mut tell = |key, problem: Option<String>| {
            problems.extend(problem.map(|problem| (key, problem)));
        };
        match self {
            Self::Trackio { project, name, .. } => {
                tell("project", project_problem(project));
                tell("name", name.as_deref().and_then(name_problem));
            }
            Self::Prometheus { every, .. } => {
                let fits = (1..=86_400).contains(every);
                tell(
                    "every",
                    (!fits).then(|| format!("{every} is no number of seconds from 1 to 86400")),
                );
            }
            Self::Mlflow {
                url,
                experiment,
                name,
            } => {
                tell("url", address_problem(url));
                tell("experiment", name_problem(experiment));
                tell("name", name.as_deref().and_then(name_problem));
            }
        }
        problems
    }

    /// The key of a folder that is not there, and what to do; for a run that is about to begin.
    pub fn missing_folder(&self) -> Option<(&'static str, String)> {
        let dir = match self {
            Self::Trackio { dir, .. } => dir.as_deref()?,
            Self::Prometheus { dir, .. } => dir,
            Self::Mlflow { .. } => return None,
        };
        if dir.is_dir() {
            return None;
        }
        let there = match dir.exists() {
            true => "is no folder",
            false => "is not there",
        };
        let what = format!(
            "the folder {} {there}; make it, or name another",
            dir.display()
        );
        Some(("dir", what))
    }
}

fn name_problem(name: &str) -> Option<String> {
    let fits = !name.trim().is_empty()
        && name.chars().count() <= LONGEST
        && !name.chars().any(char::is_control);
    (!fits).then(|| format!("{name:?} is no name of 1 to {LONGEST} characters on one line"))
}
