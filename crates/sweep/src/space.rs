//! Ranges of keys, and the samples of a search.

use afterimage_config::{KeyPath, Report};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::config::{Search, SearchKind};
use crate::overrides::{Override, root, walk};

/// Digits of a drawn number that are kept, so that names of trials can be read.
const DIGITS: i32 = 4;

/// Whole numbers up to here are told apart: 2⁵³.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// What a search draws the value of a key from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lowest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The highest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Whether the logarithm is uniform instead of the value.
    #[serde(default)]
    pub log: bool,
    /// Whether only whole numbers are drawn.
    #[serde(default)]
    pub integer: bool,
    /// Choices, each as likely as the others, in place of a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<Value>>,
}

/// A key and its range.
pub(crate) struct Dimension {
    pub(crate) key: String,
    pub(crate) place: KeyPath,
    pub(crate) range: Range,
}

/// The keys of the space that stands at `at` and their tables, in order of their names.
fn tables(space: &Table, at: &str) -> Vec<(String, KeyPath, Value)> {
    let is_range = |table: &Table| {
        ["low", "high", "values"]
            .iter()
            .any(|name| table.contains_key(*name))
    };
    let mut found = Vec::new();
    walk(space, &root(at), "", &is_range, &mut |key, place, value| {
        found.push((key, place, value.clone()));
    });
    found
}

/// Checks all ranges of the space of `search`, which stands at `at`; gives the keys and their places.
pub(crate) fn ranges(search: &Search, at: &str, report: &mut Report<'_>) -> Vec<(String, String)> {
    let found = tables(&search.space, at);
    if found.is_empty() {
        report.error(at, "name at least one key and its range");
    }
    let most = sobol_burley::NUM_DIMENSIONS as usize;
    let fits = search.kind != SearchKind::Sobol || found.len() <= most;
    report.check(fits, at, || {
        format!(
            "{} keys; \"sobol\" has {most} dimensions at most, and \"random\" any number",
            found.len()
        )
    });
    let mut keys = Vec::new();
    for (key, place, value) in found {
        let at = place.to_string();
        match value.as_table() {
            Some(table) if !table.is_empty() => {
                if let Some(range) = report.decode::<Range>(&at, table)
                    && let Err(why) = range.check()
                {
                    report.error(&at, why);
                }
            }
            _ => report.error(
                &at,
                "write a range { low = …, high = … } or choices { values = […] }",
            ),
        }
        let probe = Override {
            key,
            value: Value::Integer(1),
            place,
        };
        if let Err(why) = probe.parsed() {
            report.error(&at, why);
        }
        keys.push((probe.key, at));
    }
    keys
}

impl Range {
    fn check(&self) -> Result<(), String> {
        match (self.low, self.high, &self.values) {
            (None, None, Some(values)) if values.is_empty() => {
                Err("`values` must have at least one value".to_owned())
            }
            (None, None, Some(_)) if self.log || self.integer => {
                Err("`log` and `integer` belong to a range, not to `values`".to_owned())
            }
            (None, None, Some(_)) => Ok(()),
            (Some(low), Some(high), None) => {
                if !(low.is_finite() && high.is_finite() && low < high) {
                    Err(format!("`low` must be below `high`; got {low} and {high}"))
                } else if self.log && low <= 0.0 {
                    Err(format!(
                        "`low` is {low}; a logarithmic range must be above 0"
                    ))
                } else if self.integer && (low.fract() != 0.0 || high.fract() != 0.0) {
                    Err("`low` and `high` of whole numbers must be whole".to_owned())
                } else if self.integer && low.abs().max(high.abs()) > WHOLE {
                    Err(format!(
                        "whole numbers are drawn from -{WHOLE} to {WHOLE}; got {low} and {high}"
                    ))
                } else if !(high - low).is_finite() {
                    Err(format!(
                        "from {low} to {high} is farther than numbers go; bring them nearer, or give `log`"
                    ))
                } else {
                    Ok(())
                }
            }
            _ => Err("give `low` and `high`, or `values`".to_owned()),
        }
    }

    /// The value at `u`, a number from 0 up to 1.
    pub fn at(&self, u: f64) -> Value {
        let u = u.clamp(0.0, 1.0 - f64::EPSILON);
        if let Some(values) = &self.values {
            let index = (u * values.len() as f64) as usize;
            return values.get(index).cloned().unwrap_or(Value::Boolean(false));
        }
        let (low, high) = self.ends();
        let (from, to) = self.span();
        let x = if self.log {
            (from.ln() + u * (to.ln() - from.ln())).exp()
        } else {
            from + u * (to - from)
        };
        if self.integer {
            Value::Integer(x.round().clamp(low, high) as i64)
        } else {
            Value::Float(rounded(x).clamp(low, high))
        }
    }

    fn ends(&self) -> (f64, f64) {
        (self.low.unwrap_or(0.0), self.high.unwrap_or(1.0))
    }

    fn span(&self) -> (f64, f64) {
        let (low, high) = self.ends();
        // Half a unit on both sides gives the ends the share of any other whole number.
        if self.integer {
            (low - 0.5, high + 0.5)
        } else {
            (low, high)
        }
    }

    /// Where `value` is drawn: a number from 0 to 1, in the middle of what gives the same choice or whole number;
    /// `None` for a value that is never drawn.
    pub fn place(&self, value: &Value) -> Option<f64> {
        if let Some(values) = &self.values {
            let index = values.iter().position(|other| other == value)?;
            return Some((index as f64 + 0.5) / values.len() as f64);
        }
        let x = match value {
            Value::Integer(n) => *n as f64,
            Value::Float(x) if !self.integer => *x,
            _ => return None,
        };
        let (low, high) = self.ends();
        if !(low..=high).contains(&x) {
            return None;
        }
        let (from, to) = self.span();
        Some(if self.log {
            (x.ln() - from.ln()) / (to.ln() - from.ln())
        } else {
            (x - from) / (to - from)
        })
    }
}

/// `x` with [`DIGITS`] significant digits.
fn rounded(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    // By way of the decimal text, so that the result is the nearest double to a short number.
    format!("{x:.*e}", (DIGITS - 1) as usize)
        .parse()
        .unwrap_or(x)
}

/// The keys of the space that stands at `at` with their ranges; those that are none are left out.
pub(crate) fn dimensions(space: &Table, at: &str) -> Vec<Dimension> {
    tables(space, at)
        .into_iter()
        .filter_map(|(key, place, value)| {
            let range = value.try_into::<Range>().ok()?;
            Some(Dimension { key, place, range })
        })
        .collect()
}

/// The samples of the search whose space stands at `at`: for each, a value for every key.
///
/// A sample is a pure function of seed, index and, for random search, key, so that a longer search
/// begins with the samples of a shorter one.
pub(crate) fn samples(search: &Search, at: &str) -> Vec<Vec<Override>> {
    let dimensions = dimensions(&search.space, at);
    (0..search.samples)
        .map(|index| {
            let draw = |(d, dimension): (usize, &Dimension)| {
                let u = match search.kind {
                    SearchKind::Sobol => {
                        let seed = (search.seed ^ (search.seed >> 32)) as u32;
                        f64::from(sobol_burley::sample(index, d as u32, seed))
                    }
                    _ => uniform(search.seed, index, &dimension.key),
                };
                Override {
                    key: dimension.key.clone(),
                    value: dimension.range.at(u),
                    place: dimension.place.clone(),
                }
            };
            dimensions.iter().enumerate().map(draw).collect()
        })
        .collect()
}

/// A number from 0 up to 1 for a seed, a sample and a key.
fn uniform(seed: u64, sample: u32, key: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(sample.to_le_bytes());
    hash.update(key.as_bytes());
    fraction(hash)
}

/// A number from 0 up to 1: the first 53 bits of a hash.
pub(crate) fn fraction(hash: Sha256) -> f64 {
    afterimage_random::fraction(head(hash))
}

/// The first 64 bits of a hash.
pub(crate) fn head(hash: Sha256) -> u64 {
    let bytes = hash.finalize();
    let first = bytes.iter().take(8);
    first.fold(0u64, |bits, byte| bits << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range(low: f64, high: f64, log: bool, integer: bool) -> Range {
        Range {
            low: Some(low),
            high: Some(high),
            log,
            integer,
            values: None,
        }
    }

    fn number(value: &Value) -> f64 {
        value
            .as_float()
            .or_else(|| value.as_integer().map(|n| n as f64))
            .unwrap_or(f64::NAN)
    }

    fn search(kind: SearchKind, samples: u32) -> Result<Search, toml::de::Error> {
        let space = "a = { low = 0.0, high = 1.0 }\nb = { low = 1e-4, high = 1e-1, log = true }\n\
                     c = { low = 1, high = 4, integer = true }\nd.e = { values = [\"x\", \"y\"] }";
        Ok(Search {
            kind,
            samples,
            generation: None,
            seed: 3,
            space: toml::from_str(space)?,
        })
    }

    proptest! {
        #[test]
        fn values_lie_inside_and_rise_with_u(
            low in 1u32..500, width in 1u32..500, log: bool, integer: bool, u in 0.0..1.0f64, v in 0.0..1.0f64
        ) {
            let range = range(f64::from(low), f64::from(low + width), log, integer);
            prop_assert!(range.check().is_ok());
            let (a, b) = (number(&range.at(u.min(v))), number(&range.at(u.max(v))));
            prop_assert!(f64::from(low) <= a && a <= b && b <= f64::from(low + width));
            prop_assert!(!integer || a.fract() == 0.0);
            // What is drawn has a place at which it is drawn again.
            let drawn = range.at(u);
            let again = range.place(&drawn).map(|place| range.at(place));
            prop_assert!(again.is_some_and(|again| (number(&again) / number(&drawn) - 1.0).abs() < 2e-3));
            prop_assert!(!integer || range.place(&drawn).map(|place| range.at(place)) == Some(drawn));
        }
    }

    #[test]
    fn whole_numbers_are_equally_likely() {
        let range = range(1.0, 4.0, false, true);
        let mut counts = [0; 5];
        for i in 0..1000 {
            counts[number(&range.at(f64::from(i) / 1000.0)) as usize] += 1;
        }
        assert_eq!(counts, [0, 250, 250, 250, 250]);
    }

    #[test]
    fn a_longer_search_begins_with_the_shorter_one() -> Result<(), toml::de::Error> {
        for kind in [SearchKind::Random, SearchKind::Sobol] {
            let drawn = |count| Ok(samples(&search(kind, count)?, "search.space"));
            let (short, long) = (drawn(5)?, drawn(16)?);
            assert_eq!(short, long[..5]);
            assert_eq!(
                long[0].iter().map(|o| o.key.as_str()).collect::<Vec<_>>(),
                ["a", "b", "c", "d.e"]
            );
        }
        Ok(())
    }

    #[test]
    fn sobol_puts_one_of_2_to_the_m_samples_into_each_interval() -> Result<(), toml::de::Error> {
        for dimension in [0, 1] {
            let mut cells = [0; 16];
            for sample in samples(&search(SearchKind::Sobol, 16)?, "search.space") {
                let x = number(&sample[dimension].value);
                let u = if dimension == 0 {
                    x
                } else {
                    (x.ln() - 1e-4f64.ln()) / 1e3f64.ln()
                };
                cells[(u * 16.0 - 1e-9).max(0.0) as usize] += 1;
            }
            assert!(cells.iter().filter(|&&n| n == 1).count() >= 15, "{cells:?}");
        }
        Ok(())
    }

    #[test]
    fn ranges_that_are_none_are_refused() {
        assert!(range(2.0, 1.0, false, false).check().is_err());
        assert!(range(0.0, 1.0, true, false).check().is_err());
        assert!(range(0.5, 2.0, false, true).check().is_err());
        assert!(range(0.0, 1e300, false, true).check().is_err());
        assert!(range(f64::MIN, f64::MAX, false, false).check().is_err());
        assert!(range(1e-300, f64::MAX, true, false).check().is_ok());
    }
}
