//! The laws that a plugin keeps, as tests for its author: a dev-dependency of the crate that has the plugin.
//!
//! [`plugin_conformance!`] makes the tests of one kind. They train a small encoder on the images that are in
//! the program, in processes of their own that are really killed:
//!
//! - `it_changes_nothing`: the training is, to the bit, the one without it (an observer's law);
//! - `it_resumes_exactly`: a run that stopped in the middle of an epoch, and runs that were killed, end with
//!   the same bytes as one that went straight through;
//! - `its_state_comes_back`: a new plugin that was given the saved state gives the same state again, and
//!   refuses the state of another version;
//! - `its_order_holds`: it is ordered by what it declares, provides what it says, and two of it run side by
//!   side or are refused;
//! - `it_bears_faults_of_others`: it does the same beside a plugin that panics;
//! - `it_refuses_mistakes`: unknown keys and values of a wrong type are told with key and line;
//! - `its_cost_is_known`: it was called, and how long its calls took is told. No time is asserted.
//!
//! ```no_run
//! use afterimage::PluginKind;
//! use afterimage::track::{Watch, WatchConfig};
//!
//! fn kind() -> PluginKind {
//!     PluginKind::new("my-watch", "norms of all parameters", |_: &WatchConfig, _| {}, Watch::new)
//! }
//!
//! #[cfg(test)]
//! mod conformance {
//!     afterimage_testkit::plugin_conformance!(super::kind(), "every = \"2 steps\"");
//! }
//! # fn main() {}
//! ```
//!
//! Several plugins at once, other experiments and other programs are tested by [`Conformance`] itself.

mod conformance;
mod error;
mod experiment;
mod files;
mod laws;
mod macros;
mod program;
mod runs;

pub use conformance::Conformance;
pub use error::Broken;
pub use experiment::TINY;
pub use files::{
    Difference, Files, checkpoints, difference, ends, files_under, last_checkpoint, learned,
    records,
};
pub use macros::{held, registry_with};
pub use program::{Program, answer};
pub use runs::draw;
