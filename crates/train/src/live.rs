//! The model as plugins see it: a merged evaluation copy, made when first asked for.

use std::cell::OnceCell;

use afterimage_hooks::{Fault, ModelView, Observation, Site, TapPlan};
use afterimage_model::Masks;
use burn::tensor::Tensor;

use crate::driver::Driver;

/// A view of the training model in evaluation mode.
pub(crate) struct LiveModel<'a, M> {
    pub(crate) driver: &'a dyn Driver<M>,
    pub(crate) sites: &'a [Site],
    pub(crate) masks: &'a Masks,
    pub(crate) model: M,
    evaluation: OnceCell<M>,
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
            evaluation: OnceCell::new(),
        }
    }
}

impl<M: burn::module::Module> ModelView for LiveModel<'_, M> {
    fn sites(&self) -> &[Site] {
        self.sites
    }

    fn observe(&self, images: Tensor<4>, taps: &TapPlan) -> Result<Observation, Fault> {
        let evaluation = self.evaluation.get_or_init(|| self.model.valid());
        self.driver.observe(evaluation, images, taps, self.masks)
    }
}
