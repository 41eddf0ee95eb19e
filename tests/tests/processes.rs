//! Batches that processes share out: what each of them renders, and the numbers of one process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[allow(dead_code)]
mod one_step;
#[path = "../../crates/cli/tests/run/threads.rs"]
mod threads;

use std::sync::{Arc, Mutex};

use afterimage::model::values;
use afterimage::prelude::*;
use afterimage::ssl::{Negatives, ObjectiveBatch, Shard, Shards};
use afterimage::train::{Batches, Feed, Group, SslBatch, SslModel, TrainError};
use burn::module::Module as _;
use one_step::{Case, NORMED, SAMPLES, alone, batch, flat, launch, model, rows_alone};
use tempfile::TempDir;
use threads::together;

/// What was rendered, batch by batch.
type Tally = Arc<Mutex<Vec<Vec<SampleId>>>>;

/// Renders what is asked for and keeps count.
#[derive(Clone)]
struct Counted {
    views: usize,
    /// Whether it can render a part of a batch.
    in_parts: bool,
    part: Shard,
    tally: Tally,
}

impl Feed<SslBatch> for Counted {
    fn open(
        &self,
        _: u32,
        _: Vec<Vec<SampleId>>,
        _: usize,
    ) -> Result<Box<dyn Batches<SslBatch>>, TrainError> {
        Ok(Box::new(self.clone()))
    }

    fn open_part(
        &self,
        _: u32,
        _: &[Vec<SampleId>],
        _: usize,
        part: Shard,
    ) -> Result<Option<Box<dyn Batches<SslBatch>>>, TrainError> {
        let part: Box<dyn Batches<SslBatch>> = Box::new(Self {
            part,
            ..self.clone()
        });
        Ok(self.in_parts.then_some(part))
    }
}

impl Batches<SslBatch> for Counted {
    fn next(&mut self, planned: &Plan) -> Result<SslBatch, TrainError> {
        let ids = self.part.of_samples(planned.ids());
        self.tally.lock().unwrap().push(ids.to_vec());
        Ok(SslBatch {
            studied: ObjectiveBatch {
                shard: self.part,
                ..batch(ids, self.views)
            },
            reference: None,
        })
    }
}

/// Counts the rows of the views that it is shown.
struct Looker(Every, Arc<Mutex<Vec<usize>>>);

impl Plugin for Looker {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<BatchReady>(self.0, |this, cx| {
            let views = cx.views().ok_or_else(|| Fault::new("no views"))?;
            this.1.lock().unwrap().push(views.dims()[0]);
            Ok(())
        });
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

/// How a step over all samples is made.
#[derive(Clone, Copy)]
struct How {
    case: Case,
    negatives: Negatives,
    in_parts: bool,
    looks: Option<Every>,
}

const PLAIN: How = How {
    case: NORMED,
    negatives: Negatives::Shard,
    in_parts: true,
    looks: None,
};

/// What a process did in the step.
struct Done {
    rendered: Vec<Vec<SampleId>>,
    looked_at: Vec<usize>,
    /// Every number of the model behind it, by path, to the bit.
    model: Vec<(String, Vec<u32>)>,
}

fn numbers(model: &SslModel) -> Vec<(String, Vec<u32>)> {
    let all = values(&model.valid(), |_, _| true).into_iter();
    all.map(|(path, values)| {
        let bits = flat(values).into_iter().map(f32::to_bits);
        (path, bits.collect())
    })
    .collect()
}

fn step(how: How, group: Group) -> Done {
    let place = TempDir::new().unwrap();
    let tally = Tally::default();
    let looked_at: Arc<Mutex<Vec<usize>>> = Arc::default();
    let model = model(how.case);
    // A step of one thread would mix the draws of the device's generator with those of another's model.
    group.exchange("the models", &[]).unwrap();
    let feed = Counted {
        views: model.views(),
        in_parts: how.in_parts,
        part: Shard::WHOLE,
        tally: Arc::clone(&tally),
    };
    let mut afterimage = Afterimage::open(SAMPLES)
        .seed(5)
        .feed(Box::new(feed), SAMPLES, 0)
        .shards(Shards {
            count: 4,
            negatives: how.negatives,
        })
        .processes(group);
    if let Some(every) = how.looks {
        let looker = Looker(every, Arc::clone(&looked_at));
        afterimage = afterimage.plugin(Attached::new("looker", "looker", looker));
    }
    let (report, after) = launch(afterimage, model, &place);
    assert!(report.error.is_none(), "{:?}", report.error);
    assert_eq!(report.disabled_plugins, [""; 0]);
    let rendered = tally.lock().unwrap().clone();
    let looked_at = looked_at.lock().unwrap().clone();
    Done {
        rendered,
        looked_at,
        model: numbers(&after),
    }
}

/// Steps of one process and of the members of 2 and 4, which all end with its numbers.
fn alike(how: How) -> [Vec<Done>; 3] {
    let done = [1, 2, 4].map(|size| together(size, |group| step(how, group)));
    let before = numbers(&model(how.case));
    let expected = &done[0][0].model;
    assert!(expected.len() > 10 && *expected != before);
    for other in done.iter().flatten() {
        assert!(other.model == *expected, "other numbers");
    }
    done
}

/// Fails unless each process rendered its own part alone.
fn assert_shared_out(done: &[Vec<Done>; 3], batches: usize) {
    let whole = &done[0][0].rendered;
    assert_eq!(whole.len(), batches);
    for processes in done {
        for (at, whole) in whole.iter().enumerate() {
            let own = processes.iter().map(|process| process.rendered[at].clone());
            let own: Vec<_> = own.collect();
            let each = SAMPLES / processes.len();
            assert!(own.iter().all(|own| own.len() == each), "{own:?}");
            assert_eq!(own.concat(), *whole);
        }
    }
}

#[test]
fn each_process_renders_its_own_shards_alone() {
    let _turn = alone();
    for case in [NORMED, rows_alone("supervised")] {
        let plain = How { case, ..PLAIN };
        assert_shared_out(&alike(plain), 1);
    }
    // The first of two passes shows what is compared, and no pixels.
    let all = How {
        negatives: Negatives::All,
        ..PLAIN
    };
    assert_shared_out(&alike(all), 1);
}

#[test]
fn where_a_plugin_is_shown_views_all_of_them_are_rendered() {
    let _turn = alone();
    let bare = step(PLAIN, Group::default()).model;
    let looked = How {
        looks: Some(Every::Always),
        ..PLAIN
    };
    let done = alike(looked);
    let whole = &done[0][0].rendered;
    for process in done.iter().flatten() {
        assert_eq!(process.rendered, *whole);
        assert_eq!(process.looked_at, [2 * SAMPLES]);
        assert!(process.model == bare, "it only looks");
    }
    // It is not due in the one step of the run.
    let later = How {
        looks: Some(Every::steps::<2>()),
        ..PLAIN
    };
    let done = alike(later);
    assert_shared_out(&done, 1);
    assert!(done.iter().flatten().all(|done| done.looked_at.is_empty()));
}

#[test]
fn a_feed_that_knows_no_parts_renders_whole_batches() {
    let _turn = alone();
    let whole = How {
        in_parts: false,
        ..PLAIN
    };
    let done = alike(whole);
    let bare = step(PLAIN, Group::default());
    for process in done.iter().flatten() {
        assert_eq!(process.rendered, bare.rendered);
        assert!(process.model == bare.model);
    }
}
