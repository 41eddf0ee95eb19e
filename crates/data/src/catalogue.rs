//! Images that stay in their files and are read and decoded when they are asked for.

use std::io::{Cursor, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use afterimage_files::open_input;
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::DataError;
use crate::names::{Member, NameList, SampleName};
use crate::picture::Shape;
use crate::read::folder::Scale;

/// What a digest of a catalogue covers.
pub(crate) const COVERED: &str = "shape, names, sizes in bytes and labels of all images, and the first 512 \
                                  bytes of up to 4,096 of them, evenly apart; not every byte";

/// Bytes of an image, from its first on, that the digest covers.
const HEAD: u64 = 512;
/// Images whose first bytes the digest covers, at most.
const HEADS: usize = 4096;
/// Bytes of one encoded image, at most: far more than the pixels that are read can need.
pub(crate) const MOST_BYTES: u64 = 1 << 30;

/// Images of one source, by number: where each lies, and what becomes of its bytes.
#[derive(Debug)]
pub(crate) struct Catalogue {
    /// The folder that names are below.
    root: PathBuf,
    names: Names,
    bytes: Bytes,
    form: Form,
    heads: [u8; 32],
}

/// How the images of a catalogue are called.
#[derive(Debug)]
pub(crate) enum Names {
    /// A file for each, below the root.
    Files(NameList),
    /// Files that hold many; for each, its name below the root and the number behind its last image.
    /// With names of the members, where these have any.
    Members(Vec<(String, usize)>, Option<NameList>),
}

/// Where the bytes of the images of a catalogue lie.
#[derive(Debug)]
pub(crate) enum Bytes {
    /// The whole file that names the image; its size when it was listed.
    Files(Vec<u64>),
    /// Parts of files.
    Parts(Parts),
    /// Equal parts of one file, from a byte on.
    Rows {
        file: Container,
        start: u64,
        size: u64,
    },
    /// Behind each other in memory, with the end of each.
    Held(Vec<u8>, Vec<u64>),
}

/// Parts of files: images in the order of the files.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) files: Vec<Container>,
    /// Number of the file of each image.
    pub(crate) file: Vec<u32>,
    pub(crate) offsets: Vec<u64>,
    pub(crate) lengths: Vec<u32>,
}

/// A file that holds images, with its length when it was indexed.
#[derive(Debug, Clone)]
pub(crate) struct Container {
    pub(crate) path: PathBuf,
    pub(crate) length: u64,
}

/// What the bytes of an image are.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// A picture in any format, scaled.
    Encoded(Scale),
    /// Planes of this shape.
    Planes(Shape),
    /// Rows of pixels of this shape.
    Interleaved(Shape),
}

impl Form {
    /// Shape of each image.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Self::Encoded(scale) => Shape {
                channels: scale.channels,
                height: scale.size,
                width: scale.size,
            },
            Self::Planes(shape) | Self::Interleaved(shape) => shape,
        }
    }

    /// The image of `bytes` as planes; `name` tells the format where the bytes do not.
    fn planes(self, name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
        match self {
            Self::Planes(_) => Ok(bytes),
            Self::Interleaved(shape) => Ok((0..shape.channels)
                .flat_map(|c| bytes[c..].iter().step_by(shape.channels).copied())
                .collect()),
            Self::Encoded(scale) => scale.decode(Cursor::new(bytes), Path::new(name)),
        }
    }
}

impl Catalogue {
    /// The images that `names` and `bytes` tell of, in one order, below `root`.
    ///
    /// # Errors
    /// An image that has gone, of those whose first bytes are read for the digest.
    pub(crate) fn new(
        root: &Path,
        names: Names,
        bytes: Bytes,
        form: Form,
    ) -> Result<Self, DataError> {
        let mut catalogue = Self {
            root: root.to_owned(),
            names,
            bytes,
            form,
            heads: [0; 32],
        };
        let count = catalogue.len();
        let step = count.div_ceil(HEADS).max(1);
        let chosen: Vec<usize> = (0..count).step_by(step).collect();
        let heads: Vec<_> = chosen
            .par_iter()
            .map(|&at| catalogue.content(at, HEAD))
            .collect();
        let mut hash = Sha256::new();
        for head in heads {
            hash.update(head?);
        }
        catalogue.heads = hash.finalize().into();
        Ok(catalogue)
    }

    /// Number of images.
    pub(crate) fn len(&self) -> usize {
        match (&self.names, &self.bytes) {
            (Names::Files(names), _) => names.len(),
            (Names::Members(files, _), _) => files.last().map_or(0, |(_, end)| *end),
        }
    }

    /// Shape of each image.
    pub(crate) fn shape(&self) -> Shape {
        self.form.shape()
    }

    /// Bytes that it takes in memory.
    pub(crate) fn memory(&self) -> u64 {
        let names = match &self.names {
            Names::Files(names) => names.memory(),
            Names::Members(files, names) => {
                let files = files.iter().map(|(name, _)| name.len() + 32);
                files.sum::<usize>() + names.as_ref().map_or(0, NameList::memory)
            }
        };
        let bytes = match &self.bytes {
            Bytes::Files(sizes) => 8 * sizes.len(),
            Bytes::Parts(parts) => 16 * parts.offsets.len(),
            Bytes::Rows { .. } => 0,
            Bytes::Held(bytes, ends) => bytes.len() + 8 * ends.len(),
        };
        (names + bytes) as u64
    }

    /// How image `at` is called.
    pub(crate) fn name(&self, at: usize) -> Option<SampleName<'_>> {
        match &self.names {
            Names::Files(names) => Some(SampleName {
                file: names.get(at)?,
                member: None,
            }),
            Names::Members(files, names) => {
                let file = files.partition_point(|(_, end)| *end <= at);
                let before = file.checked_sub(1).map_or(0, |before| files[before].1);
                let member = match names {
                    Some(names) => Member::Name(names.get(at)?),
                    None => Member::Number(at - before),
                };
                Some(SampleName {
                    file: &files.get(file)?.0,
                    member: Some(member),
                })
            }
        }
    }

    /// Encoded bytes of image `at`.
    pub(crate) fn size(&self, at: usize) -> u64 {
        match &self.bytes {
            Bytes::Files(sizes) => sizes[at],
            Bytes::Parts(parts) => u64::from(parts.lengths[at]),
            Bytes::Rows { size, .. } => *size,
            Bytes::Held(_, ends) => ends[at] - at.checked_sub(1).map_or(0, |before| ends[before]),
        }
    }

    /// A hash of the first bytes of some images.
    pub(crate) fn heads(&self) -> &[u8] {
        &self.heads
    }

    /// Image `at` as planes `[C, H, W]`.
    ///
    /// # Errors
    /// A file that has gone or changed, or that cannot be decoded.
    pub(crate) fn planes(&self, at: usize) -> Result<Vec<u8>, DataError> {
        let bytes = self.content(at, u64::MAX)?;
        let name = self.name(at);
        let name = name.map_or("", |name| name.member.map_or(name.file, Member::as_name));
        self.form
            .planes(name, bytes)
            .map_err(|reason| self.fault(at, reason))
    }

    /// The bytes of image `at`, its first `most` where that is less.
    fn content(&self, at: usize, most: u64) -> Result<Vec<u8>, DataError> {
        let size = self.size(at).min(most);
        if size > MOST_BYTES {
            let reason = format!("{size} bytes are no image that can be read");
            return Err(self.fault(at, reason));
        }
        let part = |file: &Container, start| {
            part(file, start, size).map_err(|reason| self.fault(at, reason))
        };
        match &self.bytes {
            Bytes::Files(sizes) => {
                let name = self.name(at).map_or("", |name| name.file);
                whole(&self.root.join(name), sizes[at], size)
                    .map_err(|reason| self.fault(at, reason))
            }
            Bytes::Parts(parts) => part(&parts.files[parts.file[at] as usize], parts.offsets[at]),
            Bytes::Rows { file, start, size } => part(file, start + at as u64 * size),
            Bytes::Held(bytes, ends) => {
                let start = at.checked_sub(1).map_or(0, |before| ends[before]) as usize;
                Ok(bytes[start..start + size as usize].to_vec())
            }
        }
    }

    fn fault(&self, at: usize, reason: String) -> DataError {
        let (file, member) = match self.name(at) {
            Some(name) => (name.file, name.member.map(|member| member.to_string())),
            None => ("", None),
        };
        DataError::Image {
            path: self.root.join(file),
            member,
            reason,
        }
    }
}

/// The first `size` bytes of the file `path`, which had `listed` bytes.
fn whole(path: &Path, listed: u64, size: u64) -> Result<Vec<u8>, String> {
    let file = open_input(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::with_capacity(size as usize + 1);
    // One byte more tells of a file that grew.
    let most = if size == listed { size + 1 } else { size };
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| error.to_string())?;
    match (bytes.len() as u64).cmp(&size) {
        std::cmp::Ordering::Equal => Ok(bytes),
        less_or_more => Err(format!(
            "it had {listed} bytes when the run began and has {} now; images may not change while a run \
             goes on",
            match less_or_more {
                std::cmp::Ordering::Less => bytes.len().to_string(),
                _ => "more".to_owned(),
            }
        )),
    }
}

/// `size` bytes of `file` from `start` on.
fn part(file: &Container, start: u64, size: u64) -> Result<Vec<u8>, String> {
    let open = open_input(&file.path).map_err(|error| error.to_string())?;
    let held = open.metadata().map_err(|error| error.to_string())?.len();
    if held != file.length {
        return Err(format!(
            "the file had {} bytes when the run began and has {held} now; files of images may not change \
             while a run goes on",
            file.length
        ));
    }
    let mut bytes = vec![0; size as usize];
    open.read_exact_at(&mut bytes, start)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}
