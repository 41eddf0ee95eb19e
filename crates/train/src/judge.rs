//! Judging an encoder by its frozen embeddings: k nearest neighbours, and a linear probe at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_hooks::{Clock, Fault, ModelView, SampleId, TapPlan};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::evaluate::Evaluator;
use crate::knn::{Embeddings, accuracy};
use crate::linear_probe::LinearProbe;

/// Settings of the evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JudgeConfig {
    /// Neighbours that vote; default 20.
    pub k: usize,
    /// Temperature of the votes; default 0.07.
    pub temperature: f64,
    /// Training images in the bank of neighbours, the first of each class; default 5000.
    pub bank: usize,
    /// Images in a forward pass; default 250.
    pub batch_size: usize,
    /// Whether a linear probe is fitted at the end; default true.
    pub linear_probe: bool,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            k: 20,
            temperature: 0.07,
            bank: 5000,
            batch_size: 250,
            linear_probe: true,
        }
    }
}

/// Judges encoders on a labelled data set.
pub struct Judge {
    config: JudgeConfig,
    train: Arc<ViewSource>,
    held_out: Arc<ViewSource>,
    seed: u64,
    device: Device,
}

impl Judge {
    /// Judges on `train` (neighbours, probe) and `held_out` (queries); forward passes run on
    /// `device`, which is not an autodiff device.
    pub fn new(
        config: JudgeConfig,
        train: Arc<ViewSource>,
        held_out: Arc<ViewSource>,
        seed: u64,
        device: Device,
    ) -> Self {
        Self {
            config,
            train,
            held_out,
            seed,
            device,
        }
    }

    fn embed(
        &self,
        model: &dyn ModelView,
        source: &ViewSource,
        limit: usize,
    ) -> Result<(Embeddings, Vec<u32>), Fault> {
        let labels = source.images().labels();
        let ids = balanced(labels, source.images().classes().len(), limit);
        let mut values = Vec::new();
        let mut width = 1;
        for ids in ids.chunks(self.config.batch_size.max(1)) {
            let images = source
                .plain_batch(ids)
                .map_err(|error| Fault::caused_by("images cannot be rendered", error))?;
            let seen = model.observe(images.into_tensor(&self.device), &TapPlan::default())?;
            width = seen.embeddings.dims()[1];
            let rows = seen.embeddings.try_into_vec_as::<f32>();
            values.extend(rows.map_err(|error| Fault::new(error.to_string()))?);
        }
        let labels = ids.iter().map(|id| labels[id.0 as usize]).collect();
        Ok((Embeddings::new(values, width), labels))
    }
}

/// The first images of each class, as many of each, in the order of their ids.
fn balanced(labels: &[u32], classes: usize, limit: usize) -> Vec<SampleId> {
    let each = limit.div_ceil(classes.max(1));
    let mut taken = vec![0usize; classes];
    (0u32..)
        .zip(labels)
        .filter(|(_, label)| {
            let taken = &mut taken[**label as usize];
            *taken += 1;
            *taken <= each
        })
        .map(|(id, _)| SampleId(id))
        .collect()
}

impl Judge {
    fn figures(&self, model: &dyn ModelView, last: bool) -> Result<BTreeMap<String, f64>, Fault> {
        let (bank, bank_labels) = self.embed(model, &self.train, self.config.bank)?;
        let (queries, labels) = self.embed(model, &self.held_out, usize::MAX)?;
        let mut figures = BTreeMap::new();
        if last && self.config.linear_probe {
            let probe = LinearProbe::default();
            let right = probe.accuracy(
                (&bank, &bank_labels),
                (&queries, &labels),
                self.seed,
                &self.device,
            )?;
            figures.insert("linear_probe".to_owned(), right);
        }
        let (bank, queries) = (bank.normalized(), queries.normalized());
        let Self { config, .. } = self;
        let right = accuracy(
            &bank,
            &bank_labels,
            &queries,
            &labels,
            config.k,
            config.temperature,
        );
        figures.insert("knn".to_owned(), right);
        Ok(figures)
    }
}

impl Evaluator for Judge {
    fn evaluate(
        &self,
        model: &dyn ModelView,
        _clock: &Clock,
        last: bool,
    ) -> Result<BTreeMap<String, f64>, Fault> {
        let mut figures = self.figures(model, last)?;
        if let Some(reference) = model.reference() {
            let theirs = self.figures(reference, last)?;
            figures.extend(
                theirs
                    .into_iter()
                    .map(|(name, figure)| (format!("reference_{name}"), figure)),
            );
        }
        Ok(figures)
    }
}
