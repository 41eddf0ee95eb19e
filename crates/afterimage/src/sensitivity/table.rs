//! What a study prints.

use std::fmt;

use afterimage_track::TextTable;

use super::arm::{Control, word};
use super::{Sensitivity, Way};
use crate::numbers::percent;

impl Sensitivity {
    /// The encoder's time in words: of its checkpoint, where it is one.
    pub(super) fn time(&self) -> String {
        match (self.epoch, self.step) {
            (Some(epoch), Some(step)) => format!("epoch {epoch}, step {step}"),
            _ => "weights without a history".to_owned(),
        }
    }

    /// Random draws of each number of units.
    fn draws(&self) -> u32 {
        let draws = self.arms.iter().map(|arm| arm.chosen.draw());
        draws.max().unwrap_or(0)
    }

    /// A score and its end in words.
    pub(super) fn way(way: Way) -> String {
        format!("{} {}", word(way.1), way.0.word())
    }
}

/// A mean and its deviation over draws.
pub(super) fn spread(control: Option<Control>) -> String {
    match control {
        None => "–".to_owned(),
        Some(control) => format!(
            "{} ± {}",
            TextTable::number(control.knn_lost, 3),
            TextTable::number(control.deviation, 3)
        ),
    }
}

impl fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |value: f64| TextTable::number(value, 3);
        writeln!(f, "encoder:    {}", self.encoder)?;
        for note in &self.notes {
            writeln!(f, "note:       {note}")?;
        }
        let (bank, held_out) = self.images;
        writeln!(
            f,
            "as it is:   kNN {}, linear probe {} on {held_out} held-out images ({bank} training images)\n",
            number(self.whole.figures.knn),
            number(self.whole.figures.linear_probe),
        )?;
        let shares: Vec<String> = self.fractions.iter().map(|f| percent(*f)).collect();
        let mut header = vec!["site", "units"];
        header.extend(shares.iter().map(String::as_str));
        let mut random = TextTable::new(
            format!(
                "kNN lost without random units of one site: mean ± deviation of {} draws, {}",
                self.draws(),
                self.time()
            ),
            &header,
        );
        for site in &self.sites {
            let cells = self.fractions.iter();
            let cells = cells.map(|fraction| spread(self.random(&site.name, *fraction)));
            random.row(
                [site.name.clone(), site.units.to_string()]
                    .into_iter()
                    .chain(cells),
            );
        }
        writeln!(f, "{random}")?;
        for &way in &self.ways {
            let mut table = TextTable::new(
                format!(
                    "kNN lost without the {} units of one site (beside as many random ones: + is worse), {}",
                    Self::way(way),
                    self.time()
                ),
                &header,
            );
            for site in &self.sites {
                let cell = |fraction: &f64| match self.arm(&site.name, *fraction, way) {
                    None => "–".to_owned(),
                    Some(arm) => {
                        let lost = arm.figures.knn_lost;
                        let beside = self.beside(arm).map_or(f64::NAN, |c| lost - c.knn_lost);
                        format!("{} ({beside:+.3})", number(lost))
                    }
                };
                let cells = self.fractions.iter().map(cell);
                table.row(
                    [site.name.clone(), site.units.to_string()]
                        .into_iter()
                        .chain(cells),
                );
            }
            writeln!(f, "{table}")?;
        }
        if let Some(proposal) = &self.proposal {
            writeln!(f, "{}\n", proposal.summary())?;
        }
        Ok(())
    }
}
