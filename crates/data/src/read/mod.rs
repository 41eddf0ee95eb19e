//! Readers: one file format each, checked before training starts.

mod bytes;
mod cache;
pub(crate) mod cifar;
pub(crate) mod embedded;
pub(crate) mod folder;
mod ids;
pub(crate) mod idx;
pub(crate) mod index;
mod lazy;
mod listing;
pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod parquet;
mod records;
pub(crate) mod shards;
mod split;
pub(crate) mod tar;
