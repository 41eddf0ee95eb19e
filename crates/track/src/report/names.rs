//! Names of the samples that tables speak of.

use std::collections::BTreeMap;
use std::path::Path;

use afterimage_files::below;
use afterimage_hooks::{Column, Table};

use crate::files::SAMPLES;
use crate::read_table;

/// Columns that hold ids of samples.
const IDS: [&str; 7] = [
    "owner",
    "owner_2",
    "owner_3",
    "point",
    "sample",
    "sample_id",
    "id",
];

/// File and number in it of each sample, by split and id.
#[derive(Debug, Default)]
pub struct Names {
    by_id: BTreeMap<(String, i64), String>,
}

impl Names {
    /// Reads the table of samples of the run in `dir`; nothing where a run has none. What cannot be read
    /// goes to `damaged`.
    pub fn read(dir: &Path, damaged: &mut Vec<String>) -> Self {
        let path = match below(dir, SAMPLES) {
            Ok(path) => path,
            Err(error) if error.is_missing() => return Self::default(),
            Err(error) => {
                damaged.push(error.to_string());
                return Self::default();
            }
        };
        match read_table(&path) {
            Ok(table) => Self::of(&table),
            Err(error) => {
                damaged.push(error.to_string());
                Self::default()
            }
        }
    }

    fn of(table: &Table) -> Self {
        let (
            Some(Column::I64(ids)),
            Some(Column::Text(splits)),
            Some(Column::Text(files)),
            Some(Column::Text(members)),
        ) = (
            table.column("id"),
            table.column("split"),
            table.column("file"),
            table.column("member"),
        )
        else {
            return Self::default();
        };
        let mut by_id = BTreeMap::new();
        for (((id, split), file), member) in ids.iter().zip(splits).zip(files).zip(members) {
            if file.is_empty() {
                continue;
            }
            let name = match member.as_str() {
                "" => file.clone(),
                member => format!("{file}[{member}]"),
            };
            by_id.insert((split.clone(), *id), name);
        }
        Self { by_id }
    }

    /// The name of the sample that the whole number in row `row` of the column `name` of `table` is the
    /// id of; none where the column holds something else, or the sample has no name.
    pub fn of_cell(&self, table: &Table, name: &str, row: usize) -> Option<&str> {
        if !IDS.contains(&name) {
            return None;
        }
        let word = |name: &str| match table.column(name) {
            Some(Column::Text(words)) => words.get(row).map(String::as_str),
            _ => None,
        };
        // LayerMem calls held-out points external.
        let split = match (word("split"), word("set")) {
            (Some(split), _) => split,
            (_, Some("external")) => "held_out",
            _ if name == "id" => return None,
            _ => "train",
        };
        let Some(Column::I64(ids)) = table.column(name) else {
            return None;
        };
        let key = (split.to_owned(), *ids.get(row)?);
        self.by_id.get(&key).map(String::as_str)
    }

    /// Whether a name is known for any cell of the column `name`.
    pub fn has(&self, table: &Table, name: &str) -> bool {
        !self.by_id.is_empty()
            && IDS.contains(&name)
            && (0..table.rows()).any(|row| self.of_cell(table, name, row).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Column {
        Column::Text(words.iter().map(|word| (*word).to_owned()).collect())
    }

    #[test]
    fn cells_with_ids_have_the_names_of_their_split() {
        let named = |name: &str, column| (name.to_owned(), column);
        let samples = Table {
            columns: vec![
                named("id", Column::I64(vec![0, 1, 0])),
                named("split", words(&["train", "train", "held_out"])),
                named("file", words(&["a.png", "", "b.bin"])),
                named("member", words(&["", "", "7"])),
            ],
        };
        let names = Names::of(&samples);
        let table = Table {
            columns: vec![
                named("set", words(&["candidates", "external", "candidates"])),
                named("point", Column::I64(vec![0, 0, 1])),
                named("score", Column::I64(vec![0, 0, 0])),
            ],
        };
        let of = |row| names.of_cell(&table, "point", row);
        assert_eq!(
            [of(0), of(1), of(2)],
            [Some("a.png"), Some("b.bin[7]"), None]
        );
        assert_eq!(names.of_cell(&table, "score", 0), None);
        assert!(names.has(&table, "point") && !names.has(&table, "score"));
        let owners = Table {
            columns: vec![named("owner", Column::I64(vec![-1, 0]))],
        };
        assert_eq!(names.of_cell(&owners, "owner", 0), None);
        assert_eq!(names.of_cell(&owners, "owner", 1), Some("a.png"));
    }
}
