//! The columns of a table whose labels are somewhere else.

use std::path::{Path, PathBuf};

use super::assemble::{Parts, mistake, parts};
use super::{ReadOptions, raw};
use crate::error::ValueError;
use crate::problem::Column;

/// The columns of a table, without labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadColumns {
    /// The columns in the order of the file, at least one, but for those that are left out.
    pub columns: Vec<Column>,
    /// The column that names the rows, where one was asked for, and the name of each row: none is missing, and
    /// all are different.
    pub ids: Option<(String, Vec<String>)>,
    /// Columns that are taken for an index or for names of the rows, and left out though nobody asked for it.
    pub left_out: Vec<String>,
    /// Rows, at least 2.
    pub rows: usize,
    /// What the reader decided, and what the user may want to know.
    pub notes: Vec<String>,
    path: PathBuf,
    starts: Vec<u64>,
}

impl ReadColumns {
    /// A mistake in the file, at `row` (from 0) and `column` where it has them.
    pub fn error(&self, row: Option<usize>, column: Option<&str>, what: String) -> ValueError {
        mistake(&self.path, &self.starts, row, column, what)
    }
}

/// Reads the columns of the table in `path` as [`read_table`](super::read_table) does, by the same rules, where the
/// labels are elsewhere. A column of labels that `options` names is left out.
///
/// # Errors
/// As for [`read_table`](super::read_table), but for labels.
///
/// # Examples
/// ```
/// use afterimage_value::{LabelSource, ReadOptions, read_columns};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("about.csv");
/// std::fs::write(&path, "name,weight,site\na.png,2.5,north\nb.png,,south\n")?;
/// let options = ReadOptions {
///     id: Some("name".to_owned()),
///     ..ReadOptions::of(LabelSource::Elsewhere)
/// };
/// let read = read_columns(&path, &options)?;
/// let names: Vec<&str> = read.columns.iter().map(|column| column.name.as_str()).collect();
/// assert_eq!(names, ["weight", "site"]);
/// assert_eq!(read.ids, Some(("name".to_owned(), vec!["a.png".to_owned(), "b.png".to_owned()])));
/// # Ok(())
/// # }
/// ```
pub fn read_columns(path: &Path, options: &ReadOptions) -> Result<ReadColumns, ValueError> {
    let raw = raw(path, options)?;
    let names = raw.names.clone();
    let Parts {
        place,
        rows,
        features,
        ids,
        notes,
        ..
    } = parts(path, raw, options)?;
    if features.is_empty() {
        let what = "there is no column in it that can be valued".to_owned();
        return Err(place.error(None, None, what));
    }
    let kept = |name: &String| {
        features.iter().any(|feature| feature.name == *name)
            || ids.as_ref().is_some_and(|(id, _)| id == name)
            || options.ignore.contains(name)
    };
    let left_out = names.into_iter().filter(|name| !kept(name)).collect();
    Ok(ReadColumns {
        left_out,
        columns: features,
        ids,
        rows,
        notes,
        path: path.to_owned(),
        starts: place.starts,
    })
}
