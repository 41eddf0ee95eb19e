//! The problem that the columns of a table make.

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_table::{Counts, Signs, line_at, names_rows, other_date};

use super::column::{Raw, RawTable, Role, Words};
use super::label::{self, Labels};
use super::{Format, LabelSource, ReadOptions, ReadTable, csv, read_labels};
use crate::error::ValueError;
use crate::problem::{Cells, Column, NO_LEVEL, Problem};

/// From this many rows on, a text column whose values nearly all differ is taken for an id.
const FEW_ROWS: usize = 20;

/// Where mistakes are: a file with the bytes that its rows begin at, or what a program holds.
pub(super) struct Place<'a> {
    path: &'a Path,
    format: Format,
    pub starts: Vec<u64>,
}

impl Place<'_> {
    /// The line, from 1, at which a row begins, where there are lines.
    fn line(&self, row: usize) -> Option<u64> {
        line_at(self.path, *self.starts.get(row)?)
    }

    pub(super) fn error(
        &self,
        row: Option<usize>,
        column: Option<&str>,
        what: String,
    ) -> ValueError {
        mistake(self.path, &self.starts, row, column, what)
    }
}

/// A mistake in `path`, whose rows begin at the bytes `starts`, where it has lines.
pub(super) fn mistake(
    path: &Path,
    starts: &[u64],
    row: Option<usize>,
    column: Option<&str>,
    what: String,
) -> ValueError {
    let start = row.and_then(|row| starts.get(row));
    ValueError::Table {
        path: path.to_owned(),
        line: start.and_then(|&start| line_at(path, start)),
        column: column.map(str::to_owned),
        what: match (row, starts.is_empty()) {
            (Some(row), true) => format!("row {}: {what}", row + 1),
            _ => what,
        },
    }
}

/// Labels with where they stand.
struct Given<'a> {
    words: Words,
    /// What they are called: a column or a file.
    name: String,
    place: Place<'a>,
    /// The column, where they are one of the table.
    column: Option<String>,
}

/// The columns of a table by what they are for.
pub(super) struct Parts<'a> {
    pub place: Place<'a>,
    pub rows: usize,
    pub features: Vec<Column>,
    /// Position in the file of each feature.
    pub position: Vec<usize>,
    labels: Option<(String, Words)>,
    /// Name of the column that names the rows, and the names.
    pub ids: Option<(String, Vec<String>)>,
    /// Names of all columns of the file.
    pub header: Vec<String>,
    pub notes: Vec<String>,
}

/// Tells columns apart, and understands all but the labels.
pub(super) fn parts<'a>(
    path: &'a Path,
    raw: RawTable,
    options: &ReadOptions,
) -> Result<Parts<'a>, ValueError> {
    let rows = (raw.columns.iter().flatten())
        .map(Raw::len)
        .max()
        .unwrap_or(0);
    let place = Place {
        path,
        format: raw.format,
        starts: raw.starts,
    };
    let mut notes = raw.notes;
    let (mut features, mut position) = (Vec::new(), Vec::new());
    let (mut labels, mut ids) = (None, None);
    for (at, ((name, role), column)) in (raw.names.iter().zip(raw.roles))
        .zip(raw.columns)
        .enumerate()
    {
        if role == Role::Feature && raw.index.get(at) == Some(&true) {
            let why = index_note(place.format);
            notes.push(format!("column `{name}` is left out: {why}"));
            continue;
        }
        let Some(column) = column else { continue };
        match role {
            Role::Ignored => {}
            Role::Label => labels = Some((name.clone(), column.words())),
            Role::Id => ids = Some((name.clone(), row_names(&place, name, column)?)),
            Role::Feature | Role::Categorical => {
                let feature = Feature { at, name, role };
                if let Some(cells) = feature.cells(column, &place, options, &mut notes)? {
                    position.push(at);
                    features.push(Column {
                        name: name.clone(),
                        cells,
                    });
                }
            }
        }
    }
    if rows < 2 {
        let what = format!("the table has {rows} rows; give it at least two, better some hundreds");
        return Err(place.error(None, None, what));
    }
    Ok(Parts {
        place,
        rows,
        features,
        position,
        labels,
        ids,
        header: raw.names,
        notes,
    })
}

/// Makes a problem of the columns.
pub(crate) fn assemble(
    path: &Path,
    raw: RawTable,
    options: &ReadOptions,
) -> Result<ReadTable, ValueError> {
    let Parts {
        place,
        rows,
        features,
        position,
        labels,
        ids,
        header,
        mut notes,
    } = parts(path, raw, options)?;
    if features.is_empty() {
        return Err(place.error(None, None, ValueError::NoColumns.to_string()));
    }
    let given = match (&options.label, labels) {
        (LabelSource::File(file), _) => beside(&place, file, rows, options, &mut notes)?,
        (LabelSource::Column(_), Some((name, words))) => Given {
            words,
            column: Some(name.clone()),
            name,
            place,
        },
        (LabelSource::Column(name), None) => {
            return Err(place.error(None, Some(name), "the label has no values".to_owned()));
        }
        (LabelSource::Elsewhere, _) => {
            let what = "it is not told where its labels are; name a column or a file of them";
            return Err(place.error(None, None, what.to_owned()));
        }
    };
    check_present(&given, options)?;
    let Given {
        words,
        name: label,
        place,
        column,
    } = given;
    let Labels { target, note } = label::target(words, options.task)
        .map_err(|(row, what)| place.error(row, column.as_deref(), what))?;
    if let LabelSource::File(file) = &options.label {
        check_blank(file)?;
    }
    notes.push(note);
    let (id, ids) = ids.unzip();
    // What is wrong with labels by themselves: they are all the same, or too many.
    let problem = Problem::new(features, target, ids)
        .map_err(|error| place.error(None, column.as_deref(), error.to_string()))?;
    if problem.usable().is_empty() {
        let what = ValueError::AllConstant.to_string();
        return Err(Place { path, ..place }.error(None, None, what));
    }
    Ok(ReadTable {
        problem,
        position,
        header,
        label,
        id,
        notes,
    })
}

/// The ids of a column, of which none may be missing and each stands once.
fn row_names(place: &Place<'_>, name: &str, column: Raw) -> Result<Vec<String>, ValueError> {
    let words = column.words();
    if let Some(row) = words.codes.iter().position(|&code| code == NO_LEVEL) {
        let what = "the id is missing; every row needs one, or leave --id out";
        return Err(place.error(Some(row), Some(name), what.to_owned()));
    }
    let mut first: BTreeMap<u32, usize> = BTreeMap::new();
    for (row, &code) in words.codes.iter().enumerate() {
        let Some(before) = first.insert(code, row) else {
            continue;
        };
        let before = match place.line(before) {
            Some(line) => format!("line {line}"),
            None => format!("row {}", before + 1),
        };
        let what = format!(
            "the id `{}` names more than one row, {before} too; ids must be different",
            words.names[code as usize]
        );
        return Err(place.error(Some(row), Some(name), what));
    }
    let text = |&code: &u32| words.names[code as usize].clone();
    Ok(words.codes.iter().map(text).collect())
}

/// A column that may be a feature.
struct Feature<'a> {
    at: usize,
    name: &'a str,
    role: Role,
}

impl Feature<'_> {
    /// Its cells; none where it is left out, which `notes` tells of.
    fn cells(
        &self,
        column: Raw,
        place: &Place<'_>,
        options: &ReadOptions,
        notes: &mut Vec<String>,
    ) -> Result<Option<Cells>, ValueError> {
        let &Self { at, name, role } = self;
        if let Some(counts) =
            named_ids(name, &column, options.header || place.format != Format::Csv)
        {
            if counts.are_ids() {
                notes.push(format!(
                    "column `{name}` is left out: it numbers the rows; rename it if it says more than that"
                ));
                return Ok(None);
            }
            if counts.present > 0 {
                notes.push(counts.told(name, "feature"));
            }
        }
        if let Raw::Numbers(values, precision) = &column
            && let Some(beyond) = precision.beyond()
        {
            let row = beyond.row(values.iter().copied());
            return Err(place.error(Some(row), Some(name), beyond.told("")));
        }
        if at == 0 && role == Role::Feature && seems_index(&column) {
            notes.push(format!(
                "column `{name}` is taken as a feature and looks like an index; say --ignore {name} if \
                 it is one"
            ));
        }
        if let Raw::Numbers(_, precision) = &column
            && let Some(blur) = precision.blur()
        {
            notes.push(format!(
                "column `{name}`: {blur}; subtract a common start before, or say --categorical {name} if \
                 they are names"
            ));
        }
        let cells = match column.cells() {
            // Nothing tells whether they would be texts.
            Cells::Levels { codes, names } if names.is_empty() => {
                Cells::Numbers(vec![f32::NAN; codes.len()])
            }
            cells => cells,
        };
        let dates = dates_of(&cells).filter(|_| role == Role::Feature).map(|text| {
            format!(
                "column `{name}` has dates or times such as `{text}`, which are texts here; write them as \
                 2020-09-18 12:30, or as numbers, to have them in their order"
            )
        });
        notes.extend(dates);
        if let Some(why) = id_like(name, &cells, role) {
            notes.push(format!("column `{name}` is left out: {why}"));
            return Ok(None);
        }
        if cells.is_constant() {
            notes.push(format!(
                "column `{name}` is constant: its cells have no values"
            ));
        }
        Ok(Some(cells))
    }
}

/// The labels of a file of their own, beside a table of `rows` rows.
fn beside<'a>(
    table: &Place<'_>,
    file: &'a Path,
    rows: usize,
    options: &ReadOptions,
    notes: &mut Vec<String>,
) -> Result<Given<'a>, ValueError> {
    let (mut words, mut starts) = read_labels(file, options)?;
    let format = Format::of(file);
    let is_csv = format == Format::Csv;
    let mut short = None;
    if let Some(name) = words.header_over(rows).filter(|_| is_csv) {
        notes.push(format!(
            "{}: the first line, `{name}`, names the labels",
            file.display()
        ));
        words = words.without_first();
        starts.remove(0);
    } else if let Some(name) = words.named_by_first().filter(|_| is_csv) {
        // With as many lines as rows, a label is missing.
        short = (words.codes.len() == rows).then(|| {
            format!(
                "the first line, `{name}`, names the labels, and {} follow for {rows} rows; give one \
                 label a row",
                rows.saturating_sub(1)
            )
        });
    }
    let place = Place {
        path: file,
        format,
        starts,
    };
    if let Some(what) = short {
        check_blank(file)?;
        return Err(place.error(None, None, what));
    }
    if words.codes.len() != rows {
        // A label that is missing so changes their number.
        check_blank(file)?;
        let what = format!(
            "it has {} labels and {} has {rows} rows; give one label a row, without a header",
            words.codes.len(),
            table.path.display()
        );
        return Err(place.error(None, None, what));
    }
    Ok(Given {
        words,
        name: file.display().to_string(),
        place,
        column: None,
    })
}

/// Refuses a file of labels in which a blank line stands for one.
fn check_blank(file: &Path) -> Result<(), ValueError> {
    match Format::of(file) {
        Format::Csv => csv::check_blank(file),
        _ => Ok(()),
    }
}

/// Refuses labels of which one is missing.
fn check_present(given: &Given<'_>, options: &ReadOptions) -> Result<(), ValueError> {
    let Given { words, place, .. } = given;
    let Some(row) = words.codes.iter().position(|&code| code == NO_LEVEL) else {
        return Ok(());
    };
    let what = match words.missing.as_deref() {
        Some(text) if place.format != Format::Csv && text == "NaN" => {
            "the label is not a number (NaN); correct it, or remove the row".to_owned()
        }
        Some(text) if !text.is_empty() => format!(
            "`{text}` is read as a missing cell; say {} if it is a label, or remove the row",
            if options.missing.iter().any(|word| word == text) {
                "no --missing for it"
            } else {
                "--keep-missing-words"
            }
        ),
        _ => "the label is missing; fill it in, or remove the row".to_owned(),
    };
    Err(place.error(Some(row), given.column.as_deref(), what))
}

/// Why an index is left out.
fn index_note(format: Format) -> &'static str {
    match format {
        Format::Csv => "it numbers the rows; rename it if it says more than that",
        _ => {
            "it is the index of the pandas frame; make it a column with reset_index() if it is a \
             feature"
        }
    }
}

/// The whole numbers of a column that says by its name that it numbers the rows.
fn named_ids(name: &str, column: &Raw, header: bool) -> Option<Counts> {
    match column {
        Raw::Numbers(values, precision) if header && (name.is_empty() || names_rows(name)) => {
            precision.counts(values.iter().copied())
        }
        Raw::Numbers(..) | Raw::Words(_) => None,
    }
}

/// The first of categories that are mostly dates or times which are not read.
fn dates_of(cells: &Cells) -> Option<&String> {
    let Cells::Levels { names, .. } = cells else {
        return None;
    };
    let dates = || names.iter().filter(|text| other_date(text));
    dates().next().filter(|_| dates().count() * 2 > names.len())
}

/// Whether the first column of a table counts the rows, as an index with a name of its own does.
fn seems_index(column: &Raw) -> bool {
    let Raw::Numbers(values, _) = column else {
        return false;
    };
    let mut signs = Signs::default();
    values.iter().for_each(|&value| signs.push(value.into()));
    signs.counts_rows()
}

/// Says why a column of texts seems to name the rows rather than to describe them.
fn id_like(name: &str, cells: &Cells, role: Role) -> Option<String> {
    let Cells::Levels { codes, names } = cells else {
        return None;
    };
    let present = codes.iter().filter(|&&code| code != NO_LEVEL).count();
    let unique = role == Role::Feature && present >= FEW_ROWS && names.len() * 2 > present;
    unique.then(|| {
        format!(
            "{} of its {present} texts are different, as in an id; say --categorical {name} if it is \
             none",
            names.len()
        )
    })
}
