//! A loss that hangs on all shards of a batch at once, taken back to what each shard showed.
//!
//! Letters: B samples of the batch, V views, P features that are compared.

use afterimage_hooks::LossWrites;
use afterimage_ssl::Shard;
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::error::TrainError;
use crate::hooked::{Forward, HookedModel};
use crate::inside::{Inside, Losses, Shown};
use crate::loss::{weigh, weighted};

/// What a first pass over the shards showed, on leaves of a graph of its own.
pub(crate) struct Seen {
    pub(crate) shown: Shown,
    own: Option<Compared>,
    reference: Option<Compared>,
}

/// What is compared across the batch, and the loss that came of it.
struct Compared {
    /// `[V · B, P]`.
    leaf: Tensor<2>,
    /// `[B]`.
    per_sample: Tensor<1>,
    /// `[1]`.
    mean: Tensor<1>,
}

impl Seen {
    /// `compared` is what the encoder under study and its reference compare across the batch; with `all`
    /// they compare all of its samples.
    ///
    /// # Errors
    /// All are to be compared, by a loss that compares nothing.
    pub(crate) fn new<M: HookedModel>(
        model: &M,
        shown: Shown,
        compared: [Option<Tensor<2>>; 2],
        all: bool,
    ) -> Result<Self, TrainError> {
        let [own, reference] = compared.map(|rows| {
            let leaf = leaf(rows.filter(|_| all)?);
            let (per_sample, mean) = model.compare(leaf.clone())?;
            Some(Compared {
                leaf,
                per_sample,
                mean,
            })
        });
        if all && own.is_none() {
            return Err(TrainError::Attach(
                "this model's loss compares no samples of a batch, so that shards cannot share \
                 theirs; give it `Forward::compared` and `HookedModel::compare`, or leave the \
                 negatives to each shard"
                    .to_owned(),
            ));
        }
        let per_sample = match &own {
            Some(compared) => Some(compared.per_sample.clone()),
            None => shown.per_sample.map(leaf),
        };
        Ok(Self {
            shown: Shown {
                embeddings: shown.embeddings.map(leaf),
                per_sample,
                logits: shown.logits.map(leaf),
                readings: shown.readings,
            },
            own,
            reference,
        })
    }
}

/// The gradient of the loss of a batch by what its shards showed.
#[derive(Default)]
pub(crate) struct Pull {
    embeddings: Option<Tensor<2>>,
    per_sample: Option<Tensor<1>>,
    logits: Option<Tensor<2>>,
    compared: Option<Tensor<2>>,
    reference: Option<Tensor<2>>,
    /// Product of the weights that plugins wrote, `[B]`.
    written: Option<Tensor<1>>,
    /// The loss without terms, where it is not the mean over the shards of theirs; the reference's.
    losses: [Option<Tensor<1>>; 2],
    terms: Vec<Tensor<1>>,
    /// What terms say of parameters without a way through the batch.
    pub(crate) direct: GradientsParams,
}

impl Pull {
    /// The gradient of the loss that follows from what was seen, the plan's weights and `writes`.
    ///
    /// # Errors
    /// Weights for a model without per-sample loss.
    pub(crate) fn of<M: HookedModel>(
        model: &M,
        seen: &Seen,
        writes: &LossWrites,
        inside: &Inside<'_>,
    ) -> Result<Self, TrainError> {
        let shown = &seen.shown;
        let (plan, per_sample) = (inside.weights, shown.per_sample.as_ref());
        let weights = LossWrites {
            weights: writes.weights.clone(),
            ..LossWrites::default()
        };
        let own = match &seen.own {
            Some(Compared { mean, .. }) => Some(weigh(mean.clone(), per_sample, plan, &weights)?),
            None => weighted(per_sample, plan, writes.weights.clone())?,
        };
        let written = writes.weights.clone().map(Tensor::without_autodiff);
        let weights = LossWrites {
            weights: written.clone().map(Tensor::from_inner),
            ..LossWrites::default()
        };
        let reference = seen.reference.as_ref().map(|seen| {
            let per_sample = Some(&seen.per_sample);
            weigh(seen.mean.clone(), per_sample, plan, &weights)
        });
        let reference = reference.transpose()?;

        // A leaf of its own, so that a term that hangs on nothing has a way back as well.
        let anchor = zero(inside).require_grad();
        let terms = writes.terms.iter().map(|(_, term)| term.clone());
        let parts = own.clone().into_iter().chain(terms.clone());
        let total: Tensor<1> = parts
            .chain(reference.clone())
            .fold(anchor, |total, part| total + part);
        let mut raw = total.backward();
        let by = |rows: Option<&Tensor<2>>| rows.and_then(|rows| rows.grad(&raw));
        let per_sample = per_sample.filter(|_| seen.own.is_none());
        Ok(Self {
            embeddings: by(shown.embeddings.as_ref()),
            per_sample: per_sample.and_then(|losses| losses.grad(&raw)),
            logits: by(shown.logits.as_ref()),
            compared: by(seen.own.as_ref().map(|seen| &seen.leaf)),
            reference: by(seen.reference.as_ref().map(|seen| &seen.leaf)),
            written,
            losses: [own, reference].map(|loss| loss.map(Tensor::without_autodiff)),
            terms: terms.map(Tensor::without_autodiff).collect(),
            direct: GradientsParams::from_module(&mut raw, model),
        })
    }

    /// What a shard's backward pass starts from: its gradient is the shard's part in the gradient of the
    /// loss.
    ///
    /// # Errors
    /// As for [`of`](Self::of).
    pub(crate) fn through<O>(
        &self,
        shard: Shard,
        forward: &Forward<O>,
        inside: &Inside<'_>,
    ) -> Result<Tensor<1>, TrainError> {
        let views = inside.run.views;
        let mut parts = Vec::new();
        parts.extend(pulled(shard, &self.embeddings, &forward.embeddings, views));
        parts.extend(pulled(shard, &self.per_sample, &forward.per_sample, 1));
        parts.extend(pulled(shard, &self.logits, &forward.logits, views));
        parts.extend(pulled(shard, &self.compared, &forward.compared, views));
        if self.losses[0].is_none() {
            parts.push(forward.loss.clone().div_scalar(shard.of as f64));
        }
        if let Some(reference) = &forward.reference {
            parts.extend(pulled(shard, &self.reference, &reference.compared, views));
            if self.losses[1].is_none() {
                let written = self.written.clone();
                let written = written.map(|all| Tensor::from_inner(shard.rows(all, 1)));
                let theirs = reference.weighed(shard, inside.weights, written)?;
                parts.push(theirs.div_scalar(shard.of as f64));
            }
        }
        Ok(parts.into_iter().fold(zero(inside), |sum, part| sum + part))
    }

    /// The losses of the step, where `means` are the means over the shards of theirs.
    pub(crate) fn losses(&self, means: Losses) -> Losses {
        let [own, reference] = self.losses.clone();
        let own = own.unwrap_or(means.own);
        Losses {
            own: self
                .terms
                .iter()
                .fold(own, |loss, term| loss + term.clone()),
            reference: reference.or(means.reference),
        }
    }
}

fn zero(inside: &Inside<'_>) -> Tensor<1> {
    let device = inside.device.clone().without_autodiff();
    Tensor::from_inner(Tensor::zeros([1], &device))
}

/// The same values on a leaf of a new graph.
fn leaf<const D: usize>(values: Tensor<D>) -> Tensor<D> {
    Tensor::from_inner(values.without_autodiff()).require_grad()
}

/// Σ gradient · value over the rows of a shard, whose gradient is the gradient by the values.
fn pulled<const D: usize>(
    shard: Shard,
    gradient: &Option<Tensor<D>>,
    values: &Option<Tensor<D>>,
    views: usize,
) -> Option<Tensor<1>> {
    let (gradient, values) = (gradient.clone()?, values.clone()?);
    let gradient = Tensor::from_inner(shard.rows(gradient.without_autodiff(), views));
    Some((values * gradient).sum())
}
