//! Tables as text: commas, semicolons or tabs.

use std::path::{Path, PathBuf};

use afterimage_table::{TextFile, blank_line, is_unnamed, line_at, shown_line};
use csv::{ByteRecord, ReaderBuilder};

use super::column::{RawTable, Role, Words, is_missing};
use super::header::{Below, seems_row};
use super::reading::Reading;
use super::select::roles;
use super::{Format, ReadOptions};
use crate::error::ValueError;

/// A table of text from its beginning on, and its delimiter.
fn open(path: &Path) -> Result<(TextFile, u8), ValueError> {
    TextFile::table(path).map_err(|error| ValueError::file("a table of text", path, error))
}

/// The delimiter of a text file.
pub(crate) fn delimiter(path: &Path) -> Result<u8, ValueError> {
    open(path).map(|(_, delimiter)| delimiter)
}

/// Refuses a file of labels alone in which a blank line stands for a cell.
pub(super) fn check_blank(path: &Path) -> Result<(), ValueError> {
    if unnamed(path)? > 0 {
        return Ok(());
    }
    let blank =
        blank_line(path).map_err(|error| ValueError::file("a table of text", path, error))?;
    match blank {
        None => Ok(()),
        Some(line) => Err(ValueError::Table {
            path: path.to_owned(),
            line: Some(line),
            column: None,
            what: "the label is missing, as the line is blank; fill it in, or remove the row"
                .to_owned(),
        }),
    }
}

/// The records of a text file with the places of mistakes.
pub(crate) struct Records {
    path: PathBuf,
    reader: csv::Reader<TextFile>,
}

impl Records {
    pub fn open(path: &Path) -> Result<Self, ValueError> {
        let (file, delimiter) = open(path)?;
        Ok(Self {
            path: path.to_owned(),
            reader: ReaderBuilder::new()
                .has_headers(false)
                .flexible(true)
                .delimiter(delimiter)
                .buffer_capacity(1 << 18)
                .from_reader(file),
        })
    }

    /// The next record; false at the end.
    pub fn next(&mut self, record: &mut ByteRecord) -> Result<bool, ValueError> {
        self.reader.read_byte_record(record).map_err(|error| {
            let start = error.position().map(csv::Position::byte);
            self.error(start, None, error.to_string())
        })
    }

    /// A mistake in this file, in the row that begins at byte `start`.
    pub fn error(&self, start: Option<u64>, column: Option<&str>, what: String) -> ValueError {
        ValueError::Table {
            path: self.path.clone(),
            line: start.and_then(|start| line_at(&self.path, start)),
            column: column.map(str::to_owned),
            what,
        }
    }

    fn check_width(&self, record: &ByteRecord, width: usize) -> Result<(), ValueError> {
        if record.len() == width {
            return Ok(());
        }
        let what = format!(
            "{} cells, where the first line has {width}; is a cell with the delimiter in it not \
             quoted?",
            record.len()
        );
        Err(self.error(start(record), None, what))
    }

    /// A cell without the space around it.
    fn text<'a>(&self, record: &'a ByteRecord, at: usize) -> Result<&'a str, ValueError> {
        let bytes = record.get(at).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let what = "not UTF-8; save the file in this encoding".to_owned();
            self.error(start(record), Some(&(at + 1).to_string()), what)
        })?;
        Ok(text.trim())
    }
}

/// The byte that a row begins at, or a blank line in front of it.
fn start(record: &ByteRecord) -> Option<u64> {
    record.position().map(csv::Position::byte)
}

/// The number of columns without names before the labels, as pandas writes the index of a series.
///
/// # Errors
/// A file that cannot be read; other columns beside the labels.
pub(super) fn unnamed(path: &Path) -> Result<usize, ValueError> {
    let mut records = Records::open(path)?;
    let mut record = ByteRecord::new();
    if !records.next(&mut record)? {
        return Ok(0);
    }
    let first = record.len().saturating_sub(1);
    for at in 0..first {
        if !is_unnamed(records.text(&record, at)?) {
            let what = format!("a file of labels has one column; this has {}", first + 1);
            return Err(records.error(None, None, what));
        }
    }
    Ok(first)
}

/// What is told of numbers that begin with zeros.
fn padded(names: &[String], columns: &[Reading]) -> Vec<String> {
    let told = |(name, column): (&String, &Reading)| {
        match column {
        Reading::Numbers(_, _, tally) => tally.padded.as_ref().map(|text| {
            format!(
                "column `{name}` has numbers such as `{text}`, as codes are written, and is taken for \
                 numbers; say --categorical {name} if they are names"
            )
        }),
        _ => None,
    }
    };
    names.iter().zip(columns).filter_map(told).collect()
}

/// Whether the first line, `names`, may as well be a row.
fn is_doubtful(names: &[String], roles: &[Role], columns: &[Reading]) -> bool {
    // What stands over classes and is none of them is their name.
    let named = roles
        .iter()
        .zip(columns)
        .zip(names)
        .any(|((role, column), name)| {
            let Reading::Words(words) = column else {
                return false;
            };
            *role == Role::Label && !words.are_numbers() && !words.has(name)
        });
    let below: Vec<Below> = names.iter().zip(columns).map(Reading::below).collect();
    !named && seems_row(names, &below)
}

/// What is asked of a first line that may be a row.
fn doubt(names: &[String]) -> String {
    format!(
        "the first line, `{}`, may name the columns or be a row; say --header or --no-header",
        shown_line(names.iter().map(String::as_str))
    )
}

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<RawTable, ValueError> {
    let mut records = Records::open(path)?;
    let mut record = ByteRecord::new();
    if !records.next(&mut record)? {
        return Err(records.error(None, None, "the file is empty".to_owned()));
    }
    let names = if options.header {
        let name = |at: usize| records.text(&record, at).map(str::to_owned);
        (0..record.len()).map(name).collect::<Result<Vec<_>, _>>()?
    } else {
        (1..=record.len()).map(|n| n.to_string()).collect()
    };
    let roles = roles(path, Format::Csv, &names, options)?;
    let mut columns: Vec<Reading> = roles.iter().map(|&role| Reading::new(role)).collect();
    let mut starts = Vec::new();
    let mut more = if options.header {
        records.next(&mut record)?
    } else {
        true
    };
    while more {
        records.check_width(&record, names.len())?;
        let start = start(&record);
        for (at, column) in columns.iter_mut().enumerate() {
            if !matches!(column, Reading::Ignored) {
                column.take(records.text(&record, at)?, start, options);
            }
        }
        starts.push(start.unwrap_or(0));
        more = records.next(&mut record)?;
    }
    for (name, column) in names.iter().zip(&columns) {
        column.check(name, &records)?;
    }
    if columns
        .iter()
        .any(|column| matches!(column, Reading::Late(_)))
    {
        read_late(path, options, &names, &mut columns)?;
    }
    if options.header && !options.header_told && is_doubtful(&names, &roles, &columns) {
        return Err(records.error(None, None, doubt(&names)));
    }
    // First columns without names are the index that pandas writes.
    let mut before = options.header;
    let index = names
        .iter()
        .map(|name| {
            before &= is_unnamed(name);
            before
        })
        .collect();
    Ok(RawTable {
        notes: padded(&names, &columns),
        names,
        roles,
        columns: columns.into_iter().map(Reading::finish).collect(),
        index,
        format: Format::Csv,
        starts,
    })
}

/// Reads the columns that turned out to hold texts again, so that the texts of their numbers are
/// those of the file, whichever row showed it.
fn read_late(
    path: &Path,
    options: &ReadOptions,
    names: &[String],
    columns: &mut [Reading],
) -> Result<(), ValueError> {
    let late: Vec<usize> = (0..columns.len())
        .filter(|&at| matches!(columns[at], Reading::Late(_)))
        .collect();
    let mut words = vec![Words::default(); late.len()];
    let mut records = Records::open(path)?;
    let mut record = ByteRecord::new();
    if options.header {
        records.next(&mut record)?;
    }
    while records.next(&mut record)? {
        for (words, &at) in words.iter_mut().zip(&late) {
            let text = records.text(&record, at)?;
            words.take(text, is_missing(text, options));
        }
    }
    for (at, words) in late.into_iter().zip(words) {
        if let Reading::Late(tally) = &columns[at] {
            tally.check_word(&names[at], &words, &records)?;
        }
        columns[at] = Reading::Words(words);
    }
    Ok(())
}
