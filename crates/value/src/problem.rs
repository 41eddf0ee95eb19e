//! A table to be valued: columns of cells, and the label of each row.

use crate::error::ValueError;

/// A level that is not there.
pub const NO_LEVEL: u32 = u32::MAX;

/// The cells of one column, one a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cells {
    /// Numbers; NaN where the cell is missing.
    Numbers(Vec<f32>),
    /// Categories: a code each, [`NO_LEVEL`] where the cell is missing. The names are sorted, so
    /// that codes do not depend on the order of the rows.
    Levels {
        /// Position in `names`.
        codes: Vec<u32>,
        /// The categories.
        names: Vec<String>,
    },
}

impl Cells {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Cells::Numbers(values) => values.len(),
            Cells::Levels { codes, .. } => codes.len(),
        }
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of missing cells.
    pub fn missing(&self) -> usize {
        match self {
            Cells::Numbers(values) => values.iter().filter(|v| v.is_nan()).count(),
            Cells::Levels { codes, .. } => codes.iter().filter(|&&c| c == NO_LEVEL).count(),
        }
    }

    /// True if all rows hold the same, or all are missing.
    pub fn is_constant(&self) -> bool {
        match self {
            Cells::Numbers(values) => values
                .windows(2)
                .all(|pair| pair[0] == pair[1] || (pair[0].is_nan() && pair[1].is_nan())),
            Cells::Levels { codes, .. } => codes.windows(2).all(|pair| pair[0] == pair[1]),
        }
    }
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name, or its number (from 1) where the table has no header.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
}

/// The labels.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// One class a row, as a position in `names`, which are sorted.
    Classes {
        /// The class of each row.
        codes: Vec<u32>,
        /// The classes.
        names: Vec<String>,
    },
    /// One finite number a row.
    Numbers(Vec<f64>),
}

impl Target {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Target::Classes { codes, .. } => codes.len(),
            Target::Numbers(values) => values.len(),
        }
    }

    /// True if there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What is valued: the cells of some columns, given the labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    columns: Vec<Column>,
    target: Target,
    ids: Option<Vec<String>>,
}

impl Problem {
    /// Columns and labels of the same rows. With `ids`, one a row and all different, the rows are
    /// told apart by them; without, by their content.
    ///
    /// # Errors
    /// Fewer than two rows; no column; lengths that differ; a label that is not finite; fewer than
    /// two classes; numbers that are all equal; an id that is there twice.
    pub fn new(
        columns: Vec<Column>,
        target: Target,
        ids: Option<Vec<String>>,
    ) -> Result<Self, ValueError> {
        let rows = target.len();
        if rows < 2 {
            return Err(ValueError::TooFewRows { rows });
        }
        if columns.is_empty() {
            return Err(ValueError::NoColumns);
        }
        let lengths = columns
            .iter()
            .map(|column| (column.name.as_str(), column.cells.len()))
            .chain(ids.iter().map(|ids| ("the ids", ids.len())));
        for (name, length) in lengths {
            if length != rows {
                return Err(ValueError::Lengths {
                    column: name.to_owned(),
                    length,
                    rows,
                });
            }
        }
        match &target {
            Target::Classes { codes, names } => {
                if codes.windows(2).all(|pair| pair[0] == pair[1]) {
                    return Err(ValueError::OneClass {
                        class: names.get(codes[0] as usize).cloned().unwrap_or_default(),
                    });
                }
                if names.len() > usize::from(u16::MAX) {
                    return Err(ValueError::TooManyClasses {
                        classes: names.len(),
                    });
                }
            }
            Target::Numbers(values) => {
                if let Some(row) = values.iter().position(|v| !v.is_finite()) {
                    return Err(ValueError::LabelNotFinite { row: row + 1 });
                }
                if values.windows(2).all(|pair| pair[0] == pair[1]) {
                    return Err(ValueError::OneClass {
                        class: values[0].to_string(),
                    });
                }
            }
        }
        if let Some(ids) = &ids {
            let mut sorted: Vec<&String> = ids.iter().collect();
            sorted.sort_unstable();
            if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(ValueError::RepeatedId {
                    id: pair[0].clone(),
                });
            }
        }
        Ok(Self {
            columns,
            target,
            ids,
        })
    }

    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The labels.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// The ids of the rows, where there are any.
    pub fn ids(&self) -> Option<&[String]> {
        self.ids.as_deref()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.target.len()
    }

    /// Positions of the columns that learners may see: all but the constant ones.
    pub fn usable(&self) -> Vec<usize> {
        (0..self.columns.len())
            .filter(|&at| !self.columns[at].cells.is_constant())
            .collect()
    }
}
