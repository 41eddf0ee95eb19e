//! Who a run is in other tools: an id that it keeps, its name, and what was set.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use afterimage_files::{SMALL, read_below};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::files::write_beside;
use crate::{HParam, TrackError};

/// The file in a run directory that holds the run's id in other tools.
pub const IDENTITY: &str = "sinks.json";

/// Digits of an id.
const DIGITS: usize = 32;

/// A run as it is told to other tools.
#[derive(Debug, Clone)]
pub struct Subject {
    folder: PathBuf,
    name: String,
    settings: BTreeMap<String, HParam>,
}

/// A run with the id that other tools know it by.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// 32 hexadecimal digits, the same after a resume.
    pub(crate) id: String,
    /// Name of the experiment.
    name: String,
    /// Name of the run's folder.
    folder: String,
    /// What was set, by key.
    pub(crate) settings: BTreeMap<String, HParam>,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    /// Where the run was when it got its id.
    folder: PathBuf,
}

impl Subject {
    /// The run in `folder` of the experiment called `name`, with what was set, by key.
    pub fn new(folder: &Path, name: &str, settings: BTreeMap<String, HParam>) -> Self {
        Self {
            folder: folder.to_owned(),
            name: name.to_owned(),
            settings,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The run with the id that its folder keeps; it gets one where it has none.
    pub(crate) fn known(&self) -> Result<Known, TrackError> {
        let whole = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let folder = whole.file_name().unwrap_or_default().to_string_lossy();
        Ok(Known {
            id: self.id(&whole)?,
            name: self.name.clone(),
            folder: folder.into_owned(),
            settings: self.settings.clone(),
        })
    }

    /// The id that the folder keeps. A copy of a run gets one of its own: what it is told must not take the place
    /// of what the run was told that it was copied from.
    fn id(&self, whole: &Path) -> Result<String, TrackError> {
        let kept = kept(&self.folder)?.filter(|kept| {
            kept.folder == whole || other(&kept.folder).is_none_or(|other| other.id != kept.id)
        });
        if let Some(kept) = kept {
            return Ok(kept.id);
        }
        let new = Kept {
            id: new_id(whole),
            folder: whole.to_owned(),
        };
        let text = serde_json::json!(new).to_string() + "\n";
        write_beside(&self.folder.join(IDENTITY), text.as_bytes())?;
        Ok(new.id)
    }
}

/// What the file in `folder` holds; `None` where there is none.
fn kept(folder: &Path) -> Result<Option<Kept>, TrackError> {
    let bytes = match read_below(folder, IDENTITY, SMALL) {
        Ok(bytes) => bytes,
        Err(error) if error.is_missing() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let kept = serde_json::from_slice::<Kept>(&bytes).ok();
    let is_id = |kept: &Kept| {
        kept.id.len() == DIGITS && kept.id.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let kept = kept.filter(is_id).ok_or_else(|| TrackError::Line {
        path: folder.join(IDENTITY),
        line: 1,
        why: format!("it holds no id of {DIGITS} hexadecimal digits"),
    })?;
    Ok(Some(kept))
}

/// The same, of a folder that may be anything.
fn other(folder: &Path) -> Option<Kept> {
    kept(folder).ok().flatten()
}

impl Known {
    /// What the run is called: `name`, or else the experiment's, and the run's folder, which trials of a sweep
    /// differ in.
    pub(crate) fn title(&self, name: Option<&str>) -> String {
        format!("{}/{}", name.unwrap_or(&self.name), self.folder)
    }
}

/// An id that no other run has. It hangs on the clock, and no number of the run hangs on it.
fn new_id(folder: &Path) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let of = format!(
        "{}\n{}\n{}",
        folder.display(),
        process::id(),
        now.unwrap_or_default().as_nanos()
    );
    let digest = format!("{:x}", Sha256::digest(of));
    digest.chars().take(DIGITS).collect()
}
