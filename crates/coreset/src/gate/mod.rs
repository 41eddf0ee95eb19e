//! Selection behind a gate: what is probably mislabelled is not chosen, however much it would cover.
//!
//! In the space of gradients the diverse samples are the wrong ones; in the space of features they are
//! not, and whether a label is right is asked of signals that a network cannot memorize away: values
//! out of bag, agreement with neighbours, a classifier fitted to the other samples.

mod calibrate;
mod classifier;
mod cover;
mod likelihood;
mod mixture;
mod neighbours;
mod prior;
mod transitions;

pub use afterimage_numeric::{mean_ranks, ranks};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::CoresetError;
use crate::matrix::Matrix;
use crate::partition::Partition;
use crate::points::same_length;
use crate::random::Purpose;
pub use calibrate::against_other_labels;
pub use classifier::classifier_scores;
use cover::Cover;
pub use neighbours::{neighbour_agreement, neighbour_shares};
pub use prior::{CleanPrior, clean_prior};
pub use transitions::{Corrected, Transitions, by_transitions};

/// Steps of a clean prior in [0, 1]: finer differences are rounding, and not looked at.
const STEPS: f64 = 1e9;

/// What is taken of the samples that the gate admits.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// Those that cover the features of their group best, weighted by the prior.
    #[default]
    Cover,
    /// Any, at random.
    Random,
    /// Every one, however many: no part bounds them.
    All,
}

/// Settings of [`gated`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gate {
    /// The least clean prior of a sample that may be chosen, in [0, 1].
    pub threshold: f64,
    /// The part of each group that is admitted in any case, in [0, 1]: its samples of the highest
    /// priors, where fewer reach the threshold.
    pub at_least: f64,
    /// Whether each group admits as many in any case as its priors add up to, likewise.
    pub expected: bool,
    /// The largest part of a group that is chosen, in (0, 1]; less where fewer labels are right.
    pub fraction: f64,
    /// What is taken of the admitted.
    pub fill: Fill,
    /// What a most atypical sample is worth beside what it covers, at least 0, in units of what
    /// covering an average sample whole is worth.
    pub bonus: f64,
    /// Bytes for distances, of all groups that are chosen from at a time together.
    pub memory: u64,
    /// Seed of random choices.
    pub seed: u64,
}

/// What is known of the samples that [`gated`] chooses from.
#[derive(Debug, Clone, Copy)]
pub struct Gated<'a> {
    /// Features `[n, d]` of the samples.
    pub features: &'a Matrix,
    /// Probability in [0, 1] that each label is right.
    pub clean: &'a [f64],
    /// A signal that is higher where a label is more plausible, by which samples of equal priors are
    /// told apart; NaN comes last.
    pub signal: Option<&'a [f64]>,
    /// Atypicality of each sample in [0, 1], from something that saw no labels.
    pub atypicality: Option<&'a [f64]>,
    /// Groups that are chosen from apart.
    pub partition: Partition<'a>,
}

/// Of the admitted samples of each group at most the part `fraction` and at most as many as its priors
/// add up to (or the part `at_least`), in ascending order:
///
/// max Σᵢ cᵢ max_{j∈S} (d₀ − dᵢⱼ) + λ Σ_{j∈S} uⱼ over S ⊂ A, distances d in features.
///
/// Admitted (A) is what has a clean prior of at least the threshold, and of each group in any case the
/// highest priors: the part `at_least`, and with `expected` as many as the priors add up to.
///
/// Priors count in steps of 10⁻⁹; of equal ones the higher signal comes first, then the lower id. A
/// group in which no sample is admitted gives none. Runs on rayon's current pool; the result does not
/// depend on it.
///
/// # Errors
/// Unequal lengths, priors or settings out of range, or a gate that admits no sample at all.
pub fn gated(of: Gated<'_>, gate: Gate) -> Result<Vec<usize>, CoresetError> {
    let len = of.clean.len();
    same_length(("priors", len), ("features", of.features.rows()))?;
    let unit = |what: &'static str, values: &[f64]| {
        let wrong = values.iter().position(|x| !(0.0..=1.0).contains(x));
        wrong.map_or(Ok(()), |id| {
            let reason = format!("{} of sample {id} is not in [0, 1]", values[id]);
            Err(CoresetError::setting(what, reason))
        })
    };
    unit("clean prior", of.clean)?;
    if let Some(signal) = of.signal {
        same_length(("priors", len), ("signals", signal.len()))?;
    }
    if let Some(atypicality) = of.atypicality {
        same_length(("priors", len), ("atypicality", atypicality.len()))?;
        unit("atypicality", atypicality)?;
    }
    unit("threshold", &[gate.threshold])?;
    if !(gate.fraction > 0.0 && gate.fraction <= 1.0) {
        let reason = format!("{} is not in (0, 1]", gate.fraction);
        return Err(CoresetError::setting("fraction", reason));
    }
    if !(gate.bonus >= 0.0 && gate.bonus.is_finite()) {
        let reason = format!("{} is not at least 0", gate.bonus);
        return Err(CoresetError::setting("bonus", reason));
    }
    unit("at_least", &[gate.at_least])?;
    let groups = of.partition.groups(len, gate.seed)?;
    let clean: Vec<f64> = of
        .clean
        .iter()
        .map(|c| (c * STEPS).round() / STEPS)
        .collect();
    let signal = |id: usize| {
        let known = of.signal.map(|signal| signal[id]).filter(|x| !x.is_nan());
        known.unwrap_or(f64::NEG_INFINITY)
    };
    let mut admitted: Vec<bool> = clean.iter().map(|c| *c >= gate.threshold).collect();
    for ids in &groups {
        let mut least = (gate.at_least * ids.len() as f64).ceil() as usize;
        if gate.expected {
            least = least.max(expected(ids, &clean).round() as usize);
        }
        let mut order = ids.clone();
        order.sort_by(|a, b| {
            let by_prior = clean[*b].total_cmp(&clean[*a]);
            let by_signal = signal(*b).total_cmp(&signal(*a));
            by_prior.then(by_signal).then(a.cmp(b))
        });
        order.iter().take(least).for_each(|id| admitted[*id] = true);
    }
    if !admitted.contains(&true) {
        let highest = of.clean.iter().copied().fold(0.0, f64::max);
        let reason = format!(
            "{} admits none of {len} samples; the highest clean prior is {highest:.3}: lower it, or \
             add a signal",
            gate.threshold
        );
        return Err(CoresetError::setting("threshold", reason));
    }
    let bonus: Option<Vec<f64>> = of
        .atypicality
        .filter(|_| gate.bonus > 0.0)
        .map(|u| u.iter().map(|u| gate.bonus * u).collect());
    let parts: Vec<Vec<usize>> = groups
        .par_iter()
        .enumerate()
        .map(|(number, ids)| {
            let cover = Cover {
                rows: of.features,
                ids,
                demand: &clean,
                admitted: &admitted,
                bonus: bonus.as_deref(),
                memory: share(gate.memory, groups.len(), rayon::current_num_threads()),
            };
            of_group(&cover, &gate, number)
        })
        .collect();
    let mut chosen: Vec<usize> = parts.into_iter().flatten().collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// The number of labels that `scores` `[n, classes]` are about.
///
/// # Errors
/// Unequal lengths, or a label without a score, with the sample's id.
fn scored_classes(scores: &[f32], labels: &[u32]) -> Result<usize, CoresetError> {
    let classes = scores.len() / labels.len().max(1);
    same_length(
        ("scores", scores.len()),
        ("labels times classes", classes * labels.len()),
    )?;
    if let Some(id) = labels.iter().position(|label| *label as usize >= classes) {
        let reason = format!("the label {} of sample {id} has no score", labels[id]);
        return Err(CoresetError::setting("labels", reason));
    }
    Ok(classes)
}

/// Bytes of each group, where as many are chosen from at a time as there are threads for.
fn share(memory: u64, groups: usize, threads: usize) -> u64 {
    memory / groups.min(threads).max(1) as u64
}

/// How many labels of a group are right, as its priors have it. Whole steps: a sum that no order of the
/// samples changes.
fn expected(ids: &[usize], clean: &[f64]) -> f64 {
    let steps = |id: &usize| (clean[*id] * STEPS).round() as u64;
    ids.iter().map(steps).sum::<u64>() as f64 / STEPS
}

fn of_group(cover: &Cover<'_>, gate: &Gate, number: usize) -> Vec<usize> {
    let open = cover.open();
    let right = expected(cover.ids, cover.demand);
    let least = (gate.at_least * cover.ids.len() as f64).ceil();
    let most = right.max(least).min(gate.fraction * cover.ids.len() as f64);
    let most = most.round() as usize;
    let count = most
        .clamp(usize::from(!open.is_empty()), open.len().max(1))
        .min(open.len());
    match gate.fill {
        Fill::All => open,
        Fill::Cover => cover.choose(count),
        Fill::Random => Purpose::Subset
            .draws(gate.seed, number as u64)
            .chosen_wide(&open, count),
    }
}

/// Priors exchanged at random within each class: the falsifier that leaves sizes as they are and takes
/// all knowledge of single samples away.
pub fn permuted_within(priors: &[f64], classes: &[u32], seed: u64) -> Vec<f64> {
    let mut groups: Vec<(u32, usize)> = classes.iter().copied().zip(0..priors.len()).collect();
    groups.sort_unstable();
    let mut permuted = priors.to_vec();
    for (number, group) in groups.chunk_by(|a, b| a.0 == b.0).enumerate() {
        let ids: Vec<usize> = group.iter().map(|(_, id)| *id).collect();
        let from = Purpose::Permutation
            .draws(seed, number as u64)
            .chosen_wide(&ids, ids.len());
        for (to, from) in ids.iter().zip(from) {
            permuted[*to] = priors[from];
        }
    }
    permuted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(fraction: f64, fill: Fill) -> Gate {
        Gate {
            threshold: 0.5,
            at_least: 0.0,
            expected: false,
            fraction,
            fill,
            bonus: 0.0,
            memory: 1 << 20,
            seed: 3,
        }
    }

    #[test]
    fn size_follows_the_priors_and_empty_groups_give_none() -> Result<(), CoresetError> {
        let features = Matrix::new("features", 8, 1, (0..8).map(|x| x as f32).collect())?;
        let labels = [0, 0, 0, 0, 1, 1, 2, 5];
        // Class 0: priors add up to 2.4; class 1 none admitted; classes of one.
        let clean = [0.9, 0.8, 0.6, 0.1, 0.4, 0.4, 0.9, 0.1];
        let of = Gated {
            features: &features,
            clean: &clean,
            signal: None,
            atypicality: None,
            partition: Partition::Classes(&labels),
        };
        assert_eq!(gated(of, gate(1.0, Fill::Cover))?.len(), 3);
        assert_eq!(gated(of, gate(1.0, Fill::All))?, [0, 1, 2, 6]);
        assert_eq!(gated(of, gate(0.25, Fill::Random))?.len(), 2);
        // 2.4, 0.8, 0.9 and 0.1 are expected to be right.
        let expected = Gate {
            threshold: 0.95,
            expected: true,
            ..gate(1.0, Fill::All)
        };
        assert_eq!(gated(of, expected)?, [0, 1, 4, 6]);
        let none = Gated {
            clean: &[0.2; 8],
            ..of
        };
        let half = Gate {
            at_least: 0.5,
            ..gate(1.0, Fill::All)
        };
        assert_eq!(gated(none, half)?, [0, 1, 4, 6, 7]);
        let error = gated(none, gate(0.5, Fill::Cover)).map(|_| ());
        assert!(error.is_err_and(|e| e.to_string().contains("highest clean prior is 0.200")));
        let broken = Gated {
            clean: &[f64::NAN; 8],
            ..of
        };
        let error = gated(broken, gate(0.5, Fill::Cover)).map(|_| ());
        assert!(error.is_err_and(|e| e.to_string().contains("sample 0")));
        Ok(())
    }

    #[test]
    fn everything_clean_and_the_whole_fraction_is_everything() -> Result<(), CoresetError> {
        let features = Matrix::new("features", 4, 1, vec![0.0, 1.0, 5.0, 6.0])?;
        let of = Gated {
            features: &features,
            clean: &[1.0; 4],
            signal: None,
            atypicality: None,
            partition: Partition::None,
        };
        for fill in [Fill::Cover, Fill::Random, Fill::All] {
            assert_eq!(gated(of, gate(1.0, fill))?, [0, 1, 2, 3]);
        }
        assert_eq!(gated(of, gate(0.5, Fill::Cover))?.len(), 2);
        Ok(())
    }

    #[test]
    fn samples_in_another_order_give_the_same_samples() -> Result<(), CoresetError> {
        let order = [7usize, 2, 9, 4, 11, 0, 5, 10, 3, 8, 1, 6];
        let of = |ids: &[usize]| -> Result<Vec<usize>, CoresetError> {
            let rows = ids
                .iter()
                .flat_map(|id| [(*id as f32 * 2.3).sin(), *id as f32 / 7.0]);
            let features = Matrix::new("features", ids.len(), 2, rows.collect())?;
            let clean: Vec<f64> = ids
                .iter()
                .map(|id| ((*id * 5) % 12) as f64 / 12.0)
                .collect();
            let labels: Vec<u32> = ids.iter().map(|id| (*id % 2) as u32).collect();
            let of = Gated {
                features: &features,
                clean: &clean,
                signal: None,
                atypicality: None,
                partition: Partition::Classes(&labels),
            };
            let half = Gate {
                threshold: 0.3,
                at_least: 0.2,
                ..gate(0.5, Fill::Cover)
            };
            let mut chosen: Vec<usize> = gated(of, half)?.iter().map(|place| ids[*place]).collect();
            chosen.sort_unstable();
            Ok(chosen)
        };
        let straight: Vec<usize> = (0..12).collect();
        assert_eq!(of(&straight)?, of(&order)?);
        assert_eq!(of(&order)?.len(), 6);
        Ok(())
    }

    #[test]
    fn permuting_keeps_each_class_s_priors() {
        let priors: Vec<f64> = (0..100).map(f64::from).collect();
        let classes: Vec<u32> = (0..100).map(|i| i % 3).collect();
        let permuted = permuted_within(&priors, &classes, 1);
        assert_ne!(permuted, priors);
        for class in 0..3 {
            let of = |values: &[f64]| {
                let mut own: Vec<u64> = (0..100)
                    .filter(|i| classes[*i] == class)
                    .map(|i| values[i] as u64)
                    .collect();
                own.sort_unstable();
                own
            };
            assert_eq!(of(&permuted), of(&priors));
        }
    }

    #[test]
    fn equal_priors_are_told_apart_by_the_signal_and_rounding_does_not_count()
    -> Result<(), CoresetError> {
        let features = Matrix::new("features", 4, 1, vec![0.0; 4])?;
        let least = Gate {
            threshold: 1.0,
            at_least: 0.5,
            ..gate(1.0, Fill::All)
        };
        let of = Gated {
            features: &features,
            clean: &[0.4, 0.4 + 1e-15, 0.4 - 1e-15, 0.4 + 1e-15],
            signal: Some(&[1.0, f64::NAN, 3.0, 2.0]),
            atypicality: None,
            partition: Partition::None,
        };
        assert_eq!(gated(of, least)?, [2, 3]);
        let blind = Gated { signal: None, ..of };
        assert_eq!(gated(blind, least)?, [0, 1]);
        // A prior that is the threshold but for rounding reaches it.
        let reached = Gate {
            threshold: 0.4,
            ..least
        };
        assert_eq!(gated(of, reached)?, [0, 1, 2, 3]);
        Ok(())
    }

    #[test]
    fn groups_at_a_time_share_the_memory() {
        assert_eq!(share(1 << 30, 10, 4), 1 << 28);
        assert_eq!(share(1 << 30, 2, 4), 1 << 29);
        assert_eq!(share(1 << 30, 0, 4), 1 << 30);
    }
}
