//! The resolved config: one text that stands for a config and all its defaults.

use serde::Serialize;
use sha2::{Digest, Sha256};
use toml::Value;

/// `value` as TOML with all keys, sorted: equal values give equal bytes, whatever the order of a struct's fields.
///
/// # Errors
/// A value that TOML cannot hold, in words: a whole number above 2⁶³ − 1, a `None` in an array.
pub(super) fn text(value: &impl Serialize) -> Result<String, String> {
    let value = Value::try_from(value).map_err(|error| error.to_string())?;
    toml::to_string(&sorted(value)).map_err(|error| error.to_string())
}

/// The table's keys in order, also where another crate makes TOML tables keep the order of insertion.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(array) => Value::Array(array.into_iter().map(sorted).collect()),
        Value::Table(table) => {
            let mut pairs: Vec<(String, Value)> = table.into_iter().collect();
            pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Table(
                pairs
                    .into_iter()
                    .map(|(name, value)| (name, sorted(value)))
                    .collect(),
            )
        }
        other => other,
    }
}

/// The SHA-256 of `text`: 64 hex digits.
pub(super) fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_sha256() {
        assert_eq!(
            digest("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn keys_are_sorted_and_the_text_is_plain_toml() -> Result<(), Box<dyn std::error::Error>> {
        let given: toml::Table = toml::from_str(
            "z = 1\n[b]\ny = 1.0\nx = \"é\\n\"\n[[a]]\nk = [1, 2]\n[a.c]\nd = 1e-7\n[[a]]\n",
        )?;
        let written = text(&given)?;
        assert_eq!(
            written,
            "z = 1\n\n[[a]]\nk = [1, 2]\n\n[a.c]\nd = 0.0000001\n\n[[a]]\n\n[b]\nx = \"\"\"\né\n\"\"\"\ny = 1.0\n"
        );
        Ok(())
    }

    #[test]
    fn what_toml_cannot_hold_is_told() {
        let too_big = std::collections::BTreeMap::from([("seed", u64::MAX)]);
        assert!(text(&too_big).is_err());
    }
}
