//! The backward steps of the operations in burn-autodiff.

use std::sync::Arc;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::ops::ActivationOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::tensor::ops::ConvOptions;

use crate::Convolution;
use crate::cpu::channels_last::{channels_last, contiguous, plain, pooled, sizes, tensor};
use crate::cpu::convolution::{input_gradient, weight_gradient};
use crate::cpu::norm::{self, Normalized};
use crate::cpu::pool::{Windows, max_pool, max_pool_gradient};
use crate::cpu::{Buffer, rows};
use crate::extension::{KernelOps, geometry, windows};

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> KernelOps for Autodiff<Flex, C> {
    fn kernel_conv2d(
        input: Tracked<C>,
        weight: Tracked<C>,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> Tracked<C> {
        let prepared = Convolve
            .prepare::<C>([input.node(), weight.node()])
            .compute_bound()
            .stateful();
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = ConvolveState {
                    input: prep.checkpoint(&input),
                    weight: prep.checkpoint(&weight),
                    options: options.clone(),
                    convolution,
                };
                let (input, weight) = (input.into_primitive(), weight.into_primitive());
                prep.finish(
                    state,
                    Flex::kernel_conv2d(input, weight, options, convolution),
                )
            }
            OpsKind::UnTracked(prep) => {
                let (input, weight) = (input.into_primitive(), weight.into_primitive());
                prep.finish(Flex::kernel_conv2d(input, weight, options, convolution))
            }
        }
    }

    fn kernel_conv2d_bias(
        input: Tracked<C>,
        weight: Tracked<C>,
        bias: Tracked<C>,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> Tracked<C> {
        let prepared = Convolve
            .prepare::<C>([input.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let forward = |input: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>, options| {
            Flex::kernel_conv2d_bias(
                input.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
                options,
                convolution,
            )
        };
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = ConvolveState {
                    input: prep.checkpoint(&input),
                    weight: prep.checkpoint(&weight),
                    options: options.clone(),
                    convolution,
                };
                prep.finish(state, forward(input, weight, bias, options))
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(input, weight, bias, options)),
        }
    }

    fn kernel_conv2d_bias_relu(
        input: Tracked<C>,
        weight: Tracked<C>,
        bias: Tracked<C>,
        options: ConvOptions<2>,
        convolution: Convolution,
    ) -> Tracked<C> {
        Self::relu(Self::kernel_conv2d_bias(
            input,
            weight,
            bias,
            options,
            convolution,
        ))
    }

    fn kernel_norm_train(
        input: Tracked<C>,
        gamma: Tracked<C>,
        beta: Tracked<C>,
        epsilon: f64,
        relu: bool,
    ) -> (Tracked<C>, Tracked<C>, Tracked<C>) {
        let prepared = Norm
            .prepare::<C>([input.node(), gamma.node(), beta.node()])
            .compute_bound()
            .stateful();
        let forward = |input: Tracked<C>, gamma, beta| {
            Flex::kernel_norm_train(input.into_primitive(), gamma, beta, epsilon, relu)
        };
        let (gamma, beta) = (gamma.into_primitive(), beta.into_primitive());
        let (output, mean, variance) = match prepared {
            OpsKind::Tracked(mut prep) => {
                let checkpoint = prep.checkpoint(&input);
                let (output, mean, variance) = forward(input, gamma.clone(), beta.clone());
                let forward = Normalized {
                    mean: contiguous(&mean).into_owned(),
                    variance: contiguous(&variance).into_owned(),
                    gamma: contiguous(&gamma).into_owned(),
                    beta: contiguous(&beta).into_owned(),
                    epsilon,
                    relu,
                };
                (prep.finish((checkpoint, forward), output), mean, variance)
            }
            OpsKind::UnTracked(prep) => {
                let (output, mean, variance) = forward(input, gamma, beta);
                (prep.finish(output), mean, variance)
            }
        };
        (
            output,
            FloatTensor::<Self>::new(mean),
            FloatTensor::<Self>::new(variance),
        )
    }

    fn kernel_max_pool(input: Tracked<C>, window: [usize; 2]) -> Tracked<C> {
        let prepared = Pool.prepare::<C>([input.node()]).compute_bound().stateful();
        let input = input.into_primitive();
        let (windows, shape) = windows(&input, window);
        let (maxima, winners) = max_pool(&channels_last(&input), windows);
        let output = tensor(maxima, shape);
        match prepared {
            OpsKind::Tracked(prep) => {
                let state = PoolState {
                    winners: Arc::new(winners),
                    windows,
                    shape: sizes(&input),
                };
                prep.finish(state, output)
            }
            OpsKind::UnTracked(prep) => prep.finish(output),
        }
    }

    fn kernel_add(left: Tracked<C>, right: Tracked<C>, relu: bool) -> Tracked<C> {
        let prepared = Add
            .prepare::<C>([left.node(), right.node()])
            .compute_bound()
            .stateful();
        let sum = Flex::kernel_add(left.into_primitive(), right.into_primitive(), relu);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(relu.then(|| sum.clone()), sum),
            OpsKind::UnTracked(prep) => prep.finish(sum),
        }
    }

    fn kernel_space_mean(input: Tracked<C>) -> Tracked<C> {
        let prepared = SpaceMean
            .prepare::<C>([input.node()])
            .compute_bound()
            .stateful();
        let input = input.into_primitive();
        let shape = sizes(&input);
        let means = Flex::kernel_space_mean(input);
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(shape, means),
            OpsKind::UnTracked(prep) => prep.finish(means),
        }
    }
}

#[derive(Debug)]
struct Convolve;

#[derive(Debug, Clone)]
struct ConvolveState {
    input: NodeId,
    weight: NodeId,
    options: ConvOptions<2>,
    convolution: Convolution,
}

/// With two parents (input, weight) or three (and bias).
impl<const N: usize> Backward<Flex, N> for Convolve {
    type State = ConvolveState;

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let errors = grads.consume::<Flex>(&ops.node);
        let state = ops.state;
        let input = checkpointer.retrieve_node_output::<FlexTensor>(state.input);
        let weight = checkpointer.retrieve_node_output::<FlexTensor>(state.weight);
        let geometry = geometry(&input, &weight, &state.options);
        let errors = channels_last(&errors);
        if let Some(Some(node)) = ops.parents.first() {
            let weight = contiguous(&weight);
            let gradient = input_gradient(&errors, &weight, &geometry, state.convolution);
            grads.register::<Flex>(node.id, tensor(gradient, sizes(&input)));
        }
        if let Some(Some(node)) = ops.parents.get(1) {
            let input = channels_last(&input);
            let gradient = weight_gradient(&input, &errors, &geometry, state.convolution);
            grads.register::<Flex>(node.id, pooled(gradient, sizes(&weight)));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let gradient = rows::sums(&errors, geometry.outputs);
            grads.register::<Flex>(node.id, plain(gradient, [geometry.outputs]));
        }
    }
}

#[derive(Debug)]
struct Norm;

impl Backward<Flex, 3> for Norm {
    type State = (NodeId, Normalized);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let errors = grads.consume::<Flex>(&ops.node);
        let (input, forward) = ops.state;
        let input = checkpointer.retrieve_node_output::<FlexTensor>(input);
        let channels = forward.mean.len();
        let gradient = norm::gradient(&channels_last(&input), &channels_last(&errors), &forward);
        let gradients = [
            tensor(gradient.input, sizes(&input)),
            plain(gradient.gamma, [channels]),
            plain(gradient.beta, [channels]),
        ];
        register(
            grads,
            ops.parents.map(|node| node.map(|node| node.id)),
            gradients,
        );
    }
}

/// Hands their gradients to the parents that are tracked.
pub(crate) fn register<const N: usize>(
    grads: &mut Gradients,
    parents: [Option<NodeId>; N],
    gradients: [FlexTensor; N],
) {
    for (parent, gradient) in parents.into_iter().zip(gradients) {
        if let Some(id) = parent {
            grads.register::<Flex>(id, gradient);
        }
    }
}

#[derive(Debug)]
struct Pool;

#[derive(Debug, Clone)]
struct PoolState {
    winners: Arc<Buffer>,
    windows: Windows,
    shape: [usize; 4],
}

impl Backward<Flex, 1> for Pool {
    type State = PoolState;

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let errors = grads.consume::<Flex>(&ops.node);
        let PoolState {
            winners,
            windows,
            shape,
        } = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            let gradient = max_pool_gradient(&channels_last(&errors), &winners, windows);
            grads.register::<Flex>(node.id, tensor(gradient, shape));
        }
    }
}

/// The sum of two tensors of one shape.
#[derive(Debug)]
pub(crate) struct Add;

/// The state is the output of the ReLU, if there is one; its tensor is a feature map.
impl Backward<Flex, 2> for Add {
    type State = Option<FlexTensor>;

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let mut errors = grads.consume::<Flex>(&ops.node);
        if let Some(output) = ops.state {
            let gradient =
                rows::rectified_gradient(&channels_last(&errors), &channels_last(&output));
            errors = tensor(gradient, sizes(&output));
        }
        for node in ops.parents.into_iter().flatten() {
            grads.register::<Flex>(node.id, errors.clone());
        }
    }
}

#[derive(Debug)]
struct SpaceMean;

impl Backward<Flex, 1> for SpaceMean {
    type State = [usize; 4];

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let errors = grads.consume::<Flex>(&ops.node);
        let [batch, channels, height, width] = ops.state;
        let [node] = ops.parents;
        if let Some(node) = node {
            let gradient = rows::means_gradient(&contiguous(&errors), height * width, channels);
            grads.register::<Flex>(node.id, tensor(gradient, [batch, channels, height, width]));
        }
    }
}
