//! The plugin `coreset-quality`: how good the coreset in force is, by labels that no selection sees.

use std::path::PathBuf;

use afterimage_hooks::{
    Column, Declare, EpochEnd, EpochEndCx, Every, Fault, Plugin, PluginState, Split, Table,
};
use serde::{Deserialize, Serialize};

use super::rows;
use super::selection::CoresetSelection;
use crate::gate::neighbour_agreement;
use crate::matrix::Matrix;
use crate::quality::{auroc, calibration_error, clean_fractions, k_medoids_cost, recall};

/// Neighbours by which frozen embeddings say how hard a sample is.
const NEIGHBOURS: usize = 20;

/// Settings of [`CoresetQuality`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CoresetQualityConfig {
    /// How often it is measured; default every epoch.
    pub every: Every,
    /// Rows of embeddings of an encoder that saw no labels, one a training sample, by which hardness
    /// and cost are measured: npy, CSV or Parquet. Without it hardness is the sample's loss in the
    /// run, where the selection looks at losses, and cost is that of the selection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embeddings: Option<PathBuf>,
}

impl Default for CoresetQualityConfig {
    fn default() -> Self {
        Self {
            every: Every::epochs::<1>(),
            embeddings: None,
        }
    }
}

/// Measures the coreset in force by the true labels, and changes nothing.
///
/// Scalars `coreset/clean`, `coreset/clean_weighted` (shares of right labels among the chosen, also by
/// weight), `coreset/clean_random` (among all samples, which is what a random choice of any size has on
/// average), `coreset/size_measured` (how many the chosen are), `coreset/recall` and `coreset/recall_hard` (shares of the rightly labelled samples that
/// were chosen, also among the hardest tenth), `coreset/cost_clean` (k-medoids cost of the rightly
/// labelled samples in the embeddings), and with a gate `coreset/prior_auroc` and
/// `coreset/prior_calibration_error`; a row an epoch in the table `coreset/quality`.
#[derive(Debug)]
pub struct CoresetQuality {
    config: CoresetQualityConfig,
    /// Embeddings and hardness, read once; functions of the config and the data.
    frozen: Option<(Matrix, Vec<f64>)>,
    /// The last choice whose cost was counted, and that cost: a function of the choice and the data.
    counted: Option<(Vec<usize>, f64)>,
}

impl CoresetQuality {
    /// A plugin with these settings.
    pub fn new(config: CoresetQualityConfig) -> Self {
        Self {
            config,
            frozen: None,
            counted: None,
        }
    }

    fn measure(&mut self, cx: &mut EpochEndCx<'_>) -> Result<(), Fault> {
        let samples = cx
            .samples
            .ok_or_else(|| Fault::new("this model's host shows no samples"))?;
        let Some(selection) = cx.resource::<CoresetSelection>()?.cloned() else {
            return Ok(());
        };
        let (truth, given) = cx.truth_and_labels(samples, Split::Train)?;
        let right: Vec<bool> = given.iter().zip(truth).map(|(a, b)| a == b).collect();
        self.read(truth)?;
        let wide = |values: &[f32]| -> Vec<f64> { values.iter().map(|x| f64::from(*x)).collect() };
        let chosen: Vec<usize> = selection.ids.iter().map(|id| *id as usize).collect();
        let hardness = match &self.frozen {
            Some((_, hardness)) => hardness.clone(),
            None if selection.losses.is_empty() => vec![f64::NAN; right.len()],
            None => wide(&selection.losses),
        };
        let [clean, weighted] = clean_fractions(&chosen, &wide(&selection.weights), &right);
        let random = right.iter().filter(|right| **right).count() as f64 / right.len() as f64;
        let [all, hard] = recall(&chosen, &right, &hardness);
        let cost = self.cost_clean(&chosen, &right);
        let priors = wide(&selection.clean);
        let (area, error) = if priors.is_empty() {
            (f64::NAN, f64::NAN)
        } else {
            (auroc(&priors, &right), calibration_error(&priors, &right))
        };
        let figures = [
            ("clean", clean),
            ("clean_weighted", weighted),
            ("clean_random", random),
            ("recall", all),
            ("recall_hard", hard),
            ("cost_clean", cost),
            ("prior_auroc", area),
            ("prior_calibration_error", error),
        ];
        for (name, figure) in figures {
            if figure.is_finite() {
                cx.scalar(format!("coreset/{name}"), figure);
            }
        }
        cx.scalar("coreset/size_measured", chosen.len() as f64);
        let epoch = i64::from(cx.clock().epoch);
        let whole = |value: i64| Column::I64(vec![value]);
        let mut columns = vec![
            ("epoch".to_owned(), whole(epoch)),
            (
                "chosen_at".to_owned(),
                whole(i64::from(selection.chosen_at)),
            ),
            ("size".to_owned(), whole(chosen.len() as i64)),
            ("cost".to_owned(), Column::F64(vec![selection.cost])),
        ];
        let measured = figures.map(|(name, figure)| (name.to_owned(), Column::F64(vec![figure])));
        columns.extend(measured);
        cx.table("coreset/quality", Table { columns });
        Ok(())
    }

    /// The cost of the rightly labelled samples in the embeddings, counted anew where the choice changed;
    /// NaN without embeddings.
    fn cost_clean(&mut self, chosen: &[usize], right: &[bool]) -> f64 {
        let Some((rows, _)) = &self.frozen else {
            return f64::NAN;
        };
        match &self.counted {
            Some((before, cost)) if before == chosen => *cost,
            _ => {
                let clean: Vec<usize> = (0..right.len()).filter(|id| right[*id]).collect();
                let cost = k_medoids_cost(rows, &clean, chosen);
                self.counted = Some((chosen.to_vec(), cost));
                cost
            }
        }
    }

    /// Reads the embeddings; a sample is the harder, the fewer of its neighbours are of its true class.
    fn read(&mut self, truth: &[u32]) -> Result<(), Fault> {
        let (None, Some(path)) = (&self.frozen, &self.config.embeddings) else {
            return Ok(());
        };
        let fault = |error: crate::CoresetError| Fault::new(error.to_string());
        let rows = rows::read(path, truth.len()).map_err(fault)?;
        let easy = neighbour_agreement(&rows, truth, NEIGHBOURS).map_err(fault)?;
        let hardness = easy.into_iter().map(|share| 1.0 - share).collect();
        self.frozen = Some((rows, hardness));
        Ok(())
    }
}

impl Plugin for CoresetQuality {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<EpochEnd>(self.config.every, Self::measure)
            .reads::<CoresetSelection>()
            .reads_labels()
            .reads_truth();
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_is_counted_anew_where_the_choice_changes_alone() -> Result<(), crate::CoresetError>
    {
        let mut plugin = CoresetQuality::new(CoresetQualityConfig::default());
        assert!(plugin.cost_clean(&[0], &[true; 3]).is_nan());
        let rows = Matrix::new("rows", 3, 1, vec![0.0, 1.0, 5.0])?;
        plugin.frozen = Some((rows, Vec::new()));
        let right = [true, false, true];
        assert_eq!(plugin.cost_clean(&[0], &right), 5.0);
        plugin.counted = Some((vec![0], 7.0));
        assert_eq!(plugin.cost_clean(&[0], &right), 7.0);
        assert_eq!(plugin.cost_clean(&[1], &right), 5.0);
        Ok(())
    }
}
