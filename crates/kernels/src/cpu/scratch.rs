//! Working memory that a thread keeps from one call to the next.

use std::cell::RefCell;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with `len` floats of unknown content, which stay allocated on this thread.
///
/// Callers bound `len` by their blocks (a few MiB). A call inside of `work` gets memory of its own,
/// which is freed after it.
pub(crate) fn with_scratch<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut memory = SCRATCH.with(|cell| cell.take());
    if memory.len() < len {
        memory.resize(len, 0.0);
    }
    let result = work(&mut memory[..len]);
    SCRATCH.with(|cell| cell.replace(memory));
    result
}
