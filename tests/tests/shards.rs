//! Batches cut into shards: gradients, norms, and what plugins see and write.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../crates/afterimage/examples/own_training/main.rs"]
mod own_training;

mod one_step;

use std::collections::BTreeMap;

use afterimage::model::{parameters, seeded};
use afterimage::prelude::*;
use afterimage::ssl::{Negatives, Objective as _, Shards};
use afterimage::train::{Batches, Feed, SslModel, TrainError};
use burn::data::dataloader::batcher::Batcher;
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use one_step::{
    Case, NORMED, Pictures, SAMPLES, Seen, alone, batch, device, flat, launch, model, rows_alone,
    step,
};
use own_training::program::{Batch, Net, Pack, Stripes};
use tempfile::TempDir;

/// Fails unless all that both steps showed is equal but for rounding.
fn assert_close(expected: &Seen, seen: &Seen, what: &str) {
    let names = |seen: &Seen| seen.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(expected), names(seen), "{what}");
    assert!(expected.len() > 20);
    let largest = |values: &[f32]| values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    // Some gradients are zero but for rounding, which goes with the size of the others: a shift of all
    // projections does not change VICReg's loss.
    let of_kind = |name: &str| {
        let kind = name.split(' ').next().unwrap();
        let alike = expected.iter().filter(|(name, _)| name.starts_with(kind));
        alike.fold(0.0f32, |most, (_, values)| most.max(largest(values)))
    };
    for (name, values) in expected {
        let got = &seen[name];
        assert_eq!(values.len(), got.len(), "{what}: {name}");
        let size = largest(values).max(1e-2 * of_kind(name)).max(1e-4);
        for (at, (a, b)) in values.iter().zip(got).enumerate() {
            assert!(
                (a - b).abs() <= 5e-4 * size,
                "{what}: {name} [{at}]: {a} {b}"
            );
        }
    }
}

/// Running statistics by path.
fn statistics(model: &SslModel) -> BTreeMap<String, Vec<f32>> {
    struct Visitor(Vec<String>, BTreeMap<String, Vec<f32>>);
    impl ModuleVisitor for Visitor {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let path = self.0.join(".");
            if path.contains(".running_") {
                self.1.insert(path, flat(param.val()));
            }
        }
    }
    let mut visitor = Visitor(Vec::new(), BTreeMap::new());
    model.valid().visit(&mut visitor);
    visitor.1
}

fn gradient(gradients: &GradientsParams, id: ParamId, rank: usize) -> Option<Vec<f32>> {
    match rank {
        1 => gradients.get::<1>(id).map(flat),
        2 => gradients.get::<2>(id).map(flat),
        4 => gradients.get::<4>(id).map(flat),
        _ => panic!("rank {rank}"),
    }
}

/// The mean of values of several shards.
fn mean(shards: &[Vec<f32>]) -> Vec<f32> {
    let mean = |at: usize| shards.iter().map(|shard| shard[at]).sum::<f32>() / shards.len() as f32;
    (0..shards[0].len()).map(mean).collect()
}

#[test]
fn the_gradient_and_the_norms_are_the_mean_of_those_of_batches_as_small_as_the_shards() {
    let _turn = alone();
    let step = step(NORMED, 4, Negatives::Shard, false);
    assert_eq!(step.ids.len(), SAMPLES);
    let mut gradients: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
    let mut norms: BTreeMap<String, Vec<Vec<f32>>> = BTreeMap::new();
    let (mut losses, mut per_sample, mut embeddings) = (Vec::new(), Vec::new(), Vec::new());
    for ids in step.ids.chunks(SAMPLES / 4) {
        let model = model(NORMED);
        let taps = &mut Taps::none();
        let batch = batch(ids, 2);
        let output = model.objective().forward(model.encoder(), batch, taps);
        losses.push(flat(output.loss.clone()));
        per_sample.extend(flat(output.per_sample));
        embeddings.push(flat(output.embeddings));
        let all = GradientsParams::from_grads(output.loss.backward(), &model);
        for info in parameters(&model) {
            if let Some(values) = gradient(&all, info.id, info.shape.len()) {
                gradients.entry(info.path).or_default().push(values);
            }
        }
        for (path, values) in statistics(&model) {
            norms.entry(path).or_default().push(values);
        }
    }
    let mut expected: Seen = gradients
        .iter()
        .map(|(path, shards)| (format!("gradient {path}"), mean(shards)))
        .collect();
    expected.insert("loss".to_owned(), mean(&losses));
    expected.insert("per sample".to_owned(), per_sample);
    // Rows of view 0 of all shards first, then those of view 1.
    let halves = |shard: &Vec<f32>| shard.len() / 2;
    let rows = [0, 1].map(|view| {
        let of_view = embeddings.iter().map(move |shard| {
            let half = halves(shard);
            shard[view * half..(view + 1) * half].to_vec()
        });
        of_view.collect::<Vec<_>>().concat()
    });
    expected.insert("embeddings".to_owned(), rows.concat());
    let mut seen = step.seen;
    seen.retain(|name, _| expected.contains_key(name));
    assert_close(&expected, &seen, "four shards");

    let after = statistics(&step.after);
    let start = statistics(&model(NORMED));
    assert!(after.len() > 10);
    for (path, values) in &after {
        for (value, mean) in values.iter().zip(mean(&norms[path])) {
            assert!((value - mean).abs() < 1e-5, "{path}: {value} {mean}");
        }
        assert_ne!(values, &start[path], "{path}");
    }
}

#[test]
fn where_no_sample_sees_another_shards_change_nothing_but_rounding() {
    let _turn = alone();
    let case = rows_alone("supervised");
    let whole = step(case, 1, Negatives::Shard, false);
    for count in [2, 3, 4, 8] {
        let cut = step(case, count, Negatives::Shard, false);
        assert_eq!(whole.ids, cut.ids);
        assert_close(&whole.seen, &cut.seen, &format!("{count} shards"));
    }
}

#[test]
fn weights_and_terms_that_plugins_write_reach_every_shard() {
    let _turn = alone();
    let case = rows_alone("supervised");
    let plain = step(case, 1, Negatives::Shard, false);
    let whole = step(case, 1, Negatives::Shard, true);
    let cut = step(case, 4, Negatives::Shard, true);
    assert_close(&whole.seen, &cut.seen, "weights and terms");
    assert_ne!(plain.seen["loss"], whole.seen["loss"]);
}

#[test]
fn with_all_negatives_a_shard_is_compared_with_the_whole_batch() {
    let _turn = alone();
    for objective in ["simclr", "vicreg", "barlow_twins"] {
        let case = rows_alone(objective);
        let whole = step(case, 1, Negatives::Shard, false);
        let all = step(case, 4, Negatives::All, false);
        assert_close(&whole.seen, &all.seen, objective);
        let own = step(case, 4, Negatives::Shard, false);
        assert_ne!(whole.seen["per sample"], own.seen["per sample"]);
        let far = (whole.seen["loss"][0] - own.seen["loss"][0]).abs();
        assert!(far > 1e-3, "{objective}: {far}");

        let whole = step(case, 1, Negatives::Shard, true);
        let all = step(case, 4, Negatives::All, true);
        assert_close(&whole.seen, &all.seen, &format!("{objective}, written"));
    }
}

#[test]
fn a_second_pass_moves_norms_once() {
    let _turn = alone();
    let once = step(NORMED, 4, Negatives::Shard, false);
    let twice = step(NORMED, 4, Negatives::All, false);
    assert_eq!(statistics(&once.after), statistics(&twice.after));
}

#[test]
fn norms_that_are_frozen_stay_to_the_bit() {
    let _turn = alone();
    // The mean of three equal numbers need not be that number.
    let frozen = Case {
        frozen: true,
        ..NORMED
    };
    let (start, after) = (
        statistics(&model(NORMED)),
        statistics(&step(frozen, 3, Negatives::Shard, false).after),
    );
    for (path, values) in &start {
        let moves = !path.starts_with("encoder.");
        assert_eq!(*values != after[path], moves, "{path}");
    }
}

#[test]
fn shards_that_cannot_be_are_refused() {
    let _turn = alone();
    let refused = |afterimage: Afterimage<SslModel>| {
        let place = TempDir::new().unwrap();
        let case = rows_alone("supervised");
        let (report, _) = launch(afterimage, model(case), &place);
        report.error.expect("an error").to_string()
    };
    let cut = |count: usize| Shards {
        count,
        negatives: Negatives::Shard,
    };
    let fed = |count: usize| {
        let feed = Box::new(Pictures(1));
        Afterimage::open(SAMPLES)
            .feed(feed, SAMPLES, 0)
            .shards(cut(count))
    };
    for count in [0, 5, 24, 48] {
        let told = refused(fed(count));
        assert!(told.contains("cannot be cut"), "{count}: {told}");
    }
    let told = refused(Afterimage::open(SAMPLES).shards(cut(4)));
    assert!(told.contains("Afterimage::feed"), "{told}");
    let feed = Box::new(Pictures(1));
    let opaque = Afterimage::opaque(SAMPLES).feed(feed, SAMPLES, 0);
    let told = refused(opaque.shards(cut(4)));
    assert!(told.contains("Afterimage::open"), "{told}");
    // A loss that compares nothing has no negatives.
    let told = refused(fed(4).shards(Shards {
        count: 4,
        negatives: Negatives::All,
    }));
    assert!(told.contains("compares no samples"), "{told}");
}

/// Renders what the loop plans for a model that cuts no batches.
struct Whole;

impl Feed<Batch> for Whole {
    fn open(
        &self,
        _: u32,
        _: Vec<Vec<SampleId>>,
        _: usize,
    ) -> Result<Box<dyn Batches<Batch>>, TrainError> {
        Ok(Box::new(Self))
    }
}

impl Batches<Batch> for Whole {
    fn next(&mut self, batch: &Plan) -> Result<Batch, TrainError> {
        let items = batch.ids().iter().map(|id| Stripes::new(id.0)).collect();
        Ok(Pack.batch(items, &device()))
    }
}

#[test]
fn a_model_that_cuts_no_batches_is_told_what_it_lacks() {
    let _turn = alone();
    let place = TempDir::new().unwrap();
    let net = seeded(&device(), 5, || Net::new(&device()));
    let afterimage = Afterimage::<Net>::open(SAMPLES).feed(Box::new(Whole), SAMPLES, 0);
    let afterimage = afterimage.shards(Shards {
        count: 4,
        negatives: Negatives::Shard,
    });
    let told = launch(afterimage, net, &place).0.error.expect("an error");
    assert!(told.to_string().contains("HookedModel::shard"), "{told}");
}
