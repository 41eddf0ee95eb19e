//! What lies in a run's directory beside its scalars: tables, and the names of samples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use afterimage_files::{SMALL, below, plain, read_below};
use afterimage_hooks::{Column, Table};
use afterimage_memory::{UnitMemConfig, points_of_both};
use afterimage_numeric::{largest_share, share_error};
use afterimage_track::{files, read_table};
use serde::Deserialize;

use crate::experiment::PluginEntry;
use crate::points::settings;

/// The directory of a run, and its samples.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    run: PathBuf,
    /// Name and label of each training image, by id: a table of samples is in the order of ids.
    train: Vec<String>,
    /// Labels of the held-out images.
    held_out: Vec<i64>,
}

/// What is read of a config.
#[derive(Deserialize)]
struct Told {
    pair: Option<toml::Value>,
    #[serde(default)]
    plugins: Vec<PluginEntry>,
}

impl Evidence {
    /// The samples of the run in `run`; none where it has no readable table of them.
    pub(crate) fn of(run: &Path) -> Self {
        let mut evidence = Self {
            run: run.to_owned(),
            ..Self::default()
        };
        let table = below(run, files::SAMPLES).map(|path| read_table(&path));
        if let Ok(Ok(table)) = table {
            evidence.take(&table);
        }
        evidence
    }

    /// Training points that the plugin `unitmem` looks at, as many as held-out ones, and views of each; none where
    /// that is not known.
    pub(crate) fn unitmem(&self) -> Option<(usize, usize)> {
        let bytes = read_below(&self.run, files::CONFIG, SMALL).ok()?;
        let told: Told = toml::from_str(&String::from_utf8_lossy(&bytes)).ok()?;
        // The encoders of a pair choose their points from parts of the images.
        if told.pair.is_some() {
            return None;
        }
        let mut plugins = told.plugins.iter();
        let unitmem = plugins.find(|plugin| plugin.kind == "unitmem")?;
        let config: UnitMemConfig = settings(unitmem)?;
        let points = points_of_both(config.points, self.train()?, self.held_out.len());
        Some((points, config.views))
    }

    /// Held-out images; none where they are not known.
    pub(crate) fn held_out(&self) -> Option<usize> {
        Some(self.held_out.len()).filter(|count| *count > 0)
    }

    fn take(&mut self, table: &Table) {
        let (Some(splits), Some(names), Some(members), Some(labels), Some(label_names)) = (
            words(table, "split"),
            words(table, "file"),
            words(table, "member"),
            numbers(table, "label"),
            words(table, "label_name"),
        ) else {
            return;
        };
        for (row, split) in splits.iter().enumerate() {
            match split.as_str() {
                "train" => {
                    let name = match (names[row].as_str(), members[row].as_str()) {
                        // It shows no file: a picture of noise, or images of no known place.
                        ("", _) => format!("#{}", self.train.len()),
                        (file, "") => plain(file).into_owned(),
                        (file, member) => plain(&format!("{file}[{member}]")).into_owned(),
                    };
                    self.train
                        .push(format!("{name} ({})", plain(&label_names[row])));
                }
                _ => self.held_out.push(labels[row]),
            }
        }
    }

    /// The last table that was put on record under `tag`.
    pub(crate) fn last_table(&self, tag: &str) -> Option<Table> {
        let folder = format!("{}/{}", files::TABLES, files::folder_of(tag));
        let entries = std::fs::read_dir(self.run.join(&folder)).ok()?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let tables = names.filter(|name| name.ends_with(".parquet"));
        let last = tables.max_by(|a, b| files::by_epoch(a.as_ref(), b.as_ref()))?;
        let path = below(&self.run, format!("{folder}/{last}")).ok()?;
        read_table(&path).ok()
    }

    /// File and label of a training image; its id where no name is known.
    pub(crate) fn name(&self, id: i64) -> String {
        let name = usize::try_from(id).ok().and_then(|id| self.train.get(id));
        name.cloned().unwrap_or_else(|| format!("#{id}"))
    }

    /// Training images; none where they are not known.
    pub(crate) fn train(&self) -> Option<usize> {
        Some(self.train.len()).filter(|count| *count > 0)
    }

    /// The standard error of a share `p` of the held-out images; NaN where they are not known.
    pub(crate) fn error_of(&self, p: f64) -> f64 {
        share_error(p, self.held_out.len())
    }

    /// The share of held-out images that are of the most frequent class: what an answer without looking
    /// gets right; NaN where they are not known.
    pub(crate) fn largest_class(&self) -> f64 {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for label in &self.held_out {
            *counts.entry(*label).or_default() += 1;
        }
        largest_share(&counts.into_values().collect::<Vec<_>>())
    }
}

/// The words of a column.
pub(crate) fn words<'a>(table: &'a Table, name: &str) -> Option<&'a [String]> {
    match table.column(name) {
        Some(Column::Text(words)) => Some(words),
        _ => None,
    }
}

/// The whole numbers of a column.
pub(crate) fn numbers<'a>(table: &'a Table, name: &str) -> Option<&'a [i64]> {
    match table.column(name) {
        Some(Column::I64(numbers)) => Some(numbers),
        _ => None,
    }
}

/// The numbers of a column.
pub(crate) fn values<'a>(table: &'a Table, name: &str) -> Option<&'a [f64]> {
    match table.column(name) {
        Some(Column::F64(values)) => Some(values),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]

    use afterimage_track::write_table;

    use super::*;

    pub(crate) fn table(columns: Vec<(&str, Column)>) -> Table {
        Table::of(columns)
    }

    pub(crate) fn text(words: &[&str]) -> Column {
        Column::Text(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// A run with three training images and four held-out ones.
    pub(crate) fn run() -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        let samples = table(vec![
            ("id", Column::I64(vec![0, 1, 2, 0, 1, 2, 3])),
            (
                "split",
                text(&[
                    "train", "train", "train", "held_out", "held_out", "held_out", "held_out",
                ]),
            ),
            (
                "file",
                text(&["a\u{1b}.png", "x.bin", "x.bin", "", "", "", ""]),
            ),
            ("member", text(&["", "0", "1", "", "", "", ""])),
            ("label", Column::I64(vec![0, 1, 1, 0, 1, 1, 1])),
            (
                "label_name",
                text(&["cat", "dog", "dog", "cat", "dog", "dog", "dog"]),
            ),
        ]);
        write_table(&place.path().join(files::SAMPLES), &samples).unwrap();
        place
    }

    /// Puts a table on record in `run`.
    pub(crate) fn put(run: &Path, tag: &str, epoch: u32, table: &Table) {
        let folder = run.join(files::TABLES).join(files::folder_of(tag));
        std::fs::create_dir_all(&folder).unwrap();
        write_table(&folder.join(format!("epoch-{epoch:04}.parquet")), table).unwrap();
    }

    #[test]
    fn an_image_that_shows_no_file_has_its_id() {
        let place = tempfile::tempdir().unwrap();
        let samples = table(vec![
            ("split", text(&["train", "train"])),
            ("file", text(&["a.png", ""])),
            ("member", text(&["", ""])),
            ("label", Column::I64(vec![0, 1])),
            ("label_name", text(&["cat", "dog"])),
        ]);
        write_table(&place.path().join(files::SAMPLES), &samples).unwrap();
        let evidence = Evidence::of(place.path());
        let names = [0, 1].map(|id| evidence.name(id));
        assert_eq!(names, ["a.png (cat)", "#1 (dog)"]);
    }

    #[test]
    fn samples_have_names_and_held_out_images_a_most_frequent_class() {
        let run = run();
        let evidence = Evidence::of(run.path());
        assert_eq!(evidence.name(0), "a\\u001b.png (cat)");
        assert_eq!(evidence.name(2), "x.bin[1] (dog)");
        assert_eq!(evidence.name(3), "#3");
        assert_eq!(evidence.train(), Some(3));
        assert_eq!(evidence.largest_class(), 0.75);
        // Wilson's interval of two in four at one standard error: 0.276 to 0.724.
        assert!((evidence.error_of(0.5) - 0.05_f64.sqrt()).abs() < 1e-15);
        let nothing = Evidence::of(&run.path().join("none"));
        assert!(nothing.largest_class().is_nan() && nothing.error_of(0.5).is_nan());
        assert_eq!((nothing.name(7), nothing.train()), ("#7".to_owned(), None));
        assert_eq!(evidence.last_table("value/encoder/samples"), None);
        for epoch in [2, 10, 9999, 10_000] {
            let table = table(vec![("n", Column::I64(vec![i64::from(epoch)]))]);
            put(run.path(), "value/encoder/samples", epoch, &table);
            let last = evidence.last_table("value/encoder/samples").unwrap();
            assert_eq!(numbers(&last, "n"), Some(&[i64::from(epoch)][..]));
        }
    }
}
