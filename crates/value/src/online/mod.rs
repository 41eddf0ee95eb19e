//! Values of samples and their cells while something else trains: a bank of small networks, each on
//! its own bag of the samples, judges what it has not learned from.
//!
//! The exact mode fits a new model for each subset of the cells (equation 3 of 2D-OOB). Here every
//! head keeps its bag of samples for ever and sees other cells at each step, as in training on masked
//! inputs: 32 heads with changing cells are as precise as some hundreds with fixed ones. What is
//! estimated is not quite the same: one model for all subsets stands in for a model of each.
//!
//! Nothing here knows of a training loop: [`OnlineValuer::step`] takes a batch of numbers with labels
//! and ids, wherever it comes from.
//!
//! Sources: Sun, Shen and Kwon, *2D-OOB*, NeurIPS 2024; Oza and Russell, *Online Bagging and
//! Boosting*, 2001, for bags of Poisson(1) counts.

mod bag;
mod bank;
mod clean;
mod columns;
mod heads;
mod scaling;
mod settings;
mod table;
mod tally;
mod valuer;
mod watch;

pub use bag::{bag, masks};
pub use bank::{Batch, HeadBank, Judged};
pub use clean::clean_prior;
pub use columns::SampleColumns;
pub use scaling::{Moments, Scaling};
pub use settings::OnlineSettings;
pub use table::{OnlinePasses, value_online};
pub use tally::CellTally;
pub use valuer::OnlineValuer;
pub use watch::Reliability;
