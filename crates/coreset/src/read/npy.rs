//! NumPy's npy files.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::{DType, Endianness, NpyFile, NpyHeader, Order, TypeChar};

use super::{Column, Grid};
use crate::error::CoresetError;

/// Bytes of the smallest header: numpy pads headers to 64 bytes.
const LEAST_HEADER: u64 = 64;

struct Opened {
    header: NpyHeader,
    reader: BufReader<File>,
    type_char: TypeChar,
    bytes: usize,
    little: bool,
    shape: Vec<usize>,
}

fn open(path: &Path) -> Result<Opened, CoresetError> {
    let file = File::open(path).map_err(CoresetError::io(path, "open"))?;
    let held = file
        .metadata()
        .map_err(CoresetError::io(path, "read"))?
        .len();
    let mut reader = BufReader::new(file);
    let broken = |error: std::io::Error| {
        CoresetError::format(
            path,
            format!("this is no npy file that can be read: {error}"),
        )
    };
    let header = NpyHeader::from_reader(&mut reader).map_err(broken)?;
    let DType::Plain(kind) = header.dtype() else {
        return Err(CoresetError::format(
            path,
            "arrays of records are not read; write plain numbers",
        ));
    };
    let shape: Option<Vec<usize>> = header
        .shape()
        .iter()
        .map(|side| usize::try_from(*side).ok())
        .collect();
    let shape = shape.unwrap_or_default();
    let bytes = kind.num_bytes().unwrap_or(0);
    // A wrong header must not lead to a reservation of its size.
    let need = shape
        .iter()
        .try_fold(bytes, |product, side| product.checked_mul(*side));
    if need.is_none_or(|need| (need as u64).saturating_add(LEAST_HEADER) > held) {
        let reason = format!("the header tells of an array {shape:?}; the file is cut off");
        return Err(CoresetError::format(path, reason));
    }
    Ok(Opened {
        type_char: kind.type_char(),
        little: kind.endianness() != Endianness::Big,
        bytes,
        shape,
        header,
        reader,
    })
}

/// A numeric array of one or two axes.
pub(super) fn grid(path: &Path) -> Result<Grid, CoresetError> {
    let mut npy = open(path)?;
    let (rows, columns) = match npy.shape[..] {
        [rows] => (rows, 1),
        [rows, columns] => (rows, columns),
        _ => {
            let reason = format!(
                "the array is {:?}; one row a sample is needed, [n, d]",
                npy.shape
            );
            return Err(CoresetError::format(path, reason));
        }
    };
    let order = npy.header.order();
    let values = if npy.type_char == TypeChar::Float && npy.bytes == 4 && npy.little {
        let mut values = vec![0f32; rows * columns];
        let bytes = bytemuck::cast_slice_mut(&mut values);
        npy.reader
            .read_exact(bytes)
            .map_err(CoresetError::io(path, "read"))?;
        if cfg!(target_endian = "big") {
            values
                .iter_mut()
                .for_each(|x| *x = f32::from_bits(x.to_bits().swap_bytes()));
        }
        values
    } else {
        match numbers(path, npy)? {
            Column::Real(values) => values.into_iter().map(|x| x as f32).collect(),
            Column::Whole(values) => values.into_iter().map(|x| x as f32).collect(),
            Column::Text(_) => Vec::new(),
        }
    };
    let values = match order {
        Order::C => values,
        Order::Fortran => (0..rows)
            .flat_map(|row| values.iter().skip(row).step_by(rows.max(1)).copied())
            .collect(),
    };
    Ok(Grid {
        rows,
        columns,
        values,
    })
}

/// An array of one axis, or of two with one column.
pub(super) fn column(path: &Path) -> Result<Column, CoresetError> {
    let npy = open(path)?;
    match npy.shape[..] {
        [_] | [_, 1] => numbers(path, npy),
        _ => {
            let reason = format!(
                "the array is {:?}; one number a sample is needed, [n]",
                npy.shape
            );
            Err(CoresetError::format(path, reason))
        }
    }
}

fn numbers(path: &Path, npy: Opened) -> Result<Column, CoresetError> {
    let (kind, bytes) = (npy.type_char, npy.bytes);
    let file = NpyFile::with_header(npy.header, npy.reader);
    macro_rules! read {
        ($type:ty, $column:ident) => {
            file.into_vec::<$type>()
                .map(|values| Column::$column(values.into_iter().map(|x| x as _).collect()))
                .map_err(CoresetError::io(path, "read"))
        };
    }
    match (kind, bytes) {
        (TypeChar::Float, 4) => read!(f32, Real),
        (TypeChar::Float, 8) => read!(f64, Real),
        (TypeChar::Int, 1) => read!(i8, Whole),
        (TypeChar::Int, 2) => read!(i16, Whole),
        (TypeChar::Int, 4) => read!(i32, Whole),
        (TypeChar::Int, 8) => read!(i64, Whole),
        (TypeChar::Uint, 1) => read!(u8, Whole),
        (TypeChar::Uint, 2) => read!(u16, Whole),
        (TypeChar::Uint, 4) => read!(u32, Whole),
        (TypeChar::Uint, 8) => read!(u64, Whole),
        _ => Err(CoresetError::format(
            path,
            "numbers of this type are not read; convert them with .astype('float32') or, for labels, \
             .astype('int64')",
        )),
    }
}
