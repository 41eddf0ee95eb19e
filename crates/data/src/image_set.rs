//! One split of a data set.

use std::borrow::Cow;
use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use sha2::{Digest, Sha256};

use crate::check::Skipped;
use crate::error::DataError;
use crate::indexed::Indexed;
use crate::names::{SampleName, SampleNames};
use crate::picture::{Image, Shape};

/// Where the pixels of a split are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Pixels {
    /// In memory, planes of one image behind those of another.
    Planes(Vec<u8>),
    /// In their files.
    Indexed(Indexed),
}

/// A picture that takes the place of a sample's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The sample.
    pub id: SampleId,
    /// `C · H · W` bytes, as in [`Image`].
    pub pixels: Vec<u8>,
    /// Its class.
    pub label: u32,
    /// The sample whose picture it shows, whole or in part; none for what was read from no file.
    pub shows: Option<SampleId>,
}

/// What a sample shows whose picture was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The image at this position of the split's files.
    Position(u32),
    /// Nothing that was read.
    Nothing,
}

/// One split: images of one shape, labels and class names. The images are in memory, or they are
/// read and decoded when they are asked for.
///
/// A sample's id is its position here. Pixels are planes, since views are computed plane by plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    pixels: Pixels,
    labels: Vec<u32>,
    /// Labels before some were made wrong on purpose; none if none were.
    truth: Option<Vec<u32>>,
    positions: Vec<u32>,
    /// By position, not by id.
    names: SampleNames,
    /// What the samples show whose pictures were replaced.
    shown: BTreeMap<SampleId, Shown>,
    classes: Vec<String>,
    /// Whether the one class says nothing.
    unlabelled: bool,
    skipped: Vec<Skipped>,
    shape: Shape,
}

impl ImageSet {
    /// A set of `labels.len()` images `[N, C, H, W]`, each with its class.
    ///
    /// # Errors
    /// A sentence: a number of bytes that does not fit labels and shape, a number of channels other
    /// than 1 and 3, no image at all, or a label without a class name.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<u32>,
        classes: Vec<String>,
        shape: Shape,
    ) -> Result<Self, String> {
        if !labels.is_empty() && pixels.len() != labels.len() * shape.len() {
            return Err(format!(
                "{} labels and images of {} bytes need {} bytes of pixels; there are {}",
                labels.len(),
                shape.len(),
                labels.len() * shape.len(),
                pixels.len()
            ));
        }
        Self::of(Pixels::Planes(pixels), labels, classes, shape)
    }

    /// As [`new`](Self::new), of images that stay in their files.
    pub(crate) fn indexed(
        images: Indexed,
        labels: Vec<u32>,
        classes: Vec<String>,
    ) -> Result<Self, String> {
        if labels.len() != images.len() {
            let (labels, images) = (labels.len(), images.len());
            return Err(format!("{labels} labels for {images} images"));
        }
        let shape = images.shape();
        Self::of(Pixels::Indexed(images), labels, classes, shape)
    }

    fn of(
        pixels: Pixels,
        labels: Vec<u32>,
        classes: Vec<String>,
        shape: Shape,
    ) -> Result<Self, String> {
        if labels.is_empty() || shape.is_empty() {
            return Err("there are no images".to_owned());
        }
        if !matches!(shape.channels, 1 | 3) {
            return Err(format!(
                "images have {} channels; 1 and 3 can be used",
                shape.channels
            ));
        }
        if let Some(at) = labels.iter().position(|&l| l as usize >= classes.len()) {
            return Err(format!(
                "sample {at} has label {}; there are {} classes",
                labels[at],
                classes.len()
            ));
        }
        let count = u32::try_from(labels.len())
            .map_err(|_| format!("{} images are more than ids can count", labels.len()))?;
        Ok(Self {
            pixels,
            labels,
            truth: None,
            positions: (0..count).collect(),
            names: SampleNames::Unknown,
            shown: BTreeMap::new(),
            classes,
            unlabelled: false,
            skipped: Vec::new(),
            shape,
        })
    }

    /// Number of images; never 0.
    #[allow(
        clippy::len_without_is_empty,
        reason = "an empty set is an error of `new`"
    )]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Shape of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Class of every sample, by id.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Class of every sample before some were made wrong on purpose, by id.
    pub fn true_labels(&self) -> &[u32] {
        self.truth.as_deref().unwrap_or(&self.labels)
    }

    /// The same images under other labels, with the present ones kept apart as the truth.
    ///
    /// # Errors
    /// A sentence: another number of labels, a label without a class name, or labels that were
    /// replaced already.
    pub fn relabelled(self, labels: Vec<u32>) -> Result<Self, String> {
        if labels.len() != self.labels.len() {
            let (new, old) = (labels.len(), self.labels.len());
            return Err(format!("{new} labels for {old} images"));
        }
        if let Some(at) = labels
            .iter()
            .position(|&l| l as usize >= self.classes.len())
        {
            let (label, classes) = (labels[at], self.classes.len());
            return Err(format!(
                "sample {at} is to have label {label}; there are {classes} classes"
            ));
        }
        if self.truth.is_some() {
            return Err("the labels were replaced already".to_owned());
        }
        Ok(Self {
            truth: Some(self.labels),
            labels,
            ..self
        })
    }

    /// Name of every class.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Position of sample `id` in its split's files; differs from the id where a limit left
    /// samples out.
    pub fn position(&self, id: SampleId) -> Option<u32> {
        self.positions.get(id.0 as usize).copied()
    }

    /// The same images with the places that they were read from.
    pub fn named(self, names: SampleNames) -> Self {
        Self { names, ..self }
    }

    /// The same images, whose one class stands for labels that nobody gave.
    pub fn without_labels(self) -> Self {
        Self {
            unlabelled: true,
            ..self
        }
    }

    /// Whether somebody gave the images labels. Without them all are of one class.
    pub fn has_labels(&self) -> bool {
        !self.unlabelled
    }

    /// Whether the images are read and decoded when they are asked for.
    pub fn is_lazy(&self) -> bool {
        matches!(self.pixels, Pixels::Indexed(_))
    }

    /// The same set, from which images that cannot be decoded were taken out.
    pub(crate) fn skipping(self, skipped: Vec<Skipped>) -> Self {
        Self { skipped, ..self }
    }

    /// Images that were taken out because they cannot be decoded.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The file, or the image in a file, that sample `id` shows; none if it is not known, or shows
    /// nothing that was read. A sample whose picture was [`replaced`](Self::replaced) has the name of
    /// what stands there now.
    pub fn name(&self, id: SampleId) -> Option<SampleName<'_>> {
        let position = match self.shown.get(&id) {
            None => self.position(id)?,
            Some(Shown::Position(position)) => *position,
            Some(Shown::Nothing) => return None,
        };
        match &self.pixels {
            Pixels::Planes(_) => self.names.at(position as usize),
            Pixels::Indexed(images) => images.name(position),
        }
    }

    /// The image of sample `id`; decoded on this thread where it is not in memory.
    ///
    /// # Errors
    /// An id outside the set; a file that has gone or changed, or that cannot be decoded.
    pub fn image(&self, id: SampleId) -> Result<Image<'_>, DataError> {
        let outside = DataError::OutsideSet {
            id,
            len: self.len(),
        };
        let position = self.position(id).ok_or(outside)?;
        let size = self.shape.len();
        let pixels = match &self.pixels {
            // The set has as many images as positions.
            Pixels::Planes(pixels) => {
                Cow::Borrowed(&pixels[id.0 as usize * size..(id.0 as usize + 1) * size])
            }
            Pixels::Indexed(images) => images.planes(position)?,
        };
        Ok(Image {
            pixels,
            shape: self.shape,
        })
    }

    /// The same set with other pictures in the places of some samples.
    ///
    /// # Errors
    /// A sentence: a sample that is not there, a number of bytes that does not fit the shape, a label
    /// without a class name.
    pub fn replaced(
        mut self,
        pictures: impl IntoIterator<Item = Replacement>,
    ) -> Result<Self, String> {
        let size = self.shape.len();
        for picture in pictures {
            let Replacement {
                id,
                pixels,
                label,
                shows,
            } = picture;
            let at = id.0 as usize;
            let shown = match shows {
                None => Some(Shown::Nothing),
                Some(shows) => self.shown.get(&shows).copied().or_else(|| {
                    let position = self.position(shows)?;
                    Some(Shown::Position(position))
                }),
            };
            let wrong = at >= self.len() || pixels.len() != size || shown.is_none();
            if wrong || label as usize >= self.classes.len() {
                return Err(format!(
                    "sample {at} cannot have {} bytes and label {label}; there are {} images of \
                     {size} bytes and {} classes",
                    pixels.len(),
                    self.len(),
                    self.classes.len()
                ));
            }
            self.shown.extend(shown.map(|shown| (id, shown)));
            match &mut self.pixels {
                Pixels::Planes(all) => all[at * size..(at + 1) * size].copy_from_slice(&pixels),
                Pixels::Indexed(images) => images.plant(self.positions[at], pixels),
            }
            self.labels[at] = label;
            if let Some(truth) = &mut self.truth {
                truth[at] = label;
            }
        }
        Ok(self)
    }

    /// The same images in three channels; gray ones have three equal ones.
    pub fn in_colour(self) -> Self {
        if self.shape.channels == 3 {
            return self;
        }
        let plane = self.shape.len();
        let pixels = match self.pixels {
            Pixels::Planes(pixels) => {
                let planes = pixels.chunks_exact(plane);
                Pixels::Planes(planes.flat_map(|plane| plane.repeat(3)).collect())
            }
            Pixels::Indexed(images) => Pixels::Indexed(images.in_colour()),
        };
        Self {
            pixels,
            shape: Shape {
                channels: 3,
                ..self.shape
            },
            ..self
        }
    }

    /// SHA-256 of shape, pixels and labels, in hexadecimal: names the data in the run's manifest.
    /// Of images that stay in their files, names, sizes and the first bytes of some are taken for the
    /// pixels.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let Shape {
            channels,
            height,
            width,
        } = self.shape;
        for number in [self.len(), channels, height, width] {
            hash.update((number as u64).to_le_bytes());
        }
        match &self.pixels {
            Pixels::Planes(pixels) => hash.update(pixels),
            Pixels::Indexed(images) => images.hash(&self.positions, &mut hash),
        }
        self.labels
            .iter()
            .for_each(|label| hash.update(label.to_le_bytes()));
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The samples `kept`, in this order, which keep their positions.
    pub(crate) fn only(&self, kept: &[usize]) -> Self {
        let size = self.shape.len();
        let pixels = match &self.pixels {
            Pixels::Planes(pixels) => {
                let kept = kept
                    .iter()
                    .flat_map(|at| &pixels[at * size..(at + 1) * size]);
                Pixels::Planes(kept.copied().collect())
            }
            Pixels::Indexed(images) => Pixels::Indexed(images.clone()),
        };
        let of = |values: &[u32]| kept.iter().map(|&at| values[at]).collect();
        Self {
            pixels,
            labels: of(&self.labels),
            truth: self.truth.as_deref().map(of),
            positions: of(&self.positions),
            names: self.names.clone(),
            shown: kept
                .iter()
                .zip(0..)
                .filter_map(|(&at, id)| {
                    let shown = self.shown.get(&SampleId(at as u32))?;
                    Some((SampleId(id), *shown))
                })
                .collect(),
            classes: self.classes.clone(),
            unlabelled: self.unlabelled,
            skipped: self.skipped.clone(),
            shape: self.shape,
        }
    }
}

#[cfg(test)]
#[path = "image_set_tests.rs"]
mod tests;
