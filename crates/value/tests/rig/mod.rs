//! A host without a network, and pictures whose left half tells the class.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use afterimage_hooks::{
    Attached, Clock, Column, Desk, EpochEnd, EpochEndCx, Fault, ForwardDone, ForwardDoneCx, Hooks,
    Host, HostOutputs, HostReadings, LabelAccess, Labels, LossReady, LossReadyCx, LossWrites,
    Measurement, ModelView, Observation, Outcome, Readings, Record, RunEnd, RunEndCx, RunInfo,
    SampleId, Samples, Scope, Site, Split, StepDone, StepDoneCx, TapPlan, WantedOutputs,
};
use burn::tensor::{Tensor, TensorData};

pub const COUNT: usize = 24;
pub const SIDE: usize = 4;

/// Images whose left half is bright in class 1 and dark in class 0; noise at the right. The label of
/// sample 3 is wrong.
pub struct Pictures {
    pub labels: Option<Vec<u32>>,
    pub classes: Vec<String>,
}

impl Pictures {
    pub fn new() -> Self {
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
pub struct Encoder;

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

pub struct Rig {
    pub run: RunInfo,
    pub desk: Desk,
    pub hooks: Hooks,
    pub samples: Pictures,
}

pub fn clock(step: u64) -> Clock {
    Clock {
        epoch: step.div_ceil(3) as u32,
        step,
        epochs: 10,
        steps: 30,
        epoch_began: None,
    }
}

/// Eight of the samples, three such batches an epoch.
pub fn ids(step: u64) -> Vec<SampleId> {
    (0..8)
        .map(|at| SampleId((at * 3 + (step as u32 - 1) % 3) % COUNT as u32))
        .collect()
}

pub fn logits(step: u64) -> Vec<f32> {
    (0..16)
        .map(|at| ((at * 7 + step as usize * 3) % 11) as f32 / 5.0 - 1.0)
        .collect()
}

pub fn embeddings(step: u64) -> Vec<f32> {
    (0..32)
        .map(|at| ((at * 5 + step as usize) % 13) as f32 / 6.0 - 1.0)
        .collect()
}

impl Rig {
    pub fn new(plugin: Attached) -> Self {
        let mut desk = Desk::default();
        let hooks = Hooks::new(vec![plugin], &Host::default(), &mut desk.resources)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let run = RunInfo {
            pair: None,
            doses: None,
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

    pub fn step(&mut self, step: u64, classes: bool) {
        self.train(step, classes);
        if step.is_multiple_of(3) {
            self.end_epoch(step);
        }
    }

    /// One step; whether the encoder's outputs were asked for.
    pub fn train(&mut self, step: u64, classes: bool) -> bool {
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
        wanted.embeddings
    }

    pub fn end_epoch(&mut self, step: u64) {
        let at = clock(step);
        let mut cx = EpochEndCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            loss: None,
            model: &Encoder,
            samples: Some(&self.samples),
        };
        self.hooks.fire::<EpochEnd>(&at, &mut cx).unwrap();
    }

    pub fn end(&mut self, step: u64) {
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
    pub fn state(&self) -> Vec<u8> {
        let state = self.hooks.state(&self.desk.resources).unwrap();
        postcard::to_stdvec(&state).unwrap()
    }

    pub fn restore(&mut self, state: Vec<u8>) {
        let state = postcard::from_bytes(&state).unwrap();
        self.hooks.restore(state, &mut self.desk.resources).unwrap();
    }

    pub fn faults(&mut self) -> Vec<String> {
        self.hooks
            .drain_faults()
            .into_iter()
            .map(|f| f.what)
            .collect()
    }

    pub fn records(&mut self) -> Vec<Record> {
        assert_eq!(self.faults(), [""; 0]);
        self.desk.recorder.drain()
    }
}

pub fn numbers(records: &[Record], tag: &str, column: &str) -> Vec<f64> {
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
