//! The plugin `classmem` on a network and a data set that can be computed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::BTreeMap;

use afterimage_hooks::{Attached, Column, ModelView, SampleId, Samples, Split};
use afterimage_memory::{ClassMemConfig, ClassMemProbe, Form, probe_points};
use rig::{LABELS, Linear, Noise, Records, Rig};

const SAMPLES: Noise = Noise {
    train: 40,
    held_out: 30,
};

fn config() -> ClassMemConfig {
    ClassMemConfig {
        points: 18,
        views: 4,
        batch: 5,
        ..ClassMemConfig::default()
    }
}

fn rig(config: ClassMemConfig, model: &dyn ModelView) -> Rig {
    let plugin = Attached::new("classmem", "classmem", ClassMemProbe::new(config));
    Rig::new(plugin, model.sites())
}

fn probe(config: ClassMemConfig, model: &Linear) -> Records {
    let mut rig = rig(config, model);
    rig.start(model, Some(&SAMPLES));
    rig.records()
}

/// The index over class means by the definition, and the class with the largest.
fn index(model: &Linear, split: Split, available: usize, unit: usize, form: Form) -> (f64, u32) {
    let mut classes: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for id in probe_points(5, split, available, 18) {
        let view = |view| model.activation(0, unit, &SAMPLES.view(split, id, view));
        let mean = (0..4).map(view).sum::<f64>() / 4.0;
        classes.entry(LABELS[id.0 as usize]).or_default().push(mean);
    }
    assert_eq!(classes.len(), 3);
    let mut means: Vec<(f64, u32)> = classes
        .into_iter()
        .map(|(class, values)| (values.iter().sum::<f64>() / values.len() as f64, class))
        .collect();
    means.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Of two others the median is the mean.
    assert!(matches!(form, Form::Paper | Form::OfficialCode));
    let rest = (means[1].0 + means[2].0) / 2.0;
    ((means[0].0 - rest) / (means[0].0 + rest), means[0].1)
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn records_equal_the_definition() {
    let model = Linear::new(2);
    for form in [Form::Paper, Form::OfficialCode] {
        let records = probe(ClassMemConfig { form, ..config() }, &model);
        let table = |column| records.numbers("classmem/units", column);
        let scores = |split, available| -> (Vec<f64>, Vec<u32>) {
            (0..5)
                .map(|unit| index(&model, split, available, unit, form))
                .unzip()
        };
        let (class_mem, classes) = scores(Split::Train, 40);
        let (selectivity, held_out_classes) = scores(Split::HeldOut, 30);
        for (column, expected) in [
            ("classmem", &class_mem),
            ("class_selectivity", &selectivity),
        ] {
            for (got, expected) in table(column).iter().zip(expected) {
                assert!((got - expected).abs() < 1e-5, "{column}: {got} {expected}");
            }
        }
        let ids = |classes: &[u32]| classes.iter().copied().map(f64::from).collect::<Vec<_>>();
        assert_eq!(table("class"), ids(&classes));
        assert_eq!(table("class_held_out"), ids(&held_out_classes));
        assert_eq!(
            (table("classes"), table("points")),
            (vec![3.0; 5], vec![18.0; 5])
        );
        let columns = &records.table("classmem/units").columns;
        let names = columns
            .iter()
            .find(|(name, _)| name == "class_name")
            .unwrap();
        let expected = classes
            .iter()
            .map(|class| ["cat", "dog", "ship"][*class as usize]);
        assert_eq!(names.1, Column::Text(expected.map(str::to_owned).collect()));

        let same = classes
            .iter()
            .zip(&held_out_classes)
            .filter(|(a, b)| a == b);
        let unitmem = table("unitmem");
        let above = unitmem
            .iter()
            .zip(&class_mem)
            .filter(|(unit, class)| unit > class);
        let null = table("classmem_permuted");
        let corrected = table("crossfit")
            .iter()
            .zip(class_mem.iter().zip(&null))
            .filter(|(unit, (class, null))| **unit > *class - *null)
            .count();
        for name in ["encoder.act", "all"] {
            for (tag, expected) in [
                ("mean/train", mean(&class_mem)),
                ("mean/permuted", mean(&null)),
                ("excess", mean(&class_mem) - mean(&null)),
                ("selectivity", mean(&selectivity)),
                ("agreement", same.clone().count() as f64 / 5.0),
                ("unit_above_class/raw", above.clone().count() as f64 / 5.0),
                ("unit_above_class/corrected", corrected as f64 / 5.0),
                ("dead", 0.0),
                ("invalid", 0.0),
            ] {
                let got = records.scalars()[format!("classmem/{tag}/{name}").as_str()];
                assert!((got - expected).abs() < 1e-5, "{tag}: {got} {expected}");
            }
        }
        assert_ne!(null, table("classmem"), "the null has other labels");
    }
}

#[test]
fn a_unit_that_answers_to_a_class_is_told_from_one_that_answers_to_a_point() {
    // A permutation of the labels takes the class away and leaves the points.
    let model = Linear::new(2);
    let records = probe(config(), &model);
    let [unitmem, class] = ["unitmem", "classmem"].map(|c| records.numbers("classmem/units", c));
    // Noise around points of their own: no unit knows a class.
    assert!(mean(&unitmem) > mean(&class));
    assert!(records.scalars()["classmem/excess/all"].abs() < 0.2);
}

#[test]
fn nothing_depends_on_the_chunk_size_and_nothing_is_kept() {
    let model = Linear::new(3);
    let with = |batch| format!("{:?}", probe(ClassMemConfig { batch, ..config() }, &model));
    let whole = with(18);
    for batch in [1, 7, 100] {
        assert_eq!(with(batch), whole, "{batch}");
    }
    let mut rig = rig(config(), &model);
    rig.start(&model, Some(&SAMPLES));
    let first = format!("{:?}", rig.records().scalars());
    rig.epoch_end(1, &model, Some(&SAMPLES));
    assert_eq!(format!("{:?}", rig.records().scalars()), first);
}

#[test]
fn mistakes_are_told_in_words() {
    let model = Linear::new(1);
    let fault = |config: ClassMemConfig, samples: Option<&dyn Samples>| {
        let mut rig = rig(config, &model);
        rig.start(&model, samples);
        rig.faults().join("\n")
    };
    assert!(fault(config(), None).contains("classmem needs samples to look at"));
    let many = ClassMemConfig {
        points: 31,
        ..config()
    };
    assert_eq!(fault(many, Some(&SAMPLES)), "");
    let none = ClassMemConfig {
        views: 0,
        points: 1,
        ..config()
    };
    let keys: Vec<&str> = none.problems().iter().map(|p| p.0).collect();
    assert_eq!(keys, ["points", "views"]);
    assert!(fault(none, Some(&SAMPLES)).contains("`points`: 1 is too few"));
    assert_eq!(ClassMemConfig::default().problems(), []);
    // Two points of one class: samples 2 and 3 are of class 1.
    let one_class = (0..200).find(|seed| {
        let points = probe_points(*seed, Split::Train, 40, 2);
        let label = |id: &SampleId| LABELS[id.0 as usize];
        label(&points[0]) == label(&points[1])
    });
    let mut rig = rig(
        ClassMemConfig {
            points: 2,
            ..config()
        },
        &model,
    );
    rig.run.seed = one_class.unwrap();
    rig.start(&model, Some(&SAMPLES));
    let text = rig.faults().join("\n");
    assert!(text.contains("all of one class"), "{text}");
}
