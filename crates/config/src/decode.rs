//! Making a typed value of a TOML tree, and finding every mistake on the way.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::attempt::{Attempt, Failure, attempt, culprit};
use super::complaint::Complaint;
use super::fill::{fill, is_read, table_that_misses};
use super::key::{KeyPath, Segment};
use super::suggest;
use super::tree;

/// As many mistakes as are told at once.
pub(super) const MOST: usize = 50;

/// More repairs than mistakes and what follows from them need.
const REPAIRS: usize = 4 * MOST;

/// A mistake at a key of the config.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) key: KeyPath,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

/// What came of a tree.
pub(super) struct Decoded<T> {
    /// The value; where there are faults, with defaults in the place of what was wrong. `None` when that cannot be.
    pub(super) value: Option<T>,
    /// The mistakes, in the order found.
    pub(super) faults: Vec<Fault>,
    /// Whether keys without a default had to be made up: then the value says nothing about the config.
    pub(super) made_up: bool,
}

/// Makes a `T` of `tree`: tries, notes what was wrong, takes it out, and tries again.
///
/// A key that the finished value does not write back, and that may hold anything, was read by nothing: a mistake too.
pub(super) fn decode<T: DeserializeOwned + Serialize>(tree: &Value) -> Decoded<T> {
    let mut repair = Repair::new(tree);
    let mut unread = BTreeSet::new();
    for _ in 0..REPAIRS {
        if repair.faults.len() >= MOST {
            break;
        }
        let Attempt { result, ignored } = attempt::<T>(&repair.tree);
        match result {
            Ok(value) => {
                if let Ok(written) = Value::try_from(&value) {
                    let ignored = ignored.into_iter().collect();
                    repair.unread::<T>(&KeyPath::root(), &written, &ignored);
                }
                return Decoded {
                    value: Some(value),
                    made_up: !repair.made_up.is_empty(),
                    faults: repair.faults,
                };
            }
            Err(failure) => {
                unread.extend(ignored.iter().map(|path| repair.original(path)));
                if !repair.mend::<T>(&failure) {
                    break;
                }
            }
        }
    }
    for key in unread {
        repair.unknown_key(key, &[]);
    }
    Decoded {
        value: None,
        made_up: !repair.made_up.is_empty(),
        faults: repair.faults,
    }
}

fn keys_beside(tree: &Value, path: &KeyPath) -> Vec<String> {
    let table = path
        .parent()
        .and_then(|parent| tree::get(tree, &parent))
        .and_then(Value::as_table);
    table
        .map(|table| table.keys().cloned().collect())
        .unwrap_or_default()
}

struct Repair {
    tree: Value,
    faults: Vec<Fault>,
    /// What was taken out, in order, by its path at that time: to find back to the paths of the config.
    removals: Vec<KeyPath>,
    /// The same by the paths of the config: what is missing there is no mistake of the config.
    removed: BTreeSet<KeyPath>,
    made_up: BTreeSet<KeyPath>,
}

impl Repair {
    fn new(tree: &Value) -> Self {
        Self {
            tree: tree.clone(),
            faults: Vec::new(),
            removals: Vec::new(),
            removed: BTreeSet::new(),
            made_up: BTreeSet::new(),
        }
    }

    /// The path in the config of what now stands at `path`: elements behind one that was taken out have moved up.
    fn original(&self, path: &KeyPath) -> KeyPath {
        self.removals
            .iter()
            .rev()
            .fold(path.clone(), |path, removed| {
                let depth = removed.segments().len() - 1;
                match (removed.segments().get(depth), path.segments().get(depth)) {
                    (Some(Segment::Index(gone)), Some(Segment::Index(now)))
                        if gone <= now
                            && path.segments()[..depth] == removed.segments()[..depth] =>
                    {
                        path.shifted(depth)
                    }
                    _ => path,
                }
            })
    }

    fn take_out(&mut self, path: &KeyPath) -> bool {
        let key = self.original(path);
        let there = tree::remove(&mut self.tree, path);
        if there {
            self.removals.push(path.clone());
            self.removed.insert(key);
        }
        there
    }

    fn is_ours(&self, key: &KeyPath) -> bool {
        self.made_up.iter().any(|made| key.is_within(made))
    }

    fn unknown_key(&mut self, key: KeyPath, known: &[String]) {
        if !self.is_ours(&key) {
            let suggestion = suggest::advice(key.name().unwrap_or_default(), known, '`');
            self.faults.push(Fault {
                key,
                message: "unknown key".to_owned(),
                suggestion,
            });
        }
    }

    /// Notes what `failure` says, unless it follows from an earlier repair, and takes its cause away; says whether
    /// another attempt can go further.
    fn mend<T: DeserializeOwned>(&mut self, failure: &Failure) -> bool {
        if let Complaint::Missing { name } = &failure.complaint {
            return self.mend_missing::<T>(failure, name);
        }
        let path = culprit::<T>(&self.tree, failure);
        let key = self.original(&path);
        let suggestion = match &failure.complaint {
            Complaint::UnknownKey { name, known } => {
                let beside = keys_beside(&self.tree, &path);
                let (free, set): (Vec<String>, Vec<String>) = known
                    .iter()
                    .cloned()
                    .partition(|name| !beside.contains(name));
                let known = if suggest::nearest(name, &free).is_some() || set.is_empty() {
                    &free
                } else {
                    known
                };
                suggest::advice(name, known, '`')
            }
            Complaint::UnknownChoice { name, known } => suggest::advice(name, known, '"'),
            Complaint::Missing { .. } | Complaint::Other(_) => None,
        };
        // What is said of a table or an array as a whole, after something was taken out of it, may come from that.
        let follows = matches!(failure.complaint, Complaint::Other(_))
            && self
                .removed
                .iter()
                .any(|inner| inner.is_within(&key) && *inner != key);
        if !follows && !self.is_ours(&key) {
            self.faults.push(Fault {
                key,
                message: failure.complaint.message(),
                suggestion,
            });
        }
        self.take_out(&path)
    }

    fn mend_missing<T: DeserializeOwned>(&mut self, failure: &Failure, name: &str) -> bool {
        let table = table_that_misses::<T>(&self.tree, failure, name);
        let path = table.key(name);
        let key = self.original(&path);
        if !self.removed.contains(&key) && !self.is_ours(&key) {
            let message = failure.complaint.message();
            self.faults.push(Fault {
                key: key.clone(),
                message,
                suggestion: None,
            });
        }
        let ours = self.is_ours(&key);
        if fill::<T>(&mut self.tree, &path, ours) {
            self.made_up.insert(key);
            return true;
        }
        // Nothing fits: without the whole table, the rest of the config can still be looked at.
        self.take_out(&table)
    }

    /// Notes the keys that stand in the tree and are ignored, or neither written back nor read.
    fn unread<T: DeserializeOwned>(
        &mut self,
        path: &KeyPath,
        written: &Value,
        ignored: &BTreeSet<KeyPath>,
    ) {
        let Some(read) = tree::get(&self.tree, path).cloned() else {
            return;
        };
        for (child, value) in tree::children(path, &read) {
            if self.faults.len() >= MOST {
                return;
            }
            let back = child.last().and_then(|segment| match segment {
                Segment::Key(name) => written.get(name),
                Segment::Index(index) => written.get(*index),
            });
            match (back, written.as_table()) {
                (None, Some(table)) if read.is_table() && !is_read::<T>(&self.tree, &child) => {
                    let known: Vec<String> = table.keys().cloned().collect();
                    self.unknown_key(self.original(&child), &known);
                }
                _ if ignored.contains(&child) => self.unknown_key(self.original(&child), &[]),
                (Some(back), _) if value.is_table() || value.is_array() => {
                    self.unread::<T>(&child, back, ignored)
                }
                _ => {}
            }
        }
    }
}
