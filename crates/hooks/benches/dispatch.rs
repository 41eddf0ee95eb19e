//! Nanoseconds that one `fire` takes with 0, 1 and 8 subscribers: `cargo bench -p afterimage-hooks`.
#![allow(clippy::print_stdout, clippy::panic)]

use std::hint::black_box;
use std::time::Instant;

use afterimage_hooks::{
    Attached, Clock, Declare, Desk, Every, Fault, Hooks, Host, HostOutputs, HostReadings,
    ModelView, Observation, Plugin, PluginState, Resources, RunInfo, SampleId, Scope, Site,
    StepDone, StepDoneCx, TapPlan,
};
use burn::tensor::Tensor;

/// Adds the batch size to a number, so that nearly all time is the dispatch itself.
struct Counter(u64);

impl Plugin for Counter {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<StepDone>(Every::Always, Self::count);
    }
    fn state(&self) -> Result<PluginState, Fault> {
        PluginState::encode(1, &self.0)
    }
    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        self.0 = state.decode(1)?;
        Ok(())
    }
}

impl Counter {
    fn count(&mut self, cx: &mut StepDoneCx<'_>) -> Result<(), Fault> {
        self.0 += cx.ids.len() as u64;
        Ok(())
    }
}

struct NoModel;

impl ModelView for NoModel {
    fn sites(&self) -> &[Site] {
        &[]
    }
    fn observe(&self, _images: Tensor<4>, _taps: &TapPlan) -> Result<Observation, Fault> {
        Err(Fault::new("nothing to observe"))
    }
}

fn main() {
    const FIRES: u64 = 1_000_000;
    const ROUNDS: usize = 9;
    let run = RunInfo {
        pair: None,
        doses: None,
        seed: 0,
        config: String::new(),
        sites: Vec::new(),
        parameters: Vec::new(),
        batch_size: 2,
        views: 2,
        train_samples: 2,
        held_out_samples: 0,
    };
    let ids = [SampleId(0), SampleId(1)];
    let fetched = HostReadings::default();
    println!("subscribers  ns/fire (median of {ROUNDS}, {FIRES} fires each)  ns/call");
    for subscribers in [0usize, 1, 8] {
        let plugins = (0..subscribers)
            .map(|i| Attached::new(format!("counter{i}"), "counter", Counter(0)))
            .collect();
        let mut hooks = Hooks::new(plugins, &Host::default(), &mut Resources::default())
            .unwrap_or_else(|errors| panic!("{errors:?}"));
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let start = Instant::now();
                for step in 1..=FIRES {
                    let clock = Clock {
                        epoch: 1,
                        step: black_box(step),
                        epochs: 1,
                        steps: FIRES,
                        epoch_began: None,
                    };
                    let mut desk = Desk::default();
                    let mut cx = StepDoneCx {
                        scope: Scope::new(clock, &run, &mut desk),
                        ids: &ids,
                        views: 2,
                        loss: Some(0.0),
                        per_sample_loss: None,
                        fetched: &fetched,
                        outputs: &HostOutputs::default(),
                        learning_rate: None,
                        model: &NoModel,
                        samples: None,
                    };
                    if let Err(stop) = hooks.fire::<StepDone>(&clock, &mut cx) {
                        panic!("{stop}");
                    }
                }
                start.elapsed().as_nanos() as f64 / FIRES as f64
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        let median = rounds[ROUNDS / 2];
        println!(
            "{subscribers:>11}  {median:>7.1}  {:>7.1}",
            median / subscribers.max(1) as f64
        );
    }
}
