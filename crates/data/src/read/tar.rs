//! Shards of WebDataset: tar files in which the files of one key stand beside each other.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use afterimage_files::{open_input, plain};
use afterimage_table::foreign;
use image::ImageFormat;
use tar::{Archive, EntryType};

use super::bytes::file_name;
use super::folder::Scale;
use super::lazy::{Labels, Listed, class};
use super::shards::{Lazy, each, files};
use crate::catalogue::{Bytes, Catalogue, Container, Form, MOST_BYTES, Names, Parts};
use crate::dataset::{DataSet, grouped};
use crate::error::{DataError, shown};
use crate::names::NameList;

/// Bytes of a block of a tar file.
const BLOCK: u64 = 512;
/// Bytes of a label, at most.
const MOST_LABEL: u64 = 64;

/// Lists the shards; no image is decoded.
pub(crate) fn load(
    lazy: &Lazy<'_>,
    scale: Scale,
    notes: &mut Vec<String>,
) -> Result<DataSet, DataError> {
    lazy.load(notes, |place, notes| list(place, scale, notes))
}

/// What one shard holds.
#[derive(Default)]
struct Shard {
    names: NameList,
    offsets: Vec<u64>,
    lengths: Vec<u32>,
    labels: Vec<Option<u32>>,
    /// Files that are neither images nor labels.
    others: usize,
    first_other: String,
}

/// The files of one key.
#[derive(Default)]
struct Sample {
    key: String,
    image: Option<(String, u64, u32)>,
    label: Option<u32>,
}

fn list(place: &Path, scale: Scale, notes: &mut Vec<String>) -> Result<Listed, DataError> {
    let (root, files) = files(place, "tar")?;
    let shards = each(&files, index)?;
    let (mut names, mut members, mut parts) = (NameList::default(), Vec::new(), Parts::default());
    let mut labels = Vec::new();
    let mut others = 0;
    let mut first_other = None;
    for (number, (file, shard)) in files.iter().zip(shards).enumerate() {
        for at in 0..shard.offsets.len() {
            names.push(shard.names.get(at).unwrap_or_default());
        }
        parts
            .file
            .resize(parts.file.len() + shard.offsets.len(), number as u32);
        parts.offsets.extend(shard.offsets);
        parts.lengths.extend(shard.lengths);
        labels.extend(shard.labels);
        members.push((file_name(&file.path), labels.len()));
        if shard.others > 0 {
            others += shard.others;
            first_other.get_or_insert(format!(
                "{}[{}]",
                shown(&file.path),
                plain(&shard.first_other)
            ));
        }
    }
    if let Some(first) = first_other {
        notes.push(format!(
            "{} files in tar shards are neither images nor labels (.cls) and are passed over: {first}{}",
            grouped(others),
            if others > 1 { ", …" } else { "" }
        ));
    }
    if labels.is_empty() {
        return Err(DataError::format(place, "the shards hold no image"));
    }
    parts.files = files;
    let given = labels.iter().flatten().count();
    let labels = match given {
        0 => Labels::None,
        _ if given == labels.len() => Labels::Numbers(labels.into_iter().flatten().collect()),
        _ => {
            let at = labels.iter().position(Option::is_none).unwrap_or(0);
            return Err(DataError::format(
                place,
                format!(
                    "{} of {} images have no label; the first is {:?}: put a .cls file of its key beside \
                     it",
                    labels.len() - given,
                    labels.len(),
                    names.get(at).unwrap_or_default()
                ),
            ));
        }
    };
    let names = Names::Members(members, Some(names));
    Ok(Listed {
        catalogue: Catalogue::new(&root, names, Bytes::Parts(parts), Form::Encoded(scale))?,
        labels,
    })
}

/// The images of one tar file and their labels.
fn index(shard: &Container) -> Result<Shard, DataError> {
    let path = &shard.path;
    let wrong = |reason: String| DataError::format(path, reason);
    let file = open_input(path).map_err(|error| DataError::read(path, error))?;
    let mut archive = Archive::new(&file);
    let mut found = Shard::default();
    let mut sample = Sample::default();
    let mut end = 0;
    let entries = archive.entries_with_seek();
    let damaged = |after: &str, error: std::io::Error| {
        // A file of another kind breaks off at once; names that begin as one do not.
        if let ("", Some(what)) = (after, other_kind(path)) {
            return wrong(format!("this is no tar file but {what}"));
        }
        let after = match after {
            "" => "at its beginning".to_owned(),
            name => format!("behind {name:?}"),
        };
        wrong(format!(
            "damaged {after}: {error}; this is no tar file, or it is cut off"
        ))
    };
    let mut last = String::new();
    for entry in entries.map_err(|error| damaged("", error))? {
        let mut entry = entry.map_err(|error| damaged(&last, error))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (offset, size) = (entry.raw_file_position(), entry.size());
        end = offset
            .checked_add(size.div_ceil(BLOCK).saturating_mul(BLOCK))
            .ok_or_else(|| wrong(format!("{name:?} is to be {size} bytes long")))?;
        if offset.saturating_add(size) > shard.length {
            return Err(wrong(format!(
                "truncated: {name:?} ends at byte {}, and the file has {}; fetch it again",
                offset.saturating_add(size),
                shard.length
            )));
        }
        last.clone_from(&name);
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory => continue,
            _ => {
                found.pass_over(&name);
                continue;
            }
        }
        let (key, extension) = parts(&name);
        if key != sample.key {
            found.push(std::mem::take(&mut sample), path)?;
            sample.key = key.to_owned();
        }
        if extension == "cls" {
            let mut text = String::new();
            let read = (&mut entry).take(MOST_LABEL).read_to_string(&mut text);
            let number = read.ok().and_then(|_| text.trim().parse().ok());
            let number = number.ok_or_else(|| {
                wrong(format!(
                    "{name:?} is no label: a whole number from 0 on is expected"
                ))
            })?;
            let label = class(number);
            sample.label = Some(label.map_err(|why| wrong(format!("{name:?}: the label {why}")))?);
        } else if ImageFormat::from_extension(&extension).is_some_and(|f| f.reading_enabled()) {
            if let Some((other, ..)) = &sample.image {
                return Err(wrong(format!(
                    "{other:?} and {name:?} are two images of one key; one image a key can be used"
                )));
            }
            if size > MOST_BYTES {
                return Err(wrong(format!(
                    "{name:?} has {size} bytes, too many for an image"
                )));
            }
            sample.image = Some((name, offset, size as u32));
        } else {
            found.pass_over(&name);
        }
    }
    // A file that is cut off between two members looks like a shorter one but for its end mark.
    let mut mark = Vec::new();
    let read = (&file).seek(SeekFrom::Start(end));
    let read = read.and_then(|_| (&file).take(BLOCK).read_to_end(&mut mark));
    if read.is_err() || mark.len() as u64 != BLOCK || mark.iter().any(|byte| *byte != 0) {
        return Err(wrong(format!(
            "truncated: the end mark of a tar file is missing at byte {end}; fetch it again"
        )));
    }
    found.push(sample, path)?;
    Ok(found)
}

/// What the file is by its first bytes, where it is of another kind, and what to do.
fn other_kind(path: &Path) -> Option<&'static str> {
    let mut start = Vec::new();
    let read = open_input(path).ok()?.take(16).read_to_end(&mut start);
    read.ok().and_then(|_| foreign(&start))
}

impl Shard {
    fn pass_over(&mut self, name: &str) {
        if self.others == 0 {
            self.first_other = name.to_owned();
        }
        self.others += 1;
    }

    /// Takes what belongs to one key.
    fn push(&mut self, sample: Sample, path: &Path) -> Result<(), DataError> {
        match (sample.image, sample.label) {
            (Some((name, offset, length)), label) => {
                self.names.push(&name);
                self.offsets.push(offset);
                self.lengths.push(length);
                self.labels.push(label);
                Ok(())
            }
            (None, None) => Ok(()),
            (None, Some(_)) => Err(DataError::format(
                path,
                format!(
                    "the label of {:?} has no image beside it; the files of a key must stand beside each \
                     other",
                    sample.key
                ),
            )),
        }
    }
}

/// Key and extension of a member: what is before and behind the first dot of its name, the folders
/// being part of the key.
fn parts(name: &str) -> (&str, String) {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[base..].find('.') {
        Some(dot) => (&name[..base + dot], name[base + dot + 1..].to_lowercase()),
        None => (name, String::new()),
    }
}
