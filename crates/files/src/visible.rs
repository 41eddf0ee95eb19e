//! Text of others on its way to a terminal.

use std::borrow::Cow;

/// The text with all that a terminal would obey, but for new lines and tabs, as `\u001b`: names of files,
/// columns, labels and values of a config are somebody else's. What is JSON stays JSON of the same value.
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_hidden(c) && !matches!(c, '\n' | '\t'))
}

/// The text on one line and in one cell: as [`visible`], new lines and tabs escaped too.
///
/// # Examples
/// ```
/// use afterimage_files::plain;
/// assert_eq!(plain("a\tb\u{1b}.png"), "a\\u0009b\\u001b.png");
/// ```
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, is_hidden)
}

fn escaped(text: &str, is_told: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_told) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_told(c) {
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
    turns || c.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nothing() {
        assert_eq!(visible("a\n\tb é"), "a\n\tb é");
        assert_eq!(plain("a\n\tb é"), "a\\u000a\\u0009b é");
        let hostile = "\u{1b}[31mred\u{9b}2J\r\u{202e}x\u{7f}";
        let told = "\\u001b[31mred\\u009b2J\\u000d\\u202ex\\u007f";
        assert_eq!(visible(hostile), told);
        assert_eq!(plain(hostile), told);
    }
}
