//! Batches of augmented views, rendered ahead of the loop.

use std::sync::Arc;

use afterimage_data::{Planned, Prefetcher, ViewBatch, ViewSource};
use afterimage_hooks::{Plan, SampleId};
use afterimage_ssl::{ObjectiveBatch, Shard};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::error::TrainError;
use crate::feed::{Batches, Feed};
use crate::pace::steps_at;

/// How far and on how many threads views are rendered ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// Batches.
    pub depth: usize,
    /// Threads.
    pub threads: usize,
}

/// Feeds the loop with augmented views of a data set.
pub struct ViewFeed {
    views: Views,
    local: Option<Views>,
    labels: bool,
    /// Batches of an epoch over all samples, where the schedule counts by them.
    full: Option<usize>,
    ahead: Ahead,
    device: Device,
}

/// A source and the number of views of each sample.
#[derive(Clone)]
struct Views {
    source: Arc<ViewSource>,
    count: usize,
}

impl ViewFeed {
    /// `views` views of each sample of `source` on `device`.
    pub fn new(source: Arc<ViewSource>, views: usize, ahead: Ahead, device: Device) -> Self {
        Self {
            views: Views {
                source,
                count: views,
            },
            local: None,
            labels: false,
            full: None,
            ahead,
            device,
        }
    }

    /// Adds `views` local views of each sample of `source`, whose first view is to have another
    /// number than any other view of the sample.
    pub fn with_local(self, source: Arc<ViewSource>, views: usize) -> Self {
        Self {
            local: Some(Views {
                source,
                count: views,
            }),
            ..self
        }
    }

    /// Adds the samples' labels, which no batch has otherwise.
    pub fn with_labels(self) -> Self {
        Self {
            labels: true,
            ..self
        }
    }

    /// Tells how many batches an epoch over all samples has: each batch of a shorter one says how many
    /// steps of the schedule it stands for.
    pub fn of_full_epochs(self, batches: usize) -> Self {
        Self {
            full: Some(batches),
            ..self
        }
    }

    /// The batches of an epoch, of each of which `part` is rendered.
    pub(crate) fn opened(
        &self,
        epoch: u32,
        batches: Vec<Vec<SampleId>>,
        done: usize,
        part: Shard,
    ) -> Result<Box<dyn Batches<ObjectiveBatch>>, TrainError> {
        let coming = Planned::from(batches.clone()).at(|samples| part.places(samples));
        let local = match &self.local {
            Some(local) => Some(self.rendered(local, epoch, coming.clone(), done)?),
            None => None,
        };
        let planned = batches.len();
        let full = self.full.unwrap_or(planned);
        let pace: Vec<usize> = (done..planned)
            .map(|at| steps_at(full, planned, at))
            .collect();
        let mut batches = batches.into_iter();
        batches.by_ref().take(done).for_each(drop);
        Ok(Box::new(Epoch {
            views: self.rendered(&self.views, epoch, coming, done)?,
            local,
            labels: self.labels,
            planned: batches,
            part,
            pace: pace.into_iter(),
            device: self.device.clone(),
        }))
    }

    fn rendered(
        &self,
        views: &Views,
        epoch: u32,
        coming: Planned,
        done: usize,
    ) -> Result<Rendered, TrainError> {
        let Ahead { depth, threads } = self.ahead;
        let source = Arc::clone(&views.source);
        Ok(Rendered {
            ahead: Prefetcher::start(source, coming, done, epoch, views.count, depth, threads)?,
            views: views.clone(),
            epoch,
        })
    }
}

/// Views of an epoch's batches, rendered ahead.
struct Rendered {
    ahead: Prefetcher,
    views: Views,
    epoch: u32,
}

impl Rendered {
    /// The views of `ids`, which are those that were rendered ahead where the batch is `as_planned`.
    fn next(&mut self, ids: &[SampleId], as_planned: bool) -> Result<ViewBatch, TrainError> {
        let ahead: Option<ViewBatch> = self.ahead.next().transpose()?;
        // A plugin may have changed the batch after it was rendered; views are pure functions of
        // the sample, so the new one is simply rendered now.
        Ok(match ahead {
            Some(rendered) if as_planned => rendered,
            _ => self.views.source.batch(ids, self.epoch, self.views.count)?,
        })
    }
}

/// An epoch under way.
struct Epoch {
    views: Rendered,
    local: Option<Rendered>,
    labels: bool,
    /// The batches to come as they were planned, whole.
    planned: std::vec::IntoIter<Vec<SampleId>>,
    /// What is rendered of each batch.
    part: Shard,
    /// Steps of the schedule that each batch to come stands for.
    pace: std::vec::IntoIter<usize>,
    device: Device,
}

impl Feed<ObjectiveBatch> for ViewFeed {
    fn open(
        &self,
        epoch: u32,
        batches: Vec<Vec<SampleId>>,
        done: usize,
    ) -> Result<Box<dyn Batches<ObjectiveBatch>>, TrainError> {
        self.opened(epoch, batches, done, Shard::WHOLE)
    }

    fn open_part(
        &self,
        epoch: u32,
        batches: &[Vec<SampleId>],
        done: usize,
        part: Shard,
    ) -> Result<Option<Box<dyn Batches<ObjectiveBatch>>>, TrainError> {
        self.opened(epoch, batches.to_vec(), done, part).map(Some)
    }
}

impl Epoch {
    fn labels(&self, ids: &[SampleId]) -> Tensor<1, Int> {
        // Rendering has refused ids outside of the split already.
        let labels: Vec<i64> = ids
            .iter()
            .filter_map(|id| self.views.views.source.label(*id))
            .map(i64::from)
            .collect();
        Tensor::from_data(TensorData::new(labels, [ids.len()]), &self.device)
    }
}

impl Batches<ObjectiveBatch> for Epoch {
    fn next(&mut self, batch: &Plan) -> Result<ObjectiveBatch, TrainError> {
        // A change in any part counts, so that all processes render their parts alike.
        let as_planned = self
            .planned
            .next()
            .is_some_and(|planned| planned == batch.ids());
        let own = self.part.of_samples(batch.ids());
        let rendered = self.views.next(own, as_planned)?;
        let local = match &mut self.local {
            Some(local) => Some(local.next(own, as_planned)?.into_tensor(&self.device)),
            None => None,
        };
        let ids = rendered.ids.clone();
        Ok(ObjectiveBatch {
            epoch: self.views.epoch,
            pace: self.pace.next().unwrap_or(1) as u64,
            labels: self.labels.then(|| self.labels(&ids)),
            local,
            images: rendered.into_tensor(&self.device),
            ids,
            shard: self.part,
        })
    }
}

#[cfg(test)]
#[path = "view_feed_tests.rs"]
mod tests;
