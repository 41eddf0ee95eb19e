//! What differs in the configs of runs.

use std::collections::BTreeSet;

use afterimage_track::html::{escape, section, sorted_table};

use super::one::One;
use crate::flat_config::has_effect;

/// A key and its value in each run, as TOML.
type Row = (String, Vec<String>);

/// The keys that are not alike in all runs, and those that are.
pub(super) fn compared(runs: &[One]) -> (Vec<Row>, Vec<Row>) {
    let keys: BTreeSet<&String> = runs.iter().flat_map(|run| run.settings.keys()).collect();
    let row = |key: &String| {
        let of = |run: &One| {
            let value = run.settings.get(key);
            value.map_or_else(|| "–".to_owned(), ToString::to_string)
        };
        (key.clone(), runs.iter().map(of).collect())
    };
    let rows = keys.into_iter().map(row);
    rows.partition(|(_, values): &Row| values.windows(2).any(|pair| pair[0] != pair[1]))
}

/// The section: a table of keys that differ, and the others folded.
pub(super) fn section_of(runs: &[One]) -> String {
    let (differ, same) = compared(runs);
    let names = runs.iter().map(|run| run.name.as_str());
    let header: Vec<&str> = ["key"].into_iter().chain(names).collect();
    let cells = |row: &Row| [row.0.clone()].into_iter().chain(row.1.clone()).collect();
    let mut html = match differ.is_empty() {
        true => "<p>Nothing differs.</p>".to_owned(),
        false => {
            let rows: Vec<Vec<String>> = differ.iter().map(cells).collect();
            sorted_table("settings-that-differ", &header, &rows)
        }
    };
    if !same.is_empty() {
        let rows: Vec<Vec<String>> = same
            .iter()
            .map(|(key, values)| {
                let value = values.first().cloned().unwrap_or_default();
                vec![key.clone(), value]
            })
            .collect();
        let keys = if same.len() == 1 { "key" } else { "keys" };
        html += &format!(
            "<details><summary>{} {keys} with one value in all runs</summary>{}</details>",
            same.len(),
            sorted_table("settings-alike", &["key", "value"], &rows)
        );
    }
    let without: Vec<&str> = differ
        .iter()
        .map(|(key, _)| key.as_str())
        .filter(|key| !has_effect(key))
        .collect();
    let note = match without.is_empty() {
        true => {
            "Values as in the resolved configs; – is a key that a config does not have.".to_owned()
        }
        false => format!(
            "Values as in the resolved configs; – is a key that a config does not have. {} changes no number.",
            escape(&without.join(", "))
        ),
    };
    section("What differs in the configs", &note, &html)
}

#[cfg(test)]
mod tests {
    use super::super::one::tests::run;
    use super::*;

    #[test]
    fn keys_that_differ_stand_beside_each_other_as_toml() {
        let a = run("a", "seed = 1\n[optimizer]\nkind = \"sgd\"\n", &[]);
        let b = run(
            "b",
            "seed = 1\n[optimizer]\nkind = \"lars\"\n[[plugins]]\nkind = \"x\"\nid = \"y\"\n",
            &[],
        );
        let (differ, same) = compared(&[a.clone(), b.clone()]);
        let expected = [
            ("optimizer.kind", ["\"sgd\"", "\"lars\""]),
            ("plugins.y.id", ["–", "\"y\""]),
            ("plugins.y.kind", ["–", "\"x\""]),
        ];
        let expected = expected.map(|(key, values)| {
            let values: Vec<String> = values.map(str::to_owned).to_vec();
            (key.to_owned(), values)
        });
        assert_eq!(differ, expected);
        assert_eq!(same.len(), 1);
        let html = section_of(&[a.clone(), b]);
        assert!(html.contains("1 key with one value") && html.contains("&quot;lars&quot;"));
        assert!(section_of(&[a.clone(), a]).contains("Nothing differs"));
    }
}
