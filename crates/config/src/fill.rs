//! Standing in for keys that are missing, so that the search for mistakes can go on behind them.

use serde::de::DeserializeOwned;
use toml::Value;

use super::attempt::{Failure, attempt};
use super::complaint::Complaint;
use super::key::KeyPath;
use super::tree;

/// Deeper than any schema nests tables that have no default.
const DEPTH: usize = 6;

/// Longer than any array of a fixed length in a schema.
const LENGTH: usize = 64;

/// More keys without default than any table has.
const KEYS: usize = 64;

/// The table that misses a key named `name`: the one where the failure was seen, or one that serde had read into a
/// buffer with it.
pub(super) fn table_that_misses<T: DeserializeOwned>(
    tree: &Value,
    failure: &Failure,
    name: &str,
) -> KeyPath {
    let below = tree::descendants(tree, &failure.at);
    let tables = below
        .into_iter()
        .filter(|(_, value)| value.is_table())
        .map(|(path, _)| path);
    std::iter::once(failure.at.clone())
        .chain(tables)
        .find(|table| {
            stand_ins().into_iter().any(|value| {
                let mut tried = tree.clone();
                tree::insert(&mut tried, &table.key(name), value)
                    && match attempt::<T>(&tried).result {
                        Ok(_) => true,
                        Err(other) if other == *failure => false,
                        Err(Failure {
                            complaint: Complaint::UnknownKey { name: other, .. },
                            ..
                        }) => other != name,
                        Err(_) => true,
                    }
            })
        })
        .unwrap_or_else(|| failure.at.clone())
}

fn stand_ins() -> Vec<Value> {
    vec![
        Value::Integer(1),
        Value::Boolean(true),
        Value::Float(0.5),
        Value::String("text".to_owned()),
        Value::Array(Vec::new()),
        Value::Table(toml::Table::new()),
    ]
}

/// Puts some value that the type takes at `at`; leaves `tree` as it was and says no when none is found.
///
/// The choice of an enum's variant is made only where the whole table is ours to fill.
pub(super) fn fill<T: DeserializeOwned>(tree: &mut Value, at: &KeyPath, ours: bool) -> bool {
    fill_to_depth::<T>(tree, at, ours, DEPTH)
}

fn fill_to_depth<T: DeserializeOwned>(
    tree: &mut Value,
    at: &KeyPath,
    ours: bool,
    depth: usize,
) -> bool {
    let mut candidates = stand_ins();
    let mut next = 0;
    while let Some(candidate) = candidates.get(next).cloned() {
        next += 1;
        let is_table = candidate.is_table();
        let mut tried = tree.clone();
        tree::insert(&mut tried, at, candidate);
        for _ in 0..KEYS {
            match attempt::<T>(&tried).result {
                Err(failure) if concerns(&failure, at) => {
                    if let Some(length) = failure
                        .complaint
                        .wanted_length()
                        .filter(|&n| (1..=LENGTH).contains(&n))
                    {
                        candidates.extend(
                            stand_ins()
                                .into_iter()
                                .map(|value| Value::Array(vec![value; length])),
                        );
                    }
                    match failure.complaint {
                        Complaint::UnknownChoice { known, .. }
                            if next <= stand_ins().len() && (ours || failure.at.is_within(at)) =>
                        {
                            candidates.extend(known.into_iter().map(Value::String));
                        }
                        Complaint::Missing { ref name } if is_table && depth > 0 => {
                            let table = table_that_misses::<T>(&tried, &failure, name);
                            if fill_to_depth::<T>(&mut tried, &table.key(name), true, depth - 1) {
                                continue;
                            }
                        }
                        _ => {}
                    }
                    break;
                }
                _ => {
                    *tree = tried;
                    return true;
                }
            }
        }
    }
    false
}

/// Whether `failure` is about the value at `at`.
fn concerns(failure: &Failure, at: &KeyPath) -> bool {
    if failure.at.is_within(at) {
        return true;
    }
    // Inside a table that serde had read into a buffer, only another missing key is surely another matter.
    let missing_other =
        matches!(&failure.complaint, Complaint::Missing { name } if at.name() != Some(name));
    at.is_within(&failure.at) && !missing_other
}

/// Whether the type reads the key at `path`: then there is something that it does not take there.
///
/// Tells a key that is read and not written back (an alias, an empty list that is left out) from one that is ignored.
pub(super) fn is_read<T: DeserializeOwned>(tree: &Value, path: &KeyPath) -> bool {
    stand_ins().into_iter().any(|value| {
        let mut tried = tree.clone();
        tree::insert(&mut tried, path, value) && attempt::<T>(&tried).result.is_err()
    })
}
