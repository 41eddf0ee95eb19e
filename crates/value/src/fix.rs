//! Proposed repairs: a copy of the table in which suspicious cells are empty or filled in.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter};
use std::path::Path;

use afterimage_table::{date, days};
use csv::{ByteRecord, Writer, WriterBuilder};

use crate::error::ValueError;
use crate::formula::Formulas;
use crate::lowest::Ranked;
use crate::problem::{Cells, NO_LEVEL, Problem, Target};
use crate::table::{Format, ReadOptions, ReadTable, Records, delimiter};

/// The repaired copy.
pub const FIXED_CSV: &str = "fixed.csv";
/// What was changed in it.
pub const FIXES_CSV: &str = "fixes.csv";

/// What is put in place of a suspicious cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Nothing: the cell becomes a missing one.
    Blank,
    /// The median of the column, or its most frequent category; without regard to the label, so
    /// that the label does not leak into the cell.
    Impute,
}

/// Writes `fixed.csv`, a copy of the table in `path` with `cells` replaced, and `fixes.csv`, one
/// line for each of them: row, column, what was there, what is there now, value, distance.
///
/// Of a CSV file all other cells are copied as they are. Of Parquet and npy files the columns that
/// were read are written. Tells what a spreadsheet would run in the copy.
///
/// # Errors
/// A table that cannot be read again, a full disk.
pub fn write_fixes(
    folder: &Path,
    path: &Path,
    options: &ReadOptions,
    table: &ReadTable,
    cells: &[Ranked],
    repair: Repair,
) -> Result<Formulas, ValueError> {
    let mut by_row: BTreeMap<usize, Vec<&Ranked>> = BTreeMap::new();
    for cell in cells {
        by_row.entry(cell.row).or_default().push(cell);
    }
    let fills: Vec<String> = table
        .problem
        .columns()
        .iter()
        .map(|column| match repair {
            Repair::Blank => String::new(),
            Repair::Impute => typical(&column.cells),
        })
        .collect();
    // Dates are numbers of days where they were read from text, and are written as dates again.
    let dates: BTreeMap<usize, String> = fills
        .iter()
        .enumerate()
        .filter_map(|(at, fill)| Some((at, date(fill.parse().ok()?))))
        .collect();
    let fixed = folder.join(FIXED_CSV);
    let mut out = Copy::create(
        &fixed,
        if Format::of(path) == Format::Csv {
            delimiter(path)?
        } else {
            b','
        },
    )?;
    let mut log = Copy::create(&folder.join(FIXES_CSV), b',')?;
    log.write(["row", "column", "was", "is", "value", "value:se", "z"])?;
    let mut note = |cell: &Ranked, was: &str, is: &str| {
        let name = &table.problem.columns()[cell.column].name;
        log.write([
            (cell.row + 1).to_string().as_str(),
            name,
            was,
            is,
            &number(cell.value),
            &number(cell.error),
            &number(cell.z),
        ])
    };
    if Format::of(path) == Format::Csv {
        let mut records = Records::open(path)?;
        let mut record = ByteRecord::new();
        if options.header && records.next(&mut record)? {
            out.write(record.iter())?;
        }
        let mut row = 0;
        while records.next(&mut record)? {
            let Some(cells) = by_row.get(&row) else {
                out.write(record.iter())?;
                row += 1;
                continue;
            };
            let mut fields: Vec<&[u8]> = record.iter().collect();
            for cell in cells {
                let at = table.position[cell.column];
                let was = String::from_utf8_lossy(fields[at]);
                let fill = match dates.get(&cell.column) {
                    Some(date) if days(was.trim()).is_some() => date,
                    _ => &fills[cell.column],
                };
                note(cell, &was, fill)?;
                fields[at] = fill.as_bytes();
            }
            out.write(fields)?;
            row += 1;
        }
    } else {
        let problem = &table.problem;
        let names = problem.columns().iter().map(|column| column.name.as_str());
        let id = problem.ids().map(|_| table.id.as_deref().unwrap_or("id"));
        out.write(id.into_iter().chain(names).chain(["label"]))?;
        for row in 0..problem.rows() {
            let mut fields: Vec<String> =
                problem.ids().iter().map(|ids| ids[row].clone()).collect();
            let first = fields.len();
            fields.extend(problem.columns().iter().map(|c| text(&c.cells, row)));
            for cell in by_row.get(&row).into_iter().flatten() {
                let field = &mut fields[first + cell.column];
                note(cell, field, &fills[cell.column])?;
                field.clone_from(&fills[cell.column]);
            }
            fields.push(label(problem, row));
            out.write(&fields)?;
        }
    }
    log.close()?;
    out.close()
}

/// The label of a row as text.
pub fn label(problem: &Problem, row: usize) -> String {
    match problem.target() {
        Target::Classes { codes, names } => names[codes[row] as usize].clone(),
        Target::Numbers(values) => values[row].to_string(),
    }
}

/// A cell as text; empty where it is missing.
pub fn text(cells: &Cells, row: usize) -> String {
    match cells {
        Cells::Numbers(values) if values[row].is_nan() => String::new(),
        Cells::Numbers(values) => values[row].to_string(),
        Cells::Levels { codes, names } => {
            let name = names.get(codes[row] as usize);
            name.cloned().unwrap_or_default()
        }
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        String::new()
    } else {
        (value as f32).to_string()
    }
}

fn typical(cells: &Cells) -> String {
    match cells {
        Cells::Numbers(values) => {
            let mut finite: Vec<f32> = values.iter().copied().filter(|v| v.is_finite()).collect();
            let middle = finite.len() / 2;
            if finite.is_empty() {
                return String::new();
            }
            let (_, &mut median, _) = finite.select_nth_unstable_by(middle, f32::total_cmp);
            median.to_string()
        }
        Cells::Levels { codes, names } => {
            let mut counts = vec![0usize; names.len()];
            for &code in codes.iter().filter(|&&code| code != NO_LEVEL) {
                counts[code as usize] += 1;
            }
            let most = (0..names.len()).max_by_key(|&at| (counts[at], std::cmp::Reverse(at)));
            most.map(|at| names[at].clone()).unwrap_or_default()
        }
    }
}

/// A CSV file that is written.
struct Copy {
    path: std::path::PathBuf,
    writer: Writer<BufWriter<File>>,
    formulas: Formulas,
}

impl Copy {
    fn create(path: &Path, delimiter: u8) -> Result<Self, ValueError> {
        let file = File::create(path).map_err(ValueError::io("create", path))?;
        Ok(Self {
            path: path.to_owned(),
            formulas: Formulas::default(),
            writer: WriterBuilder::new()
                .delimiter(delimiter)
                .flexible(true)
                .from_writer(BufWriter::new(file)),
        })
    }

    fn write<T: AsRef<[u8]>>(
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

    fn close(mut self) -> Result<Formulas, ValueError> {
        self.writer
            .flush()
            .map_err(ValueError::io("write", &self.path))?;
        Ok(self.formulas)
    }
}
