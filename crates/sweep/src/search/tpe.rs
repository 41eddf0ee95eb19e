//! The tree-structured Parzen estimator for one aim (Bergstra, Bardenet, Bengio and Kégl 2011, "Algorithms for
//! Hyper-Parameter Optimization", §4), each key by itself.

use std::f64::consts::{PI, SQRT_2};

use super::draws::Draws;
use super::{Gene, Told};

/// Points that are drawn evenly before the first that is chosen.
pub(super) const EVEN: usize = 10;
/// Share of the points that count as good.
const GOOD: f64 = 0.15;
/// Values that are drawn for a key, of which one is taken.
const CANDIDATES: usize = 24;

/// What good points and the others have at each key.
#[derive(Debug)]
pub(super) struct Split<'a> {
    good: Vec<&'a [f64]>,
    rest: Vec<&'a [f64]>,
}

impl<'a> Split<'a> {
    /// The best of `told` and the rest; what is under way, and what has no loss, counts as the rest, so that points
    /// that are asked for together differ.
    pub(super) fn of(told: impl Iterator<Item = &'a Told>, open: &'a [Vec<f64>]) -> Self {
        let mut known: Vec<(&[f64], f64)> = Vec::new();
        let mut rest: Vec<&[f64]> = Vec::new();
        for one in told {
            match one.losses.as_ref().and_then(|losses| losses.first()) {
                Some(loss) => known.push((&one.point, *loss)),
                None => rest.push(&one.point),
            }
        }
        known.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        let good = (GOOD * known.len() as f64).ceil() as usize;
        rest.extend(known.iter().skip(good).map(|(point, _)| *point));
        rest.extend(open.iter().map(Vec::as_slice));
        Self {
            good: known.iter().take(good).map(|(point, _)| *point).collect(),
            rest,
        }
    }

    /// A point that is likelier among the good ones than among the rest.
    pub(super) fn point(&self, genes: &[Gene], draws: &mut Draws) -> Vec<f64> {
        let at = |points: &[&[f64]], key: usize| -> Vec<f64> {
            points
                .iter()
                .filter_map(|point| point.get(key).copied())
                .collect()
        };
        let genes = genes.iter().enumerate();
        genes
            .map(|(key, gene)| {
                let (good, rest) = (at(&self.good, key), at(&self.rest, key));
                match gene {
                    Gene::Number => {
                        let (good, rest) = (Mixture::of(good), Mixture::of(rest));
                        let draw = |draws: &mut Draws| good.draw(draws);
                        best(draws, draw, |x| good.density(x).ln() - rest.density(x).ln())
                    }
                    Gene::Choice(count) => {
                        let (good, rest) = (Counts::of(&good, *count), Counts::of(&rest, *count));
                        let draw = |draws: &mut Draws| good.draw(draws);
                        best(draws, draw, |x| good.share(x).ln() - rest.share(x).ln())
                    }
                }
            })
            .collect()
    }
}

/// The candidate of the highest worth, the first of several.
fn best(draws: &mut Draws, draw: impl Fn(&mut Draws) -> f64, worth: impl Fn(f64) -> f64) -> f64 {
    let mut found = (draw(draws), f64::NEG_INFINITY);
    found.1 = worth(found.0);
    for _ in 1..CANDIDATES {
        let x = draw(draws);
        let own = worth(x);
        if own > found.1 {
            found = (x, own);
        }
    }
    found.0
}

/// Normal distributions around numbers from 0 to 1, cut off outside, and a wide one for what was not seen.
#[derive(Debug)]
struct Mixture(Vec<(f64, f64)>);

impl Mixture {
    fn of(mut centres: Vec<f64>) -> Self {
        let least = 1.0 / (1.0 + centres.len() as f64).min(100.0);
        centres.push(0.5);
        centres.sort_by(f64::total_cmp);
        let at = |index: usize| centres.get(index).copied();
        let mut parts: Vec<(f64, f64)> = (0..centres.len())
            .map(|index| {
                let own = centres[index];
                let before = index.checked_sub(1).and_then(at).unwrap_or(0.0);
                let behind = at(index + 1).unwrap_or(1.0);
                (own, (own - before).max(behind - own).clamp(least, 1.0))
            })
            .collect();
        if let Some(wide) = parts.iter_mut().find(|(centre, _)| *centre == 0.5) {
            wide.1 = 1.0;
        }
        Self(parts)
    }

    fn draw(&self, draws: &mut Draws) -> f64 {
        let (centre, width) = self
            .0
            .get(draws.index(self.0.len()))
            .copied()
            .unwrap_or((0.5, 1.0));
        // At least a third of each lies inside.
        for _ in 0..64 {
            let x = centre + width * draws.normal();
            if (0.0..1.0).contains(&x) {
                return x;
            }
        }
        centre
    }

    fn density(&self, x: f64) -> f64 {
        let part = |&(centre, width): &(f64, f64)| {
            let inside = cumulative((1.0 - centre) / width) - cumulative(-centre / width);
            let z = (x - centre) / width;
            (-0.5 * z * z).exp() / ((2.0 * PI).sqrt() * width * inside.max(1e-12))
        };
        let sum: f64 = self.0.iter().map(part).sum();
        (sum / self.0.len().max(1) as f64).max(f64::MIN_POSITIVE)
    }
}

/// The standard normal distribution function, to 1e-7 (Abramowitz and Stegun, 7.1.26).
fn cumulative(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [
        1.061_405_429,
        -1.453_152_027,
        1.421_413_741,
        -0.284_496_736,
        0.254_829_592,
    ];
    let sum = series.iter().fold(0.0, |sum, a| (sum + a) * t);
    let erf = 1.0 - sum * (-x * x).exp();
    if z < 0.0 {
        0.5 * (1.0 - erf)
    } else {
        0.5 * (1.0 + erf)
    }
}

/// How often each of several choices was taken, and once more each.
#[derive(Debug)]
struct Counts(Vec<f64>);

impl Counts {
    fn of(points: &[f64], count: usize) -> Self {
        let mut counts = vec![1.0; count.max(1)];
        for &x in points {
            let at = place(x, counts.len());
            counts[at] += 1.0;
        }
        let all: f64 = counts.iter().sum();
        Self(counts.into_iter().map(|n| n / all).collect())
    }

    fn share(&self, x: f64) -> f64 {
        self.0[place(x, self.0.len())]
    }

    fn draw(&self, draws: &mut Draws) -> f64 {
        let mut left = draws.uniform();
        for (index, share) in self.0.iter().enumerate() {
            if left < *share {
                return (index as f64 + 0.5) / self.0.len() as f64;
            }
            left -= share;
        }
        1.0 - 0.5 / self.0.len() as f64
    }
}

fn place(x: f64, count: usize) -> usize {
    ((x * count as f64) as usize).min(count - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_function_is_that_of_the_tables() {
        for (z, p) in [
            (0.0, 0.5),
            (1.0, 0.841_344_7),
            (-1.96, 0.024_997_9),
            (3.0, 0.998_650_1),
        ] {
            assert!((cumulative(z) - p).abs() < 2e-7, "{z}: {}", cumulative(z));
        }
    }

    #[test]
    fn densities_add_up_to_one_and_counts_too() {
        for centres in [vec![], vec![0.0], vec![0.1, 0.1, 0.9], vec![0.5, 1.0]] {
            let mixture = Mixture::of(centres);
            let steps = 20_000;
            let sum: f64 = (0..steps)
                .map(|i| mixture.density((f64::from(i) + 0.5) / f64::from(steps)))
                .sum();
            assert!((sum / f64::from(steps) - 1.0).abs() < 1e-4, "{sum}");
        }
        let counts = Counts::of(&[0.1, 0.2, 0.9], 3);
        assert_eq!(counts.0, [0.5, 1.0 / 6.0, 2.0 / 6.0]);
    }
}
