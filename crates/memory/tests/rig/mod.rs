//! A small network and a small data set, and a run that fires the events of probes and streams.
#![allow(dead_code)] // every test binary uses its part
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod by_hand;

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{
    Attached, Clock, Column, Desk, EpochEnd, EpochEndCx, Fault, ForwardDone, ForwardDoneCx, Hooks,
    Host, HostOutputs, HostReadings, LabelAccess, Labels, Measurement, ModelView, Observation,
    Readings, Record, Reduce, RunInfo, RunStart, RunStartCx, SampleId, Samples, Scope, Site,
    SiteKind, Split, StepDone, StepDoneCx, StopRun, Table, TapMode, TapPlan, WantedOutputs,
};
use burn::tensor::{Device, Tensor, TensorData};

/// Pixels of a view.
pub const PIXELS: usize = 6;

/// Two sites over flat images: `encoder.act` is relu(W x) with its own W, `encoder.raw` is W' x.
/// Rows do not see each other.
pub struct Linear {
    pub sites: Vec<Site>,
    /// `[pixels][units]` of each site.
    pub weights: Vec<Vec<Vec<f32>>>,
    /// Rows of each forward pass so far.
    pub forwards: Mutex<Vec<usize>>,
}

pub fn site(name: &str, kind: SiteKind, units: usize) -> Site {
    Site {
        name: name.to_owned(),
        kind,
        units,
        produced_by: Vec::new(),
        consumed_by: Vec::new(),
    }
}

impl Linear {
    pub fn new(seed: u64) -> Self {
        let sites = vec![
            site("encoder.act", SiteKind::Activation, 5),
            site("encoder.raw", SiteKind::Conv, 3),
        ];
        let weights = sites
            .iter()
            .zip(0..)
            .map(|(site, at)| {
                let mut generator = RandomKey::new(seed, Stream::Init).sample(at).generator();
                let mut row = || (0..site.units).map(|_| generator.normal() as f32).collect();
                (0..PIXELS).map(|_| row()).collect()
            })
            .collect();
        Self {
            sites,
            weights,
            forwards: Mutex::default(),
        }
    }

    /// The activation of one unit of one site for one view, the site's nonlinearity included.
    pub fn activation(&self, site: usize, unit: usize, view: &[f32]) -> f64 {
        let sum: f64 = view
            .iter()
            .zip(&self.weights[site])
            .map(|(x, row)| f64::from(*x) * f64::from(row[unit]))
            .sum();
        if site == 0 { sum.max(0.0) } else { sum }
    }
}

impl ModelView for Linear {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn observe(&self, images: Tensor<4>, plan: &TapPlan) -> Result<Observation, Fault> {
        let rows = images.dims()[0];
        self.forwards.lock().unwrap().push(rows);
        let device = images.device();
        let flat: Tensor<2> = images.reshape([rows, PIXELS]);
        let mut readings = Readings::default();
        for (at, site) in self.sites.iter().enumerate() {
            let weights = TensorData::new(self.weights[at].concat(), [PIXELS, site.units]);
            let out = flat.clone().matmul(Tensor::from_data(weights, &device));
            let out = if at == 0 { out.clamp_min(0.0) } else { out };
            for mode in plan.sites.get(&site.name).into_iter().flatten() {
                let reduced = match mode {
                    TapMode::Read(Reduce::MeanSpaceRelu) => out.clone().clamp_min(0.0),
                    TapMode::Read(Reduce::MeanSpaceAbs) => out.clone().abs(),
                    _ => out.clone(),
                };
                readings.insert(site.name.clone(), *mode, reduced);
            }
        }
        Ok(Observation {
            embeddings: flat,
            logits: None,
            readings,
        })
    }
}

/// Classes of the first samples of both splits, in no order.
pub const LABELS: [u32; 40] = [
    2, 0, 1, 1, 0, 2, 2, 1, 0, 0, 2, 1, 1, 1, 0, 2, 0, 2, 1, 0, 2, 2, 0, 1, 0, 1, 2, 0, 1, 2, 0, 0,
    1, 2, 1, 0, 2, 1, 1, 2,
];
static CLASSES: OnceLock<Vec<String>> = OnceLock::new();

/// Views are noise around a point of their own; pictures are of one colour that tells the id.
pub struct Noise {
    pub train: usize,
    pub held_out: usize,
}

impl Noise {
    pub fn view(&self, split: Split, id: SampleId, view: u32) -> Vec<f32> {
        let key = RandomKey::new(11, Stream::ProbeView)
            .step(u64::from(split == Split::HeldOut))
            .sample(id.0);
        let mut point = key.view(u32::MAX).generator();
        let mut noise = key.view(view).generator();
        (0..PIXELS)
            .map(|_| (point.normal() + 0.3 * noise.normal()) as f32)
            .collect()
    }

    pub fn colour(id: SampleId) -> [u8; 3] {
        [id.0 as u8, 7, 255 - id.0 as u8]
    }
}

impl Samples for Noise {
    fn len(&self, split: Split) -> usize {
        match split {
            Split::Train => self.train,
            Split::HeldOut => self.held_out,
        }
    }

    fn probe_views(
        &self,
        split: Split,
        ids: &[SampleId],
        views: usize,
    ) -> Result<Tensor<4>, Fault> {
        let rows: Vec<f32> = ids
            .iter()
            .flat_map(|id| (0..views as u32).flat_map(|view| self.view(split, *id, view)))
            .collect();
        let shape = [ids.len() * views, 1, 2, PIXELS / 2];
        Ok(Tensor::from_data(
            TensorData::new(rows, shape),
            &Device::flex(),
        ))
    }

    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        self.probe_views(split, ids, 1)
    }

    fn picture(&self, _split: Split, id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        Ok((3, 2, Self::colour(id).repeat(6)))
    }

    fn labels(&self, split: Split, _access: &LabelAccess) -> Result<Labels<'_>, Fault> {
        Ok(Labels {
            of_samples: &LABELS[..self.len(split)],
            classes: CLASSES.get_or_init(|| ["cat", "dog", "ship"].map(str::to_owned).to_vec()),
        })
    }
}

/// A run of ten steps an epoch, whose network changes only when a test changes it.
pub struct Rig {
    pub run: RunInfo,
    pub desk: Desk,
    pub hooks: Hooks,
}

pub fn clock(step: u64) -> Clock {
    Clock {
        epoch: step.div_ceil(10) as u32,
        step,
        epochs: 8,
        steps: 80,
        epoch_began: None,
    }
}

impl Rig {
    pub fn new(plugin: Attached, sites: &[Site]) -> Self {
        let host = Host {
            sites: sites.to_vec(),
            reference: true,
            ..Host::default()
        };
        let mut desk = Desk::default();
        let hooks = Hooks::new(vec![plugin], &host, &mut desk.resources)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let run = RunInfo {
            pair: None,
            doses: None,
            seed: 5,
            config: String::new(),
            sites: sites.to_vec(),
            parameters: Vec::new(),
            batch_size: 4,
            views: 2,
            train_samples: 0,
            held_out_samples: 0,
        };
        Self { run, desk, hooks }
    }

    pub fn start(&mut self, model: &dyn ModelView, samples: Option<&dyn Samples>) {
        let mut taps = Vec::new();
        let mut cx = RunStartCx {
            scope: Scope::new(clock(0), &self.run, &mut self.desk),
            model,
            samples,
            taps: &mut taps,
        };
        done(self.hooks.fire::<RunStart>(&clock(0), &mut cx));
    }

    pub fn epoch_end(&mut self, epoch: u64, model: &dyn ModelView, samples: Option<&dyn Samples>) {
        let at = clock(10 * epoch);
        let mut cx = EpochEndCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            loss: None,
            model,
            samples,
        };
        done(self.hooks.fire::<EpochEnd>(&at, &mut cx));
    }

    /// One training step over view-major `images`, as the loop does it.
    pub fn step(&mut self, step: u64, model: &dyn ModelView, ids: &[SampleId], images: Tensor<4>) {
        let at = clock(step);
        let views = images.dims()[0] / ids.len();
        let plan = self.hooks.taps(&at, model.sites());
        let readings = model.observe(images, &plan).unwrap().readings;
        let mut wanted = std::collections::BTreeSet::new();
        let mut cx = ForwardDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids,
            views,
            embeddings: None,
            logits: None,
            readings: &readings,
            wanted: &mut wanted,
            wanted_outputs: &mut WantedOutputs::default(),
        };
        done(self.hooks.fire::<ForwardDone>(&at, &mut cx));
        let mut fetched = HostReadings::default();
        for (site, mode) in wanted {
            let values = readings.get(&site, mode).unwrap().clone();
            fetched.insert(site, mode, values.try_into_vec_as::<f32>().unwrap());
        }
        let mut cx = StepDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids,
            views,
            loss: None,
            per_sample_loss: None,
            fetched: &fetched,
            outputs: &HostOutputs::default(),
            learning_rate: None,
            model,
            samples: None,
        };
        done(self.hooks.fire::<StepDone>(&at, &mut cx));
    }

    pub fn faults(&mut self) -> Vec<String> {
        let faults = self.hooks.drain_faults();
        faults.into_iter().map(|fault| fault.what).collect()
    }

    pub fn records(&mut self) -> Records {
        assert_eq!(self.faults(), [""; 0]);
        Records(self.desk.recorder.drain())
    }
}

fn done(fired: Result<(), StopRun>) {
    fired.unwrap_or_else(|stop| panic!("{stop}"));
}

/// What a plugin put on record.
#[derive(Debug, Clone, PartialEq)]
pub struct Records(pub Vec<Record>);

impl Records {
    pub fn scalars(&self) -> BTreeMap<&str, f64> {
        self.0
            .iter()
            .filter_map(|r| match r.value {
                Measurement::Scalar(value) => Some((r.tag.as_str(), value)),
                _ => None,
            })
            .collect()
    }

    pub fn get(&self, tag: &str) -> &Measurement {
        let found = self.0.iter().find(|r| r.tag == tag);
        &found
            .unwrap_or_else(|| panic!("no {tag} in {:?}", self.tags()))
            .value
    }

    pub fn tags(&self) -> Vec<&str> {
        self.0.iter().map(|r| r.tag.as_str()).collect()
    }

    pub fn table(&self, tag: &str) -> &Table {
        match self.get(tag) {
            Measurement::Table(table) => table,
            other => panic!("{other:?}"),
        }
    }

    pub fn numbers(&self, tag: &str, column: &str) -> Vec<f64> {
        let columns = &self.table(tag).columns;
        let found = columns.iter().find(|(name, _)| name == column);
        match &found.unwrap_or_else(|| panic!("{columns:?}")).1 {
            Column::F64(values) => values.clone(),
            Column::I64(values) => values.iter().map(|v| *v as f64).collect(),
            Column::Text(_) => panic!("{column} is text"),
        }
    }
}
