//! Arrays of images as NumPy's npy files, read image by image.

use std::path::{Path, PathBuf};

use afterimage_table::{FileError, Npy, Number, Order};

use super::bytes::file_name;
use super::lazy::{HeldOut, Labels, Listed, assemble, class};
use crate::catalogue::{Bytes, Catalogue, Container, Form, Names};
use crate::check::OnBad;
use crate::dataset::DataSet;
use crate::error::DataError;
use crate::picture::Shape;

/// The files of a data set of arrays.
pub(crate) struct Arrays<'a> {
    pub(crate) train_images: &'a Path,
    pub(crate) train_labels: Option<&'a Path>,
    pub(crate) held_out_images: Option<&'a Path>,
    pub(crate) held_out_labels: Option<&'a Path>,
    pub(crate) hold_out_every: usize,
}

impl Arrays<'_> {
    /// Reads the headers and the labels.
    pub(crate) fn load(&self, notes: &mut Vec<String>) -> Result<DataSet, DataError> {
        let train = list(self.train_images, self.train_labels)?;
        let held_out = match self.held_out_images {
            Some(images) => {
                let listed = list(images, self.held_out_labels)?;
                if listed.catalogue.shape() != train.catalogue.shape() {
                    let reason = format!(
                        "the images are of another shape than those of {}",
                        self.train_images.display()
                    );
                    return Err(DataError::format(images, reason));
                }
                HeldOut::Listed(Box::new(listed))
            }
            None => HeldOut::Every(self.hold_out_every),
        };
        assemble(self.train_images, train, held_out, OnBad::Stop, notes)
    }
}

/// Height of the images of a file, where it can be read.
pub(crate) fn side(path: &Path) -> Option<usize> {
    let array = Npy::open(path).ok()?;
    Some(layout(&array.shape).ok()?.1.shape().height)
}

/// Number of images in an array of `shape`, and how they lie in it.
fn layout(shape: &[usize]) -> Result<(usize, Form), String> {
    let of = |channels, height, width| Shape {
        channels,
        height,
        width,
    };
    match *shape {
        [n, h, w] => Ok((n, Form::Planes(of(1, h, w)))),
        [n, h, w, c @ (1 | 3)] => Ok((n, Form::Interleaved(of(c, h, w)))),
        [n, c @ (1 | 3), h, w] => Ok((n, Form::Planes(of(c, h, w)))),
        _ => Err(format!(
            "its shape is {shape:?}; images are [N, H, W], [N, H, W, C] or [N, C, H, W] with 1 or 3 \
             channels"
        )),
    }
}

fn list(images: &Path, labels: Option<&Path>) -> Result<Listed, DataError> {
    let wrong = |reason: String| DataError::format(images, reason);
    let unread = |path: &Path, error: &FileError| {
        DataError::format(path, format!("this npy file cannot be read: {error}"))
    };
    let array = Npy::open(images).map_err(|error| unread(images, &error))?;
    if array.kind != "|u1" || array.order != Order::C {
        return Err(wrong(format!(
            "it holds {}{}; images are bytes in C order, as in numpy.save(path, \
             numpy.ascontiguousarray(x.astype('uint8')))",
            array.kind,
            match array.order {
                Order::C => "",
                Order::Fortran => " in Fortran order",
            }
        )));
    }
    let (count, form) = layout(&array.shape).map_err(wrong)?;
    if count == 0 || form.shape().is_empty() {
        return Err(wrong("there are no images".to_owned()));
    }
    let length = std::fs::metadata(images)
        .map_err(|error| DataError::read(images, error))?
        .len();
    let size = form.shape().len() as u64;
    let start = array.start;
    let labels = match labels {
        None => Labels::None,
        Some(path) => {
            let array = Npy::open(path).map_err(|error| unread(path, &error))?;
            if array.shape != [count] || !array.is_whole() {
                let reason = format!(
                    "it holds {} of shape {:?}; labels of {count} images are as many whole numbers",
                    array.kind, array.shape
                );
                return Err(DataError::format(path, reason));
            }
            let (mut labels, mut bad) = (Vec::with_capacity(count), None);
            let read = array.for_each(|number| {
                let label = match number {
                    Number::Whole(number) => class(number),
                    Number::Real(number) => Err(format!("is {number}, no whole number")),
                };
                match label {
                    Ok(label) => labels.push(label),
                    Err(why) if bad.is_none() => bad = Some((labels.len(), why)),
                    Err(_) => {}
                }
            });
            read.map_err(|error| unread(path, &error))?;
            if let Some((at, why)) = bad {
                let reason = format!("the label of image {at} {why}");
                return Err(DataError::format(path, reason));
            }
            Labels::Numbers(labels)
        }
    };
    let root = images.parent().map_or_else(PathBuf::new, Path::to_owned);
    let file = Container {
        path: images.to_owned(),
        length,
    };
    let names = Names::Members(vec![(file_name(images), count)], None);
    let bytes = Bytes::Rows { file, start, size };
    Ok(Listed {
        catalogue: Catalogue::new(&root, names, bytes, form)?,
        labels,
    })
}
