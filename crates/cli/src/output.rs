//! What the commands say.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::LazyLock;

use afterimage::files::{plain, visible};

/// Arguments of this command that would break a line, as those that name files may.
static BREAKING: LazyLock<Vec<String>> = LazyLock::new(|| {
    let arguments = std::env::args_os().skip(1);
    arguments
        .map(|argument| argument.to_string_lossy().into_owned())
        .filter(|argument| argument.contains(['\n', '\t']))
        .collect()
});

/// What a terminal shows of `text`, with arguments of the user on one line.
fn told(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for argument in BREAKING.iter().filter(|argument| !argument.is_empty()) {
        text = Cow::Owned(text.replace(argument.as_str(), &plain(argument)));
    }
    match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => Cow::Owned(shown),
    }
}

/// Writes to standard output; a reader that has closed it has seen enough.
pub fn say(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out
        .write_all(told(text).as_bytes())
        .and_then(|()| out.flush());
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    let mut err = io::stderr().lock();
    let _ = writeln!(err, "{}", told(text.trim_end()));
}

/// Writes one line to standard error, whatever names of others are in it.
pub fn complain_line(text: &str) {
    complain(&plain(text.trim_end()));
}
