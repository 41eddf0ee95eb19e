//! State of objectives that no gradient moves.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{
    Content, Devices, Module, ModuleDisplay, ModuleDisplayDefault, ModuleMapper, ModuleVisitor,
    Param, ParamId,
};
use burn::tensor::{Device, Tensor};

use crate::shards::Shard;

/// A parameter that is in records and that nothing trains.
pub(crate) fn untrained<const D: usize>(value: Tensor<D>) -> Param<Tensor<D>> {
    Param::initialized(ParamId::new(), value.set_require_grad(false))
}

/// Steps of the schedule that are done, as the learning rate counts them; in records, for schedules of an
/// objective's own. In an epoch over all samples each optimizer step is one.
#[derive(Module, Debug)]
pub(crate) struct Steps {
    /// `[1]`; single precision counts to 2²⁴ = 16.7 million.
    done: Param<Tensor<1>>,
    /// Steps of the schedule that the step under way stands for.
    pace: Carried<u64>,
}

impl Steps {
    pub(crate) fn new(device: &Device) -> Self {
        Self {
            done: untrained(Tensor::zeros([1], device)),
            pace: Carried::default(),
        }
    }

    fn done(&self) -> u64 {
        self.done.val().into_scalar::<f32>() as u64
    }

    /// Begins the step of a batch that stands for `pace` steps of the schedule, which [`advanced`](Self::advanced)
    /// ends. Gives the step of the schedule, from 0: the last of these, so that the last step of a run is at the
    /// end of the schedule whoever makes its epochs shorter.
    pub(crate) fn begin(&self, pace: u64) -> u64 {
        self.pace.put(pace);
        self.done() + pace.max(1) - 1
    }

    /// The step of the schedule under way, and the steps behind it.
    pub(crate) fn advanced(self) -> (u64, Self) {
        let pace = self.pace.take().unwrap_or(1).max(1);
        let step = self.done() + pace - 1;
        let done = self.done.map(|done| done.add_scalar(pace as f64));
        let pace = self.pace;
        (step, Self { done, pace })
    }
}

/// What a forward pass leaves for the update after the optimizer step.
///
/// Clones share it, since the loop runs the forward pass on a clone; copies by `valid` do not. It is
/// empty between steps, and so in no record.
#[derive(Debug, Clone)]
pub(crate) struct Carried<T>(Arc<Mutex<Option<T>>>);

impl<T> Default for Carried<T> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(None)))
    }
}

impl<T> Carried<T> {
    pub(crate) fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// The same for a value of each shard of the step's batch, by its number.
pub(crate) type Gathered<T> = Carried<BTreeMap<usize, T>>;

impl<T> Gathered<T> {
    /// Keeps the value of a shard, in place of an earlier pass's.
    pub(crate) fn put_of(&self, shard: Shard, value: T) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_default().insert(shard.index, value);
    }

    /// The value of a shard, if it had a forward pass.
    pub(crate) fn of(&self, shard: Shard) -> Option<T>
    where
        T: Clone,
    {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref()?.get(&shard.index).cloned()
    }

    /// The values in the order of the shards; none if there was no forward pass.
    pub(crate) fn take_all(&self) -> Option<Vec<T>> {
        Some(self.take()?.into_values().collect())
    }
}

impl<T: Clone + std::fmt::Debug + Send + 'static> Module for Carried<T> {
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

impl<T: Clone + std::fmt::Debug + Send + 'static> ModuleDisplayDefault for Carried<T> {
    fn content(&self, content: Content) -> Option<Content> {
        content.optional()
    }
}

impl<T: Clone + std::fmt::Debug + Send + 'static> ModuleDisplay for Carried<T> {}
