//! One split of a data set.

use std::borrow::Cow;

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

    /// The file, or the image in a file, that sample `id` was read from; none if it is not known.
    pub fn name(&self, id: SampleId) -> Option<SampleName<'_>> {
        let position = self.position(id)?;
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

    /// The same set with other pictures: for each sample that is named, its pixels as in
    /// [`image`](Self::image), and its class.
    ///
    /// # Errors
    /// A sentence: a sample that is not there, a number of bytes that does not fit the shape, a label
    /// without a class name.
    pub fn replaced(
        mut self,
        pictures: impl IntoIterator<Item = (SampleId, Vec<u8>, u32)>,
    ) -> Result<Self, String> {
        let size = self.shape.len();
        for (id, pixels, label) in pictures {
            let at = id.0 as usize;
            let wrong = at >= self.len() || pixels.len() != size;
            if wrong || label as usize >= self.classes.len() {
                return Err(format!(
                    "sample {at} cannot have {} bytes and label {label}; there are {} images of \
                     {size} bytes and {} classes",
                    pixels.len(),
                    self.len(),
                    self.classes.len()
                ));
            }
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
            classes: self.classes.clone(),
            unlabelled: self.unlabelled,
            skipped: self.skipped.clone(),
            shape: self.shape,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn set(labels: &[u32], classes: usize, channels: usize) -> ImageSet {
        let shape = Shape {
            channels,
            height: 2,
            width: 3,
        };
        let pixels = (0..labels.len() * shape.len()).map(|i| i as u8).collect();
        let names = (0..classes).map(|c| format!("c{c}")).collect();
        ImageSet::new(pixels, labels.to_vec(), names, shape).unwrap()
    }

    #[test]
    fn gray_images_in_colour_have_three_equal_planes() {
        let gray = set(&[0, 1], 2, 1);
        let colour = gray.clone().in_colour();
        assert_eq!(colour.shape().channels, 3);
        for id in [0, 1].map(SampleId) {
            let plane = gray.image(id).unwrap().pixels;
            assert_eq!(*colour.image(id).unwrap().pixels, plane.repeat(3));
            assert_eq!(colour.picture(id).unwrap(), gray.picture(id).unwrap());
        }
        assert_eq!(colour.clone().in_colour(), colour);
    }

    #[test]
    fn a_limit_takes_the_first_of_each_class_in_file_order() {
        let all = set(&[1, 1, 0, 1, 0, 2, 2, 0], 3, 1);
        let some = all.first_balanced(5).unwrap();
        assert_eq!(some.labels(), [1, 1, 0, 0, 2]);
        let positions: Vec<_> = (0..5)
            .map(|id| some.position(SampleId(id)).unwrap())
            .collect();
        assert_eq!(positions, [0, 1, 2, 4, 5]);
        for id in 0..5 {
            let position = SampleId(positions[id as usize]);
            assert_eq!(
                some.image(SampleId(id)).unwrap(),
                all.image(position).unwrap()
            );
        }
        assert!(some.image(SampleId(5)).is_err());
        let error = set(&[0, 0, 0, 0, 1], 2, 1).first_balanced(4).unwrap_err();
        assert!(
            error.contains("needs 2 of class \"c1\", which has 1"),
            "{error}"
        );
        for limit in [8, 9, usize::MAX] {
            assert_eq!(all.first_balanced(limit), Ok(all.clone()));
        }
        assert!(all.first_balanced(0).is_err());
        let names = (0..8).map(|n| format!("{n}.png")).collect();
        let named = all.clone().named(SampleNames::Files(names));
        let some = named.first_balanced(5).unwrap();
        let name = |id| some.name(SampleId(id)).map(|name| name.to_string());
        assert_eq!(name(3).as_deref(), Some("4.png"));
        assert_eq!(name(5), None);
        let gap = set(&[2, 0, 2, 0], 3, 1);
        assert_eq!(gap.first_balanced(3).unwrap().labels(), [2, 0, 0]);
    }

    #[test]
    fn a_picture_is_interleaved_rgb() {
        let colour = set(&[0, 0], 1, 3);
        let rgb = colour.picture(SampleId(1)).unwrap();
        assert_eq!(rgb[..6], [18, 24, 30, 19, 25, 31]);
        let gray = set(&[0], 1, 1);
        assert_eq!(gray.picture(SampleId(0)).unwrap()[..6], [0, 0, 0, 1, 1, 1]);
        assert!(gray.picture(SampleId(1)).is_err());
    }

    #[test]
    fn the_digest_tells_pixels_labels_and_shapes_apart() {
        let one = set(&[0, 1], 2, 1);
        let other_labels = set(&[1, 0], 2, 1);
        let mut turned = one.clone();
        turned.shape = Shape {
            channels: 1,
            height: 3,
            width: 2,
        };
        let mut pixel = one.clone();
        let Pixels::Planes(planes) = &mut pixel.pixels else {
            return;
        };
        planes[11] ^= 1;
        let mut digests: Vec<_> = [&one, &other_labels, &turned, &pixel]
            .map(|s| s.digest())
            .into();
        digests.sort_unstable();
        digests.dedup();
        assert_eq!(digests.len(), 4);
        assert_eq!(one.digest(), set(&[0, 1], 2, 1).digest());
    }

    #[test]
    fn other_labels_keep_the_truth_apart() {
        let clean = set(&[0, 1, 1], 2, 1);
        let noisy = clean.clone().relabelled(vec![1, 1, 0]).unwrap();
        assert_eq!(noisy.labels(), [1, 1, 0]);
        assert_eq!(noisy.true_labels(), [0, 1, 1]);
        assert_eq!(clean.true_labels(), clean.labels());
        assert_ne!(noisy.digest(), clean.digest());
        assert!(clean.clone().relabelled(vec![0, 1]).is_err());
        assert!(clean.relabelled(vec![0, 1, 2]).is_err());
        assert!(noisy.relabelled(vec![0, 0, 0]).is_err());
    }

    #[test]
    fn sets_that_do_not_fit_together_are_refused() {
        let shape = Shape {
            channels: 1,
            height: 2,
            width: 2,
        };
        let names = || vec!["a".to_owned()];
        assert!(ImageSet::new(vec![0; 4], vec![0], names(), shape).is_ok());
        assert!(ImageSet::new(vec![0; 5], vec![0], names(), shape).is_err());
        assert!(ImageSet::new(vec![0; 4], vec![1], names(), shape).is_err());
        assert!(ImageSet::new(vec![], vec![], names(), shape).is_err());
        let two = Shape {
            channels: 2,
            ..shape
        };
        assert!(ImageSet::new(vec![0; 8], vec![0], names(), two).is_err());
    }
}
