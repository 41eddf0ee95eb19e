//! Pictures of a run as PNG files.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use afterimage_files::{SMALL, below, read_below};
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
    /// Pictures that could not be written, with their bytes, in order.
    waiting: VecDeque<(ImageLine, Vec<u8>)>,
    /// Pictures beyond those that may wait.
    lost: u64,
}

/// Bytes of pictures that wait at most.
const MOST: usize = 256 << 20;

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
            let lines = read_images(run)?;
            let (kept, stale): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.step <= step);
            for line in stale {
                if kept.iter().any(|earlier| earlier.file == line.file) {
                    continue;
                }
                match below(run, Path::new(IMAGES).join(&line.file)) {
                    Ok(file) => {
                        fs::remove_file(&file).map_err(TrackError::io("remove", &file))?;
                    }
                    Err(error) if error.is_missing() => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(Self {
            root,
            index: Lines::open(path, resume_step)?,
            tags: BTreeMap::new(),
            waiting: VecDeque::new(),
            lost: 0,
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
        let file = format!("{folder}/epoch-{:04}.png", record.epoch);
        let Record {
            tag,
            epoch,
            step,
            author,
            ..
        } = record.clone();
        let line = ImageLine {
            tag,
            epoch,
            step,
            author,
            file,
            width,
            height,
        };
        let wait: usize = self.waiting.iter().map(|(_, bytes)| bytes.len()).sum();
        if wait + bytes.len() > MOST
            && let Err(error) = self.drain()
        {
            self.lost += 1;
            return Err(error);
        }
        self.waiting.push_back((line, bytes));
        self.drain()
    }

    /// Writes the pictures that wait, in order, until one cannot be written.
    fn drain(&mut self) -> io::Result<()> {
        while let Some((line, bytes)) = self.waiting.front() {
            let path = self.root.join(&line.file);
            if let Some(folder) = path.parent() {
                files::make_folder(folder)?;
            }
            files::write_beside(&path, bytes)?;
            if let Some((line, _)) = self.waiting.pop_front() {
                self.index.push(&line)?;
            }
        }
        Ok(())
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
        self.drain()?;
        self.index.flush()
    }

    fn lost(&self) -> Option<u64> {
        Some(self.lost + self.index.lost())
    }
}

/// Reads the list of the pictures of the run directory `run`; without pictures it is empty.
///
/// # Errors
/// A line that is no record, apart from a torn last one; a line whose file is no picture below the
/// folder of pictures.
pub fn read_images(run: &Path) -> Result<Vec<ImageLine>, TrackError> {
    let path = run.join(IMAGES).join(INDEX);
    let lines: Vec<ImageLine> = read_lines(&path)?;
    for (index, line) in lines.iter().enumerate() {
        let why = match below(run, Path::new(IMAGES).join(&line.file)) {
            Ok(_) if line.file.ends_with(".png") => continue,
            Err(error) if error.is_missing() && line.file.ends_with(".png") => continue,
            Err(error) if !error.is_missing() => error.to_string(),
            _ => format!("{:?} is no PNG file", line.file),
        };
        return Err(TrackError::Line {
            path,
            line: index + 1,
            why,
        });
    }
    Ok(lines)
}

/// The bytes of a picture of the run directory `run`.
///
/// # Errors
/// A file outside of the folder of pictures, one that is no PNG file, or none.
pub(crate) fn read_picture(run: &Path, file: &str) -> Result<Vec<u8>, TrackError> {
    let bytes = read_below(run, Path::new(IMAGES).join(file), SMALL)?;
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(bytes)
    } else {
        Err(TrackError::malformed(file, "this is no PNG file"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A run with one picture of step 9 that is recorded under `file`.
    fn run_with(file: &str) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().join("run");
        fs::create_dir_all(run.join("images/x")).unwrap();
        fs::write(place.path().join("victim.png"), "precious").unwrap();
        fs::write(run.join("images/x/epoch-0001.png"), "old").unwrap();
        let line = ImageLine {
            tag: "x".to_owned(),
            epoch: 1,
            step: 9,
            author: "a".to_owned(),
            file: file.to_owned(),
            width: 1,
            height: 1,
        };
        let text = serde_json::to_string(&line).unwrap() + "\n";
        fs::write(run.join("images/index.jsonl"), text).unwrap();
        place
    }

    #[test]
    fn a_listed_file_outside_is_neither_removed_nor_read() {
        let outside = tempfile::tempdir().unwrap();
        let absolute = outside.path().join("victim.png");
        fs::write(&absolute, "precious").unwrap();
        for file in [
            "../../victim.png",
            "x/../../../victim.png",
            absolute.to_str().unwrap(),
        ] {
            let place = run_with(file);
            let run = place.path().join("run");
            let refused = Images::create(&run, Some(1)).err().unwrap().to_string();
            assert!(refused.contains("index.jsonl:1: "), "{refused}");
            assert!(read_images(&run).is_err() && read_picture(&run, file).is_err());
            assert!(absolute.exists() && place.path().join("victim.png").exists());
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_out_is_refused() {
        let place = run_with("x/out.png");
        let run = place.path().join("run");
        std::os::unix::fs::symlink("../../../victim.png", run.join("images/x/out.png")).unwrap();
        assert!(Images::create(&run, Some(1)).is_err());
        assert!(read_picture(&run, "x/out.png").is_err());
    }

    #[test]
    fn a_picture_of_a_later_step_is_removed_and_one_that_is_gone_is_no_error() {
        for file in ["x/epoch-0001.png", "x/epoch-0002.png"] {
            let place = run_with(file);
            let run = place.path().join("run");
            assert!(Images::create(&run, Some(1)).is_ok());
            let left = run.join("images/x/epoch-0001.png").exists();
            assert_eq!(left, file != "x/epoch-0001.png");
        }
    }
}
