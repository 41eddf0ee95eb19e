//! A mixture of two components in each signal: where labels are wrong, and where they are right.

/// The least spread of a signal within a component, in units of its spread over all samples.
const FLOOR: f64 = 0.1;
/// A distance of two components, in units of their spread, that rounding alone can make: they are held
/// to be one.
const LEAST_GAP: f64 = 1e-6;
/// Samples of the average class that each class is thought to hold beside its own.
const PSEUDO: f64 = 10.0;

/// One signal's two components.
#[derive(Debug, Clone, Copy)]
struct Components {
    /// Mean where the label is wrong.
    wrong: f64,
    /// Mean where it is right, at an atypicality of 0.
    right: f64,
    /// Change of that mean with atypicality; at most 0.
    slope: f64,
    variance: f64,
}

impl Components {
    /// How much higher the mean of right labels is than that of wrong ones, at an atypicality of `u`;
    /// never less than 0, where a signal would speak against what it speaks for.
    fn gap(&self, u: f64) -> f64 {
        let gap = self.right + self.slope * u - self.wrong;
        if gap < LEAST_GAP * self.variance.sqrt() {
            0.0
        } else {
            gap
        }
    }
}

pub(super) struct Mixture<'a> {
    signals: &'a [Vec<f64>],
    classes: Vec<usize>,
    atypicality: Option<&'a [f64]>,
    /// The probability before any signal, away from 0 and 1 so that signals can have their say.
    known: Option<Vec<f64>>,
    /// The present probability that each label is right.
    pub(super) clean: Vec<f64>,
    /// Share of right labels of each class.
    shares: Vec<f64>,
    components: Vec<Components>,
}

impl<'a> Mixture<'a> {
    pub(super) fn start(
        signals: &'a [Vec<f64>],
        classes: &[u32],
        known: Option<&[f64]>,
        atypicality: Option<&'a [f64]>,
    ) -> Self {
        let mut names: Vec<u32> = classes.to_vec();
        names.sort_unstable();
        names.dedup();
        let place = |class: &u32| names.binary_search(class).unwrap_or_default();
        // Before anything is known: right where signals are high together.
        let first = |sample: usize| {
            let known = signals.iter().map(|s| s[sample]).filter(|x| !x.is_nan());
            let (sum, count) = known.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
            1.0 / (1.0 + (-3.0 * sum / f64::max(count, 1.0)).exp())
        };
        let known: Option<Vec<f64>> =
            known.map(|known| known.iter().map(|c| c.clamp(0.02, 0.98)).collect());
        Self {
            signals,
            classes: classes.iter().map(place).collect(),
            atypicality,
            clean: match &known {
                Some(known) => known.clone(),
                None => (0..classes.len()).map(first).collect(),
            },
            known,
            shares: vec![0.5; names.len()],
            components: Vec::new(),
        }
    }

    pub(super) fn maximize(&mut self) {
        let mean = self.clean.iter().sum::<f64>() / self.clean.len().max(1) as f64;
        let mut right = vec![PSEUDO * mean; self.shares.len()];
        let mut all = vec![PSEUDO; self.shares.len()];
        for (class, clean) in self.classes.iter().zip(&self.clean) {
            right[*class] += clean;
            all[*class] += 1.0;
        }
        let shares = right.iter().zip(&all).map(|(right, all)| right / all);
        self.shares = shares.map(|share| share.clamp(1e-3, 1.0 - 1e-3)).collect();
        self.components = self.signals.iter().map(|s| self.components_of(s)).collect();
    }

    fn components_of(&self, signal: &[f64]) -> Components {
        // Sums weighted by right and wrong; with atypicality a weighted line through the right ones.
        let (mut wrong, mut wrongs) = (0.0, 1e-9);
        let (mut w, mut wx, mut wu, mut wux, mut wuu) = (1e-9, 0.0, 0.0, 0.0, 0.0);
        for (sample, x) in known(signal) {
            let clean = self.clean[sample];
            let u = self.atypicality.map_or(0.0, |u| u[sample]);
            wrong += (1.0 - clean) * x;
            wrongs += 1.0 - clean;
            w += clean;
            wx += clean * x;
            wu += clean * u;
            wux += clean * u * x;
            wuu += clean * u * u;
        }
        let spread = wuu - wu * wu / w;
        let slope = if spread > 1e-6 * w {
            (wux - wu * wx / w) / spread
        } else {
            0.0
        };
        let slope = slope.min(0.0);
        let wrong = wrong / wrongs;
        let right = ((wx - slope * wu) / w).max(wrong);
        let (mut squares, mut count) = (0.0, 0.0);
        for (sample, x) in known(signal) {
            let clean = self.clean[sample];
            let u = self.atypicality.map_or(0.0, |u| u[sample]);
            let level = (right + slope * u).max(wrong);
            squares += clean * (x - level).powi(2) + (1.0 - clean) * (x - wrong).powi(2);
            count += 1.0;
        }
        Components {
            wrong,
            right,
            slope,
            variance: (squares / f64::max(count, 1.0)).max(FLOOR * FLOOR),
        }
    }

    /// New probabilities; returns the mean log-likelihood.
    pub(super) fn expect(&mut self) -> f64 {
        let mut total = 0.0;
        for sample in 0..self.clean.len() {
            let share = match &self.known {
                Some(known) => known[sample],
                None => self.shares[self.classes[sample]],
            };
            // The log-likelihood if wrong, and how much more likely it is if right: a line in the signal,
            // because both components have one variance, and so the posterior is monotone.
            let (mut wrong, mut odds) = ((1.0 - share).ln(), (share / (1.0 - share)).ln());
            for (signal, c) in self.signals.iter().zip(&self.components) {
                let x = signal[sample];
                if x.is_nan() {
                    continue;
                }
                let gap = c.gap(self.atypicality.map_or(0.0, |u| u[sample]));
                let above = x - c.wrong;
                wrong -= 0.5 * (c.variance.ln() + above.powi(2) / c.variance);
                odds += gap * (above - gap / 2.0) / c.variance;
            }
            self.clean[sample] = 1.0 / (1.0 + (-odds).exp());
            total += wrong + odds.max(0.0) + (-odds.abs()).exp().ln_1p();
        }
        total / self.clean.len().max(1) as f64
    }

    /// Whether any signal tells right from wrong for any sample.
    pub(super) fn tells(&self) -> bool {
        let lowest = |u: &[f64]| u.iter().copied().fold(f64::INFINITY, f64::min);
        let most_typical = self.atypicality.map_or(0.0, lowest);
        self.components.iter().any(|c| c.gap(most_typical) > 0.0)
    }

    pub(super) fn separation(&self) -> f64 {
        let each = self.components.iter();
        let sum: f64 = each.map(|c| (c.right - c.wrong) / c.variance.sqrt()).sum();
        sum / self.components.len().max(1) as f64
    }
}

fn known(signal: &[f64]) -> impl Iterator<Item = (usize, f64)> {
    let each = signal.iter().copied().enumerate();
    each.filter(|(_, x)| !x.is_nan())
}
