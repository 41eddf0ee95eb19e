//! A bank and the sums of what it says.

use serde::{Deserialize, Serialize};

use crate::error::ValueError;
use crate::online::bank::{Batch, HeadBank};
use crate::online::settings::OnlineSettings;
use crate::online::tally::CellTally;

/// Values samples and cells batch by batch. All of it can be serialised and goes on to the bit.
///
/// # Examples
/// ```
/// use afterimage_value::{Batch, OnlineSettings, OnlineValuer};
///
/// # fn main() -> Result<(), afterimage_value::ValueError> {
/// // Two cells of one number each: the first tells the class. The label of sample 0 is wrong.
/// let inputs: Vec<f32> = (0..64).flat_map(|i| [f32::from(i % 2 == 0) * 2.0 - 1.0, 0.3]).collect();
/// let labels: Vec<u32> = (0..64).map(|i| u32::from(i % 2 == 0) ^ u32::from(i == 0)).collect();
/// let ids: Vec<u32> = (0..64).collect();
/// let settings = OnlineSettings { rate: 0.05, ..OnlineSettings::default() };
/// let mut valuer = OnlineValuer::new(settings, 64, &[1, 1], 2, true)?;
/// for pass in 0..20 {
///     let batch = Batch { ids: &ids, inputs: &inputs, labels: &labels };
///     valuer.step(batch, pass > 4)?;
/// }
/// assert!(valuer.tally().row(0).value < 0.4);
/// assert!(valuer.tally().row(1).value > 0.6);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OnlineValuer {
    bank: HeadBank,
    tally: CellTally,
}

impl OnlineValuer {
    /// A valuer of `samples` samples, whose cells take `cells[j]` numbers each. With
    /// `probabilities` those of the classes are summed, too.
    ///
    /// # Errors
    /// As for [`HeadBank::new`].
    pub fn new(
        settings: OnlineSettings,
        samples: usize,
        cells: &[usize],
        classes: usize,
        probabilities: bool,
    ) -> Result<Self, ValueError> {
        Ok(Self {
            tally: CellTally::new(&settings, samples, cells.len(), classes, probabilities),
            bank: HeadBank::new(settings, cells, classes)?,
        })
    }

    /// Judges a batch, adds the scores if `score` says so (not while heads know nothing yet), and
    /// learns from it.
    ///
    /// # Errors
    /// As for [`HeadBank::step`] and [`CellTally::add`].
    pub fn step(&mut self, batch: Batch<'_>, score: bool) -> Result<(), ValueError> {
        let judged = self.bank.step(batch)?;
        if score {
            self.tally.add(batch.ids, batch.labels, &judged)?;
        }
        Ok(())
    }

    /// The sums so far.
    pub fn tally(&self) -> &CellTally {
        &self.tally
    }

    /// The heads.
    pub fn bank(&self) -> &HeadBank {
        &self.bank
    }
}
