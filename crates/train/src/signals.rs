//! SIGINT and SIGTERM: the first asks for a checkpoint and the end, a second SIGINT ends at once.
//!
//! A second SIGTERM changes nothing: schedulers and service managers repeat it, and it must not cut the
//! checkpoint off that the first one asked for.

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
    // In this order: the second SIGINT finds `asked` set by the first.
    let asked = Arc::new(AtomicBool::new(false));
    flag::register_conditional_default(SIGINT, Arc::clone(&asked))?;
    flag::register(SIGINT, asked)?;
    for signal in [SIGINT, SIGTERM] {
        flag::register_usize(signal, Arc::clone(&received), signal as usize)?;
    }
    Ok(received)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;

    #[test]
    fn a_repeated_sigterm_ends_nothing() {
        let received = listen().unwrap();
        for _ in 0..3 {
            signal_hook::low_level::raise(SIGTERM).unwrap();
        }
        assert_eq!(received.load(Ordering::SeqCst), SIGTERM as usize);
    }
}
