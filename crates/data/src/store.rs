//! Pictures and probe views for plugins.

use std::sync::Arc;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{Fault, LabelAccess, Labels, SampleId, Samples, Split, TruthAccess};
use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;

use crate::dataset::DataSet;
use crate::picture::Image;
use crate::view::{Scratch, Views};

/// Shows a data set to plugins: pictures as stored, and probe views on a device.
#[derive(Debug, Clone)]
pub struct SampleStore {
    data: Arc<DataSet>,
    views: Views,
    device: Device,
}

impl SampleStore {
    /// Shows `data`; probe views are made by `views` and put on `device`.
    pub fn new(data: Arc<DataSet>, views: Views, device: Device) -> Self {
        Self {
            data,
            views,
            device,
        }
    }

    /// The data set.
    pub fn data(&self) -> &Arc<DataSet> {
        &self.data
    }

    fn images(&self, split: Split, ids: &[SampleId]) -> Result<Vec<Image<'_>>, Fault> {
        self.data
            .images(split, ids)
            .map_err(|e| Fault::caused_by("views for a probe cannot be made", e))
    }

    fn tensor(&self, data: Vec<f32>, rows: usize) -> Tensor<4> {
        let shape = self.views.shape();
        let shape = [rows, shape.channels, shape.height, shape.width];
        Tensor::from_data(TensorData::new(data, shape), &self.device)
    }
}

impl Samples for SampleStore {
    fn len(&self, split: Split) -> usize {
        self.data.split(split).len()
    }

    fn probe_views(
        &self,
        split: Split,
        ids: &[SampleId],
        views: usize,
    ) -> Result<Tensor<4>, Fault> {
        let images = self.images(split, ids)?;
        let shape = self.views.shape();
        let mut data = vec![0.0f32; ids.len() * views * shape.len()];
        // As in `ViewSource::probe_batch`: the step keeps the ids of the two splits apart.
        let key = RandomKey::new(self.views.seed(), Stream::ProbeView)
            .step(u64::from(split == Split::HeldOut));
        data.par_chunks_exact_mut(shape.len())
            .enumerate()
            .for_each_init(Scratch::default, |scratch, (row, out)| {
                let (at, view) = (row / views, row % views);
                let key = key.sample(ids[at].0).view(view as u32);
                self.views.render(images[at].view(), key, scratch, out);
            });
        Ok(self.tensor(data, ids.len() * views))
    }

    fn originals(&self, split: Split, ids: &[SampleId]) -> Result<Tensor<4>, Fault> {
        let images = self.images(split, ids)?;
        let pixels = self.views.shape().len();
        let mut data = vec![0.0f32; ids.len() * pixels];
        data.par_chunks_exact_mut(pixels).zip(images).for_each_init(
            Scratch::default,
            |scratch, (out, image)| {
                self.views.plain(image.view(), scratch, out);
            },
        );
        Ok(self.tensor(data, ids.len()))
    }

    fn picture(&self, split: Split, id: SampleId) -> Result<(u32, u32, Vec<u8>), Fault> {
        let fault = |e| Fault::caused_by("the picture cannot be shown", e);
        self.data.check(split, &[id]).map_err(fault)?;
        let images = self.data.split(split);
        let shape = images.shape();
        let rgb = images.picture(id).map_err(fault)?;
        Ok((shape.width as u32, shape.height as u32, rgb))
    }

    fn name(&self, split: Split, id: SampleId) -> Option<String> {
        let name = self.data.split(split).name(id)?;
        Some(name.to_string())
    }

    fn labels(&self, split: Split, _access: &LabelAccess) -> Result<Labels<'_>, Fault> {
        let images = self.data.split(split);
        Ok(Labels {
            of_samples: images.labels(),
            classes: images.classes(),
        })
    }

    fn true_labels(&self, split: Split, _access: &TruthAccess) -> Result<Labels<'_>, Fault> {
        let images = self.data.split(split);
        Ok(Labels {
            of_samples: images.true_labels(),
            classes: images.classes(),
        })
    }

    fn augmented(
        &self,
        split: Split,
        ids: &[SampleId],
        key: RandomKey,
    ) -> Result<Tensor<4>, Fault> {
        let images = self.images(split, ids)?;
        let pixels = self.views.shape().len();
        let mut data = vec![0.0f32; ids.len() * pixels];
        data.par_chunks_exact_mut(pixels).enumerate().for_each_init(
            Scratch::default,
            |scratch, (row, out)| {
                let key = key.sample(ids[row].0);
                self.views.render(images[row].view(), key, scratch, out);
            },
        );
        Ok(self.tensor(data, ids.len()))
    }
}
