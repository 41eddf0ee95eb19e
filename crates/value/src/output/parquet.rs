//! Results as Parquet, one row group a block.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::block::{Data, Sheet};
use super::create;
use crate::error::ValueError;

/// Names the writer in the file; without a version, so that equal values are equal files.
const CREATED_BY: &str = "afterimage";

pub(super) struct ParquetFile {
    path: PathBuf,
    writer: SerializedFileWriter<File>,
}

impl ParquetFile {
    /// A file with the columns of `sheet`.
    pub fn create(path: PathBuf, sheet: &Sheet) -> Result<Self, ValueError> {
        let file = create(&path)?;
        let writer = schema(sheet).and_then(|schema| {
            let properties = WriterProperties::builder()
                .set_created_by(CREATED_BY.to_owned())
                .set_compression(Compression::SNAPPY)
                .set_dictionary_enabled(false)
                .build();
            SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
        });
        match writer {
            Ok(writer) => Ok(Self { path, writer }),
            Err(error) => Err(ValueError::io("write", &path)(std::io::Error::other(error))),
        }
    }

    /// Adds the rows of `sheet`.
    pub fn write(&mut self, sheet: &Sheet) -> Result<(), ValueError> {
        self.group(sheet)
            .map_err(|error| ValueError::io("write", &self.path)(std::io::Error::other(error)))
    }

    fn group(&mut self, sheet: &Sheet) -> Result<(), ParquetError> {
        let mut group = self.writer.next_row_group()?;
        for (_, data) in &sheet.columns {
            let Some(mut sink) = group.next_column()? else {
                break;
            };
            match data {
                Data::Whole(values) => {
                    sink.typed::<Int64Type>().write_batch(values, None, None)?;
                }
                Data::Text(values) => {
                    let words: Vec<ByteArray> =
                        values.iter().map(|v| ByteArray::from(v.as_str())).collect();
                    sink.typed::<ByteArrayType>()
                        .write_batch(&words, None, None)?;
                }
                Data::Single(values) => optional::<FloatType>(&mut sink, values, |v| v.is_nan())?,
                Data::Double(values) => optional::<DoubleType>(&mut sink, values, |v| v.is_nan())?,
            }
            sink.close()?;
        }
        group.close()?;
        Ok(())
    }

    pub fn close(self) -> Result<(), ValueError> {
        match self.writer.close() {
            Ok(_) => Ok(()),
            Err(error) => Err(ValueError::io("write", &self.path)(std::io::Error::other(
                error,
            ))),
        }
    }
}

fn optional<T: DataType>(
    sink: &mut SerializedColumnWriter<'_>,
    values: &[T::T],
    missing: fn(&T::T) -> bool,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|v| i16::from(!missing(v))).collect();
    let present: Vec<T::T> = values.iter().filter(|v| !missing(v)).cloned().collect();
    sink.typed::<T>()
        .write_batch(&present, Some(&levels), None)?;
    Ok(())
}

fn schema(sheet: &Sheet) -> Result<Type, ParquetError> {
    let mut fields = Vec::with_capacity(sheet.columns.len());
    for (name, data) in &sheet.columns {
        let (physical, repetition) = match data {
            Data::Whole(_) => (Physical::INT64, Repetition::REQUIRED),
            Data::Single(_) => (Physical::FLOAT, Repetition::OPTIONAL),
            Data::Double(_) => (Physical::DOUBLE, Repetition::OPTIONAL),
            Data::Text(_) => (Physical::BYTE_ARRAY, Repetition::REQUIRED),
        };
        let text = matches!(data, Data::Text(_)).then_some(LogicalType::String);
        let field = Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(text)
            .build()?;
        fields.push(Arc::new(field));
    }
    Type::group_type_builder("values")
        .with_fields(fields)
        .build()
}
