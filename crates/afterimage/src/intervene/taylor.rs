//! What the loss of each unit would cost an encoder, to first order.

use std::path::Path;

use afterimage_data::ViewSource;
use afterimage_hooks::{SampleId, Site, Split, TapMode, TapPlan};
use afterimage_memory::chosen_of;
use afterimage_model::Taps;
use afterimage_ssl::{Objective as _, ObjectiveBatch, Shard};
use afterimage_train::{SslModel, read_model};
use burn::module::Module as _;
use burn::store::ModuleRecord;
use burn::tensor::{Bytes, Tensor};

use super::scores::Scores;
use super::subject::Operated;
use crate::error::RunError;
use crate::prepared::Prepared;
use crate::probe::CONFIG;
use crate::registry::Registry;

/// For each unit the mean over training views of |Σ over positions of a · ∂L/∂a|, L the loss of the
/// run's own objective on batches of its training points, in training mode as the plugin `taylor`
/// has it.
///
/// # Errors
/// Weights without a run, a run whose units are pruned.
pub(super) fn taylor(
    registry: &Registry,
    operated: &Operated,
    sites: &[Site],
) -> Result<Scores, RunError> {
    let refuse = |reason: &str| RunError::Ablate {
        key: "score",
        reason: format!("taylor: {reason}"),
    };
    let Some(checkpoint) = &operated.checkpoint else {
        return Err(refuse(
            "it needs the objective that the encoder was trained with, which a run alone has; choose \
             another score",
        ));
    };
    if operated.cut || !operated.masks.is_empty() {
        return Err(refuse(
            "units of the run are pruned; give a checkpoint from before that, or choose another score",
        ));
    }
    let (prepared, shard, shards) = prepared(registry, operated, checkpoint)?;
    let record = ModuleRecord::from_bytes(Bytes::from_bytes_vec(read_model(checkpoint)?));
    let record =
        record.map_err(|error| refuse(&format!("the checkpoint cannot be read: {error}")))?;
    let model = prepared.model.clone().load_record(record);
    let (members, config) = (operated.prepared.members(), &operated.config);
    let ids = chosen_of(config.seed, Split::Train, &members, config.unitmem.points);
    let plan = TapPlan {
        sites: sites
            .iter()
            .map(|site| (site.name.clone(), vec![TapMode::Gate]))
            .collect(),
    };
    let size = shard.min(ids.len());
    let mut sums: Scores = sites.iter().map(|site| vec![0.0; site.units]).collect();
    let mut rows = 0;
    // A last batch of another size would have another loss.
    for ids in ids.chunks_exact(size) {
        let batch = batch(&prepared, &model, ids, operated.epoch + 1)?;
        let mut taps = Taps::new(&plan);
        let output = model.objective().forward(model.encoder(), batch, &mut taps);
        let saliency = taps.saliency(&output.loss.backward());
        for (site, sums) in sites.iter().zip(&mut sums) {
            let Some(values) = saliency.get(&site.name, TapMode::Gate) else {
                return Err(refuse(&format!(
                    "the model gave no gradient at {}",
                    site.name
                )));
            };
            let of_units = values.clone().abs().sum_dim(0).reshape([site.units]);
            let of_units: Tensor<1> = of_units;
            let of_units = of_units.try_into_vec_as::<f32>();
            let of_units = of_units.map_err(|error| refuse(&error.to_string()))?;
            sums.iter_mut()
                .zip(of_units)
                .for_each(|(sum, value)| *sum += f64::from(value));
        }
        rows += ids.len() * model.objective().views();
    }
    sums.iter_mut()
        .flatten()
        .for_each(|sum| *sum /= (rows.max(1) * shards) as f64);
    Ok(sums)
}

/// The run with its model, on the images that the arms are judged on; the samples of a batch that it
/// computes at once, and how many such parts its batches have.
fn prepared(
    registry: &Registry,
    operated: &Operated,
    checkpoint: &Path,
) -> Result<(Prepared, usize, usize), RunError> {
    let mut loaded = registry.load_kept(&checkpoint.join(CONFIG), &[])?;
    loaded.value.data = operated.config.data.clone();
    loaded.value.limits = operated.config.limits;
    loaded.value.device.clone_from(&operated.config.device);
    let (batch, shards) = (loaded.value.batch_size, loaded.value.batch.shards);
    let prepared = Prepared::new(registry, &loaded, None)?;
    Ok((prepared, batch / shards, shards))
}

/// Training views of `ids` as in `epoch`.
fn batch(
    prepared: &Prepared,
    model: &SslModel,
    ids: &[SampleId],
    epoch: u32,
) -> Result<ObjectiveBatch, RunError> {
    let data = &prepared.data;
    let device = prepared.device.clone().autodiff();
    let views = model.objective().views();
    let source = |views| ViewSource::new(data.clone(), Split::Train, views);
    let images = source(prepared.views.clone()).batch(ids, epoch, views)?;
    let local = match &prepared.local {
        Some((local, count)) => {
            let source = source(local.clone()).starting_at(views as u32);
            Some(source.batch(ids, epoch, *count)?.into_tensor(&device))
        }
        None => None,
    };
    let label = |id: &SampleId| {
        let labels = data.train.labels();
        labels.get(id.0 as usize).map(|label| i64::from(*label))
    };
    let labels: Option<Vec<i64>> = ids.iter().map(label).collect();
    Ok(ObjectiveBatch {
        ids: ids.to_vec(),
        epoch,
        pace: 1,
        images: images.into_tensor(&device),
        local,
        labels: labels.map(|labels| Tensor::from_data(labels.as_slice(), &device)),
        shard: Shard::WHOLE,
    })
}
