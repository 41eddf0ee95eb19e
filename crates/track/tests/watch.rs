//! The plugin `watch` on parameters whose norms can be computed by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use afterimage_hooks::{
    Attached, Clock, Desk, Fault, GradReady, GradReadyCx, Gradients, Hooks, Host, HostOutputs,
    HostReadings, Measurement, ModelView, Observation, Parameter, Readings, RunInfo, RunStart,
    RunStartCx, Scope, Site, StepDone, StepDoneCx, TapPlan,
};
use afterimage_track::{Watch, WatchConfig};
use burn::tensor::{Device, Tensor};

/// Parameters by path, or gradients.
type Values = Vec<(&'static str, Vec<f32>)>;

fn tensors(values: &Values) -> Vec<(String, Tensor<1>)> {
    let tensor = |values: &Vec<f32>| Tensor::from_floats(values.as_slice(), &Device::flex());
    let all = values.iter();
    all.map(|(path, values)| ((*path).to_owned(), tensor(values)))
        .collect()
}

struct Model(Values);

impl ModelView for Model {
    fn sites(&self) -> &[Site] {
        &[]
    }
    fn observe(&self, _images: Tensor<4>, _taps: &TapPlan) -> Result<Observation, Fault> {
        Err(Fault::new("nobody looks"))
    }
    fn values(&self) -> Vec<(String, Tensor<1>)> {
        tensors(&self.0)
    }
}

struct Both {
    values: Values,
    gradients: Values,
}

impl Gradients for Both {
    fn paths(&self) -> Vec<String> {
        let paths = self.gradients.iter();
        paths.map(|(path, _)| (*path).to_owned()).collect()
    }
    fn values(&self) -> Vec<(String, Tensor<1>)> {
        tensors(&self.values)
    }
    fn get(&self, path: &str) -> Option<Tensor<1>> {
        let mut all = tensors(&self.gradients).into_iter();
        all.find(|(name, _)| name == path).map(|(_, tensor)| tensor)
    }
    fn set(&mut self, _path: &str, _gradient: Tensor<1>) -> bool {
        false
    }
}

struct Rig {
    run: RunInfo,
    desk: Desk,
    hooks: Hooks,
}

fn clock(step: u64) -> Clock {
    Clock {
        epoch: u32::from(step > 0),
        step,
        epochs: 1,
        steps: 40,
        epoch_began: None,
    }
}

impl Rig {
    fn new(config: WatchConfig, paths: &[&str]) -> Self {
        let mut desk = Desk::default();
        let plugin = Attached::new("watch", "watch", Watch::new(config));
        let hooks = Hooks::new(vec![plugin], &Host::default(), &mut desk.resources);
        let parameter = |path: &&str| Parameter {
            path: (*path).to_owned(),
            shape: Vec::new(),
        };
        Self {
            run: RunInfo {
                pair: None,
                doses: None,
                seed: 1,
                config: String::new(),
                sites: Vec::new(),
                parameters: paths.iter().map(parameter).collect(),
                batch_size: 1,
                views: 1,
                train_samples: 0,
                held_out_samples: 0,
            },
            desk,
            hooks: hooks.unwrap_or_else(|errors| panic!("{errors:?}")),
        }
    }

    fn start(&mut self, model: &Model) {
        let mut cx = RunStartCx {
            scope: Scope::new(clock(0), &self.run, &mut self.desk),
            model,
            samples: None,
            taps: &mut Vec::new(),
        };
        assert!(self.hooks.fire::<RunStart>(&clock(0), &mut cx).is_ok());
    }

    /// A step from `values` by `gradients` to `model`.
    fn step(&mut self, step: u64, values: Values, gradients: Values, model: &Model) {
        let at = clock(step);
        let mut both = Both { values, gradients };
        let saliency = Readings::default();
        let scope = Scope::new(at, &self.run, &mut self.desk);
        let mut cx = GradReadyCx::new(scope, &[], &mut both, &saliency);
        assert!(self.hooks.fire::<GradReady>(&at, &mut cx).is_ok());
        let mut cx = StepDoneCx {
            scope: Scope::new(at, &self.run, &mut self.desk),
            ids: &[],
            views: 1,
            loss: None,
            per_sample_loss: None,
            fetched: &HostReadings::default(),
            outputs: &HostOutputs::default(),
            learning_rate: None,
            model,
            samples: None,
        };
        assert!(self.hooks.fire::<StepDone>(&at, &mut cx).is_ok());
    }

    fn faults(&mut self) -> Vec<String> {
        let faults = self.hooks.drain_faults().into_iter();
        faults.map(|fault| fault.what).collect()
    }

    /// Scalars, and histograms with the number of their values.
    fn records(&mut self) -> (BTreeMap<String, f64>, BTreeMap<String, usize>) {
        assert_eq!(self.faults(), [""; 0]);
        let (mut scalars, mut histograms) = (BTreeMap::new(), BTreeMap::new());
        for record in self.desk.recorder.drain() {
            match record.value {
                Measurement::Scalar(value) => {
                    scalars.insert(record.tag, value);
                }
                Measurement::Histogram(values) => {
                    histograms.insert(record.tag, values.len());
                }
                other => panic!("{other:?}"),
            }
        }
        (scalars, histograms)
    }
}

const PATHS: [&str; 4] = [
    "encoder.a.weight",
    "encoder.a.bias",
    "encoder.b.weight",
    "objective.head.weight",
];

fn before() -> Values {
    vec![
        (PATHS[0], vec![3.0, 0.0]),
        (PATHS[1], vec![4.0]),
        (PATHS[2], vec![0.0, 0.0]),
        (PATHS[3], vec![9.0]),
    ]
}

#[test]
fn norms_are_those_of_layers_before_the_step() {
    let mut rig = Rig::new(WatchConfig::default(), &PATHS);
    rig.start(&Model(before()));
    let (scalars, histograms) = rig.records();
    assert_eq!(scalars["watch/norm/parameters/encoder.a"], 5.0);
    assert_eq!(scalars["watch/norm/parameters/all"], 5.0);
    assert!(scalars.keys().all(|tag| tag.contains("/parameters/")));
    assert_eq!(histograms["watch/parameters/encoder.a"], 3);

    // Twenty looks in forty steps: in every second one.
    let gradients = vec![(PATHS[0], vec![0.0, 12.0]), (PATHS[1], vec![-5.0])];
    let after = Model(vec![
        (PATHS[0], vec![3.0, -0.5]),
        (PATHS[1], vec![4.0]),
        (PATHS[2], vec![0.25, 0.0]),
        (PATHS[3], vec![1.0]),
    ]);
    rig.step(1, before(), gradients.clone(), &after);
    assert!(rig.records().0.is_empty());
    rig.step(2, before(), gradients, &after);
    let (scalars, histograms) = rig.records();
    for (tag, value) in [
        ("norm/parameters/encoder.a", 5.0),
        ("norm/gradients/encoder.a", 13.0),
        ("norm/updates/encoder.a", 0.5),
        ("ratio/encoder.a", 0.1),
        ("norm/parameters/encoder.b", 0.0),
        ("norm/updates/encoder.b", 0.25),
        ("norm/gradients/all", 13.0),
        ("norm/updates/all", (0.25f64 + 0.0625).sqrt()),
    ] {
        let told = scalars[&format!("watch/{tag}")];
        assert!((told - value).abs() < 1e-12, "{tag}: {told}");
    }
    // No gradient, no ratio to nothing; heads are not looked at.
    assert!(!scalars.contains_key("watch/norm/gradients/encoder.b"));
    assert!(!scalars.contains_key("watch/ratio/encoder.b"));
    assert!(scalars.keys().all(|tag| !tag.contains("objective")));
    assert_eq!(histograms["watch/updates/encoder.b"], 2);
    assert!(!histograms.contains_key("watch/gradients/encoder.b"));
}

#[test]
fn large_layers_have_histograms_of_some_values_and_none_where_not_wanted() {
    let large = || vec![(PATHS[0], vec![1.0; 200_000])];
    let config = |histograms| WatchConfig {
        histograms,
        ..WatchConfig::default()
    };
    let mut rig = Rig::new(config(true), &PATHS);
    rig.start(&Model(large()));
    let (scalars, histograms) = rig.records();
    assert_eq!(histograms["watch/parameters/encoder.a"], 50_000);
    let norm = scalars["watch/norm/parameters/encoder.a"];
    assert!((norm - 200_000f64.sqrt()).abs() < 1e-9);
    let mut rig = Rig::new(config(false), &PATHS);
    rig.start(&Model(large()));
    assert!(rig.records().1.is_empty());
}

#[test]
fn a_pattern_that_matches_no_parameter_is_told_with_those_that_are_there() {
    let config = WatchConfig {
        parameters: "encodre.*".to_owned(),
        ..WatchConfig::default()
    };
    let mut rig = Rig::new(config, &PATHS);
    rig.start(&Model(before()));
    let faults = rig.faults();
    assert!(
        faults[0].contains("encodre.*") && faults[0].contains("encoder.a.bias"),
        "{faults:?}"
    );
}
