//! What can be wrong with a table, a setting, or a file that results go to.

use std::io;
use std::path::{Path, PathBuf};

use afterimage_table::FileError;
use thiserror::Error;

/// Why a table cannot be valued, or its values not be written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ValueError {
    /// A table of one row or none.
    #[error("the table has {rows} rows; values come from comparing rows, so give it some hundreds")]
    TooFewRows {
        /// Rows of the table.
        rows: usize,
    },
    /// Labels alone.
    #[error("there is no column beside the label; nothing can be valued")]
    NoColumns,
    /// Constant columns only.
    #[error("every column beside the label is constant; nothing can be learned from them")]
    AllConstant,
    /// Columns of different lengths.
    #[error("`{column}` has {length} rows and the labels have {rows}; give one of each a row")]
    Lengths {
        /// The column.
        column: String,
        /// Its rows.
        length: usize,
        /// The rows of the labels.
        rows: usize,
    },
    /// Labels that are all the same.
    #[error(
        "all labels are `{class}`; a value says how well others predict a label, so two are needed"
    )]
    OneClass {
        /// The label.
        class: String,
    },
    /// More classes than a model can tell apart.
    #[error(
        "the labels have {classes} classes; is the label column an id? For numbers use --task regression"
    )]
    TooManyClasses {
        /// Number of classes.
        classes: usize,
    },
    /// A label that is infinite or not a number.
    #[error("the label of row {row} is not finite; correct it or remove the row")]
    LabelNotFinite {
        /// The row, from 1.
        row: usize,
    },
    /// A place of results that is no folder.
    #[error("{}: this is no folder; choose another with --out", path.display())]
    NoFolder {
        /// The place.
        path: PathBuf,
    },
    /// An id that names two rows.
    #[error("the id `{id}` names more than one row; ids must be different")]
    RepeatedId {
        /// The id.
        id: String,
    },
    /// A setting outside of its range.
    #[error("{0}")]
    Setting(String),
    /// A table file whose content is wrong.
    #[error("{}: {what}", place(path, *line, column))]
    Table {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: Option<u64>,
        /// The column.
        column: Option<String>,
        /// What is wrong, and what to do.
        what: String,
    },
    /// Another table than the one whose columns a run values.
    #[error(
        "{}: this is not the table that the run began with; put that one back, or begin a new run",
        path.display()
    )]
    OtherTable {
        /// The file.
        path: PathBuf,
    },
    /// A column that a table does not have, or has several times.
    #[error("{}: {what}", path.display())]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The flag that names the column.
        flag: &'static str,
        /// What is wrong, and which columns there are.
        what: String,
    },
    /// More memory than allowed.
    #[error(
        "this needs about {need} of memory and the limit is {limit}; raise --memory, or lower \
         --learners or --bins"
    )]
    Memory {
        /// What is needed.
        need: String,
        /// What is allowed.
        limit: String,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {why}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why not.
        why: String,
    },
    /// Somebody asked for an end of the work.
    #[error("the valuation was stopped before its end")]
    Stopped,
    /// Results would be mixed with what is there.
    #[error("{}: the folder is not empty; choose another with --out, or empty it", path.display())]
    NotEmpty {
        /// The folder.
        path: PathBuf,
    },
    /// A file that cannot be read or written.
    #[error("{}: cannot {verb}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        verb: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl ValueError {
    /// A wrapper for errors of files: `.map_err(ValueError::io("open", path))`.
    pub fn io(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| ValueError::Io { path, verb, source }
    }

    /// The error of a file that is to be of `kind`, as in "an npy file".
    pub(crate) fn file(kind: &str, path: &Path, error: FileError) -> Self {
        let (column, what) = match error {
            FileError::Io { verb, source } => return ValueError::io(verb, path)(source),
            FileError::Kind(what) => (None, format!("not {kind}: {what}")),
            FileError::Content { column, what } => (column, what),
        };
        ValueError::Table {
            path: path.to_owned(),
            line: None,
            column,
            what,
        }
    }

    /// True if the user can mend it by other arguments or another table; false if the machine
    /// failed.
    pub fn is_users(&self) -> bool {
        match self {
            ValueError::Threads { .. } | ValueError::Stopped => false,
            ValueError::Io { verb, .. } => *verb == "open",
            _ => true,
        }
    }
}

fn place(path: &Path, line: Option<u64>, column: &Option<String>) -> String {
    let mut place = path.display().to_string();
    if let Some(line) = line {
        place += &format!(", line {line}");
    }
    if let Some(column) = column {
        place += &format!(", column `{column}`");
    }
    place
}
