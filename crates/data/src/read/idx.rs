//! IDX files, plain or gzip: MNIST, Fashion-MNIST and their kin.

use std::path::{Path, PathBuf};

use super::bytes::{HEAD, content, file_name};
use crate::dataset::DataSet;
use crate::error::{DataError, shown};
use crate::image_set::ImageSet;
use crate::names::SampleNames;
use crate::picture::Shape;

/// The four files of an IDX data set.
pub(crate) struct IdxPaths {
    pub(crate) train_images: PathBuf,
    pub(crate) train_labels: PathBuf,
    pub(crate) held_out_images: PathBuf,
    pub(crate) held_out_labels: PathBuf,
}

/// Finds the four files of `dir` under their usual names.
pub(crate) fn find(dir: &Path) -> Result<IdxPaths, DataError> {
    let find = |split: &str, what: &str, dims: u8| {
        let stems = [
            format!("{split}-{what}-idx{dims}-ubyte"),
            format!("{split}-{what}.idx{dims}-ubyte"),
        ];
        let names: Vec<String> = stems
            .iter()
            .flat_map(|stem| [stem.clone(), format!("{stem}.gz")])
            .collect();
        names
            .iter()
            .map(|name| dir.join(name))
            .find(|path| path.is_file())
            .ok_or_else(|| {
                DataError::format(
                    dir,
                    format!(
                        "the folder lacks the {what} of {split:?}; looked for {}",
                        names.join(", ")
                    ),
                )
            })
    };
    Ok(IdxPaths {
        train_images: find("train", "images", 3)?,
        train_labels: find("train", "labels", 1)?,
        held_out_images: find("t10k", "images", 3)?,
        held_out_labels: find("t10k", "labels", 1)?,
    })
}

/// Reads four IDX files; classes are named by their numbers.
pub(crate) fn load(paths: &IdxPaths) -> Result<DataSet, DataError> {
    let train = Part::read(&paths.train_images, &paths.train_labels)?;
    let held_out = Part::read(&paths.held_out_images, &paths.held_out_labels)?;
    assemble(train, held_out, None)
}

/// Height of the images in a file of IDX, where it can be read.
pub(crate) fn side(images: &Path) -> Option<usize> {
    // What the file is, and how many images it has, come before.
    let bytes = content(images, |_| Some(HEAD as u64)).ok()?;
    let height = bytes.get(8..)?.first_chunk::<4>()?;
    usize::try_from(u32::from_be_bytes(*height)).ok()
}

/// One split as read: images, labels, and the file of the images for messages.
pub(crate) struct Part<'a> {
    path: &'a Path,
    pixels: Vec<u8>,
    labels: Vec<u32>,
    shape: Shape,
}

impl<'a> Part<'a> {
    fn read(images: &'a Path, labels: &'a Path) -> Result<Self, DataError> {
        Self::parse(
            images,
            content(images, promised)?,
            labels,
            content(labels, promised)?,
        )
    }

    /// Checks and joins the contents of an image file and a label file.
    pub(crate) fn parse(
        images_path: &'a Path,
        images: Vec<u8>,
        labels_path: &Path,
        labels: Vec<u8>,
    ) -> Result<Self, DataError> {
        let ([count, height, width], pixels) = parse(images_path, images, "images")?;
        let ([label_count], labels) = parse(labels_path, labels, "labels")?;
        if count != label_count {
            return Err(DataError::format(
                images_path,
                format!(
                    "holds {count} images, but {} holds {label_count} labels",
                    shown(labels_path)
                ),
            ));
        }
        let labels = labels.into_iter().map(u32::from).collect();
        Ok(Self {
            path: images_path,
            pixels,
            labels,
            shape: Shape {
                channels: 1,
                height,
                width,
            },
        })
    }
}

/// Joins two splits of one image size.
pub(crate) fn assemble(
    train: Part<'_>,
    held_out: Part<'_>,
    names: Option<&[&str]>,
) -> Result<DataSet, DataError> {
    let size = |shape: Shape| format!("{}×{}", shape.height, shape.width);
    if train.shape != held_out.shape {
        return Err(DataError::format(
            held_out.path,
            format!(
                "images are {}, but those of {} are {}",
                size(held_out.shape),
                shown(train.path),
                size(train.shape)
            ),
        ));
    }
    let classes = match names {
        Some(names) => names.iter().map(|&name| name.to_owned()).collect(),
        None => {
            let last = train
                .labels
                .iter()
                .chain(&held_out.labels)
                .max()
                .copied()
                .unwrap_or(0);
            (0..=last)
                .map(|label| label.to_string())
                .collect::<Vec<_>>()
        }
    };
    let set = |part: Part<'_>| {
        let members = vec![(file_name(part.path), part.labels.len())];
        ImageSet::new(part.pixels, part.labels, classes.clone(), part.shape)
            .map(|set| set.named(SampleNames::Members(members)))
            .map_err(|reason| DataError::format(part.path, reason))
    };
    Ok(DataSet {
        train: set(train)?,
        held_out: set(held_out)?,
    })
}

/// The bytes that the beginning of an IDX file tells of, header and all.
fn promised(head: &[u8]) -> Option<u64> {
    let sides = usize::from(*head.get(3)?);
    let mut size = 1u64;
    for side in 0..sides {
        let word = head.get(4 + 4 * side..)?.first_chunk::<4>()?;
        size = size.saturating_mul(u64::from(u32::from_be_bytes(*word)));
    }
    Some(size.saturating_add(4 + 4 * sides as u64))
}

/// Dimensions and data of an IDX file of unsigned bytes with `N` dimensions.
fn parse<const N: usize>(
    path: &Path,
    mut bytes: Vec<u8>,
    what: &str,
) -> Result<([usize; N], Vec<u8>), DataError> {
    let error = |reason: String| Err(DataError::format(path, reason));
    let header = 4 + 4 * N;
    let magic = [0, 0, 8, N as u8];
    let word = |at: usize| bytes.get(at..at + 4).map(|b| [b[0], b[1], b[2], b[3]]);
    let hex = |b: [u8; 4]| format!("0x{:08x}", u32::from_be_bytes(b));
    match word(0) {
        Some(found) if found != magic => {
            return error(format!(
                "wrong magic number {}; an IDX file of {what} (unsigned bytes) starts with {}",
                hex(found),
                hex(magic)
            ));
        }
        Some(_) if bytes.len() >= header => {}
        _ => {
            return error(format!(
                "truncated: {} bytes are less than the {header} bytes of the header",
                bytes.len()
            ));
        }
    }
    let dims: [usize; N] =
        std::array::from_fn(|i| word(4 + 4 * i).map_or(0, |b| u32::from_be_bytes(b) as usize));
    let shown = dims.map(|d| d.to_string()).join("×");
    let Some(size) = dims
        .iter()
        .try_fold(1usize, |size, &dim| size.checked_mul(dim))
    else {
        return error(format!(
            "the header's dimensions {shown} are impossibly large"
        ));
    };
    if size == 0 {
        return error(format!("there are no {what}: the header says {shown}"));
    }
    let found = bytes.len() - header;
    match found.cmp(&size) {
        std::cmp::Ordering::Less => error(format!(
            "truncated: the header promises {shown} = {size} bytes of {what} after byte {header}, \
             there are {found}"
        )),
        std::cmp::Ordering::Greater => error(format!(
            "{} bytes too many: the header promises {shown} = {size} bytes of {what} after byte \
             {header}, there are {found}",
            found - size
        )),
        std::cmp::Ordering::Equal => {
            bytes.drain(..header);
            Ok((dims, bytes))
        }
    }
}
