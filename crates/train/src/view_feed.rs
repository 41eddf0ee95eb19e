//! Batches of augmented views, rendered ahead of the loop.

use std::sync::Arc;

use afterimage_data::{Prefetcher, ViewBatch, ViewSource};
use afterimage_hooks::{Plan, SampleId};
use afterimage_ssl::ObjectiveBatch;
use burn::tensor::Device;

use crate::error::TrainError;
use crate::feed::{Batches, Feed};

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
    source: Arc<ViewSource>,
    views: usize,
    ahead: Ahead,
    device: Device,
}

impl ViewFeed {
    /// `views` views of each sample of `source` on `device`.
    pub fn new(source: Arc<ViewSource>, views: usize, ahead: Ahead, device: Device) -> Self {
        Self {
            source,
            views,
            ahead,
            device,
        }
    }
}

struct Rendered {
    ahead: Prefetcher,
    source: Arc<ViewSource>,
    epoch: u32,
    views: usize,
    device: Device,
}

impl Feed<ObjectiveBatch> for ViewFeed {
    fn open(
        &self,
        epoch: u32,
        batches: Vec<Vec<SampleId>>,
    ) -> Result<Box<dyn Batches<ObjectiveBatch>>, TrainError> {
        let Ahead { depth, threads } = self.ahead;
        let source = Arc::clone(&self.source);
        Ok(Box::new(Rendered {
            ahead: Prefetcher::start(source, batches, epoch, self.views, depth, threads)?,
            source: Arc::clone(&self.source),
            epoch,
            views: self.views,
            device: self.device.clone(),
        }))
    }
}

impl Batches<ObjectiveBatch> for Rendered {
    fn next(&mut self, batch: &Plan) -> Result<ObjectiveBatch, TrainError> {
        let planned: Option<ViewBatch> = self.ahead.next().transpose()?;
        // A plugin may have changed the batch after it was rendered; views are pure functions of
        // the sample, so the new one is simply rendered now.
        let rendered = match planned {
            Some(rendered) if rendered.ids == batch.ids() => rendered,
            _ => self.source.batch(batch.ids(), self.epoch, self.views)?,
        };
        Ok(ObjectiveBatch {
            ids: rendered.ids.clone(),
            epoch: self.epoch,
            images: rendered.into_tensor(&self.device),
            local: None,
            labels: None,
        })
    }
}
