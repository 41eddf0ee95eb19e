//! Which column is what, and the problem made of them.

use std::path::Path;

use afterimage_table::{Signs, ignored, is_unnamed, line_at, names_rows};

use super::column::{Raw, RawTable, Role, Words};
use super::label::{self, Labels};
use super::{Format, LabelSource, ReadOptions, ReadTable, csv, read_labels};
use crate::error::ValueError;
use crate::problem::{Cells, Column, NO_LEVEL, Problem};

/// From this many rows on, a text column whose values nearly all differ is taken for an id.
const FEW_ROWS: usize = 20;

/// What each column is for.
pub(crate) fn roles(
    path: &Path,
    names: &[String],
    options: &ReadOptions,
) -> Result<Vec<Role>, ValueError> {
    // Those that an index stands in may all be without names.
    let unnamed = names.iter().take_while(|name| is_unnamed(name)).count();
    let mut sorted: Vec<&String> = names.iter().skip(unnamed).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        let what = match Format::of(path) {
            Format::Csv => {
                "two columns have this name; rename one of them, or say --no-header if the first line \
                 is a row"
            }
            _ => "two columns have this name; rename one of them",
        };
        return Err(at_header(path, pair[0], what));
    }
    let left_out = ignored(
        &options.ignore,
        if options.header { names } else { &[] },
        names.len(),
    )
    .map_err(|what| ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: None,
        what,
    })?;
    let mut roles = vec![Role::Feature; names.len()];
    let mut assign = |flag: &str, wanted: &str, role: Role| {
        let at = find(path, names, flag, wanted, options.header)?;
        if roles[at] != Role::Feature {
            let what = format!("{flag} names a column that another argument names, too");
            return Err(at_header(path, &names[at], &what));
        }
        roles[at] = role;
        Ok(())
    };
    if let LabelSource::Column(name) = &options.label {
        assign("--label", name, Role::Label)?;
    }
    if let Some(name) = &options.id {
        assign("--id", name, Role::Id)?;
    }
    for at in left_out {
        assign("--ignore", &(at + 1).to_string(), Role::Ignored)?;
    }
    for name in &options.categorical {
        assign("--categorical", name, Role::Categorical)?;
    }
    Ok(roles)
}

fn at_header(path: &Path, column: &str, what: &str) -> ValueError {
    ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: Some(column.to_owned()),
        what: what.to_owned(),
    }
}

fn find(
    path: &Path,
    names: &[String],
    flag: &str,
    wanted: &str,
    header: bool,
) -> Result<usize, ValueError> {
    if let Some(at) = names.iter().position(|name| name == wanted) {
        return Ok(at);
    }
    let number = wanted.parse::<usize>().ok();
    if let Some(at) = number.and_then(|n| n.checked_sub(1))
        && at < names.len()
    {
        return Ok(at);
    }
    let some: Vec<&str> = names.iter().take(12).map(String::as_str).collect();
    let more = if names.len() > some.len() {
        ", …"
    } else {
        ""
    };
    let there_are = if header {
        format!("its columns are {}{more}", some.join(", "))
    } else {
        format!("its columns are numbered 1 to {}", names.len())
    };
    Err(ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: None,
        what: format!("there is no column `{wanted}` ({flag}); {there_are}"),
    })
}

/// Makes a problem of the columns.
pub(crate) fn assemble(
    path: &Path,
    raw: RawTable,
    options: &ReadOptions,
) -> Result<ReadTable, ValueError> {
    let RawTable {
        names,
        roles,
        columns,
        index,
        starts,
    } = raw;
    let mut notes = Vec::new();
    let rows = columns.iter().flatten().map(Raw::len).max().unwrap_or(0);
    let complain = |row: Option<usize>, column: &str, what: String| ValueError::Table {
        path: path.to_owned(),
        line: row.and_then(|row| line_at(path, *starts.get(row)?)),
        column: Some(column.to_owned()),
        what: match (row, starts.is_empty()) {
            (Some(row), true) => format!("row {}: {what}", row + 1),
            _ => what,
        },
    };
    let (mut features, mut position) = (Vec::new(), Vec::new());
    let (mut labels, mut label_name) = (None, String::new());
    let (mut ids, mut id_name) = (None, None);
    for (at, ((name, role), column)) in names.iter().zip(roles).zip(columns).enumerate() {
        if role == Role::Feature && index.get(at) == Some(&true) {
            notes.push(format!("column `{name}` is left out: {}", index_note(path)));
            continue;
        }
        let Some(column) = column else { continue };
        match role {
            Role::Ignored => {}
            Role::Label => {
                labels = Some(column.words());
                label_name = name.clone();
            }
            Role::Id => {
                let words = column.words();
                if let Some(row) = words.codes.iter().position(|&code| code == NO_LEVEL) {
                    let what = "the id is missing; every row needs one, or leave --id out";
                    return Err(complain(Some(row), name, what.to_owned()));
                }
                ids = Some(texts(&words));
                id_name = Some(name.clone());
            }
            Role::Feature | Role::Categorical => {
                if numbers_rows(name, &column, options.header) {
                    notes.push(format!(
                        "column `{name}` is left out: it numbers the rows; rename it if it says more \
                         than that"
                    ));
                    continue;
                }
                if let Raw::Numbers(values, precision) = &column
                    && let Some(beyond) = precision.beyond()
                {
                    let row = beyond.row(values.iter().copied());
                    return Err(complain(Some(row), name, beyond.told("")));
                }
                if at == 0 && role == Role::Feature && seems_index(&column) {
                    notes.push(format!(
                        "column `{name}` is taken as a feature and looks like an index; say --ignore \
                         {name} if it is one"
                    ));
                }
                if let Raw::Numbers(_, precision) = &column
                    && let Some(blur) = precision.blur()
                {
                    notes.push(format!(
                        "column `{name}`: {blur}; subtract a common start before, or say --categorical \
                         {name} if they are names"
                    ));
                }
                let cells = column.cells();
                if let Some(why) = id_like(name, &cells, role) {
                    notes.push(format!("column `{name}` is left out: {why}"));
                    continue;
                }
                if cells.is_constant() {
                    notes.push(format!(
                        "column `{name}` is constant: its cells have no values"
                    ));
                }
                position.push(at);
                features.push(Column {
                    name: name.clone(),
                    cells,
                });
            }
        }
    }
    if rows < 2 {
        return Err(ValueError::Table {
            path: path.to_owned(),
            line: None,
            column: None,
            what: format!("the table has {rows} rows; give it at least two, better some hundreds"),
        });
    }
    let mut label_starts = Vec::new();
    let labels = match (&options.label, labels) {
        (LabelSource::File(file), _) => {
            label_name = file.display().to_string();
            let (mut words, starts) = read_labels(file, options)?;
            label_starts = starts;
            if let Some(name) = words
                .header_over(rows)
                .filter(|_| Format::of(file) == Format::Csv)
            {
                notes.push(format!(
                    "{}: the first line, `{name}`, names the labels",
                    file.display()
                ));
                words = words.without_first();
                label_starts.remove(0);
            }
            if words.codes.len() != rows {
                return Err(ValueError::Table {
                    path: file.clone(),
                    line: None,
                    column: None,
                    what: format!(
                        "it has {} labels and {} has {rows} rows; give one label a row, without a \
                         header",
                        words.codes.len(),
                        path.display()
                    ),
                });
            }
            words
        }
        (LabelSource::Column(_), Some(words)) => words,
        (LabelSource::Column(name), None) => {
            return Err(complain(None, name, "the label has no values".to_owned()));
        }
    };
    let wrong_label = |row: Option<usize>, what: String| match &options.label {
        LabelSource::Column(_) => complain(row, &label_name, what),
        LabelSource::File(file) => ValueError::Table {
            path: file.clone(),
            line: row.and_then(|row| line_at(file, *label_starts.get(row)?)),
            column: None,
            what: match (row, label_starts.is_empty()) {
                (Some(row), true) => format!("row {}: {what}", row + 1),
                _ => what,
            },
        },
    };
    if let Some(row) = labels.codes.iter().position(|&code| code == NO_LEVEL) {
        let from = match &options.label {
            LabelSource::Column(_) => path,
            LabelSource::File(file) => file,
        };
        let what = match labels.missing.as_deref() {
            Some(text) if Format::of(from) != Format::Csv && text == "NaN" => {
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
        return Err(wrong_label(Some(row), what));
    }
    let Labels { target, note } =
        label::target(labels, options.task).map_err(|(row, what)| wrong_label(row, what))?;
    if let LabelSource::File(file) = &options.label
        && Format::of(file) == Format::Csv
    {
        csv::check_blank(file)?;
    }
    notes.push(note);
    Ok(ReadTable {
        problem: Problem::new(features, target, ids)?,
        position,
        header: names,
        label: label_name,
        id: id_name,
        notes,
    })
}

/// Why an index is left out.
fn index_note(path: &Path) -> &'static str {
    match Format::of(path) {
        Format::Csv => "it numbers the rows; rename it if it says more than that",
        _ => {
            "it is the index of the pandas frame; make it a column with reset_index() if it is a \
             feature"
        }
    }
}

fn texts(words: &Words) -> Vec<String> {
    let text = |&code: &u32| words.names[code as usize].clone();
    words.codes.iter().map(text).collect()
}

/// Whether a column of numbers says by its name that it numbers the rows, and can do so.
fn numbers_rows(name: &str, column: &Raw, header: bool) -> bool {
    match column {
        Raw::Numbers(values, precision) => {
            header
                && (name.is_empty() || names_rows(name))
                && precision.numbers_rows(values.iter().copied())
        }
        Raw::Words(_) => false,
    }
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
