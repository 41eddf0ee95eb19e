//! Columns of a table about the training samples as cells: the table is read and held against the samples.

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_table::file_digest;

use crate::error::ValueError;
use crate::online::SampleColumns;
use crate::plugin::oob_config::{CellSource, OobValueConfig};
use crate::problem::Cells;
use crate::table::{LabelSource, ReadColumns, ReadOptions, read_columns};

/// A table about the training samples, as the plugin `oob-value` reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleTable {
    /// The cells of every sample.
    pub columns: SampleColumns,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: String,
    /// What the reader decided, and what the user may want to know.
    pub notes: Vec<String>,
}

impl OobValueConfig {
    /// Reads the table whose columns are the cells, for `samples` training samples, of which `name` tells the name
    /// where there is one; `None` where the cells are others.
    ///
    /// # Errors
    /// The setting to change with what is wrong: a file that is missing or cannot be understood, rows that are not
    /// those of the samples, a column that says nothing.
    pub fn read_table(
        &self,
        samples: usize,
        name: &dyn Fn(u32) -> Option<String>,
    ) -> Result<Option<SampleTable>, (&'static str, String)> {
        let Some(path) = self.table_path() else {
            return Ok(None);
        };
        let told = |error: ValueError| {
            let key = self.setting_of(&error);
            (key, behind_path(path, &error.to_string()))
        };
        let digest = digest(path).map_err(told)?;
        let read = read_columns(path, &self.read_options()).map_err(told)?;
        let sought = Sought { samples, name };
        let (rows, spare) = match &read.ids {
            None => {
                let rows = in_order(&read, samples).map_err(told)?;
                self.check_order(path, &read, &rows, &sought)?;
                (rows, 0)
            }
            Some((column, keys)) => by_key(&read, column, keys, &sought).map_err(told)?,
        };
        let columns = SampleColumns::new(&read.columns, &rows);
        if let Some(column) = columns.empty().first() {
            let what = "no training image has a value in it; fill it in, or name it in `ignore`";
            return Err(told(read.error(
                None,
                Some(column.as_str()),
                what.to_owned(),
            )));
        }
        if columns.names().is_empty() {
            let what = "every column says the same of all training images; nothing can be learned \
                        from them";
            return Err(told(read.error(None, None, what.to_owned())));
        }
        let mut notes: Vec<String> = read.notes.iter().map(|note| in_config(note)).collect();
        let whole = |name: &String| {
            let mut columns = read.columns.iter();
            columns.any(|column| column.name == *name && column.cells.is_constant())
        };
        // What is constant in all rows is among the reader's notes.
        let constant = columns.constant().iter().filter(|name| !whole(name));
        notes.extend(constant.map(|name| {
            format!(
                "column `{name}` says the same of all training images: its cells have no values"
            )
        }));
        if spare > 0 {
            notes.push(format!(
                "{spare} of its {} rows are of no training image",
                read.rows
            ));
        }
        let notes = notes.into_iter();
        Ok(Some(SampleTable {
            columns,
            digest,
            notes: notes
                .map(|note| format!("{}: {note}", path.display()))
                .collect(),
        }))
    }

    /// Refuses rows in the order of ids where a column names the samples in another order.
    fn check_order(
        &self,
        path: &Path,
        read: &ReadColumns,
        rows: &[u32],
        sought: &Sought<'_>,
    ) -> Result<(), (&'static str, String)> {
        // What names no samples, as an index of the file that runs from 1, is no order of them.
        let in_another_order = |column: &str, keys: &[String]| {
            by_key(read, column, keys, sought).is_ok_and(|(named, _)| named != rows)
        };
        let mut texts = read.columns.iter().filter_map(|column| {
            let keys = different_texts(&column.cells)?;
            in_another_order(&column.name, &keys).then_some(&column.name)
        });
        // The cells of what the reader left out are gone.
        let mut left_out = read.left_out.iter().filter(|column| {
            let options = ReadOptions {
                id: Some((*column).clone()),
                ..self.read_options()
            };
            let named = read_columns(path, &options).ok();
            let ids = named.and_then(|named| named.ids);
            ids.is_some_and(|(column, keys)| in_another_order(&column, &keys))
        });
        let Some(column) = texts.next().or_else(|| left_out.next()) else {
            return Ok(());
        };
        let what = format!(
            "{}: column `{column}` names the training images in another order than that of the rows; set \
             `key = \"{column}\"`, or name it in `ignore` if it says something else",
            path.display()
        );
        Err(("key", what))
    }

    /// Refuses a table that is not the one of the digest `began`.
    ///
    /// # Errors
    /// [`ValueError::OtherTable`]; a file that cannot be read.
    pub fn check_table(&self, began: &str) -> Result<(), ValueError> {
        match self.table_path() {
            Some(path) if digest(path)? != began => Err(ValueError::OtherTable {
                path: path.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// The file, where columns are the cells.
    fn table_path(&self) -> Option<&Path> {
        let path = self.table.as_deref();
        path.filter(|_| self.cells == CellSource::Columns)
    }

    fn read_options(&self) -> ReadOptions {
        ReadOptions {
            header: self.header.unwrap_or(true),
            header_told: self.header.is_some(),
            id: self.key.clone(),
            ignore: self.ignore.clone(),
            categorical: self.categorical.clone(),
            missing: self.missing.clone(),
            ..ReadOptions::of(LabelSource::Elsewhere)
        }
    }

    /// The setting that an error of the table is about.
    fn setting_of(&self, error: &ValueError) -> &'static str {
        match error {
            ValueError::NoColumn { flag, .. } => match *flag {
                "--id" => "key",
                "--ignore" => "ignore",
                "--categorical" => "categorical",
                _ => "table",
            },
            ValueError::Table { column, .. } if column.is_some() && *column == self.key => "key",
            _ => "table",
        }
    }
}

fn digest(path: &Path) -> Result<String, ValueError> {
    file_digest(path).map_err(|error| ValueError::file("a table", path, error))
}

/// Settings that lists are told in, and their flags.
const LISTS: [&str; 3] = ["ignore", "categorical", "missing"];

/// A message of the command `value` for those who write a config: its flags are settings there.
fn in_config(message: &str) -> String {
    let mut told = message
        .replace("--no-header", "`header = false`")
        .replace("--header", "`header = true`")
        .replace("--id", "`key`");
    for list in LISTS {
        // Where the setting itself is spoken of, no column is named behind it.
        for (before, behind) in [("(", ")"), ("", " names")] {
            told = told.replace(
                &format!("{before}--{list}{behind}"),
                &format!("{before}`{list}`{behind}"),
            );
        }
        told = told.replace(&format!("--{list}"), &format!("`{list}` with"));
    }
    told
}

/// [`in_config`] of a message that begins with `path`, whose letters stay.
fn behind_path(path: &Path, message: &str) -> String {
    let path = path.display().to_string();
    match message.strip_prefix(&path) {
        Some(what) => path + &in_config(what),
        None => in_config(message),
    }
}

/// The training samples that rows are sought for.
struct Sought<'a> {
    samples: usize,
    name: &'a dyn Fn(u32) -> Option<String>,
}

/// The row of each sample in a table whose rows are in the order of their ids.
fn in_order(read: &ReadColumns, samples: usize) -> Result<Vec<u32>, ValueError> {
    if read.rows == samples {
        return Ok((0..samples as u32).collect());
    }
    let what = format!(
        "it has {} rows for {samples} training images (those that `limits` leave); give each image its row, in \
         the order of their ids, as `afterimage data list` shows them, or name the column of names or ids in \
         `key`: then any order and further rows will do",
        read.rows
    );
    Err(read.error(None, None, what))
}

/// The row of each sample by the `keys` of the rows in `column`, and how many rows are of none.
fn by_key(
    read: &ReadColumns,
    column: &str,
    keys: &[String],
    sought: &Sought<'_>,
) -> Result<(Vec<u32>, usize), ValueError> {
    let wrong = |row: usize, what: String| read.error(Some(row), Some(column), what);
    let mut found: Vec<Option<u32>> = vec![None; sought.samples];
    let mut names: BTreeMap<&str, u32> = BTreeMap::new();
    for (key, row) in keys.iter().zip(0..) {
        match id(key).and_then(|id| found.get_mut(id)) {
            Some(found) => *found = Some(row),
            None => {
                names.insert(key, row);
            }
        }
    }
    if let Some((row, what)) = both_id_and_name(&found, sought) {
        return Err(wrong(row, what));
    }
    // The first sample that each row is of by its name.
    let mut taken: BTreeMap<u32, u32> = BTreeMap::new();
    for (found, sample) in found.iter_mut().zip(0..) {
        let Some(name) = (sought.name)(sample) else {
            continue;
        };
        for spelling in spellings(&name) {
            let Some(&row) = names.get(spelling) else {
                continue;
            };
            let other = *taken.entry(row).or_insert(sample);
            // Near duplicates that a run plants have the name of what they show, and its row.
            if let Some(other) = (sought.name)(other).filter(|other| *other != name) {
                let what = format!(
                    "`{spelling}` is the name of two training images at least, `{other}` and `{name}`; write \
                     such a whole name"
                );
                return Err(wrong(row as usize, what));
            }
            if let Some(before) = found.replace(row).filter(|before| *before != row) {
                let what = format!(
                    "`{spelling}` is training image {sample}, which has the row of the key `{}`, too; remove \
                     one of them",
                    keys[before as usize]
                );
                return Err(wrong(row as usize, what));
            }
        }
    }
    let lacking = found.iter().filter(|row| row.is_none()).count();
    if let Some(sample) = found.iter().position(Option::is_none) {
        let who = match (sought.name)(sample as u32) {
            Some(name) => format!("training image {sample} (`{name}`) has no row"),
            None => format!("training image {sample}, which has no name, has no row"),
        };
        let more = match lacking {
            1 => String::new(),
            count => format!(", and {} more have none", count - 1),
        };
        let what = format!(
            "{who}{more}; a key is the name of an image, as `afterimage data list` shows it, or its id; the \
             first key here is `{}`",
            keys.first().map_or("", String::as_str)
        );
        return Err(read.error(None, Some(column), what));
    }
    let rows: Vec<u32> = found.into_iter().flatten().collect();
    let mut used = rows.clone();
    used.sort_unstable();
    used.dedup();
    Ok((rows, read.rows - used.len()))
}

/// The texts of a column by row, where no two rows have the same and none lacks one.
fn different_texts(cells: &Cells) -> Option<Vec<String>> {
    match cells {
        Cells::Levels { codes, names } if names.len() == codes.len() => codes
            .iter()
            .map(|&code| names.get(code as usize).cloned())
            .collect(),
        Cells::Levels { .. } | Cells::Numbers(_) => None,
    }
}

/// The row of a key that is the id of one sample and the name of another, and what is to be done.
fn both_id_and_name(found: &[Option<u32>], sought: &Sought<'_>) -> Option<(usize, String)> {
    (0..sought.samples as u32).find_map(|sample| {
        let number = id(&(sought.name)(sample)?).filter(|number| *number != sample as usize)?;
        let row = found.get(number).copied().flatten()?;
        let what = format!(
            "`{number}` is the id of training image {number} and the name of training image {sample}; write \
             ids for all images"
        );
        Some((row as usize, what))
    })
}

/// The id that a key is; with zeros in front it is a name.
fn id(key: &str) -> Option<usize> {
    let digits = key.bytes().all(|byte| byte.is_ascii_digit());
    match digits && (key == "0" || !key.starts_with('0')) {
        // More than fits is the id of no sample.
        true => Some(key.parse().unwrap_or(usize::MAX)),
        false => None,
    }
}

/// The keys under which a sample with the name `name` is found: the name, and of an image that has a name within
/// its file, as in `0001.tar[0007.jpg]`, that alone.
fn spellings(name: &str) -> impl Iterator<Item = &str> {
    let inner = name.strip_suffix(']').and_then(|rest| rest.split_once('['));
    let inner = inner.map(|(_, member)| member);
    let named = inner.filter(|member| !member.bytes().all(|byte| byte.is_ascii_digit()));
    [Some(name), named].into_iter().flatten()
}

#[cfg(test)]
#[path = "columns_tests.rs"]
mod tests;
