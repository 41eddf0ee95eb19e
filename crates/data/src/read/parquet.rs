//! Parquet in the layout of public image sets: a column of encoded bytes, or a struct with `bytes`, and a
//! column of labels, in any number of shards.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use afterimage_files::open_input;
use afterimage_table::{Cell, FileError, Number, Parquet};
use sha2::{Digest, Sha256};

use super::bytes::{budget, file_name};
use super::cache::{self, Cache};
use super::folder::Scale;
use super::lazy::{HeldOut, Labels, Listed, assemble, class};
use super::shards::{Lazy, files};
use super::split::SplitColumn;
use crate::catalogue::{Bytes, Catalogue, Container, Form, MOST_BYTES, Names};
use crate::dataset::DataSet;
use crate::error::{DataError, shown, told};

/// How the shards are read.
pub(crate) struct Columns<'a> {
    pub(crate) image: &'a str,
    pub(crate) label: Option<&'a str>,
    pub(crate) split: Option<&'a str>,
    pub(crate) held_out_value: Option<&'a str>,
    /// Where encoded images are kept; in memory unless told.
    pub(crate) cache: Option<&'a Path>,
    pub(crate) scale: Scale,
}

/// The column of labels, unless told.
const LABEL: &str = "label";

/// Bytes at the end of a shard that tell it from others: what it holds where.
const FOOTER: u64 = 1 << 16;

/// Between two looks whether another process has written a cache.
const WAIT: Duration = Duration::from_millis(200);

impl Columns<'_> {
    /// Reads labels and encoded images, or those of the cache.
    pub(crate) fn load(
        &self,
        lazy: &Lazy<'_>,
        notes: &mut Vec<String>,
    ) -> Result<DataSet, DataError> {
        let train = self.open_all(lazy.train)?;
        let held_out = lazy
            .held_out
            .map(|place| self.open_all(place))
            .transpose()?;
        if self.cache.is_none() {
            let places = [Some(&train), held_out.as_ref()].into_iter().flatten();
            let sizes: Vec<(&Path, u64)> = places
                .map(|place| (place.path.as_path(), place.size))
                .collect();
            check_size(&sizes, budget())?;
        }
        let items = self.split_of(&train, notes)?;
        let train = self.list(train)?;
        let held_out = held_out.map(|place| self.list(place)).transpose()?;
        match items {
            Some(items) => assemble(lazy.train, train, HeldOut::Items(items), lazy.on_bad, notes),
            None => lazy.assemble(train, held_out, notes),
        }
    }

    /// The rows that the column of splits holds out, by number; none where no column is named.
    fn split_of(
        &self,
        place: &Place,
        notes: &mut Vec<String>,
    ) -> Result<Option<Vec<u32>>, DataError> {
        let Some(name) = self.split else {
            return Ok(None);
        };
        let mut splits = SplitColumn::new(name, self.held_out_value);
        for shard in &place.shards {
            let Some(at) = shard.split else {
                return Err(shard.lacks("split", name));
            };
            let column = &shard.parquet.columns[at];
            let (mut row, mut bad) = (0, None);
            let read = shard.parquet.read(at, |cell| {
                let pushed = match cell {
                    Cell::Number(number) => {
                        // A truth or a date may be named by its number, too.
                        let (text, bare) = (column.text(number), number.text(false));
                        let by_number = self.held_out_value == Some(bare.as_str());
                        splits.push(if by_number { &bare } else { &text })
                    }
                    Cell::Text(text) => splits.push(text),
                    _ => splits.push(""),
                };
                if let (Err(why), None) = (pushed, &bad) {
                    bad = Some((row, why));
                }
                row += 1;
            });
            read.map_err(|error| unread(&shard.path, &error))?;
            if let Some((row, why)) = bad {
                return Err(shard.fault(row, &why));
            }
        }
        let held = splits.finish(notes);
        held.map(Some)
            .map_err(|reason| DataError::format(&place.path, reason))
    }

    /// The files of a place, with what their footers tell.
    fn open_all(&self, path: &Path) -> Result<Place, DataError> {
        let (root, files) = files(path, "parquet")?;
        let shards: Vec<Shard> = files
            .into_iter()
            .map(|file| self.open(file))
            .collect::<Result<_, _>>()?;
        if shards.iter().all(|shard| shard.parquet.rows == 0) {
            return Err(DataError::format(path, "the shards have no rows"));
        }
        let sizes = shards
            .iter()
            .map(|shard| shard.parquet.column_bytes(shard.image));
        Ok(Place {
            path: path.to_owned(),
            size: sizes.fold(0, u64::saturating_add),
            root,
            shards,
        })
    }

    fn list(&self, place: Place) -> Result<Listed, DataError> {
        let shards = &place.shards;
        let mut members = Vec::new();
        let mut count = 0;
        for shard in shards {
            count += shard.parquet.rows;
            members.push((file_name(&shard.path), count));
        }
        let labels = labels(&place.path, shards)?;
        let bytes = match self.cache {
            Some(dir) => self.cached(dir, shards, place.size)?,
            None => held(shards)?,
        };
        let form = Form::Encoded(self.scale);
        Ok(Listed {
            catalogue: Catalogue::new(&place.root, Names::Members(members, None), bytes, form)?,
            labels,
        })
    }

    fn open(&self, file: Container) -> Result<Shard, DataError> {
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
        let label = column(self.label.unwrap_or(LABEL));
        let split = self.split.and_then(column);
        let shard = Shard {
            path: file.path,
            length: file.length,
            parquet,
            image,
            label,
            split,
        };
        for (key, name, found) in [("label", self.label, label), ("split", self.split, split)] {
            if let (Some(name), None) = (name, found) {
                return Err(shard.lacks(key, name));
            }
        }
        Ok(shard)
    }

    /// The encoded images of the cache in `dir`, which is written where it is missing.
    fn cached(&self, dir: &Path, shards: &[Shard], size: u64) -> Result<Bytes, DataError> {
        let mut hash = Sha256::new();
        hash.update(self.image);
        for shard in shards {
            hash.update(file_name(&shard.path));
            hash.update(shard.length.to_le_bytes());
            let mut footer = Vec::new();
            let wrong = |error| DataError::read(&shard.path, error);
            let mut file = open_input(&shard.path).map_err(wrong)?;
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
        // What is there and leads nowhere is a cache that cannot be read.
        while std::fs::symlink_metadata(&place).is_err() {
            let Some(mut cache) = Cache::create(&place)? else {
                // A run beside this one, or another process of it, writes the same.
                std::thread::sleep(WAIT);
                continue;
            };
            tracing::warn!(
                "writing the encoded images of {} Parquet files, about {} MiB, to {}; later runs find them \
                 there",
                shards.len(),
                size.div_ceil(1 << 20),
                shown(&place)
            );
            for shard in shards {
                shard.images(|image| cache.push(image))?;
            }
            cache.finish()?;
        }
        cache::open(&place, rows).map(Bytes::Parts)
    }
}

/// Refuses encoded images of all places together that memory does not hold beside the rest.
fn check_size(places: &[(&Path, u64)], budget: u64) -> Result<(), DataError> {
    let size = places
        .iter()
        .fold(0u64, |sum, (_, size)| sum.saturating_add(*size));
    let Some((first, _)) = places.first().filter(|_| size > budget) else {
        return Ok(());
    };
    let parts: Vec<String> = places
        .iter()
        .map(|(path, size)| format!("{} MiB in {}", size >> 20, shown(path)))
        .collect();
    let parts = match parts.len() {
        1 => String::new(),
        _ => format!(" ({})", parts.join(", ")),
    };
    Err(DataError::format(
        first,
        format!(
            "the encoded images take {} MiB{parts}, and a data set may take {} MiB here, half of the \
             memory; name a folder on a disk with as much room in data.cache",
            size >> 20,
            budget >> 20
        ),
    ))
}

/// The files of a place.
struct Place {
    path: PathBuf,
    /// The folder that they are in.
    root: PathBuf,
    shards: Vec<Shard>,
    /// Bytes of the encoded images.
    size: u64,
}

/// A file with its columns found.
struct Shard {
    path: PathBuf,
    length: u64,
    parquet: Parquet,
    image: usize,
    label: Option<usize>,
    split: Option<usize>,
}

impl Shard {
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
            (None, read) => read.map_err(|error| unread(&self.path, &error)),
        }
    }

    /// Says that there is no column `name`, which `key` names.
    fn lacks(&self, key: &str, name: &str) -> DataError {
        DataError::format(
            &self.path,
            format!(
                "there is no column {name:?}, which data.{key} names; the columns are {}",
                names(&self.parquet)
            ),
        )
    }

    fn fault(&self, row: usize, what: &str) -> DataError {
        DataError::format(&self.path, format!("row {row}: {what}"))
    }
}

/// The encoded images in memory.
fn held(shards: &[Shard]) -> Result<Bytes, DataError> {
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
fn labels(place: &Path, shards: &[Shard]) -> Result<Labels, DataError> {
    let with = shards.iter().filter(|shard| shard.label.is_some()).count();
    if with == 0 {
        return Ok(Labels::None);
    }
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for shard in shards {
        let Some(at) = shard.label else {
            return Err(DataError::format(
                &shard.path,
                format!(
                    "it has no column {LABEL:?}, and other files of {} have",
                    shown(place)
                ),
            ));
        };
        let (mut row, mut bad) = (0, None);
        let read = shard.parquet.read(at, |cell| {
            let why = match cell {
                Cell::Number(Number::Whole(number)) => {
                    class(number).map(|label| numbers.push(label)).err()
                }
                Cell::Text(label) => {
                    texts.push(label.to_owned());
                    None
                }
                _ => Some("is neither a whole number from 0 on nor a text".to_owned()),
            };
            if let (Some(why), None) = (why, &bad) {
                bad = Some((row, why));
            }
            row += 1;
        });
        read.map_err(|error| unread(&shard.path, &error))?;
        if let Some((row, why)) = bad {
            return Err(shard.fault(row, &format!("the label {why}")));
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
fn class_names(shard: &Shard) -> Option<Vec<String>> {
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
    told(parquet.columns.iter().map(|column| column.name.as_str()))
}

fn unread(path: &Path, error: &FileError) -> DataError {
    DataError::format(path, format!("this Parquet file cannot be read: {error}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_memory_is_for_all_places_together() {
        let (train, test) = (Path::new("train.parquet"), Path::new("test.parquet"));
        let three = 3u64 << 30;
        assert!(check_size(&[(train, three)], 4 << 30).is_ok());
        assert!(check_size(&[(train, three), (test, 1 << 30)], 4 << 30).is_ok());
        let both = check_size(&[(train, three), (test, three)], 4 << 30);
        let told = both.unwrap_err().to_string();
        assert!(
            told.contains("take 6144 MiB (3072 MiB in train.parquet, 3072 MiB in test.parquet)"),
            "{told}"
        );
        assert!(check_size(&[(train, u64::MAX), (test, u64::MAX)], u64::MAX - 1).is_err());
    }
}
