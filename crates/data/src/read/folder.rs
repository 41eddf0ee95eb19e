//! Image folders: one folder a class, any decodable format, resized to one size.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use rayon::prelude::*;

use crate::dataset::DataSet;
use crate::error::{DataError, MAX_LISTED, Problems};
use crate::image_set::{ImageSet, Shape};

/// An image with more pixels than this is an error: decoded it would take a quarter of a gigabyte.
const MAX_PIXELS: u64 = 1 << 26;

/// How the images of a folder become a data set.
pub(crate) struct Folder<'a> {
    pub(crate) train: &'a Path,
    pub(crate) held_out: Option<&'a Path>,
    pub(crate) hold_out_every: usize,
    pub(crate) size: usize,
    pub(crate) channels: usize,
}

/// Classes by name in order, each with its files in order.
type Listing = Vec<(String, Vec<PathBuf>)>;

impl Folder<'_> {
    /// Lists and decodes all images.
    pub(crate) fn load(&self) -> Result<DataSet, DataError> {
        if self.size == 0 || self.size > 4096 {
            return Err(DataError::config(
                "data.size",
                format!("{} is not in 1 to 4096", self.size),
            ));
        }
        if !matches!(self.channels, 1 | 3) {
            return Err(DataError::config(
                "data.channels",
                format!("{} is neither 1 (gray) nor 3 (colour)", self.channels),
            ));
        }
        let mut train = list(self.train)?;
        let held_out = match self.held_out {
            Some(root) => list(root)?,
            None => self.split_off(&mut train)?,
        };
        let classes: Vec<String> = train.iter().map(|(class, _)| class.clone()).collect();
        if let Some((stranger, _)) = held_out.iter().find(|(class, _)| !classes.contains(class)) {
            return Err(DataError::format(
                self.held_out.unwrap_or(self.train),
                format!("class {stranger:?} is not among the training classes"),
            ));
        }
        Ok(DataSet {
            train: self.read(self.train, &train, &classes)?,
            held_out: self.read(self.held_out.unwrap_or(self.train), &held_out, &classes)?,
        })
    }

    /// Takes every `hold_out_every`-th file of each class, in path order, out of `train`.
    fn split_off(&self, train: &mut Listing) -> Result<Listing, DataError> {
        let every = self.hold_out_every;
        if every < 2 {
            return Err(DataError::config(
                "data.hold_out_every",
                format!("{every} would leave nothing to train on; write at least 2"),
            ));
        }
        let held_out: Listing = train
            .iter_mut()
            .map(|(class, files)| {
                let (kept, held): (Vec<_>, Vec<_>) = files
                    .drain(..)
                    .enumerate()
                    .partition(|(at, _)| !(at + 1).is_multiple_of(every));
                *files = kept.into_iter().map(|(_, path)| path).collect();
                (
                    class.clone(),
                    held.into_iter().map(|(_, path)| path).collect(),
                )
            })
            .collect();
        if held_out.iter().all(|(_, files)| files.is_empty()) {
            return Err(DataError::format(
                self.train,
                format!(
                    "no class has {every} images, so that none is held out; lower hold_out_every or \
                     name a held_out folder"
                ),
            ));
        }
        Ok(held_out)
    }

    fn read(
        &self,
        root: &Path,
        listing: &Listing,
        classes: &[String],
    ) -> Result<ImageSet, DataError> {
        let mut files: Vec<(&Path, u32)> = Vec::new();
        for (class, paths) in listing {
            let label = classes.iter().position(|name| name == class).unwrap_or(0) as u32;
            files.extend(paths.iter().map(|path| (path.as_path(), label)));
        }
        let decoded: Vec<Result<Vec<u8>, String>> = files
            .par_iter()
            .map(|(path, _)| self.decode(path))
            .collect();
        let shape = Shape {
            channels: self.channels,
            height: self.size,
            width: self.size,
        };
        let mut pixels = Vec::with_capacity(files.len() * shape.len());
        let mut problems = Problems {
            listed: Vec::new(),
            total: 0,
        };
        for ((path, _), image) in files.iter().zip(decoded) {
            match image {
                Ok(planes) => pixels.extend(planes),
                Err(reason) => {
                    problems.total += 1;
                    if problems.listed.len() < MAX_LISTED {
                        problems.listed.push((path.to_path_buf(), reason));
                    }
                }
            }
        }
        if problems.total > 0 {
            return Err(DataError::Files {
                folder: root.to_owned(),
                problems,
            });
        }
        let labels = files.into_iter().map(|(_, label)| label).collect();
        ImageSet::new(pixels, labels, classes.to_vec(), shape)
            .map_err(|reason| DataError::format(root, reason))
    }

    /// One image as planes `[C, size, size]`, or what is wrong with it.
    fn decode(&self, path: &Path) -> Result<Vec<u8>, String> {
        let reader = ImageReader::open(path)
            .and_then(ImageReader::with_guessed_format)
            .map_err(|e| e.to_string())?;
        let decoder = reader.into_decoder().map_err(|e| e.to_string())?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!(
                "{width}×{height} pixels are more than the {} million that are read",
                MAX_PIXELS >> 20
            ));
        }
        let image = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
        if image.width() == 0 || image.height() == 0 {
            return Err("the image has no pixels".to_owned());
        }
        let rgb = DynamicImage::ImageRgb8(over_white(image));
        let side = self.size as u32;
        let rgb = match (rgb.width(), rgb.height()) {
            (w, h) if (w, h) == (side, side) => rgb,
            _ => rgb.resize_to_fill(side, side, FilterType::Triangle),
        };
        let rgb = rgb.to_rgb8().into_raw();
        Ok(match self.channels {
            1 => rgb.chunks_exact(3).map(luma).collect(),
            _ => (0..3)
                .flat_map(|c| rgb[c..].iter().step_by(3).copied())
                .collect(),
        })
    }
}

/// The image in colour, transparent parts laid over white.
fn over_white(image: DynamicImage) -> RgbImage {
    if !image.color().has_alpha() {
        return image.to_rgb8();
    }
    let rgba = image.to_rgba8();
    let mut rgb = RgbImage::new(rgba.width(), rgba.height());
    for (target, source) in rgb.pixels_mut().zip(rgba.pixels()) {
        let [r, g, b, alpha] = source.0.map(u32::from);
        let blend = |v: u32| ((v * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
        target.0 = [blend(r), blend(g), blend(b)];
    }
    rgb
}

/// Rec. 601 luma, as most decoders' gray.
fn luma(rgb: &[u8]) -> u8 {
    ((299 * u32::from(rgb[0]) + 587 * u32::from(rgb[1]) + 114 * u32::from(rgb[2]) + 500) / 1000)
        as u8
}

/// The class folders of `root` with their image files, both in name order.
///
/// Hidden entries and files without an image's extension are passed over. A link is followed where
/// it leads out of `root`; one that leads to a file inside is a duplicate and is passed over.
fn list(root: &Path) -> Result<Listing, DataError> {
    let real_root = std::fs::canonicalize(root).map_err(|e| DataError::read(root, e))?;
    let mut walk = Walk {
        real_root,
        seen: BTreeSet::new(),
        skipped: 0,
    };
    let mut classes = Listing::new();
    for path in entries(root)? {
        if path.is_dir() && !walk.is_duplicate(&path)? {
            let class = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let mut files = Vec::new();
            walk.collect(&path, &mut files)?;
            if files.is_empty() {
                return Err(DataError::format(
                    &path,
                    "the class folder holds no image file",
                ));
            }
            classes.push((class, files));
        }
    }
    if classes.is_empty() {
        return Err(DataError::format(
            root,
            "the folder holds no class folders; put the images of each class into a folder of its name",
        ));
    }
    if walk.skipped > 0 {
        tracing::info!(folder = %root.display(), skipped = walk.skipped, "passed over links and files that are no images");
    }
    Ok(classes)
}

/// State of the walk through a folder.
struct Walk {
    real_root: PathBuf,
    seen: BTreeSet<PathBuf>,
    skipped: usize,
}

impl Walk {
    fn collect(&mut self, folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
        for path in entries(folder)? {
            let is_image =
                ImageFormat::from_path(&path).is_ok_and(|format| format.reading_enabled());
            if path.is_dir() && !path.is_symlink() {
                self.collect(&path, files)?;
            } else if path.is_file() && is_image && !self.is_duplicate(&path)? {
                files.push(path);
            } else {
                self.skipped += 1;
            }
        }
        Ok(())
    }

    /// Whether `path` is a link to something inside the root or to something seen before.
    fn is_duplicate(&mut self, path: &Path) -> Result<bool, DataError> {
        if !path.is_symlink() {
            return Ok(false);
        }
        let target = std::fs::canonicalize(path).map_err(|e| DataError::read(path, e))?;
        Ok(target.starts_with(&self.real_root) || !self.seen.insert(target))
    }
}

/// The entries of `folder` that are not hidden, in name order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::read(folder, e))? {
        let entry = entry.map_err(|e| DataError::read(folder, e))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}
