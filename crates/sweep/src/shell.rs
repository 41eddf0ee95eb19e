//! Words for a shell.

use std::path::Path;

/// `path` as one word of a POSIX shell.
pub(crate) fn quoted(path: &Path) -> String {
    quoted_text(&path.to_string_lossy())
}

/// `text` as one word of a POSIX shell.
pub fn quoted_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted_text;

    #[test]
    fn a_shell_reads_back_what_was_written() -> std::io::Result<()> {
        for text in ["a", "a b", "it's", "$HOME `x` \"y\" \\", "Zürich\nnew", ""] {
            let script = format!("printf %s {}", quoted_text(text));
            let read = std::process::Command::new("sh")
                .args(["-c", &script])
                .output()?;
            assert_eq!(String::from_utf8_lossy(&read.stdout), text);
        }
        Ok(())
    }
}
