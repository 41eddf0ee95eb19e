//! A column of a table of text while it is read.

use afterimage_table::{Number, Precision, days, meant};

use super::ReadOptions;
use super::column::{Raw, Role, Words, is_missing};
use super::csv::Records;
use super::header::Below;
use crate::error::ValueError;

/// Fewer texts than this among numbers are taken for mistakes rather than for categories.
const STRAY_SHARE: f64 = 0.1;

/// How many cells of a column are numbers and texts, and the first text.
#[derive(Debug, Default)]
pub(super) struct Tally {
    numbers: usize,
    texts: usize,
    first: Option<(Option<u64>, String)>,
    /// How many of the texts are no dates.
    no_dates: usize,
    /// Whether one of the texts is another than the first.
    several: bool,
    /// The first number that begins with a zero, as codes do.
    pub padded: Option<String>,
}

impl Tally {
    fn text(&mut self, start: Option<u64>, text: &str) {
        self.texts += 1;
        if days(text).is_none() {
            self.no_dates += 1;
        }
        match &self.first {
            Some((_, first)) => self.several |= first != text,
            None => self.first = Some((start, text.to_owned())),
        }
    }
}

/// Whether a number begins with a zero that it does not need, as `02134`.
fn is_padded(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next() == Some(b'0') && bytes.next().is_some_and(|byte| byte.is_ascii_digit())
}

/// Whether `text` is of signs alone, as `.` and `--` for a missing cell.
fn is_signs(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_punctuation())
}

/// A column while it is read.
#[derive(Debug)]
pub(super) enum Reading {
    Ignored,
    /// Texts whatever they look like.
    Words(Words),
    /// Numbers so far.
    Numbers(Vec<f32>, Precision, Tally),
    /// Texts from the first cell on.
    Texts(Words, Tally),
    /// Texts after numbers: their cells are read in a second pass.
    Late(Tally),
}

impl Reading {
    /// A column for `role` without cells.
    pub fn new(role: Role) -> Self {
        match role {
            Role::Ignored => Reading::Ignored,
            Role::Label | Role::Id | Role::Categorical => Reading::Words(Words::default()),
            Role::Feature => Reading::Numbers(Vec::new(), Precision::default(), Tally::default()),
        }
    }

    /// Takes the next cell, of the row that begins at byte `start`.
    pub fn take(&mut self, text: &str, start: Option<u64>, options: &ReadOptions) {
        let missing = is_missing(text, options);
        match self {
            Reading::Ignored => {}
            Reading::Words(words) => words.take(text, missing),
            Reading::Numbers(values, precision, tally) => {
                if missing {
                    values.push(f32::NAN);
                } else if let Ok(number) = text.parse::<f32>() {
                    tally.numbers += 1;
                    if tally.padded.is_none() && is_padded(text) {
                        tally.padded = Some(text.to_owned());
                    }
                    precision.push(number, || Number::of_text(text));
                    values.push(number);
                } else {
                    let (count, mut tally) = (values.len(), std::mem::take(tally));
                    tally.text(start, text);
                    if tally.numbers > 0 {
                        *self = Reading::Late(tally);
                        return;
                    }
                    let mut words = Words::default();
                    (0..count).for_each(|_| words.push_missing());
                    words.push(text);
                    *self = Reading::Texts(words, tally);
                }
            }
            Reading::Texts(words, tally) => {
                words.take(text, missing);
                tally.count(text, missing, start);
            }
            Reading::Late(tally) => tally.count(text, missing, start),
        }
    }

    /// Says so if a column of numbers has a few texts in it.
    pub fn check(&self, name: &str, records: &Records) -> Result<(), ValueError> {
        let (Reading::Texts(_, tally) | Reading::Late(tally)) = self else {
            return Ok(());
        };
        let present = tally.numbers + tally.texts;
        let Some((start, text)) = &tally.first else {
            return Ok(());
        };
        if let Some(meant) = meant(text)
            && self.mostly_meant()
        {
            let what = format!(
                "`{text}` looks like {meant}; save the table with plain numbers and decimal points, or \
                 say --categorical {name} if these are names"
            );
            return Err(records.error(*start, Some(name), what));
        }
        let few = (tally.texts as f64) < STRAY_SHARE * present as f64;
        if let Reading::Texts(words, tally) = self {
            tally.check_word(name, words, records)?;
        }
        match tally.numbers > 0 && (few || is_signs(text)) {
            true => Err(records.error(*start, Some(name), tally.stray(name, text))),
            false => Ok(()),
        }
    }

    /// Whether most of the different texts are numbers in another spelling, or numbers stand beside them.
    fn mostly_meant(&self) -> bool {
        match self {
            Reading::Texts(words, tally) if tally.numbers == 0 => {
                let spelt = words.names.iter().filter(|name| meant(name).is_some());
                spelt.count() * 2 > words.names.len()
            }
            _ => true,
        }
    }

    /// What stands below the cell `name` of the first line.
    pub fn below((name, column): (&String, &Self)) -> Below {
        match column {
            Reading::Numbers(_, _, tally) if tally.numbers > 0 => Below::Numbers,
            Reading::Words(words) if words.are_numbers() => Below::Numbers,
            Reading::Words(words) | Reading::Texts(words, _) => Below::Texts {
                again: words.has(name),
            },
            Reading::Numbers(..) | Reading::Ignored | Reading::Late(_) => Below::Unknown,
        }
    }

    /// The cells; none of columns that are ignored or read again.
    pub fn finish(self) -> Option<Raw> {
        match self {
            Reading::Ignored | Reading::Late(_) => None,
            Reading::Texts(words, tally) if tally.numbers == 0 && tally.no_dates == 0 => {
                Some(dates(&words))
            }
            Reading::Words(words) | Reading::Texts(words, _) => Some(Raw::Words(words)),
            Reading::Numbers(values, precision, _) => Some(Raw::Numbers(values, precision)),
        }
    }
}

/// The days of dates, as those of a column of dates in a Parquet file.
fn dates(words: &Words) -> Raw {
    let days: Vec<f64> = words
        .names
        .iter()
        .map(|name| days(name).unwrap_or(f64::NAN))
        .collect();
    let (mut values, mut precision) = (Vec::with_capacity(words.codes.len()), Precision::default());
    for code in &words.codes {
        let days = days.get(*code as usize).copied().unwrap_or(f64::NAN);
        precision.push(days as f32, || Number::Real(days));
        values.push(days as f32);
    }
    Raw::Numbers(values, precision)
}

impl Tally {
    /// Refuses one word among numbers that mostly differ: they would be lost as ids.
    pub fn check_word(
        &self,
        name: &str,
        words: &Words,
        records: &Records,
    ) -> Result<(), ValueError> {
        let present = self.numbers + self.texts;
        let differ = words.names.len() * 2 > present && self.numbers * 2 >= present;
        match &self.first {
            Some((start, text)) if differ && !self.several => {
                Err(records.error(*start, Some(name), self.stray(name, text)))
            }
            _ => Ok(()),
        }
    }

    /// What is told of a text among numbers.
    fn stray(&self, name: &str, text: &str) -> String {
        format!(
            "`{text}` is no number, but {} of the column's {} cells are; correct it, or say --missing {text} \
             if it stands for a missing cell, or --categorical {name} if the numbers are names",
            self.numbers,
            self.numbers + self.texts
        )
    }

    fn count(&mut self, text: &str, missing: bool, start: Option<u64>) {
        if missing {
        } else if text.parse::<f32>().is_ok() {
            self.numbers += 1;
        } else {
            self.text(start, text);
        }
    }
}
