//! The plugin `embeddings`: the encoder's output for all training samples, as a table.

use afterimage_hooks::{
    Column, Declare, Every, Fault, Plugin, PluginState, RunEnd, RunEndCx, Table,
};
use serde::{Deserialize, Serialize};

use super::look::{Look, MOST_BATCH};

/// Settings of [`EmbeddingTable`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EmbeddingTableConfig {
    /// Samples in one forward pass; default 250.
    pub batch: usize,
}

impl Default for EmbeddingTableConfig {
    fn default() -> Self {
        Self { batch: 250 }
    }
}

impl EmbeddingTableConfig {
    /// What is wrong with the settings: keys, each with a sentence.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let advice = format!("must be from 1 to {MOST_BATCH}");
        let wrong = !(1..=MOST_BATCH).contains(&self.batch);
        wrong.then_some(("batch", advice)).into_iter().collect()
    }
}

/// Puts the embeddings of all training samples on record when the run ends, in the table `embeddings`:
/// a row a sample in the order of ids, a column a dimension. Selections of other runs read it.
#[derive(Debug)]
pub struct EmbeddingTable {
    config: EmbeddingTableConfig,
}

impl EmbeddingTable {
    /// A plugin with these settings.
    pub fn new(config: EmbeddingTableConfig) -> Self {
        Self { config }
    }

    fn end(&mut self, cx: &mut RunEndCx<'_>) -> Result<(), Fault> {
        let samples = cx
            .samples
            .ok_or_else(|| Fault::new("this model's host shows no samples"))?;
        let look = Look {
            model: cx.model,
            samples,
            batch: self.config.batch,
            access: None,
        };
        let ids: Vec<usize> = (0..cx.run().train_samples).collect();
        let mut columns: Vec<Vec<f64>> = Vec::new();
        look.at(&ids, |row| {
            let features = row.features.unwrap_or_default();
            columns.resize(features.len(), Vec::new());
            for (column, x) in columns.iter_mut().zip(features) {
                column.push(f64::from(*x));
            }
        })?;
        let named = columns.into_iter().enumerate();
        let columns = named.map(|(at, column)| (format!("e{at}"), Column::F64(column)));
        cx.table(
            "embeddings",
            Table {
                columns: columns.collect(),
            },
        );
        Ok(())
    }
}

impl Plugin for EmbeddingTable {
    fn declare(&self, d: &mut Declare<'_, Self>) {
        d.on::<RunEnd>(Every::Always, Self::end);
    }

    fn state(&self) -> Result<PluginState, Fault> {
        Ok(PluginState::none())
    }

    fn restore(&mut self, state: PluginState) -> Result<(), Fault> {
        state.expect_none()
    }
}
