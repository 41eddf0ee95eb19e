//! An encoder as plugins see it.

use afterimage_hooks::{Fault, ModelView, Observation, Site, TapPlan};
use burn::tensor::Tensor;

use crate::{Encoder, Masks, Taps, evaluation};

/// An encoder in evaluation mode with its sites and masks.
#[derive(Debug, Clone)]
pub struct EncoderView<E: Encoder> {
    encoder: E,
    sites: Vec<Site>,
    masks: Masks,
}

impl<E: Encoder> EncoderView<E> {
    /// The view of `encoder` as it is now; training it further does not change the view.
    pub fn new(encoder: &E, masks: &Masks) -> Self {
        Self {
            encoder: evaluation(encoder),
            sites: encoder.sites(),
            masks: masks.clone(),
        }
    }
}

impl<E: Encoder> ModelView for EncoderView<E> {
    fn sites(&self) -> &[Site] {
        &self.sites
    }

    fn observe(&self, images: Tensor<4>, plan: &TapPlan) -> Result<Observation, Fault> {
        let mut taps = Taps::new(plan).with_masks(&self.masks);
        let embeddings = self.encoder.encode(images.inner(), &mut taps);
        Ok(Observation {
            embeddings,
            logits: None,
            readings: taps.into_readings(),
        })
    }
}
