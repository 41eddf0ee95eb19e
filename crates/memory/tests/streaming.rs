//! The plugin `unitmem-streaming`: training views in, an epoch's scores out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use afterimage_hooks::{Attached, Measurement, ModelView, SampleId, Split};
use afterimage_memory::{Form, StreamingConfig, UnitMemStreaming};
use burn::tensor::{Device, Tensor, TensorData};
use rig::{Linear, Noise, PIXELS, Records, Rig};

const SAMPLES: Noise = Noise {
    train: 40,
    held_out: 0,
};

fn rig(config: StreamingConfig, model: &dyn ModelView) -> Rig {
    let plugin = Attached::new("stream", "unitmem-streaming", UnitMemStreaming::new(config));
    Rig::new(plugin, model.sites())
}

/// Two views of each sample, all first views before all second ones.
fn views(ids: &[u32]) -> (Vec<SampleId>, Tensor<4>) {
    let ids: Vec<SampleId> = ids.iter().copied().map(SampleId).collect();
    let rows: Vec<f32> = (0..2)
        .flat_map(|view| ids.iter().map(move |id| (*id, view)))
        .flat_map(|(id, view)| SAMPLES.view(Split::Train, id, view))
        .collect();
    let data = TensorData::new(rows, [2 * ids.len(), 1, 2, PIXELS / 2]);
    (ids, Tensor::from_data(data, &Device::flex()))
}

fn run(config: StreamingConfig, batches: &[&[u32]]) -> Records {
    let model = Linear::new(1);
    let mut rig = rig(config, &model);
    for (step, ids) in (1..).zip(batches) {
        let (ids, images) = views(ids);
        rig.step(step, &model, &ids, images);
    }
    rig.epoch_end(1, &model, None);
    rig.records()
}

/// UnitMem and owner of `unit` of `encoder.act` by the definition, over `ids` in two views.
fn expected(ids: &[u32], unit: usize, form: Form) -> (f64, u32) {
    let model = Linear::new(1);
    let mean = |id: u32| {
        let one = |view| model.activation(0, unit, &SAMPLES.view(Split::Train, SampleId(id), view));
        (one(0) + one(1)) / 2.0
    };
    let mut values: Vec<(f64, u32)> = ids.iter().map(|id| (mean(*id), *id)).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (max, owner) = values.pop().unwrap();
    let n = values.len();
    let rest = match form {
        Form::Paper => values.iter().map(|v| v.0).sum::<f64>() / n as f64,
        Form::OfficialCode => (values[(n - 1) / 2].0 + values[n / 2].0) / 2.0,
    };
    ((max - rest) / (max + rest), owner)
}

#[test]
fn an_epoch_equals_the_definition_over_its_points() {
    for form in [Form::Paper, Form::OfficialCode] {
        let config = StreamingConfig {
            form,
            ..StreamingConfig::default()
        };
        let records = run(config, &[&[3, 9, 1, 4], &[20, 7, 6, 30], &[0, 2]]);
        let all = [3, 9, 1, 4, 20, 7, 6, 30, 0, 2];
        let scores = records.numbers("unitmem_streaming/units", "unitmem");
        let owners = records.numbers("unitmem_streaming/units", "owner");
        assert_eq!(scores.len(), 5);
        for unit in 0..5 {
            let (score, owner) = expected(&all, unit, form);
            assert!((scores[unit] - score).abs() < 1e-5, "{form} {unit}");
            assert_eq!(owners[unit], f64::from(owner));
        }
        let scalars = records.scalars();
        let mean = scores.iter().sum::<f64>() / 5.0;
        assert!((scalars["unitmem_streaming/mean/train/all"] - mean).abs() < 1e-12);
        assert_eq!(scalars["unitmem_streaming/points"], 10.0);
        assert_eq!(scalars["unitmem_streaming/repeats"], 0.0);
        assert!(
            records
                .tags()
                .iter()
                .all(|tag| tag.starts_with("unitmem_streaming/")),
            "nothing can be taken for the exact probe"
        );
        assert_eq!(
            records.numbers("unitmem_streaming/units", "views"),
            [2.0; 5]
        );
    }
}

#[test]
fn batching_and_order_leave_no_trace() {
    let whole = run(StreamingConfig::default(), &[&[3, 9, 1, 4, 20, 7]]);
    let parts = run(StreamingConfig::default(), &[&[7, 20], &[4, 3, 9], &[1]]);
    assert_eq!(
        whole.numbers("unitmem_streaming/units", "unitmem"),
        parts.numbers("unitmem_streaming/units", "unitmem")
    );
}

#[test]
fn a_sample_counts_once_an_epoch() {
    let once = run(StreamingConfig::default(), &[&[3, 9, 1, 4]]);
    let again = run(StreamingConfig::default(), &[&[3, 9, 3], &[9, 1, 4]]);
    assert_eq!(
        once.numbers("unitmem_streaming/units", "unitmem"),
        again.numbers("unitmem_streaming/units", "unitmem")
    );
    assert_eq!(again.scalars()["unitmem_streaming/repeats"], 2.0);
}

#[test]
fn epochs_are_apart_and_turnover_compares_them() {
    let model = Linear::new(1);
    let mut rig = rig(StreamingConfig::default(), &model);
    let mut owners = Vec::new();
    let batches: [&[u32]; 3] = [&[1, 2, 3, 4], &[5, 6, 7, 8], &[8, 7, 6, 5]];
    for (epoch, ids) in (1..).zip(batches) {
        let (ids, images) = views(ids);
        rig.step(10 * epoch, &model, &ids, images);
        rig.epoch_end(epoch, &model, None);
        let records = rig.records();
        owners.push(records.numbers("unitmem_streaming/units", "owner"));
        let turnover = records
            .scalars()
            .get("unitmem_streaming/turnover/all")
            .copied();
        assert_eq!(turnover, [None, Some(1.0), Some(0.0)][epoch as usize - 1]);
    }
    assert_eq!(owners[1], owners[2]);
    rig.epoch_end(4, &model, None);
    assert!(rig.records().0.is_empty(), "an epoch without points");
}

#[test]
fn taps_are_on_only_when_it_listens() {
    let model = Linear::new(1);
    let config = StreamingConfig {
        every: "3 steps".parse().unwrap(),
        ..StreamingConfig::default()
    };
    let rig = rig(config, &model);
    let on: Vec<usize> = (1..=6)
        .map(|step| rig.hooks.taps(&rig::clock(step), model.sites()).sites.len())
        .collect();
    assert_eq!(on, [0, 0, 1, 0, 0, 1]);
}

#[test]
fn a_kill_in_the_middle_of_an_epoch_leaves_no_trace() {
    for form in [Form::Paper, Form::OfficialCode] {
        let model = Linear::new(1);
        let config = || StreamingConfig {
            form,
            ..StreamingConfig::default()
        };
        let batches: [&[u32]; 4] = [&[1, 2, 3, 4], &[5, 6, 7, 2], &[9, 10], &[3, 12]];
        let finish = |rig: &mut Rig, from: usize| {
            for (step, ids) in (1..).zip(batches).skip(from) {
                let (ids, images) = views(ids);
                rig.step(10 + step, &model, &ids, images);
            }
            rig.epoch_end(2, &model, None);
        };
        let first_epoch = |rig: &mut Rig| {
            let (ids, images) = views(&[1, 2, 3]);
            rig.step(1, &model, &ids, images);
            rig.epoch_end(1, &model, None);
            let _ = rig.records();
        };
        let mut straight = rig(config(), &model);
        first_epoch(&mut straight);
        finish(&mut straight, 0);
        // Compared as text, since the NaN of a missing null is equal to none.
        let expected = format!("{:?}", straight.records());
        for killed_after in 0..=4 {
            let mut killed = rig(config(), &model);
            first_epoch(&mut killed);
            for (step, ids) in (1..).zip(batches).take(killed_after) {
                let (ids, images) = views(ids);
                killed.step(10 + step, &model, &ids, images);
            }
            let saved = killed.hooks.state(&killed.desk.resources).unwrap();
            let mut resumed = rig(config(), &model);
            resumed
                .hooks
                .restore(saved, &mut resumed.desk.resources)
                .unwrap();
            finish(&mut resumed, killed_after);
            assert_eq!(
                format!("{:?}", resumed.records()),
                expected,
                "killed after {killed_after}"
            );
            assert_eq!(
                resumed.hooks.state(&resumed.desk.resources).unwrap(),
                straight.hooks.state(&straight.desk.resources).unwrap()
            );
        }
    }
}

#[test]
fn a_compaction_starts_the_points_anew() {
    let (before, mut after) = (Linear::new(1), Linear::new(1));
    after.sites[0].units = 4;
    for row in &mut after.weights[0] {
        row.pop();
    }
    let mut rig = rig(StreamingConfig::default(), &before);
    let (ids, images) = views(&[1, 2, 3]);
    rig.step(1, &before, &ids, images);
    let (ids, images) = views(&[3, 4, 5]);
    rig.step(2, &after, &ids, images);
    rig.epoch_end(1, &after, None);
    let records = rig.records();
    assert_eq!(records.scalars()["unitmem_streaming/points"], 3.0);
    let scores = records.numbers("unitmem_streaming/units", "unitmem");
    assert_eq!(scores.len(), 4);
    assert!((scores[0] - expected(&[3, 4, 5], 0, Form::Paper).0).abs() < 1e-5);
}

#[test]
fn what_it_is_not_is_said_at_the_start() {
    let model = Linear::new(1);
    let mut rig = rig(StreamingConfig::default(), &model);
    rig.start(&model, None);
    let records = rig.records();
    match records.get("unitmem_streaming/about") {
        Measurement::Text(text) => {
            for word in ["training mode", "drift", "2 views", "no null"] {
                assert!(text.contains(word), "{text}");
            }
        }
        other => panic!("{other:?}"),
    }
}
