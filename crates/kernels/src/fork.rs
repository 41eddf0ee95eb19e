//! One tensor for two readers, whose gradients are added up by a kernel.
//!
//! burn-autodiff adds the second gradient of a tensor to the first by the backend's own sum, which
//! walks feature maps of this crate's layout element by element on one thread. Here the readers'
//! gradients are parked, and the step of the tensor that was forked, which comes after those of all
//! its readers, adds them.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, backend_extension};

use crate::cpu::channels_last::{channels_last, contiguous, pooled, sizes, tensor};
use crate::cpu::rows;

/// Forking for backends with kernels of this crate.
#[backend_extension(Flex, Autodiff)]
pub trait ForkOps: Backend {
    /// The tensor twice, `[B, C, H, W]` or `[B, T, C]`.
    fn kernel_fork(input: FloatTensor<Self>) -> (FloatTensor<Self>, FloatTensor<Self>);
}

impl ForkOps for Flex {
    fn kernel_fork(input: FlexTensor) -> (FlexTensor, FlexTensor) {
        (input.clone(), input)
    }
}

/// The gradients of the readers that have had theirs.
type Parked = Arc<Mutex<Vec<FlexTensor>>>;

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> ForkOps for Autodiff<Flex, C> {
    fn kernel_fork(input: Tracked<C>) -> (Tracked<C>, Tracked<C>) {
        let prepared = Join.prepare::<C>([input.node()]).compute_bound().stateful();
        let value = input.into_primitive();
        match prepared {
            OpsKind::Tracked(prep) => {
                let parked = Parked::default();
                let joined: Tracked<C> = prep.finish(Arc::clone(&parked), value);
                (
                    branch::<C>(joined.clone(), Arc::clone(&parked)),
                    branch::<C>(joined, parked),
                )
            }
            OpsKind::UnTracked(prep) => {
                let joined: Tracked<C> = prep.finish(value);
                (joined.clone(), joined)
            }
        }
    }
}

fn branch<C: CheckpointStrategy>(joined: Tracked<C>, parked: Parked) -> Tracked<C> {
    let prepared = Park
        .prepare::<C>([joined.node()])
        .compute_bound()
        .stateful();
    let value = joined.into_primitive();
    match prepared {
        OpsKind::Tracked(prep) => prep.finish(parked, value),
        OpsKind::UnTracked(prep) => prep.finish(value),
    }
}

/// The step of a reader.
#[derive(Debug)]
struct Park;

impl Backward<Flex, 1> for Park {
    type State = Parked;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let errors = grads.consume::<Flex>(&ops.node);
        lock(&ops.state).push(errors);
    }
}

/// The step of the tensor that was forked: burn-autodiff takes a step after all that come behind it.
#[derive(Debug)]
struct Join;

impl Backward<Flex, 1> for Join {
    type State = Parked;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = lock(&ops.state)
            .drain(..)
            .reduce(|sum, next| add(&sum, &next));
        let [node] = ops.parents;
        if let (Some(node), Some(gradient)) = (node, gradient) {
            grads.register::<Flex>(node.id, gradient);
        }
    }
}

fn lock(parked: &Parked) -> std::sync::MutexGuard<'_, Vec<FlexTensor>> {
    // Nobody can leave the list half written.
    parked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The sum of two gradients of one shape, in the layout of their rank.
fn add(left: &FlexTensor, right: &FlexTensor) -> FlexTensor {
    let shape = left.layout().shape().clone();
    if shape.len() == 4 {
        let sum = rows::add(&channels_last(left), &channels_last(right), false);
        tensor(sum, sizes(left))
    } else {
        pooled(
            rows::add(&contiguous(left), &contiguous(right), false),
            shape,
        )
    }
}
