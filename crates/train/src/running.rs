//! Running statistics of norms over the shards of a batch.

use afterimage_model::{MapAt, is_statistic, map_at, values};
use afterimage_ssl::mean_of;
use burn::module::{Module, Param};
use burn::tensor::Tensor;

/// The running statistics of all norms of a model, in visit order, each flattened.
///
/// Each shard of a batch updates them from where they stood before the step; after the step they have
/// moved by the mean of what the shards moved them by. So they hang on the shards alone, and not on who
/// computed which of them, and where no norm moves them they stay as they are, to the bit.
pub(crate) struct Running(pub(crate) Vec<Tensor<1>>);

impl Running {
    /// Those of `model`; updates that wait to be merged are merged.
    pub(crate) fn of<M: Module>(model: &M) -> Self {
        let found = values(&model.valid(), |path, _| is_statistic(path));
        Self(found.into_iter().map(|(_, value)| value).collect())
    }

    /// Puts them into `model` and all of its clones, which share theirs.
    pub(crate) fn put_into<M: Module>(&self, model: &M) {
        let _ = map_at(model.clone(), &mut Put(self.0.iter()));
    }

    /// These, moved by the mean of what each of `shards` moved them by.
    pub(crate) fn moved(&self, shards: Vec<Self>) -> Self {
        let of_norm = |(at, start): (usize, &Tensor<1>)| {
            let steps = shards.iter().filter_map(|shard| shard.0.get(at));
            let steps = steps.map(|after| after.clone() - start.clone());
            start.clone() + mean_of(steps.collect())
        };
        Self(self.0.iter().enumerate().map(of_norm).collect())
    }
}

struct Put<'r>(std::slice::Iter<'r, Tensor<1>>);

impl MapAt for Put<'_> {
    fn map_at<const D: usize>(
        &mut self,
        path: &[String],
        param: Param<Tensor<D>>,
    ) -> Param<Tensor<D>> {
        if !is_statistic(path) {
            return param;
        }
        let Some(value) = self.0.next().cloned() else {
            return param;
        };
        param.map(|old| {
            let value = value.reshape(old.dims());
            if old.is_autodiff() {
                Tensor::from_inner(value)
            } else {
                value
            }
        })
    }
}
