//! Arrays of images and labels in one npz file, a zip archive of npy files.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use afterimage_files::{catch, open_input};
use afterimage_table::{FileError, Npy, foreign};
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use super::bytes::{budget, file_name};
use super::lazy::{HeldOut, Labels, Listed, assemble};
use super::npy;
use super::shards::Choice;
use crate::catalogue::{Bytes, Catalogue, Container, Form, Names};
use crate::check::OnBad;
use crate::dataset::DataSet;
use crate::error::{DataError, shown, told};

/// Names of the arrays in public sets: training images and labels, held-out images and labels.
const PUBLIC: [[&str; 4]; 2] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
];

/// The end of the names of arrays.
const NPY: &str = ".npy";

/// Which arrays of a file are read.
pub(crate) struct Archive<'a> {
    pub(crate) file: &'a Path,
    pub(crate) train_images: Option<&'a str>,
    pub(crate) train_labels: Option<&'a str>,
    pub(crate) held_out_images: Option<&'a str>,
    pub(crate) held_out_labels: Option<&'a str>,
    /// Whether the config says what is held out of the training images.
    pub(crate) chosen: bool,
    pub(crate) choice: Choice<'a>,
}

/// Names of arrays of images, each with that of its labels.
struct Chosen<'a> {
    train: (&'a str, Option<&'a str>),
    held_out: Option<(&'a str, Option<&'a str>)>,
}

impl Archive<'_> {
    /// Reads headers and labels, and images that are compressed.
    pub(crate) fn load(&self, notes: &mut Vec<String>) -> Result<DataSet, DataError> {
        let mut zip = Zip::open(self.file)?;
        let chosen = self.choose(&zip)?;
        let mut arrays = vec![Some(chosen.train.0), chosen.train.1];
        if let Some((images, labels)) = chosen.held_out {
            arrays.extend([Some(images), labels]);
        }
        let unused = zip.names.iter().map(String::as_str);
        let unused: Vec<&str> = unused
            .filter(|name| !arrays.contains(&Some(*name)))
            .chain(zip.others.iter().map(String::as_str))
            .collect();
        if !unused.is_empty() {
            notes.push(format!(
                "arrays and files of {} that are not used: {}",
                shown(self.file),
                told(unused)
            ));
        }
        let mut held = 0;
        let train = zip.list(chosen.train, &mut held)?;
        let held_out = match chosen.held_out {
            None => self.choice.into(),
            Some(names) => {
                let listed = zip.list(names, &mut held)?;
                if listed.catalogue.shape() != train.catalogue.shape() {
                    let reason = format!("its images are of another shape than {}", chosen.train.0);
                    return Err(zip.wrong(names.0, &reason));
                }
                HeldOut::Listed(Box::new(listed))
            }
        };
        if held > 0 {
            notes.push(format!(
                "images of {} are compressed, and {} MiB of them are held in memory; numpy.savez writes \
                 arrays that can stay in the file",
                shown(self.file),
                held.div_ceil(1 << 20)
            ));
        }
        assemble(self.file, train, held_out, OnBad::Stop, notes)
    }

    /// The arrays that the config names, or those of a public set.
    fn choose(&self, zip: &Zip<'_>) -> Result<Chosen<'_>, DataError> {
        let there = |name: &&'static str| zip.names.iter().any(|have| have == name);
        if let Some(images) = self.train_images {
            return Ok(Chosen {
                train: (images, self.train_labels),
                held_out: self
                    .held_out_images
                    .map(|images| (images, self.held_out_labels)),
            });
        }
        let Some([images, labels, others, their_labels]) =
            PUBLIC.into_iter().find(|names| there(&names[0]))
        else {
            return Err(DataError::format(
                self.file,
                format!(
                    "there is no array \"x_train\" or \"train_images\", as public sets have it; the arrays \
                     are {}; name the one with the images in data.train_images",
                    told(zip.names.iter().map(String::as_str))
                ),
            ));
        };
        Ok(Chosen {
            train: (images, Some(labels).filter(there)),
            held_out: Some(others)
                .filter(|_| !self.chosen)
                .filter(there)
                .map(|others| (others, Some(their_labels).filter(there))),
        })
    }
}

/// Height of the images of a file, where it can be read.
pub(crate) fn side(path: &Path, images: Option<&str>) -> Option<usize> {
    let mut zip = Zip::open(path).ok()?;
    let mut names = PUBLIC.iter().map(|names| names[0]);
    let name = match images {
        Some(name) => name,
        None => names.find(|name| zip.names.iter().any(|have| have == name))?,
    };
    let member = zip.member(name).ok()?;
    let size = member.size();
    let array = Npy::of(member, size).ok()?;
    Some(npy::images(&array).ok()?.1.shape().height)
}

/// An archive that is open.
struct Zip<'a> {
    path: &'a Path,
    length: u64,
    archive: ZipArchive<BufReader<File>>,
    /// Names of the arrays.
    names: Vec<String>,
    /// Names of what is no array.
    others: Vec<String>,
}

/// The images of an array.
struct Images {
    count: usize,
    form: Form,
    bytes: Bytes,
}

impl<'a> Zip<'a> {
    fn open(path: &'a Path) -> Result<Self, DataError> {
        let refused = |error| DataError::read(path, error);
        let file = open_input(path).map_err(refused)?;
        let length = file.metadata().map_err(refused)?.len();
        let mut start = Vec::new();
        (&file).take(16).read_to_end(&mut start).map_err(refused)?;
        if !start.starts_with(b"PK") {
            let what = foreign(&start).map_or_else(
                || "it does not begin as a zip archive".to_owned(),
                |what| format!("it is {what}"),
            );
            return Err(DataError::format(
                path,
                format!("this is no npz file: {what}"),
            ));
        }
        let damaged = |reason: &str| {
            DataError::format(
                path,
                format!("this npz file is cut off or damaged: {reason}; fetch it again"),
            )
        };
        let archive = catch(|| ZipArchive::new(BufReader::new(file)))
            .ok_or_else(|| damaged("its list of arrays cannot be read"))?
            .map_err(|error| damaged(&error.to_string()))?;
        if archive.has_duplicate_names() {
            let name = doubled(path, archive.central_directory_start());
            let name = name.map_err(refused)?.unwrap_or_default();
            return Err(DataError::format(
                path,
                format!(
                    "two members have the name {name:?}, and nothing says which of them is meant; write the \
                     file again with a name for each"
                ),
            ));
        }
        let (mut names, mut others) = (Vec::new(), Vec::new());
        for name in archive.file_names().flatten() {
            match name.strip_suffix(NPY) {
                Some(array) => names.push(array.to_owned()),
                None => others.push(name.to_string()),
            }
        }
        Ok(Self {
            path,
            length,
            archive,
            names,
            others,
        })
    }

    fn wrong(&self, array: &str, reason: &str) -> DataError {
        DataError::format(self.path, format!("array {array:?}: {reason}"))
    }

    /// The bytes of the array `name`.
    fn member(&mut self, name: &str) -> Result<ZipFile<'_, BufReader<File>>, DataError> {
        let Some(at) = self.archive.index_for_name(&format!("{name}{NPY}")) else {
            let names = told(self.names.iter().map(String::as_str));
            return Err(self.wrong(name, &format!("it is not there; the arrays are {names}")));
        };
        let path = self.path;
        self.archive.by_index(at).map_err(|error| {
            let reason = format!("array {name:?} cannot be read: {error}");
            DataError::format(path, reason)
        })
    }

    /// Images and labels; `held` counts the bytes that are held in memory.
    fn list(
        &mut self,
        (name, labels): (&str, Option<&str>),
        held: &mut u64,
    ) -> Result<Listed, DataError> {
        let images = self.images(name, held)?;
        let labels = match labels {
            None => Labels::None,
            Some(name) => {
                let labels = labels_of(self.member(name)?, images.count);
                Labels::Numbers(labels.map_err(|reason| self.wrong(name, &reason))?)
            }
        };
        let root = self.path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let file = format!("{}/{name}", file_name(self.path));
        let names = Names::Members(vec![(file, images.count)], None);
        Ok(Listed {
            catalogue: Catalogue::new(&root, names, images.bytes, images.form)?,
            labels,
        })
    }

    fn images(&mut self, name: &str, held: &mut u64) -> Result<Images, DataError> {
        let file = Container {
            path: self.path.to_owned(),
            length: self.length,
        };
        let room = budget().saturating_sub(*held);
        let member = self.member(name)?;
        let read = images(member, file, room);
        let images = read.map_err(|reason| self.wrong(name, &reason))?;
        if let Bytes::Held(bytes, _) = &images.bytes {
            *held += bytes.len() as u64;
        }
        Ok(images)
    }
}

/// A name that stands twice in the list of members of the archive `path`, which begins at byte `start`.
fn doubled(path: &Path, start: u64) -> io::Result<Option<String>> {
    // An entry begins so, has so many bytes, three of whose numbers say how many of name, further fields and
    // comment follow.
    const SIGN: &[u8] = b"PK\x01\x02";
    const HEAD: usize = 46;
    const LENGTHS: [usize; 3] = [28, 30, 32];
    let mut list = BufReader::new(open_input(path)?);
    list.seek(SeekFrom::Start(start))?;
    let mut seen = BTreeSet::new();
    loop {
        let mut head = [0; HEAD];
        list.read_exact(&mut head)?;
        if !head.starts_with(SIGN) {
            return Ok(None);
        }
        let [name, fields, comment] =
            LENGTHS.map(|at| u16::from_le_bytes([head[at], head[at + 1]]));
        let mut text = vec![0; usize::from(name)];
        list.read_exact(&mut text)?;
        list.seek_relative(i64::from(fields) + i64::from(comment))?;
        let text = String::from_utf8_lossy(&text).into_owned();
        if let Some(text) = seen.replace(text) {
            return Ok(Some(text));
        }
    }
}

/// The labels of `count` images that `member` holds, whose checksum is compared.
fn labels_of(mut member: ZipFile<'_, BufReader<File>>, count: usize) -> Result<Vec<u32>, String> {
    let size = member.size();
    let array = Npy::of(&mut member, size).map_err(|error| error.to_string())?;
    let labels = npy::labels(array, count)?;
    to_its_end(member)?;
    Ok(labels)
}

/// Reads what is left of a member to its end, where its checksum is compared.
fn to_its_end(mut member: impl Read) -> Result<(), String> {
    match io::copy(&mut member, &mut io::sink()) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it is damaged: {error}; fetch the file again")),
    }
}

/// The images of `member` of `file`; where they are compressed they may take `room` bytes.
fn images(
    member: ZipFile<'_, BufReader<File>>,
    file: Container,
    room: u64,
) -> Result<Images, String> {
    let (method, size, packed) = (
        member.compression(),
        member.size(),
        member.compressed_size(),
    );
    let place = member.data_start();
    let array = Npy::of(member, size).map_err(|error: FileError| error.to_string())?;
    let (count, form) = npy::images(&array)?;
    let each = form.shape().len() as u64;
    let (start, need) = (array.start, each.saturating_mul(count as u64));
    if start.saturating_add(need) != size {
        return Err(format!(
            "its header tells of {need} bytes of images, and it is to hold {}; the file is damaged",
            size.saturating_sub(start)
        ));
    }
    let bytes = match (method, place) {
        (CompressionMethod::Stored, Some(place)) => {
            let end = place.saturating_add(size);
            if packed != size || end > file.length {
                return Err(format!(
                    "it is to end at byte {end}, and the file has {}; the file is cut off or damaged",
                    file.length
                ));
            }
            to_its_end(array.into_values())?;
            Bytes::Rows {
                file,
                start: place + start,
                size: each,
            }
        }
        _ => {
            if need > room {
                return Err(format!(
                    "its images are compressed and take {} MiB, and there is room for {} MiB here, half of \
                     the memory for all images together; write the arrays with numpy.savez, which leaves \
                     them in the file",
                    need >> 20,
                    room >> 20
                ));
            }
            let bytes = unpacked(array.into_values(), need)?;
            Bytes::Held(bytes, (1..=count as u64).map(|at| at * each).collect())
        }
    };
    Ok(Images { count, form, bytes })
}

/// The `need` bytes that `values` has, to its end, where its checksum is compared.
fn unpacked(mut values: impl Read, need: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = values.by_ref().take(need).read_to_end(&mut bytes);
    let behind = read.and_then(|_| values.read(&mut [0; 1]));
    match behind {
        Ok(0) if bytes.len() as u64 == need => Ok(bytes),
        Ok(0) => Err(format!(
            "it is cut off: {} of {need} bytes are there",
            bytes.len()
        )),
        Ok(_) => Err("it has more bytes than its header tells of; the file is damaged".to_owned()),
        Err(error) => Err(format!(
            "damaged after {} of {need} bytes: {error}; fetch the file again",
            bytes.len()
        )),
    }
}
