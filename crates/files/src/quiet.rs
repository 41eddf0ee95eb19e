//! Panics of a reader that is given a damaged file.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// What `work` returns, or `None` if it panics; nothing is printed then.
///
/// Crates that decode Parquet files or pictures take much of a file on trust, and some panic where it is
/// damaged. They hold nothing beyond the reader, which is dropped, so that nothing broken is seen
/// afterwards. The hook is set once and hands on the panics of all other threads and of all other work.
pub fn catch<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !QUIET.with(Cell::get) {
                before(info);
            }
        }));
    });
    let outer = QUIET.with(|quiet| quiet.replace(true));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    QUIET.with(|quiet| quiet.set(outer));
    result.ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    #[test]
    fn a_panic_is_none() {
        assert_eq!(super::catch(|| 1), Some(1));
        assert_eq!(super::catch(|| -> u8 { panic!("damaged") }), None);
    }
}
