//! Trials that saw other images than those that they are held against.

use std::collections::{BTreeMap, btree_map};

use afterimage_files::{SMALL, read_text};
use afterimage_sweep::{Folder, Results, State};
use toml::{Table, Value};

use crate::run_dir::data_digest;

/// Trials that are named in a note.
const NAMED: usize = 3;

/// What a config says of the images of its run; none where it cannot be read. Labels that are made wrong and planted
/// images hang on the seed, too.
fn told(config: &str) -> Option<String> {
    let config: Table = toml::from_str(config).ok()?;
    let of = |keys: &[&str]| -> Vec<Option<String>> {
        let values = keys.iter().map(|key| config.get(*key));
        values.map(|value| value.map(Value::to_string)).collect()
    };
    let mut keys = of(&["data", "limits"]);
    let drawn = of(&["label_noise", "doses"]);
    if drawn.iter().any(Option::is_some) {
        keys.extend(drawn);
        keys.extend(of(&["seed", "pair"]));
    }
    Some(format!("{keys:?}"))
}

/// `results` with a note for each kind of images under whose name trials that are done saw different ones: a file
/// that changed while the sweep was under way.
#[must_use]
pub fn noted(mut results: Results, folder: &Folder) -> Results {
    // The digest and the trial that came first, and the trials with another digest.
    let mut seen: BTreeMap<String, (String, &str, Vec<&str>)> = BTreeMap::new();
    for row in &results.rows {
        if row.standing.state != State::Done || row.foreign.is_some() {
            continue;
        }
        let name = row.trial.as_str();
        let config = read_text(&folder.config(name), SMALL).ok();
        let Some(key) = config.and_then(|text| told(&text)) else {
            continue;
        };
        let Some(digest) = data_digest(&folder.run(name)) else {
            continue;
        };
        match seen.entry(key) {
            btree_map::Entry::Vacant(new) => {
                new.insert((digest, name, Vec::new()));
            }
            btree_map::Entry::Occupied(known) => {
                let (first, _, others) = known.into_mut();
                if *first != digest {
                    others.push(name);
                }
            }
        }
    }
    let notes: Vec<String> = seen
        .into_values()
        .filter(|(_, _, others)| !others.is_empty())
        .map(|(_, first, others)| note(first, &others))
        .collect();
    results.notes.extend(notes);
    results
}

fn note(first: &str, others: &[&str]) -> String {
    let named = others
        .iter()
        .take(NAMED)
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let more = match others.len() > NAMED {
        true => format!(" and {} more", others.len() - NAMED),
        false => String::new(),
    };
    format!(
        "The images changed while the sweep was under way: {named}{more} saw others than {first}, under the same \
         [data] (data_sha256 in their manifest.json). Means and differences over both are of nothing; run the sweep \
         in a new folder."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_images_is_data_and_limits_and_what_is_drawn_by_seed() {
        let plain = "seed = 1\n[data]\nkind = \"embedded\"\n";
        assert_eq!(told(plain), told(&plain.replace('1', "2")));
        assert_ne!(told(plain), told(&format!("{plain}[limits]\ntrain = 3\n")));
        let noisy = format!("{plain}[label_noise]\nfraction = 0.1\n");
        assert_ne!(told(&noisy), told(&noisy.replace("seed = 1", "seed = 2")));
        assert_eq!(told("seed = "), None);
    }

    #[test]
    fn a_note_names_a_few() {
        let text = note("a", &["b", "c", "d", "e"]);
        assert!(
            text.contains("b, c, d and 1 more saw others than a"),
            "{text}"
        );
    }
}
