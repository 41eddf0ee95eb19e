//! NumPy's npy files.
//!
//! The header is read here rather than by a parser of Python literals, whose time doubles with each
//! bracket: one dictionary of three keys, from left to right.

mod texts;

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use afterimage_files::open_input;
use half::f16;

use crate::{FileError, Number, foreign};

pub use texts::npy_texts;

const MAGIC: &[u8] = b"\x93NUMPY";

/// A header of plain numbers is 118 bytes long, rarely more; those of records may be longer.
const LONGEST: usize = 1 << 16;

/// How the values of a matrix follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Row by row.
    C,
    /// Column by column.
    Fortran,
}

impl Order {
    /// The row and the column of value number `at`, from 0, of a matrix of `rows` rows and `columns` columns.
    pub fn place(self, at: usize, (rows, columns): (usize, usize)) -> (usize, usize) {
        match self {
            Self::C => (at / columns, at % columns),
            Self::Fortran => (at % rows, at / rows),
        }
    }
}

/// An npy file, or an array in another file, with its header read.
#[derive(Debug)]
pub struct Npy<R = BufReader<File>> {
    /// The sides of the array; the file is long enough for them.
    pub shape: Vec<usize>,
    /// How values follow each other.
    pub order: Order,
    /// The type, as `<f4`.
    pub kind: String,
    /// Where the first value begins, in bytes.
    pub start: u64,
    reader: R,
}

/// What the header tells.
#[derive(Debug, PartialEq)]
struct Header {
    kind: String,
    order: Order,
    shape: Vec<usize>,
}

impl Npy {
    /// Opens a file of plain numbers.
    ///
    /// # Errors
    /// No file, no npy file, an array of records, a type that is no number, a shape beyond the file or
    /// without values.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = open_input(path).map_err(FileError::io("open"))?;
        let held = file.metadata().map_err(FileError::io("read"))?.len();
        Self::of(BufReader::new(file), held)
    }
}

impl<R: Read> Npy<R> {
    /// The array that `reader` begins with, which is to have `held` bytes.
    ///
    /// # Errors
    /// As [`Npy::open`].
    pub fn of(mut reader: R, held: u64) -> Result<Self, FileError> {
        let head = head(&mut reader)?;
        Self::behind(head, reader, held, width)
    }

    /// The array behind a header that was read, of which each value has as many bytes as `width` says of its type;
    /// none for types that are not read.
    fn behind(
        (header, start): (Header, u64),
        reader: R,
        held: u64,
        width: fn(&str) -> Option<usize>,
    ) -> Result<Self, FileError> {
        let bytes = width(&header.kind).ok_or_else(|| {
            FileError::content(format!(
                "its type, {}, is not read; save it as numbers, as in numpy.save(path, \
                 x.astype('float32')) or, for labels, x.astype('int64')",
                header.kind
            ))
        })?;
        if header.shape.contains(&0) {
            return Err(FileError::content(format!(
                "there are no values in it: its shape is {:?}",
                header.shape
            )));
        }
        let need = header
            .shape
            .iter()
            .try_fold(bytes, |product, &side| product.checked_mul(side));
        let held = held.saturating_sub(start);
        if need.is_none_or(|need| need as u64 > held) {
            return Err(FileError::content(format!(
                "the header tells of {} of {}, which the {held} bytes behind it cannot hold; the file \
                 is cut off or damaged",
                sides(&header.shape),
                header.kind
            )));
        }
        Ok(Self {
            shape: header.shape,
            order: header.order,
            kind: header.kind,
            start,
            reader,
        })
    }

    /// What follows the header: the values.
    pub fn into_values(self) -> R {
        self.reader
    }

    /// Whether the values are whole numbers or truths.
    pub fn is_whole(&self) -> bool {
        !self.kind.contains('f')
    }

    /// Whether the values are numbers of single or half precision, whose shortest texts are theirs.
    pub fn is_single(&self) -> bool {
        self.kind.ends_with("f4") || self.kind.ends_with("f2")
    }

    /// Hands out all values in the order of the file.
    ///
    /// # Errors
    /// A file that cannot be read to its end.
    pub fn for_each(mut self, mut sink: impl FnMut(Number)) -> Result<(), FileError> {
        let big = self.kind.starts_with('>');
        let mut left: usize = self.shape.iter().product();
        let mut chunk = Vec::new();
        macro_rules! read {
            ($type:ty, $number:expr) => {{
                const WIDTH: usize = size_of::<$type>();
                while left > 0 {
                    let count = left.min(8192);
                    chunk.resize(count * WIDTH, 0);
                    self.reader.read_exact(&mut chunk).map_err(cut_off)?;
                    for bytes in chunk.chunks_exact(WIDTH) {
                        let mut value = [0; WIDTH];
                        value.copy_from_slice(bytes);
                        sink($number(if big {
                            <$type>::from_be_bytes(value)
                        } else {
                            <$type>::from_le_bytes(value)
                        }));
                    }
                    left -= count;
                }
            }};
        }
        macro_rules! whole {
            ($type:ty) => {
                read!($type, |value: $type| Number::Whole(value.into()))
            };
        }
        match self.kind.trim_start_matches(['<', '>', '|', '=']) {
            "f2" => read!(f16, |value: f16| Number::Real(value.to_f64())),
            "f4" => read!(f32, |value: f32| Number::Real(value.into())),
            "f8" => read!(f64, Number::Real),
            "i1" => whole!(i8),
            "i2" => whole!(i16),
            "i4" => whole!(i32),
            "i8" => whole!(i64),
            "u2" => whole!(u16),
            "u4" => whole!(u32),
            "u8" => whole!(u64),
            "b1" => read!(u8, |value: u8| Number::Whole(i128::from(value != 0))),
            _ => whole!(u8),
        }
        Ok(())
    }
}

/// The header, and where the first value begins, in bytes.
fn head(reader: &mut impl Read) -> Result<(Header, u64), FileError> {
    let mut start = [0; 8];
    reader
        .read_exact(&mut start)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => FileError::Kind("it does not begin as one".into()),
            _ => FileError::io("read")(error),
        })?;
    if !start.starts_with(MAGIC) {
        return Err(FileError::Kind(match foreign(&start) {
            Some(what) => format!("it is {what}"),
            None => "it does not begin as one".into(),
        }));
    }
    let (length, head) = if start[6] == 1 {
        let mut length = [0; 2];
        reader.read_exact(&mut length).map_err(cut_off)?;
        (usize::from(u16::from_le_bytes(length)), 10)
    } else {
        let mut length = [0; 4];
        reader.read_exact(&mut length).map_err(cut_off)?;
        (u32::from_le_bytes(length) as usize, 12)
    };
    if length > LONGEST {
        return Err(FileError::Kind(format!(
            "its header is to be {length} bytes long; no array of numbers has more than {LONGEST}"
        )));
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text).map_err(cut_off)?;
    let text = String::from_utf8_lossy(&text);
    let header = Scan { rest: &text }.header()?;
    Ok((header, (head + length) as u64))
}

fn cut_off(error: std::io::Error) -> FileError {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => FileError::content("the file is cut off"),
        _ => FileError::io("read")(error),
    }
}

fn sides(shape: &[usize]) -> String {
    match shape {
        [rows] => format!("{rows} rows"),
        [rows, columns] => format!("{rows} rows and {columns} columns"),
        _ => format!("an array {shape:?}"),
    }
}

/// The bytes of a number of this type; `None` for types that are not read.
fn width(kind: &str) -> Option<usize> {
    match kind.trim_start_matches(['<', '>', '|', '=']) {
        "b1" | "i1" | "u1" => Some(1),
        "f2" | "i2" | "u2" => Some(2),
        "f4" | "i4" | "u4" => Some(4),
        "f8" | "i8" | "u8" => Some(8),
        _ => None,
    }
}

/// What is left of a header.
struct Scan<'a> {
    rest: &'a str,
}

impl<'a> Scan<'a> {
    fn header(mut self) -> Result<Header, FileError> {
        let broken = || {
            FileError::Kind(
                "its header is not understood; it is to be {'descr': …, 'fortran_order': …, 'shape': …}"
                    .into(),
            )
        };
        let (mut kind, mut order, mut shape) = (None, None, None);
        self.take("{").ok_or_else(broken)?;
        while self.take("}").is_none() {
            let key = self.text().ok_or_else(broken)?;
            self.take(":").ok_or_else(broken)?;
            match key {
                "descr" if self.next("[") => {
                    return Err(FileError::content(
                        "arrays of records are not read; write plain numbers",
                    ));
                }
                "descr" => kind = Some(self.text().ok_or_else(broken)?.to_owned()),
                "fortran_order" => {
                    order = Some(match (self.take("True"), self.take("False")) {
                        (Some(()), _) => Order::Fortran,
                        (None, Some(())) => Order::C,
                        _ => return Err(broken()),
                    });
                }
                "shape" => shape = Some(self.shape().ok_or_else(broken)?),
                _ => return Err(broken()),
            }
            if self.take(",").is_none() && !self.next("}") {
                return Err(broken());
            }
        }
        match (kind, order, shape) {
            (Some(kind), Some(order), Some(shape)) if self.rest.trim().is_empty() => {
                Ok(Header { kind, order, shape })
            }
            _ => Err(broken()),
        }
    }

    fn next(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_start();
        self.rest.starts_with(token)
    }

    fn take(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start();
        self.rest = self.rest.strip_prefix(token)?;
        Some(())
    }

    fn text(&mut self) -> Option<&'a str> {
        self.rest = self.rest.trim_start();
        let quote = self
            .rest
            .chars()
            .next()
            .filter(|c| matches!(c, '\'' | '"'))?;
        let (text, rest) = self.rest[1..].split_once(quote)?;
        self.rest = rest;
        Some(text)
    }

    fn shape(&mut self) -> Option<Vec<usize>> {
        let mut shape = Vec::new();
        self.take("(")?;
        while self.take(")").is_none() {
            self.rest = self.rest.trim_start();
            let end = self
                .rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(self.rest.len());
            let (side, rest) = self.rest.split_at(end);
            shape.push(side.parse().ok()?);
            // Python 2 wrote long numbers so.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if self.take(",").is_none() && !self.next(")") {
                return None;
            }
        }
        Some(shape)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn write(header: &str, values: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.bytes());
        bytes.extend(values);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn error(header: &str, values: &[u8]) -> String {
        let (_folder, path) = write(header, values);
        Npy::open(&path).unwrap_err().to_string()
    }

    #[test]
    fn half_floats_of_both_orders_of_bytes_are_read() {
        for (kind, values) in [("<f2", [0, 0x3e, 0, 0xc0]), (">f2", [0x3e, 0, 0xc0, 0])] {
            let header =
                format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (2,), }}   \n");
            let (_folder, path) = write(&header, &values);
            let mut read = Vec::new();
            let npy = Npy::open(&path).unwrap();
            assert!(!npy.is_whole());
            npy.for_each(|number| read.push(number)).unwrap();
            assert_eq!(read, [Number::Real(1.5), Number::Real(-2.0)]);
        }
    }

    #[test]
    fn broken_headers_are_told_at_once() {
        let nested = format!(
            "{{'descr': '<f4', 'fortran_order': False, 'shape': {}3,)",
            "(".repeat(60)
        );
        assert!(error(&nested, &[0; 12]).contains("not understood"));
        let nested = format!("{}'descr': '<f4'}}", "[".repeat(60_000));
        assert!(error(&nested, &[0; 12]).contains("not understood"));
        let of = |descr: &str, shape: &str| {
            let header = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}");
            error(&header, &[0; 12])
        };
        for shape in ["(0, 3)", "(3, 0)", "(0, 18446744073709551615)", "(0,)"] {
            let told = of("'<f4'", shape);
            assert!(told.starts_with("there are no values in it"), "{told}");
        }
        let (_folder, path) = write("", &[]);
        std::fs::write(&path, b"PK\x03\x04 and more").unwrap();
        let told = Npy::open(&path).unwrap_err().to_string();
        assert!(told.contains("a zip archive"), "{told}");
        assert!(of("'<f4'", "(4,)").contains("4 rows of <f4, which the 12 bytes"));
        assert!(of("'<f4'", "(4294967296, 4294967296)").contains("cut off"));
        assert!(of("'<f4'", "(99999999999999999999,)").contains("not understood"));
        assert!(of("'<c8'", "(1,)").contains("its type, <c8, is not read"));
        assert!(of("[('a', '<f4')]", "(3,)").contains("records"));
        assert!(error("", &[]).contains("not understood"));
    }
}
