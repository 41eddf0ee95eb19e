//! The extension module `afterimage._native`: what the Python package beside it calls.
//!
//! The module holds the whole `afterimage` command as a function, and the package's console script
//! calls it. A wheel with a binary beside the module would hold everything twice, and maturin builds
//! either a binary or a module. The price is an interpreter's start, some 30 ms a call.
//!
//! The package outside of this crate understands frames and checks arguments; here arrives what is
//! ready: NumPy buffers, which are read where they lie, and lists of texts. The interpreter's lock is
//! released while there is work.
//!
//! The crate is no member of the workspace, because `pyo3` asks for an interpreter when it is built.
//! It forbids `unsafe` like all others: that of `pyo3` is in its macros, which the lint leaves out.

mod cells;
mod command;
mod files;
mod select;
mod told;
mod value;

use pyo3::prelude::*;

/// The functions of the module.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<value::Valued>()?;
    module.add_function(wrap_pyfunction!(value::value, module)?)?;
    module.add_function(wrap_pyfunction!(select::select, module)?)?;
    module.add_function(wrap_pyfunction!(select::strategies, module)?)?;
    module.add_function(wrap_pyfunction!(select::names_rows, module)?)?;
    module.add_function(wrap_pyfunction!(select::names_clock, module)?)?;
    module.add_function(wrap_pyfunction!(files::read_scalars, module)?)?;
    module.add_function(wrap_pyfunction!(files::read_parquet, module)?)?;
    module.add_function(wrap_pyfunction!(command::command, module)?)
}
