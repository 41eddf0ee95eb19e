//! The few lines that a user reads at the end of a run.

use std::collections::BTreeMap;

use afterimage_hooks::Site;
use afterimage_memory::EMBEDDING;
use afterimage_track::{ScalarLine, TextTable};

use crate::dosed::by_dose;
use crate::experiment::Experiment;
use crate::found::{Evidence, found};

/// What the table of LayerMem says of itself: its sets of points, and the columns that compare them.
const LAYERMEM: &str = "LayerMem by layer: above 0, the encoder aligns the views of the points better than its \
     reference.\nPoints: candidates were seen by this encoder alone, independent ones by its reference \
     alone, shared ones by both, held-out ones by neither.\nΔ: over the layer before. area: how often a \
     candidate is above a held-out point; 0.5 is chance";

/// The encoder that a run starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untrained {
    /// At random initial parameters.
    Random,
    /// One that is there already, for fine-tuning.
    Given,
}

impl Untrained {
    /// What a run of `experiment` starts with.
    pub(crate) fn of(experiment: &Experiment) -> Self {
        match experiment.fine_tune {
            Some(_) => Self::Given,
            None => Self::Random,
        }
    }
}

/// The last values of a run, and when they were measured.
pub(crate) struct Measured<'a> {
    pub(crate) scalars: &'a BTreeMap<String, f64>,
    /// The step of each of these.
    pub(crate) steps: &'a BTreeMap<String, u64>,
    /// The epochs that were finished by a step.
    pub(crate) epochs: BTreeMap<u64, u32>,
    pub(crate) start: Untrained,
    /// All scalars in the order in which they were measured; none where they are not known.
    pub(crate) history: &'a [ScalarLine],
}

impl Measured<'_> {
    pub(crate) fn step(&self, tag: &str) -> Option<u64> {
        self.steps.get(tag).copied()
    }

    /// The value of `tag`, if it was measured in `step`: a number beside others is of their time.
    pub(crate) fn at(&self, tag: &str, step: u64) -> Option<f64> {
        let value = self.scalars.get(tag).copied()?;
        (self.step(tag) == Some(step)).then_some(value)
    }

    /// The value of `tag` that was measured in `step`, whatever was measured later.
    pub(crate) fn in_step(&self, tag: &str, step: u64) -> Option<f64> {
        let lines = self.history.iter();
        let mut lines = lines.filter(|line| line.step == step && line.tag == tag);
        lines.next_back().map(|line| line.value.0)
    }

    /// When `step` was, if that is not the last one on record.
    pub(crate) fn time(&self, step: u64) -> Option<String> {
        let last = self.steps.values().max().copied().unwrap_or(step);
        match (step, self.epochs.get(&step)) {
            (step, _) if step == last => None,
            (0, _) => Some("before training".to_owned()),
            (_, Some(epoch)) => Some(format!("after epoch {epoch}")),
            (step, None) => Some(format!("in step {step}")),
        }
    }
}

/// What there is to say at the end of a run, and of that the sentences alone.
pub(crate) struct Summary {
    /// Evaluation figures, memorization per layer with its controls, samples, and the sentences.
    pub(crate) text: String,
    /// What was found.
    pub(crate) found: Vec<String>,
}

/// Evaluation figures, and memorization per layer with its controls, as plain text. Every number in a
/// row of a table is of one time, which the table tells where it is not the end.
pub(crate) fn summary(measured: &Measured<'_>, sites: &[Site], evidence: &Evidence) -> Summary {
    let mut text = String::new();
    let (initial, over_initial, gap_over_initial) = match measured.start {
        Untrained::Random => ("at init", "train − at init", "gap − at init"),
        Untrained::Given => ("at start", "train − at start", "gap − at start"),
    };
    let accuracy = accuracy(measured, evidence);
    if !accuracy.is_empty() {
        text.push_str(&format!("{accuracy}\n"));
    }
    let names: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
    let of = evidence.unitmem().map_or(String::new(), |(points, views)| {
        format!(" of {points} training points and as many held-out ones, {views} views each")
    });
    let unitmem = by_layer(
        measured,
        &format!("Mean UnitMem by layer{of}: 0 = all points alike, 1 = one point only"),
        &[
            ("train", "unitmem/mean/train"),
            ("held-out", "unitmem/mean/held_out"),
            (initial, "unitmem/mean/initial"),
            ("train − held-out", "unitmem/excess/held_out"),
            (over_initial, "unitmem/excess/initial"),
            ("area", "unitmem/area"),
            ("area of null", "unitmem/area_null"),
        ],
        &names,
        "all",
    );
    let layermem = by_layer(
        measured,
        LAYERMEM,
        &[
            ("candidates", "layermem/mean/candidates"),
            ("± se", "layermem/se/candidates"),
            ("Δ", "layermem/delta"),
            ("independent", "layermem/mean/independent"),
            ("shared", "layermem/mean/shared"),
            ("held-out", "layermem/mean/external"),
            ("calibrated", "layermem/calibrated"),
            ("± se", "layermem/se/calibrated"),
            ("area", "layermem/area/external"),
            ("area of null", "layermem/area/null"),
        ],
        &names,
        EMBEDDING,
    );
    let gap = by_layer(
        measured,
        "Alignment gap by layer: above 0, views of training points lie closer than those of \
         held-out points",
        &[
            ("gap", "alignment/gap"),
            ("± se", "alignment/se"),
            (gap_over_initial, "alignment/excess"),
            ("area", "alignment/area"),
            ("area of null", "alignment/area_null"),
        ],
        &names,
        EMBEDDING,
    );
    for table in [unitmem, layermem, gap] {
        if !table.is_empty() {
            text.push_str(&format!("{table}\n"));
        }
    }
    text.extend(by_dose(measured));
    let layers: Vec<&str> = names.iter().copied().chain([EMBEDDING]).collect();
    let found = found(measured, &layers, evidence);
    for table in &found.tables {
        text.push_str(&format!("{table}\n"));
    }
    if !found.sentences.is_empty() {
        text.push_str("What was found\n");
        for sentence in &found.sentences {
            text.push_str(&format!("- {sentence}\n"));
        }
        text.push('\n');
    }
    Summary {
        text,
        found: found.sentences,
    }
}

/// Held-out accuracy by each kind of evaluation, beside that before training and that of an answer
/// without looking.
fn accuracy(measured: &Measured<'_>, evidence: &Evidence) -> TextTable {
    let untrained = match measured.start {
        Untrained::Random => "untrained",
        Untrained::Given => "at start",
    };
    let blind = evidence.largest_class();
    let mut header = vec!["probe", "trained", untrained];
    if !blind.is_nan() {
        header.splice(2..2, ["± se"]);
        header.push("largest class");
    }
    let mut table = TextTable::new("Held-out accuracy", &header);
    for (name, tag) in [
        ("classifier", "eval/accuracy"),
        ("kNN", "eval/knn"),
        ("linear probe", "eval/linear_probe"),
    ] {
        let (Some(value), Some(step)) = (measured.scalars.get(tag), measured.step(tag)) else {
            continue;
        };
        let name = match measured.time(step).filter(|_| step > 0) {
            Some(time) => format!("{name} ({time})"),
            None => name.to_owned(),
        };
        let trained = if step > 0 || measured.time(step).is_none() {
            *value
        } else {
            f64::NAN
        };
        let before = measured.in_step(tag, 0).unwrap_or(f64::NAN);
        let mut row = vec![name, TextTable::number(trained, 3)];
        if !blind.is_nan() {
            row.push(TextTable::number(evidence.error_of(trained), 3));
        }
        row.push(TextTable::number(before, 3));
        if !blind.is_nan() {
            row.push(TextTable::number(blind, 3));
        }
        table.row(row);
    }
    table
}

/// A row a layer that has the first of `columns`, pairs of a heading and a tag without its layer;
/// `last` comes behind the sites `names`. All numbers are of the last time at which the first column
/// was measured; a column without any number of that time is left out.
fn by_layer(
    measured: &Measured<'_>,
    title: &str,
    columns: &[(&str, &str)],
    names: &[&str],
    last: &str,
) -> TextTable {
    let steps = |layer: &&str| {
        let (_, tag) = columns.first()?;
        measured.step(&format!("{tag}/{layer}"))
    };
    let layers: Vec<&str> = names
        .iter()
        .copied()
        .chain([last])
        .filter(|layer| steps(layer).is_some())
        .collect();
    let Some(moment) = layers.iter().filter_map(steps).max() else {
        return TextTable::new(title, &["layer"]);
    };
    let value = |tag: &str, layer: &str| measured.at(&format!("{tag}/{layer}"), moment);
    let columns: Vec<&(&str, &str)> = columns
        .iter()
        .filter(|(_, tag)| layers.iter().any(|layer| value(tag, layer).is_some()))
        .collect();
    let header: Vec<&str> = ["layer"]
        .into_iter()
        .chain(columns.iter().map(|(heading, _)| *heading))
        .collect();
    let title = match measured.time(moment) {
        Some(time) => format!("{title}; {time}"),
        None => title.to_owned(),
    };
    let mut table = TextTable::new(&title, &header);
    for layer in layers {
        let numbers = columns
            .iter()
            .map(|(_, tag)| TextTable::number(value(tag, layer).unwrap_or(f64::NAN), 3));
        table.row([layer.to_owned()].into_iter().chain(numbers));
    }
    table
}

#[cfg(test)]
mod tests {
    use afterimage_hooks::SiteKind;
    use afterimage_track::Number;

    use super::*;

    fn told(values: &[(&str, u64, f64)], start: Untrained) -> String {
        let scalars = values.iter().map(|(tag, _, v)| ((*tag).to_owned(), *v));
        let steps = values
            .iter()
            .map(|(tag, step, _)| ((*tag).to_owned(), *step));
        let measured = Measured {
            scalars: &scalars.collect(),
            steps: &steps.collect(),
            epochs: BTreeMap::from([(0, 0), (100, 10), (140, 14)]),
            start,
            history: &[ScalarLine {
                tag: "eval/knn".to_owned(),
                epoch: 0,
                step: 0,
                author: "loop".to_owned(),
                value: Number(0.25),
            }],
        };
        let sites = [Site::new("a", SiteKind::Activation, 4)];
        summary(&measured, &sites, &Evidence::default()).text
    }

    #[test]
    fn numbers_of_one_table_are_of_one_time() {
        // Behind a compaction the encoder at the start has no units to compare with any more.
        let text = told(
            &[
                ("loss/step", 140, 1.0),
                ("eval/knn", 140, 0.5),
                ("unitmem/mean/train/a", 140, 0.4),
                ("unitmem/mean/held_out/a", 140, 0.3),
                ("unitmem/mean/initial/a", 100, 0.2),
                ("unitmem/excess/initial/a", 100, 0.1),
            ],
            Untrained::Random,
        );
        assert!(text.contains("0.400") && text.contains("0.300"), "{text}");
        assert!(
            !text.contains("at init") && !text.contains("0.100"),
            "{text}"
        );
        assert!(
            text.contains("untrained") && text.contains("0.250"),
            "{text}"
        );
        assert!(!text.contains("epoch"), "{text}");
    }

    #[test]
    fn tables_of_another_time_than_the_end_say_so() {
        let text = told(
            &[
                ("loss/step", 140, 1.0),
                ("eval/knn", 100, 0.5),
                ("unitmem/mean/train/a", 100, 0.4),
                ("unitmem/mean/initial/a", 100, 0.2),
                ("alignment/gap/a", 0, 0.7),
            ],
            Untrained::Given,
        );
        for words in [
            "kNN (after epoch 10)",
            "1 = one point only; after epoch 10",
            "held-out points; before training",
            "at start",
        ] {
            assert!(text.contains(words), "no {words:?} in\n{text}");
        }
        assert!(
            !text.contains("untrained") && !text.contains("at init"),
            "{text}"
        );
    }
}
