//! SIGINT and SIGTERM: the first asks for a checkpoint and the end, the second ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Listens for SIGINT and SIGTERM; the number of the first one arrives in the returned value.
///
/// # Errors
/// Handlers that cannot be installed.
pub fn listen() -> std::io::Result<Arc<AtomicUsize>> {
    let received = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM] {
        let asked = Arc::new(AtomicBool::new(false));
        // In this order: the second signal finds `asked` set by the first.
        flag::register_conditional_default(signal, Arc::clone(&asked))?;
        flag::register(signal, asked)?;
        flag::register_usize(signal, Arc::clone(&received), signal as usize)?;
    }
    Ok(received)
}
