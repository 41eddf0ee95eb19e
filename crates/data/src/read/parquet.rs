//! Parquet in the layout of public image sets: a column of encoded bytes, or a struct with `bytes`, and a
//! column of labels, in any number of shards.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use afterimage_files::open_input;
use afterimage_table::{Cell, FileError, Number, Parquet};
use sha2::{Digest, Sha256};

use super::bytes::{budget, file_name};
use super::cache::{self, Cache};
use super::folder::Scale;
use super::lazy::{Labels, Listed};
use super::shards::{Lazy, files};
use crate::catalogue::{Bytes, Catalogue, Container, Form, MOST_BYTES, Names};
use crate::dataset::DataSet;
use crate::error::DataError;

/// How the shards are read.
pub(crate) struct Columns<'a> {
    pub(crate) image: &'a str,
    pub(crate) label: Option<&'a str>,
    /// Where encoded images are kept; in memory unless told.
    pub(crate) cache: Option<&'a Path>,
    pub(crate) scale: Scale,
}

/// The column of labels, unless told.
const LABEL: &str = "label";

/// Bytes at the end of a shard that tell it from others: what it holds where.
const FOOTER: u64 = 1 << 16;

impl Columns<'_> {
    /// Reads labels and encoded images, or those of the cache.
    pub(crate) fn load(
        &self,
        lazy: &Lazy<'_>,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        lazy.load(notes, |place, _| self.list(place))
    }

    fn list(&self, place: &Path) -> Result<Listed, DataError> {
        let (root, files) = files(place, "parquet")?;
        let shards: Vec<Shard> = files
            .iter()
            .map(|file| self.open(file))
            .collect::<Result<_, _>>()?;
        let mut members = Vec::new();
        let mut count = 0;
        for shard in &shards {
            count += shard.parquet.rows;
            members.push((file_name(shard.path), count));
        }
        if count == 0 {
            return Err(DataError::format(place, "the shards have no rows"));
        }
        let labels = labels(place, &shards)?;
        let size = shards
            .iter()
            .map(|shard| shard.parquet.column_bytes(shard.image));
        let size = size.fold(0, u64::saturating_add);
        let bytes = match self.cache {
            Some(dir) => self.cached(dir, &shards, size)?,
            None if size > budget() => {
                return Err(DataError::format(
                    place,
                    format!(
                        "the encoded images take {} MiB, and a data set may take {} MiB here, half of the \
                         memory; name a folder on a disk with as much room in data.cache",
                        size >> 20,
                        budget() >> 20
                    ),
                ));
            }
            None => held(&shards)?,
        };
        let form = Form::Encoded(self.scale);
        Ok(Listed {
            catalogue: Catalogue::new(&root, Names::Members(members, None), bytes, form)?,
            labels,
        })
    }

    fn open<'f>(&self, file: &'f Container) -> Result<Shard<'f>, DataError> {
        let path = &file.path;
        let parquet = Parquet::open(path).map_err(|error| unread(path, &error))?;
        let nested = format!("{}.bytes", self.image);
        let column = |name: &str| {
            parquet
                .columns
                .iter()
                .position(|column| column.name == name)
        };
        let is_image = |at: &usize| parquet.is_bytes(*at);
        let image = column(self.image).filter(is_image);
        let image = image.or_else(|| column(&nested).filter(is_image)).ok_or_else(|| {
            DataError::format(
                path,
                format!(
                    "there is no column {:?} of bytes and none {nested:?}, which hold encoded images; the \
                     columns are {}; name the one with the images in data.image",
                    self.image,
                    names(&parquet)
                ),
            )
        })?;
        let label = match (self.label, column(self.label.unwrap_or(LABEL))) {
            (Some(name), None) => {
                return Err(DataError::format(
                    path,
                    format!(
                        "there is no column {name:?}, which data.label names; the columns are {}",
                        names(&parquet)
                    ),
                ));
            }
            (_, label) => label,
        };
        Ok(Shard {
            path,
            length: file.length,
            parquet,
            image,
            label,
        })
    }

    /// The encoded images of the cache in `dir`, which is written where it is missing.
    fn cached(&self, dir: &Path, shards: &[Shard<'_>], size: u64) -> Result<Bytes, DataError> {
        let mut hash = Sha256::new();
        hash.update(self.image);
        for shard in shards {
            hash.update(file_name(shard.path));
            hash.update(shard.length.to_le_bytes());
            let mut footer = Vec::new();
            let wrong = |error| DataError::read(shard.path, error);
            let mut file = open_input(shard.path).map_err(wrong)?;
            let start = shard.length.saturating_sub(FOOTER);
            file.seek(SeekFrom::Start(start)).map_err(wrong)?;
            file.take(FOOTER).read_to_end(&mut footer).map_err(wrong)?;
            hash.update(footer);
        }
        let name: String = hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let place = dir.join(name);
        let rows = shards.iter().map(|shard| shard.parquet.rows).sum();
        if !place.exists() {
            tracing::warn!(
                "writing the encoded images of {} Parquet files, about {} MiB, to {}; later runs find them \
                 there",
                shards.len(),
                size.div_ceil(1 << 20),
                place.display()
            );
            let mut cache = Cache::create(&place)?;
            for shard in shards {
                shard.images(|image| cache.push(image))?;
            }
            cache.finish()?;
        }
        cache::open(&place, rows).map(Bytes::Parts)
    }
}

/// A file with its columns found.
struct Shard<'f> {
    path: &'f PathBuf,
    length: u64,
    parquet: Parquet,
    image: usize,
    label: Option<usize>,
}

impl Shard<'_> {
    /// Hands out the encoded images, row by row.
    fn images(
        &self,
        mut sink: impl FnMut(&[u8]) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let (mut row, mut stopped) = (0, None);
        let read = self.parquet.bytes(self.image, |image| {
            let fault = match image {
                None => Some(self.fault(row, "there is no image")),
                Some(image) if image.len() as u64 > MOST_BYTES => {
                    Some(self.fault(row, "there are too many bytes for an image"))
                }
                Some(image) => sink(image).err(),
            };
            row += 1;
            match fault {
                None => Ok(()),
                Some(error) => {
                    stopped = Some(error);
                    Err(FileError::Kind(String::new()))
                }
            }
        });
        match (stopped, read) {
            (Some(error), _) => Err(error),
            (None, read) => read.map_err(|error| unread(self.path, &error)),
        }
    }

    fn fault(&self, row: usize, what: &str) -> DataError {
        DataError::format(self.path, format!("row {row}: {what}"))
    }
}

/// The encoded images in memory.
fn held(shards: &[Shard<'_>]) -> Result<Bytes, DataError> {
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for shard in shards {
        shard.images(|image| {
            bytes.extend_from_slice(image);
            ends.push(bytes.len() as u64);
            Ok(())
        })?;
    }
    Ok(Bytes::Held(bytes, ends))
}

/// The labels of all rows, with the names that the shards tell.
fn labels(place: &Path, shards: &[Shard<'_>]) -> Result<Labels, DataError> {
    let with = shards.iter().filter(|shard| shard.label.is_some()).count();
    if with == 0 {
        return Ok(Labels::None);
    }
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for shard in shards {
        let Some(at) = shard.label else {
            return Err(DataError::format(
                shard.path,
                format!(
                    "it has no column {LABEL:?}, and other files of {} have",
                    place.display()
                ),
            ));
        };
        let (mut row, mut bad) = (0, None);
        let read = shard.parquet.read(at, |cell| {
            match cell {
                Cell::Number(Number::Whole(label)) if u32::try_from(label).is_ok() => {
                    numbers.push(label as u32);
                }
                Cell::Text(label) => texts.push(label.to_owned()),
                _ => {
                    bad.get_or_insert(row);
                }
            }
            row += 1;
        });
        read.map_err(|error| unread(shard.path, &error))?;
        if let Some(row) = bad {
            return Err(shard.fault(
                row,
                "the label is neither a whole number from 0 on nor a text",
            ));
        }
    }
    let rows: usize = shards.iter().map(|shard| shard.parquet.rows).sum();
    let labels = match (numbers.len() == rows, texts.len() == rows) {
        (true, _) => Labels::Numbers(numbers),
        (_, true) => Labels::of_texts(texts.iter().map(String::as_str)),
        _ => {
            let reason = "some labels are numbers and some are texts, or some are missing";
            return Err(DataError::format(place, reason));
        }
    };
    Ok(match (labels, shards.first().and_then(class_names)) {
        (Labels::Numbers(numbers), Some(names))
            if numbers.iter().all(|label| (*label as usize) < names.len()) =>
        {
            Labels::Named(numbers, names)
        }
        (labels, _) => labels,
    })
}

/// The names of the classes, where the writer left them in the file.
fn class_names(shard: &Shard<'_>) -> Option<Vec<String>> {
    let about: serde_json::Value =
        serde_json::from_str(shard.parquet.about("huggingface")?).ok()?;
    let column = &shard.parquet.columns[shard.label?].name;
    let names = about["info"]["features"][column]["names"].as_array()?;
    names
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect()
}

fn names(parquet: &Parquet) -> String {
    let names: Vec<&str> = parquet
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    names.join(", ")
}

fn unread(path: &Path, error: &FileError) -> DataError {
    DataError::format(path, format!("this Parquet file cannot be read: {error}"))
}
