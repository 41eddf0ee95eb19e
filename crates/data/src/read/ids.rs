//! A file that names the images that are held out.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;

use afterimage_files::plain;
use afterimage_table::{Cell, FileError, Kind, Parquet, TextFile, line_at, no_text};

use super::records::Records;
use crate::dataset::grouped;
use crate::error::{DataError, told};
use crate::names::{Member, NameList, SampleName};

/// What a file of ids says, in its order.
#[derive(Default)]
struct Ids {
    texts: NameList,
    /// Where each stands.
    places: Vec<u64>,
    unit: Unit,
    /// Whether all of them are names, as in a table of samples: a file may be called `12`.
    names: bool,
}

/// What tells where an id stands.
#[derive(Clone, Copy, Default)]
enum Unit {
    /// The line, from 1.
    #[default]
    Line,
    /// The byte that the line begins at.
    Byte,
    /// The row, from 0.
    Row,
}

/// Numbers of the images that the file `path` names, in order; there are `count` images, called `name`.
///
/// An id is the number of an image, from 0 in the order of the files, or its name: the file, the member of
/// the file where members have names, or both as `FILE[MEMBER]`.
///
/// # Errors
/// A file that cannot be read; an id of no image, of several, or of one that is named already; none or all
/// of the images.
pub(super) fn numbers<'a>(
    path: &Path,
    count: usize,
    name: impl Fn(usize) -> Option<SampleName<'a>>,
) -> Result<Vec<u32>, DataError> {
    let ids = Ids::read(path)?;
    let wrong = |reason: String| DataError::format(path, reason);
    let place = |at: usize| match (ids.unit, ids.places[at]) {
        (Unit::Line, line) => format!("line {line}"),
        (Unit::Byte, start) => format!("line {}", line_at(path, start).unwrap_or(0)),
        (Unit::Row, row) => format!("row {row}"),
    };
    let text = |at: usize| plain(ids.texts.get(at).unwrap_or_default());
    // The number that each id is, and the ids that are names.
    let mut found: Vec<Option<usize>> = Vec::with_capacity(ids.places.len());
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    for at in 0..ids.places.len() {
        let id = ids.texts.get(at).unwrap_or_default();
        let number = number(id).filter(|_| !ids.names);
        if number.is_none()
            && let Some(before) = names.insert(id, at)
        {
            return Err(wrong(format!(
                "{}: {} is listed already, in {}; remove one of them",
                place(at),
                text(at),
                place(before)
            )));
        }
        found.push(number.filter(|&number| number < count));
    }
    for number in 0..count {
        let Some(name) = name(number).filter(|_| !names.is_empty()) else {
            break;
        };
        for id in spellings(&name) {
            let Some(&at) = names.get(id.as_str()) else {
                continue;
            };
            if let Some(other) = found[at].replace(number) {
                return Err(wrong(format!(
                    "{}: {} is the name of two images at least, number {other} and number {number}; write \
                     the number, or the name with its file, as in {}",
                    place(at),
                    text(at),
                    name
                )));
            }
        }
    }
    let mut held: Vec<(usize, usize)> = Vec::with_capacity(found.len());
    for (at, number) in found.iter().enumerate() {
        let Some(number) = number else {
            let first = name(0).map_or(String::new(), |name| format!(", as {name}"));
            return Err(wrong(format!(
                "{}: there is no image {}; an id is the name of an image as `afterimage data list` shows \
                 it{first}, or a number from 0 to {} without zeros in front",
                place(at),
                text(at),
                grouped(count.saturating_sub(1))
            )));
        };
        held.push((*number, at));
    }
    held.sort_unstable();
    if let Some(pair) = held.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        let (one, other) = (pair[0].1, pair[1].1);
        return Err(wrong(format!(
            "{}: {} is image {}, which is listed already, in {}; remove one of them",
            place(other),
            text(other),
            pair[0].0,
            place(one)
        )));
    }
    if held.len() == count {
        return Err(wrong(format!(
            "it holds out all {} images, so that none is left to train on; remove ids from it",
            grouped(count)
        )));
    }
    Ok(held.into_iter().map(|(number, _)| number as u32).collect())
}

/// The number that `id` is; with zeros in front it is a name.
fn number(id: &str) -> Option<usize> {
    let digits = id.bytes().all(|byte| byte.is_ascii_digit());
    match digits && (id == "0" || !id.starts_with('0')) {
        // More than fits is a number of no image.
        true => Some(id.parse().unwrap_or(usize::MAX)),
        false => None,
    }
}

/// The names under which an image is found: as they are, and on one line, as lists show those that have
/// characters for more.
fn spellings(name: &SampleName<'_>) -> impl Iterator<Item = String> {
    let short = match name.member {
        None => Some(name.file),
        Some(Member::Name(member)) => Some(member),
        Some(Member::Number(_)) => None,
    };
    let long = name.member.map(|member| format!("{}[{member}]", name.file));
    let shown = |name: String| {
        let other = match plain(&name) {
            Cow::Borrowed(_) => None,
            Cow::Owned(shown) => Some(shown),
        };
        [Some(name), other]
    };
    let all = short.map(str::to_owned).into_iter().chain(long);
    all.flat_map(shown).flatten()
}

impl Ids {
    fn read(path: &Path) -> Result<Self, DataError> {
        let extension = path.extension().map(|end| end.to_ascii_lowercase());
        let ids = match extension.as_deref().and_then(|end| end.to_str()) {
            Some("parquet") => Self::of_parquet(path)?,
            Some("csv" | "tsv") => Self::of_table(path)?,
            _ => Self::of_lines(path)?,
        };
        match ids.places.is_empty() {
            false => Ok(ids),
            true => Err(DataError::format(
                path,
                "it names no image, and held-out images are needed; write their ids, one a line",
            )),
        }
    }

    fn of_lines(path: &Path) -> Result<Self, DataError> {
        let refused = |error| DataError::read(path, error);
        let mut file = BufReader::new(TextFile::open(path).map_err(refused)?);
        if let Some(what) = no_text(file.fill_buf().map_err(refused)?) {
            return Err(DataError::format(path, format!("this is {what}")));
        }
        let mut ids = Self::new(Unit::Line);
        let mut line = Vec::new();
        for number in 1.. {
            line.clear();
            if file.read_until(b'\n', &mut line).map_err(refused)? == 0 {
                break;
            }
            let text = std::str::from_utf8(&line).map_err(|_| {
                let reason = format!("line {number} is no Unicode text; save the file in UTF-8");
                DataError::format(path, reason)
            })?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if !text.is_empty() {
                ids.push(text, number);
            }
        }
        Ok(ids)
    }

    fn of_table(path: &Path) -> Result<Self, DataError> {
        let wrong = |reason: String| DataError::format(path, reason);
        let records = Records::open(path)?;
        let columns = Columns::find(records.header.iter()).map_err(wrong)?;
        let mut ids = Self::new(Unit::Byte);
        ids.names = columns.are_names();
        for record in records {
            let record = record?;
            let start = record.position().map_or(0, csv::Position::byte);
            let cell = |at: usize| record.get(at).unwrap_or_default().trim();
            match columns.id(cell) {
                Some(id) if id.is_empty() => {
                    let line = line_at(path, start).unwrap_or(0);
                    return Err(wrong(format!("line {line} has no id")));
                }
                Some(id) => ids.push(&id, start),
                None => {}
            }
        }
        Ok(ids)
    }

    fn of_parquet(path: &Path) -> Result<Self, DataError> {
        let wrong = |reason: String| DataError::format(path, reason);
        let unread = |error: FileError| wrong(format!("this Parquet file cannot be read: {error}"));
        let parquet = Parquet::open(path).map_err(unread)?;
        let names = parquet.columns.iter().map(|column| column.name.as_str());
        let columns = Columns::find(names).map_err(wrong)?;
        parquet.check_size(columns.all().len()).map_err(unread)?;
        let mut read: BTreeMap<usize, NameList> = BTreeMap::new();
        for at in columns.all() {
            let column = &parquet.columns[at];
            let what = match column.kind {
                Kind::Date(_) => "dates",
                Kind::Number if column.truth => "truths",
                _ => "",
            };
            if !what.is_empty() {
                return Err(wrong(format!(
                    "column {:?} holds {what}; an id is a name or a number of an image",
                    column.name
                )));
            }
            let cells = read.entry(at).or_default();
            let taken = parquet.read(at, |cell| match cell {
                Cell::Number(number) => cells.push(&column.text(number)),
                Cell::Text(text) => cells.push(text),
                _ => cells.push(""),
            });
            taken.map_err(unread)?;
        }
        let mut ids = Self::new(Unit::Row);
        ids.names = columns.are_names();
        for row in 0..parquet.rows {
            let cell = |at: usize| read.get(&at).and_then(|cells| cells.get(row));
            match columns.id(|at| cell(at).unwrap_or_default()) {
                Some(id) if id.is_empty() => return Err(wrong(format!("row {row} has no id"))),
                Some(id) => ids.push(&id, row as u64),
                None => {}
            }
        }
        Ok(ids)
    }

    fn new(unit: Unit) -> Self {
        Self {
            unit,
            ..Self::default()
        }
    }

    fn push(&mut self, text: &str, place: u64) {
        self.texts.push(text);
        self.places.push(place);
    }
}

/// The columns of a table that say which images are meant.
enum Columns {
    /// `id`.
    Id(usize),
    /// `split`, `file` and `member` of a table of samples, of which the held-out ones are meant. Its `id`
    /// counts within a split.
    Samples([usize; 3]),
}

impl Columns {
    fn find<'a>(names: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let names: Vec<&str> = names.map(str::trim).collect();
        let place = |wanted: &str| names.iter().position(|name| *name == wanted);
        for wanted in ["id", "split", "file", "member"] {
            if names.iter().filter(|name| **name == wanted).count() > 1 {
                return Err(format!(
                    "two columns have the name \"{wanted}\"; remove or rename one of them"
                ));
            }
        }
        if let (Some(split), Some(file), Some(member)) =
            (place("split"), place("file"), place("member"))
        {
            return Ok(Self::Samples([split, file, member]));
        }
        place("id").map(Self::Id).ok_or_else(|| {
            format!(
                "there is no column \"id\"; the columns are {}; rename the one with the ids",
                told(names)
            )
        })
    }

    fn all(&self) -> Vec<usize> {
        match self {
            Self::Id(id) => vec![*id],
            Self::Samples(columns) => columns.to_vec(),
        }
    }

    fn are_names(&self) -> bool {
        matches!(self, Self::Samples(_))
    }

    /// The id of a row; none for a row that means nothing.
    fn id<'a>(&self, cell: impl Fn(usize) -> &'a str) -> Option<String> {
        match *self {
            Self::Id(id) => Some(cell(id).to_owned()),
            Self::Samples([split, ..]) if cell(split) != "held_out" => None,
            Self::Samples([_, file, member]) => Some(match cell(member) {
                "" => cell(file).to_owned(),
                member => format!("{}[{member}]", cell(file)),
            }),
        }
    }
}
