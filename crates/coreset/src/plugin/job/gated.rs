//! A selection of what is probably right: signals, prior, gate.

use std::sync::Arc;

use crate::error::CoresetError;
use crate::gate::{
    Gate, Gated, Transitions, against_other_labels, by_transitions, classifier_scores, clean_prior,
    gated, neighbour_shares, permuted_within,
};
use crate::matrix::Matrix;
use crate::quality::k_medoids_cost;

use super::super::config::GateConfig;
use super::super::selection::CoresetSelection;
use super::Job;
use super::frozen::Judged;

/// The most numbers of a group, its samples times its chosen ones times the width of a row, over which a
/// cost is counted that no selection has counted itself.
const MOST_COUNTED: usize = 20_000_000_000;

impl Job {
    pub(super) fn gated(&self, settings: &GateConfig) -> Result<CoresetSelection, CoresetError> {
        let features = if settings.frozen {
            self.frozen.embeddings(|| self.embeddings())?
        } else {
            Arc::new(self.features()?)
        };
        let labels = self.labels()?;
        let signals = self.signals(settings)?;
        let atypicality = self.memorization()?;
        let atypicality = atypicality.as_ref().as_deref();
        let excuse = atypicality.filter(|_| settings.excuse);
        let rows: Vec<&[f64]> = signals.iter().map(Vec::as_slice).collect();
        let judge = || judged(settings, &features, labels, excuse);
        let judged = if settings.frozen {
            self.frozen.judged(judge)?
        } else {
            Arc::new(judge()?)
        };
        let fine = judged.fine.as_deref().filter(|_| rows.is_empty());
        let prior = clean_prior(&rows, labels, judged.known.as_deref(), excuse)?;
        let clean = if settings.permute {
            permuted_within(&prior.clean, labels, self.seed)
        } else {
            prior.clean
        };
        let grouping = self.groups()?;
        let partition = grouping.partition(self.config.clusters);
        let gate = Gate {
            threshold: settings.threshold,
            at_least: settings.at_least,
            expected: settings.expected,
            fraction: self.config.fraction,
            fill: settings.fill,
            bonus: settings.bonus,
            memory: self.config.memory.bytes.0,
            seed: self.seed,
        };
        let of = Gated {
            features: &features,
            clean: &clean,
            // It would tell what the falsifier takes away.
            signal: rows.first().copied().or(fine).filter(|_| !settings.permute),
            atypicality,
            partition,
        };
        let chosen = gated(of, gate)?;
        let groups = partition.groups(self.samples, self.seed)?;
        let (cost, empty) = told(&features, &groups, &chosen);
        Ok(CoresetSelection {
            chosen_at: self.epoch,
            weights: vec![1.0; chosen.len()],
            ids: chosen.iter().map(|id| *id as u32).collect(),
            owners: Vec::new(),
            clean: clean.iter().map(|c| *c as f32).collect(),
            losses: self.losses(),
            cost,
            separation: prior.separation,
            empty_groups: empty,
        })
    }

    /// What is known of each sample's label but by features, a list for each signal: higher is more plausible.
    fn signals(&self, settings: &GateConfig) -> Result<Vec<Vec<f64>>, CoresetError> {
        let mut signals: Vec<Vec<f64>> = Vec::new();
        if settings.losses {
            if self.store.classes == 0 {
                return Err(CoresetError::setting(
                    "gate.losses",
                    "this objective has no scores of classes; set `gate.losses = false`",
                ));
            }
            self.finite("losses", &self.store.losses)?;
            let losses = self.store.losses.iter();
            signals.push(losses.map(|loss| -f64::from(*loss)).collect());
        }
        if settings.values {
            let values = self.values.as_ref();
            let values = values.filter(|values| values.iter().any(|x| x.is_finite()));
            let values = values.ok_or_else(|| {
                CoresetError::setting(
                    "gate.values",
                    "no sample has a value yet; raise `warmup` above `oob-value.warm_up`",
                )
            })?;
            signals.push(values.iter().map(|x| f64::from(*x)).collect());
        }
        Ok(signals)
    }
}

/// The cost of covering `groups` by what is `chosen` of them, in ascending order, NaN where it is not counted;
/// and how many groups have nothing chosen.
fn told(features: &Matrix, groups: &[Vec<usize>], chosen: &[usize]) -> (f64, u32) {
    let (mut cost, mut empty) = (0.0, 0);
    for ids in groups {
        let own: Vec<usize> = ids
            .iter()
            .copied()
            .filter(|id| chosen.binary_search(id).is_ok())
            .collect();
        empty += u32::from(own.is_empty());
        let numbers = ids
            .len()
            .saturating_mul(own.len())
            .saturating_mul(features.columns());
        cost += if numbers > MOST_COUNTED {
            f64::NAN
        } else {
            k_medoids_cost(features, ids, &own)
        };
    }
    (cost, empty)
}

/// What features say of the observed labels.
fn judged(
    settings: &GateConfig,
    features: &Matrix,
    labels: &[u32],
    excuse: Option<&[f64]>,
) -> Result<Judged, CoresetError> {
    let scores = if settings.classifier {
        classifier_scores(features, labels)?
    } else if settings.neighbours > 0 {
        neighbour_shares(features, labels, settings.neighbours)?
    } else {
        return Ok(Judged {
            known: None,
            fine: None,
        });
    };
    let known = match settings.transitions {
        Transitions::None => against_other_labels(&scores, labels, excuse)?,
        Transitions::Free => by_transitions(&scores, labels, false, excuse)?.clean,
        Transitions::Balanced => by_transitions(&scores, labels, true, excuse)?.clean,
    };
    Ok(Judged {
        known: Some(known),
        // Calibration leaves few different priors; what it was made of tells their samples apart.
        fine: Some(own_scores(&scores, labels)),
    })
}

/// What scores `[n, classes]` say of each sample's own label, over how often the label occurs.
fn own_scores(scores: &[f32], labels: &[u32]) -> Vec<f64> {
    let classes = (scores.len() / labels.len().max(1)).max(1);
    let mut count = vec![0.0; classes];
    labels
        .iter()
        .for_each(|label| count[*label as usize] += 1.0);
    let of =
        |(row, label): (&[f32], &u32)| f64::from(row[*label as usize]) / count[*label as usize];
    scores.chunks_exact(classes).zip(labels).map(of).collect()
}
