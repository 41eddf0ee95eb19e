//! Arrays of images as NumPy's npy files, read image by image.

use std::io::Read;
use std::path::{Path, PathBuf};

use afterimage_table::{FileError, Npy, Number, Order};

use super::bytes::file_name;
use super::lazy::{HeldOut, Labels, Listed, assemble, class};
use super::shards::Choice;
use crate::catalogue::{Bytes, Catalogue, Container, Form, Names};
use crate::check::OnBad;
use crate::dataset::DataSet;
use crate::error::{DataError, shown};
use crate::picture::Shape;

/// The files of a data set of arrays.
pub(crate) struct Arrays<'a> {
    pub(crate) train_images: &'a Path,
    pub(crate) train_labels: Option<&'a Path>,
    pub(crate) held_out_images: Option<&'a Path>,
    pub(crate) held_out_labels: Option<&'a Path>,
    pub(crate) choice: Choice<'a>,
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
                        shown(self.train_images)
                    );
                    return Err(DataError::format(images, reason));
                }
                HeldOut::Listed(Box::new(listed))
            }
            None => self.choice.into(),
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

/// Number of images in `array`, and how they lie in it, or why they cannot be used.
pub(super) fn images<R: Read>(array: &Npy<R>) -> Result<(usize, Form), String> {
    if array.kind != "|u1" || array.order != Order::C {
        return Err(format!(
            "it holds {}{}; images are bytes in C order, as in numpy.save(path, \
             numpy.ascontiguousarray(x.astype('uint8')))",
            array.kind,
            match array.order {
                Order::C => "",
                Order::Fortran => " in Fortran order",
            }
        ));
    }
    let (count, form) = layout(&array.shape)?;
    match count == 0 || form.shape().is_empty() {
        true => Err("there are no images".to_owned()),
        false => Ok((count, form)),
    }
}

/// The classes of `count` images that `array` holds, `[N]` or `[N, 1]`, or why they cannot be used.
pub(super) fn labels<R: Read>(array: Npy<R>, count: usize) -> Result<Vec<u32>, String> {
    let fits = matches!(*array.shape, [n] | [n, 1] if n == count);
    if !fits || !array.is_whole() {
        return Err(format!(
            "it holds {} of shape {:?}; labels of {count} images are as many whole numbers",
            array.kind, array.shape
        ));
    }
    let (mut labels, mut bad) = (Vec::new(), None);
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
    read.map_err(|error| error.to_string())?;
    match bad {
        Some((at, why)) => Err(format!("the label of image {at} {why}")),
        None => Ok(labels),
    }
}

fn list(path: &Path, labels_path: Option<&Path>) -> Result<Listed, DataError> {
    let unread = |path: &Path, error: &FileError| {
        DataError::format(path, format!("this npy file cannot be read: {error}"))
    };
    let array = Npy::open(path).map_err(|error| unread(path, &error))?;
    let (count, form) = images(&array).map_err(|reason| DataError::format(path, reason))?;
    let length = std::fs::metadata(path)
        .map_err(|error| DataError::read(path, error))?
        .len();
    let size = form.shape().len() as u64;
    let start = array.start;
    let labels = match labels_path {
        None => Labels::None,
        Some(path) => {
            let array = Npy::open(path).map_err(|error| unread(path, &error))?;
            let labels = labels(array, count);
            Labels::Numbers(labels.map_err(|reason| DataError::format(path, reason))?)
        }
    };
    let root = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    let file = Container {
        path: path.to_owned(),
        length,
    };
    let names = Names::Members(vec![(file_name(path), count)], None);
    let bytes = Bytes::Rows { file, start, size };
    Ok(Listed {
        catalogue: Catalogue::new(&root, names, bytes, form)?,
        labels,
    })
}
