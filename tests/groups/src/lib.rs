//! Groups of units that encoders declare, beside those that a recording of their forward pass shows.
//!
//! The device of burn's feature `capture` records operations in place of doing them. The dimensions of
//! all tensors are followed through the recording: what an operation needs to be equally long is one
//! dimension. The axes of parameters that one dimension runs over can be cut together alone.

mod compare;
mod dims;
mod follow;
mod record;

pub use compare::{Found, Place, check, found};
pub use record::{Recording, record};
