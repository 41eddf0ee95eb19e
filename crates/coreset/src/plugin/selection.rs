//! The coreset that a run trains on, as a resource.

use afterimage_hooks::{Column, Resource, Table};
use serde::{Deserialize, Serialize};

/// The samples that training reads, with what their choice was made by.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CoresetSelection {
    /// Epoch at whose end it was chosen; 0 before training.
    pub chosen_at: u32,
    /// Chosen samples, by id.
    pub ids: Vec<u32>,
    /// Their weights in the loss, of mean 1.
    pub weights: Vec<f32>,
    /// For each training sample the place in `ids` of the nearest chosen one of its group, `u32::MAX`
    /// for none; empty where the choice knows no clusters.
    pub owners: Vec<u32>,
    /// Probability that each training sample's label is right; empty without a gate.
    pub clean: Vec<f32>,
    /// Mean loss of each training sample; empty where losses are not looked at.
    pub losses: Vec<f32>,
    /// Σ over all samples of the distance to the nearest chosen one of their group, in the space that
    /// was chosen in; NaN where there is none.
    pub cost: f64,
    /// How far apart the gate's two crowds are, in units of their spread; NaN without a gate.
    pub separation: f64,
    /// Groups of which nothing was chosen.
    pub empty_groups: u32,
}

impl Resource for CoresetSelection {
    const NAME: &'static str = "coreset.selection";
}

impl CoresetSelection {
    /// A row a chosen sample.
    pub(super) fn table(&self) -> Table {
        let count = self.ids.len();
        let clean = |id: &u32| {
            self.clean
                .get(*id as usize)
                .map_or(f64::NAN, |c| f64::from(*c))
        };
        let columns = [
            (
                "chosen_at",
                Column::I64(vec![i64::from(self.chosen_at); count]),
            ),
            (
                "sample",
                Column::I64(self.ids.iter().map(|id| i64::from(*id)).collect()),
            ),
            (
                "weight",
                Column::F64(self.weights.iter().map(|w| f64::from(*w)).collect()),
            ),
            ("clean", Column::F64(self.ids.iter().map(clean).collect())),
        ];
        Table {
            columns: columns
                .map(|(name, column)| (name.to_owned(), column))
                .into(),
        }
    }
}
