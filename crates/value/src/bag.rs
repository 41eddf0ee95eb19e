//! What a learner sees: a bootstrap of the rows and a subset of the columns.

use crate::draw::Purpose;

/// How often each of `weights.len()` places is drawn in as many draws with replacement.
pub(crate) fn draw_bag(seed: u64, learner: u32, weights: &mut [u16]) {
    weights.fill(0);
    let mut draws = Purpose::Bag.draws(seed, learner);
    let rows = weights.len() as u32;
    for _ in 0..rows {
        let weight = &mut weights[draws.below(rows) as usize];
        *weight = weight.saturating_add(1);
    }
}

/// `size` of the columns, in ascending order.
pub(crate) fn draw_subset(seed: u64, learner: u32, columns: &[usize], size: usize) -> Vec<usize> {
    let mut subset = columns.to_vec();
    Purpose::Subset
        .draws(seed, learner)
        .choose(&mut subset, size);
    subset.truncate(size);
    subset.sort_unstable();
    subset
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bag_has_as_many_draws_as_rows_and_leaves_a_share_of_e_out() {
        let mut weights = vec![0; 5000];
        let mut out = 0;
        for learner in 0..20 {
            draw_bag(7, learner, &mut weights);
            assert_eq!(weights.iter().map(|&w| u32::from(w)).sum::<u32>(), 5000);
            out += weights.iter().filter(|&&w| w == 0).count();
        }
        let share = out as f64 / 100_000.0;
        assert!((share - 0.368).abs() < 0.005, "{share}");
    }

    #[test]
    fn every_column_is_drawn_equally_often() {
        let columns: Vec<usize> = (0..10).collect();
        let mut counts = [0; 10];
        for learner in 0..2000 {
            let subset = draw_subset(1, learner, &columns, 5);
            assert!(subset.len() == 5 && subset.is_sorted());
            subset.iter().for_each(|&c| counts[c] += 1);
        }
        assert!(
            counts.iter().all(|&c: &i32| (c - 1000).abs() < 100),
            "{counts:?}"
        );
    }
}
