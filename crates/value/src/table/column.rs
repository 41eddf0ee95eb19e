//! Columns while they are read.

use std::collections::HashMap;

use afterimage_table::{Number, Precision, names_labels, says_missing};

use super::{Format, ReadOptions};
use crate::problem::{Cells, NO_LEVEL};

/// Whether the text of a cell says that there is no value.
pub(crate) fn is_missing(text: &str, options: &ReadOptions) -> bool {
    text.is_empty()
        || (!options.keep_missing_words && says_missing(text))
        || options.missing.iter().any(|word| word == text)
}

/// Different texts, each kept once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words {
    pub codes: Vec<u32>,
    pub names: Vec<String>,
    /// The text of the first missing cell.
    pub missing: Option<String>,
    index: HashMap<String, u32>,
}

impl Words {
    pub fn push(&mut self, text: &str) {
        let code = match self.index.get(text) {
            Some(&code) => code,
            None => {
                let code = self.names.len() as u32;
                self.names.push(text.to_owned());
                self.index.insert(text.to_owned(), code);
                code
            }
        };
        self.codes.push(code);
    }

    pub fn take(&mut self, text: &str, missing: bool) {
        if missing {
            self.missing.get_or_insert_with(|| text.to_owned());
            self.push_missing();
        } else {
            self.push(text);
        }
    }

    /// A number under its text; NaN is missing.
    pub fn push_number(&mut self, number: Number, text: &str) {
        let missing = matches!(number, Number::Real(number) if number.is_nan());
        self.take(text, missing);
    }

    pub fn push_missing(&mut self) {
        self.codes.push(NO_LEVEL);
    }

    /// Whether there are texts, and all of them are numbers.
    pub fn are_numbers(&self) -> bool {
        !self.names.is_empty() && self.names.iter().all(|name| name.parse::<f64>().is_ok())
    }

    /// Whether `text` is one of the texts.
    pub fn has(&self, text: &str) -> bool {
        self.index.contains_key(text)
    }

    /// The first text, and whether it stands nowhere else; none where the first cell is missing.
    fn first(&self) -> Option<(&str, bool)> {
        let &code = self.codes.first()?;
        let first = self.names.get(code as usize)?;
        let once = self.codes.iter().filter(|&&other| other == code).count() == 1;
        Some((first, once))
    }

    /// The first text, where there is one more than `rows` and it names the rest: `0`, as pandas names
    /// a series, or a text over numbers or over other texts.
    pub fn header_over(&self, rows: usize) -> Option<&str> {
        let (first, once) = self.first()?;
        let names = first == "0" || (once && first.parse::<f64>().is_err());
        (self.codes.len() == rows + 1 && names).then_some(first)
    }

    /// The first text, where it is their name rather than one of them, as a word over numbers and the word
    /// `label` are.
    pub fn named_by_first(&self) -> Option<&str> {
        let (first, once) = self.first()?;
        let number = |name: &str| name.parse::<f64>().is_ok();
        let rest = || {
            self.names
                .iter()
                .map(String::as_str)
                .filter(|name| *name != first)
        };
        let over_numbers = !number(first) && rest().next().is_some() && rest().all(number);
        (once && (over_numbers || names_labels(first))).then_some(first)
    }

    /// The same without the first text.
    pub fn without_first(&self) -> Self {
        let mut rest = Self {
            missing: self.missing.clone(),
            ..Self::default()
        };
        for &code in self.codes.iter().skip(1) {
            match self.names.get(code as usize) {
                Some(name) => rest.push(name),
                None => rest.push_missing(),
            }
        }
        rest
    }

    /// Codes and names in an order of the names that rows cannot change: by number where all are
    /// numbers, by text otherwise.
    pub fn sorted(self) -> (Vec<u32>, Vec<String>) {
        let mut order: Vec<u32> = (0..self.names.len() as u32).collect();
        let numbers: Option<Vec<f64>> = self.names.iter().map(|name| name.parse().ok()).collect();
        let name = |code: u32| &self.names[code as usize];
        match numbers {
            Some(numbers) => order.sort_by(|&a, &b| {
                let by_number = numbers[a as usize].total_cmp(&numbers[b as usize]);
                by_number.then_with(|| name(a).cmp(name(b)))
            }),
            None => order.sort_by(|&a, &b| name(a).cmp(name(b))),
        }
        let mut new = vec![0; order.len()];
        for (to, &from) in order.iter().enumerate() {
            new[from as usize] = to as u32;
        }
        let recode = |code: u32| new.get(code as usize).copied().unwrap_or(NO_LEVEL);
        let codes = self.codes.into_iter().map(recode).collect();
        let names = order
            .into_iter()
            .map(|code| self.names[code as usize].clone())
            .collect();
        (codes, names)
    }
}

/// Cells of one column as read.
#[derive(Debug, Clone)]
pub(crate) enum Raw {
    Numbers(Vec<f32>, Precision),
    Words(Words),
}

impl Raw {
    /// No number yet.
    pub fn numbers() -> Self {
        Raw::Numbers(Vec::new(), Precision::default())
    }

    pub fn len(&self) -> usize {
        match self {
            Raw::Numbers(values, _) => values.len(),
            Raw::Words(words) => words.codes.len(),
        }
    }

    /// The cells of a feature.
    pub fn cells(self) -> Cells {
        match self {
            Raw::Numbers(values, _) => Cells::Numbers(values),
            Raw::Words(words) => {
                let (codes, names) = words.sorted();
                Cells::Levels { codes, names }
            }
        }
    }

    /// The cells as texts.
    pub fn words(self) -> Words {
        match self {
            Raw::Words(words) => words,
            Raw::Numbers(values, _) => {
                let mut words = Words::default();
                for value in values {
                    if value.is_nan() {
                        words.push_missing();
                    } else {
                        words.push(&value.to_string());
                    }
                }
                words
            }
        }
    }
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Feature,
    Categorical,
    Label,
    Id,
    Ignored,
}

/// A table as read: all columns in the order of the file; what is ignored is `None`.
#[derive(Debug)]
pub(crate) struct RawTable {
    pub names: Vec<String>,
    pub roles: Vec<Role>,
    pub columns: Vec<Option<Raw>>,
    /// Which columns are the index of a pandas frame; empty where that cannot be.
    pub index: Vec<bool>,
    /// What it was read from, for messages.
    pub format: Format,
    /// Where each row begins, in bytes; empty for files without lines.
    pub starts: Vec<u64>,
    /// What the user may want to know.
    pub notes: Vec<String>,
}
