//! A column that says which images are held out.

use std::collections::BTreeMap;

use crate::dataset::grouped;

/// Different values that are kept for messages, at most.
const KEPT: usize = 20;

/// A column of splits, cell by cell.
pub(super) struct SplitColumn<'a> {
    name: &'a str,
    /// What is held out; the usual words unless told.
    value: Option<&'a str>,
    held: Vec<u32>,
    count: u32,
    /// How often each value stands there, of the first few.
    seen: BTreeMap<String, usize>,
}

impl<'a> SplitColumn<'a> {
    pub(super) fn new(name: &'a str, value: Option<&'a str>) -> Self {
        Self {
            name,
            value,
            held: Vec::new(),
            count: 0,
            seen: BTreeMap::new(),
        }
    }

    /// Takes the cell of the next image, or says what is wrong with it.
    pub(super) fn push(&mut self, cell: &str) -> Result<(), String> {
        let held = match (self.value, cell) {
            (_, "") => return Err(format!("there is no split in the column {:?}", self.name)),
            (Some(value), cell) => cell == value,
            (None, "train") => false,
            (None, "held_out" | "test" | "val" | "valid" | "validation") => true,
            (None, other) => {
                return Err(format!(
                    "the split is {other:?}; it is \"train\", or \"held_out\", \"test\", \"val\", \"valid\" \
                     or \"validation\" for what is held out; name another value in data.held_out_value"
                ));
            }
        };
        if held {
            self.held.push(self.count);
        }
        self.count += 1;
        if let Some(times) = self.seen.get_mut(cell) {
            *times += 1;
        } else if self.seen.len() < KEPT {
            self.seen.insert(cell.to_owned(), 1);
        }
        Ok(())
    }

    /// Numbers of the images that are held out, or why there are none or no others; a value that was
    /// chosen is noted beside those that are trained on.
    pub(super) fn finish(self, notes: &mut Vec<String>) -> Result<Vec<u32>, String> {
        let (all, held) = (self.count as usize, self.held.len());
        let named = |values: Vec<&String>| {
            let values: Vec<String> = values.into_iter().map(|v| format!("{v:?}")).collect();
            let more = if self.seen.len() == KEPT { ", …" } else { "" };
            format!("{}{more}", values.join(", "))
        };
        match self.value {
            Some(value) if held == 0 && all > 0 => Err(format!(
                "no image has {value:?} in the column {:?}, which data.held_out_value names; its values are \
                 {}",
                self.name,
                named(self.seen.keys().collect())
            )),
            _ if all == 0 || held == 0 || held == all => Err(format!(
                "it lists {} images, {} of them held out; both training and held-out images are needed",
                grouped(all),
                grouped(held)
            )),
            Some(value) => {
                let others = self.seen.keys().filter(|seen| *seen != value);
                notes.push(format!(
                    "{} images are held out, those with {value:?} in the column {:?}; trained on are {} \
                     with {}",
                    grouped(held),
                    self.name,
                    grouped(all - held),
                    named(others.collect())
                ));
                Ok(self.held)
            }
            None => Ok(self.held),
        }
    }
}
