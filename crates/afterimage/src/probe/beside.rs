//! An encoder with a reference beside it.

use afterimage_hooks::{Fault, ModelView, Observation, Site, TapPlan};
use afterimage_model::{AnyEncoder, EncoderView, Masks};
use burn::tensor::Tensor;

/// An encoder and, where there is one, its reference, as plugins see them.
pub(crate) struct Beside {
    studied: EncoderView<AnyEncoder>,
    reference: Option<EncoderView<AnyEncoder>>,
}

impl Beside {
    /// The view of `studied`, whose units are masked by `masks`, beside `reference` with its masks.
    pub(super) fn new(
        studied: &AnyEncoder,
        masks: &Masks,
        reference: Option<(&AnyEncoder, &Masks)>,
    ) -> Self {
        Self {
            studied: EncoderView::new(studied, masks),
            reference: reference.map(|(encoder, masks)| EncoderView::new(encoder, masks)),
        }
    }
}

impl ModelView for Beside {
    fn sites(&self) -> &[Site] {
        self.studied.sites()
    }

    fn observe(&self, images: Tensor<4>, taps: &TapPlan) -> Result<Observation, Fault> {
        self.studied.observe(images, taps)
    }

    fn reference(&self) -> Option<&dyn ModelView> {
        self.reference.as_ref().map(|view| view as &dyn ModelView)
    }
}
