//! A step over a batch that is cut into shards: each with a forward and a backward pass of its own, one
//! after the other, so that the graph of one alone is in memory. Plugins see one batch.

use afterimage_hooks::random::{RandomKey, Stream};
use afterimage_hooks::{LossWrites, Readings};
use afterimage_model::Taps;
use afterimage_ssl::Shard;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::{LearnerModel, TrainStep};

use crate::attach::Parts;
use crate::error::TrainError;
use crate::gathering::{Gathering, sum};
use crate::hooked::{HookedModel, ReferenceLoss};
use crate::inside::{Gradiented, Inside, Losses, Shown, Wanted};
use crate::loss::weigh;
use crate::pull::{Pull, Seen};
use crate::running::Running;
use crate::tape::free_dropped;

type Input<M> = <M as TrainStep>::Input;
type Output<M> = <M as TrainStep>::Output;

/// What a pass over the shards is for.
#[derive(Clone, Copy)]
pub(crate) enum Aim<'p> {
    /// To show the batch.
    Look,
    /// The gradient of the mean over the shards of their losses.
    Learn,
    /// The gradient of a loss that hangs on all shards at once.
    Follow(&'p Pull),
}

/// Forward, backward and the events inside, over the shards of `input`.
///
/// The loss is the mean over the shards of theirs, and its gradient the sum of theirs in a fixed tree. A
/// loss that hangs on all shards at once (a plugin's weights and terms, a comparison of all samples)
/// takes two passes: the first shows the batch, from which the loss and its gradient by what was shown
/// follow; the second takes this gradient back through each shard. Gao et al. 2021, arXiv 2101.06983.
///
/// # Errors
/// A model that cuts no batches, a batch that cannot be cut evenly, and what a whole step has.
pub(crate) fn step<M: HookedModel>(
    model: &M,
    input: &Input<M>,
    inside: &mut Inside<'_>,
) -> Result<Gradiented<Output<M>>, TrainError> {
    let start = Running::of(model);
    if !inside.all_negatives && !inside.hooks.writes_loss(&inside.clock) {
        let pass = over_shards(model, input, inside, &start, Aim::Learn)?;
        let wanted = inside.forward_done(&pass.shown)?;
        let writes = inside.loss_ready(&pass.shown)?;
        return pass.finish(model, inside, wanted, &writes);
    }
    let looked = over_shards(model, input, inside, &start, Aim::Look)?;
    let seen = Seen::new(model, looked.shown, looked.compared, inside.all_negatives)?;
    let wanted = inside.forward_done(&seen.shown)?;
    let writes = inside.loss_ready(&seen.shown)?;
    let pull = Pull::of(model, &seen, &writes, inside)?;
    let pass = over_shards(model, input, inside, &start, Aim::Follow(&pull))?;
    let pass = Pass {
        shown: seen.shown,
        losses: pull.losses(pass.losses),
        gradients: sum(model, pass.gradients, pull.direct),
        ..pass
    };
    pass.finish(model, inside, wanted, &writes)
}

/// What a pass over all shards gave, as of one batch and off every graph.
pub(crate) struct Pass<O> {
    pub(crate) shown: Shown,
    /// What the encoder under study and its reference compare across the batch, where it is asked for.
    pub(crate) compared: [Option<Tensor<2>>; 2],
    pub(crate) losses: Losses,
    pub(crate) gradients: GradientsParams,
    pub(crate) saliency: Readings,
    pub(crate) outputs: Vec<O>,
}

impl<O> Pass<O> {
    fn finish<M: HookedModel + TrainStep<Output = O>>(
        mut self,
        model: &M,
        inside: &mut Inside<'_>,
        wanted: Wanted,
        writes: &LossWrites,
    ) -> Result<Gradiented<O>, TrainError> {
        inside.grad_ready(model, &mut self.gradients, &self.saliency)?;
        let output = model.join(self.outputs).ok_or_else(cuts_nothing)?;
        let fetch = writes.fetch_per_sample;
        self.shown
            .hand_over(wanted, fetch, self.losses, self.gradients, output)
    }
}

/// Runs all shards one after the other. Norms see `start` in each, and are left behind it as one step
/// over all shards leaves them.
fn over_shards<M: HookedModel>(
    model: &M,
    input: &Input<M>,
    inside: &Inside<'_>,
    start: &Running,
    aim: Aim<'_>,
) -> Result<Pass<Output<M>>, TrainError> {
    let plan = inside.taps();
    let mut parts = Gathering::default();
    let shards = inside.own_shards();
    let count = shards.len();
    for shard in shards {
        let key = RandomKey::new(inside.run.seed, Stream::Device).step(inside.clock.step);
        inside.device.seed(key.view(shard.index as u32).bits());
        let mut taps = Taps::new(&plan).with_masks(inside.masks);
        let cut = shard.within(inside.part);
        let own = model.shard(input, cut).ok_or_else(cuts_nothing)?;
        let forward = model.forward(own, &mut taps);
        parts.running.push(Running::of(model));
        start.put_into(model);
        let studied = weigh(
            forward.loss.clone(),
            forward.per_sample.as_ref(),
            inside.weights.map(|weights| shard.of_samples(weights)),
            &LossWrites::default(),
        )?;
        let reference = forward.reference.as_ref();
        let reference = reference.map(|theirs| theirs.weighed(shard, inside.weights, None));
        let reference = reference.transpose()?;
        let root = match aim {
            Aim::Look => None,
            Aim::Learn => {
                let joint = match &reference {
                    Some(theirs) => studied.clone() + theirs.clone(),
                    None => studied.clone(),
                };
                Some(joint.div_scalar(shard.of as f64))
            }
            Aim::Follow(pull) => Some(pull.through(shard, &forward, inside)?),
        };
        parts.show(forward, studied, reference, &taps);
        match root {
            Some(root) => {
                let mut raw = root.backward();
                parts.saliency.push(taps.saliency(&raw));
                let gradients = GradientsParams::from_module(&mut raw, model);
                parts.learn(model, gradients, inside, count);
            }
            None => {
                drop(taps);
                free_dropped(model);
            }
        }
    }
    if !inside.group.is_alone() {
        parts = parts.of_all(model, inside, &aim)?;
    }
    // A look leaves no trace: the pass behind it starts where it did.
    if !matches!(aim, Aim::Look) {
        let running = std::mem::take(&mut parts.running);
        start.moved(running).put_into(model);
    }
    Ok(parts.joined(model, inside))
}

impl ReferenceLoss {
    /// The loss of a shard with its part of the plan's weights, and with the weights that plugins wrote
    /// for it.
    pub(crate) fn weighed(
        &self,
        shard: Shard,
        plan: Option<&[f32]>,
        written: Option<Tensor<1>>,
    ) -> Result<Tensor<1>, TrainError> {
        let writes = LossWrites {
            weights: written,
            ..LossWrites::default()
        };
        let plan = plan.map(|weights| shard.of_samples(weights));
        weigh(self.loss.clone(), self.per_sample.as_ref(), plan, &writes)
    }
}

impl<M: LearnerModel> Parts<M> {
    /// Whether the batches can be cut as they are to be.
    pub(crate) fn check_shards(&self) -> Result<(), TrainError> {
        let (count, batch) = (self.shards.count, self.batch_size);
        self.group
            .check_shards(count, batch)
            .map_err(TrainError::Attach)?;
        let problem = if count == 1 {
            return Ok(());
        } else if count == 0 || batch % count != 0 || batch / count < 2 {
            format!(
                "a batch of {batch} cannot be cut into {count} shards: the number must divide it and \
                 leave at least two samples to each"
            )
        } else if !self.driver.is_open() {
            "shards need a model that shows the inside of its step; implement `HookedModel` for it and \
             attach it with `Afterimage::open`"
                .to_owned()
        } else if self.feed.is_none() {
            "shards need batches of one size; give the loop a feed with `Afterimage::feed`"
                .to_owned()
        } else {
            return Ok(());
        };
        Err(TrainError::Attach(problem))
    }
}

fn cuts_nothing() -> TrainError {
    TrainError::Attach(
        "this model does not cut its batches into shards; give it `HookedModel::shard` and \
         `HookedModel::join`, or train on batches in one piece"
            .to_owned(),
    )
}
