//! Groups of samples that are selected from apart, and their shares of the budget.

use crate::error::CoresetError;
use crate::kmeans::k_means;
use crate::matrix::LentMatrix;

/// What samples are grouped by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Partition<'a> {
    /// All samples together.
    None,
    /// By observed label, or by the network's prediction, one a sample: the paper's better variant.
    Classes(&'a [u32]),
    /// By k-means clusters of these rows.
    Clusters {
        /// Rows `[n, d]`.
        rows: &'a LentMatrix<'a>,
        /// Number of clusters.
        count: usize,
    },
}

impl Partition<'_> {
    /// The groups of `len` samples, by class or cluster; positions ascend, no group is empty.
    ///
    /// # Errors
    /// A number of labels or rows other than `len`, or no cluster.
    pub fn groups(&self, len: usize, seed: u64) -> Result<Vec<Vec<usize>>, CoresetError> {
        let classes = match self {
            Self::None => vec![0; len],
            Self::Classes(labels) => {
                crate::points::same_length(("samples", len), ("labels", labels.len()))?;
                labels.to_vec()
            }
            Self::Clusters { rows, count } => {
                crate::points::same_length(("samples", len), ("rows to cluster", rows.rows()))?;
                if *count == 0 {
                    return Err(CoresetError::setting("clusters", "must be at least 1"));
                }
                k_means(rows, *count, seed).of
            }
        };
        let mut pairs: Vec<(u32, usize)> = classes.into_iter().zip(0..).collect();
        pairs.sort_unstable();
        let groups = pairs.chunk_by(|a, b| a.0 == b.0);
        Ok(groups
            .map(|group| group.iter().map(|(_, id)| *id).collect())
            .collect())
    }
}

/// How many samples are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budget {
    /// This part of all, in (0, 1], rounded to the nearest number.
    Fraction(f64),
    /// This many.
    Count(usize),
}

impl Budget {
    /// The number of samples out of `len`.
    ///
    /// # Errors
    /// A fraction outside of (0, 1] or one that comes to no sample; a count of 0 or above `len`.
    pub fn of(self, len: usize) -> Result<usize, CoresetError> {
        let bad = CoresetError::setting;
        match self {
            Self::Fraction(part) if !(part > 0.0 && part <= 1.0) => Err(bad(
                "fraction",
                format!("{part} is not in (0, 1]; write for example 0.1"),
            )),
            Self::Fraction(part) => match (part * len as f64).round() as usize {
                0 => Err(bad(
                    "fraction",
                    format!("{part} of {len} samples is not one sample; choose a larger one"),
                )),
                count => Ok(count.min(len)),
            },
            Self::Count(0) => Err(bad("count", "must be at least 1".to_owned())),
            Self::Count(count) if count > len => Err(bad(
                "count",
                format!("{count} of {len} samples cannot be chosen"),
            )),
            Self::Count(count) => Ok(count),
        }
    }
}

/// Shares of `total` in proportion to `sizes` by largest remainders, the earlier group at equal
/// remainders; every group has at least one if there is enough for all, and none above its size.
pub fn shares(sizes: &[usize], total: usize) -> Vec<usize> {
    let all: usize = sizes.iter().sum();
    let total = total.min(all);
    if all == 0 {
        return vec![0; sizes.len()];
    }
    let exact = |size: usize| size as u128 * total as u128;
    let mut shares: Vec<usize> = sizes
        .iter()
        .map(|size| (exact(*size) / all as u128) as usize)
        .collect();
    let mut order: Vec<usize> = (0..sizes.len()).collect();
    order.sort_by_key(|group| {
        (
            std::cmp::Reverse(exact(sizes[*group]) % all as u128),
            *group,
        )
    });
    let rest = total - shares.iter().sum::<usize>();
    order
        .iter()
        .take(rest)
        .for_each(|group| shares[*group] += 1);
    let filled = sizes.iter().filter(|size| **size > 0).count();
    if total >= filled {
        for group in 0..sizes.len() {
            if shares[group] == 0 && sizes[group] > 0 {
                // The largest share can spare one: there are at least as many as groups.
                let largest = (0..sizes.len()).rev().max_by_key(|other| shares[*other]);
                if let Some(largest) = largest {
                    shares[largest] -= 1;
                    shares[group] = 1;
                }
            }
        }
    }
    shares
}

/// Equal shares of `total`, whatever the sizes; what a small group cannot give the others give.
pub fn equal_shares(sizes: &[usize], total: usize) -> Vec<usize> {
    let mut shares = vec![0; sizes.len()];
    let mut left = total.min(sizes.iter().sum());
    while left > 0 {
        let open: Vec<usize> = (0..sizes.len())
            .filter(|group| shares[*group] < sizes[*group])
            .collect();
        let each = (left / open.len().max(1)).max(1);
        for group in open {
            let more = each.min(sizes[group] - shares[group]).min(left);
            shares[group] += more;
            left -= more;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_class_of_one_keeps_its_sample() {
        assert_eq!(shares(&[1, 99, 0], 10), [1, 9, 0]);
        assert_eq!(shares(&[5000; 10], 5000), [500; 10]);
        assert_eq!(shares(&[1, 1, 1], 2), [1, 1, 0]);
        assert_eq!(equal_shares(&[1, 10, 10], 9), [1, 4, 4]);
    }

    #[test]
    fn classes_need_not_follow_each_other() -> Result<(), CoresetError> {
        let groups = Partition::Classes(&[7, 0, 7, 3]).groups(4, 0)?;
        assert_eq!(groups, [vec![1], vec![3], vec![0, 2]]);
        assert!(Partition::Classes(&[7]).groups(4, 0).is_err());
        Ok(())
    }

    proptest! {
        #[test]
        fn shares_fill_the_budget_and_no_group_beyond_its_size(
            sizes in prop::collection::vec(0usize..50, 1..12), part in 0.0f64..=1.0,
        ) {
            let all: usize = sizes.iter().sum();
            let total = (all as f64 * part) as usize;
            for shares in [shares(&sizes, total), equal_shares(&sizes, total)] {
                prop_assert_eq!(shares.iter().sum::<usize>(), total);
                prop_assert!(shares.iter().zip(&sizes).all(|(share, size)| share <= size));
            }
        }
    }
}
