//! The plugins without a network: what they carry to the pure parts, and what they leave behind.
#![cfg(feature = "plugin")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use afterimage_hooks::{
    Attached, CellValues, Clock, Column, Desk, EpochEnd, EpochEndCx, Fault, ForwardDone,
    ForwardDoneCx, Hooks, Host, HostOutputs, HostReadings, LabelAccess, Labels, LossReady,
    LossReadyCx, LossWrites, Measurement, ModelView, Observation, Outcome, Readings, Record,
    RunEnd, RunEndCx, RunInfo, SampleHistory, SampleId, SampleValues, Samples, Scope, Site, Split,
    StepDone, StepDoneCx, TapPlan, WantedOutputs,
};
use afterimage_value::{
    CellSource, Dynamics, DynamicsConfig, DynamicsProbe, LastLayer, Observation as Seen, OobValue,
    OobValueConfig, Share, in_run_shapley,
};
use burn::tensor::{Tensor, TensorData};

const COUNT: usize = 24;
const SIDE: usize = 4;

/// Images whose left half is bright in class 1 and dark in class 0; noise at the right. The label of
/// sample 3 is wrong.
struct Pictures {
    labels: Option<Vec<u32>>,
    classes: Vec<String>,
}

impl Pictures {
    fn new() -> Self {
        let labels = (0..COUNT as u32).map(|id| (id % 2) ^ u32::from(id == 3));
        Self {
            labels: Some(labels.collect()),
            classes: ["dark", "bright"].map(str::to_owned).to_vec(),
        }
    }
}

impl Samples for Pictures {
    fn len(&self, _split: Split) -> usize {
        COUNT
    }
    fn probe_views(&self, _: Split, _: &[SampleId], _: usize) -> Result<Tensor<4>, Fault> {
        Err(Fault::new("no views"))
    }
    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        let mut all = Vec::new();
        for &id in ids {
            let (_, _, rgb) = self.picture(split, id)?;
            all.extend(rgb.iter().map(|&v| f32::from(v) / 255.0));
        }
        let data = TensorData::new(all, [ids.len(), 3, SIDE, SIDE]);
        Ok(Tensor::from_data(data, &burn::tensor::Device::default()))
    }
    fn picture(&self, _: Split, id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        let bright = id.0 % 2 == 1;
        let pixels = (0..SIDE * SIDE).flat_map(|at| {
            let noise = (id.0 as usize * 37 + at * 101) % 97;
            let left = at % SIDE < SIDE / 2;
            [if left {
                40 + 150 * u8::from(bright)
            } else {
                2 * noise as u8
            }; 3]
        });
        Ok((SIDE as u32, SIDE as u32, pixels.collect()))
    }
    fn labels(&self, _: Split, _: &LabelAccess) -> Result<Labels<'_>, Fault> {
        let of_samples = self
            .labels
            .as_ref()
            .ok_or_else(|| Fault::new("no labels"))?;
        Ok(Labels {
            of_samples,
            classes: &self.classes,
        })
    }
}

/// An encoder that gives out four fixed sums of the image, and a classifier of two of them.
struct Encoder;

impl ModelView for Encoder {
    fn sites(&self) -> &[Site] {
        &[]
    }
    fn observe(&self, images: Tensor<4>, _: &TapPlan) -> Result<Observation, Fault> {
        let rows = images.dims()[0];
        let flat: Tensor<2> = images.reshape([rows, 3 * SIDE * SIDE]);
        let embeddings = flat.slice([0..rows, 0..4]);
        Ok(Observation {
            logits: Some(embeddings.clone().slice([0..rows, 0..2])),
            embeddings,
            readings: Readings::default(),
        })
    }
}

struct Rig {
    run: RunInfo,
    desk: Desk,
    hooks: Hooks,
    samples: Pictures,
}

fn clock(step: u64) -> Clock {
    Clock {
        epoch: step.div_ceil(3) as u32,
        step,
        epochs: 10,
        steps: 30,
    }
}

/// Eight of the samples, three such batches an epoch.
fn ids(step: u64) -> Vec<SampleId> {
    (0..8)
        .map(|at| SampleId((at * 3 + (step as u32 - 1) % 3) % COUNT as u32))
        .collect()
}

fn logits(step: u64) -> Vec<f32> {
    (0..16)
        .map(|at| ((at * 7 + step as usize * 3) % 11) as f32 / 5.0 - 1.0)
        .collect()
}

fn embeddings(step: u64) -> Vec<f32> {
    (0..32)
        .map(|at| ((at * 5 + step as usize) % 13) as f32 / 6.0 - 1.0)
        .collect()
}

impl Rig {
    fn new(plugin: Attached) -> Self {
        let mut desk = Desk::default();
        let hooks = Hooks::new(vec![plugin], &Host::default(), &mut desk.resources)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let run = RunInfo {
            pair: None,
            seed: 5,
            config: String::new(),
            sites: Vec::new(),
            parameters: Vec::new(),
            batch_size: 8,
            views: 1,
            train_samples: COUNT,
            held_out_samples: COUNT,
        };
        Self {
            run,
            desk,
            hooks,
            samples: Pictures::new(),
        }
    }

    fn step(&mut self, step: u64, classes: bool) {
        self.train(step, classes);
        if step.is_multiple_of(3) {
            self.end_epoch(step);
        }
    }

    fn train(&mut self, step: u64, classes: bool) {
        let at = clock(step);
        let ids = ids(step);
        let mut wanted = WantedOutputs::default();
        let mut cx = ForwardDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids: &ids,
            views: 1,
            embeddings: None,
            logits: None,
            readings: &Readings::default(),
            wanted: &mut BTreeSet::new(),
            wanted_outputs: &mut wanted,
        };
        self.hooks.fire::<ForwardDone>(&at, &mut cx).unwrap();
        let mut writes = LossWrites::default();
        let scope = Scope::new(at, &self.run, &mut self.desk);
        let mut cx = LossReadyCx::new(scope, &ids, None, &mut writes);
        self.hooks.fire::<LossReady>(&at, &mut cx).unwrap();
        let outputs = HostOutputs {
            embeddings: wanted.embeddings.then(|| embeddings(step)),
            logits: (wanted.logits && classes).then(|| logits(step)),
        };
        let losses: Vec<f32> = ids.iter().map(|id| id.0 as f32 + step as f32).collect();
        let mut cx = StepDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids: &ids,
            views: 1,
            loss: Some(0.0),
            per_sample_loss: writes.fetch_per_sample.then_some(losses.as_slice()),
            fetched: &HostReadings::default(),
            outputs: &outputs,
            learning_rate: Some(0.5),
            model: &Encoder,
            samples: Some(&self.samples),
        };
        self.hooks.fire::<StepDone>(&at, &mut cx).unwrap();
    }

    fn end_epoch(&mut self, step: u64) {
        let at = clock(step);
        let mut cx = EpochEndCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            loss: None,
            model: &Encoder,
            samples: Some(&self.samples),
        };
        self.hooks.fire::<EpochEnd>(&at, &mut cx).unwrap();
    }

    fn end(&mut self, step: u64) {
        let at = clock(step);
        let mut cx = RunEndCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            outcome: &Outcome::Completed,
            model: &Encoder,
            samples: Some(&self.samples),
        };
        self.hooks.fire::<RunEnd>(&at, &mut cx).unwrap();
    }

    /// Plugins and resources, as a checkpoint holds them.
    fn state(&self) -> Vec<u8> {
        let state = self.hooks.state(&self.desk.resources).unwrap();
        postcard::to_stdvec(&state).unwrap()
    }

    fn restore(&mut self, state: Vec<u8>) {
        let state = postcard::from_bytes(&state).unwrap();
        self.hooks.restore(state, &mut self.desk.resources).unwrap();
    }

    fn faults(&mut self) -> Vec<String> {
        self.hooks
            .drain_faults()
            .into_iter()
            .map(|f| f.what)
            .collect()
    }

    fn records(&mut self) -> Vec<Record> {
        assert_eq!(self.faults(), [""; 0]);
        self.desk.recorder.drain()
    }
}

fn numbers(records: &[Record], tag: &str, column: &str) -> Vec<f64> {
    let table = records.iter().rev().find_map(|record| match &record.value {
        Measurement::Table(table) if record.tag == tag => Some(table),
        _ => None,
    });
    let columns = &table.unwrap_or_else(|| panic!("no table {tag}")).columns;
    match &columns.iter().find(|(name, _)| name == column).unwrap().1 {
        Column::F64(values) => values.clone(),
        Column::I64(values) => values.iter().map(|&v| v as f64).collect(),
        Column::Text(_) => panic!("{column} is text"),
    }
}

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
    let configs = [
        small(),
        OobValueConfig {
            cells: CellSource::Encoder,
            groups: 2,
            average: 0.5,
            ..small()
        },
    ];
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
fn samples_without_labels_are_a_fault_in_words() {
    let mut rig = Rig::new(oob(small()));
    rig.samples.labels = None;
    rig.step(1, false);
    assert!(rig.faults()[0].contains("no labels"));
}

fn dynamics(config: DynamicsConfig) -> Rig {
    Rig::new(Attached::new(
        "dynamics",
        "dynamics",
        DynamicsProbe::new(config),
    ))
}

#[test]
fn scores_are_those_of_the_pure_functions() {
    let config = DynamicsConfig {
        validation: 5,
        validation_every: 1,
        history: 2,
        ..DynamicsConfig::default()
    };
    let mut rig = dynamics(config);
    (1..=9).for_each(|step| rig.step(step, true));
    rig.end(9);
    let records = rig.records();
    let labels = rig.samples.labels.clone().unwrap();
    // Sample 6 is in the batches of steps 1, 4 and 7, at place 2.
    let mut scores = Dynamics::default();
    for step in [1, 4, 7] {
        assert_eq!(ids(step)[2], SampleId(6));
        scores.add(&Seen::new(&logits(step)[4..6], labels[6] as usize).unwrap());
    }
    let of = |column: &str| numbers(&records, "dynamics/samples", column)[6];
    assert_eq!(of("area_under_margin"), scores.area_under_margin());
    assert_eq!(of("el2n"), scores.el2n());
    assert_eq!(of("variability"), scores.variability());
    assert_eq!(of("mean_margin"), scores.mean_margin());
    assert_eq!(of("mean_loss"), 6.0 + 4.0);
    assert_eq!(of("visits"), 3.0);
    // Held-out samples are constant here, so one look is as good as another; the first step has none.
    let residual = |row: &[f32], label: usize| {
        let sum: f64 = row.iter().map(|&l| f64::from(l).exp()).sum();
        let p = row.iter().map(|&l| (f64::from(l).exp() / sum) as f32);
        p.enumerate()
            .map(|(c, p)| p - f32::from(u8::from(c == label)))
            .collect::<Vec<f32>>()
    };
    let held: Vec<SampleId> = held_out_ids(rig.run.seed, 5);
    let seen = Encoder
        .observe(
            rig.samples.originals(Split::HeldOut, &held).unwrap(),
            &TapPlan::default(),
        )
        .unwrap();
    let features: Vec<f32> = seen.embeddings.reshape([20]).try_into_vec_as().unwrap();
    let held_logits: Vec<f32> = seen
        .logits
        .unwrap()
        .reshape([10])
        .try_into_vec_as()
        .unwrap();
    let residuals: Vec<f32> = held
        .iter()
        .zip(held_logits.chunks_exact(2))
        .flat_map(|(id, row)| residual(row, labels[id.0 as usize] as usize))
        .collect();
    let validation = LastLayer {
        features: &features,
        residuals: &residuals,
        samples: 5,
    };
    let mut expected = 0.0;
    for step in [4, 7] {
        let own: Vec<f32> = ids(step)
            .iter()
            .zip(logits(step).chunks_exact(2))
            .flat_map(|(id, row)| residual(row, labels[id.0 as usize] as usize))
            .collect();
        let batch = LastLayer {
            features: &embeddings(step),
            residuals: &own,
            samples: 8,
        };
        expected += in_run_shapley(batch, validation, 0.5 / 8.0).unwrap()[2];
    }
    assert!((of("in_run_shapley") - expected).abs() < 1e-6 && expected.abs() > 1e-4);
    let history = rig.desk.resources.get::<SampleHistory>().unwrap();
    let epochs: Vec<u32> = history.epochs.iter().map(|epoch| epoch.epoch).collect();
    assert_eq!(epochs, [2, 3]);
    assert_eq!(history.epochs[1].losses[6], 13.0);
    assert!((0.0..1.0).contains(&history.epochs[1].probabilities[6]));
    let last = numbers(&records, "dynamics/probabilities", "pred_prob_0");
    assert_eq!(last.len(), COUNT);
}

/// The held-out samples of the plugin: a shuffle by the run's seed.
fn held_out_ids(seed: u64, count: usize) -> Vec<SampleId> {
    use afterimage_hooks::random::{RandomKey, Stream};
    let mut ids: Vec<SampleId> = (0..COUNT as u32).map(SampleId).collect();
    RandomKey::new(seed, Stream::ProbePoints)
        .view(1)
        .generator()
        .shuffle(&mut ids);
    ids.truncate(count);
    ids.sort_unstable();
    ids
}

#[test]
fn an_objective_without_classes_has_losses_alone() {
    let mut rig = dynamics(DynamicsConfig::default());
    (1..=3).for_each(|step| rig.step(step, false));
    rig.end(3);
    let records = rig.records();
    assert_eq!(numbers(&records, "dynamics/samples", "mean_loss")[6], 7.0);
    assert!(
        !records
            .iter()
            .any(|r| r.tag == "dynamics/el2n" || r.tag == "dynamics/variability")
    );
    let history = rig.desk.resources.get::<SampleHistory>().unwrap();
    assert!(history.epochs[0].probabilities.is_empty());

    let mut rig = dynamics(DynamicsConfig {
        validation: 2,
        ..DynamicsConfig::default()
    });
    rig.step(1, false);
    assert!(rig.faults()[0].contains("validation = 0"));
}

#[test]
fn a_resumed_log_goes_on_to_the_bit() {
    let config = DynamicsConfig {
        validation: 3,
        validation_every: 2,
        ..DynamicsConfig::default()
    };
    let mut straight = dynamics(config.clone());
    (1..=8).for_each(|step| straight.step(step, true));
    let mut first = dynamics(config.clone());
    (1..=5).for_each(|step| first.step(step, true));
    let state = first.state();
    let mut second = dynamics(config);
    second.restore(state);
    (6..=8).for_each(|step| second.step(step, true));
    assert_eq!(straight.state(), second.state());
}
