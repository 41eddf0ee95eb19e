//! A run without a network: it makes contexts and fires events.
#![allow(dead_code)] // every test binary uses its part
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod plugins;

use std::collections::BTreeSet;

use afterimage_hooks::{
    Attached, BatchPlanned, BatchPlannedCx, BatchReady, BatchReadyCx, Clock, Desk, EpochEnd,
    EpochEndCx, EpochStart, EpochStartCx, Fault, GradReady, GradReadyCx, Gradients, Hooks,
    HooksError, HooksState, Host, HostOutputs, HostReadings, LossReady, LossReadyCx, LossWrites,
    ModelView, Observation, Plan, Readings, RequestKind, RunInfo, RunStart, RunStartCx, SampleId,
    Scope, Site, SiteKind, StepDone, StepDoneCx, StopRun, TapPlan,
};
use burn::tensor::Tensor;

pub struct NoModel;

impl ModelView for NoModel {
    fn sites(&self) -> &[Site] {
        &[]
    }
    fn observe(&self, _images: Tensor<4>, _taps: &TapPlan) -> Result<Observation, Fault> {
        Err(Fault::new("nothing to observe"))
    }
}

pub struct NoGradients;

impl Gradients for NoGradients {
    fn paths(&self) -> Vec<String> {
        Vec::new()
    }
    fn get(&self, _path: &str) -> Option<Tensor<1>> {
        None
    }
    fn set(&mut self, _path: &str, _gradient: Tensor<1>) -> bool {
        false
    }
}

pub fn sites() -> Vec<Site> {
    ["encoder.conv", "encoder.act"]
        .iter()
        .zip([SiteKind::Conv, SiteKind::Activation])
        .map(|(name, kind)| Site {
            name: (*name).to_owned(),
            kind,
            units: 4,
            produced_by: Vec::new(),
            consumed_by: Vec::new(),
        })
        .collect()
}

pub fn host() -> Host {
    Host {
        reference: false,
        requests: BTreeSet::from([RequestKind::Stop, RequestKind::SetPlan]),
        sites: sites(),
        ..Host::default()
    }
}

/// Two steps an epoch, three epochs.
pub fn clock(step: u64) -> Clock {
    Clock {
        epoch: step.div_ceil(2) as u32,
        step,
        epochs: 3,
        steps: 6,
        epoch_began: None,
    }
}

pub const IDS: [SampleId; 2] = [SampleId(4), SampleId(1)];

/// A run without a network: it makes contexts and fires events.
pub struct Rig {
    pub run: RunInfo,
    pub desk: Desk,
    pub hooks: Hooks,
}

impl Rig {
    pub fn new(plugins: Vec<Attached>) -> Self {
        let mut desk = Desk::default();
        let hooks = Hooks::new(plugins, &host(), &mut desk.resources)
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let run = RunInfo {
            pair: None,
            doses: None,
            seed: 5,
            config: String::new(),
            sites: sites(),
            parameters: Vec::new(),
            batch_size: 2,
            views: 2,
            train_samples: 8,
            held_out_samples: 8,
        };
        Self { run, desk, hooks }
    }

    pub fn run_start(&mut self) -> Result<(), StopRun> {
        let at = clock(0);
        let mut taps = Vec::new();
        let mut cx = RunStartCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            model: &NoModel,
            samples: None,
            taps: &mut taps,
        };
        self.hooks.fire::<RunStart>(&at, &mut cx)?;
        self.hooks.register_taps(taps);
        Ok(())
    }

    pub fn epoch_start(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let plan = Plan::uniform(IDS.to_vec());
        let mut cx = EpochStartCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            plan: &plan,
        };
        self.hooks.fire::<EpochStart>(&at, &mut cx)
    }

    pub fn batch_planned(&mut self, step: u64, batch: &mut Plan) -> Result<(), StopRun> {
        let at = clock(step);
        let scope = Scope::new(at, &self.run, &mut self.desk);
        self.hooks
            .fire::<BatchPlanned>(&at, &mut BatchPlannedCx::new(scope, batch))
    }

    pub fn batch_ready(&mut self, step: u64, views: Option<&mut Tensor<4>>) -> Result<(), StopRun> {
        let at = clock(step);
        let scope = Scope::new(at, &self.run, &mut self.desk);
        self.hooks
            .fire::<BatchReady>(&at, &mut BatchReadyCx::new(scope, &IDS, views))
    }

    pub fn loss_ready(
        &mut self,
        step: u64,
        per_sample: Option<&Tensor<1>>,
    ) -> Result<LossWrites, StopRun> {
        let at = clock(step);
        let mut writes = LossWrites::default();
        let scope = Scope::new(at, &self.run, &mut self.desk);
        let mut cx = LossReadyCx::new(scope, &IDS, per_sample, &mut writes);
        self.hooks.fire::<LossReady>(&at, &mut cx)?;
        Ok(writes)
    }

    pub fn grad_ready(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let (mut gradients, saliency) = (NoGradients, Readings::default());
        let scope = Scope::new(at, &self.run, &mut self.desk);
        let mut cx = GradReadyCx::new(scope, &IDS, &mut gradients, &saliency);
        self.hooks.fire::<GradReady>(&at, &mut cx)
    }

    pub fn step(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let fetched = HostReadings::default();
        let mut cx = StepDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids: &IDS,
            views: 2,
            loss: Some(1.0),
            per_sample_loss: None,
            fetched: &fetched,
            outputs: &HostOutputs::default(),
            learning_rate: None,
            model: &NoModel,
            samples: None,
        };
        self.hooks.fire::<StepDone>(&at, &mut cx)
    }

    pub fn epoch_end(&mut self, step: u64) -> Result<(), StopRun> {
        let at = clock(step);
        let mut cx = EpochEndCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            loss: Some(1.0),
            model: &NoModel,
            samples: None,
        };
        self.hooks.fire::<EpochEnd>(&at, &mut cx)
    }

    pub fn save(&self) -> HooksState {
        self.hooks
            .state(&self.desk.resources)
            .unwrap_or_else(|e| panic!("{e}"))
    }

    pub fn restore(&mut self, state: HooksState) -> Result<(), HooksError> {
        self.hooks.restore(state, &mut self.desk.resources)
    }

    /// The text of the one fault since the last call.
    pub fn fault(&mut self) -> String {
        let faults = self.hooks.drain_faults();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].what.clone()
    }
}
