//! What sources of images in files have in common: the files of a place, and what is held out.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use afterimage_files::open_input;

use super::folder::Scale;
use super::lazy::{HeldOut, Listed, assemble, folder};
use crate::catalogue::{Container, Form};
use crate::check::OnBad;
use crate::dataset::DataSet;
use crate::error::DataError;

/// Settings of a source whose images stay in their files.
pub(crate) struct Lazy<'a> {
    pub(crate) train: &'a Path,
    pub(crate) held_out: Option<&'a Path>,
    pub(crate) choice: Choice<'a>,
    pub(crate) on_bad: OnBad,
}

/// What is held out of the images of one place.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Choice<'a> {
    /// Every so many of each class.
    Every(usize),
    /// Those that a file names.
    Ids(&'a Path),
}

impl<'a> From<Choice<'a>> for HeldOut<'a> {
    fn from(choice: Choice<'a>) -> Self {
        match choice {
            Choice::Every(every) => Self::Every(every),
            Choice::Ids(path) => Self::Ids(path),
        }
    }
}

impl Lazy<'_> {
    /// The images that `list` finds in each place.
    pub(super) fn load(
        &self,
        notes: &mut Vec<String>,
        mut list: impl FnMut(&Path, &mut Vec<String>) -> Result<Listed, DataError>,
    ) -> Result<DataSet, DataError> {
        let train = list(self.train, notes)?;
        let held_out = self.held_out.map(|place| list(place, notes)).transpose()?;
        self.assemble(train, held_out, notes)
    }

    /// The data set of images that are listed.
    pub(super) fn assemble(
        &self,
        train: Listed,
        held_out: Option<Listed>,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        let held_out = match held_out {
            Some(listed) => HeldOut::Listed(Box::new(listed)),
            None => self.choice.into(),
        };
        assemble(self.train, train, held_out, self.on_bad, notes)
    }

    /// A folder of class folders, or a flat one.
    pub(crate) fn folder(
        &self,
        scale: Scale,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        self.load(notes, |place, notes| {
            folder(place, Form::Encoded(scale), notes)
        })
    }
}

/// The files of `place` that end in `extension`, in the order of their names: one file, those of a
/// folder, or those whose names fit a last part with a `*`. With the folder that they are in.
pub(super) fn files(place: &Path, extension: &str) -> Result<(PathBuf, Vec<Container>), DataError> {
    let name = super::bytes::file_name(place);
    if let Some((before, behind)) = name.split_once('*') {
        let folder = place.parent().filter(|folder| *folder != Path::new(""));
        let (folder, mut files) = files(folder.unwrap_or(Path::new(".")), extension)?;
        files.retain(|file| {
            let name = super::bytes::file_name(&file.path);
            let rest = name.strip_prefix(before);
            rest.is_some_and(|rest| rest.ends_with(behind))
        });
        return match files.is_empty() {
            true => Err(DataError::format(place, "no file has such a name")),
            false => Ok((folder, files)),
        };
    }
    if let Some(file) = container(place)? {
        let parent = place.parent().unwrap_or(Path::new(""));
        return Ok((parent.to_owned(), vec![file]));
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(place).map_err(|error| DataError::read(place, error))? {
        let path = entry.map_err(|error| DataError::read(place, error))?.path();
        let hidden = super::bytes::file_name(&path).starts_with('.');
        let fits = path
            .extension()
            .is_some_and(|e| e.eq_ignore_ascii_case(extension));
        if !fits || hidden {
            continue;
        }
        files.extend(container(&path)?);
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    if files.is_empty() {
        return Err(DataError::format(
            place,
            format!("the folder holds no file whose name ends in .{extension}"),
        ));
    }
    Ok((place.to_owned(), files))
}

/// The file `path` with its length; none for a folder. A pipe or a device is refused, as it has no length.
fn container(path: &Path) -> Result<Option<Container>, DataError> {
    match open_input(path).and_then(|file| file.metadata()) {
        Ok(about) => Ok(Some(Container {
            path: path.to_owned(),
            length: about.len(),
        })),
        Err(error) if error.kind() == ErrorKind::IsADirectory => Ok(None),
        Err(error) => Err(DataError::read(path, error)),
    }
}

/// Runs `read` for each of `files`, in parallel; the result is in their order, and so is the error.
pub(super) fn each<T: Send>(
    files: &[Container],
    read: impl Fn(&Container) -> Result<T, DataError> + Send + Sync,
) -> Result<Vec<T>, DataError> {
    use rayon::prelude::*;
    let found: Vec<_> = files.par_iter().map(read).collect();
    found.into_iter().collect()
}
