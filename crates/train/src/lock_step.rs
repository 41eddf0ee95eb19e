//! The batches of a pair of encoders, side by side.

use afterimage_hooks::{Plan, SampleId};
use afterimage_ssl::{ObjectiveBatch, Shard};

use crate::error::TrainError;
use crate::feed::{Batches, Feed};
use crate::pretrain::SslBatch;
use crate::view_feed::ViewFeed;

/// Feeds an encoder and, where there is one, its reference with the same plan.
pub struct LockStep {
    studied: ViewFeed,
    reference: Option<ViewFeed>,
}

impl LockStep {
    /// One encoder, or two: `reference` renders from a source
    /// [`for_reference`](afterimage_data::ViewSource::for_reference).
    pub fn new(studied: ViewFeed, reference: Option<ViewFeed>) -> Self {
        Self { studied, reference }
    }

    /// The batches of an epoch, of each of which `part` is rendered.
    fn opened(
        &self,
        epoch: u32,
        batches: Vec<Vec<SampleId>>,
        done: usize,
        part: Shard,
    ) -> Result<Box<dyn Batches<SslBatch>>, TrainError> {
        let reference = match &self.reference {
            Some(feed) => Some(feed.opened(epoch, batches.clone(), done, part)?),
            None => None,
        };
        Ok(Box::new(Both {
            studied: self.studied.opened(epoch, batches, done, part)?,
            reference,
        }))
    }
}

struct Both {
    studied: Box<dyn Batches<ObjectiveBatch>>,
    reference: Option<Box<dyn Batches<ObjectiveBatch>>>,
}

impl Feed<SslBatch> for LockStep {
    fn open(
        &self,
        epoch: u32,
        batches: Vec<Vec<SampleId>>,
        done: usize,
    ) -> Result<Box<dyn Batches<SslBatch>>, TrainError> {
        self.opened(epoch, batches, done, Shard::WHOLE)
    }

    fn open_part(
        &self,
        epoch: u32,
        batches: &[Vec<SampleId>],
        done: usize,
        part: Shard,
    ) -> Result<Option<Box<dyn Batches<SslBatch>>>, TrainError> {
        self.opened(epoch, batches.to_vec(), done, part).map(Some)
    }
}

impl Batches<SslBatch> for Both {
    fn next(&mut self, batch: &Plan) -> Result<SslBatch, TrainError> {
        let reference = match &mut self.reference {
            Some(batches) => Some(batches.next(batch)?),
            None => None,
        };
        Ok(SslBatch {
            studied: self.studied.next(batch)?,
            reference,
        })
    }
}
