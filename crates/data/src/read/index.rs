//! A CSV list of image files.

use std::path::{Component, Path, PathBuf};

use afterimage_files::{below, plain};
use afterimage_table::line_at;
use rayon::prelude::*;

use super::folder::Scale;
use super::ids;
use super::lazy::{HeldOut, Labels, Listed, assemble};
use super::records::Records;
use super::shards::Choice;
use super::split::SplitColumn;
use crate::catalogue::{Bytes, Catalogue, Form, Names};
use crate::check::OnBad;
use crate::dataset::DataSet;
use crate::error::{DataError, Problems, told};
use crate::names::{NameList, SampleName};

/// How a list is read.
pub(crate) struct List<'a> {
    pub(crate) file: &'a Path,
    /// The folder that paths are below.
    pub(crate) dir: Option<&'a Path>,
    pub(crate) path: &'a str,
    pub(crate) label: Option<&'a str>,
    pub(crate) split: Option<&'a str>,
    pub(crate) held_out_value: Option<&'a str>,
    pub(crate) choice: Choice<'a>,
    pub(crate) scale: Scale,
    pub(crate) on_bad: OnBad,
}

/// What the lines say.
struct Lines {
    names: NameList,
    labels: Option<NameList>,
    held_out: Option<Vec<u32>>,
}

impl Lines {
    /// Two places of one file, one of them held out and the other not.
    fn in_both(&self) -> Option<(usize, usize)> {
        let held_out = self.held_out.as_ref()?;
        let mut is_held = vec![false; self.names.len()];
        held_out.iter().for_each(|&at| is_held[at as usize] = true);
        let name = |at: usize| {
            let name = self.names.get(at).unwrap_or_default();
            Path::new(name)
                .components()
                .filter(|part| *part != Component::CurDir)
        };
        let mut order: Vec<usize> = (0..self.names.len()).collect();
        order.sort_unstable_by(|&a, &b| name(a).cmp(name(b)).then(is_held[a].cmp(&is_held[b])));
        order
            .windows(2)
            .map(|pair| (pair[0], pair[1]))
            .find(|&(a, b)| is_held[a] != is_held[b] && name(a).eq(name(b)))
    }
}

impl List<'_> {
    /// Reads the list and looks for its files; none is decoded.
    pub(crate) fn load(&self, notes: &mut Vec<String>) -> Result<DataSet, DataError> {
        let lines = self.lines(notes)?;
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
            None => self.choice.into(),
        };
        assemble(self.file, listed, held_out, self.on_bad, notes)
    }

    fn lines(&self, notes: &mut Vec<String>) -> Result<Lines, DataError> {
        let wrong = |reason: String| DataError::format(self.file, reason);
        let records = Records::open(self.file)?;
        let header = records.header.clone();
        let column = |key: &str, name: &str| {
            let mut found = (0..header.len()).filter(|&at| header[at].trim() == name);
            match (found.next(), found.next()) {
                (Some(at), None) => Ok(at),
                (Some(_), Some(_)) => Err(wrong(format!(
                    "two columns have the name {name:?}, which data.{key} names; rename one of them"
                ))),
                (None, _) => Err(wrong(format!(
                    "there is no column {name:?}, which data.{key} names; the columns are {}",
                    told(&header)
                ))),
            }
        };
        let path = column("path", self.path)?;
        let label = self.label.map(|name| column("label", name)).transpose()?;
        let split = self.split.map(|name| column("split", name)).transpose()?;
        let mut lines = Lines {
            names: NameList::default(),
            labels: label.map(|_| NameList::default()),
            held_out: None,
        };
        let mut splits = self
            .split
            .map(|name| SplitColumn::new(name, self.held_out_value));
        for record in records {
            let record = record?;
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
            if let (Some(splits), Some(split)) = (&mut splits, split) {
                let pushed = splits.push(cell(split));
                pushed.map_err(|why| wrong(format!("line {}: {why}", line())))?;
            }
        }
        if lines.names.len() == 0 {
            return Err(wrong("it lists no images".to_owned()));
        }
        lines.held_out = match (splits, self.choice) {
            (Some(splits), _) => Some(splits.finish(notes).map_err(wrong)?),
            (None, Choice::Ids(path)) => {
                let names = &lines.names;
                let name = |at| names.get(at).map(|file| SampleName { file, member: None });
                Some(ids::numbers(path, names.len(), name)?)
            }
            (None, Choice::Every(_)) => None,
        };
        if let Some((one, other)) = lines.in_both() {
            let name = lines.names.get(one).unwrap_or_default();
            return Err(wrong(format!(
                "{} is listed for training and as held out, as its images {} and {}; what is held out must not be \
                 trained on: remove one of them",
                plain(name),
                one.min(other) + 1,
                one.max(other) + 1
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
