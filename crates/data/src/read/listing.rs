//! What lies in an image folder: classes, their image files, and what is passed over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::ImageFormat;

use crate::error::{DataError, shown};

/// Classes by name in order, each with its files in order.
pub(super) type Listing = Vec<(String, Vec<PathBuf>)>;

/// The class of images that lie in no class folder. No folder has this name.
pub(super) const UNLABELLED: &str = "";

/// How many files that were passed over are named.
const NAMED: usize = 5;

/// The class folders of `root` with their image files, both in name order.
///
/// Hidden entries are passed over. So are files without an image's extension, which are counted in
/// `notes`. A link is followed where it leads to a file out of `root`; one that leads to a file
/// inside is a duplicate and is passed over.
///
/// A folder without class folders that holds images itself is one class, [`UNLABELLED`].
pub(super) fn list(root: &Path, notes: &mut Vec<String>) -> Result<Listing, DataError> {
    let real_root = std::fs::canonicalize(root).map_err(|e| DataError::read(root, e))?;
    let mut walk = Walk {
        real_root,
        seen: BTreeSet::new(),
        strangers: Vec::new(),
        links: Vec::new(),
    };
    let mut classes = Listing::new();
    let mut empty = Vec::new();
    for path in entries(root)? {
        if !path.is_dir() {
            walk.strangers.push(path);
        } else if walk.is_duplicate(&path)? {
            walk.links.push(path);
        } else {
            let class = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let mut files = Vec::new();
            walk.collect(&path, &mut files)?;
            if files.is_empty() {
                empty.push(path);
            } else {
                classes.push((class, files));
            }
        }
    }
    if let Some((first, others)) = empty.split_first() {
        return Err(DataError::format(first, walk.nothing_in(others)));
    }
    if classes.is_empty() {
        walk.strangers.clear();
        let mut files = Vec::new();
        walk.collect(root, &mut files)?;
        if !files.is_empty() {
            classes.push((UNLABELLED.to_owned(), files));
        }
    }
    if classes.is_empty() {
        return Err(DataError::format(
            root,
            "the folder holds no class folders and no image files; put the images of each class into a \
             folder of its name, or images without labels into the folder itself",
        ));
    }
    walk.tell(root, notes);
    Ok(classes)
}

/// State of the walk through a folder.
struct Walk {
    real_root: PathBuf,
    seen: BTreeSet<PathBuf>,
    /// Files that are no images by their names, files beside the class folders, and links to nowhere.
    strangers: Vec<PathBuf>,
    /// Links to what is there already, and to folders within a class.
    links: Vec<PathBuf>,
}

impl Walk {
    fn collect(&mut self, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
        for path in entries(folder)? {
            let is_image =
                ImageFormat::from_path(&path).is_ok_and(|format| format.reading_enabled());
            if path.is_dir() {
                if path.is_symlink() {
                    self.links.push(path);
                } else {
                    self.collect(&path, files)?;
                }
            } else if !path.is_file() || !is_image {
                self.strangers.push(path);
            } else if self.is_duplicate(&path)? {
                self.links.push(path);
            } else {
                files.push(path);
            }
        }
        Ok(())
    }

    /// Whether `path` is a link to something inside the root or to something seen before.
    fn is_duplicate(&mut self, path: &Path) -> Result<bool, DataError> {
        if !path.is_symlink() {
            return Ok(false);
        }
        let target = std::fs::canonicalize(path).map_err(|e| DataError::read(path, e))?;
        Ok(target.starts_with(&self.real_root) || !self.seen.insert(target))
    }

    /// What is wrong with a class folder without images, beside the `others`.
    fn nothing_in(&self, others: &[PathBuf]) -> String {
        let mut text = "the class folder holds no image file".to_owned();
        if !others.is_empty() {
            text.push_str(&format!("; nor do {}", named(others)));
        }
        if let Some(note) = self.strange() {
            text.push_str(&format!(" ({note})"));
        }
        text
    }

    /// A sentence about the files that are no images, if there are any.
    fn strange(&self) -> Option<String> {
        let files = match self.strangers.len() {
            0 => return None,
            1 => "1 file is no image that can be read".to_owned(),
            count => format!("{count} files are no images that can be read"),
        };
        Some(format!("{files}: {}", named(&self.strangers)))
    }

    /// Notes what was passed over.
    fn tell(&self, root: &Path, notes: &mut Vec<String>) {
        notes.extend(self.strange());
        let links = match self.links.len() {
            0 => return,
            1 => "1 link leads".to_owned(),
            count => format!("{count} links lead"),
        };
        notes.push(format!(
            "{links} to what is in {} already, or to a folder, and was passed over: {}",
            shown(root),
            named(&self.links)
        ));
    }
}

/// The first few of `paths`, and how many more there are.
fn named(paths: &[PathBuf]) -> String {
    let first: Vec<String> = paths.iter().take(NAMED).map(|path| shown(path)).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The entries of `folder` that are not hidden, in name order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::read(folder, e))? {
        let entry = entry.map_err(|e| DataError::read(folder, e))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
