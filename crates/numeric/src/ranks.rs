//! Places in the order of values.

/// Ranks of `values` as numbers from 0 (lowest) to 1 (highest); equal values share their mean rank, and
/// what is not a finite number is in the middle, as if unknown. One value alone has rank 0.
///
/// # Examples
/// ```
/// let ranks = afterimage_numeric::ranks(&[3.0, 1.0, 2.0, 2.0]);
/// assert_eq!(ranks, [1.0, 0.0, 0.5, 0.5]);
/// ```
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len())
        .filter(|i| values[*i].is_finite())
        .collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let top = order.len().saturating_sub(1).max(1) as f64;
    let mut ranks = vec![0.5; values.len()];
    let mut place = 0;
    for tied in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let middle = place as f64 + (tied.len() - 1) as f64 / 2.0;
        tied.iter().for_each(|id| ranks[*id] = middle / top);
        place += tied.len();
    }
    ranks
}

/// The mean over `lists` of the [`ranks`] at each of `count` places; `None` without a list. Ranks let scores of
/// different kinds stand beside each other.
pub fn mean_ranks(lists: &[impl AsRef<[f64]>], count: usize) -> Option<Vec<f64>> {
    if lists.is_empty() {
        return None;
    }
    let mut sums = vec![0.0; count];
    for list in lists {
        let ranks = ranks(list.as_ref());
        let pairs = sums.iter_mut().zip(ranks);
        pairs.for_each(|(sum, rank)| *sum += rank);
    }
    sums.iter_mut().for_each(|sum| *sum /= lists.len() as f64);
    Some(sums)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranks_are_shared_by_equals_and_the_unknown_is_in_the_middle() {
        assert_eq!(
            ranks(&[3.0, 1.0, f64::NAN, 1.0, 9.0]),
            [2.0 / 3.0, 0.5 / 3.0, 0.5, 0.5 / 3.0, 1.0]
        );
        assert_eq!(ranks(&[]), Vec::<f64>::new());
        assert_eq!(ranks(&[4.0]), [0.0]);
        assert_eq!(ranks(&[0.0, -0.0]), [0.5, 0.5]);
    }

    #[test]
    fn ranks_of_lists_are_averaged() {
        let lists = [[1.0, 2.0, 3.0], [9.0, 7.0, 8.0]];
        assert_eq!(mean_ranks(&lists, 3), Some(vec![0.5, 0.25, 0.75]));
        assert_eq!(mean_ranks(&[[0.0f64; 0]; 0], 3), None);
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_the_definition(scores in prop::collection::vec(-3i8..3, 2..9)) {
            let scores: Vec<f64> = scores.into_iter().map(f64::from).collect();
            let found = ranks(&scores);
            for (x, rank) in scores.iter().zip(&found) {
                let below = scores.iter().filter(|y| *y < x).count() as f64;
                let equal = scores.iter().filter(|y| *y == x).count() as f64;
                prop_assert_eq!(*rank, (below + (equal - 1.0) / 2.0) / (scores.len() - 1) as f64);
            }
            let negated: Vec<f64> = scores.iter().map(|x| -x).collect();
            for (rank, other) in found.into_iter().zip(ranks(&negated)) {
                prop_assert!((rank + other - 1.0).abs() < 1e-12);
            }
        }
    }
}
