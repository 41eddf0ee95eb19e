//! Whether the first line of a table, which is taken for names, is a row.

use afterimage_table::{even_step, is_unnamed, numbers_columns, says_missing};

/// What stands below a cell of the first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Below {
    /// Numbers alone.
    Numbers,
    /// Texts; whether the cell is `again` one of them.
    Texts {
        /// It is.
        again: bool,
    },
    /// Nothing that is known.
    Unknown,
}

/// Whether a first line may as well be a row: no column of numbers has a text above it and some have numbers
/// there that are no such names as pandas and tables of years have; or there are texts alone, and each of the
/// first line is one of those below it.
pub(super) fn seems_row(names: &[String], below: &[Below]) -> bool {
    // An index stands below names.
    if names.first().is_some_and(|name| is_unnamed(name)) {
        return false;
    }
    let over = |wanted: Below| {
        let pairs = names.iter().zip(below);
        pairs.filter_map(move |(name, below)| (*below == wanted).then_some(name.as_str()))
    };
    if over(Below::Numbers).next().is_none() {
        let again = Below::Texts { again: true };
        return names.len() > 1 && below.iter().all(|below| *below == again);
    }
    let is_cell = |name: &str| name.parse::<f64>().is_ok() || says_missing(name);
    let numbers: Vec<&str> = over(Below::Numbers)
        .filter(|name| name.parse::<f64>().is_ok_and(f64::is_finite))
        .collect();
    !numbers.is_empty() && over(Below::Numbers).all(is_cell) && !are_names(&numbers)
}

/// Whether numbers are names of columns, as `0`, `1`, `2` and as years or wavelengths, each as far from the
/// one before it.
fn are_names(numbers: &[&str]) -> bool {
    if numbers_columns(numbers.iter().copied()) {
        return true;
    }
    let numbers: Vec<f64> = numbers
        .iter()
        .filter_map(|text| text.parse().ok())
        .collect();
    even_step(&numbers).is_some_and(|step| numbers.len() > 2 || step == 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seems(line: &str, below: &str) -> bool {
        let names: Vec<String> = line.split(',').map(str::to_owned).collect();
        let below: Vec<Below> = below
            .chars()
            .map(|kind| match kind {
                'n' => Below::Numbers,
                't' => Below::Texts { again: false },
                'a' => Below::Texts { again: true },
                _ => Below::Unknown,
            })
            .collect();
        assert_eq!(names.len(), below.len(), "{line}");
        seems_row(&names, &below)
    }

    #[test]
    fn rows_and_names() {
        for (line, below) in [
            ("5.1,3.5,1.4,0.2,setosa", "nnnna"),
            ("5.1,3.5,1.4,0.2,setosa", "nnnnt"),
            ("6,148,72,35,0,1", "nnnnnn"),
            ("39,Private,77516,", "natn"),
            ("5,yes", "na"),
            ("x,s,n", "aaa"),
        ] {
            assert!(seems(line, below), "{line}");
        }
        for (line, below) in [
            ("a,b,y", "nna"),
            ("0,1,2,y", "nnnt"),
            ("0,y", "nt"),
            ("1,2,y", "nnt"),
            ("2018,2019,y", "nnt"),
            ("400.5,401,401.5,y", "nnnt"),
            ("2015,2017,2018,total", "nnnn"),
            (",3,7", "nnn"),
            ("x,s,n", "aat"),
            ("no", "a"),
            ("7,y", "?t"),
        ] {
            assert!(!seems(line, below), "{line}");
        }
    }
}
