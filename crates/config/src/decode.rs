//! Making a typed value of a TOML tree, and finding every mistake on the way.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::attempt::{Attempt, Failure, attempt, culprit};
use super::complaint::Complaint;
use super::fill::{fill, is_read, table_that_misses};
use super::hint::{Hint, Hints, Instead, Wrong};
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
    /// The keys that hold something else in the value than in the config, because of a mistake.
    pub(super) doubtful: BTreeSet<KeyPath>,
    /// Keys that hold what stands in the config under another name, and that name.
    pub(super) renamed: BTreeMap<KeyPath, KeyPath>,
}

/// Makes a `T` of `tree`: tries, notes what was wrong, takes it out, and tries again.
///
/// A key that the finished value does not write back, and that may hold anything, was read by nothing: a mistake too.
pub(super) fn decode<T: DeserializeOwned + Serialize>(
    tree: &Value,
    hints: &Hints<'_>,
) -> Decoded<T> {
    let mut repair = Repair::new(tree, hints);
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
                return repair.decoded(Some(value));
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
    repair.decoded(None)
}

/// `key` by the name that it has in the config, where that is another.
pub(super) fn written(renamed: &BTreeMap<KeyPath, KeyPath>, key: &KeyPath) -> KeyPath {
    let as_written = renamed
        .iter()
        .find_map(|(meant, written)| key.rebased(meant, written));
    as_written.unwrap_or_else(|| key.clone())
}

/// A known choice that is spelled like `name`, or all of them.
fn alike_choice(name: &str, known: &[String]) -> Option<Hint> {
    let advice = suggest::advice(name, known, '"')?;
    Some(match suggest::nearest(name, known) {
        Some(near) => Hint::value(advice, near),
        None => Hint::advice(advice),
    })
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

struct Repair<'a> {
    tree: Value,
    hints: &'a Hints<'a>,
    faults: Vec<Fault>,
    /// What was taken out, in order, by its path at that time: to find back to the paths of the config.
    removals: Vec<KeyPath>,
    /// The same by the paths of the config: what is missing there is no mistake of the config.
    removed: BTreeSet<KeyPath>,
    made_up: BTreeSet<KeyPath>,
    doubtful: BTreeSet<KeyPath>,
    /// Keys whose values were replaced by what was probably meant.
    guessed: BTreeSet<KeyPath>,
    renamed: BTreeMap<KeyPath, KeyPath>,
}

impl<'a> Repair<'a> {
    fn new(tree: &Value, hints: &'a Hints<'a>) -> Self {
        Self {
            tree: tree.clone(),
            hints,
            faults: Vec::new(),
            removals: Vec::new(),
            removed: BTreeSet::new(),
            made_up: BTreeSet::new(),
            doubtful: BTreeSet::new(),
            guessed: BTreeSet::new(),
            renamed: BTreeMap::new(),
        }
    }

    fn decoded<T>(self, value: Option<T>) -> Decoded<T> {
        Decoded {
            value,
            faults: self.faults,
            doubtful: self.doubtful,
            renamed: self.renamed,
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

    /// Notes a mistake at `key`, by the name that it has in the config, unless it follows from a repair.
    fn fault(&mut self, key: &KeyPath, message: String, suggestion: Option<String>) {
        if self.is_ours(key) {
            return;
        }
        let key = written(&self.renamed, key);
        let fault = Fault {
            key,
            message,
            suggestion,
        };
        // A guess at what was meant may turn out to be as unknown.
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    fn unknown_key(&mut self, key: KeyPath, known: &[String]) {
        let value = tree::get(&self.tree, &key).cloned();
        let hint = value.and_then(|value| (self.hints)(Wrong::Key, &key, &value));
        let suggestion = match hint {
            Some(hint) => Some(hint.advice),
            None => suggest::advice(key.name().unwrap_or_default(), known, '`'),
        };
        self.fault(&key, "unknown key".to_owned(), suggestion);
    }

    /// Notes what `failure` says, unless it follows from an earlier repair, and takes its cause away; says whether
    /// another attempt can go further.
    fn mend<T: DeserializeOwned>(&mut self, failure: &Failure) -> bool {
        if let Complaint::Missing { name } = &failure.complaint {
            return self.mend_missing::<T>(failure, name);
        }
        let path = culprit::<T>(&self.tree, failure);
        let key = self.original(&path);
        let given = tree::get(&self.tree, &path).cloned();
        let unknown = matches!(failure.complaint, Complaint::UnknownKey { .. });
        let wrong = if unknown { Wrong::Key } else { Wrong::Value };
        let hint = given
            .as_ref()
            .and_then(|value| (self.hints)(wrong, &key, value));
        let hint = hint.or_else(|| match &failure.complaint {
            Complaint::UnknownKey { name, known } => self.alike_key(&path, name, known),
            Complaint::UnknownChoice { name, known } => alike_choice(name, known),
            Complaint::Missing { .. } | Complaint::Other(_) => None,
        });
        let (suggestion, instead) = match hint {
            Some(hint) => (Some(hint.advice), hint.instead),
            None => (None, Instead::Nothing),
        };
        // What is said of a table or an array as a whole, after something was taken out of it, may come from that.
        let follows = matches!(failure.complaint, Complaint::Other(_))
            && self
                .removed
                .iter()
                .any(|inner| inner.is_within(&key) && *inner != key);
        // A table or an array that the key which was guessed does not take is probably something else.
        let is_value = given
            .as_ref()
            .is_some_and(|given| !given.is_table() && !given.is_array());
        let guessed = self.guessed.contains(&key) || (self.renamed.contains_key(&key) && !is_value);
        if !follows && !guessed {
            self.fault(&key, failure.complaint.message(), suggestion);
        }
        if !unknown {
            self.doubtful.insert(key.clone());
        }
        match (instead, given) {
            (Instead::Value(value), Some(_)) if !unknown && self.guessed.insert(key.clone()) => {
                tree::replace(&mut self.tree, &path, value)
            }
            (Instead::Key(meant), Some(given)) if unknown => {
                self.take_out(&path) && {
                    self.rename(&key, &meant, given);
                    true
                }
            }
            _ => self.take_out(&path),
        }
    }

    /// Lets the value of the unknown `key` count as that of `meant`, where that key is free.
    fn rename(&mut self, key: &KeyPath, meant: &KeyPath, value: Value) {
        let canonical = self.original(meant);
        let again = self.renamed.contains_key(&canonical) || self.renamed.contains_key(key);
        if !again
            && tree::get(&self.tree, meant).is_none()
            && tree::insert(&mut self.tree, meant, value)
        {
            self.renamed.insert(canonical, key.clone());
        }
    }

    /// A known key that is spelled like `name`, one that is not set first.
    fn alike_key(&self, path: &KeyPath, name: &str, known: &[String]) -> Option<Hint> {
        let beside = keys_beside(&self.tree, path);
        let (free, set): (Vec<String>, Vec<String>) = known
            .iter()
            .cloned()
            .partition(|name| !beside.contains(name));
        let near = suggest::nearest(name, &free);
        let known = if near.is_some() || set.is_empty() {
            &free
        } else {
            known
        };
        let instead = match (near, path.parent()) {
            (Some(near), Some(table)) => Instead::Key(table.key(near)),
            _ => Instead::Nothing,
        };
        let advice = suggest::advice(name, known, '`')?;
        Some(Hint { advice, instead })
    }

    fn mend_missing<T: DeserializeOwned>(&mut self, failure: &Failure, name: &str) -> bool {
        let table = table_that_misses::<T>(&self.tree, failure, name);
        let path = table.key(name);
        let key = self.original(&path);
        if let Some((given, advice)) = self.given_instead::<T>(&table, name) {
            return self.read_as(&given, &path, advice);
        }
        if !self.removed.contains(&key) {
            self.fault(&key, failure.complaint.message(), None);
        }
        let ours = self.is_ours(&key);
        if fill::<T>(&mut self.tree, &path, ours) {
            self.doubtful.insert(key.clone());
            self.made_up.insert(key);
            return true;
        }
        // Nothing fits: without the whole table, the rest of the config can still be looked at.
        self.doubtful.insert(self.original(&table));
        self.take_out(&table)
    }

    /// The unknown key of `table` that was probably meant for the missing key `name`, and what to do.
    fn given_instead<T: DeserializeOwned>(
        &self,
        table: &KeyPath,
        name: &str,
    ) -> Option<(KeyPath, String)> {
        let values = tree::get(&self.tree, table)?;
        let meant = self.original(&table.key(name));
        if self.removed.contains(&meant) || self.renamed.contains_key(&meant) {
            return None;
        }
        let others = tree::children(table, values);
        let hinted = others.iter().find_map(|(path, value)| {
            let hint = (self.hints)(Wrong::Key, &self.original(path), value)?;
            (hint.instead == Instead::Key(meant.clone())).then(|| (path.clone(), hint.advice))
        });
        hinted.or_else(|| {
            let spelled = |path: &KeyPath| path.name().map(str::to_owned);
            let unread = others
                .iter()
                .filter(|(path, value)| self.is_strange::<T>(path, value, name))
                .filter_map(|(path, _)| spelled(path));
            let unread: Vec<String> = unread.collect();
            let near = suggest::nearest(name, &unread)?;
            Some((table.key(near), format!("did you mean `{name}`?")))
        })
    }

    /// Whether nothing reads the key at `path`, as far as can be told without the key `missing` of its table: as that
    /// key, its value goes further, and the key itself is complained of or ignored.
    fn is_strange<T: DeserializeOwned>(
        &self,
        path: &KeyPath,
        value: &Value,
        missing: &str,
    ) -> bool {
        let (Some(table), Some(name)) = (path.parent(), path.name()) else {
            return false;
        };
        let mut pair = toml::Table::new();
        pair.insert(missing.to_owned(), value.clone());
        pair.insert(name.to_owned(), value.clone());
        let mut tried = self.tree.clone();
        if !tree::replace(&mut tried, &table, Value::Table(pair)) {
            return false;
        }
        let Attempt { result, ignored } = attempt::<T>(&tried);
        match result {
            Err(failure) => match failure.complaint {
                Complaint::UnknownKey { name: unknown, .. } => unknown == name,
                // The choice that decides which keys there are.
                Complaint::UnknownChoice { name: choice, .. } => value.as_str() == Some(&choice),
                Complaint::Missing { .. } | Complaint::Other(_) => ignored.contains(path),
            },
            Ok(_) => ignored.contains(path),
        }
    }

    /// Notes that the key at `given` is unknown, and lets its value count as that of the missing key at `meant`.
    fn read_as(&mut self, given: &KeyPath, meant: &KeyPath, advice: String) -> bool {
        let key = self.original(given);
        self.fault(&key, "unknown key".to_owned(), Some(advice));
        let Some(value) = tree::get(&self.tree, given).cloned() else {
            return false;
        };
        self.take_out(given) && {
            self.rename(&key, meant, value);
            true
        }
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
