//! Readers: one file format each, checked before training starts.

mod bytes;
pub(crate) mod cifar;
pub(crate) mod embedded;
pub(crate) mod folder;
pub(crate) mod idx;
mod listing;
