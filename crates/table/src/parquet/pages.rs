//! The pages of a column, whose sizes are checked before the reader reserves memory for them.

use parquet::basic::{Encoding, Type as Physical};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// Pages that hold what they tell of.
pub(super) struct Checked {
    inner: Box<dyn PageReader>,
    physical: Physical,
    width: usize,
    /// Whether levels of repetition and of definition are stored.
    levels: [bool; 2],
    /// The values that may yet come.
    left: u64,
}

impl Checked {
    pub fn new(inner: Box<dyn PageReader>, column: &ColumnDescriptor, most: u64) -> Self {
        Self {
            inner,
            physical: column.physical_type(),
            width: usize::try_from(column.type_length()).unwrap_or(0),
            levels: [column.max_rep_level() > 0, column.max_def_level() > 0],
            left: most,
        }
    }

    fn check(&mut self, page: &Page) -> Result<()> {
        let lies = |what: String| Err(ParquetError::General(what));
        let bytes = page.buffer().len();
        let values = u64::from(page.num_values());
        if let Page::DictionaryPage { .. } = page {
            // A text takes four bytes for its length.
            let bits = match self.physical {
                Physical::BOOLEAN => 1,
                Physical::INT32 | Physical::FLOAT | Physical::BYTE_ARRAY => 32,
                Physical::INT64 | Physical::DOUBLE => 64,
                Physical::INT96 => 96,
                Physical::FIXED_LEN_BYTE_ARRAY => 8 * self.width.max(1) as u64,
            };
            return if values * bits > 8 * bytes as u64 {
                lies(format!(
                    "a dictionary of {bytes} bytes cannot hold {values} values; the file is damaged"
                ))
            } else {
                Ok(())
            };
        }
        if values > self.left {
            return lies(format!(
                "a page tells of {values} values where {} are left; the file is damaged",
                self.left
            ));
        }
        self.left -= values;
        let delta = matches!(
            page.encoding(),
            Encoding::DELTA_BINARY_PACKED
                | Encoding::DELTA_LENGTH_BYTE_ARRAY
                | Encoding::DELTA_BYTE_ARRAY
        );
        match self.delta_count(page) {
            Some(count) if delta && count > values => lies(format!(
                "a page of {values} values tells of {count}; the file is damaged"
            )),
            _ => Ok(()),
        }
    }

    /// The number of values that the header of a page of differences tells.
    fn delta_count(&self, page: &Page) -> Option<u64> {
        let buffer: &[u8] = page.buffer();
        let start = match page {
            Page::DataPageV2 {
                def_levels_byte_len,
                rep_levels_byte_len,
                ..
            } => (*def_levels_byte_len as usize).checked_add(*rep_levels_byte_len as usize)?,
            _ => {
                let mut start = 0usize;
                for _ in self.levels.iter().filter(|stored| **stored) {
                    let length = buffer.get(start..start.checked_add(4)?)?;
                    let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
                    start = start.checked_add(4)?.checked_add(length)?;
                }
                start
            }
        };
        let mut rest = buffer.get(start..)?.iter();
        let mut number = || {
            let mut number = 0u64;
            for shift in (0..64).step_by(7) {
                let byte = *rest.next()?;
                number |= u64::from(byte & 0x7f) << shift;
                if byte < 0x80 {
                    return Some(number);
                }
            }
            None
        };
        // The sizes of a block and of its parts come first.
        number()?;
        number()?;
        number()
    }
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.inner.get_next_page()?;
        if let Some(page) = &page {
            self.check(page)?;
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }
}
