//! Chosen samples mixed with others: mixup within clusters or labels.

use std::collections::BTreeMap;

use afterimage_hooks::random::{Generator, RandomKey};

use super::choices::Mixup;

/// What each sample of a batch is mixed with.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Mix {
    /// Partners, by id.
    pub(super) partners: Vec<u32>,
    /// The part of the sample itself, in [0, 1].
    pub(super) lambda: Vec<f32>,
}

/// The samples of each of `labels`, by label.
pub(super) fn by_label(labels: &[u32]) -> BTreeMap<u32, Vec<u32>> {
    let mut samples: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (id, label) in (0u32..).zip(labels) {
        samples.entry(*label).or_default().push(id);
    }
    samples
}

/// Partners and parts of the samples `ids`: from `pools`, the members of each chosen sample's own cluster
/// or the samples of each label, with λ ~ Beta(`beta`).
pub(super) fn draw(
    mixup: Mixup,
    ids: &[u32],
    labels: &[u32],
    pools: &BTreeMap<u32, Vec<u32>>,
    beta: [f64; 2],
    key: RandomKey,
) -> Mix {
    let of_batch = draw_beta(&mut key.view(1).generator(), beta);
    let mut mix = Mix::default();
    for (row, id) in (0u32..).zip(ids) {
        let mut generator = key.view(2).sample(row).generator();
        let pool = match mixup {
            Mixup::Label => labels.get(*id as usize).and_then(|label| pools.get(label)),
            Mixup::Cluster => pools.get(id),
            Mixup::None => None,
        };
        let partner = pool.filter(|pool| !pool.is_empty()).map_or(*id, |pool| {
            pool[generator.below(pool.len() as u32) as usize]
        });
        mix.partners.push(partner);
        mix.lambda.push(match mixup {
            Mixup::Label => of_batch as f32,
            Mixup::Cluster => draw_beta(&mut generator, beta) as f32,
            Mixup::None => 1.0,
        });
    }
    mix
}

/// A Beta(a, b) number by Jöhnk's rejection (1964), for parameters of at most 4.
fn draw_beta(generator: &mut Generator, [a, b]: [f64; 2]) -> f64 {
    loop {
        let x = generator.uniform().powf(1.0 / a);
        let y = generator.uniform().powf(1.0 / b);
        let sum = x + y;
        if sum > 0.0 && sum <= 1.0 {
            return x / sum;
        }
    }
}

#[cfg(test)]
mod tests {
    use afterimage_hooks::random::Stream;

    use super::*;

    #[test]
    fn lambda_has_the_moments_of_its_distribution() {
        let mut generator = RandomKey::new(2, Stream::Plugin).generator();
        for [a, b] in [[1.0, 0.1], [1.0, 1.0], [0.5, 0.5], [4.0, 2.0]] {
            let n = 20_000;
            let drawn: Vec<f64> = (0..n).map(|_| draw_beta(&mut generator, [a, b])).collect();
            let mean = drawn.iter().sum::<f64>() / n as f64;
            let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
            let expected = a * b / ((a + b).powi(2) * (a + b + 1.0));
            assert!((mean - a / (a + b)).abs() < 0.01, "{a} {b}: {mean}");
            assert!((variance - expected).abs() < 0.005, "{a} {b}: {variance}");
        }
    }

    #[test]
    fn partners_are_of_the_label_or_of_the_cluster() {
        let key = RandomKey::new(2, Stream::Plugin);
        let labels = [0, 1, 0, 1, 0, 1];
        let mix = draw(
            Mixup::Label,
            &[0, 1, 5],
            &labels,
            &by_label(&labels),
            [1.0, 1.0],
            key,
        );
        for (id, partner) in [0, 1, 5].iter().zip(&mix.partners) {
            assert_eq!(id % 2, partner % 2);
        }
        assert!(mix.lambda.windows(2).all(|pair| pair[0] == pair[1]));
        let clusters = BTreeMap::from([(0, vec![0, 3]), (5, vec![4])]);
        let mix = draw(
            Mixup::Cluster,
            &[0, 5, 2],
            &labels,
            &clusters,
            [1.0, 1.0],
            key,
        );
        assert!([0, 3].contains(&mix.partners[0]));
        assert_eq!(mix.partners[1..], [4, 2]);
        assert!(mix.lambda[0] != mix.lambda[1]);
    }
}
