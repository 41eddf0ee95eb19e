//! The arms of an intervention and what came out of them.

use std::fmt;

use afterimage_track::TextTable;
use serde::Serialize;

/// One encoder and its accuracy on held-out images.
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
}

/// The encoder as it is, the intervention, and its random controls.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Arms {
    /// The encoder as it is.
    pub original: Arm,
    /// The intervention.
    pub chosen: Arm,
    /// The same done to as many random layers or units, each with its own draw.
    pub controls: Vec<Arm>,
}

impl fmt::Display for Arms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = TextTable::new("Held-out accuracy", &["encoder", "kNN", "linear probe"]);
        for arm in [&self.original, &self.chosen] {
            table.row([
                arm.name.clone(),
                TextTable::number(arm.knn, 3),
                TextTable::number(arm.linear_probe, 3),
            ]);
        }
        if let Some(first) = self.controls.first() {
            let spread = |of: fn(&Arm) -> f64| {
                let values: Vec<f64> = self.controls.iter().map(of).collect();
                let (mean, deviation) = moments(&values);
                format!(
                    "{} ± {}",
                    TextTable::number(mean, 3),
                    TextTable::number(deviation, 3)
                )
            };
            table.row([
                format!("{} ({} draws)", first.name, self.controls.len()),
                spread(|arm| arm.knn),
                spread(|arm| arm.linear_probe),
            ]);
        }
        write!(f, "{table}")
    }
}

/// Mean and standard deviation over draws; the deviation of one draw is not known.
fn moments(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (count - 1.0)).sqrt())
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
        };
        let text = Arms {
            original: arm("as it is", 0.7),
            chosen: arm("top", 0.4),
            controls: vec![arm("random", 0.5), arm("random", 0.6)],
        }
        .to_string();
        assert!(text.contains("random (2 draws)"), "{text}");
        assert!(text.contains("0.550 ± 0.071"), "{text}");
    }
}
