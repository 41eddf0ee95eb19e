//! The `afterimage` command.

use std::ffi::OsString;
use std::io::{Write as _, stdout};
use std::path::PathBuf;

use afterimage::Registry;
use afterimage_cli::Call;
use pyo3::prelude::*;

/// Runs the command line `words`, the name of the program first, and returns its exit code. Trials of
/// a sweep are processes of `program`.
#[pyfunction]
pub fn command(py: Python<'_>, words: Vec<OsString>, program: Option<PathBuf>) -> u8 {
    py.detach(|| {
        let code = Call { words, program }.run(&Registry::standard());
        // A library does not do at the end of a process what a program does.
        let _ = stdout().flush();
        code
    })
}
