//! An encoder as plugins see it.

use afterimage_hooks::{Fault, ModelView, Observation, Site, Structure, TapPlan, UnitParameters};
use burn::tensor::Tensor;

use crate::compact::structure;
use crate::{Encoder, Masks, ParameterInfo, Taps, evaluation, parameters, unit_parameters};

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

    fn structure(&self) -> Option<Structure> {
        let named = parameters(&self.encoder)
            .into_iter()
            .map(|info| ParameterInfo {
                path: format!("encoder.{}", info.path),
                ..info
            });
        let named: Vec<ParameterInfo> = named.collect();
        Some(structure(&self.encoder.groups(), &named, &[]))
    }

    fn unit_parameters(&self, site: &str) -> Result<Option<UnitParameters>, Fault> {
        match self.sites.iter().find(|known| known.name == site) {
            Some(site) => unit_parameters(&self.encoder, "", "encoder.", site),
            None => Ok(None),
        }
    }

    fn masked(&self, site: &str) -> Option<Vec<bool>> {
        let kept = self.masks.get(site)?;
        Some(kept.iter().map(|kept| !kept).collect())
    }
}
