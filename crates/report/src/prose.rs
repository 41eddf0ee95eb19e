//! Sentences, and lists of them.

use maud::{Markup, Render, html};

/// A sentence: what stands between backticks is code.
pub fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    // A backtick without a partner stays what it is.
    if parts.len().is_multiple_of(2) {
        return html! { (text) };
    }
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @if at % 2 == 0 { (part) } @else { code { (part) } }
        }
    }
}

/// The items of a list, to stand in an `ul`.
pub fn items(of: impl IntoIterator<Item = impl Render>) -> Markup {
    html! { @for item in of { li { (item) } } }
}

/// What a page lacks because it cannot be read; nothing where it lacks nothing.
pub fn not_shown(faults: impl IntoIterator<Item = impl Render>) -> Markup {
    let lines = items(faults);
    html! {
        @if !lines.0.is_empty() {
            div.warning {
                strong { "Not shown, because it cannot be read or is lost:" }
                ul { (lines) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_in_a_sentence_is_code() {
        let prose = |text| prose(text).into_string();
        assert_eq!(prose("a `b<c>` d"), "a <code>b&lt;c&gt;</code> d");
        assert_eq!(prose("5` long & so on"), "5` long &amp; so on");
    }

    #[test]
    fn a_page_that_lacks_nothing_says_nothing() {
        assert_eq!(not_shown([""; 0]).into_string(), "");
        assert!(not_shown(["<a>"]).into_string().contains("<li>&lt;a&gt;<"));
    }
}
