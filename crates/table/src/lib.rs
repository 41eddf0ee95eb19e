//! How files of numbers are understood, the same for tables that are valued and for embeddings and
//! labels that are selected from: npy arrays, Parquet columns with the index that pandas writes, lines,
//! delimiters, dates and missing cells of CSV files, columns that number the rows or are ignored.
//!
//! A file may be damaged or lie about its sizes. Nothing here panics or reserves memory on its word.

mod cells;
mod dates;
mod digest;
mod foreign;
mod ids;
mod ignored;
mod lines;
mod npy;
mod pandas;
mod parquet;
mod precision;
mod quotes;
mod scale;

use std::io;

use thiserror::Error;

pub use cells::{meant, other_date, says_missing};
pub use dates::{date, days, moment};
pub use digest::file_digest;
pub use foreign::{foreign, no_text, sniff};
pub use ids::{Signs, is_unnamed, names_clock, names_labels, names_rows};
pub use ignored::{ignored, place};
pub use lines::{TextFile, blank_line, line_at, shown_line};
pub use npy::{Npy, Order, npy_texts};
pub use pandas::numbers_columns;
pub use parquet::{Cell, Kind, Parquet, ParquetColumn};
pub use precision::{Beyond, Blur, Counts, Precision};
pub use scale::even_step;

/// A number as its file has it: whole ones beyond 2⁵³ are no f64.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// With a fraction, or of a type that has them.
    Real(f64),
    /// Of a type of whole numbers.
    Whole(i128),
}

impl Number {
    /// The number that `text` is, with all its digits if it is whole; NaN where it is none.
    ///
    /// # Examples
    /// ```
    /// use afterimage_table::Number;
    /// // No f64 is this number.
    /// let whole = Number::of_text("9007199254740993");
    /// assert_eq!(whole, Number::Whole(9_007_199_254_740_993));
    /// assert_eq!(Number::of_text("2.50"), Number::Real(2.5));
    /// assert_eq!(Number::of_text("1e3"), Number::Real(1000.0));
    /// assert!(matches!(Number::of_text("two"), Number::Real(none) if none.is_nan()));
    /// ```
    pub fn of_text(text: &str) -> Self {
        match text.parse() {
            Ok(number) => Number::Whole(number),
            Err(_) => match text.parse::<f64>() {
                // More than double precision holds, which is not the same as infinite.
                Ok(number) if number.is_infinite() && text.bytes().any(|b| b.is_ascii_digit()) => {
                    Number::Real(f64::MAX.copysign(number))
                }
                number => Number::Real(number.unwrap_or(f64::NAN)),
            },
        }
    }

    /// The shortest text that says the number; `single` if its file holds it with 24 bits.
    ///
    /// # Examples
    /// ```
    /// use afterimage_table::Number;
    /// let number = Number::Real(f64::from(-3.18f32));
    /// assert_eq!(number.text(true), "-3.18");
    /// assert_eq!(number.text(false), "-3.180000066757202");
    /// ```
    pub fn text(self, single: bool) -> String {
        match self {
            Number::Real(number) if single => (number as f32).to_string(),
            Number::Real(number) => number.to_string(),
            Number::Whole(number) => number.to_string(),
        }
    }

    /// The nearest double-precision number.
    pub fn double(self) -> f64 {
        match self {
            Number::Real(number) => number,
            Number::Whole(number) => number as f64,
        }
    }

    /// The nearest single-precision number.
    pub fn single(self) -> f32 {
        match self {
            Number::Real(number) => number as f32,
            Number::Whole(number) => number as f32,
        }
    }
}

/// Why a file cannot be read; the reader adds its name.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused it.
    #[error("cannot {verb}: {source}")]
    Io {
        /// What was tried.
        verb: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// It is not of the kind that its name tells.
    #[error("{0}")]
    Kind(String),
    /// Its content is wrong, in a column if there is one.
    #[error("{}{what}", column.as_ref().map_or(String::new(), |name| format!("column `{name}`: ")))]
    Content {
        /// The column.
        column: Option<String>,
        /// What is wrong, and what to do.
        what: String,
    },
}

impl FileError {
    fn io(verb: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { verb, source }
    }

    fn content(what: impl Into<String>) -> Self {
        Self::Content {
            column: None,
            what: what.into(),
        }
    }

    /// What is wrong with a column, and what to do.
    pub fn column(name: &str, what: impl Into<String>) -> Self {
        Self::Content {
            column: Some(name.to_owned()),
            what: what.into(),
        }
    }
}
