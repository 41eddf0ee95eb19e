//! The model as plugins see it: a merged evaluation copy, made when first asked for.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use afterimage_hooks::{
    Classifier, Fault, ModelView, Observation, Peers, Site, Structure, TapPlan, UnitParameters,
};
use afterimage_model::{Masks, unit_parameters, values};
use burn::tensor::Tensor;

use crate::driver::{Driver, Who};
use crate::latency;
use crate::processes::Group;

/// A view of the training model in evaluation mode.
pub(crate) struct LiveModel<'a, M> {
    pub(crate) driver: &'a dyn Driver<M>,
    pub(crate) sites: &'a [Site],
    pub(crate) masks: &'a Masks,
    pub(crate) model: M,
    /// Height and width of the images, where they are known.
    sides: Option<[usize; 2]>,
    group: &'a Group,
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
        sides: Option<[usize; 2]>,
        group: &'a Group,
    ) -> Self {
        Self {
            driver,
            sites,
            masks,
            model,
            sides,
            group,
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

    fn structure(&self) -> Option<Structure> {
        Some(self.driver.structure(&self.model, self.sides))
    }

    fn unit_parameters(&self, site: &str) -> Result<Option<UnitParameters>, Fault> {
        let place = match self.who {
            Who::Studied => "encoder.",
            Who::Reference => "reference.encoder.",
        };
        match self.sites.iter().find(|known| known.name == site) {
            Some(site) => unit_parameters(&self.model, place, "encoder.", site),
            None => Ok(None),
        }
    }

    fn values(&self) -> Vec<(String, Tensor<1>)> {
        values(&self.model, |_, trained| trained)
    }

    fn masked(&self, site: &str) -> Option<Vec<bool>> {
        let kept = self.masks.get(site)?;
        Some(kept.iter().map(|kept| !kept).collect())
    }

    fn latency(
        &self,
        gone: &BTreeMap<String, Vec<usize>>,
        images: Tensor<4>,
        repeats: usize,
    ) -> Result<Option<f64>, Fault> {
        latency::without(self, gone, &images, repeats)
    }

    fn peers(&self) -> Option<&dyn Peers> {
        (!self.group.is_alone()).then_some(self.group)
    }

    fn reference(&self) -> Option<&dyn ModelView> {
        if self.who == Who::Reference || !self.driver.has_reference(&self.model) {
            return None;
        }
        let reference = self.reference.get_or_init(|| {
            let model = self.model.clone();
            let (sides, group) = (self.sides, self.group);
            Box::new(Self {
                who: Who::Reference,
                ..Self::new(self.driver, self.sites, self.masks, model, sides, group)
            })
        });
        Some(reference.as_ref())
    }
}
