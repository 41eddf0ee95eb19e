//! A file that is appended to, whose bytes wait where there is no room for them.

use std::fs::File;
use std::io::{self, ErrorKind, Write};

/// Bytes that are written at a time.
const PIECE: usize = 1 << 13;
/// Bytes that wait at most.
const MOST: usize = 64 << 20;

/// A file that is appended to. What cannot be written waits in memory, and goes to the file in order once it
/// can: a disk that is full for a while costs nothing.
pub(crate) struct Held {
    file: File,
    waiting: Vec<u8>,
    /// Whether the last write failed.
    failing: bool,
    lost: u64,
    most: usize,
}

impl Held {
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            waiting: Vec::new(),
            failing: false,
            lost: 0,
            most: MOST,
        }
    }

    /// Adds a record. Where it cannot be written it waits, whatever this returns, unless as many bytes wait as
    /// may: then it is lost, and counted.
    pub(crate) fn push(&mut self, record: &[u8]) -> io::Result<()> {
        if self.waiting.len() + record.len() > self.most
            && let Err(error) = self.drain()
        {
            self.lost += 1;
            return Err(error);
        }
        self.waiting.extend_from_slice(record);
        if self.failing || self.waiting.len() >= PIECE {
            return self.drain();
        }
        Ok(())
    }

    /// Writes what waits.
    pub(crate) fn drain(&mut self) -> io::Result<()> {
        let mut done = 0;
        let result = loop {
            if done == self.waiting.len() {
                break Ok(());
            }
            match self.file.write(&self.waiting[done..]) {
                Ok(0) => break Err(ErrorKind::WriteZero.into()),
                Ok(written) => done += written,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.waiting.drain(..done);
        self.failing = result.is_err();
        result
    }

    /// Records that were neither written nor wait.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.drain();
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs::OpenOptions;

    use super::*;

    #[test]
    fn what_finds_no_room_waits_and_comes_in_order() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut held = Held::new(full);
        held.most = 40;
        held.push(b"first\n").unwrap();
        assert_eq!(held.drain().unwrap_err().kind(), ErrorKind::StorageFull);
        // From now on each record is a try; what fails waits.
        assert!(held.push(b"second\n").is_err());
        assert_eq!(held.lost(), 0);
        assert!(held.push(&[b'x'; 41]).is_err());
        assert_eq!(held.lost(), 1, "more than may wait");
        held.file = File::create(&path).unwrap();
        held.push(b"third\n").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"first\nsecond\nthird\n");
        held.push(b"fourth\n").unwrap();
        drop(held);
        let text = std::fs::read(&path).unwrap();
        assert_eq!(text, b"first\nsecond\nthird\nfourth\n");
    }
}
