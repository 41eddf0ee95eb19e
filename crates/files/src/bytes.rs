//! Amounts of memory, as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, as in `512MB` or `2GiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Names of units; the longer names come before those that end them.
const UNITS: [(&str, u64); 9] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000_000 => write!(f, "{:.0} kB", bytes / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.0} MB", bytes / 1e6),
            _ => write!(f, "{:.1} GB", bytes / 1e9),
        }
    }
}

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let unit = UNITS.iter().find(|(name, _)| text.ends_with(name));
        let (number, unit) = match unit {
            Some((name, unit)) => (&text[..text.len() - name.len()], *unit),
            None => (text.strip_suffix('B').unwrap_or(text), 1),
        };
        let number: f64 = number.trim().parse().map_err(|_| {
            format!("{text:?} is no amount of memory; write for example 512MB or 2GiB")
        })?;
        let bytes = number * unit as f64;
        if !(1.0..=9e18).contains(&bytes) {
            return Err(format!(
                "{text:?} is no amount of memory that a machine can have"
            ));
        }
        Ok(Self(bytes as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_with_their_units() {
        for (text, bytes) in [
            ("30MB", 30_000_000),
            ("2 GiB", 2 << 30),
            ("1.5kB", 1500),
            ("4096", 4096),
            ("100B", 100),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)), "{text}");
        }
        for text in ["", "MB", "-3MB", "0", "1e30TB", "many", "NaN", "3 apples"] {
            assert!(text.parse::<Bytes>().is_err(), "{text}");
        }
    }
}
