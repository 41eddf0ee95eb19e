//! Mixup in the training step.

use std::collections::BTreeMap;

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{BatchReadyCx, Fault, LossReadyCx, SampleId, Split};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor, TensorData};

use super::Coreset;
use super::choices::Mixup;
use super::mix;

/// A batch whose pictures were mixed.
#[derive(Debug)]
pub(super) struct Mixed {
    /// The part of the sample's own label `[B]`; 1 where its partner has the same.
    own: Vec<f32>,
    /// Labels of the partners `[B]`.
    labels: Vec<u32>,
}

impl Coreset {
    /// Mixes the pictures of a batch; before the first coreset nothing is mixed.
    pub(super) fn mix(&mut self, cx: &mut BatchReadyCx<'_>) -> Result<(), Fault> {
        self.mixed = None;
        if self.kept.current.is_none() {
            return Ok(());
        }
        let (Some(samples), Some(views)) = (cx.samples, cx.views()) else {
            return Err(Fault::new(
                "mixup needs views and samples, which this model's host does not show; set \
                 `mixup = \"none\"`",
            ));
        };
        let [rows, ..] = views.dims();
        if rows != cx.ids.len() {
            return Err(Fault::new(
                "mixup is for objectives of one view a sample; set `mixup = \"none\"`",
            ));
        }
        let access = cx.label_access()?;
        let labels = samples.labels(Split::Train, &access)?.of_samples;
        let ids: Vec<u32> = cx.ids.iter().map(|id| id.0).collect();
        let clock = cx.clock();
        // The context's key tells plugins apart by the sample; here samples have their own numbers.
        let key = RandomKey::new(cx.random().bits(), Stream::Plugin)
            .epoch(clock.epoch)
            .step(clock.step);
        if self.config.mixup == Mixup::Label && self.pooled != Some(clock.epoch) {
            self.pools = mix::by_label(labels);
            self.pooled = Some(clock.epoch);
        }
        let mix::Mix { partners, lambda } = mix::draw(
            self.config.mixup,
            &ids,
            labels,
            &self.pools,
            self.config.beta,
            key,
        );
        let of = |id: &u32| labels.get(*id as usize).copied().unwrap_or_default();
        let own = ids.iter().zip(&partners).zip(&lambda);
        let own = own.map(|((id, partner), l)| if of(id) == of(partner) { 1.0 } else { *l });
        self.mixed = Some(Mixed {
            own: own.collect(),
            labels: partners.iter().map(of).collect(),
        });
        let partners: Vec<SampleId> = partners.into_iter().map(SampleId).collect();
        let others = samples.augmented(Split::Train, &partners, key)?;
        let device = views.device();
        let others = Tensor::<4>::from_data(others.into_data(), &device);
        let lambda = Tensor::<4>::from_data(TensorData::new(lambda, [rows, 1, 1, 1]), &device);
        let mixed = views.clone() * lambda.clone() + others * (lambda.neg() + 1.0);
        cx.set_views(mixed)
    }

    /// Mixes the labels of a batch as its pictures were, where they differ.
    pub(super) fn mix_labels(&mut self, cx: &mut LossReadyCx<'_>) -> Result<(), Fault> {
        let Some(Mixed { own, labels }) = &self.mixed else {
            return Ok(());
        };
        if own.iter().all(|own| *own == 1.0) {
            return Ok(());
        }
        let logits = cx.logits.ok_or_else(|| {
            Fault::new("labels are mixed by the scores of classes, which this objective has not")
        })?;
        let [rows, _] = logits.dims();
        let device = logits.device();
        let weights: BTreeMap<u32, f32> = match &self.kept.current {
            Some(current) => current
                .ids
                .iter()
                .copied()
                .zip(current.weights.iter().copied())
                .collect(),
            None => BTreeMap::new(),
        };
        let rest: Vec<f32> = cx
            .ids
            .iter()
            .zip(own)
            .map(|(id, own)| (1.0 - own) * weights.get(&id.0).copied().unwrap_or(1.0))
            .collect();
        let labels: Vec<i64> = labels.iter().map(|label| i64::from(*label)).collect();
        let labels = Tensor::<2, Int>::from_data(TensorData::new(labels, [rows, 1]), &device);
        let other = log_softmax(logits.clone(), 1)
            .gather(1, labels)
            .reshape([rows])
            .neg();
        let rest = Tensor::<1>::from_data(TensorData::new(rest, [rows]), &device);
        let own = Tensor::<1>::from_data(TensorData::new(own.clone(), [rows]), &device);
        let term = (other * rest).mean();
        cx.scale_loss(own)?;
        cx.add_term("mixed labels", term)
    }
}
