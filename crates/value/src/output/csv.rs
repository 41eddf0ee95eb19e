//! Results as CSV.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use csv::Writer;
use rayon::prelude::*;

use super::block::{Data, Sheet};
use super::create;
use crate::error::ValueError;

/// Rows that a thread writes at a time.
const ROWS: usize = 64;

pub(super) struct CsvFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl CsvFile {
    /// A file with the header of `sheet`.
    pub fn create(path: PathBuf, sheet: &Sheet) -> Result<Self, ValueError> {
        let mut file = BufWriter::new(create(&path)?);
        let mut header = Writer::from_writer(Vec::new());
        header
            .write_record(sheet.columns.iter().map(|(name, _)| name))
            .map_err(std::io::Error::other)
            .and_then(|()| header.into_inner().map_err(|error| error.into_error()))
            .and_then(|text| file.write_all(&text))
            .map_err(ValueError::io("write", &path))?;
        Ok(Self { path, file })
    }

    /// Adds the rows of `sheet`.
    pub fn write(&mut self, sheet: &Sheet) -> Result<(), ValueError> {
        let parts: Vec<std::io::Result<Vec<u8>>> = (0..sheet.rows.div_ceil(ROWS))
            .into_par_iter()
            .map(|part| text(sheet, part * ROWS..((part + 1) * ROWS).min(sheet.rows)))
            .collect();
        for part in parts {
            part.and_then(|text| self.file.write_all(&text))
                .map_err(ValueError::io("write", &self.path))?;
        }
        Ok(())
    }

    pub fn close(mut self) -> Result<(), ValueError> {
        self.file
            .flush()
            .map_err(ValueError::io("write", &self.path))
    }
}

fn text(sheet: &Sheet, rows: std::ops::Range<usize>) -> std::io::Result<Vec<u8>> {
    let mut writer = Writer::from_writer(Vec::new());
    let mut cell = Vec::new();
    for row in rows {
        for (_, data) in &sheet.columns {
            cell.clear();
            match data {
                Data::Whole(values) => write!(cell, "{}", values[row])?,
                Data::Single(values) if !values[row].is_nan() => write!(cell, "{}", values[row])?,
                Data::Double(values) if !values[row].is_nan() => write!(cell, "{}", values[row])?,
                Data::Single(_) | Data::Double(_) => {}
                Data::Text(values) => cell.extend_from_slice(values[row].as_bytes()),
            }
            writer.write_field(&cell).map_err(std::io::Error::other)?;
        }
        writer
            .write_record(None::<&[u8]>)
            .map_err(std::io::Error::other)?;
    }
    writer.into_inner().map_err(|error| error.into_error())
}
