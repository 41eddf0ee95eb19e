//! Which head learns from which sample, and which cells it sees: pure functions of counters.

use crate::draw::Purpose;

/// Smallest 32-bit draws that stand for counts of at least 1, 2, … under Poisson(1): ⌈2³²·P(X < k)⌉.
const COUNTS: [u32; 11] = [
    1_580_030_169,
    3_160_060_338,
    3_950_075_422,
    4_213_413_784,
    4_279_248_374,
    4_292_415_292,
    4_294_609_778,
    4_294_923_277,
    4_294_962_464,
    4_294_966_818,
    4_294_967_253,
];

/// How often each of `heads` heads learns from `sample`: independent Poisson(1) counts, 0 with
/// probability 1/e. They depend on (seed, sample, head) alone: on no order, batch, epoch or thread,
/// and not on how many other heads there are.
pub fn bag(seed: u64, sample: u32, heads: usize) -> impl Iterator<Item = u8> {
    let mut draws = Purpose::OnlineBag.draws_at(seed, u64::from(sample), 0);
    (0..heads).map(move |_| {
        let bits = draws.bits();
        COUNTS.iter().take_while(|&&least| bits >= least).count() as u8
    })
}

/// Which `size` of `cells` cells each of `heads` heads sees at `step`: `[heads, cells]`, 1 for seen.
pub fn masks(seed: u64, step: u64, heads: usize, cells: usize, size: usize) -> Vec<u8> {
    let mut all = vec![0; heads * cells];
    let mut order: Vec<u32> = Vec::with_capacity(cells);
    for (mask, head) in all.chunks_exact_mut(cells.max(1)).zip(0..) {
        order.clear();
        order.extend(0..cells as u32);
        Purpose::OnlineMask
            .draws_at(seed, step, head)
            .choose(&mut order, size);
        let seen = order.iter().take(size);
        seen.for_each(|&cell| mask[cell as usize] = 1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_poisson_law() {
        let (mut term, mut below) = ((-1f64).exp(), 0.0);
        for (k, &least) in (1..).zip(&COUNTS) {
            below += term;
            term /= f64::from(k);
            assert_eq!(f64::from(least), (below * 2f64.powi(32)).ceil(), "{k}");
        }
    }

    #[test]
    fn a_bag_leaves_one_in_e_out_and_counts_one_on_average() {
        let counts: Vec<u8> = (0..20_000).flat_map(|id| bag(7, id, 32)).collect();
        let share = |of: u8| counts.iter().filter(|&&c| c == of).count() as f64 / 640_000.0;
        assert!((share(0) - 0.368).abs() < 0.005, "{}", share(0));
        assert!((share(1) - 0.368).abs() < 0.005, "{}", share(1));
        assert!((share(2) - 0.184).abs() < 0.005, "{}", share(2));
        let mean = counts.iter().map(|&c| f64::from(c)).sum::<f64>() / 640_000.0;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
    }

    #[test]
    fn fewer_heads_have_the_same_bags() {
        let few: Vec<u8> = bag(3, 9, 8).collect();
        let many: Vec<u8> = bag(3, 9, 40).collect();
        assert_eq!(few, many[..8]);
        assert_ne!(
            bag(3, 9, 64).collect::<Vec<_>>(),
            bag(3, 10, 64).collect::<Vec<_>>()
        );
        assert_ne!(
            bag(3, 9, 64).collect::<Vec<_>>(),
            bag(4, 9, 64).collect::<Vec<_>>()
        );
    }

    #[test]
    fn masks_have_one_size_and_change_with_step_and_head() {
        let drawn = masks(1, 5, 4, 20, 10);
        assert_eq!(drawn, masks(1, 5, 4, 20, 10));
        assert_ne!(drawn, masks(1, 6, 4, 20, 10));
        for mask in drawn.chunks_exact(20) {
            assert_eq!(mask.iter().map(|&m| u32::from(m)).sum::<u32>(), 10);
        }
        assert_ne!(drawn[..20], drawn[20..40]);
        let often: Vec<u32> = (0..2000).fold(vec![0; 20], |mut sums, step| {
            let mask = masks(1, step, 1, 20, 5);
            sums.iter_mut()
                .zip(mask)
                .for_each(|(s, m)| *s += u32::from(m));
            sums
        });
        assert!(often.iter().all(|c| c.abs_diff(500) < 100), "{often:?}");
    }
}
