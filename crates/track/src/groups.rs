//! Groups of TensorBoard's cards: it makes one of all tags that share what stands before their first
//! slash, so that a plugin with a number for every layer hides the others.

/// The loss, the learning rate, evaluations.
const TRAINING: &str = "1 training";
/// What is memorized, one number for the encoder.
const MEMORY: &str = "2 memorization";
/// The same for each layer, point or dose.
const BY_LAYER: &str = "3 memorization by layer";
/// Values of samples, coresets, pruning.
const CHOICES: &str = "4 samples and units";
/// Parameters, gradients, updates.
const WEIGHTS: &str = "5 weights";
/// What other plugins measure.
const OTHERS: &str = "6 other";
/// Durations and speeds.
const TIMES: &str = "7 time";

/// The group of `tag`, in words with a number that puts groups in their order.
pub(crate) fn group_of(tag: &str) -> &'static str {
    let (first, _) = tag.split_once('/').unwrap_or((tag, ""));
    let whole = ["all", "embedding", "points", "repeats"];
    let last = tag.rsplit('/').next().unwrap_or(tag);
    match first {
        "loss" | "lr" | "eval" | "config" => TRAINING,
        "layermem" | "unitmem" | "unitmem_streaming" | "alignment" | "ownership" | "classmem"
        | "deja_vu" => match first == "deja_vu" || whole.contains(&last) {
            true => MEMORY,
            false => BY_LAYER,
        },
        "doses" | "memory" => BY_LAYER,
        "value" | "value_quality" | "dynamics" | "coreset" | "prune" => CHOICES,
        "watch" => WEIGHTS,
        "time" | "overhead" => TIMES,
        _ => OTHERS,
    }
}

/// The tag of the card: the group, then the whole tag.
pub(crate) fn card(tag: &str) -> String {
    format!("{}/{tag}", group_of(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_keeps_its_tag_behind_its_group() {
        for (tag, card_of) in [
            ("lr", "1 training/lr"),
            ("eval/knn", "1 training/eval/knn"),
            ("unitmem/area/all", "2 memorization/unitmem/area/all"),
            (
                "layermem/calibrated/embedding",
                "2 memorization/layermem/calibrated/embedding",
            ),
            (
                "unitmem/mean/train/encoder.layer1.act",
                "3 memorization by layer/unitmem/mean/train/encoder.layer1.act",
            ),
            ("prune/units", "4 samples and units/prune/units"),
            (
                "watch/ratio/encoder.conv",
                "5 weights/watch/ratio/encoder.conv",
            ),
            ("loss-spread/mean", "6 other/loss-spread/mean"),
            ("time/epoch", "7 time/time/epoch"),
        ] {
            assert_eq!(card(tag), card_of);
        }
    }
}
