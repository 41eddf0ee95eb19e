//! Image folders: one folder a class, any decodable format, resized to one size.

use std::io::{BufRead, BufReader, Seek};
use std::path::{Path, PathBuf};

use afterimage_files::{catch, open_input};
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};
use rayon::prelude::*;

use super::bytes::budget;
use super::ids;
use super::lazy::NO_CLASS;
use super::listing::{Listing, UNLABELLED, list};
use super::shards::Choice;
use crate::dataset::DataSet;
use crate::error::{DataError, Problems};
use crate::image_set::ImageSet;
use crate::names::{SampleName, SampleNames};
use crate::picture::Shape;

/// An image with more pixels than this is an error: decoded it would take a quarter of a gigabyte.
const MAX_PIXELS: u64 = 1 << 26;

/// How the images of a folder become a data set.
pub(crate) struct Folder<'a> {
    pub(crate) train: &'a Path,
    pub(crate) held_out: Option<&'a Path>,
    pub(crate) choice: Choice<'a>,
    pub(crate) size: usize,
    pub(crate) channels: usize,
}

impl Folder<'_> {
    /// Lists and decodes all images; what was passed over goes to `notes`.
    pub(crate) fn load(&self, notes: &mut Vec<String>) -> Result<DataSet, DataError> {
        let mut train = list(self.train, notes)?;
        let held_out = match self.held_out {
            Some(root) => list(root, notes)?,
            None => self.split_off(&mut train)?,
        };
        let classes: Vec<String> = train.iter().map(|(class, _)| class.clone()).collect();
        if let Some((stranger, _)) = held_out.iter().find(|(class, _)| !classes.contains(class)) {
            let reason = match stranger.as_str() {
                UNLABELLED => {
                    "the images lie in no class folders, and those for training do".to_owned()
                }
                _ => format!("class {stranger:?} is not among the training classes"),
            };
            return Err(DataError::format(
                self.held_out.unwrap_or(self.train),
                reason,
            ));
        }
        self.check_size([&train, &held_out])?;
        // Both are read before the faults of either are told, so that one look repairs all.
        let mut faults = Vec::new();
        let train = self.read(self.train, &train, &classes, &mut faults)?;
        let root = self.held_out.unwrap_or(self.train);
        let held_out = self.read(root, &held_out, &classes, &mut faults)?;
        match (train, held_out) {
            (Some(train), Some(held_out)) => Ok(DataSet { train, held_out }),
            _ => Err(DataError::Files {
                folder: match faults.iter().all(|(path, _)| path.starts_with(root)) {
                    true => root.to_owned(),
                    false => self.train.to_owned(),
                },
                problems: Problems::new(faults),
            }),
        }
    }

    /// Refuses images that do not fit, before the first is read.
    fn check_size(&self, splits: [&Listing; 2]) -> Result<(), DataError> {
        let counts = splits.into_iter().flatten().map(|(_, files)| files.len());
        let count = counts.sum::<usize>() as u64;
        let image = (self.channels * self.size * self.size) as u64;
        let (bytes, budget) = (count.saturating_mul(image), budget());
        if bytes <= budget {
            return Ok(());
        }
        let reason = format!(
            "{count} images of {} channels and {size}×{size} pixels take {} MiB, and a data set may take \
             {} MiB here, half of the memory; lower data.size, or take a part of the images",
            self.channels,
            bytes >> 20,
            budget >> 20,
            size = self.size
        );
        Err(DataError::format(self.train, reason))
    }

    /// Takes what is held out of `train`.
    fn split_off(&self, train: &mut Listing) -> Result<Listing, DataError> {
        match self.choice {
            Choice::Every(every) => self.every(train, every),
            Choice::Ids(path) => self.named(train, path),
        }
    }

    /// Takes the images that the file `path` names out of `train`.
    fn named(&self, train: &mut Listing, path: &Path) -> Result<Listing, DataError> {
        let files = train.iter().flat_map(|(_, files)| files);
        let names: Vec<String> = files.map(|file| below(self.train, file)).collect();
        let name = |at: usize| {
            let file = names.get(at)?;
            Some(SampleName { file, member: None })
        };
        let mut held = ids::numbers(path, names.len(), name)?
            .into_iter()
            .peekable();
        let mut number = 0..;
        let listing = train.iter_mut().map(|(class, files)| {
            let taken = files.extract_if(.., |_| {
                let at = number.next();
                held.next_if(|held| Some(*held) == at).is_some()
            });
            (class.clone(), taken.collect())
        });
        Ok(listing.collect())
    }

    /// Takes every `every`-th file of each class, in path order, out of `train`.
    fn every(&self, train: &mut Listing, every: usize) -> Result<Listing, DataError> {
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

    /// The images of `listing`, or none where some are faulty; these go to `faults`.
    fn read(
        &self,
        root: &Path,
        listing: &Listing,
        classes: &[String],
        faults: &mut Vec<(PathBuf, String)>,
    ) -> Result<Option<ImageSet>, DataError> {
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
        let before = faults.len();
        let mut pixels = Vec::with_capacity(files.len() * shape.len());
        for ((path, _), image) in files.iter().zip(decoded) {
            match image {
                Ok(planes) => pixels.extend(planes),
                Err(reason) => faults.push((path.to_path_buf(), reason)),
            }
        }
        if faults.len() > before {
            return Ok(None);
        }
        let names = files.iter().map(|(path, _)| below(root, path)).collect();
        let labels = files.into_iter().map(|(_, label)| label).collect();
        let unlabelled = classes == [UNLABELLED];
        let classes = match unlabelled {
            true => vec![NO_CLASS.to_owned()],
            false => classes.to_vec(),
        };
        let set = ImageSet::new(pixels, labels, classes, shape)
            .map_err(|reason| DataError::format(root, reason))?
            .named(SampleNames::Files(names));
        Ok(Some(match unlabelled {
            true => set.without_labels(),
            false => set,
        }))
    }

    /// One image as planes `[C, size, size]`, or what is wrong with it.
    fn decode(&self, path: &Path) -> Result<Vec<u8>, String> {
        let file = open_input(path).map_err(|e| e.to_string())?;
        let (size, channels) = (self.size, self.channels);
        Scale { size, channels }.decode(BufReader::new(file), path)
    }
}

/// What becomes of a picture.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    /// Side of the square image.
    pub(crate) size: usize,
    /// 1 (gray) or 3 (colour).
    pub(crate) channels: usize,
}

impl Scale {
    /// The picture that `bytes` hold as planes `[C, size, size]`, or what is wrong with it; `name` tells its
    /// format where the bytes do not.
    pub(crate) fn decode<R: BufRead + Seek>(
        self,
        bytes: R,
        name: &Path,
    ) -> Result<Vec<u8>, String> {
        let mut reader = ImageReader::new(bytes);
        // Some formats, as TGA, are known by their name alone.
        if let Ok(format) = ImageFormat::from_path(name) {
            reader.set_format(format);
        }
        let reader = reader.with_guessed_format().map_err(|e| e.to_string())?;
        let broken = || Err("its decoder broke off; the file is damaged".to_owned());
        catch(|| self.planes(reader)).unwrap_or_else(broken)
    }

    fn planes<R: BufRead + Seek>(self, reader: ImageReader<R>) -> Result<Vec<u8>, String> {
        let mut decoder = reader.into_decoder().map_err(|e| e.to_string())?;
        let (width, height) = decoder.dimensions();
        if u64::from(width) * u64::from(height) > MAX_PIXELS {
            return Err(format!(
                "{width}×{height} pixels are more than the {} million that are read",
                MAX_PIXELS >> 20
            ));
        }
        if width == 0 || height == 0 {
            return Err("the image has no pixels".to_owned());
        }
        let side = self.size as u32;
        // Scaled until the shorter side fits, a thin strip would become as long as memory lasts.
        let (short, long) = (u64::from(width.min(height)), u64::from(width.max(height)));
        let square = u64::from(side) * u64::from(side);
        if long.saturating_mul(square) > short.saturating_mul(MAX_PIXELS) {
            return Err(format!(
                "{width}×{height} pixels are too long for their width to be scaled to {side} pixels"
            ));
        }
        // A tag that cannot be read says nothing; the pixels are there all the same.
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut image = DynamicImage::from_decoder(decoder).map_err(|e| e.to_string())?;
        image.apply_orientation(orientation);
        let rgb = DynamicImage::ImageRgb8(over_white(image));
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

/// `path` from the folder `root` on, with `/` between its parts.
pub(super) fn below(root: &Path, path: &Path) -> String {
    let parts = path.strip_prefix(root).unwrap_or(path).components();
    let parts: Vec<_> = parts
        .map(|part| part.as_os_str().to_string_lossy())
        .collect();
    parts.join("/")
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
