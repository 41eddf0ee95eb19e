//! Lines of text files.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The number, from 1, of the line of a CSV record that the reader found from byte `start` on. The
/// `csv` crate passes over blank lines only once it is asked for the record behind them, and tells the
/// place of the first of them.
pub fn line_at(path: &Path, start: u64) -> Option<u64> {
    let mut reader = BufReader::new(File::open(path).ok()?);
    let (mut line, mut at) = (1, 0);
    loop {
        let bytes = reader.fill_buf().ok()?;
        let read = bytes.len();
        if read == 0 {
            return Some(line);
        }
        for &byte in bytes {
            if at >= start && byte != b'\n' && byte != b'\r' {
                return Some(line);
            }
            line += u64::from(byte == b'\n');
            at += 1;
        }
        reader.consume(read);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn blank_lines_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "a\n1\n\r\n\n2\n").unwrap();
        assert_eq!(line_at(&path, 0), Some(1));
        assert_eq!(line_at(&path, 2), Some(2));
        assert_eq!(line_at(&path, 4), Some(5));
        assert_eq!(line_at(&path, 99), Some(6));
    }
}
