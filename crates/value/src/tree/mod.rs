//! Decision trees that are grown and used in one pass.
//!
//! A tree is never stored: the rows that it is asked about (out of bag) go down with the rows that
//! it learns from, and get their answer where they arrive. Branches without such rows are not
//! grown.

mod counted;
mod cut;
mod grow;
mod summed;

pub(crate) use counted::ManyClasses;
pub(crate) use cut::{Criterion, Entry};
pub(crate) use grow::{Grower, Limits};
pub(crate) use summed::{Summed, TwoClasses, Variance};
