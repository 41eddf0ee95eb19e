//! A CSV file that is written.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use csv::{QuoteStyle, Writer, WriterBuilder};

use super::FIXED_CSV;
use crate::error::ValueError;
use crate::formula::Formulas;

/// A CSV file that is written.
pub(super) struct Copy {
    path: PathBuf,
    writer: Writer<BufWriter<File>>,
    formulas: Formulas,
}

impl Copy {
    /// A file with its first line. The delimiter is told by that line, so that cells in which another one
    /// stands are quoted there.
    pub fn begin(path: &Path, delimiter: u8, first: &[&[u8]]) -> Result<Self, ValueError> {
        let wrong = ValueError::io("write", path);
        let file = File::create(path).map_err(ValueError::io("create", path))?;
        let mut file = BufWriter::new(file);
        let others = [b',', b';', b'\t'].into_iter().filter(|d| *d != delimiter);
        let misled = first
            .iter()
            .any(|cell| others.clone().any(|other| cell.contains(&other)));
        let style = match misled {
            true => QuoteStyle::Always,
            false => QuoteStyle::Necessary,
        };
        let mut line = WriterBuilder::new()
            .delimiter(delimiter)
            .quote_style(style)
            .from_writer(Vec::new());
        let written = line
            .write_record(first)
            .map_err(io::Error::other)
            .and_then(|()| line.into_inner().map_err(|error| error.into_error()))
            .and_then(|line| file.write_all(&line));
        written.map_err(wrong)?;
        let mut formulas = Formulas::default();
        first.iter().for_each(|cell| formulas.look(FIXED_CSV, cell));
        Ok(Self {
            path: path.to_owned(),
            formulas,
            writer: WriterBuilder::new()
                .delimiter(delimiter)
                .flexible(true)
                .from_writer(file),
        })
    }

    pub fn write<T: AsRef<[u8]>>(
        &mut self,
        fields: impl IntoIterator<Item = T>,
    ) -> Result<(), ValueError> {
        let formulas = &mut self.formulas;
        let looked = fields.into_iter().inspect(|field| {
            formulas.look(FIXED_CSV, field.as_ref());
        });
        self.writer
            .write_record(looked)
            .map_err(|error| ValueError::io("write", &self.path)(io::Error::other(error)))
    }

    pub fn close(mut self) -> Result<Formulas, ValueError> {
        self.writer
            .flush()
            .map_err(ValueError::io("write", &self.path))?;
        Ok(self.formulas)
    }
}
