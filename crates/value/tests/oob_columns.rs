//! The plugin `oob-value` on columns of a table about the samples, without a network.
#![cfg(feature = "plugin")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::path::PathBuf;

use afterimage_hooks::{
    Attached, CellValues, Column, Measurement, Record, RunStart, RunStartCx, SampleValues, Scope,
};
use afterimage_value::{CellSource, OobValue, OobValueConfig, Share};
use tempfile::TempDir;

use rig::*;

/// A row for each sample, the last one first: `tells` says the class, `site` and `junk` nothing.
fn table(folder: &TempDir) -> PathBuf {
    let row = |id: usize| {
        let noise = (id * 37 % 23) as f64 / 23.0;
        let tells = (id % 2) as f64 * 2.0 - 1.0 + 0.3 * noise;
        let site = ["north", "south", "west"][id / 2 % 3];
        let junk = if id == 6 {
            String::new()
        } else {
            (id * 53 % 19).to_string()
        };
        format!("{id},{tells},{site},{junk},same\n")
    };
    let rows: String = (0..COUNT).rev().map(row).collect();
    let path = folder.path().join("about.csv");
    std::fs::write(&path, format!("image,tells,site,junk,lens\n{rows}")).unwrap();
    path
}

fn config(table: PathBuf) -> OobValueConfig {
    OobValueConfig {
        cells: CellSource::Columns,
        table: Some(table),
        key: Some("image".to_owned()),
        rate: 0.05,
        hidden: 8,
        share: Share::Cells,
        ..OobValueConfig::default()
    }
}

fn oob(config: OobValueConfig) -> Attached {
    Attached::new("oob", "oob-value", OobValue::new(config))
}

fn texts(records: &[Record], tag: &str, column: &str) -> Vec<String> {
    let found = records.iter().rev().find_map(|record| match &record.value {
        Measurement::Table(table) if record.tag == tag => Some(table),
        _ => None,
    });
    let columns = &found.unwrap_or_else(|| panic!("no table {tag}")).columns;
    match &columns.iter().find(|(name, _)| name == column).unwrap().1 {
        Column::Text(texts) => texts.clone(),
        _ => panic!("{column} is no text"),
    }
}

#[test]
fn the_column_that_tells_has_the_highest_cells_and_the_wrong_label_the_lowest_value() {
    let folder = TempDir::new().unwrap();
    let mut rig = Rig::new(oob(config(table(&folder))));
    (1..=30).for_each(|step| rig.step(step, false));
    rig.end(30);
    let records = rig.records();
    let values = rig.desk.resources.get::<SampleValues>().unwrap();
    let lowest = (0..COUNT).min_by(|&a, &b| values.values[a].total_cmp(&values.values[b]));
    assert_eq!(lowest, Some(3));
    let cells = rig.desk.resources.get::<CellValues>().unwrap();
    assert_eq!((cells.grid, cells.values.len()), ([1, 3], COUNT * 3));

    let names = texts(&records, "value/columns/by_column", "name");
    assert_eq!(names, ["tells", "site", "junk"]);
    assert_eq!(
        numbers(&records, "value/columns/by_column", "inputs"),
        [1.0, 3.0, 1.0]
    );
    for column in ["value", "contrast"] {
        let means = numbers(&records, "value/columns/by_column", column);
        assert!(
            means[0] > means[1] && means[0] > means[2],
            "{column}: {means:?}"
        );
    }
    let of_cells = |column: &str| numbers(&records, "value/columns/cells", column);
    assert_eq!(of_cells("sample_id")[..3], [3.0; 3]);
    assert_eq!(of_cells("column")[..4], [0.0, 1.0, 2.0, 0.0]);
    let named = texts(&records, "value/columns/cells", "name");
    assert_eq!(named[..4], ["tells", "site", "junk", "tells"]);

    // The pictures have no map of pixels; what stands for it is told in words.
    let text = records.iter().rev().find_map(|record| match &record.value {
        Measurement::Text(text) if record.tag == "value/columns/lowest_cells" => Some(text),
        _ => None,
    });
    let text = text.unwrap();
    assert!(text.starts_with("- #3: `tells` -"), "{text}");
    assert_eq!(text.lines().count(), 8);
    let image = records.iter().rev().find_map(|record| match &record.value {
        Measurement::Image { height, .. } if record.tag == "value/columns/lowest" => Some(*height),
        _ => None,
    });
    assert_eq!(image, Some(4 * SIDE as u32));
}

#[test]
fn a_resumed_plugin_goes_on_to_the_bit_and_only_with_its_table() {
    let folder = TempDir::new().unwrap();
    let path = table(&folder);
    let config = config(path.clone());
    let mut straight = Rig::new(oob(config.clone()));
    (1..=9).for_each(|step| straight.step(step, false));
    let mut first = Rig::new(oob(config.clone()));
    (1..=4).for_each(|step| first.step(step, false));
    let state = first.state();
    let mut second = Rig::new(oob(config.clone()));
    second.restore(state.clone());
    (5..=9).for_each(|step| second.step(step, false));
    assert_eq!(straight.state(), second.state());
    // A step or none behind the resume, what is published is the same.
    let mut third = Rig::new(oob(config.clone()));
    third.restore(straight.state());
    for rig in [&mut straight, &mut third] {
        rig.records();
        rig.end(9);
    }
    let [one, other] = [straight.records(), third.records()];
    for column in ["value", "contrast"] {
        let of = |records: &[Record]| numbers(records, "value/columns/by_column", column);
        assert_eq!(of(&one), of(&other), "{column}");
    }

    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("west", "east")).unwrap();
    let mut changed = Rig::new(oob(config));
    let state = postcard::from_bytes(&state).unwrap();
    let refused = changed.hooks.restore(state, &mut changed.desk.resources);
    let told = refused.unwrap_err().to_string();
    assert!(
        told.contains("\"oob\"") && told.contains("not the table that the run began with"),
        "{told}"
    );
}

#[test]
fn what_is_wrong_with_the_table_is_a_fault_before_the_first_step() {
    let folder = TempDir::new().unwrap();
    let path = table(&folder);
    let text = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("11,"))
        .collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    let mut rig = Rig::new(oob(config(path)));
    let at = clock(0);
    let mut taps = Vec::new();
    let mut cx = RunStartCx {
        scope: Scope::new(at, &rig.run, &mut rig.desk),
        model: &Encoder,
        samples: Some(&rig.samples),
        taps: &mut taps,
    };
    rig.hooks.fire::<RunStart>(&at, &mut cx).unwrap();
    let faults = rig.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    for words in [
        "`key`: ",
        "about.csv",
        "column `image`",
        "training image 11",
        "no row",
    ] {
        assert!(faults[0].contains(words), "no {words:?} in {}", faults[0]);
    }
}
