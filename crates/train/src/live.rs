//! The model as plugins see it: a merged evaluation copy, made when first asked for.

use std::cell::OnceCell;

use afterimage_hooks::{Classifier, Fault, ModelView, Observation, Site, TapPlan};
use afterimage_model::Masks;
use burn::tensor::Tensor;

use crate::driver::{Driver, Who};

/// A view of the training model in evaluation mode.
pub(crate) struct LiveModel<'a, M> {
    pub(crate) driver: &'a dyn Driver<M>,
    pub(crate) sites: &'a [Site],
    pub(crate) masks: &'a Masks,
    pub(crate) model: M,
    who: Who,
    evaluation: OnceCell<M>,
    reference: OnceCell<Box<LiveModel<'a, M>>>,
}

impl<'a, M> LiveModel<'a, M> {
    pub(crate) fn new(
        driver: &'a dyn Driver<M>,
        sites: &'a [Site],
        masks: &'a Masks,
        model: M,
    ) -> Self {
        Self {
            driver,
            sites,
            masks,
            model,
            who: Who::Studied,
            evaluation: OnceCell::new(),
            reference: OnceCell::new(),
        }
    }
}

impl<M: burn::module::Module> ModelView for LiveModel<'_, M> {
    fn sites(&self) -> &[Site] {
        self.sites
    }

    fn observe(&self, images: Tensor<4>, taps: &TapPlan) -> Result<Observation, Fault> {
        let evaluation = self.evaluation.get_or_init(|| self.model.valid());
        self.driver
            .observe(evaluation, self.who, images, taps, self.masks)
    }

    fn classifier(&self) -> Result<Option<Classifier>, Fault> {
        self.driver.classifier(&self.model)
    }

    fn reference(&self) -> Option<&dyn ModelView> {
        if self.who == Who::Reference || !self.driver.has_reference(&self.model) {
            return None;
        }
        let reference = self.reference.get_or_init(|| {
            let model = self.model.clone();
            Box::new(Self {
                who: Who::Reference,
                ..Self::new(self.driver, self.sites, self.masks, model)
            })
        });
        Some(reference.as_ref())
    }
}
