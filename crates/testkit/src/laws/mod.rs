//! The laws, one a file.

mod cost;
mod effect;
mod faults;
mod mistakes;
pub(crate) mod order;
mod resume;
pub(crate) mod state;
