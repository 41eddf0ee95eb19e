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

/// What the groups hold and how their tags are to be read, for TensorBoard's text tab: Markdown.
pub fn glossary() -> String {
    let groups = [
        (
            TRAINING,
            "`loss`; `lr`, the learning rate; `eval/…`, accuracy on held-out images: `knn`, `linear_probe`, and \
             `accuracy` where the run is supervised. The value of step 0 is that before training",
        ),
        (
            MEMORY,
            "one number for the encoder: `…/all` over the units of all layers, `…/embedding` of its output",
        ),
        (
            BY_LAYER,
            "the same for each layer, point or dose. `unitmem`: 0 where a unit answers to all points alike, 1 where \
             to one; its controls are `held_out` and `initial`. `layermem`: above 0 where the encoder aligns \
             views of `candidates` better than a reference that never saw them; its controls are \
             `independent`, `shared` and `external` (held-out) points. `alignment`: how much closer views of \
             training points lie than those of held-out points. `area`: the chance that a training point is \
             above a held-out one, 0.5 is nothing; `area_null` and `area/null` compare held-out points with each \
             other. `se` is a standard error",
        ),
        (
            CHOICES,
            "`value` and `dynamics` of samples, the `coreset` and how clean it is, what `prune` left",
        ),
        (
            WEIGHTS,
            "the plugin `watch`: norms of parameters, gradients and updates by layer",
        ),
        (OTHERS, "what other plugins measure"),
        (
            TIMES,
            "seconds of epochs and plugins, images a second, `overhead`: the share of the time that a plugin takes",
        ),
    ];
    let rows = groups.map(|(group, text)| format!("| {group} | {text} |\n"));
    format!("| cards | what they show |\n|---|---|\n{}", rows.concat())
}

/// The group of `tag`, in words with a number that puts groups in their order.
pub(crate) fn group_of(tag: &str) -> &'static str {
    let (first, _) = tag.split_once('/').unwrap_or((tag, ""));
    let whole = ["all", "embedding", "points", "repeats"];
    let last = tag.rsplit('/').next().unwrap_or(tag);
    match first {
        "loss" | "lr" | "eval" | "config" | "glossary" => TRAINING,
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
    fn the_glossary_tells_of_every_group_in_order() {
        let text = glossary();
        let rows: Vec<&str> = text.lines().skip(2).collect();
        let groups: Vec<&str> = rows
            .iter()
            .filter_map(|row| row.split('|').nth(1))
            .map(str::trim)
            .collect();
        let tags = [
            "loss",
            "unitmem/area/all",
            "unitmem/area/a",
            "prune/units",
            "watch/ratio/a",
            "odd",
            "time/epoch",
        ];
        assert_eq!(groups, tags.map(group_of));
        assert!(
            rows.iter().all(|row| row.matches('|').count() == 3),
            "{text}"
        );
    }

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
