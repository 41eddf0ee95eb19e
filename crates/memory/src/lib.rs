//! Memorization scores (UnitMem) as pure functions and as plugins.
//!
//! The way of a number: readings of augmented views become one activation per point and unit
//! ([`point_means`]), which a [`UnitState`] or a [`UnitBuffer`] takes in any order; a [`UnitMem`]
//! holds the scores of one probe at one site, and is summarised, compared with null probes
//! ([`UnitMem::excess_over`], [`Ownership`]) and with earlier ones ([`UnitMem::turnover_since`]).
//!
//! A [`Probe`] carries a network's readings to them. The plugins are thin: [`UnitMemProbe`] (kind
//! `unitmem`) probes at the end of epochs, with nulls beside each curve; [`UnitMemStreaming`] (kind
//! `unitmem-streaming`) listens to the training forward pass.
//!
//! Source: Localizing Memorization in SSL Vision Encoders, NeurIPS 2024, arXiv 2409.19069.

mod activation_map;
mod calibration;
mod error;
mod exact_sum;
mod measure;
mod owner_strip;
mod owners;
mod probe;
mod probe_points;
mod publish;
mod site_points;
mod streaming;
mod summary;
mod unit_buffer;
mod unit_max;
mod unit_score;
mod unit_scores;
mod unitmem;
mod views;

pub use activation_map::ActMap;
pub use calibration::{Excess, Ownership};
pub use error::MemoryError;
pub use exact_sum::ExactSum;
pub use measure::{Measured, Probe};
pub use owner_strip::owner_strip;
pub use owners::owned_units;
pub use probe::{UnitMemConfig, UnitMemProbe};
pub use probe_points::probe_points;
pub use site_points::SitePoints;
pub use streaming::{StreamingConfig, UnitMemStreaming};
pub use summary::{QUANTILES, Summary};
pub use unit_buffer::UnitBuffer;
pub use unit_max::UnitState;
pub use unit_score::{Invalid, UnitScore};
pub use unit_scores::{SiteScores, UnitScores};
pub use unitmem::{Form, UnitMem};
pub use views::{RowOrder, point_means};
