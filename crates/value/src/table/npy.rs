//! Tables as npy files: a matrix of numbers, one row a sample.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::{DType, Deserialize, NpyFile, Order};

use super::ReadOptions;
use super::column::{Raw, RawTable, Role, Words};
use super::select::roles;
use crate::error::ValueError;

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<RawTable, ValueError> {
    let wrong = |what: String| ValueError::Table {
        path: path.to_owned(),
        line: None,
        column: None,
        what,
    };
    let file = File::open(path).map_err(ValueError::io("open", path))?;
    let held = file
        .metadata()
        .map_err(ValueError::io("look at", path))?
        .len();
    let npy = NpyFile::new(BufReader::new(file))
        .map_err(|error| wrong(format!("not an npy file: {error}")))?;
    let (rows, width) = match *npy.shape() {
        [rows] => (rows as usize, 1),
        [rows, width] => (rows as usize, width as usize),
        ref other => {
            return Err(wrong(format!(
                "its shape is {other:?}; a table has rows and columns, so reshape it to two axes"
            )));
        }
    };
    let kind = match npy.dtype() {
        DType::Plain(kind) => kind.to_string(),
        other => {
            return Err(wrong(format!(
                "its type is {}; save plain numbers",
                other.descr()
            )));
        }
    };
    // A wrong header must not lead to a reservation of its size; a value takes a byte or more.
    if (rows as u64)
        .checked_mul(width as u64)
        .is_none_or(|values| values > held)
    {
        return Err(wrong(format!(
            "the header tells of {rows} rows and {width} columns, which the file of {held} bytes \
             cannot hold; it is cut off or damaged"
        )));
    }
    let matrix = Matrix {
        rows,
        width,
        by_row: npy.header().order() == Order::C,
    };
    let names: Vec<String> = (1..=width).map(|n| n.to_string()).collect();
    let roles = roles(
        path,
        &names,
        &ReadOptions {
            header: false,
            ..options.clone()
        },
    )?;
    let failed = |error: std::io::Error| wrong(format!("damaged or too short: {error}"));
    let code: String = kind.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    let columns = match code.as_str() {
        "f4" => matrix.read::<f32, _>(npy, &roles, |v| (v, Exact::Real(f64::from(v)))),
        "f8" => matrix.read::<f64, _>(npy, &roles, |v| (v as f32, Exact::Real(v))),
        "i1" => matrix.read::<i8, _>(npy, &roles, |v| (f32::from(v), Exact::from(v))),
        "u1" => matrix.read::<u8, _>(npy, &roles, |v| (f32::from(v), Exact::from(v))),
        "i2" => matrix.read::<i16, _>(npy, &roles, |v| (f32::from(v), Exact::from(v))),
        "u2" => matrix.read::<u16, _>(npy, &roles, |v| (f32::from(v), Exact::from(v))),
        "i4" => matrix.read::<i32, _>(npy, &roles, |v| (v as f32, Exact::from(v))),
        "u4" => matrix.read::<u32, _>(npy, &roles, |v| (v as f32, Exact::from(v))),
        "i8" => matrix.read::<i64, _>(npy, &roles, |v| (v as f32, Exact::from(v))),
        "u8" => matrix.read::<u64, _>(npy, &roles, |v| (v as f32, Exact::from(v))),
        "b1" => matrix.read::<bool, _>(npy, &roles, |v| (f32::from(u8::from(v)), Exact::from(v))),
        _ => {
            return Err(wrong(format!(
                "its type is {kind}; save it as numbers, as in numpy.save(path, x.astype('f4'))"
            )));
        }
    };
    Ok(RawTable {
        names,
        roles,
        columns: columns.map_err(failed)?,
        lines: Vec::new(),
    })
}

/// A number as it is told apart from others: whole ones beyond 2⁵³ are no f64.
enum Exact {
    Real(f64),
    Whole(i128),
}

impl<T: Into<i128>> From<T> for Exact {
    fn from(number: T) -> Self {
        Exact::Whole(number.into())
    }
}

struct Matrix {
    rows: usize,
    width: usize,
    by_row: bool,
}

impl Matrix {
    fn read<T: Deserialize, R: Read>(
        &self,
        npy: NpyFile<R>,
        roles: &[Role],
        convert: impl Fn(T) -> (f32, Exact),
    ) -> Result<Vec<Option<Raw>>, std::io::Error> {
        let mut columns: Vec<Option<Raw>> = roles
            .iter()
            .map(|role| match role {
                Role::Ignored => None,
                Role::Feature => Some(Raw::Numbers(vec![f32::NAN; self.rows])),
                Role::Categorical | Role::Label | Role::Id => Some(Raw::Words(Words::default())),
            })
            .collect();
        let mut values = npy
            .data::<T>()
            .map_err(|error| std::io::Error::other(error.to_string()))?;
        for at in 0..self.rows * self.width {
            let value = match values.next() {
                Some(value) => value?,
                None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            };
            let (row, column) = if self.by_row {
                (at / self.width, at % self.width)
            } else {
                (at % self.rows, at / self.rows)
            };
            let (single, exact) = convert(value);
            // Words come in the order of the rows in both layouts.
            match &mut columns[column] {
                None => {}
                Some(Raw::Numbers(values)) => values[row] = single,
                Some(Raw::Words(words)) => match exact {
                    Exact::Real(number) => words.take(&number.to_string(), number.is_nan()),
                    Exact::Whole(number) => words.push(&number.to_string()),
                },
            }
        }
        Ok(columns)
    }
}
