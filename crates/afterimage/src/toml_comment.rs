//! Comments of TOML files that the program writes.

/// `words` as lines of a comment of at most `width` letters; a longer word is on a line of its own.
pub(crate) fn wrapped(words: &str, width: usize) -> String {
    let mut text = String::new();
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.len() > 1 && line.chars().count() + 1 + word.chars().count() > width {
            text += &line;
            text.push('\n');
            line.truncate(1);
        }
        line.push(' ');
        line += word;
    }
    text + &line + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_keep_their_words_and_width() {
        let words = "a word or zwölf ".repeat(30);
        let text = wrapped(&words, 96);
        assert!(
            text.lines()
                .all(|line| line.starts_with("# ") && line.chars().count() <= 96)
        );
        let back: Vec<&str> = text
            .lines()
            .flat_map(|line| line.trim_start_matches('#').split_whitespace())
            .collect();
        assert_eq!(back, words.split_whitespace().collect::<Vec<_>>());
        assert_eq!(wrapped(&"word ".repeat(30), 100).lines().count(), 2);
    }

    #[test]
    fn a_word_that_is_too_long_is_on_a_line_of_its_own() {
        assert_eq!(wrapped("abcdefghij kl", 6), "# abcdefghij\n# kl\n");
        assert_eq!(wrapped("", 6), "#\n");
    }
}
