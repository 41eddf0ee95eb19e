//! Lines of text files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use afterimage_files::open_input;

/// Bytes of a line, at most: more than a million cells take.
const LONGEST: usize = 64 << 20;

/// A file of lines, none of them endless: a file of zeros would be one, as long as the memory.
pub struct TextFile {
    file: File,
    /// Bytes since the last end of a line.
    since: usize,
    longest: usize,
}

impl TextFile {
    /// Opens a plain file that the user names.
    ///
    /// # Errors
    /// No such file, one that may not be read, a pipe or a device.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = open_input(path)?;
        let longest = LONGEST;
        let since = 0;
        Ok(Self {
            file,
            since,
            longest,
        })
    }
}

impl Read for TextFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(into)?;
        let ends = |byte: &u8| matches!(byte, b'\n' | b'\r');
        self.since = match into[..read].iter().rposition(ends) {
            Some(end) => read - end - 1,
            None => self.since + read,
        };
        if self.since > self.longest {
            let what = format!(
                "a line has more than {} MB; this is no table of lines",
                self.longest >> 20
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        Ok(read)
    }
}

/// The number, from 1, of the line of a CSV record that the reader found from byte `start` on. The
/// `csv` crate passes over blank lines only once it is asked for the record behind them, and tells the
/// place of the first of them.
pub fn line_at(path: &Path, start: u64) -> Option<u64> {
    let mut reader = BufReader::new(open_input(path).ok()?);
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
    fn a_line_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, "1,2\n3,4\r".repeat(100) + &"5".repeat(100)).unwrap();
        let read = |longest| {
            let mut file = TextFile::open(&path).unwrap();
            file.longest = longest;
            let mut text = String::new();
            file.read_to_string(&mut text).map(|_| text.len())
        };
        assert_eq!(read(100).unwrap(), 900);
        let told = read(99).unwrap_err().to_string();
        assert!(told.contains("a line has more than"));
        // Zeros without end, as far as the name tells.
        let file = File::create(&path).unwrap();
        file.set_len(1 << 40).unwrap();
        let mut line = Vec::new();
        let mut zeros = BufReader::new(TextFile::open(&path).unwrap());
        assert!(zeros.read_until(b'\n', &mut line).is_err());
    }

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
