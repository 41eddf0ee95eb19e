//! What the plugin knows of each training sample.

use afterimage_numeric::{log_sum_exp, softmax};
use serde::{Deserialize, Serialize};

/// Scores and features of all training samples as last seen, by id.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Store {
    samples: usize,
    /// Numbers a row; 0 until the first is known.
    pub(super) classes: usize,
    pub(super) width: usize,
    /// `[samples, classes]`; NaN where never seen.
    pub(super) logits: Vec<f32>,
    /// `[samples, width]`, likewise.
    pub(super) features: Vec<f32>,
    /// Mean loss over the epochs, newer ones weighing more; NaN where never seen.
    pub(super) losses: Vec<f32>,
    /// Step at which each sample was last seen, plus 1; 0 for never.
    pub(super) seen: Vec<u64>,
}

/// One sample's part of a forward pass.
pub(super) struct Row<'a> {
    pub(super) id: usize,
    pub(super) logits: Option<&'a [f32]>,
    pub(super) features: Option<&'a [f32]>,
    pub(super) label: Option<u32>,
}

impl Store {
    /// Room for `samples` samples of which nothing is known.
    pub(super) fn new(samples: usize) -> Self {
        Self {
            samples,
            losses: vec![f32::NAN; samples],
            seen: vec![0; samples],
            ..Self::default()
        }
    }

    /// Puts down what a forward pass at `step` said of a sample; `decay` is the part of the mean loss
    /// that stays.
    pub(super) fn put(&mut self, row: &Row<'_>, step: u64, decay: f64) {
        let Some(seen) = self.seen.get_mut(row.id) else {
            return;
        };
        *seen = step + 1;
        let of = |width: usize, values: Option<&[f32]>| values.is_some_and(|v| v.len() != width);
        if of(self.classes, row.logits) || of(self.width, row.features) {
            self.forget(row);
        }
        if let Some(logits) = row.logits {
            self.logits[row.id * self.classes..][..self.classes].copy_from_slice(logits);
            if let Some(label) = row.label {
                let loss = cross_entropy(logits, label);
                let before = f64::from(self.losses[row.id]);
                let mean = if before.is_nan() {
                    loss
                } else {
                    decay * before + (1.0 - decay) * loss
                };
                self.losses[row.id] = mean as f32;
            }
        }
        if let Some(features) = row.features {
            self.features[row.id * self.width..][..self.width].copy_from_slice(features);
        }
    }

    /// Makes room for rows as wide as `row`: at the first, and where a smaller network took the place of
    /// the last, whose rows say nothing of it.
    fn forget(&mut self, row: &Row<'_>) {
        let now = self.seen[row.id];
        self.classes = row.logits.map_or(0, <[f32]>::len);
        self.width = row.features.map_or(0, <[f32]>::len);
        self.logits = vec![f32::NAN; self.samples * self.classes];
        self.features = vec![f32::NAN; self.samples * self.width];
        self.seen = vec![0; self.samples];
        self.seen[row.id] = now;
    }

    /// The `count` samples seen longest ago, lower ids first among equals, and every sample that was
    /// never seen; ascending.
    pub(super) fn oldest(&self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.samples).collect();
        order.sort_by_key(|id| (self.seen[*id], *id));
        let never = self.seen.iter().filter(|seen| **seen == 0).count();
        order.truncate(count.max(never));
        order.sort_unstable();
        order
    }

    /// Probabilities of the classes less one for the label, of one sample.
    pub(super) fn residual(&self, id: usize, label: u32) -> Option<Vec<f64>> {
        let logits = self
            .logits
            .get(id * self.classes..(id + 1) * self.classes)?;
        let mut residual = wide(logits);
        softmax(&mut residual);
        *residual.get_mut(label as usize)? -= 1.0;
        Some(residual)
    }
}

fn cross_entropy(logits: &[f32], label: u32) -> f64 {
    let own = logits.get(label as usize).copied().unwrap_or(f32::NAN);
    log_sum_exp(&wide(logits)) - f64::from(own)
}

fn wide(logits: &[f32]) -> Vec<f64> {
    logits.iter().map(|x| f64::from(*x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_unseen_are_refreshed_first_and_the_never_seen_always() {
        let mut store = Store::new(5);
        for (id, step) in [(3, 9), (1, 2), (4, 2)] {
            let row = Row {
                id,
                logits: Some(&[0.0, 0.0]),
                features: None,
                label: Some(0),
            };
            store.put(&row, step, 0.5);
        }
        assert_eq!(store.oldest(0), [0, 2]);
        assert_eq!(store.oldest(3), [0, 1, 2]);
        assert_eq!(store.oldest(9), [0, 1, 2, 3, 4]);
        assert!((f64::from(store.losses[3]) - 2f64.ln()).abs() < 1e-6);
        assert!(store.losses[0].is_nan());
        let residual = store.residual(1, 1).unwrap_or_default();
        assert_eq!(residual, [0.5, -0.5]);
    }

    #[test]
    fn a_smaller_network_makes_all_unseen() {
        let mut store = Store::new(3);
        for (id, features) in [(0, vec![1.0, 2.0]), (1, vec![3.0, 4.0]), (2, vec![5.0])] {
            let row = Row {
                id,
                logits: None,
                features: Some(&features),
                label: None,
            };
            store.put(&row, 4, 0.5);
        }
        assert_eq!(store.width, 1);
        assert_eq!(store.features[2], 5.0);
        assert_eq!(store.oldest(0), [0, 1]);
    }

    #[test]
    fn a_mean_loss_forgets_by_its_decay() {
        let mut store = Store::new(1);
        for logits in [[0.0, 0.0], [800.0, 0.0]] {
            let row = Row {
                id: 0,
                logits: Some(&logits),
                features: None,
                label: Some(0),
            };
            store.put(&row, 1, 0.75);
        }
        assert!((f64::from(store.losses[0]) - 0.75 * 2f64.ln()).abs() < 1e-6);
    }
}
