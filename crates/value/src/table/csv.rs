//! Tables as text: commas, semicolons or tabs.

use std::path::{Path, PathBuf};

use afterimage_table::{Number, Precision, TextFile, blank_line, days, is_unnamed, line_at, meant};
use csv::{ByteRecord, ReaderBuilder};

use super::column::{Raw, RawTable, Role, Words, is_missing};
use super::header::{Below, seems_row};
use super::select::roles;
use super::{Format, ReadOptions};
use crate::error::ValueError;

/// Fewer texts than this among numbers are taken for mistakes rather than for categories.
const STRAY_SHARE: f64 = 0.1;

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

/// How many cells of a column are numbers and texts, and the first text.
#[derive(Debug, Default)]
struct Tally {
    numbers: usize,
    texts: usize,
    first: Option<(Option<u64>, String)>,
    /// How many of the texts are no dates.
    no_dates: usize,
    /// Whether one of the texts is another than the first.
    several: bool,
    /// The first number that begins with a zero, as codes do.
    padded: Option<String>,
}

impl Tally {
    fn text(&mut self, start: Option<u64>, text: &str) {
        self.texts += 1;
        if days(text).is_none() {
            self.no_dates += 1;
        }
        match &self.first {
            Some((_, first)) => self.several |= first != text,
            None => self.first = Some((start, text.to_owned())),
        }
    }
}

/// Whether a number begins with a zero that it does not need, as `02134`.
fn is_padded(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next() == Some(b'0') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Whether `text` is of signs alone, as `.` and `--` for a missing cell.
fn is_signs(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_punctuation())
}

/// A column while it is read.
#[derive(Debug)]
enum Reading {
    Ignored,
    /// Texts whatever they look like.
    Words(Words),
    /// Numbers so far.
    Numbers(Vec<f32>, Precision, Tally),
    /// Texts from the first cell on.
    Texts(Words, Tally),
    /// Texts after numbers: their cells are read in a second pass.
    Late(Tally),
}

impl Reading {
    fn new(role: Role) -> Self {
        match role {
            Role::Ignored => Reading::Ignored,
            Role::Label | Role::Id | Role::Categorical => Reading::Words(Words::default()),
            Role::Feature => Reading::Numbers(Vec::new(), Precision::default(), Tally::default()),
        }
    }

    fn take(&mut self, text: &str, start: Option<u64>, options: &ReadOptions) {
        let missing = is_missing(text, options);
        match self {
            Reading::Ignored => {}
            Reading::Words(words) => words.take(text, missing),
            Reading::Numbers(values, precision, tally) => {
                if missing {
                    values.push(f32::NAN);
                } else if let Ok(number) = text.parse::<f32>() {
                    tally.numbers += 1;
                    if tally.padded.is_none() && is_padded(text) {
                        tally.padded = Some(text.to_owned());
                    }
                    precision.push(number, || Number::of_text(text));
                    values.push(number);
                } else {
                    let (count, mut tally) = (values.len(), std::mem::take(tally));
                    tally.text(start, text);
                    if tally.numbers > 0 {
                        *self = Reading::Late(tally);
                        return;
                    }
                    let mut words = Words::default();
                    (0..count).for_each(|_| words.push_missing());
                    words.push(text);
                    *self = Reading::Texts(words, tally);
                }
            }
            Reading::Texts(words, tally) => {
                words.take(text, missing);
                tally.count(text, missing, start);
            }
            Reading::Late(tally) => tally.count(text, missing, start),
        }
    }

    /// Says so if a column of numbers has a few texts in it.
    fn check(&self, name: &str, records: &Records) -> Result<(), ValueError> {
        let (Reading::Texts(_, tally) | Reading::Late(tally)) = self else {
            return Ok(());
        };
        let present = tally.numbers + tally.texts;
        let Some((start, text)) = &tally.first else {
            return Ok(());
        };
        if let Some(meant) = meant(text) {
            let what = format!(
                "`{text}` looks like {meant}; save the table with plain numbers and decimal points, or \
                 say --categorical {name} if these are names"
            );
            return Err(records.error(*start, Some(name), what));
        }
        let few = (tally.texts as f64) < STRAY_SHARE * present as f64;
        match tally.numbers > 0 && (few || is_signs(text)) {
            true => Err(records.error(*start, Some(name), tally.stray(name, text))),
            false => Ok(()),
        }
    }

    /// What stands below the cell `name` of the first line.
    fn below((name, column): (&String, &Self)) -> Below {
        match column {
            Reading::Numbers(_, _, tally) if tally.numbers > 0 => Below::Numbers,
            Reading::Words(words) if words.are_numbers() => Below::Numbers,
            Reading::Words(words) | Reading::Texts(words, _) => Below::Texts {
                again: words.has(name),
            },
            Reading::Numbers(..) | Reading::Ignored | Reading::Late(_) => Below::Unknown,
        }
    }

    fn finish(self) -> Option<Raw> {
        match self {
            Reading::Ignored | Reading::Late(_) => None,
            Reading::Texts(words, tally) if tally.numbers == 0 && tally.no_dates == 0 => {
                Some(dates(&words))
            }
            Reading::Words(words) | Reading::Texts(words, _) => Some(Raw::Words(words)),
            Reading::Numbers(values, precision, _) => Some(Raw::Numbers(values, precision)),
        }
    }
}

/// What is asked of a first line that may be a row.
fn doubt(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let line: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ",…" } else { "" };
    format!(
        "the first line, `{}{more}`, may name the columns or be a row; say --header or --no-header",
        line.join(",")
    )
}

/// The days of dates, as those of a column of dates in a Parquet file.
fn dates(words: &Words) -> Raw {
    let days: Vec<f64> = words
        .names
        .iter()
        .map(|name| days(name).unwrap_or(f64::NAN))
        .collect();
    let (mut values, mut precision) = (Vec::with_capacity(words.codes.len()), Precision::default());
    for code in &words.codes {
        let days = days.get(*code as usize).copied().unwrap_or(f64::NAN);
        precision.push(days as f32, || Number::Real(days));
        values.push(days as f32);
    }
    Raw::Numbers(values, precision)
}

impl Tally {
    /// Refuses one word among numbers that mostly differ: they would be lost as ids.
    fn check_word(&self, name: &str, words: &Words, records: &Records) -> Result<(), ValueError> {
        let present = self.numbers + self.texts;
        let differ = words.names.len() * 2 > present && self.numbers * 2 >= present;
        match &self.first {
            Some((start, text)) if differ && !self.several => {
                Err(records.error(*start, Some(name), self.stray(name, text)))
            }
            _ => Ok(()),
        }
    }

    /// What is told of a text among numbers.
    fn stray(&self, name: &str, text: &str) -> String {
        format!(
            "`{text}` is no number, but {} of the column's {} cells are; correct it, or say --missing {text} \
             if it stands for a missing cell, or --categorical {name} if the numbers are names",
            self.numbers,
            self.numbers + self.texts
        )
    }

    fn count(&mut self, text: &str, missing: bool, start: Option<u64>) {
        if missing {
        } else if text.parse::<f32>().is_ok() {
            self.numbers += 1;
        } else {
            self.text(start, text);
        }
    }
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
    if options.header && !options.header_told {
        let below: Vec<Below> = names.iter().zip(&columns).map(Reading::below).collect();
        if seems_row(&names, &below) {
            return Err(records.error(None, None, doubt(&names)));
        }
    }
    let mut notes = Vec::new();
    for (name, column) in names.iter().zip(&columns) {
        if let Reading::Numbers(_, _, tally) = column
            && let Some(text) = &tally.padded
        {
            notes.push(format!(
                "column `{name}` has numbers such as `{text}`, as codes are written, and is taken for numbers; \
                 say --categorical {name} if they are names"
            ));
        }
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
        names,
        roles,
        columns: columns.into_iter().map(Reading::finish).collect(),
        index,
        format: Format::Csv,
        starts,
        notes,
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
