//! Whether single precision still tells the numbers of a column apart.

use std::fmt;

use crate::Number;

/// Whole numbers below this are exact in single precision.
const EXACT: f32 = 16_777_216.0;

/// Numbers of a column, from its beginning, that are looked at where they have fractions.
const SAMPLE: usize = 512;

/// What single precision does not tell of a column: a sample of its numbers as they are, and its large ones
/// if all are whole.
#[derive(Debug, Clone, Default)]
pub struct Precision {
    sample: Vec<f64>,
    whole: Whole,
    beyond: Option<Beyond>,
    /// Infinite ones among the numbers as they are held.
    infinite: usize,
}

/// Numbers that single precision cannot hold, which would be infinite in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// How many.
    pub count: usize,
    /// The first, as a text.
    pub first: String,
    /// How many infinite numbers are held before it.
    before: usize,
}

impl Beyond {
    /// The row of the first, in the column that is held as `values`.
    pub fn row(&self, values: impl Iterator<Item = f32>) -> usize {
        let mut infinite = values.enumerate().filter(|(_, value)| value.is_infinite());
        infinite.nth(self.before).map_or(0, |(row, _)| row)
    }

    /// What is wrong and what to do; `place` says where the first stands, as in "line 3".
    pub fn told(&self, place: &str) -> String {
        let Self { count, first, .. } = self;
        let (values, are) = match count {
            1 => ("value", "is"),
            _ => ("values", "are"),
        };
        let place = if place.is_empty() {
            String::new()
        } else {
            format!(", {place}")
        };
        format!(
            "{count} {values} {are} beyond what 32 bits hold (first: {first}{place}); scale them"
        )
    }
}

#[derive(Debug, Clone)]
enum Whole {
    /// Whole so far; those that single precision may round.
    All(Vec<i128>),
    /// With fractions.
    No,
}

impl Default for Whole {
    fn default() -> Self {
        Whole::All(Vec::new())
    }
}

impl Precision {
    /// Takes the next number of a column, held as `single`.
    pub fn push(&mut self, single: f32, exact: impl FnOnce() -> Number) {
        if !single.is_finite() {
            if single.is_infinite() {
                self.take_infinite(exact());
            }
            return;
        }
        let sampled = self.sample.len() < SAMPLE;
        let large = single.abs() >= EXACT && matches!(self.whole, Whole::All(_));
        if single.fract() != 0.0 {
            self.whole = Whole::No;
        }
        if !sampled && !large {
            return;
        }
        let exact = exact();
        if sampled {
            let number = exact.double();
            self.sample.push(number);
            if number.fract() != 0.0 {
                self.whole = Whole::No;
            }
        }
        let Whole::All(all) = &mut self.whole else {
            return;
        };
        match exact {
            _ if !large => {}
            Number::Whole(number) => all.push(number),
            Number::Real(number) if number.fract() == 0.0 && number.abs() < 1e38 => {
                all.push(number as i128);
            }
            Number::Real(_) => self.whole = Whole::No,
        }
    }

    fn take_infinite(&mut self, exact: Number) {
        let first = match exact {
            Number::Real(number) if number.abs() == f64::MAX => "beyond ±1.7e308".to_owned(),
            Number::Real(number) if number.is_finite() => format!("{number:e}"),
            Number::Real(_) => {
                self.infinite += 1;
                return;
            }
            Number::Whole(number) => number.to_string(),
        };
        let before = self.infinite;
        self.infinite += 1;
        let beyond = self.beyond.get_or_insert(Beyond {
            count: 0,
            first,
            before,
        });
        beyond.count += 1;
    }

    /// Finite numbers of the column that are infinite as they are held.
    pub fn beyond(&self) -> Option<&Beyond> {
        self.beyond.as_ref()
    }

    /// The whole numbers of the column, which is held as `values`; none where some have fractions.
    pub fn counts(&self, values: impl Iterator<Item = f32> + Clone) -> Option<Counts> {
        let Whole::All(large) = &self.whole else {
            return None;
        };
        let mut numbers = large.clone();
        let small = values.clone().filter(|number| number.abs() < EXACT);
        numbers.extend(small.map(|number| number as i128));
        let present = numbers.len();
        numbers.sort_unstable();
        numbers.dedup();
        Some(Counts {
            rows: values.count(),
            present,
            different: numbers.len(),
        })
    }

    /// Numbers of the column that fall together: some whole ones, or more than a tenth of the different
    /// ones where they have fractions.
    pub fn blur(&self) -> Option<Blur> {
        match &self.whole {
            Whole::All(all) => {
                let mut sorted = all.clone();
                sorted.sort_unstable();
                sorted.dedup();
                Blur::of(&sorted, |&number| number as f32, ToString::to_string)
            }
            Whole::No => {
                let mut sorted = self.sample.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                sorted.dedup();
                Blur::of(&sorted, |&number| number as f32, ToString::to_string)
                    .filter(|blur| blur.left * 10 < blur.different * 9)
            }
        }
    }
}

/// The whole numbers of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Cells, those without a number among them.
    pub rows: usize,
    /// Numbers.
    pub present: usize,
    /// Numbers that differ.
    pub different: usize,
}

impl Counts {
    /// Whether a column of the name of an id is one: all its numbers differ, and half of the rows have one.
    pub fn are_ids(self) -> bool {
        self.present > 0 && self.present * 2 >= self.rows && self.different == self.present
    }

    /// The sentence about the column `name`, whose name is that of an id, where it is taken as a value, called
    /// `what`.
    pub fn told(self, name: &str, what: &str) -> String {
        let Self {
            rows,
            present,
            different,
        } = self;
        let why = match present * 2 < rows {
            true => format!("{present} of its {rows} cells are numbers"),
            false => format!("{different} of its {present} numbers differ"),
        };
        format!(
            "column `{name}` is taken as a {what}, as {why}, and its name is that of an id; say --ignore {name} \
             if it is one"
        )
    }
}

/// Numbers that single precision cannot tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blur {
    /// Two of them, as texts.
    pub pair: [String; 2],
    /// How many numbers were looked at that differ.
    pub different: usize,
    /// How many of these still differ.
    pub left: usize,
}

impl Blur {
    /// Of numbers in ascending order.
    fn of<T>(
        sorted: &[T],
        single: impl Fn(&T) -> f32,
        text: impl Fn(&T) -> String,
    ) -> Option<Self> {
        let same = |pair: &&[T]| single(&pair[0]) == single(&pair[1]);
        let pair = sorted.windows(2).find(same)?;
        Some(Self {
            pair: [text(&pair[0]), text(&pair[1])],
            different: sorted.len(),
            left: sorted.len() - sorted.windows(2).filter(same).count(),
        })
    }
}

impl fmt::Display for Blur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = &self.pair;
        write!(
            f,
            "numbers are held with 24 bits, which cannot tell {first} from {second}: {} different ones \
             become {}",
            self.different, self.left
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: &[Number]) -> (Precision, Vec<f32>) {
        let (mut precision, mut values) = (Precision::default(), Vec::new());
        for &number in numbers {
            precision.push(number.single(), || number);
            values.push(number.single());
        }
        (precision, values)
    }

    fn whole(numbers: &[i128]) -> (Precision, Vec<f32>) {
        of(&numbers
            .iter()
            .map(|&n| Number::Whole(n))
            .collect::<Vec<_>>())
    }

    fn are_ids(precision: &Precision, values: &[f32]) -> bool {
        let counts = precision.counts(values.iter().copied());
        counts.is_some_and(Counts::are_ids)
    }

    #[test]
    fn ids_with_gaps_and_repeats() {
        let of = |present: usize, different: usize| Counts {
            rows: 100,
            present,
            different,
        };
        for (present, different) in [(100, 100), (99, 99), (50, 50)] {
            assert!(of(present, different).are_ids(), "{present} {different}");
        }
        for (present, different) in [(0, 0), (49, 49), (100, 99), (100, 2)] {
            assert!(!of(present, different).are_ids(), "{present} {different}");
        }
        let told = of(100, 98).told("userId", "feature");
        assert!(told.contains("as 98 of its 100 numbers differ"), "{told}");
        let told = of(30, 30).told("user_id", "feature");
        assert!(
            told.contains("as 30 of its 100 cells are numbers"),
            "{told}"
        );
        let (precision, mut values) = whole(&(0..30).collect::<Vec<_>>());
        values[4] = f32::NAN;
        assert!(are_ids(&precision, &values));
    }

    #[test]
    fn large_whole_numbers() {
        let (precision, values) = whole(&[3, 1_700_000_001, 1_700_000_002, 1_700_000_256]);
        assert!(are_ids(&precision, &values));
        let blur = precision.blur();
        assert_eq!(
            blur.map(|blur| blur.to_string()),
            Some(
                "numbers are held with 24 bits, which cannot tell 1700000001 from 1700000002: 3 \
                 different ones become 2"
                    .to_owned()
            )
        );
        let (precision, values) = whole(&[1_700_000_001, 3, 1_700_000_001]);
        assert!(!are_ids(&precision, &values) && precision.blur().is_none());
        let (precision, values) = whole(&[i128::from(u64::MAX), i128::from(u64::MAX) - 1]);
        assert!(are_ids(&precision, &values) && precision.blur().is_some());
        let (precision, values) = whole(&[2, 1, 3]);
        assert!(are_ids(&precision, &values) && precision.blur().is_none());
    }

    #[test]
    fn numbers_beyond_32_bits() {
        let texts = ["1.5", "inf", "-2e39", "nan", "1e400", "3e38"];
        let numbers: Vec<Number> = texts.iter().map(|text| Number::of_text(text)).collect();
        let (precision, values) = of(&numbers);
        let beyond = precision.beyond();
        assert_eq!(
            beyond.map(|beyond| beyond.told("line 4")),
            Some(
                "2 values are beyond what 32 bits hold (first: -2e39, line 4); scale them"
                    .to_owned()
            )
        );
        let row = beyond.map(|beyond| beyond.row(values.iter().copied()));
        assert_eq!(row, Some(2));
        let far = of(&[Number::of_text("-1e999")]).0;
        let told = far.beyond().map(|beyond| beyond.told(""));
        assert!(
            told.is_some_and(|told| told.starts_with("1 value is") && told.contains("1.7e308"))
        );
        assert_eq!(of(&numbers[..2]).0.beyond(), None);
    }

    #[test]
    fn fractions_and_missing_numbers() {
        let real =
            |numbers: &[f64]| of(&numbers.iter().map(|&n| Number::Real(n)).collect::<Vec<_>>());
        let moments: Vec<f64> = (0..600).map(|n| 19_723.5 + f64::from(n) / 1440.0).collect();
        let blur = real(&moments).0.blur();
        assert!(blur.is_some_and(|blur| blur.different == 512 && blur.left < 300));
        // All of them become one whole number.
        let near: Vec<f64> = (0..9).map(|n| 19_723.0 + f64::from(n) / 1e5).collect();
        assert!(real(&near).0.blur().is_some_and(|blur| blur.left == 1));
        let even: Vec<f64> = (0..600).map(|n| f64::from(n) / 7.0).collect();
        assert_eq!(real(&even).0.blur(), None);
        // Whole texts with a point are whole.
        let (precision, values) = real(&[1e9, f64::NAN, 1e9 + 1.0]);
        assert!(precision.blur().is_some() && are_ids(&precision, &values));
        let (precision, values) = real(&[1.0, 2.5]);
        assert!(!are_ids(&precision, &values));
    }
}
