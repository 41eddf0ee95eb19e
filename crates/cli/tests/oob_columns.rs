//! `oob-value` on the columns of a table, in whole runs: what it leaves behind, and tables that do not fit.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod run;

use std::fs;
use std::path::{Path, PathBuf};

use afterimage::hooks::{Column, Table};
use afterimage::track::read_table;
use run::{
    Ended, Place, TINY, afterimage, assert_nothing, assert_same, call, ends, finish, of_columns,
    resume,
};

fn with(keys: &str) -> String {
    format!("{TINY}\n[[plugins]]\nkind = \"oob-value\"\n{keys}\n")
}

/// A table of `rows` rows with an id, a number and a word.
fn rows(ids: impl Iterator<Item = u32>) -> String {
    let row = |id: u32| {
        format!(
            "{id},{}.5,{}\n",
            id * 37 % 101,
            ["north", "south"][id as usize % 2]
        )
    };
    "image,size,site\n".to_owned() + &ids.map(row).collect::<String>()
}

fn columns(table: &Path, more: &str) -> String {
    let table = table.display().to_string();
    with(&format!("cells = \"columns\"\ntable = {table:?}\n{more}"))
}

fn started(place: &Place, text: &str, flags: &[&str]) -> Ended {
    let config = place.write("config.toml", text);
    let out = place.path("refused");
    finish(
        afterimage()
            .arg("run")
            .arg(&config)
            .arg("--out")
            .arg(&out)
            .args(flags),
    )
}

fn texts(table: &Table, name: &str) -> Vec<String> {
    match &table.columns.iter().find(|(key, _)| key == name).unwrap().1 {
        Column::Text(values) => values.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn columns_are_named_in_tables_and_notes() {
    let place = Place::new();
    let told = started(&place, &with(&of_columns()), &["--dry-run"])
        .expect(0, &[])
        .out;
    for words in [
        "note: oob-value: ",
        "column `lens` is constant",
        "3 of its 323 rows are of no training image",
        "RunStart",
    ] {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
    let run = place.run("run", &with(&of_columns()), 0);
    let last = |tag: &str| {
        let path = run.join(format!("tables/value.columns.{tag}/epoch-0003.parquet"));
        read_table(&path).unwrap()
    };
    assert_eq!(
        texts(&last("by_column"), "name"),
        ["brightness", "site", "scratches"]
    );
    assert_eq!(
        texts(&last("cells"), "name")[..4],
        ["brightness", "site", "scratches", "brightness"]
    );
}

#[test]
fn a_config_is_checked_without_its_table_and_runs_only_with_one_that_fits() {
    let place = Place::new();
    let nowhere = columns(&place.path("nowhere.csv"), "");
    let config = place.write("config.toml", &nowhere);
    call(["check".as_ref(), config.as_os_str()]).expect(0, &[]);

    let write = |name: &str, text: String| -> PathBuf { place.write(name, &text) };
    let whole = || rows((0..320).rev());
    let key = "key = \"image\"";
    for (table, keys, words) in [
        (
            place.path("nowhere.csv"),
            "",
            &["plugins[0].table", "nowhere.csv", "cannot open"][..],
        ),
        (
            write("few.csv", rows(0..319)),
            "",
            &[
                "plugins[0].table",
                "few.csv",
                "319 rows for 320 training images",
                "`key`",
            ],
        ),
        (
            write("absent.csv", rows(0..319)),
            key,
            &[
                "plugins[0].key",
                "absent.csv",
                "column `image`",
                "training image 319",
                "no row",
            ],
        ),
        (
            write("twice.csv", whole() + "7,1,north\n"),
            key,
            &[
                "plugins[0].key",
                "twice.csv, line 322, column `image`",
                "`7`",
                "line 314 too",
            ],
        ),
        (
            write("blank.csv", whole() + ",1,north\n"),
            key,
            &[
                "plugins[0].key",
                "blank.csv, line 322, column `image`",
                "missing",
            ],
        ),
        (
            write("whole.csv", whole()),
            "key = \"name\"",
            &[
                "plugins[0].key",
                "whole.csv",
                "no column `name`",
                "image, size, site",
            ],
        ),
        (
            write(
                "empty.csv",
                whole().replace("north", "").replace("south", ""),
            ),
            key,
            &[
                "plugins[0].table",
                "empty.csv, column `site`",
                "no training image has a value",
            ],
        ),
        (
            write("stray.csv", whole().replace("\n12,40.5,", "\n12,twelve,")),
            key,
            &[
                "plugins[0].table",
                "stray.csv, line 309, column `size`",
                "twelve",
                "`categorical`",
            ],
        ),
    ] {
        let text = columns(&table, keys);
        for flags in [&["--dry-run"][..], &[]] {
            let ended = started(&place, &text, flags).expect(2, words);
            assert!(ended.err.contains("config.toml:"), "{}", ended.err);
            assert_eq!(ended.err.matches("plugins[0].").count(), 1, "{}", ended.err);
            assert_nothing(&place, "refused");
        }
    }
    // The rows are those of the images that limits leave.
    let fewer =
        columns(&write("limited.csv", rows(0..320)), "").replace("train = 320", "train = 300");
    started(&place, &fewer, &["--dry-run"]).expect(2, &["320 rows for 300 training images"]);
    let keyed =
        columns(&write("limited.csv", rows(0..320)), key).replace("train = 320", "train = 300");
    let told = started(&place, &keyed, &["--dry-run"]).expect(0, &[]).out;
    assert!(told.contains("20 of its 320 rows"), "{told}");
}

#[test]
fn settings_of_a_table_without_columns_are_refused_with_all_other_mistakes() {
    let place = Place::new();
    let check = |keys: &str| {
        let config = place.write("config.toml", &with(keys));
        call(["check".as_ref(), config.as_os_str()])
    };
    let ended =
        check("table = \"a.csv\"\nkey = \"name\"\nignore = [\"y\"]\npatch = 0").expect(2, &[]);
    for key in ["table", "key", "ignore", "patch"] {
        assert!(
            ended.err.contains(&format!("plugins[0].{key}")),
            "{}",
            ended.err
        );
    }
    check("cells = \"columns\"").expect(2, &["plugins[0].table", "name the file"]);
    check("cells = \"columns\"\ntable = \"a.csv\"\naverage = 0.5")
        .expect(2, &["plugins[0].average", "columns do not change"]);
    // Where it is not known what the cells are, nothing is said of a table.
    let ended = check("cells = \"colums\"\ntable = \"a.csv\"").expect(2, &["columns"]);
    assert!(!ended.err.contains("plugins[0].table"), "{}", ended.err);
}

#[test]
fn a_run_goes_on_with_its_own_table_alone() {
    let place = Place::new();
    let table = place.write("about.csv", &rows(0..320));
    let stopped = "[[plugins]]\nkind = \"chaos\"\nstep = 15\nintervenes = true\npanic = false\n";
    let text = columns(&table, "") + stopped;
    let [straight, other] = ["straight", "other"].map(|name| place.run(name, &text, 1));
    resume(&straight).expect(0, &[]);

    let manifest = || fs::read_to_string(other.join("manifest.json")).unwrap();
    let before = manifest();
    for changed in [rows(0..320).replace("\n17,", "\n17,1"), rows(0..319)] {
        fs::write(&table, changed).unwrap();
        resume(&other).expect(
            1,
            &[
                "plugins[0].table",
                "about.csv: this is not the table that the run began with",
            ],
        );
    }
    fs::remove_file(&table).unwrap();
    resume(&other).expect(2, &["plugins[0].table", "about.csv", "cannot open"]);
    assert_eq!(manifest(), before, "a refused resume writes nothing");
    fs::write(&table, rows(0..320)).unwrap();
    resume(&other).expect(0, &[]);
    assert_same(
        &ends(&straight),
        &ends(&other),
        "resumed when its table was back",
    );
}
