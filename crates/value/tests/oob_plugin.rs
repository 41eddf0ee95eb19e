//! The plugin `oob-value` without a network: what it carries to the pure parts, and what it leaves behind.
#![cfg(feature = "plugin")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{Attached, CellValues, Every, Record, SampleValues};
use afterimage_value::{CellSource, OobValue, OobValueConfig, Pass, Share};

use rig::*;

fn oob(config: OobValueConfig) -> Attached {
    Attached::new("oob", "oob-value", OobValue::new(config))
}

fn small() -> OobValueConfig {
    OobValueConfig {
        patch: 2,
        rate: 0.05,
        hidden: 8,
        share: Share::Cells,
        ..OobValueConfig::default()
    }
}

#[test]
fn the_wrong_label_and_the_half_that_tells_are_found_and_shared() {
    let mut rig = Rig::new(oob(small()));
    (1..=30).for_each(|step| rig.step(step, false));
    rig.end(30);
    let records = rig.records();
    let values = rig.desk.resources.get::<SampleValues>().unwrap();
    assert_eq!(
        (values.epoch, values.step, values.values.len()),
        (10, 30, COUNT)
    );
    let lowest = (0..COUNT).min_by(|&a, &b| values.values[a].total_cmp(&values.values[b]));
    assert_eq!(lowest, Some(3));
    assert!(values.clean[3] < 0.1 && values.clean[4] > 0.9);
    let cells = rig.desk.resources.get::<CellValues>().unwrap();
    assert_eq!((cells.grid, cells.values.len()), ([2, 2], COUNT * 4));
    let mean = |cell: usize| {
        let right = (0..COUNT).filter(|&s| s != 3);
        right.map(|s| cells.values[s * 4 + cell]).sum::<f32>()
    };
    assert!(mean(0) > mean(1) && mean(2) > mean(3));
    assert_eq!(
        numbers(&records, "value/patches/samples", "sample_id").len(),
        COUNT
    );
    let shared: Vec<f64> = values.values.iter().map(|&v| f64::from(v)).collect();
    assert_eq!(numbers(&records, "value/patches/samples", "value"), shared);
    // The sample with the lowest value comes first, with all its cells.
    assert_eq!(
        numbers(&records, "value/patches/cells", "sample_id")[..4],
        [3.0; 4]
    );
    let sum: Vec<f64> = (0..2)
        .map(|class| {
            numbers(
                &records,
                "value/patches/probabilities",
                &format!("pred_prob_{class}"),
            )
        })
        .reduce(|a, b| a.iter().zip(b).map(|(a, b)| a + b).collect())
        .unwrap();
    assert!(sum.iter().all(|p| (p - 1.0).abs() < 1e-5));
    assert!(records.iter().any(|r| r.tag == "value/patches/lowest"));
}

#[test]
fn warming_up_leaves_values_missing() {
    let mut rig = Rig::new(oob(small()));
    (1..=3).for_each(|step| rig.step(step, false));
    let records = rig.records();
    let values = rig.desk.resources.get::<SampleValues>().unwrap();
    assert!(
        values
            .values
            .iter()
            .chain(&values.clean)
            .all(|v| v.is_nan())
    );
    assert!(values.counts.iter().all(|&c| c == 0));
    assert!(!records.iter().any(|r| r.tag == "value/patches/mean"));
}

#[test]
fn a_resumed_plugin_goes_on_to_the_bit() {
    let encoder = |pass| OobValueConfig {
        cells: CellSource::Encoder,
        groups: 2,
        average: 0.5,
        pass,
        ..small()
    };
    let seldom = OobValueConfig {
        steps: Every::steps::<2>(),
        ..encoder(Pass::Training)
    };
    let configs = [small(), encoder(Pass::Training), seldom, encoder(Pass::Own)];
    for config in configs {
        let mut straight = Rig::new(oob(config.clone()));
        (1..=9).for_each(|step| straight.step(step, false));
        let mut first = Rig::new(oob(config.clone()));
        (1..=4).for_each(|step| first.step(step, false));
        let state = first.state();
        let mut second = Rig::new(oob(config));
        second.restore(state);
        (5..=9).for_each(|step| second.step(step, false));
        assert_eq!(straight.state(), second.state());
    }
}

#[test]
fn a_plugin_resumed_for_publishing_alone_publishes_the_same() {
    let mut straight = Rig::new(oob(small()));
    (1..=5).for_each(|step| straight.step(step, false));
    straight.train(6, false);
    let mut resumed = Rig::new(oob(small()));
    resumed.restore(straight.state());
    straight.records();
    for rig in [&mut straight, &mut resumed] {
        rig.end_epoch(6);
        rig.end(6);
    }
    let cells = |rig: &Rig| {
        let cells = rig.desk.resources.get::<CellValues>().unwrap();
        (cells.grid, cells.values.clone())
    };
    assert_eq!(cells(&resumed).0, [2, 2]);
    assert_eq!(cells(&resumed), cells(&straight));
    let (records, resumed) = (straight.records(), resumed.records());
    for column in ["row", "column", "value"] {
        let of = |records: &[Record]| numbers(records, "value/patches/cells", column);
        assert_eq!(of(&resumed), of(&records), "{column}");
    }
    assert!(numbers(&resumed, "value/patches/cells", "row").contains(&1.0));
    let picture = |records: &[Record]| {
        let image = records.iter().find(|r| r.tag == "value/patches/lowest");
        format!("{:?}", image.map(|r| &r.value))
    };
    assert_eq!(picture(&resumed), picture(&records));
}

#[test]
fn outputs_of_the_training_pass_are_asked_for_in_the_steps_that_need_them_alone() {
    let run = |config: OobValueConfig| {
        let mut rig = Rig::new(oob(OobValueConfig {
            cells: CellSource::Encoder,
            ..config
        }));
        let asked: Vec<bool> = (1..=6).map(|step| rig.train(step, false)).collect();
        assert!(rig.faults().is_empty(), "{:?}", rig.faults());
        (asked, rig.state())
    };
    let (always, training) = run(small());
    assert_eq!(always, [true; 6]);
    let (seldom, _) = run(OobValueConfig {
        steps: Every::steps::<3>(),
        ..small()
    });
    assert_eq!(seldom, [false, false, true, false, false, true]);
    let (own, other) = run(OobValueConfig {
        pass: Pass::Own,
        ..small()
    });
    assert_eq!(own, [false; 6]);
    assert!(training != other);
}

#[test]
fn samples_without_labels_are_a_fault_in_words() {
    let mut rig = Rig::new(oob(small()));
    rig.samples.labels = None;
    rig.step(1, false);
    assert!(rig.faults()[0].contains("no labels"));
}
