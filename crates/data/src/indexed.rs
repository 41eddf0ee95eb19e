//! The images of a split that are not in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::catalogue::Catalogue;
use crate::error::DataError;
use crate::names::SampleName;
use crate::picture::Shape;

/// Some images of a catalogue, by their positions in a split.
#[derive(Debug, Clone)]
pub(crate) struct Indexed {
    catalogue: Arc<Catalogue>,
    /// Number in the catalogue, by position.
    items: Arc<[u32]>,
    /// Other pictures in the place of some, by position.
    planted: BTreeMap<u32, Vec<u8>>,
    /// Whether gray images are shown in three equal channels.
    colour: bool,
}

/// The same images of the same catalogue; two readings of one source are not equal.
impl PartialEq for Indexed {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.catalogue, &other.catalogue)
            && self.items == other.items
            && self.planted == other.planted
            && self.colour == other.colour
    }
}

impl Eq for Indexed {}

impl Indexed {
    /// The images `items` of `catalogue`.
    pub(crate) fn new(catalogue: Arc<Catalogue>, items: Vec<u32>) -> Self {
        Self {
            catalogue,
            items: items.into(),
            planted: BTreeMap::new(),
            colour: false,
        }
    }

    /// Number of positions.
    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    /// Shape of each image.
    pub(crate) fn shape(&self) -> Shape {
        self.catalogue.shape()
    }

    /// How the image at `position` is called.
    pub(crate) fn name(&self, position: u32) -> Option<SampleName<'_>> {
        let item = self.items.get(position as usize)?;
        self.catalogue.name(*item as usize)
    }

    /// The image at `position` as planes.
    ///
    /// # Errors
    /// A file that has gone or changed, or that cannot be decoded.
    pub(crate) fn planes(&self, position: u32) -> Result<Cow<'_, [u8]>, DataError> {
        if let Some(planted) = self.planted.get(&position) {
            return Ok(Cow::Borrowed(planted));
        }
        let item = self.items[position as usize] as usize;
        let planes = self.catalogue.planes(item)?;
        Ok(Cow::Owned(match self.colour {
            true => planes.repeat(3),
            false => planes,
        }))
    }

    /// Shows `planes` in the place of the image at `position`.
    pub(crate) fn plant(&mut self, position: u32, planes: Vec<u8>) {
        self.planted.insert(position, planes);
    }

    /// The same images in three equal channels; they are gray.
    pub(crate) fn in_colour(self) -> Self {
        let planted = self.planted.into_iter();
        Self {
            planted: planted.map(|(at, plane)| (at, plane.repeat(3))).collect(),
            colour: true,
            ..self
        }
    }

    /// Adds what names the images at `positions` to `hash`.
    pub(crate) fn hash(&self, positions: &[u32], hash: &mut Sha256) {
        let number = |hash: &mut Sha256, number: u64| hash.update(number.to_le_bytes());
        hash.update(self.catalogue.heads());
        number(hash, u64::from(self.colour));
        for position in positions {
            let item = self.items[*position as usize] as usize;
            if let Some(name) = self.catalogue.name(item) {
                let member = name.member.map(|member| member.to_string());
                for text in [Some(name.file), member.as_deref()].into_iter().flatten() {
                    number(hash, text.len() as u64);
                    hash.update(text);
                }
            }
            number(hash, self.catalogue.size(item));
        }
        for (position, planes) in &self.planted {
            number(hash, u64::from(*position));
            hash.update(planes);
        }
    }
}
