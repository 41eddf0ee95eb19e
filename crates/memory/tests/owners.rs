//! What the plugin `unitmem` says of owners, and of scores with cross-fitted ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{PairChoice, PairSets, SampleId, Split};
use afterimage_memory::{UnitMemConfig, probe_points};
use rig::Linear;
use rig::by_hand::{SAMPLES, activations, config, mean, rig, two_probes, unitmem};

/// Activations of all five units in the first and in the last two of four views.
fn folds(model: &Linear, split: Split, ids: &[SampleId]) -> [Vec<Vec<f64>>; 2] {
    [[0, 1], [2, 3]].map(|views| {
        let one = |id: &SampleId, unit| {
            let view = |view| model.activation(0, unit, &SAMPLES.view(split, *id, view));
            views.map(view).iter().sum::<f64>() / 2.0
        };
        let row = |id| (0..5).map(|unit| one(id, unit)).collect();
        ids.iter().map(row).collect()
    })
}

/// Cross-fitted UnitMem by its definition, and whether both folds have one owner.
fn cross_fitted(folds: &[Vec<Vec<f64>>; 2], unit: usize) -> (f64, bool) {
    let owners = [0, 1].map(|fold| unitmem(&folds[fold], unit).1);
    let part = |fold: usize| {
        let column: Vec<f64> = folds[fold].iter().map(|row| row[unit]).collect();
        let owner = column[owners[1 - fold]];
        let rest = column.iter().sum::<f64>() - owner;
        (owner, rest / (column.len() - 1) as f64)
    };
    let (first, second) = (part(0), part(1));
    let (owner, rest) = (first.0 + second.0, first.1 + second.1);
    ((owner - rest) / (owner + rest), owners[0] == owners[1])
}

#[test]
fn cross_fitted_records_equal_the_definition() {
    let (first, second) = two_probes(config());
    let (untrained, trained) = (Linear::new(1), Linear::new(2));
    let train = probe_points(5, Split::Train, 40, 12);
    let held_out = probe_points(5, Split::HeldOut, 30, 12);
    let scores = |model: &Linear, split, ids: &[SampleId]| -> (Vec<f64>, Vec<bool>) {
        let folds = folds(model, split, ids);
        (0..5).map(|unit| cross_fitted(&folds, unit)).unzip()
    };
    let (initial, _) = scores(&untrained, Split::Train, &train);
    let (now, agreed) = scores(&trained, Split::Train, &train);
    let (null, _) = scores(&trained, Split::HeldOut, &held_out);
    for (column, expected) in [("crossfit", &now), ("crossfit_held_out", &null)] {
        let got = second.numbers("unitmem/units", column);
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{column}: {got} {expected}");
        }
    }
    let scalars = second.scalars();
    let agreement = agreed.iter().filter(|agreed| **agreed).count() as f64 / 5.0;
    for (tag, expected) in [
        ("train", mean(&now)),
        ("held_out", mean(&null)),
        ("initial", mean(&initial)),
        ("excess", mean(&now) - mean(&null)),
        ("agreement", agreement),
    ] {
        let got = scalars[format!("unitmem/crossfit/{tag}/encoder.act").as_str()];
        assert!((got - expected).abs() < 1e-5, "{tag}: {got} {expected}");
    }
    assert_eq!(
        first.scalars()["unitmem/crossfit/initial/all"],
        second.scalars()["unitmem/crossfit/initial/all"]
    );
    assert!(mean(&now) < second.scalars()["unitmem/mean/train/all"]);
    let (_, one_view) = two_probes(UnitMemConfig {
        views: 1,
        ..config()
    });
    assert!(one_view.tags().iter().all(|tag| !tag.contains("crossfit")));
}

#[test]
#[allow(
    clippy::needless_range_loop,
    reason = "points are rows and units columns, as in the formulas"
)]
fn owners_are_counted_ranked_and_followed() {
    let (_, second) = two_probes(config());
    let train = probe_points(5, Split::Train, 40, 12);
    let values = activations(&Linear::new(2), Split::Train, &train, 4);
    for unit in 0..5 {
        let mut order: Vec<usize> = (0..12).collect();
        order.sort_by(|a, b| values[*b][unit].total_cmp(&values[*a][unit]));
        for place in 1..5 {
            let column = format!("owner_{}", place + 1);
            let got = second.numbers("unitmem/units", &column)[unit];
            assert_eq!(got, f64::from(train[order[place]].0), "{column} of {unit}");
        }
        let third = second.numbers("unitmem/units", "max_3")[unit];
        assert!((third - values[order[2]][unit]).abs() < 1e-5);
    }
    let owners = second.numbers("unitmem/units", "owner");
    let points = second.numbers("unitmem/points", "point");
    let units = second.numbers("unitmem/points", "units");
    assert_eq!(units.iter().sum::<f64>(), 5.0);
    for (point, count) in points.iter().zip(&units) {
        let expected = owners.iter().filter(|owner| *owner == point).count();
        assert_eq!(*count, expected as f64);
    }
    // One of five units is the top decile.
    let top = second.numbers("unitmem/points", "top_units");
    assert_eq!(top.iter().sum::<f64>(), 1.0);
    let scalars = second.scalars();
    let share = points.len() as f64 / 12.0;
    assert_eq!(scalars["unitmem/owning_points/train/all"], share);
    for tag in ["gini", "entropy"] {
        for split in ["train", "held_out"] {
            let value = scalars[format!("unitmem/{tag}/{split}/all").as_str()];
            assert!((0.0..=1.0).contains(&value), "{tag} {split}: {value}");
        }
    }
    let gap = |unit: usize| {
        let [max, second] = ["max", "second"].map(|c| second.numbers("unitmem/units", c)[unit]);
        (max - second) / (max + second)
    };
    let gaps: Vec<f64> = (0..5).map(gap).collect();
    assert!((scalars["unitmem/gap/train/all"] - mean(&gaps)).abs() < 1e-12);
}

#[test]
fn streaks_go_on_while_owners_stay() {
    let (model, other) = (Linear::new(2), Linear::new(1));
    let mut rig = rig(config(), &model);
    rig.start(&model, Some(&SAMPLES));
    let _ = rig.records();
    for epoch in 1..=2 {
        rig.epoch_end(epoch, &model, Some(&SAMPLES));
        let records = rig.records();
        let length = epoch as f64 + 1.0;
        assert_eq!(records.numbers("unitmem/units", "streak"), [length; 5]);
        assert_eq!(records.numbers("unitmem/units", "owned_since"), [0.0; 5]);
        for split in ["train", "held_out"] {
            let tag = format!("unitmem/streak/{split}/all");
            assert_eq!(records.scalars()[tag.as_str()], length);
        }
    }
    let before = [0; 5].map(|_| 4.0);
    rig.epoch_end(3, &other, Some(&SAMPLES));
    let records = rig.records();
    let streaks = records.numbers("unitmem/units", "streak");
    let since = records.numbers("unitmem/units", "owned_since");
    assert_ne!(streaks, before, "another network has other owners");
    for (streak, since) in streaks.iter().zip(since) {
        assert!((*streak, since) == (1.0, 3.0) || (*streak, since) == (4.0, 0.0));
    }
}

#[test]
fn a_pair_is_probed_on_what_it_was_trained_on() {
    let model = Linear::new(1);
    let mut rig = rig(
        UnitMemConfig {
            points: 20,
            ..config()
        },
        &model,
    );
    let sets = PairSets::choose(40, 10, PairChoice::Random, 3).unwrap();
    let members = sets.members();
    rig.run.pair = Some(sets);
    rig.start(&model, Some(&SAMPLES));
    let records = rig.records();
    for place in ["owner", "owner_2", "owner_5"] {
        for id in records.numbers("unitmem/units", place) {
            assert!(members.contains(&SampleId(id as u32)), "{place} {id}");
        }
    }
}
