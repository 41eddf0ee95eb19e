//! What can be wrong with the data that a score is asked of.

use thiserror::Error;

use crate::unitmem::Form;

/// Data that cannot be scored or compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum MemoryError {
    /// A block whose size is not rows · units.
    #[error("{rows} rows of {units} units need {} values; got {values}", rows * units)]
    BlockSize {
        /// Rows: points, or points · views.
        rows: usize,
        /// Units of the site.
        units: usize,
        /// Values that were given.
        values: usize,
    },
    /// A point that was measured twice; it would count as two points.
    #[error("sample {id} was given twice; give each point once, with all its views averaged")]
    Repeated {
        /// The sample's id.
        id: u32,
    },
    /// Two states or scores of different sites.
    #[error("{left} units cannot be matched with {right} units; compare probes of the same site")]
    Units {
        /// Units on the left.
        left: usize,
        /// Units on the right.
        right: usize,
    },
    /// Probes of different sizes; UnitMem grows with the number of points.
    #[error(
        "a probe of {left} points cannot be compared with one of {right}; UnitMem grows with the \
         number of points, so give both probes the same"
    )]
    Points {
        /// Points on the left.
        left: u64,
        /// Points on the right.
        right: u64,
    },
    /// Distances of the two encoders for different points.
    #[error(
        "{studied} points were measured in the encoder and {reference} in its reference; measure \
         the same points in both"
    )]
    Distances {
        /// Points in the encoder under study.
        studied: usize,
        /// Points in the reference encoder.
        reference: usize,
    },
    /// Scores of different forms.
    #[error("scores of the form `{left}` cannot be compared with scores of the form `{right}`")]
    Forms {
        /// Form on the left.
        left: Form,
        /// Form on the right.
        right: Form,
    },
}

impl MemoryError {
    /// Checks that two states or scores have the same number of units.
    pub(crate) fn same_units(left: usize, right: usize) -> Result<(), Self> {
        match left == right {
            true => Ok(()),
            false => Err(Self::Units { left, right }),
        }
    }
}
