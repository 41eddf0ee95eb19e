//! Encoded images behind each other in a file, so that each can be read alone.
//!
//! A folder of two files: `images`, and `ends`, which has the end of each image as 64-bit little-endian
//! numbers behind the SHA-256 of these numbers.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use afterimage_files::{Partial, PartialError, read_below};
use sha2::{Digest, Sha256};

use crate::catalogue::{Container, Parts};
use crate::error::DataError;

const IMAGES: &str = "images";
const ENDS: &str = "ends";
const DIGEST: usize = 32;

/// A cache that is being written; it is in its place whole or not at all.
pub(super) struct Cache {
    partial: Partial,
    images: BufWriter<File>,
    ends: Vec<u8>,
    end: u64,
}

impl Cache {
    /// Begins the cache `place`; none where another process writes it just now, or just did.
    pub(super) fn create(place: &Path) -> Result<Option<Self>, DataError> {
        let partial = match Partial::beside(place) {
            Ok(partial) => partial,
            Err(PartialError::Held { .. } | PartialError::Full { .. }) => return Ok(None),
            Err(error) => return Err(DataError::config("data.cache", error.to_string())),
        };
        let path = partial.path().join(IMAGES);
        let file = File::create(&path).map_err(|error| DataError::read(&path, error))?;
        Ok(Some(Self {
            partial,
            images: BufWriter::with_capacity(1 << 20, file),
            ends: Vec::new(),
            end: 0,
        }))
    }

    /// Adds an image.
    pub(super) fn push(&mut self, image: &[u8]) -> Result<(), DataError> {
        let written = self.images.write_all(image);
        written.map_err(|error| self.refused(error))?;
        self.end += image.len() as u64;
        self.ends.extend(self.end.to_le_bytes());
        Ok(())
    }

    /// Puts the cache in its place.
    pub(super) fn finish(mut self) -> Result<(), DataError> {
        let written = self
            .images
            .flush()
            .and_then(|()| self.images.get_ref().sync_all());
        written.map_err(|error| self.refused(error))?;
        let path = self.partial.path().join(ENDS);
        let digest = Sha256::digest(&self.ends);
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(&digest)?;
            file.write_all(&self.ends)?;
            file.sync_all()
        });
        written.map_err(|error| self.refused(error))?;
        let Self { partial, .. } = self;
        partial
            .finish()
            .map_err(|error| DataError::config("data.cache", error.to_string()))
    }

    fn refused(&self, error: std::io::Error) -> DataError {
        DataError::format(
            &self.partial.path().join(IMAGES),
            format!(
                "the cache cannot be written behind its first {} bytes: {error}; nothing of it is kept. \
                 Make room, or name another folder in data.cache",
                self.end
            ),
        )
    }
}

/// Where the images of the cache `place` lie, of which there are `count`.
pub(super) fn open(place: &Path, count: usize) -> Result<Parts, DataError> {
    let damaged = |reason: String| {
        DataError::format(
            place,
            format!("{reason}; remove this folder, and it is written again"),
        )
    };
    let bytes = read_below(place, ENDS, (DIGEST + 8 * count) as u64)
        .map_err(|error| damaged(format!("the cache is damaged: {error}")))?;
    let whole = bytes.split_at_checked(DIGEST).filter(|(digest, ends)| {
        ends.len() == 8 * count && *digest == Sha256::digest(ends).as_slice()
    });
    let Some((_, ends)) = whole else {
        return Err(damaged(format!("the cache does not list {count} images")));
    };
    let path = place.join(IMAGES);
    let length = std::fs::metadata(&path)
        .map_err(|error| damaged(format!("the cache is damaged: {error}")))?
        .len();
    let (mut parts, mut start) = (Parts::default(), 0);
    for end in ends.chunks_exact(8) {
        let mut word = [0; 8];
        word.copy_from_slice(end);
        let end = u64::from_le_bytes(word);
        let size = end
            .checked_sub(start)
            .and_then(|size| u32::try_from(size).ok());
        parts.offsets.push(start);
        parts
            .lengths
            .push(size.ok_or_else(|| damaged("its sizes make no sense".to_owned()))?);
        start = end;
    }
    if start != length {
        return Err(damaged(format!(
            "the images take {start} bytes, and the file has {length}"
        )));
    }
    parts.file = vec![0; count];
    parts.files = vec![Container { path, length }];
    Ok(parts)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_place_without_a_name_is_told_under_the_key_and_without_a_flag() {
        let told = Cache::create(Path::new("..")).err().unwrap().to_string();
        assert!(told.starts_with("data.cache: "), "{told}");
        assert!(
            told.contains("name a folder inside") && !told.contains("--"),
            "{told}"
        );
    }

    #[test]
    fn what_another_writes_or_wrote_is_left_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("cache");
        let first = Cache::create(&place).unwrap();
        assert!(first.is_some());
        assert!(Cache::create(&place).unwrap().is_none());
        first.unwrap().finish().unwrap();
        assert!(Cache::create(&place).unwrap().is_none());
    }
}
