//! A CSV list of image files.

use std::path::{Path, PathBuf};

use afterimage_files::below;
use afterimage_table::{FileError, TextFile, line_at};
use rayon::prelude::*;

use super::folder::Scale;
use super::lazy::{HeldOut, Labels, Listed, assemble};
use crate::catalogue::{Bytes, Catalogue, Form, Names};
use crate::check::OnBad;
use crate::dataset::DataSet;
use crate::error::{DataError, Problems};
use crate::names::NameList;

/// How a list is read.
pub(crate) struct List<'a> {
    pub(crate) file: &'a Path,
    /// The folder that paths are below.
    pub(crate) dir: Option<&'a Path>,
    pub(crate) path: &'a str,
    pub(crate) label: Option<&'a str>,
    pub(crate) split: Option<&'a str>,
    pub(crate) hold_out_every: usize,
    pub(crate) scale: Scale,
    pub(crate) on_bad: OnBad,
}

/// What the lines say.
struct Lines {
    names: NameList,
    labels: Option<NameList>,
    held_out: Option<Vec<u32>>,
}

impl List<'_> {
    /// Reads the list and looks for its files; none is decoded.
    pub(crate) fn load(&self, notes: &mut Vec<String>) -> Result<DataSet, DataError> {
        let lines = self.lines()?;
        let root = match self.dir {
            Some(dir) => dir.to_owned(),
            None => self.file.parent().map_or_else(PathBuf::new, Path::to_owned),
        };
        let sizes = self.sizes(&root, &lines.names)?;
        let labels = match &lines.labels {
            None => Labels::None,
            Some(texts) => {
                Labels::of_texts((0..texts.len()).map(|at| texts.get(at).unwrap_or_default()))
            }
        };
        let names = Names::Files(lines.names);
        let form = Form::Encoded(self.scale);
        let listed = Listed {
            catalogue: Catalogue::new(&root, names, Bytes::Files(sizes), form)?,
            labels,
        };
        let held_out = match lines.held_out {
            Some(items) => HeldOut::Items(items),
            None => HeldOut::Every(self.hold_out_every),
        };
        assemble(self.file, listed, held_out, self.on_bad, notes)
    }

    fn lines(&self) -> Result<Lines, DataError> {
        let wrong = |reason: String| DataError::format(self.file, reason);
        let (file, delimiter) = TextFile::table(self.file).map_err(|error| match error {
            FileError::Io { source, .. } => DataError::read(self.file, source),
            other => wrong(other.to_string()),
        })?;
        let mut reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .from_reader(file);
        let header = reader
            .headers()
            .map_err(|error| wrong(error.to_string()))?
            .clone();
        let column =
            |key: &str, name: &str| {
                header.iter().position(|word| word.trim() == name).ok_or_else(|| {
                let columns: Vec<&str> = header.iter().collect();
                wrong(format!(
                    "there is no column {name:?}, which data.{key} names; the columns are {}",
                    columns.join(", ")
                ))
            })
            };
        let path = column("path", self.path)?;
        let label = self.label.map(|name| column("label", name)).transpose()?;
        let split = self.split.map(|name| column("split", name)).transpose()?;
        let mut lines = Lines {
            names: NameList::default(),
            labels: label.map(|_| NameList::default()),
            held_out: split.map(|_| Vec::new()),
        };
        for (at, record) in (0u32..).zip(reader.records()) {
            let record = record.map_err(|error| wrong(error.to_string()))?;
            let line = || {
                let start = record.position().map_or(0, csv::Position::byte);
                line_at(self.file, start).unwrap_or(0)
            };
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            if cell(path).is_empty() {
                return Err(wrong(format!("line {} has no path", line())));
            }
            lines.names.push(cell(path));
            if let (Some(labels), Some(label)) = (&mut lines.labels, label) {
                if cell(label).is_empty() {
                    return Err(wrong(format!("line {} has no label", line())));
                }
                labels.push(cell(label));
            }
            if let (Some(held_out), Some(split)) = (&mut lines.held_out, split) {
                match cell(split) {
                    "train" => {}
                    "held_out" | "test" | "val" | "valid" | "validation" => held_out.push(at),
                    other => {
                        return Err(wrong(format!(
                            "line {}: the split is {other:?}; it is \"train\", or \"held_out\", \
                             \"test\", \"val\", \"valid\" or \"validation\" for what is held out",
                            line()
                        )));
                    }
                }
            }
        }
        let (all, held) = (lines.names.len(), lines.held_out.as_ref().map(Vec::len));
        if all == 0 || held == Some(0) || held == Some(all) {
            return Err(wrong(format!(
                "it lists {all} images{}; both training and held-out images are needed",
                held.map_or(String::new(), |held| format!(", {held} of them held out"))
            )));
        }
        Ok(lines)
    }

    /// Bytes of each file; all that cannot be had are told at once.
    fn sizes(&self, root: &Path, names: &NameList) -> Result<Vec<u64>, DataError> {
        let found: Vec<Result<u64, String>> = (0..names.len())
            .into_par_iter()
            .map(|at| {
                let path = below(root, names.get(at).unwrap_or_default());
                let path = path.map_err(|error| error.reason())?;
                let about = std::fs::metadata(&path).map_err(|error| error.to_string())?;
                Ok(about.len())
            })
            .collect();
        let (mut sizes, mut faults) = (Vec::with_capacity(found.len()), Vec::new());
        for (at, size) in found.into_iter().enumerate() {
            match size {
                Ok(size) => sizes.push(size),
                Err(reason) => {
                    faults.push((PathBuf::from(names.get(at).unwrap_or_default()), reason));
                }
            }
        }
        match faults.is_empty() {
            true => Ok(sizes),
            false => Err(DataError::Files {
                folder: self.file.to_owned(),
                problems: Problems::new(faults),
            }),
        }
    }
}
