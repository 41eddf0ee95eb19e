//! Lines of text files.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

use afterimage_files::open_input;

use crate::quotes::Quotes;
use crate::{FileError, no_text};

/// Bytes of a line, at most: more than a million cells take.
const LONGEST: usize = 64 << 20;

/// A file of lines, none of them endless: a file of zeros would be one, as long as the memory.
pub struct TextFile {
    file: File,
    /// Bytes since the last end of a line.
    since: usize,
    longest: usize,
    /// Of a table, which must not end within quotes.
    quotes: Option<Quotes>,
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
            quotes: None,
        })
    }

    /// Opens a table of text, which is read from its beginning on, and tells its delimiter: of tabs,
    /// semicolons and commas the most frequent one in its first line, where quoted cells and decimal commas
    /// between tabs or semicolons do not count; the comma of equally frequent ones.
    ///
    /// # Errors
    /// As for [`open`](Self::open); a file that cannot be read; one of another kind by its first bytes, in
    /// words. Reading it to its end fails where a quote is opened and never closed, with its line.
    pub fn table(path: &Path) -> Result<(Self, u8), FileError> {
        let mut file = Self::open(path).map_err(FileError::io("open"))?;
        let mut line = Vec::new();
        let read = BufReader::new(&mut file).read_until(b'\n', &mut line);
        // What is no text may have no lines.
        if let Some(what) = no_text(&line) {
            return Err(FileError::content(format!("this is {what}")));
        }
        read.and_then(|_| file.file.rewind())
            .map_err(FileError::io("read"))?;
        file.since = 0;
        let delimiter = delimiter_of(&line);
        file.quotes = Some(Quotes::new(delimiter));
        Ok((file, delimiter))
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
        if let Some(quotes) = &mut self.quotes {
            quotes.pass(&into[..read]);
            if let (0, false, Some(line)) = (read, into.is_empty(), quotes.open()) {
                let what = format!(
                    "a quote is opened in line {line} and never closed; close it, or write \"\" for a quote \
                     that belongs to a cell that begins with one"
                );
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        }
        Ok(read)
    }
}

/// The delimiter of a table with this first line.
fn delimiter_of(line: &[u8]) -> u8 {
    let mut quoted = false;
    let plain: Vec<u8> = line
        .iter()
        .copied()
        .filter(|&byte| {
            quoted ^= byte == b'"';
            !quoted
        })
        .collect();
    let count = |wanted: u8| plain.iter().filter(|&&byte| byte == wanted).count();
    let most = [b'\t', b';', b','].into_iter().max_by_key(|&d| count(d));
    let most = most.unwrap_or(b',');
    let other = if count(b'\t') > count(b';') {
        b'\t'
    } else {
        b';'
    };
    if most == b',' && count(b',') > 0 && count(other) > 0 {
        let decimal = |cell: &[u8]| {
            let cell = cell.trim_ascii();
            let Some(comma) = cell.iter().position(|&byte| byte == b',') else {
                return true;
            };
            let digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
            let once = !cell[comma + 1..].contains(&b',');
            once && comma > 0 && digit(cell.get(comma - 1)) && digit(cell.get(comma + 1))
        };
        if plain.split(|&byte| byte == other).all(decimal) {
            return other;
        }
    }
    most
}

/// The number, from 1, of the first blank line behind which another line stands, and before which one
/// stood: in a file of one column it is a cell without a value, which the `csv` crate passes over.
///
/// # Errors
/// A file that cannot be read.
pub fn blank_line(path: &Path) -> Result<Option<u64>, FileError> {
    let file = TextFile::open(path).map_err(FileError::io("open"))?;
    let mut reader = BufReader::new(file);
    let (mut begun, mut blank, mut quoted) = (false, None, false);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let read = reader
            .read_until(b'\n', &mut line)
            .map_err(FileError::io("read"))?;
        if read == 0 {
            break;
        }
        if line.trim_ascii().is_empty() && !quoted {
            if begun && blank.is_none() {
                blank = Some(number);
            }
            continue;
        }
        if blank.is_some() {
            return Ok(blank);
        }
        begun = true;
        quoted ^= line.iter().filter(|&&byte| byte == b'"').count() % 2 == 1;
    }
    Ok(None)
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

/// A line as it is shown in a sentence: its first eight cells.
///
/// # Examples
/// ```
/// use afterimage_table::shown_line;
/// assert_eq!(shown_line(["a", "b"]), "a,b");
/// assert_eq!(shown_line(["a"; 9]), "a,a,a,a,a,a,a,a,…");
/// ```
pub fn shown_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 8;
    let mut cells = cells.into_iter();
    let first: Vec<&str> = cells.by_ref().take(SHOWN).collect();
    let more = if cells.next().is_some() { ",…" } else { "" };
    first.join(",") + more
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn delimiters_of_first_lines() {
        for (line, wanted) in [
            ("a,b,c", b','),
            ("a;b", b';'),
            ("a\tb", b'\t'),
            ("x", b','),
            ("0,125", b','),
            ("0,125;1,5;2,25", b';'),
            ("0,125\t1,5", b'\t'),
            ("a,b;c", b','),
            ("\"a;b;c\",d", b','),
            (";0", b';'),
            ("", b','),
        ] {
            assert_eq!(delimiter_of(line.as_bytes()), wanted, "{line}");
        }
    }

    #[test]
    fn a_table_is_read_from_its_beginning_behind_a_look_at_its_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        let text = "a;\"b,c\"\n1;2\n";
        std::fs::write(&path, text).unwrap();
        let (mut file, delimiter) = TextFile::table(&path).unwrap();
        let mut read = String::new();
        file.read_to_string(&mut read).unwrap();
        assert_eq!((delimiter, read.as_str()), (b';', text));
        std::fs::write(&path, b"\x1f\x8b\x08 and no end of a line").unwrap();
        let told = TextFile::table(&path).err().unwrap().to_string();
        assert_eq!(told, "this is compressed by gzip; unpack it first");
        let missing = TextFile::table(&folder.path().join("none")).err();
        assert!(matches!(missing, Some(FileError::Io { verb: "open", .. })));
    }

    #[test]
    fn a_blank_line_between_others_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        for (text, wanted) in [
            ("a\n1\n2\n\n\n", None),
            ("\n\na\n1\n", None),
            ("a\n1\r\n\r\n2\n", Some(3)),
            ("a\n\"x\n\ny\"\n2\n", None),
        ] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(blank_line(&path).unwrap(), wanted, "{text:?}");
        }
    }

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
