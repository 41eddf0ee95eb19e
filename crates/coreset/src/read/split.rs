//! Rows that are held out, as far as a file says which those are.

use std::collections::BTreeSet;
use std::path::Path;

use afterimage_table::{Cell, FileError, Kind, Parquet};

/// The column that says so.
pub(super) const SPLIT: &str = "split";
/// What it says of rows to train on.
const TRAIN: &str = "train";
/// The table that stands beside embeddings without names: the same rows.
const SAMPLES: &str = "samples.parquet";

/// Words of a split column.
struct Words {
    rows: usize,
    /// Rows that are not to be trained on, and what they are called.
    held_out: usize,
    names: BTreeSet<String>,
}

impl Words {
    fn of(file: &Parquet, at: usize) -> Result<Self, FileError> {
        let mut words = Self {
            rows: 0,
            held_out: 0,
            names: BTreeSet::new(),
        };
        file.read(at, |cell| {
            words.rows += 1;
            let Cell::Text(text) = cell else { return };
            if text != TRAIN {
                words.held_out += 1;
                words.names.insert(text.to_owned());
            }
        })?;
        Ok(words)
    }

    /// What is told where some rows are to be trained on and others are not.
    fn told(&self) -> Option<String> {
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        (self.held_out > 0 && self.held_out < self.rows).then(|| {
            format!(
                "{} of {} rows are held out ({}), and a coreset to train on is chosen out of rows to train on",
                self.held_out,
                self.rows,
                names.join(", ")
            )
        })
    }
}

/// Why nothing is chosen out of all rows of `file`: its column `split`, one of `places`, says that some are held
/// out.
pub(super) fn mixed(file: &Parquet, places: &[usize]) -> Result<Option<String>, FileError> {
    let is_split = |at: &&usize| {
        let column = &file.columns[**at];
        column.name == SPLIT && column.kind == Kind::Text
    };
    let Some(at) = places.iter().find(is_split) else {
        return Ok(None);
    };
    let told = Words::of(file, *at)?.told();
    Ok(told.map(|told| {
        format!(
            "column `{SPLIT}`: {told}; keep the rows of `{TRAIN}` alone in a file, or say --ignore {SPLIT} to \
             choose out of all"
        )
    }))
}

/// What the table beside the npy array at `path`, of `rows` rows, says of them, where it is one of the same rows.
pub(super) fn beside(path: &Path, rows: usize) -> Option<String> {
    let place = path.with_file_name(SAMPLES);
    let file = Parquet::open(&place).ok()?;
    let at = (file.columns.iter()).position(|column| column.name == SPLIT)?;
    if file.columns[at].kind != Kind::Text {
        return None;
    }
    let words = Words::of(&file, at).ok()?;
    let told = words.told().filter(|_| words.rows == rows)?;
    Some(format!(
        "{}: {} says that {told}; leave them out of the array, or take the choice for one out of all",
        path.display(),
        place.display()
    ))
}
