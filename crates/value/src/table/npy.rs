//! Tables as npy files: a matrix of numbers, one row a sample.

use std::path::Path;

use afterimage_table::{Npy, Number, Precision, npy_texts};

use super::column::{Raw, RawTable, Role, Words, is_missing};
use super::select::roles;
use super::{Format, ReadOptions};
use crate::error::ValueError;

/// Labels that are texts, with those left out that stand for a missing one; none in arrays of numbers.
pub(super) fn texts(path: &Path, options: &ReadOptions) -> Result<Option<Words>, ValueError> {
    let texts = npy_texts(path).map_err(|error| ValueError::file("an npy file", path, error))?;
    Ok(texts.map(|texts| {
        let mut words = Words::default();
        for text in texts {
            words.take(&text, is_missing(&text, options));
        }
        words
    }))
}

pub(super) fn read(path: &Path, options: &ReadOptions) -> Result<RawTable, ValueError> {
    let wrong = |error| ValueError::file("an npy file", path, error);
    let npy = Npy::open(path).map_err(wrong)?;
    let (rows, width) = match npy.shape[..] {
        [rows] => (rows, 1),
        [rows, width] => (rows, width),
        _ => {
            return Err(ValueError::Table {
                path: path.to_owned(),
                line: None,
                column: None,
                what: format!(
                    "its shape is {:?}; a table has rows and columns, so reshape it to two axes",
                    npy.shape
                ),
            });
        }
    };
    let names: Vec<String> = (1..=width).map(|n| n.to_string()).collect();
    let roles = roles(
        path,
        Format::Npy,
        &names,
        &ReadOptions {
            header: false,
            ..options.clone()
        },
    )?;
    let mut columns: Vec<Option<Raw>> = roles
        .iter()
        .map(|role| match role {
            Role::Ignored => None,
            Role::Feature => Some(Raw::Numbers(vec![f32::NAN; rows], Precision::default())),
            Role::Categorical | Role::Label | Role::Id => Some(Raw::Words(Words::default())),
        })
        .collect();
    let (order, single) = (npy.order, npy.is_single());
    let mut at = 0;
    let sink = |number: Number| {
        let (row, column) = order.place(at, (rows, width));
        at += 1;
        // Words come in the order of the rows in both layouts.
        match (&mut columns[column], number) {
            (None, _) => {}
            (Some(Raw::Numbers(values, precision)), number) => {
                precision.push(number.single(), || number);
                values[row] = number.single();
            }
            (Some(Raw::Words(words)), number) => words.push_number(number, &number.text(single)),
        }
    };
    npy.for_each(sink).map_err(wrong)?;
    Ok(RawTable {
        names,
        roles,
        columns,
        index: Vec::new(),
        format: Format::Npy,
        starts: Vec::new(),
        notes: Vec::new(),
    })
}
