//! Parts of batches beside the whole ones.

#![allow(clippy::unwrap_used)]

use afterimage_data::{DataSet, ImageSet, Preset, Shape, ViewConfig, Views as Render};
use afterimage_hooks::Split;

use super::*;

const SAMPLES: u32 = 12;

/// A feed of small images with two views of each sample, three local ones and labels.
fn feed() -> ViewFeed {
    let shape = Shape {
        channels: 1,
        height: 6,
        width: 6,
    };
    let pixels = (0..SAMPLES as usize * shape.len()).map(|at| (at * 37 % 251) as u8);
    let classes = ["a", "b", "c"].map(str::to_owned).to_vec();
    let labels = (0..SAMPLES).map(|id| id % 3).collect();
    let set = ImageSet::new(pixels.collect(), labels, classes, shape).unwrap();
    let views = Render::new(&ViewConfig::preset(Preset::Weak), shape, 7).unwrap();
    let data = DataSet {
        train: set.clone(),
        held_out: set,
    };
    let source = ViewSource::new(Arc::new(data), Split::Train, views);
    let local = source.clone().starting_at(2);
    let ahead = Ahead {
        depth: 2,
        threads: 2,
    };
    ViewFeed::new(Arc::new(source), 2, ahead, Device::flex())
        .with_local(Arc::new(local), 3)
        .with_labels()
        .of_full_epochs(5)
}

fn ids(numbers: [u32; 4]) -> Vec<SampleId> {
    numbers.map(SampleId).to_vec()
}

/// Batches in which samples come again, in another part of the batch and in later ones.
fn plan() -> Vec<Vec<SampleId>> {
    vec![ids([3, 5, 3, 1]), ids([5, 3, 0, 3]), ids([7, 2, 3, 1])]
}

/// All that a batch holds.
fn held(batch: ObjectiveBatch) -> (Vec<SampleId>, Vec<TensorData>, TensorData, [u64; 2], Shard) {
    let views = [Some(batch.images), batch.local];
    (
        batch.ids,
        views
            .into_iter()
            .flatten()
            .map(|views| views.into_data())
            .collect(),
        batch.labels.unwrap().into_data(),
        [batch.epoch.into(), batch.pace],
        batch.shard,
    )
}

#[test]
fn a_part_of_a_batch_holds_what_the_whole_one_does_there() {
    let feed = feed();
    for done in [0, 1] {
        let mut whole = feed.open(2, plan(), done).unwrap();
        let whole: Vec<ObjectiveBatch> = plan()[done..]
            .iter()
            .map(|ids| whole.next(&Plan::uniform(ids.clone())).unwrap())
            .collect();
        for of in [1, 2, 4] {
            for part in Shard::all(of) {
                let parts = feed.open_part(2, &plan(), done, part).unwrap();
                let mut parts = parts.unwrap();
                for (batch, ids) in whole.iter().zip(&plan()[done..]) {
                    let own = parts.next(&Plan::uniform(ids.clone())).unwrap();
                    assert_eq!(own.images.dims()[0], 2 * 4 / of);
                    assert_eq!(held(own), held(batch.shard(part)), "{part:?} {ids:?}");
                }
            }
        }
    }
}

/// The second and the third batch, where a plugin made `second` of the second.
fn with_second(
    mut batches: Box<dyn Batches<ObjectiveBatch>>,
    second: Vec<SampleId>,
) -> [ObjectiveBatch; 2] {
    let [first, _, third] = <[_; 3]>::try_from(plan()).unwrap();
    batches.next(&Plan::uniform(first)).unwrap();
    [second, third].map(|ids| batches.next(&Plan::uniform(ids)).unwrap())
}

#[test]
fn a_change_in_one_part_of_a_batch_is_one_of_all_parts() {
    let feed = feed();
    // Its samples come a second time, the last one a fourth; now that is another.
    let changed = ids([5, 3, 0, 9]);
    let whole = with_second(feed.open(1, plan(), 0).unwrap(), changed.clone());
    for part in Shard::all(2) {
        let parts = feed.open_part(1, &plan(), 0, part).unwrap();
        let parts = with_second(parts.unwrap(), changed.clone());
        for (own, whole) in parts.into_iter().zip(&whole) {
            assert_eq!(held(own), held(whole.shard(part)), "{part:?}");
        }
    }
    // The samples of the first part are those that were planned, and have the views of a first time.
    let planned = with_second(feed.open(1, plan(), 0).unwrap(), plan().remove(1));
    let first = Shard { index: 0, of: 2 };
    let [planned, changed] = [&planned[0], &whole[0]].map(|batch| held(batch.shard(first)));
    assert_eq!(planned.0, changed.0);
    assert_ne!(planned.1, changed.1);
}

#[test]
fn nothing_outside_of_a_part_is_asked_for() {
    let feed = feed();
    let strange = vec![ids([0, 1, SAMPLES, 2])];
    let of_part = |index: usize| {
        let part = Shard { index, of: 2 };
        let parts = feed.open_part(1, &strange, 0, part).unwrap();
        parts.unwrap().next(&Plan::uniform(strange[0].clone()))
    };
    assert_eq!(of_part(0).unwrap().ids, [0, 1].map(SampleId));
    let told = of_part(1).unwrap_err().to_string();
    assert!(told.contains("sample 12 is not in the"), "{told}");
    let mut whole = feed.open(1, strange.clone(), 0).unwrap();
    assert!(whole.next(&Plan::uniform(strange[0].clone())).is_err());
}
