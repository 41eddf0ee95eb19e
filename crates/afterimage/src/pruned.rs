//! What a run that pruned was good for and remembered, before and after.

use std::path::Path;

use afterimage_hooks::Decision;
use afterimage_memory::EMBEDDING;
use afterimage_track::{ScalarLine, TextTable};

/// Figures with the tags that they are read from; those of memory are of the embedding.
fn figures() -> [(&'static str, String); 7] {
    let embedding = |tag: &str| format!("{tag}/{EMBEDDING}");
    [
        ("kNN", "eval/knn".to_owned()),
        ("linear probe", "eval/linear_probe".to_owned()),
        ("calibrated LayerMem", embedding("layermem/calibrated")),
        ("area of LayerMem", embedding("layermem/area/external")),
        ("its null", embedding("layermem/area/null")),
        ("alignment gap", embedding("alignment/gap")),
        ("area of the gap", embedding("alignment/area")),
    ]
}

/// The masks of a run in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Masks {
    /// Steps after which the first and the last units were held at zero.
    steps: (u64, u64),
    epochs: (u32, u32),
}

impl Masks {
    fn of(decisions: impl Iterator<Item = Decision>) -> Option<Self> {
        let applied = decisions.filter(|d| d.kind == "mask" && d.outcome.starts_with("applied"));
        applied.fold(None, |masks: Option<Self>, d| {
            let first = masks.unwrap_or(Self {
                steps: (d.step, d.step),
                epochs: (d.epoch, d.epoch),
            });
            Some(Self {
                steps: (first.steps.0, d.step),
                epochs: (first.epochs.0, d.epoch),
            })
        })
    }

    /// The last of `lines` with `tag` from before the first mask, and the last one from behind the last mask.
    ///
    /// What a plugin measured in the step of a mask is of before: masks take effect behind the event. An evaluation of
    /// that step may stand in front of it, behind it, or both: where the plugin `prune` says how many units are gone,
    /// the order of the lines tells.
    fn around<'a>(self, lines: &'a [ScalarLine], tag: &str) -> [Option<&'a ScalarLine>; 2] {
        let evaluated = tag.starts_with("eval/");
        let pruned =
            |line: &ScalarLine| evaluated && line.tag == "prune/units" && line.value.0 > 0.0;
        let first = lines.iter().position(pruned);
        let places = first.zip(lines.iter().rposition(pruned));
        let last = |wanted: &dyn Fn(usize, &ScalarLine) -> bool| {
            let mut found = lines.iter().enumerate().rev();
            let found = found.find(|(at, line)| line.tag == tag && wanted(*at, line));
            found.map(|(_, line)| line)
        };
        match places {
            Some((first, behind)) => [last(&|at, _| at < first), last(&|at, _| at > behind)],
            None => [
                last(&|_, line| line.step <= self.steps.0),
                last(&|_, line| line.step > self.steps.1),
            ],
        }
    }
}

/// A table of the last measurements before the run's first mask and after its last one; `None` where
/// it held no unit at zero, or measured nothing of the kind.
pub(crate) fn before_and_after(decisions: &Path, lines: &[ScalarLine]) -> Option<String> {
    let text = afterimage_files::read_text(decisions, afterimage_files::LARGE).ok()?;
    let decisions = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    told(Masks::of(decisions)?, lines)
}

fn told(masks: Masks, lines: &[ScalarLine]) -> Option<String> {
    let when = match masks.epochs {
        (one, other) if one == other => format!("after epoch {one}"),
        (one, other) => format!("after epochs {one} to {other}"),
    };
    let title =
        format!("Before and after units were held at zero ({when}); memory at the embedding");
    let mut table = TextTable::new(&title, &["", "before", "epoch", "after", "epoch "]);
    for (name, tag) in figures() {
        let [before, after] = masks.around(lines, &tag);
        if before.is_none() && after.is_none() {
            continue;
        }
        let cells = |line: Option<&ScalarLine>| {
            let value = line.map_or(f64::NAN, |line| line.value.0);
            let epoch = line.map_or_else(|| "–".to_owned(), |line| line.epoch.to_string());
            [TextTable::number(value, 3), epoch]
        };
        let [value, epoch] = cells(before);
        let [value_after, epoch_after] = cells(after);
        table.row([name.to_owned(), value, epoch, value_after, epoch_after]);
    }
    (!table.is_empty()).then(|| format!("{table}\n"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn decision(epoch: u32, kind: &str, outcome: &str) -> Decision {
        Decision {
            epoch,
            step: u64::from(epoch) * 10,
            plugin: "prune".to_owned(),
            kind: kind.to_owned(),
            what: String::new(),
            outcome: outcome.to_owned(),
        }
    }

    fn lines(values: &[(&str, u32, f64)]) -> Vec<ScalarLine> {
        let line = |&(tag, epoch, value): &(&str, u32, f64)| {
            let step = u64::from(epoch) * 10;
            let text = format!(
                r#"{{"tag":"{tag}","epoch":{epoch},"step":{step},"author":"loop","value":{value}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        values.iter().map(line).collect()
    }

    #[test]
    fn what_was_measured_at_the_epoch_of_a_mask_is_of_before_it() {
        let decisions = [
            decision(1, "mask", "refused: no such site"),
            decision(2, "mask", "applied"),
            decision(4, "evaluate", "applied"),
            decision(3, "mask", "applied"),
        ];
        let masks = Masks::of(decisions.into_iter()).unwrap();
        assert_eq!((masks.steps, masks.epochs), ((20, 30), (2, 3)));
        let lines = lines(&[
            ("eval/knn", 1, 0.5),
            ("eval/knn", 2, 0.6),
            ("eval/knn", 3, 0.4),
            ("eval/knn", 5, 0.45),
            ("layermem/calibrated/embedding", 2, 0.2),
        ]);
        let text = told(masks, &lines).unwrap();
        let row = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(row("kNN"), ["kNN", "0.600", "2", "0.450", "5"]);
        assert_eq!(row("calibrated")[2..], ["0.200", "2", "–", "–"]);
        assert!(text.contains("after epochs 2 to 3"), "{text}");
        let both = [
            ("eval/knn", 2, 0.6),
            ("prune/units", 2, 9.0),
            ("eval/knn", 2, 0.3),
            ("prune/units", 3, 18.0),
            ("eval/knn", 3, 0.2),
        ];
        let text = told(masks, &self::lines(&both)).unwrap();
        let knn = text.lines().find(|line| line.starts_with("kNN")).unwrap();
        let knn: Vec<&str> = knn.split_whitespace().collect();
        assert_eq!(knn, ["kNN", "0.600", "2", "0.200", "3"]);
        assert_eq!(
            Masks::of([decision(1, "compact", "applied")].into_iter()),
            None
        );
        assert_eq!(told(masks, &[]), None);
    }
}
