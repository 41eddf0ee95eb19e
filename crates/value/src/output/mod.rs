//! Values as files: one line a row, in the order of the table.

mod block;
mod csv;
mod parquet;

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::ValueError;
use crate::formula::Formulas;
use crate::near::NearDuplicates;
use crate::pass::{Block, Visit};
use crate::table::ReadTable;
use crate::valuation::RowValue;
use crate::votes::Prediction;

use block::Sheet;

/// Values of rows.
pub const ROWS_CSV: &str = "rows.csv";
/// The same as Parquet.
pub const ROWS_PARQUET: &str = "rows.parquet";
/// Values of cells.
pub const CELLS_CSV: &str = "cells.csv";
/// The same as Parquet.
pub const CELLS_PARQUET: &str = "cells.parquet";

/// Writes `rows.csv` and `rows.parquet` into `folder`; tells what a spreadsheet would run in them and in
/// the files of the cells.
///
/// # Errors
/// A full disk, an unwritable folder.
pub fn write_rows(
    folder: &Path,
    table: &ReadTable,
    rows: &[RowValue],
    said: &[Prediction],
    near: &NearDuplicates,
) -> Result<Formulas, ValueError> {
    let sheet = Sheet::of_rows(table, rows, said, near);
    let mut text = csv::CsvFile::create(folder.join(ROWS_CSV), &sheet)?;
    let mut columns = parquet::ParquetFile::create(folder.join(ROWS_PARQUET), &sheet)?;
    text.write(&sheet)?;
    columns.write(&sheet)?;
    text.close()?;
    columns.close()?;
    Ok(Formulas::of_results(&table.problem, table.id.as_deref()))
}

/// Writes `cells.csv` and `cells.parquet`, block by block.
///
/// A line holds, after the number of the row and its id, five cells for each column of the table:
/// the values under the names of the columns, then counts (`NAME:count`), standard errors
/// (`NAME:se`), contrasts (`NAME:contrast`) and distances (`NAME:z`). Missing is empty in CSV and
/// null in Parquet.
pub struct CellFiles<'a> {
    table: &'a ReadTable,
    files: Option<(csv::CsvFile, parquet::ParquetFile)>,
    folder: PathBuf,
}

impl<'a> CellFiles<'a> {
    /// Files in `folder`.
    pub fn new(folder: &Path, table: &'a ReadTable) -> Self {
        Self {
            table,
            files: None,
            folder: folder.to_owned(),
        }
    }

    /// Ends the files.
    ///
    /// # Errors
    /// A full disk.
    pub fn close(self) -> Result<(), ValueError> {
        match self.files {
            Some((text, columns)) => {
                text.close()?;
                columns.close()
            }
            None => Ok(()),
        }
    }
}

impl Visit for CellFiles<'_> {
    fn visit(&mut self, block: &Block<'_>) -> Result<(), ValueError> {
        let sheet = Sheet::of_cells(self.table, block);
        let (text, columns) = match &mut self.files {
            Some(files) => files,
            files => files.insert((
                csv::CsvFile::create(self.folder.join(CELLS_CSV), &sheet)?,
                parquet::ParquetFile::create(self.folder.join(CELLS_PARQUET), &sheet)?,
            )),
        };
        let (written, stored) = rayon::join(|| text.write(&sheet), || columns.write(&sheet));
        written.and(stored)
    }
}

fn create(path: &Path) -> Result<File, ValueError> {
    File::create(path).map_err(ValueError::io("create", path))
}
