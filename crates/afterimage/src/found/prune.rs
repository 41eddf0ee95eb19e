//! What pruning left.

use afterimage_track::ScalarLine;

use super::{Found, when};
use crate::summary::Measured;

const KNN: &str = "eval/knn";

/// Adds how many units are gone, and accuracy before and behind it.
pub(super) fn found(measured: &Measured<'_>, found: &mut Found) {
    found.sentences.extend(left(measured));
}

fn left(measured: &Measured<'_>) -> Option<String> {
    let step = measured.step("prune/units")?;
    let units = measured.at("prune/units", step)?;
    let fraction = measured.at("prune/fraction", step)?;
    if units <= 0.0 {
        return None;
    }
    // Lines stand in the order of measuring: an evaluation of the step of a pruning may come in front of
    // it, behind it, or both.
    let history = measured.history;
    let pruned = |line: &ScalarLine| line.tag == "prune/units" && line.value.0 > 0.0;
    let first = history.iter().position(pruned)?;
    let last = history.iter().rposition(pruned)?;
    let knn = |lines: &[ScalarLine]| {
        let found = lines.iter().rev().find(|line| line.tag == KNN);
        found.map(|line| (line.step, line.value.0))
    };
    let (before, behind) = (knn(&history[..first]), knn(&history[last..]));
    let accuracy = match (before, behind) {
        (Some((was_at, was)), Some((is_at, is))) => format!(
            " Held-out kNN accuracy was {was:.3} in step {was_at}, before the first pruning, and is \
             {is:.3}{}.",
            when(measured, is_at)
        ),
        _ => String::new(),
    };
    Some(format!(
        "{units:.0} units are pruned{}: {:.1} % of the units or operations that the plugin `prune` counts \
         are left.{accuracy}",
        when(measured, step),
        100.0 * (1.0 - fraction)
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::Records;
    use super::*;

    #[test]
    fn what_is_left_stands_beside_accuracy_before_and_behind() {
        let records = Records::new(&[
            ("eval/knn", 0, 0.1),
            ("eval/knn", 5, 0.6),
            ("prune/units", 10, 30.0),
            ("prune/fraction", 10, 0.25),
            ("eval/knn", 10, 0.5),
            ("loss/train", 20, 1.0),
        ]);
        let text = left(&records.measured()).unwrap_or_default();
        for words in [
            "30 units are pruned, after epoch 1: 75.0 % of the units",
            "was 0.600 in step 5",
            "is 0.500, after epoch 1.",
        ] {
            assert!(text.contains(words), "no {words:?} in {text:?}");
        }
        let none = Records::new(&[("prune/units", 10, 0.0), ("prune/fraction", 10, 0.0)]);
        assert_eq!(left(&none.measured()), None);
    }
}
