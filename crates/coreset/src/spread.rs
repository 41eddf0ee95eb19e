//! Samples that stand for all because they lie evenly among them.

use crate::random::Purpose;

/// `count` of `0..len` in ascending order, one of each of as many equal stretches; all where there are no more.
///
/// Within its stretch each is drawn, so that what repeats in the order of samples, such as classes one after the
/// other, is not met at the same place again and again. The same for the same numbers.
///
/// # Examples
/// ```
/// let taken = afterimage_coreset::spread(100, 4);
/// assert!(taken.iter().zip(0..).all(|(place, stretch)| place / 25 == stretch));
/// assert_eq!(afterimage_coreset::spread(3, 4), [0, 1, 2]);
/// ```
pub fn spread(len: usize, count: usize) -> Vec<usize> {
    if len <= count {
        return (0..len).collect();
    }
    let mut draws = Purpose::Stretch.draws(0, 0);
    let start = |at: usize| (at as u128 * len as u128 / count as u128) as usize;
    (0..count)
        .map(|at| start(at) + draws.below_wide(start(at + 1) - start(at)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_period_of_the_samples_is_not_that_of_the_choice() {
        // Every fiftieth of 100,000 would be of one class of ten that take turns.
        let mut classes = [0; 10];
        for place in spread(100_000, 2000) {
            classes[place % 10] += 1;
        }
        assert!(
            classes.iter().all(|count| (140..260).contains(count)),
            "{classes:?}"
        );
    }

    proptest! {
        #[test]
        fn each_stretch_has_one(len in 0usize..5000, count in 0usize..300) {
            let taken = spread(len, count);
            prop_assert_eq!(taken.len(), len.min(count));
            prop_assert!(taken.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(taken.iter().all(|place| *place < len));
            if len > count {
                let stretch = |(at, place): (usize, &usize)| {
                    at * len / count <= *place && *place < (at + 1) * len / count
                };
                prop_assert!(taken.iter().enumerate().all(stretch));
            }
        }
    }
}
