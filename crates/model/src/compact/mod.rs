//! Making a smaller encoder of one whose units are masked.
//!
//! An [`Encoder`](crate::Encoder) lists [groups](Group): units that residual sums, or the queries, keys and values
//! of a head, tie together, with every tensor that makes or reads them. A unit that is masked for all
//! who read it can be taken out; what is left says the same.

mod architecture;
mod compaction;
mod group;
mod kept;
mod module;
mod slicing;

pub use architecture::{Architecture, load_weights, save_weights};
pub use compaction::{Compaction, TOLERANCE, compact, difference, without_units};
pub use group::{Group, Point, Slice, structure};
pub use kept::{Cuts, Kept, KeptUnits, WithShape};
pub use module::cut;
