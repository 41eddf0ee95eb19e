//! How far two layers, or two trainings, agree on which points are remembered.

/// Share of the `count` highest scores that both lists have at the same places, from 0 to 1; ties go
/// to the earlier place. By chance it is `count` over the number of scores.
pub fn top_overlap(a: &[f64], b: &[f64], count: usize) -> f64 {
    let top = |scores: &[f64]| {
        let mut places: Vec<usize> = (0..scores.len()).collect();
        places.sort_by(|i, j| scores[*j].total_cmp(&scores[*i]).then(i.cmp(j)));
        places.truncate(count);
        places.sort_unstable();
        places
    };
    let (a, b) = (top(a), top(b));
    let both = a.iter().filter(|place| b.binary_search(place).is_ok());
    both.count() as f64 / a.len().max(1) as f64
}

/// Kendall's τ-b of two lists of scores of the same points, from −1 to 1; NaN where a list has no
/// two different values.
///
/// Counts all pairs, which is enough for the some hundred points of a probe.
pub fn kendall_tau(a: &[f64], b: &[f64]) -> f64 {
    let (mut agreed, mut tied_a, mut tied_b, mut pairs) = (0i64, 0i64, 0i64, 0i64);
    let points = a.len().min(b.len());
    for i in 0..points {
        for j in i + 1..points {
            let (x, y) = (a[i].total_cmp(&a[j]) as i64, b[i].total_cmp(&b[j]) as i64);
            agreed += x * y;
            tied_a += i64::from(x == 0);
            tied_b += i64::from(y == 0);
            pairs += 1;
        }
    }
    agreed as f64 / (((pairs - tied_a) as f64) * ((pairs - tied_b) as f64)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tau_equals_scipy() {
        // scipy.stats.kendalltau of the same lists.
        let cases: [(&[f64], &[f64], f64); 3] = [
            (&[1.0, 2.0, 3.0, 4.0], &[1.0, 3.0, 2.0, 4.0], 2.0 / 3.0),
            (
                &[12.0, 2.0, 1.0, 12.0, 2.0],
                &[1.0, 4.0, 7.0, 1.0, 0.0],
                -0.471_404_520_791_031_7,
            ),
            (&[1.0, 1.0, 2.0, 3.0], &[4.0, 3.0, 3.0, 1.0], -0.8),
        ];
        for (a, b, expected) in cases {
            let tau = kendall_tau(a, b);
            assert!((tau - expected).abs() < 1e-12, "{tau} {expected}");
        }
        assert!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]).is_nan());
    }

    #[test]
    fn overlap_counts_common_places() {
        let a = [5.0, 4.0, 3.0, 2.0, 1.0];
        assert_eq!(top_overlap(&a, &a, 2), 1.0);
        assert_eq!(top_overlap(&a, &[1.0, 5.0, 2.0, 4.0, 3.0], 2), 0.5);
        assert_eq!(top_overlap(&a, &[1.0, 2.0, 3.0, 4.0, 5.0], 2), 0.0);
        assert_eq!(top_overlap(&[], &[], 2), 0.0);
    }
}
