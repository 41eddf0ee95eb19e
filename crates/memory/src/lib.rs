//! Memorization scores (UnitMem) as pure functions.
//!
//! The way of a number: readings of augmented views become one activation per point and unit
//! ([`point_means`]), which a [`UnitState`] or a [`UnitBuffer`] takes in any order; a [`UnitMem`]
//! holds the scores of one probe at one site, and is summarised, compared with null probes
//! ([`UnitMem::excess_over`], [`Ownership`]) and with earlier ones ([`UnitMem::turnover_since`]).
//!
//! Source: Localizing Memorization in SSL Vision Encoders, NeurIPS 2024, arXiv 2409.19069.

mod activation_map;
mod calibration;
mod error;
mod exact_sum;
mod owners;
mod summary;
mod unit_buffer;
mod unit_max;
mod unit_score;
mod unitmem;
mod views;

pub use activation_map::ActMap;
pub use calibration::{Excess, Ownership};
pub use error::MemoryError;
pub use exact_sum::ExactSum;
pub use owners::owned_units;
pub use summary::{QUANTILES, Summary};
pub use unit_buffer::UnitBuffer;
pub use unit_max::UnitState;
pub use unit_score::{Invalid, UnitScore};
pub use unitmem::{Form, UnitMem};
pub use views::{RowOrder, point_means};
