//! What a column holds, by its schema.

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor};

use crate::Number;

/// What the cells of a column are.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Numbers and truths.
    Number,
    /// Days or moments, in days from 1970 on; the file has whole numbers, of which this many are a day.
    Date(f64),
    /// Texts.
    Text,
    /// Lists of numbers.
    List,
    /// Something that is not read, in words.
    Unread(String),
}

/// A column of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct ParquetColumn {
    /// Its name; inner columns have the names of their outer ones before them.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
    /// Whether it is an index of a pandas frame.
    pub index: bool,
    /// Whether its numbers are held with 24 bits or fewer, so that their shortest texts are theirs.
    pub single: bool,
    /// Whether its cells are truths.
    pub truth: bool,
    /// Whether its numbers are of a type of whole numbers.
    pub whole: bool,
    pub(super) unsigned: bool,
    /// Places behind the point of decimals, which are stored as whole numbers.
    pub(super) places: Option<i32>,
}

impl Kind {
    /// The text of a number in a column of this kind, as programs write it into CSV files; `single` if its
    /// numbers are held with 24 bits or fewer, `truth` if its cells are truths. Dates are in days.
    ///
    /// # Examples
    /// ```
    /// use afterimage_table::{Kind, Number};
    /// assert_eq!(Kind::Date(86_400e3).text(Number::Real(18_523.0), false, false), "2020-09-18");
    /// assert_eq!(Kind::Date(1.0).text(Number::Real(18_523.25), false, false), "2020-09-18 06:00:00");
    /// assert_eq!(Kind::Number.text(Number::Whole(1), false, true), "True");
    /// assert_eq!(Kind::Number.text(Number::Real(f64::from(0.1f32)), true, false), "0.1");
    /// ```
    pub fn text(&self, number: Number, single: bool, truth: bool) -> String {
        match number {
            Number::Whole(yes) if truth => if yes == 0 { "False" } else { "True" }.to_owned(),
            Number::Real(days) if matches!(self, Kind::Date(_)) => crate::moment(days),
            number => number.text(single),
        }
    }
}

impl ParquetColumn {
    /// Column `at` of a file; `alone` if nothing else belongs to its outermost column.
    pub(super) fn new(schema: &SchemaDescriptor, at: usize, alone: bool) -> Self {
        let column = schema.column(at);
        let kind = kind(&column, alone);
        let name = if kind == Kind::List {
            schema.get_column_root(at).name().to_owned()
        } else {
            column.path().string()
        };
        let unsigned = matches!(
            column.converted_type(),
            ConvertedType::UINT_32 | ConvertedType::UINT_64
        );
        let decimal = column.converted_type() == ConvertedType::DECIMAL;
        Self {
            name,
            kind,
            index: false,
            single: column.physical_type() == Physical::FLOAT
                || column.logical_type_ref() == Some(&LogicalType::Float16),
            truth: column.physical_type() == Physical::BOOLEAN,
            whole: !decimal
                && matches!(
                    column.physical_type(),
                    Physical::BOOLEAN | Physical::INT32 | Physical::INT64
                ),
            unsigned,
            places: decimal.then(|| column.type_scale()),
        }
    }

    /// The text of a number in this column, as programs write it into CSV files.
    pub fn text(&self, number: Number) -> String {
        self.kind.text(number, self.single, self.truth)
    }
}

/// A whole number of two's complement; `None` where 128 bits do not hold it.
pub(super) fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = *bytes.first()? >= 0x80;
    let fill = if negative { 0xff } else { 0 };
    let (front, rest) = bytes.split_at(bytes.len().saturating_sub(16));
    let mut whole = [fill; 16];
    whole[16 - rest.len()..].copy_from_slice(rest);
    let whole = i128::from_be_bytes(whole);
    (front.iter().all(|byte| *byte == fill) && (whole < 0) == negative).then_some(whole)
}

/// What a column holds; `alone` if nothing else belongs to its outermost column.
fn kind(column: &ColumnDescriptor, alone: bool) -> Kind {
    let unread = |what: &str| Kind::Unread(what.to_owned());
    let logical = column.logical_type_ref();
    if column.converted_type() == ConvertedType::DECIMAL {
        return match column.max_rep_level() {
            0 => Kind::Number,
            _ => unread("lists of decimals"),
        };
    }
    let half = logical == Some(&LogicalType::Float16);
    let kind = match (column.physical_type(), column.converted_type(), logical) {
        // Moments as older writers have them, which are read in microseconds.
        (Physical::INT96, ..) => Kind::Date(86_400e6),
        (Physical::FIXED_LEN_BYTE_ARRAY, ..) if !half => {
            return Kind::Unread(format!("blocks of {} bytes", column.type_length()));
        }
        (Physical::BYTE_ARRAY, ..) => Kind::Text,
        (_, ConvertedType::DATE, _) => Kind::Date(1.0),
        (_, _, Some(LogicalType::Timestamp(time))) => match time.unit {
            TimeUnit::MILLIS => Kind::Date(86_400e3),
            TimeUnit::MICROS => Kind::Date(86_400e6),
            TimeUnit::NANOS => Kind::Date(86_400e9),
        },
        (_, ConvertedType::TIMESTAMP_MILLIS, _) => Kind::Date(86_400e3),
        (_, ConvertedType::TIMESTAMP_MICROS, _) => Kind::Date(86_400e6),
        _ => Kind::Number,
    };
    match (column.max_rep_level(), kind) {
        (0, kind) => kind,
        (1, Kind::Number) if alone => Kind::List,
        (1, Kind::Number) => unread("lists of records"),
        (1, _) => unread("lists of other than numbers"),
        _ => unread("lists of lists"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_of_bytes() {
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[0xff, 0x85]), Some(-123));
        assert_eq!(big_endian(&[0x85]), Some(-123));
        let mut long = vec![0xff; 20];
        long[19] = 0xfe;
        assert_eq!(big_endian(&long), Some(-2));
        long[0] = 0x80;
        assert_eq!((big_endian(&long), big_endian(&[])), (None, None));
    }
}
