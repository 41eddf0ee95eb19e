//! What differs in the configs of runs.

use std::collections::BTreeSet;

use afterimage_report::{Fold, Section, Table};
use maud::html;

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
pub(super) fn section_of(runs: &[One]) -> Section {
    let (differ, same) = compared(runs);
    let mut note =
        "Values as in the resolved configs; – is a key that a config does not have.".to_owned();
    let keys = differ.iter().map(|(key, _)| key.as_str());
    let without: Vec<&str> = keys.filter(|key| !has_effect(key)).collect();
    if !without.is_empty() {
        note += &format!(" {} changes no number.", without.join(", "));
    }
    let section = Section::new("What differs in the configs").note(note);
    let section = match differ.is_empty() {
        true => section.content(html! { p { "Nothing differs." } }),
        false => section.content(side_by_side(runs, differ)),
    };
    match same.is_empty() {
        true => section,
        false => section.content(alike(same)),
    }
}

/// The keys that differ, a column a run.
fn side_by_side(runs: &[One], rows: Vec<Row>) -> Table {
    let names = runs.iter().map(|run| run.name.as_str());
    let header: Vec<&str> = ["key"].into_iter().chain(names).collect();
    let rows = rows
        .into_iter()
        .map(|(key, values)| [key].into_iter().chain(values));
    Table::new(&header).sorts("settings-that-differ").rows(rows)
}

/// The keys that have one value in all runs.
fn alike(rows: Vec<Row>) -> Fold<Table> {
    let keys = if rows.len() == 1 { "key" } else { "keys" };
    let line = format!("{} {keys} with one value in all runs", rows.len());
    let rows = rows.into_iter().map(|(key, values)| {
        let value = values.into_iter().next().unwrap_or_default();
        [key, value]
    });
    let table = Table::new(&["key", "value"]).sorts("settings-alike");
    Fold::new(line, table.rows(rows))
}

#[cfg(test)]
mod tests {
    use maud::Render as _;

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
        let html = |runs: &[One]| section_of(runs).render().into_string();
        let two = html(&[a.clone(), b]);
        assert!(two.contains("1 key with one value") && two.contains("&quot;lars&quot;"));
        assert!(html(&[a.clone(), a]).contains("Nothing differs"));
    }
}
