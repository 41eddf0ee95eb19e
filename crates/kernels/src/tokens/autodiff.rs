//! The backward steps of the operations in burn-autodiff.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

use super::extension::{TokenOps, heads, sizes};
use crate::autodiff::{Add, register};
use crate::cpu::channels_last::{contiguous, plain, pooled};
use crate::cpu::{attention, gelu, layer_norm, linear, rows};

type Tracked<C> = FloatTensor<Autodiff<Flex, C>>;

impl<C: CheckpointStrategy> TokenOps for Autodiff<Flex, C> {
    fn kernel_linear(input: Tracked<C>, weight: Tracked<C>) -> Tracked<C> {
        let prepared = Connect
            .prepare::<C>([input.node(), weight.node()])
            .compute_bound()
            .stateful();
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&input), prep.checkpoint(&weight));
                let (input, weight) = (input.into_primitive(), weight.into_primitive());
                prep.finish(state, Flex::kernel_linear(input, weight))
            }
            OpsKind::UnTracked(prep) => {
                let (input, weight) = (input.into_primitive(), weight.into_primitive());
                prep.finish(Flex::kernel_linear(input, weight))
            }
        }
    }

    fn kernel_linear_bias(input: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>) -> Tracked<C> {
        let prepared = Connect
            .prepare::<C>([input.node(), weight.node(), bias.node()])
            .compute_bound()
            .stateful();
        let forward = |input: Tracked<C>, weight: Tracked<C>, bias: Tracked<C>| {
            Flex::kernel_linear_bias(
                input.into_primitive(),
                weight.into_primitive(),
                bias.into_primitive(),
            )
        };
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&input), prep.checkpoint(&weight));
                prep.finish(state, forward(input, weight, bias))
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(input, weight, bias)),
        }
    }

    fn kernel_layer_norm(
        input: Tracked<C>,
        gamma: Tracked<C>,
        beta: Tracked<C>,
        epsilon: f64,
    ) -> Tracked<C> {
        let prepared = Norm
            .prepare::<C>([input.node(), gamma.node(), beta.node()])
            .compute_bound()
            .stateful();
        let forward = |input: Tracked<C>, gamma: Tracked<C>, beta: Tracked<C>| {
            Flex::kernel_layer_norm(
                input.into_primitive(),
                gamma.into_primitive(),
                beta.into_primitive(),
                epsilon,
            )
        };
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = (
                    prep.checkpoint(&input),
                    prep.checkpoint(&gamma),
                    epsilon as f32,
                );
                prep.finish(state, forward(input, gamma, beta))
            }
            OpsKind::UnTracked(prep) => prep.finish(forward(input, gamma, beta)),
        }
    }

    fn kernel_token_add(left: Tracked<C>, right: Tracked<C>) -> Tracked<C> {
        let prepared = Add
            .prepare::<C>([left.node(), right.node()])
            .compute_bound()
            .stateful();
        let sum = Flex::kernel_token_add(left.into_primitive(), right.into_primitive());
        match prepared {
            OpsKind::Tracked(prep) => prep.finish(None, sum),
            OpsKind::UnTracked(prep) => prep.finish(sum),
        }
    }

    fn kernel_gelu(input: Tracked<C>) -> Tracked<C> {
        let prepared = Gelu.prepare::<C>([input.node()]).compute_bound().stateful();
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = prep.checkpoint(&input);
                prep.finish(state, Flex::kernel_gelu(input.into_primitive()))
            }
            OpsKind::UnTracked(prep) => prep.finish(Flex::kernel_gelu(input.into_primitive())),
        }
    }

    fn kernel_attention(input: Tracked<C>, heads: usize) -> Tracked<C> {
        let prepared = Attend
            .prepare::<C>([input.node()])
            .compute_bound()
            .stateful();
        match prepared {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&input), heads);
                prep.finish(state, Flex::kernel_attention(input.into_primitive(), heads))
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(Flex::kernel_attention(input.into_primitive(), heads))
            }
        }
    }
}

#[derive(Debug)]
struct Connect;

/// With two parents (input, weight) or three (and bias).
impl<const N: usize> Backward<Flex, N> for Connect {
    type State = (NodeId, NodeId);

    fn backward(
        self,
        ops: Ops<Self::State, N>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let errors = grads.consume::<Flex>(&ops.node);
        let (input, weight) = ops.state;
        let input = checkpointer.retrieve_node_output::<FlexTensor>(input);
        let weight = checkpointer.retrieve_node_output::<FlexTensor>(weight);
        let [_, _, inputs] = sizes(&input);
        let [_, _, outputs] = sizes(&errors);
        let errors = contiguous(&errors);
        if let Some(Some(node)) = ops.parents.first() {
            let gradient = linear::input_gradient(&errors, &contiguous(&weight), [inputs, outputs]);
            grads.register::<Flex>(node.id, pooled(gradient, sizes(&input)));
        }
        if let Some(Some(node)) = ops.parents.get(1) {
            let gradient = linear::weight_gradient(&contiguous(&input), &errors, [inputs, outputs]);
            grads.register::<Flex>(node.id, pooled(gradient, [inputs, outputs]));
        }
        if let Some(Some(node)) = ops.parents.get(2) {
            let gradient = rows::sums(&errors, outputs);
            grads.register::<Flex>(node.id, plain(gradient, [outputs]));
        }
    }
}

#[derive(Debug)]
struct Norm;

impl Backward<Flex, 3> for Norm {
    type State = (NodeId, NodeId, f32);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let errors = grads.consume::<Flex>(&ops.node);
        let (input, gamma, epsilon) = ops.state;
        let input = checkpointer.retrieve_node_output::<FlexTensor>(input);
        let gamma = checkpointer.retrieve_node_output::<FlexTensor>(gamma);
        let [_, _, channels] = sizes(&input);
        let gradient = layer_norm::gradient(
            &contiguous(&input),
            &contiguous(&errors),
            &contiguous(&gamma),
            epsilon,
        );
        let gradients = [
            pooled(gradient.input, sizes(&input)),
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

#[derive(Debug)]
struct Gelu;

impl Backward<Flex, 1> for Gelu {
    type State = NodeId;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let errors = grads.consume::<Flex>(&ops.node);
        let input = checkpointer.retrieve_node_output::<FlexTensor>(ops.state);
        let [node] = ops.parents;
        if let Some(node) = node {
            let gradient = gelu::gelu_gradient(&contiguous(&input), &contiguous(&errors));
            grads.register::<Flex>(node.id, pooled(gradient, sizes(&input)));
        }
    }
}

#[derive(Debug)]
struct Attend;

impl Backward<Flex, 1> for Attend {
    type State = (NodeId, usize);

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let errors = grads.consume::<Flex>(&ops.node);
        let (input, count) = ops.state;
        let input = checkpointer.retrieve_node_output::<FlexTensor>(input);
        let [node] = ops.parents;
        if let Some(node) = node {
            let gradient = attention::gradient(
                &contiguous(&input),
                &contiguous(&errors),
                heads(&input, count),
            );
            grads.register::<Flex>(node.id, pooled(gradient, sizes(&input)));
        }
    }
}
