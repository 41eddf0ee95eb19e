//! Words for a shell, in advice that a user copies.

use std::borrow::Cow;
use std::path::Path;

/// `path` as one word of a POSIX shell, in quotes where it needs them.
///
/// # Examples
/// ```
/// use afterimage_files::word;
/// assert_eq!(word("runs/one".as_ref()), "runs/one");
/// assert_eq!(word("my runs/it's".as_ref()), r"'my runs/it'\''s'");
/// ```
pub fn word(path: &Path) -> Cow<'_, str> {
    word_of(path.to_string_lossy())
}

/// `text` as one word of a POSIX shell, in quotes where it needs them.
pub fn word_of(text: Cow<'_, str>) -> Cow<'_, str> {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=,:@%".contains(c);
    match !text.is_empty() && text.chars().all(plain) {
        true => text,
        false => Cow::Owned(format!("'{}'", text.replace('\'', "'\\''"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_written() -> std::io::Result<()> {
        for text in [
            "a",
            "a b",
            "it's",
            "$HOME `x` \"y\" \\",
            "Zürich\nnew",
            "~/x",
            "",
        ] {
            let script = format!("printf %s {}", word_of(Cow::Borrowed(text)));
            let read = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()?;
            assert_eq!(String::from_utf8_lossy(&read.stdout), text);
        }
        Ok(())
    }
}
