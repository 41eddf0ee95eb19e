//! Values of the rows and cells of a table: how well models that have not seen a row predict its
//! label, averaged over models (Data-OOB), and over those models that saw a column (2D-OOB).
//!
//! [`value`] fits a forest on bootstraps of the rows and random subsets of the columns of a
//! [`Problem`], and returns a [`Valuation`], of which rows and blocks of cells are asked.
//!
//! [`OnlineValuer`] does it online, batch by batch, beside whatever else trains; with the feature
//! `plugin` there are plugins for the training loop of `afterimage-hooks`: online values (`OobValue`),
//! how well they find wrong labels (`ValueQuality`), and training dynamics (`DynamicsProbe`).
//!
//! Sources: Kwon and Zou, *Data-OOB: Out-of-bag Estimate as a Simple and Efficient Data Value*, ICML
//! 2023, arXiv 2304.07718; Sun, Shen and Kwon, *2D-OOB: Attributing Data Contribution Through Joint
//! Valuation Framework*, NeurIPS 2024.

mod answers;
mod bag;
mod canonical;
mod cut;
mod dense;
mod design;
mod distance;
mod draw;
mod dynamics;
mod error;
mod fix;
mod forest;
mod formula;
mod learn;
mod linear;
mod lowest;
mod memory;
mod mlp;
mod near;
mod oddities;
mod online;
mod output;
mod pass;
mod planted;
#[cfg(feature = "plugin")]
mod plugin;
mod precision;
mod problem;
mod ranks;
#[cfg(test)]
mod reference;
mod score;
mod settings;
mod table;
mod tally;
mod tree;
mod valuation;
mod votes;
mod zscore;

pub use dynamics::{Dynamics, LastLayer, Observation, in_run_shapley};
pub use error::ValueError;
pub use fix::{FIXED_CSV, FIXES_CSV, Repair, copy_bound, label, text, write_fixes};
pub use forest::{OneLearner, one_learner, value, value_until};
pub use formula::{Formulas, is_formula};
pub use lowest::{By, FirstCells, Ranked};
pub use memory::{memory_bound, parse_bytes, readable_bytes};
pub use near::{NearDuplicates, NearRow, NearSet, Reach, near_duplicates};
pub use oddities::oddities;
pub use online::{
    Batch, CellTally, HeadBank, Judged, Moments, OnlinePasses, OnlineSettings, OnlineValuer,
    Reliability, SampleColumns, Scaling, bag, clean_prior, masks, value_online,
};
pub use output::{CELLS_CSV, CELLS_PARQUET, CellFiles, ROWS_CSV, ROWS_PARQUET, write_rows};
pub use pass::{Block, Visit, visit_cells};
pub use planted::{LabelCheck, check_labels, check_learners};
#[cfg(feature = "plugin")]
pub use plugin::{
    CellSource, DynamicsConfig, DynamicsProbe, OobValue, OobValueConfig, Pass, SampleTable, Share,
    ValueQuality, ValueQualityConfig,
};
pub use precision::average_precision;
pub use problem::{Cells, Column, NO_LEVEL, Problem, Target};
pub use score::Score;
pub use settings::{Candidates, Learner, Settings};
pub use table::{
    HeldCells, HeldColumn, LabelSource, ReadColumns, ReadOptions, ReadTable, Task, hold_table,
    read_columns, read_table,
};
pub use valuation::{CellBlock, Estimate, RowValue, Valuation};
pub use votes::Prediction;
pub use zscore::ZScores;
