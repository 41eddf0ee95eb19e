//! Quotes of a table of text: whether one is open.

/// Where the last byte was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// A cell begins.
    Begin,
    /// In a cell without quotes, or behind them.
    Plain,
    /// Between quotes.
    Quoted,
    /// At a quote between quotes, which ends them or is the first of two.
    Quote,
}

/// Follows the quotes of a table of text as the `csv` crate reads it, which takes all behind a quote that is
/// never closed for one cell.
#[derive(Debug)]
pub(crate) struct Quotes {
    delimiter: u8,
    place: Place,
    /// The line of the next byte, from 1.
    line: u64,
    /// The line of the last quote that opened a cell.
    opened: u64,
}

impl Quotes {
    /// Those of a file that begins now.
    pub(crate) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            place: Place::Begin,
            line: 1,
            opened: 0,
        }
    }

    /// Goes on with `bytes`.
    pub(crate) fn pass(&mut self, bytes: &[u8]) {
        // Most parts of most files have no quotes.
        if !bytes.contains(&b'"') && self.place != Place::Quoted {
            self.line += bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
            if let Some(&last) = bytes.last() {
                self.place = self.plain(last);
            }
            return;
        }
        for &byte in bytes {
            self.place = match (self.place, byte) {
                (Place::Begin, b'"') => {
                    self.opened = self.line;
                    Place::Quoted
                }
                (Place::Quoted, b'"') => Place::Quote,
                (Place::Quoted, _) | (Place::Quote, b'"') => Place::Quoted,
                (_, byte) => self.plain(byte),
            };
            self.line += u64::from(byte == b'\n');
        }
    }

    /// The line, from 1, of a quote that is open.
    pub(crate) fn open(&self) -> Option<u64> {
        (self.place == Place::Quoted).then_some(self.opened)
    }

    fn plain(&self, byte: u8) -> Place {
        match byte == self.delimiter || matches!(byte, b'\n' | b'\r') {
            true => Place::Begin,
            false => Place::Plain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(text: &str) -> Option<u64> {
        let mut quotes = Quotes::new(b',');
        quotes.pass(text.as_bytes());
        // In parts of any size it is the same.
        for size in 1..4 {
            let mut parts = Quotes::new(b',');
            text.as_bytes()
                .chunks(size)
                .for_each(|part| parts.pass(part));
            assert_eq!(parts.open(), quotes.open(), "{text:?}");
        }
        quotes.open()
    }

    #[test]
    fn a_quote_that_is_never_closed_has_its_line() {
        assert_eq!(open("x,y\n1,\"a\n2,b\n"), Some(2));
        assert_eq!(open("\"x,y\n"), Some(1));
        assert_eq!(open("x\n\"a\"\"\n"), Some(2));
        for whole in [
            "x,y\n1,\"a\"\n2,b\n",
            "x\n\"a\nb\"\nc\n",
            "x\n5\" disk\n\"a\"\"b\"\n",
            "x\n\"a\"b\"\n",
            "",
        ] {
            assert_eq!(open(whole), None, "{whole:?}");
        }
    }
}
