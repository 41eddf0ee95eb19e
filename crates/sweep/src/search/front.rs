//! Which of several results nothing beats, where there are several aims.
//!
//! Losses are lists of numbers, one an aim, of which less is better; all lists of a call have the same length and
//! hold no NaN.

/// Whether `a` is nowhere worse than `b` and somewhere better.
pub(crate) fn dominates(a: &[f64], b: &[f64]) -> bool {
    let mut better = false;
    for (a, b) in a.iter().zip(b) {
        if a > b {
            return false;
        }
        better |= a < b;
    }
    better
}

/// Of each whether no other dominates it.
pub(crate) fn front(losses: &[Vec<f64>]) -> Vec<bool> {
    // Whatever dominates another comes before it in the order of words.
    let mut order: Vec<usize> = (0..losses.len()).collect();
    order.sort_by(|&a, &b| by_words(&losses[a], &losses[b]));
    let mut found: Vec<usize> = Vec::new();
    let mut is_front = vec![false; losses.len()];
    for index in order {
        if found
            .iter()
            .all(|&other| !dominates(&losses[other], &losses[index]))
        {
            found.push(index);
            is_front[index] = true;
        }
    }
    is_front
}

fn by_words(a: &[f64], b: &[f64]) -> std::cmp::Ordering {
    let mut pairs = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    pairs
        .find(|order| order.is_ne())
        .unwrap_or(std::cmp::Ordering::Equal)
}

/// The rank of each: 0 on the front, 1 on the front of the rest, and so on (Deb et al. 2002, fast non-dominated
/// sorting).
pub(crate) fn ranks(losses: &[Vec<f64>]) -> Vec<usize> {
    let n = losses.len();
    let mut beaten_by = vec![0usize; n];
    let mut beats: Vec<Vec<usize>> = vec![Vec::new(); n];
    for a in 0..n {
        for b in 0..n {
            if dominates(&losses[a], &losses[b]) {
                beats[a].push(b);
                beaten_by[b] += 1;
            }
        }
    }
    let mut ranks = vec![0; n];
    let mut now: Vec<usize> = (0..n).filter(|&i| beaten_by[i] == 0).collect();
    let mut rank = 0;
    while !now.is_empty() {
        let mut next = Vec::new();
        for index in now {
            ranks[index] = rank;
            for &other in &beats[index] {
                beaten_by[other] -= 1;
                if beaten_by[other] == 0 {
                    next.push(other);
                }
            }
        }
        now = next;
        rank += 1;
    }
    ranks
}

/// How much room each has among `losses`, which are of one rank: the sum over aims of the distance between its two
/// neighbours, as a share of the span; infinite at the ends (Deb et al. 2002, crowding distance).
pub(crate) fn crowding(losses: &[&[f64]]) -> Vec<f64> {
    let mut room = vec![0.0; losses.len()];
    let aims = losses.first().map_or(0, |first| first.len());
    for aim in 0..aims {
        let mut order: Vec<usize> = (0..losses.len()).collect();
        order.sort_by(|&a, &b| losses[a][aim].total_cmp(&losses[b][aim]).then(a.cmp(&b)));
        let (Some(&first), Some(&last)) = (order.first(), order.last()) else {
            continue;
        };
        room[first] = f64::INFINITY;
        room[last] = f64::INFINITY;
        let span = losses[last][aim] - losses[first][aim];
        if span <= 0.0 {
            continue;
        }
        for three in order.windows(3) {
            let [before, at, behind] = three else {
                continue;
            };
            room[*at] += (losses[*behind][aim] - losses[*before][aim]) / span;
        }
    }
    room
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn losses() -> impl Strategy<Value = Vec<Vec<f64>>> {
        // Few values, so that many are equal.
        (1usize..4).prop_flat_map(|aims| {
            let one = prop::collection::vec((-3i8..4).prop_map(f64::from), aims);
            prop::collection::vec(one, 0..24)
        })
    }

    /// By the definition: take away what nothing left dominates, again and again.
    fn slow_ranks(losses: &[Vec<f64>]) -> Vec<usize> {
        let mut ranks = vec![usize::MAX; losses.len()];
        for rank in 0..losses.len() {
            let left: Vec<usize> = (0..losses.len())
                .filter(|&i| ranks[i] == usize::MAX)
                .collect();
            for &i in &left {
                if left.iter().all(|&j| !dominates(&losses[j], &losses[i])) {
                    ranks[i] = rank;
                }
            }
        }
        ranks
    }

    proptest! {
        #[test]
        fn ranks_are_those_of_the_definition(all in losses()) {
            let fast = ranks(&all);
            prop_assert_eq!(&fast, &slow_ranks(&all));
            let first: Vec<bool> = fast.iter().map(|&rank| rank == 0).collect();
            prop_assert_eq!(front(&all), first);
        }

        #[test]
        fn a_rising_scale_of_each_aim_changes_no_front(all in losses()) {
            let scaled: Vec<Vec<f64>> = all
                .iter()
                .map(|one| one.iter().enumerate().map(|(aim, x)| match aim {
                    0 => x.exp(),
                    1 => 1e6 * x - 3.0,
                    _ => x.powi(3),
                }).collect())
                .collect();
            prop_assert_eq!(ranks(&all), ranks(&scaled));
        }

        #[test]
        fn every_dominated_one_is_dominated_by_the_front(all in losses()) {
            let is_front = front(&all);
            for i in 0..all.len() {
                let beaten = (0..all.len()).any(|j| is_front[j] && dominates(&all[j], &all[i]));
                prop_assert_eq!(beaten, !is_front[i]);
            }
        }

        #[test]
        fn the_order_of_the_results_is_nothing(all in losses()) {
            let mut turned = all.clone();
            turned.reverse();
            let mut back = front(&turned);
            back.reverse();
            prop_assert_eq!(front(&all), back);
        }
    }

    #[test]
    fn the_ends_have_all_room_and_the_crowded_little() {
        let all: [&[f64]; 4] = [&[0.0, 10.0], &[1.0, 9.0], &[2.0, 8.0], &[10.0, 0.0]];
        let room = crowding(&all);
        assert_eq!((room[0], room[3]), (f64::INFINITY, f64::INFINITY));
        // 2/10 + 2/10 and 9/10 + 9/10.
        assert!(
            (room[1] - 0.4).abs() < 1e-12 && (room[2] - 1.8).abs() < 1e-12,
            "{room:?}"
        );
        assert!(crowding(&[]).is_empty());
    }
}
