//! Where the loop gets its batches from: planned by the loop, or by a loader of burn.

use std::sync::Arc;

use afterimage_hooks::{Plan, SampleId};
use afterimage_ssl::Shard;
use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;

use crate::error::TrainError;

/// Renders batches that the loop plans.
pub trait Feed<I> {
    /// Opens an epoch: `batches` are all of its batches in order, for rendering ahead, of which the
    /// first `done` were trained on before a resume and do not come again.
    ///
    /// # Errors
    /// Data that cannot be rendered.
    fn open(
        &self,
        epoch: u32,
        batches: Vec<Vec<SampleId>>,
        done: usize,
    ) -> Result<Box<dyn Batches<I>>, TrainError>;

    /// As [`open`](Self::open), for a process that needs of each batch the samples of `part` alone: each
    /// batch is then this part, with the pixels that it has in the whole one, and nothing else is read or
    /// rendered. `None` from a feed that renders whole batches, of which each process takes what it needs.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    fn open_part(
        &self,
        epoch: u32,
        batches: &[Vec<SampleId>],
        done: usize,
        part: Shard,
    ) -> Result<Option<Box<dyn Batches<I>>>, TrainError> {
        let _ = (epoch, batches, done, part);
        Ok(None)
    }
}

/// The batches of an epoch in order.
pub trait Batches<I> {
    /// Renders the next batch, or the [part](Feed::open_part) of it that was asked for. `batch` is what the
    /// plan said, or what plugins made of it, and whole.
    ///
    /// # Errors
    /// Data that cannot be rendered.
    fn next(&mut self, batch: &Plan) -> Result<I, TrainError>;
}

/// The order of the samples `members` in an epoch when no plugin sets a plan.
pub fn default_plan(seed: u64, epoch: u32, members: &[SampleId]) -> Plan {
    let order = afterimage_data::order(seed, epoch, members.len());
    Plan::uniform(
        order
            .iter()
            .map(|place| members[place.0 as usize])
            .collect(),
    )
}

/// Cuts a plan into batches of `size`; a last batch that is not full is left out, because
/// contrastive losses depend on the batch size.
pub fn batches(plan: &Plan, size: usize) -> Result<Vec<Plan>, TrainError> {
    let cut: Result<Vec<Plan>, _> = plan
        .ids()
        .chunks_exact(size)
        .zip(plan.weights().chunks_exact(size))
        .map(|(ids, weights)| Plan::weighted(ids.to_vec(), weights.to_vec()))
        .collect();
    let cut = cut.map_err(|fault| TrainError::Attach(fault.to_string()))?;
    if cut.is_empty() {
        return Err(TrainError::TooFewSamples {
            samples: plan.ids().len(),
            batch: size,
        });
    }
    Ok(cut)
}

/// Stands in where burn-train asks for a loader although the loop plans its own batches.
pub struct NoLoader<I>(std::marker::PhantomData<fn() -> I>);

impl<I: Send + 'static> NoLoader<I> {
    /// A loader of nothing.
    pub fn shared() -> Arc<dyn DataLoader<I>> {
        Arc::new(Self(std::marker::PhantomData))
    }
}

struct Nothing<I>(std::marker::PhantomData<fn() -> I>);

impl<I> Iterator for Nothing<I> {
    type Item = Result<I, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        None
    }
}

impl<I> DataLoaderIterator<I> for Nothing<I> {
    fn progress(&self) -> Progress {
        Progress::new(0, 0, None)
    }
}

impl<I: Send + 'static> DataLoader<I> for NoLoader<I> {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<I> + 'a> {
        Box::new(Nothing(std::marker::PhantomData))
    }

    fn num_items(&self) -> usize {
        0
    }

    fn to_device(&self, _device: &Device) -> Arc<dyn DataLoader<I>> {
        Self::shared()
    }

    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<I>> {
        Self::shared()
    }
}
