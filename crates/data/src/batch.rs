//! Whole batches of views.

use std::sync::Arc;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{PairSets, SampleId, Split};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::dataset::DataSet;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::picture::ImageRef;
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
    Training { epoch: u32, pass: u32 },
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

    /// The same source for a reference encoder: independent points in the places of candidates.
    ///
    /// In training, an independent point is cropped, flipped and coloured as the candidate whose
    /// place it takes, so that the batches of the two encoders differ in these pictures alone.
    pub fn for_reference(self, sets: Arc<PairSets>) -> Self {
        Self {
            pair: Some(sets),
            ..self
        }
    }

    /// The images that views are made of.
    pub fn images(&self) -> &ImageSet {
        self.data.split(self.split)
    }

    /// The class of the picture that training sees where `id` is planned; `None` for an id outside
    /// the split.
    pub fn label(&self, id: SampleId) -> Option<u32> {
        let labels = self.images().labels();
        labels.get(self.shown(id).0 as usize).copied()
    }

    /// The sample whose picture training sees where `id` is planned.
    fn shown(&self, id: SampleId) -> SampleId {
        let partner = self.pair.as_ref().and_then(|pair| pair.partner(id));
        partner.unwrap_or(id)
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
        self.render_parallel(ids, views, Purpose::Training { epoch, pass: 0 })
    }

    /// As [`batch`](Self::batch) with the same bits, on the calling thread alone. A sample whose
    /// entry in `passes` is above 0 stood so many times in the epoch before, and has other views
    /// each time; where `passes` ends, it is 0.
    ///
    /// # Errors
    /// An id outside the split.
    pub fn batch_on_this_thread(
        &self,
        ids: &[SampleId],
        passes: &[u32],
        epoch: u32,
        views: usize,
    ) -> Result<ViewBatch, DataError> {
        let (mut batch, row_len) = self.blank(ids, views)?;
        let purpose = |pass| Purpose::Training { epoch, pass };
        let images = self.images();
        let shown = ids.iter().map(|id| self.shown_for(*id, purpose(0)));
        let images = shown.map(|id| images.image(id));
        let images = images.collect::<Result<Vec<_>, _>>()?;
        let scratch = &mut Scratch::default();
        for (row, out) in batch.data.chunks_exact_mut(row_len).enumerate() {
            let at = row % ids.len();
            let purpose = purpose(passes.get(at).copied().unwrap_or(0));
            self.render_row(
                (ids[at], row / ids.len()),
                images[at].view(),
                purpose,
                scratch,
                out,
            );
        }
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
        let shown: Vec<SampleId> = ids.iter().map(|id| self.shown_for(*id, purpose)).collect();
        let images = self.data.images(self.split, &shown)?;
        batch
            .data
            .par_chunks_exact_mut(row_len)
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (row, out)| {
                let at = row % ids.len();
                let place = (ids[at], row / ids.len());
                self.render_row(place, images[at].view(), purpose, scratch, out);
            });
        Ok(batch)
    }

    /// The sample whose picture is shown for `id`.
    fn shown_for(&self, id: SampleId, purpose: Purpose) -> SampleId {
        match purpose {
            Purpose::Training { .. } => self.shown(id),
            Purpose::Probe | Purpose::Plain => id,
        }
    }

    /// An unpainted batch, after a check of all ids, and the length of a row.
    fn blank(&self, ids: &[SampleId], views: usize) -> Result<(ViewBatch, usize), DataError> {
        self.data.check(self.split, ids)?;
        let shape = self.views.shape();
        let rows = ids.len() * views;
        let batch = ViewBatch {
            ids: ids.to_vec(),
            weights: vec![1.0; ids.len()],
            views,
            shape: [rows, shape.channels, shape.height, shape.width],
            data: vec![0.0; rows * shape.len()],
        };
        Ok((batch, shape.len()))
    }

    /// Renders `view` of sample `id`, for which `image` is shown.
    fn render_row(
        &self,
        (id, view): (SampleId, usize),
        image: ImageRef<'_>,
        purpose: Purpose,
        scratch: &mut Scratch,
        out: &mut [f32],
    ) {
        let pass = match purpose {
            Purpose::Training { pass, .. } => u64::from(pass),
            Purpose::Probe | Purpose::Plain => 0,
        };
        let key = |stream| {
            // The two splits count their ids from 0 each, and a sample may stand several times in
            // an epoch; the step keeps their views apart.
            let split = u64::from(self.split == Split::HeldOut);
            RandomKey::new(self.views.seed(), stream)
                .step(split + 2 * pass)
                .sample(id.0)
                .view(self.first_view + view as u32)
        };
        match purpose {
            Purpose::Training { epoch, .. } => {
                self.views
                    .render(image, key(Stream::View).epoch(epoch), scratch, out);
            }
            Purpose::Probe => self
                .views
                .render(image, key(Stream::ProbeView), scratch, out),
            Purpose::Plain => self.views.plain(image, scratch, out),
        }
    }
}
