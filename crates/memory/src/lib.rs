//! Memorization scores (UnitMem, LayerMem) as pure functions and as plugins.
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
//! LayerMem goes another way: an [`AlignmentProbe`] measures how far apart a network maps the views of
//! each point, layer by layer, and [`LayerMem`] compares that with a reference encoder that never saw
//! the points. [`LayerMemProbe`] (kind `layermem`) does so in runs that train the reference beside;
//! [`AlignmentGap`] (kind `alignment-gap`) needs no reference, and gives no score to single points.
//!
//! Source: Localizing Memorization in SSL Vision Encoders, NeurIPS 2024, arXiv 2409.19069.

mod activation_map;
mod agreement;
mod alignment;
mod alignment_gap;
mod calibration;
mod distance;
mod error;
mod exact_sum;
mod layer_scores;
mod layermem;
mod layermem_probe;
mod measure;
mod owner_strip;
mod owners;
mod probe;
mod probe_points;
mod publish;
mod publish_layers;
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
pub use agreement::{kendall_tau, top_overlap};
pub use alignment::{Alignment, AlignmentProbe, EMBEDDING};
pub use alignment_gap::{AlignmentGap, AlignmentGapConfig};
pub use calibration::{Excess, Ownership};
pub use distance::{Distance, Pairs};
pub use error::MemoryError;
pub use exact_sum::ExactSum;
pub use layer_scores::{LayerScore, LayerScores};
pub use layermem::{Calibrated, LayerForm, LayerMem, alignment_gap};
pub use layermem_probe::{LayerMemConfig, LayerMemProbe, layer_mems};
pub use measure::{Measured, Probe};
pub use owner_strip::owner_strip;
pub use owners::owned_units;
pub use probe::{UnitMemConfig, UnitMemProbe};
pub use probe_points::{chosen_of, probe_points};
pub use site_points::SitePoints;
pub use streaming::{StreamingConfig, UnitMemStreaming};
pub use summary::{QUANTILES, Summary};
pub use unit_buffer::UnitBuffer;
pub use unit_max::UnitState;
pub use unit_score::{Invalid, UnitScore};
pub use unit_scores::{SiteScores, UnitScores};
pub use unitmem::{Form, UnitMem};
pub use views::{RowOrder, point_means};
