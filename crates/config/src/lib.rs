//! Strict experiment configs: TOML files that extend each other, flags over them, and every mistake told at once.
//!
//! The rules, in the order in which they apply:
//! - `extends = "base.toml"` (or an array of files, later over earlier) names what a file builds on, relative to that
//!   file.
//! - A file's tables are merged into those that it extends, key by key; anything else, arrays included, is replaced as
//!   a whole. A table whose `kind` changes starts afresh (but for its `id`), and a note tells what was dropped.
//! - `--set a.b=value` comes last; `plugins.unitmem.every` finds the element of `plugins` with that `id`, or that
//!   `kind` when it has no `id`. Nothing is read from the environment.
//! - Every key must be known and every value of its type: unknown, missing and wrong keys, and what [`Validate`]
//!   finds, are errors with file, line, key and a suggestion, all in one round.
//! - What is loaded is written back as one sorted text, the *resolved* config, which loads to itself; its digest names
//!   the run.
//!
//! The types are the caller's. They must read back what they write, `deny_unknown_fields` makes for the best
//! suggestions, and `f64` rather than `f32` keeps numbers as they were written.

mod attempt;
mod complaint;
mod decode;
mod error;
mod extends;
mod fill;
mod hint;
mod key;
mod load;
mod location;
mod merge;
mod report;
mod resolved;
pub mod schema;
mod set;
mod source;
mod suggest;
mod tree;

pub use error::{ConfigError, ConfigErrors};
pub use extends::read_layers;
pub use hint::{Hint, Hints, Instead, Wrong};
pub use key::{KeyPath, KeyPathError, Segment};
pub use load::{Files, Loaded, load, load_file, load_file_with, load_text, load_whole_with};
pub use location::{Location, Locations};
pub use report::{Report, Validate};
pub use set::Setting;
pub use source::Layer;
pub use suggest::nearest;

#[cfg(test)]
mod tests;
