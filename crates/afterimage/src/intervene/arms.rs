//! The arms of an intervention and what came out of them.

use std::fmt;

use afterimage_memory::{Area, LayerMemory};
use afterimage_numeric::{mean_and_deviation, share_error};
use afterimage_track::TextTable;
use serde::Serialize;

/// The name of random controls of an exchange.
pub(super) const CONTROL: &str = "random layers exchanged";

/// One encoder, its accuracy on held-out images, and what it remembers of training points.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arm {
    /// What was done.
    pub name: String,
    /// What it was done to: layers, or units by site.
    pub what: Vec<String>,
    /// kNN accuracy, 0 to 1.
    pub knn: f64,
    /// Accuracy of a linear probe that was fitted on this arm's embeddings, 0 to 1.
    pub linear_probe: f64,
    /// Held-out images that both are shares of.
    pub held_out: usize,
    /// Memory left, layer by layer in forward order, the embedding last.
    pub memory: Vec<LayerMemory>,
}

/// A figure of an arm with its standard error over images or points, where there is one.
type Figure = fn(&Arm) -> (f64, Option<f64>);

/// What tables say of an arm; memory is that of the embedding.
const FIGURES: [(&str, Figure); 6] = [
    ("kNN", |arm| (arm.knn, arm.error(arm.knn))),
    ("linear probe", |arm| {
        (arm.linear_probe, arm.error(arm.linear_probe))
    }),
    ("calibrated", |arm| {
        let calibrated = arm.left().and_then(|left| left.calibrated);
        calibrated.map_or((f64::NAN, None), |c| (c.mean, Some(c.standard_error)))
    }),
    ("area", |arm| {
        let area = arm.left().and_then(|left| left.area);
        area.map_or((f64::NAN, None), |a| (a.area, Some(a.standard_error)))
    }),
    ("gap", |arm| {
        let left = arm.left();
        left.map_or((f64::NAN, None), |l| (l.gap, Some(l.gap_se)))
    }),
    ("area of gap", |arm| {
        let area = arm.left().map(|left| left.gap_area);
        area.map_or((f64::NAN, None), |a| (a.area, Some(a.standard_error)))
    }),
];

impl Arm {
    /// The standard error of a share of the held-out images.
    fn error(&self, share: f64) -> Option<f64> {
        Some(share_error(share, self.held_out)).filter(|error| error.is_finite())
    }

    /// Memory left at the embedding.
    pub fn left(&self) -> Option<&LayerMemory> {
        self.memory.last()
    }
}

/// A table of arms with a row for each, or for several draws of one.
pub(super) struct ArmTable(TextTable);

impl ArmTable {
    pub(super) fn new() -> Self {
        let title = "Held-out accuracy, and memory left at the embedding (± of one arm: standard error \
                     over held-out images, of memory over points; of several draws: standard deviation over draws)";
        let header: Vec<&str> = ["encoder"]
            .into_iter()
            .chain(FIGURES.iter().map(|(name, _)| *name))
            .collect();
        Self(TextTable::new(title, &header))
    }

    /// A row for `draws` of one arm.
    pub(super) fn row(&mut self, name: String, draws: &[&Arm]) {
        let cells = FIGURES.iter().map(|(_, figure)| match draws {
            [arm] => {
                let (value, error) = figure(arm);
                TextTable::with_error(value, error, 3)
            }
            _ => {
                let values: Vec<f64> = draws.iter().map(|arm| figure(arm).0).collect();
                let (mean, deviation) = mean_and_deviation(&values);
                TextTable::with_error(mean, Some(deviation), 3)
            }
        });
        self.0.row(std::iter::once(name).chain(cells));
    }

    /// The table, and what its areas are where nothing is remembered: those of `arm`.
    pub(super) fn with_null(self, arm: &Arm) -> String {
        let null = null_line(arm).map(|line| line + "\n").unwrap_or_default();
        format!("{}{null}", self.0)
    }
}

/// What the areas of `arm` are between two halves of the held-out points; nothing where memory was not
/// measured.
pub(super) fn null_line(arm: &Arm) -> Option<String> {
    let left = arm.left()?;
    let null = |area: &Area| TextTable::with_error(area.area, Some(area.standard_error), 3);
    let area = match &left.area_null {
        Some(area) => format!("area {}, ", null(area)),
        None => String::new(),
    };
    Some(format!(
        "null, two halves of the held-out points, {}: {area}area of gap {}",
        arm.name,
        null(&left.gap_null)
    ))
}

/// The table of single arms, the first of which is the encoder as it is.
pub(crate) fn arm_table(arms: &[Arm]) -> String {
    let mut table = ArmTable::new();
    for arm in arms {
        table.row(arm.name.clone(), &[arm]);
    }
    arms.first()
        .map_or_else(String::new, |first| table.with_null(first))
}

/// The encoder as it is, the intervention, and its random controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arms {
    /// The encoder as it is.
    pub original: Arm,
    /// The intervention.
    pub chosen: Arm,
    /// The same done to as many random layers: sets that differ from each other and from the chosen one.
    pub controls: Vec<Arm>,
    /// Why there are fewer controls than were asked for, where there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl fmt::Display for Arms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = ArmTable::new();
        for arm in [&self.original, &self.chosen] {
            table.row(arm.name.clone(), &[arm]);
        }
        if let Some(first) = self.controls.first() {
            let name = format!("{} ({} draws)", first.name, self.controls.len());
            table.row(name, &self.controls.iter().collect::<Vec<_>>());
        } else if self.note.is_some() {
            table.row(CONTROL.to_owned(), &[]);
        }
        f.write_str(&table.with_null(&self.original))?;
        match &self.note {
            Some(note) => writeln!(f, "note: {note}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_shown_with_their_spread() {
        let arm = |name: &str, probe| Arm {
            name: name.to_owned(),
            what: Vec::new(),
            knn: 0.5,
            linear_probe: probe,
            held_out: 100,
            memory: Vec::new(),
        };
        let text = Arms {
            original: arm("as it is", 0.7),
            chosen: arm("top", 0.4),
            controls: vec![arm("random", 0.5), arm("random", 0.6)],
            note: None,
        }
        .to_string();
        assert!(text.contains("random (2 draws)"), "{text}");
        assert!(text.contains("0.550 ± 0.071"), "{text}");
        // √(0.7 · 0.3 / 100 + 1 / 40000) / 1.01.
        assert!(text.contains("0.700 ± 0.046"), "{text}");
        // What was not measured is no number.
        assert!(text.contains('–') && !text.contains("NaN"), "{text}");
        let text = Arms {
            original: arm("as it is", 0.7),
            chosen: arm("all", 0.4),
            controls: Vec::new(),
            note: Some("no random control".to_owned()),
        }
        .to_string();
        let row = text.lines().find(|line| line.contains(CONTROL));
        assert_eq!(row.map(|row| row.matches('–').count()), Some(6), "{text}");
        assert!(text.contains("note: no random control"), "{text}");
    }
}
