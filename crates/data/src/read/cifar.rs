//! CIFAR-10 and CIFAR-100 in their binary layout: records of label bytes and three 32×32 planes.

use std::path::{Path, PathBuf};

use super::bytes::{content, file_name};
use crate::dataset::DataSet;
use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::names::SampleNames;
use crate::picture::Shape;

const SHAPE: Shape = Shape {
    channels: 3,
    height: 32,
    width: 32,
};

const CIFAR10_CLASSES: [&str; 10] = [
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
];

/// Bytes of a file of class names, at most.
const MOST_NAMES: u64 = 1 << 16;

/// Label bytes before each record's pixels, which of them counts, and the class names.
struct Layout {
    label_bytes: usize,
    label_at: usize,
    classes: Vec<String>,
}

/// Reads as many `data_batch_*.bin` as `dir` holds, in the order of their numbers, and
/// `test_batch.bin`.
pub(crate) fn load_cifar10(dir: &Path) -> Result<DataSet, DataError> {
    let mut batches: Vec<(u32, PathBuf)> = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(|e| DataError::read(dir, e))? {
        let path = entry.map_err(|e| DataError::read(dir, e))?.path();
        let number = path.file_name().and_then(|name| {
            name.to_str()?
                .strip_prefix("data_batch_")?
                .strip_suffix(".bin")?
                .parse()
                .ok()
        });
        batches.extend(number.map(|number| (number, path)));
    }
    batches.sort();
    if batches.is_empty() {
        return Err(DataError::format(
            dir,
            "the folder holds no data_batch_1.bin (CIFAR-10, binary version)",
        ));
    }
    let classes = names(
        &dir.join("batches.meta.txt"),
        &CIFAR10_CLASSES.map(str::to_owned),
    )?;
    let layout = Layout {
        label_bytes: 1,
        label_at: 0,
        classes,
    };
    let train: Vec<PathBuf> = batches.into_iter().map(|(_, path)| path).collect();
    Ok(DataSet {
        train: layout.read(&train)?,
        held_out: layout.read(&[dir.join("test_batch.bin")])?,
    })
}

/// Reads `train.bin` and `test.bin` of `dir` with the 100 fine or the 20 coarse labels.
pub(crate) fn load_cifar100(dir: &Path, coarse: bool) -> Result<DataSet, DataError> {
    let (file, count, label_at) = if coarse {
        ("coarse_label_names.txt", 20, 0)
    } else {
        ("fine_label_names.txt", 100, 1)
    };
    let numbers: Vec<String> = (0..count).map(|class: u32| class.to_string()).collect();
    let layout = Layout {
        label_bytes: 2,
        label_at,
        classes: names(&dir.join(file), &numbers)?,
    };
    Ok(DataSet {
        train: layout.read(&[dir.join("train.bin")])?,
        held_out: layout.read(&[dir.join("test.bin")])?,
    })
}

/// The class names in `path`, one a line, or `default` where there is no such file.
fn names(path: &Path, default: &[String]) -> Result<Vec<String>, DataError> {
    if !path.exists() {
        return Ok(default.to_vec());
    }
    let text = afterimage_files::read_input_text(path, MOST_NAMES)
        .map_err(|error| DataError::format(path, error.to_string()))?;
    let found: Vec<String> = text
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(str::to_owned)
        .collect();
    if found.len() != default.len() {
        return Err(DataError::format(
            path,
            format!(
                "holds {} class names; {} are needed",
                found.len(),
                default.len()
            ),
        ));
    }
    Ok(found)
}

impl Layout {
    fn read(&self, files: &[PathBuf]) -> Result<ImageSet, DataError> {
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        let mut members = Vec::new();
        for path in files {
            let before = labels.len();
            self.append(path, &content(path, |_| None)?, &mut pixels, &mut labels)?;
            members.push((file_name(path), labels.len() - before));
        }
        let folder = files
            .first()
            .and_then(|path| path.parent())
            .unwrap_or(Path::new(""));
        ImageSet::new(pixels, labels, self.classes.clone(), SHAPE)
            .map(|set| set.named(SampleNames::Members(members)))
            .map_err(|reason| DataError::format(folder, reason))
    }

    fn append(
        &self,
        path: &Path,
        bytes: &[u8],
        pixels: &mut Vec<u8>,
        labels: &mut Vec<u32>,
    ) -> Result<(), DataError> {
        let record = self.label_bytes + SHAPE.len();
        if !bytes.len().is_multiple_of(record) {
            return Err(DataError::format(
                path,
                format!(
                    "{} bytes are no multiple of {record}, the bytes of one image with its label: the \
                     last record, at byte {}, has only {}; the file is truncated or of another kind",
                    bytes.len(),
                    bytes.len() / record * record,
                    bytes.len() % record
                ),
            ));
        }
        for (at, record_bytes) in bytes.chunks_exact(record).enumerate() {
            let label = u32::from(record_bytes[self.label_at]);
            if label as usize >= self.classes.len() {
                return Err(DataError::format(
                    path,
                    format!(
                        "the label of image {at}, at byte {}, is {label}; labels run from 0 to {}",
                        at * record + self.label_at,
                        self.classes.len() - 1
                    ),
                ));
            }
            labels.push(label);
            pixels.extend_from_slice(&record_bytes[self.label_bytes..]);
        }
        Ok(())
    }
}
