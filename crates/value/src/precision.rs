//! How well scores find what is looked for.

/// Area under the curve of precision over recall of the samples that are `wanted`, highest `scores` first:
/// the mean of the precision at each of them. Samples of one score come together. The share of the wanted ones
/// is what scores without meaning have on average; `None` where none is wanted.
///
/// # Examples
/// ```
/// use afterimage_value::average_precision;
/// let scores = [0.1, 0.4, 0.35, 0.8];
/// let area = average_precision(&scores, &[false, false, true, true]);
/// assert!(area.is_some_and(|area| (area - 5.0 / 6.0).abs() < 1e-12));
/// assert_eq!(average_precision(&scores, &[false; 4]), None);
/// ```
pub fn average_precision(scores: &[f64], wanted: &[bool]) -> Option<f64> {
    let mut order: Vec<(f64, bool)> = scores.iter().copied().zip(wanted.iter().copied()).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let all = order.iter().filter(|(_, wanted)| *wanted).count();
    let (mut taken, mut found, mut area) = (0, 0, 0.0);
    for equal in order.chunk_by(|a, b| a.0 == b.0) {
        let new = equal.iter().filter(|(_, wanted)| *wanted).count();
        taken += equal.len();
        found += new;
        area += new as f64 * found as f64 / taken as f64;
    }
    (all > 0).then(|| area / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_first_and_what_is_tied_counts_as_it_should() {
        let wanted = [true, true, false, false, false];
        assert_eq!(
            average_precision(&[5.0, 4.0, 3.0, 2.0, 1.0], &wanted),
            Some(1.0)
        );
        // All of one score: the share of the wanted ones.
        assert_eq!(average_precision(&[1.0; 5], &wanted), Some(0.4));
        let last = average_precision(&[1.0, 2.0, 3.0, 4.0, 5.0], &wanted);
        assert_eq!(last, Some((1.0 / 4.0 + 2.0 / 5.0) / 2.0));
    }
}
