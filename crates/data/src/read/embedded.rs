//! The data set inside the program: a class-balanced part of Fashion-MNIST.
//!
//! 600 training and 100 test images of each of ten classes, 28×28 gray. Copyright © 2017 Zalando
//! SE, MIT licence; the notice lies beside the files in `assets/fashion-mnist`.

use std::path::Path;

use super::bytes::unpack;
use super::idx::{Part, assemble};
use crate::dataset::DataSet;
use crate::error::DataError;

const CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

macro_rules! asset {
    ($name:literal) => {
        (
            Path::new(concat!("(embedded) ", $name)),
            include_bytes!(concat!("../../assets/fashion-mnist/", $name)).as_slice(),
        )
    };
}

/// Unpacks the embedded images.
pub(crate) fn load() -> Result<DataSet, DataError> {
    let part = |images: (&'static Path, &[u8]), labels: (&'static Path, &[u8])| {
        let unpacked = |file: (&Path, &[u8])| unpack(file.0, file.1, file.1.len() as u64, |_| None);
        Part::parse(images.0, unpacked(images)?, labels.0, unpacked(labels)?)
    };
    let train = part(
        asset!("train-images-idx3-ubyte.gz"),
        asset!("train-labels-idx1-ubyte.gz"),
    )?;
    let held_out = part(
        asset!("t10k-images-idx3-ubyte.gz"),
        asset!("t10k-labels-idx1-ubyte.gz"),
    )?;
    assemble(train, held_out, Some(&CLASSES))
}
