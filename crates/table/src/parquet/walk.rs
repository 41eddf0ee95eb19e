//! The way through the cells of a column.

use half::f16;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{DataType, Int96};
use parquet::schema::types::ColumnDescriptor;

use super::column::{Kind, ParquetColumn, big_endian};
use super::{Cell, DAMAGED, told};
use crate::{FileError, Number};

/// Rows that are decoded at a time.
const BATCH: usize = 1 << 16;

/// A cell with its place in a list.
pub(super) struct Entry<'a> {
    /// Whether a row begins with it.
    pub first: bool,
    /// How much of the way to a value there is.
    pub level: i16,
    pub cell: Cell<'a>,
}

/// The way through a group of rows of one column.
pub(super) struct Walk<'a> {
    pub column: &'a ParquetColumn,
    pub descriptor: &'a ColumnDescriptor,
    pub rows: usize,
}

impl Walk<'_> {
    /// Hands each cell to `sink`, as what it is by the kind of the column.
    pub fn cells(
        &self,
        reader: ColumnReader,
        sink: &mut impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        match (self.column.places, &self.column.kind) {
            (Some(places), _) => self.decimals(places, reader, sink),
            (None, Kind::Date(per_day)) => self.days(*per_day, reader, sink),
            (None, _) => self.plain(reader, sink),
        }
    }

    /// Whole numbers of which the last `places` stand behind the point.
    fn decimals(
        &self,
        places: i32,
        reader: ColumnReader,
        sink: &mut impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let power = 10f64.powi(places);
        let number = |whole: i128| Cell::Number(Number::Real(whole as f64 / power));
        let of_bytes = |bytes: &[u8]| match big_endian(bytes) {
            Some(whole) => Ok(number(whole)),
            None => Err(self.damaged()),
        };
        match reader {
            ColumnReader::Int32ColumnReader(r) => {
                self.go(r, |value: &i32| Ok(number((*value).into())), sink)
            }
            ColumnReader::Int64ColumnReader(r) => {
                self.go(r, |value: &i64| Ok(number((*value).into())), sink)
            }
            ColumnReader::FixedLenByteArrayColumnReader(r) => {
                self.go(r, |value| of_bytes(value.data()), sink)
            }
            ColumnReader::ByteArrayColumnReader(r) => {
                self.go(r, |value| of_bytes(value.data()), sink)
            }
            _ => Err(self.damaged()),
        }
    }

    /// Days and moments, of whose numbers `per_day` are a day.
    fn days(
        &self,
        per_day: f64,
        reader: ColumnReader,
        sink: &mut impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let days = |whole: i64| Cell::Number(Number::Real(whole as f64 / per_day));
        match reader {
            ColumnReader::Int32ColumnReader(r) => {
                self.go(r, |value: &i32| Ok(days((*value).into())), sink)
            }
            ColumnReader::Int64ColumnReader(r) => self.go(r, |value| Ok(days(*value)), sink),
            ColumnReader::Int96ColumnReader(r) => {
                self.go(r, |value: &Int96| Ok(days(value.to_micros())), sink)
            }
            _ => Err(self.damaged()),
        }
    }

    /// Numbers, truths and texts.
    fn plain(
        &self,
        reader: ColumnReader,
        sink: &mut impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let column = self.column;
        macro_rules! number {
            ($reader:expr, $number:expr) => {
                self.go($reader, |value| Ok(Cell::Number($number(*value))), sink)
            };
        }
        match reader {
            ColumnReader::BoolColumnReader(r) => number!(r, |v: bool| Number::Whole(v.into())),
            ColumnReader::Int32ColumnReader(r) if column.unsigned => {
                number!(r, |v: i32| Number::Whole((v as u32).into()))
            }
            ColumnReader::Int64ColumnReader(r) if column.unsigned => {
                number!(r, |v: i64| Number::Whole((v as u64).into()))
            }
            ColumnReader::Int32ColumnReader(r) => number!(r, |v: i32| Number::Whole(v.into())),
            ColumnReader::Int64ColumnReader(r) => number!(r, |v: i64| Number::Whole(v.into())),
            ColumnReader::FloatColumnReader(r) => number!(r, |v: f32| Number::Real(v.into())),
            ColumnReader::DoubleColumnReader(r) => number!(r, Number::Real),
            ColumnReader::FixedLenByteArrayColumnReader(r) => self.go(
                r,
                |value| match *value.data() {
                    [low, high] => {
                        let number = f16::from_le_bytes([low, high]);
                        Ok(Cell::Number(Number::Real(number.to_f64())))
                    }
                    _ => Err(self.damaged()),
                },
                sink,
            ),
            ColumnReader::ByteArrayColumnReader(r) => self.go(
                r,
                |value| match std::str::from_utf8(value.data()) {
                    Ok(text) => Ok(Cell::Text(text)),
                    Err(_) => Err(FileError::column(&column.name, "a cell is no UTF-8 text")),
                },
                sink,
            ),
            ColumnReader::Int96ColumnReader(_) => {
                Err(FileError::column(&column.name, "this type is not read"))
            }
        }
    }

    fn damaged(&self) -> FileError {
        FileError::column(&self.column.name, DAMAGED)
    }

    fn go<T: DataType>(
        &self,
        mut reader: ColumnReaderImpl<T>,
        cell: impl for<'v> Fn(&'v T::T) -> Result<Cell<'v>, FileError>,
        sink: &mut impl FnMut(Entry<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let full = self.descriptor.max_def_level();
        let (mut levels, mut places, mut values) = (Vec::new(), Vec::new(), Vec::new());
        let mut done = 0;
        while done < self.rows {
            levels.clear();
            places.clear();
            values.clear();
            let want = (self.rows - done).min(BATCH);
            let (records, _, count) = reader
                .read_records(want, Some(&mut levels), Some(&mut places), &mut values)
                .map_err(|error| FileError::column(&self.column.name, told(error)))?;
            if records == 0 {
                let what = format!("{done} of {} cells could be read; {DAMAGED}", self.rows);
                return Err(FileError::column(&self.column.name, what));
            }
            let mut present = values.iter();
            for at in 0..count {
                // Levels that can only be 0 are not told.
                let level = levels.get(at).copied().unwrap_or(full);
                let first = places.get(at).is_none_or(|&place| place == 0);
                let value = if level == full { present.next() } else { None };
                let cell = value.map_or(Ok(Cell::Null), &cell)?;
                sink(Entry { first, level, cell })?;
            }
            done += records;
        }
        Ok(())
    }
}
