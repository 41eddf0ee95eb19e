//! One attempt to make a value of a TOML tree, and finding the key that it failed at.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Segment, Track};
use toml::Value;

use super::complaint::Complaint;
use super::key::KeyPath;
use super::tree;

/// What an attempt failed at. Where serde reads a table into a buffer (tagged enums, `flatten`), `at` is that table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    pub(super) at: KeyPath,
    pub(super) complaint: Complaint,
}

/// A value or a failure, and the keys that nothing read.
pub(super) struct Attempt<T> {
    pub(super) result: Result<T, Failure>,
    pub(super) ignored: Vec<KeyPath>,
}

/// Makes a `T` of `tree`.
pub(super) fn attempt<T: DeserializeOwned>(tree: &Value) -> Attempt<T> {
    let mut ignored = Vec::new();
    let mut track = Track::new();
    let tracked = serde_path_to_error::Deserializer::new(tree.clone(), &mut track);
    let mut note = |path: serde_ignored::Path<'_>| ignored.push(ignored_path(&path));
    let result = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note));
    let result = result.map_err(|error: toml::de::Error| Failure {
        at: existing(tree, &tracked_path(&track.path())),
        complaint: Complaint::read(error.message()),
    });
    Attempt { result, ignored }
}

fn tracked_path(path: &serde_path_to_error::Path) -> KeyPath {
    let segments = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(super::key::Segment::Index(*index)),
        Segment::Map { key } | Segment::Enum { variant: key } => {
            Some(super::key::Segment::Key(key.clone()))
        }
        Segment::Unknown => None,
    });
    segments.collect()
}

/// `path`, or the nearest table or array above it that is there.
fn existing(tree: &Value, path: &KeyPath) -> KeyPath {
    let mut path = path.clone();
    while tree::get(tree, &path).is_none() {
        match path.parent() {
            Some(parent) => path = parent,
            None => break,
        }
    }
    path
}

fn ignored_path(path: &serde_ignored::Path<'_>) -> KeyPath {
    use serde_ignored::Path;
    match path {
        Path::Root => KeyPath::root(),
        Path::Seq { parent, index } => ignored_path(parent).index(*index),
        Path::Map { parent, key } => ignored_path(parent).key(key),
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => ignored_path(parent),
    }
}

/// The key that `failure` is about: its path, or a key inside the table that serde had read into a buffer.
pub(super) fn culprit<T: DeserializeOwned>(tree: &Value, failure: &Failure) -> KeyPath {
    let at = &failure.at;
    let below = tree::descendants(tree, at);
    let find = |wanted: &dyn Fn(&KeyPath, &Value) -> bool| {
        below
            .iter()
            .find(|(path, value)| wanted(path, value))
            .map(|(path, _)| path.clone())
    };
    match &failure.complaint {
        // The path may end in the unknown key itself, and a key inside of it may have the same name.
        Complaint::UnknownKey { name, .. } => find(&|path, _| path.name() == Some(name))
            .filter(|path| at.name() != Some(name) || hangs_on::<T>(tree, failure, path)),
        Complaint::UnknownChoice { name, .. } => find(&|_, value| value.as_str() == Some(name))
            .or_else(|| find(&|path, _| path.name() == Some(name))),
        Complaint::Missing { .. } => None,
        Complaint::Other(_) => by_trial::<T>(tree, failure, &below),
    }
    .unwrap_or_else(|| at.clone())
}

/// Keys that are left out to see whether a failure hangs on them; a table with more keys is named as a whole.
const TRIALS: usize = 512;

/// The one of the keys below that the failure hangs on: without it, the attempt goes another way.
fn by_trial<T: DeserializeOwned>(
    tree: &Value,
    failure: &Failure,
    below: &[(KeyPath, &Value)],
) -> Option<KeyPath> {
    let own = tree::get(tree, &failure.at)?;
    if failure.complaint.shows(own)
        && without_content::<T>(tree, &failure.at) == Some(failure.clone())
    {
        return None;
    }
    let shown: Vec<&KeyPath> = below
        .iter()
        .filter(|(_, value)| failure.complaint.shows(value))
        .map(|(path, _)| path)
        .collect();
    let named: Vec<&KeyPath> = below
        .iter()
        .map(|(path, _)| path)
        .filter(|path| {
            path.name()
                .is_some_and(|name| failure.complaint.names(name))
        })
        .collect();
    let tried = match (&shown[..], &named[..]) {
        ([only], _) | ([], [only]) => return Some((*only).clone()),
        ([], []) if own.is_array() => return None,
        ([], []) => below.iter().map(|(path, _)| path).collect(),
        ([], some) | (some, _) => some.to_vec(),
    };
    let mut unsure = None;
    for path in tried.iter().take(TRIALS) {
        let mut without = tree.clone();
        tree::remove(&mut without, path);
        match attempt::<T>(&without).result {
            Err(other) if other == *failure => {}
            // A key that must be there says so whether or not its value was at fault.
            Err(Failure {
                complaint: Complaint::Missing { name },
                ..
            }) if path.name() == Some(&name) => {
                unsure = unsure.or(Some((*path).clone()));
            }
            _ => return Some(innermost::<T>(tree, failure, path)),
        }
    }
    // Several keys with the same wrong value: the first is as good as any, the others come next.
    let same = shown.first().map(|path| (*path).clone());
    unsure.filter(|_| !shown.is_empty()).or(same)
}

/// What fails when the table or array at `path` is empty.
fn without_content<T: DeserializeOwned>(tree: &Value, path: &KeyPath) -> Option<Failure> {
    let mut emptied = tree.clone();
    tree::clear(&mut emptied, path);
    attempt::<T>(&emptied).result.err()
}

/// Whether the attempt goes another way without the key at `path`, other than to miss that key.
fn hangs_on<T: DeserializeOwned>(tree: &Value, failure: &Failure, path: &KeyPath) -> bool {
    let mut without = tree.clone();
    tree::remove(&mut without, path);
    match attempt::<T>(&without).result {
        Ok(_) => true,
        Err(Failure {
            complaint: Complaint::Missing { name },
            ..
        }) => path.name() != Some(&name),
        Err(other) => other != *failure,
    }
}

/// The deepest key inside `path` that the failure hangs on.
fn innermost<T: DeserializeOwned>(tree: &Value, failure: &Failure, path: &KeyPath) -> KeyPath {
    let inside = tree::get(tree, path)
        .map(|value| tree::children(path, value))
        .unwrap_or_default();
    for (child, _) in inside {
        if hangs_on::<T>(tree, failure, &child) {
            return innermost::<T>(tree, failure, &child);
        }
    }
    path.clone()
}
