//! Units by group, as a user writes them in a JSON file.

use std::fmt;

use afterimage_hooks::Structure;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

/// Groups with their units, in the order of the file; none twice.
#[derive(Debug)]
struct Written(Vec<(String, Vec<usize>)>);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(Groups)
    }
}

struct Groups;

impl<'de> Visitor<'de> for Groups {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unit numbers by group, as in {\"encoder.layer2\": [0, 3]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if groups.iter().any(|(there, _)| *there == name) {
                return Err(A::Error::custom(format!(
                    "the group {name:?} stands there twice; give its units in one list"
                )));
            }
            groups.push((name, map.next_value()?));
        }
        Ok(Written(groups))
    }
}

/// Channels of sites that go with the units which `text` names, by the place of their group in `structure`.
///
/// # Errors
/// No such JSON, a group twice, one that is not there, a unit that the group does not have: what is wrong.
pub(crate) fn channels(
    text: &str,
    structure: &Structure,
) -> Result<Vec<(usize, Vec<usize>)>, String> {
    let Written(groups) = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for (name, units) in groups {
        let place = structure.groups.iter().position(|group| group.name == name);
        let Some(place) = place else {
            let names: Vec<&str> = structure.groups.iter().map(|g| g.name.as_str()).collect();
            return Err(format!(
                "there is no group {name:?}; there are {}",
                names.join(", ")
            ));
        };
        let group = &structure.groups[place];
        if let Some(unit) = units.iter().find(|unit| **unit >= group.units) {
            let what = match group.channels {
                1 => "units",
                _ => "heads",
            };
            let last = group.units.saturating_sub(1);
            return Err(format!("{name} has {what} 0 to {last}, not {unit}"));
        }
        let channels = units.iter().flat_map(|&unit| group.channels_of(unit));
        found.push((place, channels.collect()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use afterimage_hooks::UnitGroup;

    use super::*;

    fn structure() -> Structure {
        let group = |name: &str, units, channels| UnitGroup {
            name: name.to_owned(),
            units,
            channels,
            sites: Vec::new(),
            masked_at: Vec::new(),
            embeds: false,
        };
        Structure {
            groups: vec![group("a", 4, 1), group("b.heads", 3, 64)],
            ..Structure::default()
        }
    }

    #[test]
    fn units_become_channels() {
        let found = channels(
            "{\"b.heads\": [2], \"a\": [3, 0], \"a2\": []}",
            &structure(),
        );
        assert!(found.unwrap_err().contains("there are a, b.heads"));
        let found = channels("{\"b.heads\": [2], \"a\": [3, 0]}", &structure()).unwrap();
        assert_eq!(
            found,
            [(1, (128..192).collect::<Vec<_>>()), (0, vec![3, 0])]
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, words) in [
            ("{\"a\": [4]}", "a has units 0 to 3, not 4"),
            ("{\"b.heads\": [3]}", "b.heads has heads 0 to 2, not 3"),
            (
                "{\"a\": [18446744073709551615]}",
                "a has units 0 to 3, not 18446744073709551615",
            ),
            (
                "{\"b.heads\": [288230376151711744]}",
                "heads 0 to 2, not 288230376151711744",
            ),
            ("{\"a\": [0], \"a\": [1]}", "\"a\" stands there twice"),
            ("{\"a\": [-1]}", "-1"),
            ("[0]", "unit numbers by group"),
        ] {
            let told = channels(text, &structure()).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
