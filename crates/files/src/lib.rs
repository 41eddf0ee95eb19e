//! Files of runs and sweeps, which others may have written: a name stays below its folder and names a
//! plain file with a bound on its size, one process at a time writes, and results appear whole. Text of
//! others reaches a terminal as text.

mod below;
mod bytes;
mod input;
mod lock;
mod machine;
mod partial;
mod quiet;
mod shell;
mod visible;
mod whole;

pub use below::{FileError, below, open, open_below, read, read_below, read_text};
pub use bytes::Bytes;
pub use input::{open_input, read_input, read_input_text};
pub use lock::{Lock, LockError};
pub use machine::{free_memory, machine_memory};
pub use partial::{Partial, PartialError};
pub use quiet::catch;
pub use shell::{word, word_of};
pub use visible::{plain, visible};
pub use whole::write_whole;

/// Bytes of a file of settings, of a result or of a list of files, at most.
pub const SMALL: u64 = 64 << 20;
/// Bytes of a file of records, of a table or of a part of a checkpoint, at most.
pub const LARGE: u64 = 64 << 30;
