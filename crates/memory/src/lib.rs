//! Memorization scores (UnitMem, ClassMem, LayerMem) as pure functions and as plugins.
//!
//! The way of a number: readings of augmented views become one activation per point and unit
//! ([`point_means`]), which a [`UnitState`] or a [`UnitBuffer`] takes in any order; a [`UnitMem`]
//! holds the scores of one probe at one site, and is summarised, compared with null probes
//! ([`UnitMem::excess_over`], [`OwnershipTest`]) and with earlier ones
//! ([`UnitMem::turnover_since`], [`Streaks`]). A [`CrossFit`] takes two folds of the views and is
//! free of the lift that the choice of the largest activation gives. [`ClassMeans`] has classes in
//! place of points. [`Concentration`] says whether few points own many units.
//!
//! A [`Probe`] carries a network's readings to them. The plugins are thin: [`UnitMemProbe`] (kind
//! `unitmem`) probes at the end of epochs, with nulls beside each curve; [`ClassMemProbe`] (kind
//! `classmem`) does the same for classes; [`OwnershipProbe`] (kind `ownership`) compares the two
//! encoders of a pair; [`UnitMemStreaming`] (kind `unitmem-streaming`) listens to the training
//! forward pass.
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
mod class_means;
mod class_scores;
mod classmem;
mod classmem_report;
mod concentration;
mod cross_fit;
mod deja_vu;
mod distance;
mod dose_report;
mod error;
mod exact_sum;
mod layer_scores;
mod layermem;
mod layermem_probe;
mod looking;
mod measure;
mod memory_left;
mod owned_area;
mod owner_report;
mod owner_strip;
mod owners;
mod ownership_probe;
mod ownership_test;
mod probe;
mod probe_points;
mod publish;
mod publish_layers;
mod remembered;
mod site_points;
mod streaks;
mod streaming;
mod summary;
mod top_points;
mod unit_buffer;
mod unit_max;
mod unit_rows;
mod unit_score;
mod unit_scores;
mod unit_table;
mod unitmem;
mod views;

pub use activation_map::ActMap;
pub use afterimage_numeric::Area;
pub use agreement::{kendall_tau, top_overlap};
pub use alignment::{Alignment, AlignmentProbe, EMBEDDING};
pub use alignment_gap::{AlignmentGap, AlignmentGapConfig};
pub use calibration::{Excess, Ownership};
pub use class_means::ClassMeans;
pub use class_scores::ClassScores;
pub use classmem::{ClassMemConfig, ClassMemProbe};
pub use concentration::Concentration;
pub use cross_fit::CrossFit;
pub use deja_vu::{DejaVu, PublicSet, Recall, ShareGap};
pub use distance::{Distance, Pairs};
pub use error::MemoryError;
pub use exact_sum::ExactSum;
pub use layer_scores::{LayerScore, LayerScores};
pub use layermem::{Calibrated, LayerForm, LayerMem, alignment_gap};
pub use layermem_probe::{LayerMemConfig, LayerMemProbe, layer_mems};
pub use measure::{Measured, Probe};
pub use memory_left::{LayerMemory, MemoryPoints, memory_left};
pub use owner_strip::owner_strip;
pub use owners::{owned_units, units_by_owner};
pub use ownership_probe::{OwnershipConfig, OwnershipProbe};
pub use ownership_test::{Interval, OwnershipTest};
pub use probe::{UnitMemConfig, UnitMemProbe};
pub use probe_points::{chosen_of, points_of_both, probe_points};
pub use site_points::SitePoints;
pub use streaks::Streaks;
pub use streaming::{StreamingConfig, UnitMemStreaming};
pub use summary::{QUANTILES, Summary};
pub use top_points::{TOP_POINTS, TopPoints};
pub use unit_buffer::UnitBuffer;
pub use unit_max::UnitState;
pub use unit_score::{Invalid, UnitScore};
pub use unit_scores::{SiteScores, UnitScores};
pub use unitmem::{Form, UnitMem};
pub use views::{RowOrder, fold_means, point_means};
