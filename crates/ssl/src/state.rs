//! State of objectives that no gradient moves.

use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param, ParamId,
};
use burn::tensor::{Device, Tensor};

/// A parameter that is in records and that nothing trains.
pub(crate) fn untrained<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value.set_require_grad(false))
}

/// Number of optimizer steps done; in records, for schedules of an objective's own.
#[derive(Module, Debug)]
pub(crate) struct Steps {
    /// `[1]`; single precision counts to 2²⁴ = 16.7 million.
    done: Param<Tensor<1>>,
}

impl Steps {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            done: untrained(Tensor::zeros([1], device)),
        }
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.val().into_scalar::<f32>() as u64
    }

    pub(crate) fn advanced(self) -> Self {
        Self {
            done: self.done.map(|done| done.add_scalar(1.0)),
        }
    }
}

/// What a forward pass leaves for the update after the optimizer step.
///
/// Clones share it, since the loop runs the forward pass on a clone; copies by `valid` do not. It is
/// empty between steps, and so in no record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried(Arc<Mutex<Option<Tensor<2>>>>);

impl Carried {
    pub(crate) fn put(&self, value: Tensor<2>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    pub(crate) fn take(&self) -> Option<Tensor<2>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Module for Carried {
    fn collect_devices(&self, devices: Devices) -> Devices {
        devices
    }

    fn fork(self, _device: &Device) -> Self {
        Self::default()
    }

    fn to_device(self, _device: &Device) -> Self {
        Self::default()
    }

    fn train(self) -> Self {
        Self::default()
    }

    fn valid(&self) -> Self {
        Self::default()
    }

    fn materialize(self) -> Self {
        self
    }

    fn visit<Visitor: ModuleVisitor>(&self, _visitor: &mut Visitor) {}

    fn map<Mapper: ModuleMapper>(self, _mapper: &mut Mapper) -> Self {
        self
    }
}

impl ModuleDisplayDefault for Carried {
    fn content(&self, content: Content) -> Option<Content> {
        content.optional()
    }
}

impl ModuleDisplay for Carried {}
