//! What the commands say.

use std::borrow::Cow;
use std::io::{self, Write};

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

/// The text with all that a terminal would obey, but for new lines and tabs, as `\u001b`: names of files,
/// columns, labels and values of a config are somebody else's. What is JSON stays JSON of the same value.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_hidden(c) {
            shown += &format!("\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that turn the direction of the text around them.
fn is_hidden(c: char) -> bool {
    let turns =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        assert_eq!(visible("a\n\tb é"), "a\n\tb é");
        assert_eq!(
            visible("\u{1b}[31mred\u{9b}2J\r\u{202e}x\u{7f}"),
            "\\u001b[31mred\\u009b2J\\u000d\\u202ex\\u007f"
        );
    }
}
