//! Pictures of a run as PNG files.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use afterimage_hooks::{Measurement, Record, Sink};
use serde::{Deserialize, Serialize};

use crate::TrackError;
use crate::files::{self, IMAGES, folder_of};
use crate::jsonl::{Lines, read_lines};
use crate::tensorboard::png;

/// The list of pictures, in the folder of pictures.
const INDEX: &str = "index.jsonl";

/// A line of `images/index.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageLine {
    /// Slash-separated name.
    pub tag: String,
    /// Epochs finished.
    pub epoch: u32,
    /// Optimizer steps finished.
    pub step: u64,
    /// Id of the plugin that drew it, or `loop`.
    pub author: String,
    /// The PNG file, from the folder of pictures.
    pub file: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Writes pictures to `images/<tag with slashes as dots>/epoch-0007.png` in a run directory. Of
/// several pictures of one tag in one epoch the last one stays.
pub struct Images {
    root: PathBuf,
    index: Lines,
    /// Which tag a folder belongs to.
    tags: BTreeMap<String, String>,
}

impl Images {
    /// Opens the pictures of the run directory `run`.
    ///
    /// With `resume_step`, the step of the checkpoint that a resumed run goes on from, pictures of
    /// later steps are removed.
    ///
    /// # Errors
    /// Pictures of another run without `resume_step`, an unwritable folder.
    pub fn create(run: &Path, resume_step: Option<u64>) -> Result<Self, TrackError> {
        let root = run.join(IMAGES);
        fs::create_dir_all(&root).map_err(TrackError::io("make the folder", &root))?;
        let path = root.join(INDEX);
        if let Some(step) = resume_step {
            let lines: Vec<ImageLine> = read_lines(&path)?;
            let (kept, stale): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.step <= step);
            for line in stale {
                let file = root.join(&line.file);
                if file.exists() && !kept.iter().any(|earlier| earlier.file == line.file) {
                    fs::remove_file(&file).map_err(TrackError::io("remove", &file))?;
                }
            }
        }
        Ok(Self {
            root,
            index: Lines::open(path, resume_step)?,
            tags: BTreeMap::new(),
        })
    }

    fn take(&mut self, record: &Record, width: u32, height: u32, rgb: &[u8]) -> io::Result<()> {
        let bytes = png(&record.tag, width, height, rgb)?;
        let folder = folder_of(&record.tag);
        let owner = self
            .tags
            .entry(folder.clone())
            .or_insert_with(|| record.tag.clone());
        if *owner != record.tag {
            let why = format!("its folder `{folder}` belongs to `{owner}`; rename one of them");
            return Err(TrackError::malformed(&record.tag, why).into());
        }
        let at = self.root.join(&folder);
        fs::create_dir_all(&at).map_err(TrackError::io("make the folder", &at))?;
        let file = format!("{folder}/epoch-{:04}.png", record.epoch);
        files::write_beside(&self.root.join(&file), &bytes)?;
        let Record {
            tag,
            epoch,
            step,
            author,
            ..
        } = record.clone();
        self.index.push(&ImageLine {
            tag,
            epoch,
            step,
            author,
            file,
            width,
            height,
        })
    }
}

impl Sink for Images {
    fn name(&self) -> &str {
        "images"
    }

    fn write(&mut self, record: &Record) -> io::Result<()> {
        match &record.value {
            Measurement::Image { width, height, rgb } => self.take(record, *width, *height, rgb),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.index.flush()
    }
}

/// Reads the list of the pictures of the run directory `run`; without pictures it is empty.
///
/// # Errors
/// A line that is no record, apart from a torn last one.
pub fn read_images(run: &Path) -> Result<Vec<ImageLine>, TrackError> {
    read_lines(&run.join(IMAGES).join(INDEX))
}
