//! One split of a data set in memory.

use std::collections::BTreeMap;

use afterimage_hooks::SampleId;
use sha2::{Digest, Sha256};

use crate::names::{SampleName, SampleNames};

/// Channels, height and width of every image of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// 1 (gray) or 3 (red, green, blue).
    pub channels: usize,
    /// Height in pixels.
    pub height: usize,
    /// Width in pixels.
    pub width: usize,
}

impl Shape {
    /// Bytes of one image.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether an image has no pixels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One stored image: 8-bit planes, `[C, H, W]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageRef<'a> {
    /// `C · H · W` bytes, channel planes one after the other.
    pub pixels: &'a [u8],
    /// What the bytes are.
    pub shape: Shape,
}

/// A picture that takes the place of a sample's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// The sample.
    pub id: SampleId,
    /// `C · H · W` bytes, as in [`ImageRef`].
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

/// One split in memory: images of one shape, labels and class names.
///
/// A sample's id is its position here. Pixels are stored as planes, since views are computed plane
/// by plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSet {
    pixels: Vec<u8>,
    labels: Vec<u32>,
    /// Labels before some were made wrong on purpose; none if none were.
    truth: Option<Vec<u32>>,
    positions: Vec<u32>,
    /// By position, not by id.
    names: SampleNames,
    /// What the samples show whose pictures were replaced.
    shown: BTreeMap<SampleId, Shown>,
    classes: Vec<String>,
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
        if labels.is_empty() || shape.is_empty() {
            return Err("there are no images".to_owned());
        }
        if !matches!(shape.channels, 1 | 3) {
            return Err(format!(
                "images have {} channels; 1 and 3 can be used",
                shape.channels
            ));
        }
        if pixels.len() != labels.len() * shape.len() {
            return Err(format!(
                "{} labels and images of {} bytes need {} bytes of pixels; there are {}",
                labels.len(),
                shape.len(),
                labels.len() * shape.len(),
                pixels.len()
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

    /// The file, or the image in a file, that sample `id` shows; none if it is not known, or shows
    /// nothing that was read. A sample whose picture was [`replaced`](Self::replaced) has the name of
    /// what stands there now.
    pub fn name(&self, id: SampleId) -> Option<SampleName<'_>> {
        let position = match self.shown.get(&id) {
            None => self.position(id)?,
            Some(Shown::Position(position)) => *position,
            Some(Shown::Nothing) => return None,
        };
        self.names.at(position as usize)
    }

    /// The stored image of sample `id`.
    pub fn image(&self, id: SampleId) -> Option<ImageRef<'_>> {
        let size = self.shape.len();
        let start = (id.0 as usize).checked_mul(size)?;
        let pixels = self.pixels.get(start..start.checked_add(size)?)?;
        Some(ImageRef {
            pixels,
            shape: self.shape,
        })
    }

    /// The image of sample `id` as 8-bit RGB in row-major order, `H · W · 3` bytes.
    pub fn picture(&self, id: SampleId) -> Option<Vec<u8>> {
        let image = self.image(id)?;
        let plane = self.shape.height * self.shape.width;
        let step = if self.shape.channels == 3 { plane } else { 0 };
        let rgb = |at: usize| [0, step, 2 * step].map(|offset| image.pixels[offset + at]);
        Some((0..plane).flat_map(rgb).collect())
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
            self.pixels[at * size..(at + 1) * size].copy_from_slice(&pixels);
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
        let planes = self.pixels.chunks_exact(self.shape.len());
        Self {
            pixels: planes.flat_map(|plane| plane.repeat(3)).collect(),
            shape: Shape {
                channels: 3,
                ..self.shape
            },
            ..self
        }
    }

    /// SHA-256 of shape, pixels and labels, in hexadecimal: names the data in the run's manifest.
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
        hash.update(&self.pixels);
        self.labels
            .iter()
            .for_each(|label| hash.update(label.to_le_bytes()));
        hash.finalize()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    /// The first `limit` images that keep the classes balanced, in file order; all where the set has
    /// no more.
    ///
    /// Each class that has images gives its first `limit / classes`; where that leaves a rest, the
    /// first classes give one more.
    ///
    /// # Errors
    /// A sentence, where the limit is 0 or a class has too few images.
    pub fn first_balanced(&self, limit: usize) -> Result<Self, String> {
        if limit == 0 {
            return Err("a limit of 0 leaves nothing".to_owned());
        }
        if limit >= self.len() {
            return Ok(self.clone());
        }
        let mut have = vec![0usize; self.classes.len()];
        self.labels
            .iter()
            .for_each(|&label| have[label as usize] += 1);
        let present: Vec<usize> = (0..have.len()).filter(|&class| have[class] > 0).collect();
        let (each, rest) = (limit / present.len(), limit % present.len());
        let mut open = vec![0usize; have.len()];
        for (at, &class) in present.iter().enumerate() {
            open[class] = each + usize::from(at < rest);
        }
        let mut kept = Vec::with_capacity(limit);
        for (at, &label) in self.labels.iter().enumerate() {
            let left = &mut open[label as usize];
            if *left > 0 {
                *left -= 1;
                kept.push(at);
            }
        }
        if let Some(class) = open.iter().position(|&left| left > 0) {
            return Err(format!(
                "a balanced choice of {limit} images needs {} of class {:?}, which has {} of the {} \
                 images; lower the limit or leave it out",
                have[class] + open[class],
                self.classes[class],
                have[class],
                self.len()
            ));
        }
        let size = self.shape.len();
        let pixels = kept
            .iter()
            .flat_map(|at| &self.pixels[at * size..(at + 1) * size])
            .copied();
        Ok(Self {
            pixels: pixels.collect(),
            labels: kept.iter().map(|&at| self.labels[at]).collect(),
            truth: self
                .truth
                .as_ref()
                .map(|truth| kept.iter().map(|&at| truth[at]).collect()),
            positions: kept.iter().map(|&at| self.positions[at]).collect(),
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
            shape: self.shape,
        })
    }
}

#[cfg(test)]
#[path = "image_set_tests.rs"]
mod tests;
