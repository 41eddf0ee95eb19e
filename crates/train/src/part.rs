//! What of each batch a process renders: the shards that it computes, where nobody sees the views of the others.

use afterimage_hooks::{BatchReady, Clock, SampleId};
use afterimage_ssl::Shard;
use burn::train::{LearnerModel, TrainStep};

use crate::error::TrainError;
use crate::feed::{Batches, Feed};
use crate::training::Training;

/// What is rendered of each batch of an epoch, and the batches.
type Opened<I> = (Shard, Box<dyn Batches<I>>);

impl<M: LearnerModel> Training<M> {
    /// Opens the epoch under way, whose batches are `batches`.
    ///
    /// A plugin that is due when a batch is ready may read and write the views of all of it. In an epoch in
    /// which none is, each process renders its own shards alone.
    ///
    /// # Errors
    /// Data that cannot be rendered.
    pub(crate) fn opened(
        &self,
        feed: &dyn Feed<<M as TrainStep>::Input>,
        batches: Vec<Vec<SampleId>>,
    ) -> Result<Opened<<M as TrainStep>::Input>, TrainError> {
        let (epoch, done) = (self.state.clock.epoch, self.state.batches_done);
        let part = self.parts.group.part();
        let left = batches.len().saturating_sub(done);
        if part != Shard::WHOLE
            && !self.shows_views(left)
            && let Some(opened) = feed.open_part(epoch, &batches, done, part)?
        {
            return Ok((part, opened));
        }
        Ok((Shard::WHOLE, feed.open(epoch, batches, done)?))
    }

    /// Whether a plugin may see the views of any of the next `steps` steps, all of this epoch.
    fn shows_views(&self, steps: usize) -> bool {
        let clock = self.state.clock;
        (1..=steps as u64).any(|ahead| {
            let step = clock.step + ahead;
            self.hooks.is_due::<BatchReady>(&Clock { step, ..clock })
        })
    }
}
