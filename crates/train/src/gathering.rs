//! What passes over the shards of a batch gave, in this process and in all, and one batch made of it.

use afterimage_hooks::{Readings, TapMode, TapPlan};
use afterimage_model::Taps;
use afterimage_ssl::{Shard, Tree, joined, mean_of};
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::train::TrainStep;

use crate::error::TrainError;
use crate::exchange::{Inbox, Outbox};
use crate::hooked::{Forward, HookedModel};
use crate::inside::{Inside, Losses, Shown};
use crate::running::Running;
use crate::shards::{Aim, Pass};

/// What was gathered of the shards so far.
pub(crate) struct Gathering<O> {
    embeddings: Vec<Tensor<2>>,
    per_sample: Vec<Tensor<1>>,
    logits: Vec<Tensor<2>>,
    compared: [Vec<Tensor<2>>; 2],
    readings: Vec<Readings>,
    pub(crate) saliency: Vec<Readings>,
    own: Vec<Tensor<1>>,
    reference: Vec<Tensor<1>>,
    /// Means without weights, of which another process makes the outputs.
    plain: Vec<Tensor<1>>,
    outputs: Vec<O>,
    gradients: Tree<GradientsParams>,
    /// Gradients of shards that make no subtree together.
    apart: Vec<GradientsParams>,
    pub(crate) running: Vec<Running>,
}

impl<O> Default for Gathering<O> {
    fn default() -> Self {
        Self {
            embeddings: Vec::new(),
            per_sample: Vec::new(),
            logits: Vec::new(),
            compared: [Vec::new(), Vec::new()],
            readings: Vec::new(),
            saliency: Vec::new(),
            own: Vec::new(),
            reference: Vec::new(),
            plain: Vec::new(),
            outputs: Vec::new(),
            gradients: Tree::default(),
            apart: Vec::new(),
            running: Vec::new(),
        }
    }
}

impl<O> Gathering<O> {
    /// Takes what a forward pass showed off its graph.
    pub(crate) fn show(
        &mut self,
        forward: Forward<O>,
        own: Tensor<1>,
        reference: Option<Tensor<1>>,
        taps: &Taps,
    ) {
        let rows = |rows: Option<Tensor<2>>| rows.map(Tensor::without_autodiff);
        self.embeddings.extend(rows(forward.embeddings));
        self.logits.extend(rows(forward.logits));
        let losses = forward.per_sample.map(Tensor::without_autodiff);
        self.per_sample.extend(losses);
        self.compared[0].extend(rows(forward.compared));
        let theirs = forward.reference.and_then(|theirs| theirs.compared);
        self.compared[1].extend(rows(theirs));
        self.readings.push(taps.readings());
        self.own.push(own.without_autodiff());
        let reference = reference.map(Tensor::without_autodiff);
        self.reference.extend(reference);
        self.plain.push(forward.loss.without_autodiff());
        self.outputs.push(forward.output);
    }

    /// Takes the gradients of a shard, one of `own` that this process computes side by side.
    pub(crate) fn learn<M: Module>(
        &mut self,
        model: &M,
        gradients: GradientsParams,
        inside: &Inside<'_>,
        own: usize,
    ) {
        // As many as a power of two are a subtree of the sum over all: their sum is what others need.
        match inside.group.is_alone() || own.is_power_of_two() {
            true => self.gradients.push(gradients, |a, b| sum(model, a, b)),
            false => self.apart.push(gradients),
        }
    }

    /// What all processes gathered: the same, to the bit, as one process that computed all shards.
    ///
    /// # Errors
    /// A process that failed, or that computed something else.
    pub(crate) fn of_all<M: HookedModel + TrainStep<Output = O>>(
        mut self,
        model: &M,
        inside: &Inside<'_>,
        aim: &Aim<'_>,
    ) -> Result<Self, TrainError> {
        match aim {
            Aim::Look => self.running.clear(),
            Aim::Learn => {}
            // The first pass has shown all of it.
            Aim::Follow(_) => {
                self.embeddings.clear();
                self.per_sample.clear();
                self.logits.clear();
                self.compared = [Vec::new(), Vec::new()];
                self.readings.clear();
            }
        }
        let tree = std::mem::take(&mut self.gradients);
        let subtree = tree.sum(|a, b| sum(model, a, b));
        let by_halves = inside.group.size().is_power_of_two();
        let (halved, whole) = match by_halves {
            true => (subtree, None),
            false => (None, subtree),
        };
        self.apart.extend(whole);
        let learns = !matches!(aim, Aim::Look);
        let left: Vec<Vec<Tensor<2>>> = match learns {
            true => inside.own_shards().map(|shard| model.left(shard)).collect(),
            false => Vec::new(),
        };
        let mut outbox = Outbox::default();
        let taps = inside.taps();
        self.put_into(&mut outbox, model, &taps)?;
        left.iter().try_for_each(|left| outbox.put_all(left))?;
        let purpose = match learns {
            true => format!("step {}", inside.clock.step),
            false => format!("the first pass of step {}", inside.clock.step),
        };
        let messages = inside.group.exchange(&purpose, &outbox.0)?;

        let mut all = Self::default();
        let mut shards = Shard::all(inside.shards);
        for message in messages {
            let mut inbox = Inbox::new(&message, inside.device);
            all.take_from(&mut inbox, model, &self, &taps)?;
            for (like, shard) in left.iter().zip(&mut shards) {
                model.leave(shard, inbox.take_all(like)?);
            }
            inbox.end()?;
        }
        for gradients in std::mem::take(&mut all.apart) {
            all.gradients.push(gradients, |a, b| sum(model, a, b));
        }
        if let Some(own) = halved {
            let of_all = added_by_halves(model, own, inside)?;
            all.gradients.push(of_all, |a, b| sum(model, a, b));
        }
        let outputs = all.plain.iter().map(|loss| model.output_of(loss.clone()));
        all.outputs = outputs.collect::<Option<_>>().ok_or_else(shares_nothing)?;
        Ok(all)
    }

    /// In the order of [`take_from`](Self::take_from).
    fn put_into<M: Module>(
        &self,
        outbox: &mut Outbox,
        model: &M,
        taps: &TapPlan,
    ) -> Result<(), TrainError> {
        outbox.put_all(&self.embeddings)?;
        outbox.put_all(&self.per_sample)?;
        outbox.put_all(&self.logits)?;
        outbox.put_all(self.compared.iter().flatten())?;
        for readings in self.readings.iter().chain(&self.saliency) {
            outbox.put_all(shown(readings, taps).map(|(_, _, rows)| rows))?;
        }
        outbox.put_all(self.own.iter().chain(&self.reference).chain(&self.plain))?;
        outbox.put_all(self.running.iter().flat_map(|running| &running.0))?;
        let mut gradients = self.apart.iter();
        gradients.try_for_each(|gradients| outbox.put_gradients(model, gradients))
    }

    /// Adds what another process [put](Self::put_into) there; it is shaped as what `own` gathered.
    fn take_from<M: Module>(
        &mut self,
        inbox: &mut Inbox<'_>,
        model: &M,
        own: &Self,
        taps: &TapPlan,
    ) -> Result<(), TrainError> {
        self.embeddings.extend(inbox.take_all(&own.embeddings)?);
        self.per_sample.extend(inbox.take_all(&own.per_sample)?);
        self.logits.extend(inbox.take_all(&own.logits)?);
        for (compared, own) in self.compared.iter_mut().zip(&own.compared) {
            compared.extend(inbox.take_all(own)?);
        }
        for (readings, own) in [
            (&mut self.readings, &own.readings),
            (&mut self.saliency, &own.saliency),
        ] {
            for own in own {
                let mut theirs = Readings::default();
                for (site, mode, rows) in shown(own, taps) {
                    theirs.insert(site, mode, inbox.take(rows)?);
                }
                readings.push(theirs);
            }
        }
        self.own.extend(inbox.take_all(&own.own)?);
        self.reference.extend(inbox.take_all(&own.reference)?);
        self.plain.extend(inbox.take_all(&own.plain)?);
        for running in &own.running {
            self.running.push(Running(inbox.take_all(&running.0)?));
        }
        for gradients in &own.apart {
            self.apart.push(inbox.take_gradients(model, gradients)?);
        }
        Ok(())
    }

    pub(crate) fn joined<M: HookedModel>(self, model: &M, inside: &Inside<'_>) -> Pass<O> {
        let views = inside.run.views;
        let rows = |shards: Vec<Tensor<2>>| (!shards.is_empty()).then(|| joined(shards, views));
        let on_device = |rows: Option<Tensor<2>>| rows.map(Tensor::from_inner);
        let losses = (!self.per_sample.is_empty()).then(|| joined(self.per_sample, 1));
        Pass {
            shown: Shown {
                embeddings: on_device(rows(self.embeddings)),
                per_sample: losses.map(Tensor::from_inner),
                logits: on_device(rows(self.logits)),
                readings: Readings::joined(self.readings, |shards| joined(shards, views)),
            },
            compared: self.compared.map(rows),
            losses: Losses {
                own: mean_of(self.own),
                reference: (!self.reference.is_empty()).then(|| mean_of(self.reference)),
            },
            gradients: self
                .gradients
                .sum(|a, b| sum(model, a, b))
                .unwrap_or_default(),
            saliency: Readings::joined(self.saliency, |shards| joined(shards, views)),
            outputs: self.outputs,
        }
    }
}

/// The sum over all processes of their sums over subtrees of the same size: neighbours add theirs, then
/// pairs of neighbours, as the tree over all shards does.
///
/// Each process receives `log₂ P` sums where a gathering of all would bring `P − 1`.
///
/// # Errors
/// A process that could not tell its sum.
fn added_by_halves<M: Module>(
    model: &M,
    own: GradientsParams,
    inside: &Inside<'_>,
) -> Result<GradientsParams, TrainError> {
    let group = inside.group;
    let mut sum_so_far = Ok(own);
    for level in 0..group.size().ilog2() {
        let told = sum_so_far.and_then(|own| {
            let mut outbox = Outbox::default();
            outbox.put_gradients(model, &own)?;
            Ok((own, outbox))
        });
        let bytes = told.as_ref().ok().map(|(_, outbox)| &outbox.0[..]);
        let theirs = group.swap(level, bytes);
        sum_so_far = told.and_then(|(own, _)| {
            let theirs = theirs.ok_or_else(no_sum)?;
            let mut inbox = Inbox::new(&theirs, inside.device);
            let theirs = inbox.take_gradients(model, &own)?;
            inbox.end()?;
            Ok(match group.rank() >> level & 1 {
                0 => sum(model, own, theirs),
                _ => sum(model, theirs, own),
            })
        });
    }
    sum_so_far
}

fn no_sum() -> TrainError {
    TrainError::Processes("another process could not add up its gradients".to_owned())
}

/// The readings of the taps that are on, in an order that all processes know.
fn shown<'r>(
    readings: &'r Readings,
    taps: &'r TapPlan,
) -> impl Iterator<Item = (&'r str, TapMode, &'r Tensor<2>)> {
    let all = taps.sites.iter();
    let all = all.flat_map(|(site, modes)| modes.iter().map(move |mode| (site.as_str(), *mode)));
    all.filter_map(|(site, mode)| Some((site, mode, readings.get(site, mode)?)))
}

fn shares_nothing() -> TrainError {
    TrainError::Attach(
        "several processes cannot share out the steps of this model; give it `HookedModel::output_of`, \
         or train in one process"
            .to_owned(),
    )
}

/// The sum of two gradients of `model`.
pub(crate) fn sum<M: Module>(
    model: &M,
    into: GradientsParams,
    from: GradientsParams,
) -> GradientsParams {
    struct Sum {
        into: GradientsParams,
        from: GradientsParams,
    }
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let Some(more) = self.from.remove::<D>(param.id) else {
                return;
            };
            let sum = match self.into.remove::<D>(param.id) {
                Some(gradient) => gradient + more,
                None => more,
            };
            self.into.register(param.id, sum);
        }
    }
    let mut both = Sum { into, from };
    model.visit(&mut both);
    both.into
}
