//! Judging an encoder by its frozen embeddings: k nearest neighbours, and a linear probe at the end or
//! each time; and by its own classifier, where the objective has one.

use std::collections::BTreeMap;
use std::sync::Arc;

use afterimage_data::ViewSource;
use afterimage_hooks::{Clock, Fault, ModelView, SampleId};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::embed::embed_with_scores;
use crate::evaluate::Evaluator;
use crate::knn::{Embeddings, accuracy};
use crate::linear_probe::LinearProbe;
use crate::processes::Group;

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
    /// Whether it is fitted anew at every evaluation; default false.
    pub probe_every_time: bool,
}

impl Default for JudgeConfig {
    fn default() -> Self {
        Self {
            k: 20,
            temperature: 0.07,
            bank: 5000,
            batch_size: 250,
            linear_probe: true,
            probe_every_time: false,
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
    group: Group,
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
        if !has_classes(train.images().labels()) {
            tracing::warn!(
                "the training images are of one class, which says nothing about an encoder: kNN and \
                 the linear probe are off"
            );
        }
        Self {
            config,
            train,
            held_out,
            seed,
            device,
            group: Group::default(),
        }
    }

    /// The processes that share out its forward passes.
    pub fn processes(self, group: Group) -> Self {
        Self { group, ..self }
    }

    fn embed(
        &self,
        model: &dyn ModelView,
        source: &ViewSource,
        limit: usize,
    ) -> Result<(Embeddings, Vec<u32>), Fault> {
        let labels = source.images().labels();
        let ids = balanced(labels, source.images().classes().len(), limit);
        let (size, device) = (self.config.batch_size, &self.device);
        let (embeddings, _) = embed_with_scores(model, source, &ids, size, device, &self.group)?;
        let labels = ids.iter().map(|id| labels[id.0 as usize]).collect();
        Ok((embeddings, labels))
    }
}

/// Whether there are several classes to tell apart; of one, every answer is right.
pub fn has_classes(labels: &[u32]) -> bool {
    labels.iter().any(|label| Some(label) != labels.first())
}

/// Share of rows of `scores` `[N, classes]` whose highest is that of the label, the lower class of two
/// equal ones.
fn named_rightly(scores: &Embeddings, labels: &[u32]) -> f64 {
    let best = |row: &[f32]| {
        let mut best = (0, f32::NEG_INFINITY);
        for (class, score) in (0u32..).zip(row) {
            if *score > best.1 {
                best = (class, *score);
            }
        }
        best.0
    };
    let right = labels.iter().enumerate();
    let right = right.filter(|(row, label)| best(scores.row(*row)) == **label);
    right.count() as f64 / labels.len().max(1) as f64
}

/// The first images of each class, as many of each, in the order of their ids.
pub fn balanced(labels: &[u32], classes: usize, limit: usize) -> Vec<SampleId> {
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
        let labels = self.held_out.images().labels();
        let ids: Vec<SampleId> = (0..labels.len() as u32).map(SampleId).collect();
        let size = self.config.batch_size;
        let (held_out, device) = (&self.held_out, &self.device);
        let (queries, scores) =
            embed_with_scores(model, held_out, &ids, size, device, &self.group)?;
        let mut figures = BTreeMap::new();
        if let Some(scores) = scores {
            figures.insert("accuracy".to_owned(), named_rightly(&scores, labels));
        }
        if self.config.linear_probe && (last || self.config.probe_every_time) {
            let probe = LinearProbe::default();
            let right = probe.accuracy(
                (&bank, &bank_labels),
                (&queries, labels),
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
            labels,
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
        if !has_classes(self.train.images().labels()) {
            return Ok(BTreeMap::new());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_class_is_no_task() {
        assert!(!has_classes(&[]) && !has_classes(&[3, 3, 3]));
        assert!(has_classes(&[3, 3, 1]));
    }

    #[test]
    fn the_highest_score_is_the_class() {
        let scores = Embeddings::new(vec![1.0, 3.0, 2.0, 5.0, 5.0, 0.0, f32::NAN, 1.0, 0.0], 3);
        assert_eq!(named_rightly(&scores, &[1, 0, 1]), 1.0);
        assert_eq!(named_rightly(&scores, &[1, 1, 0]), 1.0 / 3.0);
    }
}
