//! The plugin `unitmem` on a network and a data set that can be computed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{
    Column, Fault, Measurement, ModelView, Observation, Readings, SampleId, Samples, Site,
    SiteKind, Split, TapPlan,
};
use afterimage_memory::{ActMap, Form, UnitMemConfig, UnitScores, probe_points};
use burn::tensor::{Device, Tensor, TensorData};
use rig::by_hand::{SAMPLES, activations, config, mean, rig, two_probes, unitmem};
use rig::{Linear, Noise};
use serde::Deserialize;

#[test]
fn records_equal_the_definition() {
    let (first, second) = two_probes(config());
    let (untrained, trained) = (Linear::new(1), Linear::new(2));
    let train = probe_points(5, Split::Train, 40, 12);
    let held_out = probe_points(5, Split::HeldOut, 30, 12);
    let scores = |model: &Linear, split, ids: &[SampleId]| -> (Vec<f64>, Vec<SampleId>) {
        let activations = activations(model, split, ids, 4);
        (0..5)
            .map(|unit| unitmem(&activations, unit))
            .map(|(score, owner)| (score, ids[owner]))
            .unzip()
    };
    let (initial, initial_owners) = scores(&untrained, Split::Train, &train);
    let (now, owners) = scores(&trained, Split::Train, &train);
    let (null, _) = scores(&trained, Split::HeldOut, &held_out);

    let table = |column| second.numbers("unitmem/units", column);
    for (column, expected) in [
        ("unitmem", &now),
        ("unitmem_held_out", &null),
        ("unitmem_initial", &initial),
    ] {
        let got = table(column);
        assert_eq!(got.len(), 5);
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-5, "{column}: {got} {expected}");
        }
    }
    let ids: Vec<f64> = owners.iter().map(|id| f64::from(id.0)).collect();
    assert_eq!(table("owner"), ids);
    assert_eq!(table("points"), [12.0; 5]);
    assert_eq!(table("views"), [4.0; 5]);
    let values = activations(&trained, Split::Train, &train, 4);
    for unit in 0..5 {
        let mut column: Vec<f64> = values.iter().map(|row| row[unit]).collect();
        column.sort_by(f64::total_cmp);
        assert!((table("max")[unit] - column[11]).abs() < 1e-5);
        assert!((table("second")[unit] - column[10]).abs() < 1e-5);
        assert!((table("mean_of_others")[unit] - mean(&column[..11])).abs() < 1e-5);
    }

    let scalars = second.scalars();
    let changed = owners.iter().zip(&initial_owners).filter(|(a, b)| a != b);
    for (tag, expected) in [
        ("unitmem/mean/train", mean(&now)),
        ("unitmem/mean/held_out", mean(&null)),
        ("unitmem/mean/initial", mean(&initial)),
        ("unitmem/excess/held_out", mean(&now) - mean(&null)),
        ("unitmem/excess/initial", mean(&now) - mean(&initial)),
        ("unitmem/turnover", changed.count() as f64 / 5.0),
        ("unitmem/dead", 0.0),
        ("unitmem/invalid", 0.0),
    ] {
        for name in ["encoder.act", "all"] {
            let got = scalars[format!("{tag}/{name}").as_str()];
            assert!((got - expected).abs() < 1e-5, "{tag}: {got} {expected}");
        }
    }
    match second.get("unitmem/train/encoder.act") {
        Measurement::Histogram(values) => assert_eq!(values, &table("unitmem")),
        other => panic!("{other:?}"),
    }
    assert!(
        !second.tags().iter().any(|tag| tag.contains("encoder.raw")),
        "only activations by default"
    );
    assert!(first.0.iter().all(|r| (r.epoch, r.step) == (0, 0)));
    assert!(second.0.iter().all(|r| (r.epoch, r.step) == (1, 10)));
}

#[test]
fn the_untrained_network_is_its_own_null() {
    let (first, second) = two_probes(config());
    let scalars = first.scalars();
    assert_eq!(scalars["unitmem/excess/initial/encoder.act"], 0.0);
    assert_eq!(
        scalars["unitmem/mean/train/all"],
        scalars["unitmem/mean/initial/all"]
    );
    assert!(!scalars.contains_key("unitmem/turnover/all"));
    assert_eq!(
        second.scalars()["unitmem/mean/initial/all"],
        scalars["unitmem/mean/initial/all"]
    );
}

#[test]
fn ownership_is_the_share_of_units_whose_maximum_is_a_training_point() {
    let (_, second) = two_probes(config());
    let model = Linear::new(2);
    let highest = |split, available| {
        let ids = probe_points(5, split, available, 12);
        let values = activations(&model, split, &ids, 4);
        (0..5).map(move |unit| values.iter().map(|row| row[unit]).fold(0.0, f64::max))
    };
    let pairs = highest(Split::Train, 40).zip(highest(Split::HeldOut, 30));
    let expected = pairs.filter(|(train, held_out)| train > held_out).count() as f64 / 5.0;
    assert_eq!(second.scalars()["unitmem/ownership/all"], expected);
}
#[test]
fn nothing_depends_on_the_chunk_size() {
    let with = |batch| two_probes(UnitMemConfig { batch, ..config() });
    let whole = with(12);
    for batch in [1, 5, 7, 100] {
        // Compared as text, since the NaN of an empty null is equal to none.
        assert_eq!(
            format!("{:?}", with(batch)),
            format!("{whole:?}"),
            "{batch}"
        );
    }
}

#[test]
fn forwards_are_those_of_points_and_views_and_no_more() {
    let model = Linear::new(1);
    let mut rig = rig(config(), &model);
    rig.start(&model, Some(&SAMPLES));
    assert_eq!(
        *model.forwards.lock().unwrap(),
        [20, 20, 8, 20, 20, 8],
        "batches of 5, 5 and 2 points in 4 views, twice"
    );
}

#[test]
fn the_cadence_is_obeyed_and_the_scores_are_provided() {
    let model = Linear::new(1);
    let every = "2 epochs".parse().unwrap();
    let mut rig = rig(UnitMemConfig { every, ..config() }, &model);
    rig.start(&model, Some(&SAMPLES));
    let _ = rig.records();
    rig.epoch_end(1, &model, Some(&SAMPLES));
    assert!(rig.records().0.is_empty());
    rig.epoch_end(2, &model, Some(&SAMPLES));
    let records = rig.records();
    assert_eq!(records.scalars()["unitmem/turnover/all"], 0.0);
    let scores: &UnitScores = rig.desk.resources.get().unwrap();
    assert_eq!((scores.epoch, scores.step), (2, 20));
    let site = scores.get("encoder.act").unwrap();
    let values: Vec<f64> = site
        .train
        .scores()
        .iter()
        .filter_map(|s| s.value())
        .collect();
    assert_eq!(values, records.numbers("unitmem/units", "unitmem"));
    assert!(scores.get("encoder.raw").is_none());
}

#[test]
fn signed_sites_need_a_map() {
    let raw = |map| {
        two_probes(UnitMemConfig {
            map,
            kinds: vec![SiteKind::Conv],
            ..config()
        })
        .1
    };
    let records = raw(ActMap::Raw);
    assert_eq!(records.scalars()["unitmem/invalid/encoder.raw"], 3.0);
    assert!(
        !records
            .scalars()
            .contains_key("unitmem/mean/train/encoder.raw"),
        "nothing to average"
    );
    assert!(!records.tags().contains(&"unitmem/owners/encoder.raw"));
    for map in [ActMap::Relu, ActMap::Abs] {
        let records = raw(map);
        assert_eq!(records.scalars()["unitmem/invalid/encoder.raw"], 0.0);
        assert!(records.scalars()["unitmem/mean/train/encoder.raw"] > 0.0);
    }
}

#[test]
fn owners_stand_in_a_row_the_highest_score_first() {
    let (_, records) = two_probes(UnitMemConfig {
        top_images: 3,
        ..config()
    });
    let scores = records.numbers("unitmem/units", "unitmem");
    let owners = records.numbers("unitmem/units", "owner");
    let mut order: Vec<usize> = (0..5).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let Measurement::Image { width, height, rgb } = records.get("unitmem/owners/encoder.act")
    else {
        panic!("no image")
    };
    assert_eq!((*width, *height), (3 * 3 * 4, 2 * 4));
    assert_eq!(rgb.len(), (width * height * 3) as usize);
    for (place, unit) in order[..3].iter().enumerate() {
        let at = 3 * 12 * place;
        let colour = Noise::colour(SampleId(owners[*unit] as u32));
        assert_eq!(rgb[at..at + 3], colour, "tile {place}");
    }
    let (_, none) = two_probes(UnitMemConfig {
        top_images: 0,
        ..config()
    });
    assert!(none.tags().iter().all(|tag| !tag.contains("/owners/")));
}

#[test]
fn a_resumed_probe_goes_on_as_if_it_was_not_killed() {
    let models = [Linear::new(1), Linear::new(2), Linear::new(3)];
    let straight = {
        let mut rig = rig(config(), &models[0]);
        rig.start(&models[0], Some(&SAMPLES));
        rig.epoch_end(1, &models[1], Some(&SAMPLES));
        let _ = rig.records();
        rig.epoch_end(2, &models[2], Some(&SAMPLES));
        (rig.records(), rig.hooks.state(&rig.desk.resources).unwrap())
    };
    let mut killed = rig(config(), &models[0]);
    killed.start(&models[0], Some(&SAMPLES));
    killed.epoch_end(1, &models[1], Some(&SAMPLES));
    let saved = killed.hooks.state(&killed.desk.resources).unwrap();
    let mut resumed = rig(config(), &models[0]);
    resumed
        .hooks
        .restore(saved, &mut resumed.desk.resources)
        .unwrap();
    resumed.epoch_end(2, &models[2], Some(&SAMPLES));
    assert_eq!(resumed.records(), straight.0);
    assert_eq!(
        resumed.hooks.state(&resumed.desk.resources).unwrap(),
        straight.1
    );
}

#[test]
fn a_compacted_site_is_compared_no_more_but_still_measured() {
    let (untrained, mut compacted) = (Linear::new(1), Linear::new(2));
    compacted.sites[0].units = 4;
    for row in &mut compacted.weights[0] {
        row.pop();
    }
    let mut rig = rig(config(), &untrained);
    rig.start(&untrained, Some(&SAMPLES));
    let _ = rig.records();
    rig.epoch_end(1, &compacted, Some(&SAMPLES));
    let records = rig.records();
    let scalars = records.scalars();
    assert!(scalars.contains_key("unitmem/excess/held_out/encoder.act"));
    for tag in ["mean/initial", "excess/initial", "turnover"] {
        assert!(!scalars.contains_key(format!("unitmem/{tag}/encoder.act").as_str()));
    }
    assert!(records.numbers("unitmem/units", "unitmem_initial")[0].is_nan());
    rig.epoch_end(2, &compacted, Some(&SAMPLES));
    assert_eq!(rig.records().scalars()["unitmem/turnover/all"], 0.0);
}

#[test]
fn mistakes_are_told_in_words() {
    let model = Linear::new(1);
    let fault = |config: UnitMemConfig, samples: Option<&dyn Samples>| {
        let mut rig = rig(config, &model);
        rig.start(&model, samples);
        rig.faults().join("\n")
    };
    let many = UnitMemConfig {
        points: 31,
        ..config()
    };
    assert_eq!(fault(many, Some(&SAMPLES)), "");
    assert!(fault(config(), None).contains("needs samples to look at"));
    let none = UnitMemConfig {
        views: 0,
        points: 1,
        ..config()
    };
    let keys: Vec<&str> = none.problems().iter().map(|p| p.0).collect();
    assert_eq!(keys, ["points", "views"]);
    assert!(fault(none, Some(&SAMPLES)).contains("`points`: 1 is too few"));
    assert_eq!(UnitMemConfig::default().problems(), []);
}

#[test]
fn settings_are_strict_and_have_defaults() {
    let read = serde_json::from_str::<UnitMemConfig>;
    assert_eq!(read("{}").unwrap(), UnitMemConfig::default());
    let some = read(r#"{"form": "official_code", "map": "abs", "every": "5 epochs"}"#).unwrap();
    assert_eq!((some.form, some.map), (Form::OfficialCode, ActMap::Abs));
    assert!(read(r#"{"augmentations": 3}"#).is_err());
}

/// A site whose readings are the pictures themselves.
struct Identity(Vec<Site>);

impl ModelView for Identity {
    fn sites(&self) -> &[Site] {
        &self.0
    }
    fn observe(&self, images: Tensor<4>, plan: &TapPlan) -> Result<Observation, Fault> {
        let rows = images.dims()[0];
        let embeddings: Tensor<2> = images.reshape([rows, self.0[0].units]);
        let mut readings = Readings::default();
        for mode in &plan.sites[&self.0[0].name] {
            readings.insert(self.0[0].name.clone(), *mode, embeddings.clone());
        }
        Ok(Observation {
            embeddings,
            logits: None,
            readings,
        })
    }
}

/// A table of activations in place of pictures.
struct Rows {
    units: usize,
    values: Vec<f32>,
}

impl Samples for Rows {
    fn len(&self, _split: Split) -> usize {
        self.values.len() / self.units
    }
    fn probe_views(
        &self,
        _split: Split,
        ids: &[SampleId],
        views: usize,
    ) -> Result<Tensor<4>, Fault> {
        let row = |id: &SampleId| {
            let row = &self.values[id.0 as usize * self.units..][..self.units];
            row.repeat(views)
        };
        let shape = [ids.len() * views, 1, 1, self.units];
        let data = TensorData::new(ids.iter().flat_map(row).collect::<Vec<f32>>(), shape);
        Ok(Tensor::from_data(data, &Device::flex()))
    }
    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        self.probe_views(split, ids, 1)
    }
    fn picture(&self, _split: Split, _id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        Ok((1, 1, vec![0; 3]))
    }
}

#[derive(Deserialize)]
struct Case {
    name: String,
    points: usize,
    units: usize,
    values: Vec<f32>,
    paper: Reference,
    official_code: Reference,
    owners: Vec<Option<i64>>,
}

#[derive(Deserialize)]
struct Reference {
    units: Vec<Option<f64>>,
}

#[test]
fn both_forms_equal_numpy_through_the_whole_plugin() {
    // Written by scripts/unitmem_reference.py.
    let cases: Vec<Case> = serde_json::from_str(include_str!("../testdata/unitmem.json")).unwrap();
    let cases: Vec<Case> = cases.into_iter().filter(|case| case.points >= 2).collect();
    assert!(cases.len() >= 4);
    for case in cases {
        let model = Identity(vec![rig::site(
            "encoder.act",
            SiteKind::Activation,
            case.units,
        )]);
        let samples = Rows {
            units: case.units,
            values: case.values,
        };
        for (form, expected) in [
            (Form::Paper, &case.paper),
            (Form::OfficialCode, &case.official_code),
        ] {
            let mut rig = rig(
                UnitMemConfig {
                    points: case.points,
                    form,
                    views: 2,
                    ..UnitMemConfig::default()
                },
                &model,
            );
            rig.start(&model, Some(&samples));
            let records = rig.records();
            let got = records.numbers("unitmem/units", "unitmem");
            for (unit, (got, expected)) in got.iter().zip(&expected.units).enumerate() {
                match expected {
                    Some(value) => assert!(
                        (got - value).abs() < 1e-12,
                        "{} {form} unit {unit}: {got} {value}",
                        case.name
                    ),
                    None => assert!(got.is_nan(), "{} {form} unit {unit}: {got}", case.name),
                }
            }
            let owners: Vec<f64> = case.owners.iter().map(|o| o.unwrap_or(-1) as f64).collect();
            assert_eq!(records.numbers("unitmem/units", "owner"), owners);
            let columns = &records.table("unitmem/units").columns;
            let form_column = columns.iter().find(|(name, _)| name == "form").unwrap();
            let words = vec![form.to_string(); case.units];
            assert_eq!(form_column.1, Column::Text(words));
        }
    }
}
