//! Tables beside the samples that they are about.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;

const NAMES: [&str; 4] = ["cat/a.png", "1.tar[7.jpg]", "b.parquet[0]", "dog/d.png"];

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.0.path().join("about.csv");
        std::fs::write(&path, text).unwrap();
        path
    }

    fn config(&self, text: &str, key: Option<&str>) -> OobValueConfig {
        OobValueConfig {
            cells: CellSource::Columns,
            table: Some(self.write(text)),
            key: key.map(str::to_owned),
            ..OobValueConfig::default()
        }
    }
}

fn read(config: &OobValueConfig) -> Result<SampleTable, (&'static str, String)> {
    let name = |id: u32| NAMES.get(id as usize).map(|&name| name.to_owned());
    let read = config.read_table(NAMES.len(), &name);
    read.map(|table| table.unwrap())
}

/// The number of each sample in the first column, up to scale.
fn order(table: &SampleTable) -> Vec<usize> {
    let width: usize = table.columns.widths().iter().sum();
    let inputs = table.columns.of(&[0, 1, 2, 3]).unwrap();
    let first: Vec<f32> = inputs.chunks(width).map(|row| row[0]).collect();
    let mut order: Vec<usize> = (0..first.len()).collect();
    order.sort_by(|&a, &b| first[a].total_cmp(&first[b]));
    order
}

#[test]
fn rows_are_those_of_ids_or_of_keys_in_any_order() {
    let place = Place::new();
    let by_id = place.config("size,site\n1,x\n2,y\n3,x\n4,y\n", None);
    let table = read(&by_id).unwrap();
    assert_eq!(order(&table), [0, 1, 2, 3]);
    assert_eq!(table.columns.names(), ["size", "site"]);
    assert_eq!(table.columns.widths(), [1, 2]);
    let keyed = "name,size\ndog/d.png,1\nother.png,9\n7.jpg,2\n0,3\nb.parquet[0],4\n17,5\n";
    let table = read(&place.config(keyed, Some("name"))).unwrap();
    assert_eq!(order(&table), [3, 1, 0, 2]);
    let spare = table
        .notes
        .iter()
        .filter(|note| note.contains("2 of its 6 rows"));
    assert_eq!(spare.count(), 1, "{:?}", table.notes);
}

#[test]
fn what_does_not_fit_the_samples_is_told_with_setting_and_line() {
    let place = Place::new();
    let whole = "cat/a.png,1\n7.jpg,2\nb.parquet[0],3\n";
    for (text, key, setting, words) in [
        (
            "a,b\n1,2\n2,3\n",
            None,
            "table",
            &["2 rows for 4 training images", "`key`"][..],
        ),
        (
            "a,b\n1,2\n2,3\n3,4\n4,5\n",
            Some("c"),
            "key",
            &["no column `c`", "a, b"],
        ),
        (
            &format!("name,n\n{whole}cat/a.png,4\n"),
            Some("name"),
            "key",
            &["line 5", "`cat/a.png`", "line 2 too"],
        ),
        (
            &format!("name,n\n{whole}1.tar[7.jpg],4\ndog/d.png,4\n"),
            Some("name"),
            "key",
            &["training image 1", "too"],
        ),
        (
            &format!("name,n\n{whole}1,4\ndog/d.png,4\n"),
            Some("name"),
            "key",
            &["training image 1"],
        ),
        (
            &format!("name,n\n{whole},4\n"),
            Some("name"),
            "key",
            &["line 5", "missing"],
        ),
        (
            &format!("name,n\n{whole}"),
            Some("name"),
            "key",
            &["training image 3 (`dog/d.png`) has no row", "`cat/a.png`"],
        ),
        (
            "a,b\n1,\n2,NA\n3,?\n4,\n",
            None,
            "table",
            &["column `b`", "no training image", "`ignore`"],
        ),
        (
            "a\n7\n7\n7\n7\n",
            None,
            "table",
            &["every column says the same"],
        ),
        (
            "a\n1\n2\nthree\n4\n5\n6\n7\n8\n9\n10\n11\n12\n",
            None,
            "table",
            &["line 4", "`categorical` with a"],
        ),
    ] {
        let (found, told) = read(&place.config(text, key)).unwrap_err();
        assert_eq!(found, setting, "{told}");
        assert!(told.contains("about.csv"), "{told}");
        for word in words {
            assert!(told.contains(word), "no {word:?} in {told}");
        }
        assert!(!told.contains("--"), "{told}");
    }
    let mut gone = place.config("a\n1\n2\n", None);
    gone.table = Some(place.0.path().join("nowhere.csv"));
    let (found, told) = read(&gone).unwrap_err();
    assert_eq!(found, "table");
    assert!(
        told.contains("nowhere.csv") && told.contains("cannot open"),
        "{told}"
    );
}

#[test]
fn names_in_another_order_than_the_rows_ask_for_the_key() {
    let place = Place::new();
    let names = ["cat/a.png", "1.tar[7.jpg]", "b.parquet[0]", "dog/d.png"];
    let table = |order: [usize; 4]| {
        let lines: Vec<String> = order
            .iter()
            .map(|&at| format!("{},{at}", names[at]))
            .collect();
        format!("name,n\n{}\n", lines.join("\n"))
    };
    assert!(read(&place.config(&table([0, 1, 2, 3]), None)).is_ok());
    let (setting, told) = read(&place.config(&table([1, 0, 3, 2]), None)).unwrap_err();
    assert_eq!(setting, "key");
    assert!(
        told.contains("`name`") && told.contains("another order"),
        "{told}"
    );
    let ids = "id,n\n3,5\n2,6\n1,7\n0,8\n";
    assert!(
        read(&place.config(ids, None))
            .unwrap_err()
            .1
            .contains("`id`")
    );
}

#[test]
fn names_that_two_images_share_are_refused_and_copies_have_the_row_of_what_they_show() {
    let place = Place::new();
    let config = place.config("name,n\n7.jpg,1\nx.png,2\n", Some("name"));
    let of = |names: [&'static str; 3]| {
        let name = move |id: u32| names.get(id as usize).map(|&name| name.to_owned());
        config.read_table(3, &name)
    };
    let (setting, told) = of(["1.tar[7.jpg]", "2.tar[7.jpg]", "x.png"]).unwrap_err();
    assert_eq!(setting, "key");
    assert!(
        told.contains("line 2") && told.contains("two training images at least"),
        "{told}"
    );
    let table = of(["1.tar[7.jpg]", "x.png", "1.tar[7.jpg]"])
        .unwrap()
        .unwrap();
    let inputs = table.columns.of(&[0, 1, 2]).unwrap();
    assert!(inputs[0] == inputs[2] && inputs[0] < inputs[1]);
}

#[test]
fn a_key_of_digits_is_not_taken_for_an_id_and_a_name() {
    let place = Place::new();
    let digits = place.config("name,n\n1,1\n2,2\n9,3\n", Some("name"));
    let named = |names: [&'static str; 3]| {
        let name = move |id: u32| names.get(id as usize).map(|&name| name.to_owned());
        digits.read_table(3, &name)
    };
    let (_, told) = named(["1", "2", "9"]).unwrap_err();
    assert!(
        told.contains("line 2")
            && told.contains("the id of training image 1 and the name of training image 0"),
        "{told}"
    );
    // What is the id of nobody is a name.
    assert!(named(["9", "a", "b"]).is_ok());
}

#[test]
fn another_table_is_not_the_one_that_a_run_began_with() {
    let place = Place::new();
    let config = place.config("a,b\n1,2\n2,3\n3,1\n4,4\n", None);
    let digest = read(&config).unwrap().digest;
    config.check_table(&digest).unwrap();
    place.write("a,b\n1,2\n2,3\n3,1\n4,5\n");
    let told = config.check_table(&digest).unwrap_err().to_string();
    assert!(
        told.contains("about.csv: this is not the table that the run began with"),
        "{told}"
    );
}

#[test]
fn settings_of_tables_are_for_columns() {
    let problems = |config: &OobValueConfig| {
        let problems = config.problems().into_iter();
        problems.map(|(key, _)| key).collect::<Vec<_>>()
    };
    let place = Place::new();
    let right = place.config("a\n1\n", Some("name"));
    assert!(problems(&right).is_empty());
    let without = OobValueConfig {
        table: None,
        ..right.clone()
    };
    assert_eq!(problems(&without), ["table"]);
    let patches = OobValueConfig {
        cells: CellSource::Patches,
        ignore: vec!["a".to_owned()],
        header: Some(true),
        ..right
    };
    assert_eq!(problems(&patches), ["table", "key", "ignore", "header"]);
    assert_eq!(
        in_config(
            "say --header or --no-header; say --ignore x, or leave --id out; no column `c` (--ignore)"
        ),
        "say `header = true` or `header = false`; say `ignore` with x, or leave `key` out; no column `c` \
         (`ignore`)"
    );
}

#[test]
fn a_path_keeps_its_letters() {
    let told = behind_path(Path::new("a--id.csv"), "a--id.csv: name it with --id");
    assert_eq!(told, "a--id.csv: name it with `key`");
    assert_eq!(behind_path(Path::new("a.csv"), "with --id"), "with `key`");
}
