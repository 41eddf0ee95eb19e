//! What the commands say.

use std::io::{self, Write};

use afterimage::files::visible;

/// Writes to standard output; a reader that has closed it has seen enough.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out
        .write_all(visible(text).as_bytes())
        .and_then(|()| out.flush());
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", visible(text.trim_end()));
}
