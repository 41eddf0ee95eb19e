//! Whole batches of views.

use std::sync::Arc;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{PairSets, SampleId, Split};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::dataset::DataSet;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::view::{Scratch, Views};

/// Rendered views of some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewBatch {
    /// The samples `[B]`.
    pub ids: Vec<SampleId>,
    /// Loss weights `[B]`; 1 until someone changes them.
    pub weights: Vec<f32>,
    /// Views of each sample: V.
    pub views: usize,
    /// `[V · B, C, H, W]`.
    pub shape: [usize; 4],
    /// Pixels, view-major: all samples of view 0, then all of view 1, and so on.
    pub data: Vec<f32>,
    /// As `data`, for a reference encoder: independent points in the places of the candidates. From
    /// a source [`with_pair`](ViewSource::with_pair) alone, and only in batches of training.
    pub reference: Option<Vec<f32>>,
}

impl ViewBatch {
    /// The views on `device`, `[V · B, C, H, W]`.
    pub fn tensor(&self, device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(self.data.clone(), self.shape), device)
    }

    /// As [`tensor`](Self::tensor), without a copy on the host.
    pub fn into_tensor(self, device: &Device) -> Tensor<4> {
        Tensor::from_data(TensorData::new(self.data, self.shape), device)
    }
}

/// Which views a row of a batch shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Training { epoch: u32 },
    Probe,
    Plain,
}

/// Renders batches of views of one split.
///
/// Each row is a pure function of (seed, split, epoch, sample id, view), whatever else is in the
/// batch and however many threads there are.
#[derive(Debug, Clone)]
pub struct ViewSource {
    data: Arc<DataSet>,
    split: Split,
    views: Views,
    pair: Option<Arc<PairSets>>,
    first_view: u32,
}

impl ViewSource {
    /// Views of the samples of `split`.
    pub fn new(data: Arc<DataSet>, split: Split, views: Views) -> Self {
        Self {
            data,
            split,
            views,
            pair: None,
            first_view: 0,
        }
    }

    /// The same source whose first view has this number, so that it draws other numbers than a
    /// source of views before it.
    pub fn starting_at(self, first_view: u32) -> Self {
        Self { first_view, ..self }
    }

    /// The same source that also renders the batches of a reference encoder.
    ///
    /// An independent point is cropped, flipped and coloured as the candidate whose place it takes,
    /// so that the batches of the two encoders differ in these pictures and in nothing else.
    pub fn with_pair(self, sets: Arc<PairSets>) -> Self {
        Self {
            pair: Some(sets),
            ..self
        }
    }

    /// The images that views are made of.
    pub fn images(&self) -> &ImageSet {
        self.data.split(self.split)
    }

    /// How views are made.
    pub fn views(&self) -> &Views {
        &self.views
    }

    /// Training's views `0..views` of `ids` in `epoch`, rendered on rayon's current pool.
    ///
    /// # Errors
    /// An id outside the split.
    pub fn batch(
        &self,
        ids: &[SampleId],
        epoch: u32,
        views: usize,
    ) -> Result<ViewBatch, DataError> {
        self.render_parallel(ids, views, Purpose::Training { epoch })
    }

    /// As [`batch`](Self::batch) with the same bits, on the calling thread alone.
    ///
    /// # Errors
    /// An id outside the split.
    pub fn batch_on_this_thread(
        &self,
        ids: &[SampleId],
        epoch: u32,
        views: usize,
    ) -> Result<ViewBatch, DataError> {
        let (mut batch, row_len) = self.blank(ids, views)?;
        let scratch = &mut Scratch::default();
        let purpose = Purpose::Training { epoch };
        for (row, out) in batch.data.chunks_exact_mut(row_len).enumerate() {
            let id = batch.ids[row % batch.ids.len()];
            self.render_row(&batch.ids, row, id, purpose, scratch, out)?;
        }
        self.render_reference(&mut batch, purpose, scratch)?;
        Ok(batch)
    }

    /// Views of `ids` for probes: apart from training's, and the same at any time.
    ///
    /// # Errors
    /// An id outside the split.
    pub fn probe_batch(&self, ids: &[SampleId], views: usize) -> Result<ViewBatch, DataError> {
        self.render_parallel(ids, views, Purpose::Probe)
    }

    /// The images of `ids` as evaluation sees them: one view each, resized and normalised only.
    ///
    /// # Errors
    /// An id outside the split.
    pub fn plain_batch(&self, ids: &[SampleId]) -> Result<ViewBatch, DataError> {
        self.render_parallel(ids, 1, Purpose::Plain)
    }

    fn render_parallel(
        &self,
        ids: &[SampleId],
        views: usize,
        purpose: Purpose,
    ) -> Result<ViewBatch, DataError> {
        let (mut batch, row_len) = self.blank(ids, views)?;
        let ids = &batch.ids;
        batch
            .data
            .par_chunks_exact_mut(row_len)
            .enumerate()
            .try_for_each_init(Scratch::default, |scratch, (row, out)| {
                self.render_row(ids, row, ids[row % ids.len()], purpose, scratch, out)
            })?;
        self.render_reference(&mut batch, purpose, &mut Scratch::default())?;
        Ok(batch)
    }

    /// Fills in what the reference encoder sees. Few rows differ, so that one thread does.
    fn render_reference(
        &self,
        batch: &mut ViewBatch,
        purpose: Purpose,
        scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        let (Some(pair), Purpose::Training { .. }) = (&self.pair, purpose) else {
            return Ok(());
        };
        let mut pixels = batch.data.clone();
        let row_len = self.views.shape().len();
        for (row, out) in pixels.chunks_exact_mut(row_len).enumerate() {
            if let Some(partner) = pair.partner(batch.ids[row % batch.ids.len()]) {
                self.render_row(&batch.ids, row, partner, purpose, scratch, out)?;
            }
        }
        batch.reference = Some(pixels);
        Ok(())
    }

    /// An unpainted batch, after a check of all ids, and the length of a row.
    fn blank(&self, ids: &[SampleId], views: usize) -> Result<(ViewBatch, usize), DataError> {
        for &id in ids {
            self.data.image(self.split, id)?;
        }
        let shape = self.views.shape();
        let rows = ids.len() * views;
        let batch = ViewBatch {
            ids: ids.to_vec(),
            weights: vec![1.0; ids.len()],
            views,
            shape: [rows, shape.channels, shape.height, shape.width],
            data: vec![0.0; rows * shape.len()],
            reference: None,
        };
        Ok((batch, shape.len()))
    }

    /// Renders the picture of `shown` as the view that belongs to `row`.
    fn render_row(
        &self,
        ids: &[SampleId],
        row: usize,
        shown: SampleId,
        purpose: Purpose,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let (view, id) = (row / ids.len(), ids[row % ids.len()]);
        let image = self.data.image(self.split, shown)?;
        let key = |stream| {
            // The two splits count their ids from 0 each; the step keeps their views apart.
            let split = u64::from(self.split == Split::HeldOut);
            RandomKey::new(self.views.seed(), stream)
                .step(split)
                .sample(id.0)
                .view(self.first_view + view as u32)
        };
        match purpose {
            Purpose::Training { epoch } => {
                self.views
                    .render(image, key(Stream::View).epoch(epoch), scratch, out);
            }
            Purpose::Probe => self
                .views
                .render(image, key(Stream::ProbeView), scratch, out),
            Purpose::Plain => self.views.plain(image, scratch, out),
        }
        Ok(())
    }
}
