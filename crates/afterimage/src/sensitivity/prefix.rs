//! Embeddings of masked encoders, with what lies before the mask computed once.

use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_hooks::{Fault, SampleId};
use afterimage_model::{AnyEncoder, Encoder as _, Flow, Masks, Taps};
use afterimage_train::{Embeddings, TrainError};
use burn::tensor::Device;
use rayon::prelude::*;

use crate::error::RunError;

/// Images in a forward pass.
const BATCH: usize = 250;
/// Bytes that what flows into a stage may take for all images.
const MOST_BYTES: usize = 2 << 30;

/// The images of a study, as they flow into one stage of its encoder.
///
/// Stages are deterministic and do not see rows of other batches, so that going on from a stage has
/// the bits of starting at the images.
pub(super) struct Prefix<'e> {
    encoder: &'e AnyEncoder,
    /// Units that are pruned already.
    masks: &'e Masks,
    stages: usize,
    batches: Vec<(Arc<ViewSource>, Vec<SampleId>)>,
    device: Device,
    /// The stage that `flows` flow into.
    stage: usize,
    /// What flows into it, by batch; nothing where that is too large: images are rendered anew then.
    flows: Vec<Flow>,
    most_bytes: usize,
}

impl<'e> Prefix<'e> {
    /// The images `ids` of each source, which flow into the first stage.
    pub(super) fn new(
        encoder: &'e AnyEncoder,
        masks: &'e Masks,
        images: &[(Arc<ViewSource>, Vec<SampleId>)],
        device: &Device,
    ) -> Self {
        let batches = images.iter().flat_map(|(source, ids)| {
            let chunks = ids.chunks(BATCH);
            chunks.map(|ids| (Arc::clone(source), ids.to_vec()))
        });
        Self {
            encoder,
            masks,
            stages: encoder.stages().len(),
            batches: batches.collect(),
            device: device.clone(),
            stage: 0,
            flows: Vec::new(),
            most_bytes: MOST_BYTES,
        }
    }

    /// The same with another bound on the memory that is taken.
    #[cfg(test)]
    pub(super) fn within(self, most_bytes: usize) -> Self {
        Self { most_bytes, ..self }
    }

    /// Keeps what flows into `stage`, or into the last stage before it that memory suffices for. Stages
    /// come in ascending order.
    pub(super) fn advance(&mut self, stage: usize) -> Result<(), RunError> {
        if self.flows.is_empty() && self.fits(&self.images(0)?) {
            let images = (0..self.batches.len()).into_par_iter();
            self.flows = images.map(|at| self.images(at)).collect::<Result<_, _>>()?;
        }
        let (mut reached, mut flow) = (self.stage, self.input(0)?);
        for next in self.stage..stage.min(self.stages - 1) {
            flow = self.run(flow, next..next + 1, self.masks)?;
            if self.fits(&flow) {
                reached = next + 1;
            }
        }
        if reached > self.stage {
            let stages = self.stage..reached;
            let on = |at| self.run(self.input(at)?, stages.clone(), self.masks);
            let on: Result<Vec<Flow>, RunError> =
                (0..self.batches.len()).into_par_iter().map(on).collect();
            self.flows = on?;
            self.stage = reached;
        }
        Ok(())
    }

    /// Embeddings of all images, in their order, under `masks`, which differ from the encoder's own at
    /// sites of the stages behind the last [`advance`](Self::advance) alone.
    pub(super) fn embeddings(&self, masks: &Masks) -> Result<Embeddings, RunError> {
        let of = |at: usize| -> Result<(Vec<f32>, usize), RunError> {
            let flow = self.run(self.input(at)?, self.stage..self.stages, masks)?;
            let rows = flow.embeddings()?;
            let width = rows.dims()[1];
            let values = rows.try_into_vec_as::<f32>();
            let values = values.map_err(|error| failed(Fault::new(error.to_string())))?;
            Ok((values, width))
        };
        let batches: Result<Vec<(Vec<f32>, usize)>, RunError> =
            (0..self.batches.len()).into_par_iter().map(of).collect();
        let batches = batches?;
        let width = batches.first().map_or(1, |(_, width)| *width);
        let values = batches.into_iter().flat_map(|(values, _)| values);
        Ok(Embeddings::new(values.collect(), width))
    }

    /// The stage that is gone on from.
    #[cfg(test)]
    pub(super) fn stage(&self) -> usize {
        self.stage
    }

    fn fits(&self, flow: &Flow) -> bool {
        let bytes = size_of::<f32>() * flow.numbers();
        bytes.saturating_mul(self.batches.len()) <= self.most_bytes
    }

    fn input(&self, at: usize) -> Result<Flow, RunError> {
        match self.flows.get(at) {
            Some(flow) => Ok(flow.clone()),
            None => self.images(at),
        }
    }

    fn images(&self, at: usize) -> Result<Flow, RunError> {
        let (source, ids) = &self.batches[at];
        let images = source.plain_batch(ids)?;
        Ok(Flow::Map(images.into_tensor(&self.device).inner()))
    }

    fn run(
        &self,
        mut flow: Flow,
        stages: std::ops::Range<usize>,
        masks: &Masks,
    ) -> Result<Flow, RunError> {
        let mut taps = Taps::none().with_masks(masks);
        for stage in stages {
            flow = self.encoder.stage(stage, flow, &mut taps)?;
        }
        Ok(flow)
    }
}

fn failed(fault: Fault) -> RunError {
    TrainError::Evaluation(fault).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_data::{DataSource, Limits, ViewConfig};
    use afterimage_hooks::Split;
    use afterimage_model::{EncoderConfig, EncoderView, ResNet9Config, VitConfig, evaluation};
    use afterimage_train::embed;

    use super::*;
    use crate::prepared::plain_views;

    /// A few images more than a batch.
    const IMAGES: usize = 270;

    fn source() -> Arc<ViewSource> {
        let limits = Limits {
            train: Some(IMAGES),
            held_out: Some(10),
        };
        let data = DataSource::Embedded {}.load(limits).unwrap();
        let views = plain_views(&ViewConfig::default(), data.train.shape(), 1).unwrap();
        Arc::new(ViewSource::new(Arc::new(data), Split::Train, views))
    }

    fn encoders(device: &Device) -> Vec<AnyEncoder> {
        let configs = [
            EncoderConfig::ResNet9(ResNet9Config {
                width: 0.125,
                ..ResNet9Config::default()
            }),
            EncoderConfig::Vit(VitConfig {
                depth: 1,
                patch: 7,
                ..VitConfig::default()
            }),
        ];
        let made = configs.map(|config| config.for_images(1, 28).init(3, device).unwrap());
        made.iter().map(evaluation).collect()
    }

    fn bits(rows: &Embeddings) -> Vec<u32> {
        rows.values().iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn going_on_from_a_stage_has_the_bits_of_the_whole_pass_on_any_number_of_threads() {
        let (device, source) = (Device::flex(), source());
        let ids: Vec<SampleId> = (0..IMAGES as u32).map(SampleId).collect();
        for encoder in encoders(&device) {
            let mut pruned = Masks::none();
            let sites = encoder.sites();
            pruned.prune(&sites[0], &[1]).unwrap();
            let images = [(Arc::clone(&source), ids.clone())];
            let stages = encoder.stages();
            let kept = [usize::MAX, 0, 1 << 19];
            let mut prefixes =
                kept.map(|bytes| Prefix::new(&encoder, &pruned, &images, &device).within(bytes));
            for (stage, names) in stages.iter().enumerate() {
                let site = sites.iter().find(|site| site.name == names[0]).unwrap();
                let mut masks = pruned.clone();
                masks.prune(site, &[0, 2]).unwrap();
                let view = EncoderView::new(&encoder, &masks);
                let whole = embed(&view, &source, &ids, BATCH, &device).unwrap();
                for prefix in &mut prefixes {
                    prefix.advance(stage).unwrap();
                    let rows = prefix.embeddings(&masks).unwrap();
                    assert_eq!(bits(&rows), bits(&whole), "{}", site.name);
                }
                let one = rayon::ThreadPoolBuilder::new()
                    .num_threads(1)
                    .build()
                    .unwrap();
                let alone = one.install(|| prefixes[0].embeddings(&masks)).unwrap();
                assert_eq!(bits(&alone), bits(&whole));
            }
            assert_eq!(prefixes[0].stage(), stages.len() - 1);
            assert_eq!(prefixes[1].stage(), 0, "nothing is kept in no memory");
        }
    }
}
