//! Columns of Python as columns of a table.

use afterimage::value::{HeldCells, HeldColumn};
use afterimage_table::{Cell, Kind, Number};
use numpy::PyReadonlyArray1;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;

/// A column: its name, its cells (an array `[n]` of numbers, or a list of texts and `None`), and what its
/// numbers stand for, where they are none.
#[derive(FromPyObject)]
pub struct Column<'py>(String, Buffer<'py>, Option<Unit>);

/// What numbers stand for.
#[derive(FromPyObject)]
enum Unit {
    /// `True`: truths, 0 and 1; those that are missing are no number. `True` is a number for Python, too, and
    /// so is tried first.
    Truth(bool),
    /// Moments, of which so many are a day.
    PerDay(f64),
}

/// Cells where they lie.
#[derive(FromPyObject)]
enum Buffer<'py> {
    F64(PyReadonlyArray1<'py, f64>),
    F32(PyReadonlyArray1<'py, f32>),
    I64(PyReadonlyArray1<'py, i64>),
    I32(PyReadonlyArray1<'py, i32>),
    I16(PyReadonlyArray1<'py, i16>),
    I8(PyReadonlyArray1<'py, i8>),
    U64(PyReadonlyArray1<'py, u64>),
    U32(PyReadonlyArray1<'py, u32>),
    U16(PyReadonlyArray1<'py, u16>),
    U8(PyReadonlyArray1<'py, u8>),
    Texts(Vec<Option<PyBackedStr>>),
}

/// The smallest moment of NumPy, which stands for none.
const NOT_A_TIME: i64 = i64::MIN;

impl Column<'_> {
    /// The column, which borrows the cells.
    pub fn held(&self) -> HeldColumn<'_> {
        let Self(name, buffer, unit) = self;
        let (kind, cells) = match (buffer, unit) {
            (Buffer::Texts(_), _) => (Kind::Text, buffer.cells()),
            (Buffer::I64(_), Some(Unit::PerDay(per_day))) => {
                (Kind::Date(*per_day), buffer.moments())
            }
            (_, Some(Unit::Truth(true))) => (Kind::Number, truths(buffer.cells())),
            _ => (Kind::Number, buffer.cells()),
        };
        HeldColumn {
            name: name.clone(),
            kind,
            single: matches!(buffer, Buffer::F32(_)),
            truth: matches!(unit, Some(Unit::Truth(true))),
            cells,
        }
    }
}

impl Buffer<'_> {
    fn cells(&self) -> HeldCells<'_> {
        macro_rules! numbers {
            ($array:expr, $number:expr) => {{
                let cells = $array.as_array();
                Box::new(move |sink| cells.iter().for_each(|&x| sink(Cell::Number($number(x)))))
            }};
        }
        macro_rules! whole {
            ($array:expr) => {
                numbers!($array, |x| Number::Whole(i128::from(x)))
            };
        }
        match self {
            Self::F64(array) => numbers!(array, Number::Real),
            Self::F32(array) => numbers!(array, |x| Number::Real(f64::from(x))),
            Self::I64(array) => whole!(array),
            Self::I32(array) => whole!(array),
            Self::I16(array) => whole!(array),
            Self::I8(array) => whole!(array),
            Self::U64(array) => whole!(array),
            Self::U32(array) => whole!(array),
            Self::U16(array) => whole!(array),
            Self::U8(array) => whole!(array),
            Self::Texts(texts) => Box::new(move |sink| {
                for text in texts {
                    sink(text.as_ref().map_or(Cell::Null, |text| Cell::Text(text)));
                }
            }),
        }
    }

    fn moments(&self) -> HeldCells<'_> {
        let Self::I64(array) = self else {
            return self.cells();
        };
        let cells = array.as_array();
        Box::new(move |sink| {
            for &moment in &cells {
                sink(match moment {
                    NOT_A_TIME => Cell::Null,
                    moment => Cell::Number(Number::Whole(moment.into())),
                });
            }
        })
    }
}

/// Truths as whole numbers, as files have them; gaps make numbers with fractions of them in Python.
fn truths(cells: HeldCells<'_>) -> HeldCells<'_> {
    Box::new(move |sink| {
        cells(&mut |cell| {
            sink(match cell {
                Cell::Number(Number::Real(number)) if number.is_nan() => Cell::Null,
                Cell::Number(Number::Real(number)) => {
                    Cell::Number(Number::Whole(i128::from(number != 0.0)))
                }
                cell => cell,
            });
        });
    })
}

/// The columns of a table that Python hands over as a list of triples.
///
/// # Errors
/// `TypeError` for a triple that is none, or an array of another type.
pub fn columns<'py>(triples: &Bound<'py, PyAny>) -> PyResult<Vec<Column<'py>>> {
    triples.extract().map_err(|_| {
        PyTypeError::new_err(
            "a column is a name, an array [n] of numbers or a list of texts, and a unit",
        )
    })
}
