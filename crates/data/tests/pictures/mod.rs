//! Folders of small pictures, and what tests of their readers ask of a data set; no test asks for all of it.

#![allow(dead_code)]

use std::fs;
use std::path::Path;

use afterimage_data::{DataError, DataSet, DataSource, Limits};
use afterimage_hooks::{SampleId, Split};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

/// `classes` class folders of `each` pictures of many sizes, whose formats follow each other; the folder, and
/// names with classes in order.
pub fn pictures(classes: u32, each: u32, formats: &[&str]) -> (TempDir, Vec<(String, u32)>) {
    let dir = TempDir::new().unwrap();
    let mut names = Vec::new();
    for class in 0..classes {
        fs::create_dir(dir.path().join(class.to_string())).unwrap();
        for at in 0..each {
            let name = format!("{class}/{at}.{}", formats[at as usize % formats.len()]);
            let picture = RgbImage::from_fn(10 + at, 12 + class, |x, y| {
                Rgb([
                    (40 * class + x) as u8,
                    (20 * at + y) as u8,
                    (x * y + at) as u8,
                ])
            });
            picture.save(dir.path().join(&name)).unwrap();
            names.push((name, class));
        }
    }
    (dir, names)
}

/// An npy file of bytes or of whole numbers.
pub fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

/// The source that a config with these keys has.
pub fn source(text: &str) -> DataSource {
    toml::from_str(text).unwrap()
}

/// The source of `kind` with every third image held out, in 8×8 pixels, and with `more` keys.
pub fn thirds(kind: &str, train: &Path, more: &str) -> DataSource {
    source(&format!(
        "kind = '{kind}'\ntrain = {train:?}\nhold_out_every = 3\nsize = 8\n{more}"
    ))
}

pub fn load(source: &DataSource) -> Result<DataSet, DataError> {
    source.load(Limits::default())
}

pub fn ids(set: &DataSet, split: Split) -> Vec<SampleId> {
    (0..set.split(split).len() as u32).map(SampleId).collect()
}

/// Fails unless both have the same images and labels under the same ids.
pub fn assert_same_images(one: &DataSet, other: &DataSet) {
    for split in [Split::Train, Split::HeldOut] {
        assert_eq!(one.split(split).labels(), other.split(split).labels());
        let ids = ids(one, split);
        assert_eq!(
            one.images(split, &ids).unwrap(),
            other.images(split, &ids).unwrap()
        );
    }
}

/// Fails unless the source is refused with all of `words`.
pub fn said(source: &DataSource, words: &[&str]) {
    let message = load(source).unwrap_err().to_string();
    for word in words {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
}
