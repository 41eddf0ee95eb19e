//! What no optimizer may touch, and what moves it: teachers, centres, counters.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use afterimage_model::{
    AnyEncoder, Encoder, EncoderConfig, ProjectionHeadConfig, ResNet9Config, Taps, snapshot,
};
use afterimage_ssl::{
    AnyObjective, Objective, ObjectiveBatch, ObjectiveConfig, OptimizerConfig, RunFacts, Shard,
};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

#[derive(Module, Debug)]
struct Trained {
    encoder: AnyEncoder,
    objective: AnyObjective,
}

const RUN: RunFacts = RunFacts {
    seed: 5,
    classes: 3,
    steps_per_epoch: 4,
    epochs: 2,
};

fn model(objective: &str) -> Trained {
    let device = Device::flex().autodiff();
    let encoder = EncoderConfig::ResNet9(ResNet9Config {
        channels: 1,
        width: 0.125,
        ..ResNet9Config::default()
    });
    let head = ProjectionHeadConfig {
        hidden: 12,
        output: 6,
        ..ProjectionHeadConfig::default()
    };
    let encoder = encoder.init(RUN.seed, &device).unwrap();
    let objective: ObjectiveConfig = toml::from_str(objective).unwrap();
    let objective = objective
        .init(Some(&head), &encoder, &RUN, &device)
        .unwrap();
    Trained { encoder, objective }
}

fn images(samples: usize, side: usize, phase: f32) -> Tensor<4> {
    let values: Vec<f32> = (0..samples * side * side)
        .map(|at| at as f32)
        .map(|at| (0.7 * at + 0.013 * at * at + phase).sin())
        .collect();
    let shape = [samples, 1, side, side];
    Tensor::from_data(TensorData::new(values, shape), &Device::flex().autodiff())
}

fn batch(phase: f32) -> ObjectiveBatch {
    ObjectiveBatch {
        ids: (0..4).map(SampleId).collect(),
        epoch: 1,
        pace: 1,
        images: images(8, 20, phase),
        local: Some(images(8, 16, phase + 1.0)),
        labels: None,
        shard: Shard::WHOLE,
    }
}

/// Values by path, and whether each requires a gradient.
type Values = BTreeMap<String, (Vec<f32>, bool)>;

fn values<M: Module>(module: &M) -> Values {
    #[derive(Default)]
    struct Visitor {
        path: Vec<String>,
        found: Values,
    }
    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let values = param.val().into_data().try_to_vec().unwrap();
            let trained = param.is_require_grad();
            self.found.insert(self.path.join("."), (values, trained));
        }
    }
    let mut visitor = Visitor::default();
    module.visit(&mut visitor);
    visitor.found
}

/// Forward, backward and an optimizer step with a strong decay: the model behind the optimizer, and
/// behind the objective's own step.
fn step(model: Trained, phase: f32) -> (Trained, Trained) {
    step_at(model, phase, 1)
}

/// The same for a batch that stands for `pace` steps of the schedule.
fn step_at(model: Trained, phase: f32, pace: u64) -> (Trained, Trained) {
    let batch = ObjectiveBatch {
        pace,
        ..batch(phase)
    };
    let optimizer = "kind = \"adamw\"\nweight_decay = 0.5";
    let mut optimizer = toml::from_str::<OptimizerConfig>(optimizer).unwrap().init();
    let taps = &mut Taps::none();
    let output = model.objective.forward(&model.encoder, batch, taps);
    let gradients = GradientsParams::from_grads(output.loss.backward(), &model);
    let stepped = optimizer.step(0.1, model, gradients);
    let Trained { encoder, objective } = stepped.clone();
    let objective = objective.after_step(&encoder);
    (stepped, Trained { encoder, objective })
}

const BYOL: &str = "kind = \"byol\"\npredictor_hidden = 8\nmomentum = 0.75";
const DINO: &str = "kind = \"dino\"\nprototypes = 10\nlocal_views = 2\nmomentum = 0.75\n\
                    centre_momentum = 0.25\nfreeze_prototypes_epochs = 0.5";

fn untrained(path: &str) -> bool {
    ["objective.teacher", "objective.centre", "objective.steps"]
        .iter()
        .any(|state| path.starts_with(state))
}

fn is_statistic(path: &str) -> bool {
    path.ends_with("running_mean") || path.ends_with("running_var")
}

#[test]
fn optimizers_leave_teachers_and_centres_alone_and_the_objective_moves_them() {
    for objective in [BYOL, DINO] {
        let start = model(objective);
        let before = values(&start);
        let (stepped, after) = step(start, 0.0);
        let (stepped, after) = (values(&stepped), values(&after));
        let mut moved = 0;
        for (path, (was, trained)) in &before {
            if is_statistic(path) {
                continue;
            }
            assert_eq!(*trained, !untrained(path), "{path}");
            // The prototypes are frozen in the first two steps; all else decays at least.
            let frozen = path == "objective.head.prototypes.weight";
            let is = &stepped[path].0;
            if untrained(path) || frozen {
                assert_eq!(was, is, "{path}");
            } else if was.iter().any(|&value| value != 0.0) {
                assert_ne!(was, is, "{path}");
            }
            let teacher_of = |path: &str| {
                if let Some(rest) = path.strip_prefix("objective.teacher.") {
                    return Some(format!("encoder.{rest}"));
                }
                let rest = path.strip_prefix("objective.teacher_")?;
                Some(format!("objective.{rest}"))
            };
            let Some(student) = teacher_of(path) else {
                continue;
            };
            moved += 1;
            let students = &stepped[&student].0;
            for ((was, student), is) in was.iter().zip(students).zip(&after[path].0) {
                let expected = 0.75 * was + 0.25 * student;
                assert!((expected - is).abs() < 1e-6, "{path}: {is} {expected}");
            }
        }
        assert!(moved > 30, "{moved}");
        assert_eq!(after["objective.steps.done"].0, [1.0]);
    }
}

/// The momentum that a teacher's parameter shows to have had, from its value, the one that it moved towards and
/// the one that it came to.
fn momentum(was: f32, student: f32, is: f32) -> f32 {
    (is - student) / (was - student)
}

#[test]
fn ramps_follow_the_schedule_where_an_epoch_is_shorter() {
    // Of eight steps of the schedule: 0, then 2 in the place of 1 and 2, then 3.
    let ramp = |step: f32| {
        let fall = 0.5 * (1.0 + (std::f32::consts::PI * step / 8.0).cos());
        1.0 - 0.25 * fall
    };
    for objective in [BYOL, DINO] {
        let mut model = model(objective);
        let mut seen = Vec::new();
        for (pace, phase) in [(1, 0.0), (2, 1.0), (1, 2.0)] {
            let before = values(&model);
            let (stepped, after) = step_at(model, phase, pace);
            let (path, student) = (
                "objective.teacher.prep.conv.weight",
                "encoder.prep.conv.weight",
            );
            let (was, is) = (&before[path].0, values(&after)[path].0.clone());
            let towards = values(&stepped)[student].0.clone();
            // Where it moves most, it is read best.
            let far = |at: &usize| (was[*at] - towards[*at]).abs();
            let at = (0..was.len())
                .max_by(|a, b| far(a).total_cmp(&far(b)))
                .unwrap();
            seen.push(momentum(was[at], towards[at], is[at]));
            model = after;
        }
        for (seen, step) in seen.iter().zip([0.0, 2.0, 3.0]) {
            assert!(
                (seen - ramp(step)).abs() < 1e-3,
                "{objective}: {seen} {}",
                ramp(step)
            );
        }
        assert_eq!(values(&model)["objective.steps.done"].0, [4.0]);
    }
}

#[test]
fn the_teachers_norms_gather_statistics_of_their_own() {
    let statistics = |model: &Trained| -> BTreeMap<String, Vec<f32>> {
        values(&model.valid())
            .into_iter()
            .filter(|(path, _)| is_statistic(path))
            .map(|(path, (values, _))| (path, values))
            .collect()
    };
    let model = model(BYOL);
    let start = statistics(&model);
    model.encoder.encode(images(8, 20, 0.0), &mut Taps::none());
    let after = statistics(&model);
    for (path, values) in &start {
        let moves = path.starts_with("encoder.");
        assert_eq!(*values != after[path], moves, "{path}");
    }
    let copy = snapshot(&model);
    let (_, stepped) = step(model, 0.0);
    assert_eq!(statistics(&copy), after, "a copy is not touched");
    let stepped = statistics(&stepped);
    assert!(after.iter().all(|(path, values)| *values != stepped[path]));
}

#[test]
fn the_centre_follows_the_teachers_scores_and_copies_do_not_share_them() {
    let centre = |model: &Trained| values(model)["objective.centre"].0.clone();
    let start = model(DINO);
    assert!(centre(&start).iter().all(|&value| value == 0.0));
    let (stepped, first) = step(start, 0.0);
    assert!(centre(&first).iter().any(|&value| value != 0.0));

    // What was told is used once, and a copy's forward pass leaves nothing for the original.
    let copy = snapshot(&stepped);
    let taps = &mut Taps::none();
    copy.objective.forward(&copy.encoder, batch(3.0), taps);
    let again = stepped.objective.clone().after_step(&stepped.encoder);
    assert!(values(&again)["centre"].0.iter().all(|&value| value == 0.0));
}

#[test]
fn records_bring_everything_back_without_gradients_where_there_were_none() {
    for objective in [BYOL, DINO] {
        let (_, trained) = step(model(objective), 0.0);
        // Merges the statistics that wait.
        drop(trained.valid());
        let expected = values(&trained);
        let bytes = trained.into_record().into_bytes().unwrap();
        let record = burn::store::ModuleRecord::from_bytes(bytes).unwrap();
        let loaded = values(&model(objective).load_record(record));
        assert_eq!(loaded.len(), expected.len());
        for (path, (found, trains)) in loaded {
            assert_eq!(found, expected[&path].0, "{path}");
            if !is_statistic(&path) {
                assert_eq!(trains, !untrained(&path), "{path}");
            }
        }
    }
}

#[test]
fn the_centre_is_that_of_all_shards_and_counts_each_once() {
    let centre = |model: &Trained, shards: &[Shard]| {
        for shard in shards {
            let part = batch(0.0).shard(*shard);
            let taps = &mut Taps::none();
            model.objective.forward(&model.encoder, part, taps);
        }
        let after = model.objective.clone().after_step(&model.encoder);
        values(&after)["centre"].0.clone()
    };
    let model = model(DINO);
    let [one, two] = [0, 1].map(|index| Shard { index, of: 2 });
    let first = centre(&model, &[Shard::WHOLE]);
    let (one_alone, two_alone) = (centre(&model, &[one]), centre(&model, &[two]));
    let both = centre(&model, &[one, two]);
    for at in 0..both.len() {
        let mean = (one_alone[at] + two_alone[at]) / 2.0;
        assert!((both[at] - mean).abs() < 1e-6, "{} {mean}", both[at]);
    }
    assert_ne!(first, both, "the teacher's norms see a shard");
    assert_eq!(
        both,
        centre(&model, &[one, two, one, two]),
        "a second pass takes the place of the first"
    );
}
