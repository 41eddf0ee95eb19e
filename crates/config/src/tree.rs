//! Reading and editing a TOML value by key path.

use toml::Value;

use super::key::{KeyPath, Segment};

/// The value at `path`.
pub(super) fn get<'a>(tree: &'a Value, path: &KeyPath) -> Option<&'a Value> {
    path.segments().iter().try_fold(tree, step)
}

fn step<'a>(value: &'a Value, segment: &Segment) -> Option<&'a Value> {
    match (value, segment) {
        (Value::Table(table), Segment::Key(name)) => table.get(name),
        (Value::Array(array), Segment::Index(index)) => array.get(*index),
        _ => None,
    }
}

fn get_mut<'a>(tree: &'a mut Value, path: &KeyPath) -> Option<&'a mut Value> {
    path.segments()
        .iter()
        .try_fold(tree, |value, segment| match (value, segment) {
            (Value::Table(table), Segment::Key(name)) => table.get_mut(name),
            (Value::Array(array), Segment::Index(index)) => array.get_mut(*index),
            _ => None,
        })
}

/// Takes the value at `path` out; later elements of an array move up. Nothing happens when there is none.
pub(super) fn remove(tree: &mut Value, path: &KeyPath) -> bool {
    let (Some(parent), Some(last)) = (path.parent(), path.last()) else {
        return false;
    };
    match (get_mut(tree, &parent), last) {
        (Some(Value::Table(table)), Segment::Key(name)) => table.remove(name).is_some(),
        (Some(Value::Array(array)), Segment::Index(index)) if *index < array.len() => {
            array.remove(*index);
            true
        }
        _ => false,
    }
}

/// Puts `value` under the key at `path`, whose table must be there already; says whether it was.
pub(super) fn insert(tree: &mut Value, path: &KeyPath, value: Value) -> bool {
    let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
        return false;
    };
    match get_mut(tree, &parent) {
        Some(Value::Table(table)) => {
            table.insert(name.to_owned(), value);
            true
        }
        _ => false,
    }
}

/// Puts `value` in the place of the value at `path`; says whether there was one.
pub(super) fn replace(tree: &mut Value, path: &KeyPath, value: Value) -> bool {
    match get_mut(tree, path) {
        Some(there) => {
            *there = value;
            true
        }
        None => false,
    }
}

/// Takes all out of the table or array at `path`.
pub(super) fn clear(tree: &mut Value, path: &KeyPath) {
    match get_mut(tree, path) {
        Some(Value::Table(table)) => table.clear(),
        Some(Value::Array(array)) => array.clear(),
        _ => {}
    }
}

/// The values directly inside the table or array `value` at `path`.
pub(super) fn children<'a>(path: &KeyPath, value: &'a Value) -> Vec<(KeyPath, &'a Value)> {
    match value {
        Value::Table(table) => table.iter().map(|(name, v)| (path.key(name), v)).collect(),
        Value::Array(array) => array
            .iter()
            .enumerate()
            .map(|(i, v)| (path.index(i), v))
            .collect(),
        _ => Vec::new(),
    }
}

/// Everything below `path`, shallow before deep.
pub(super) fn descendants<'a>(tree: &'a Value, path: &KeyPath) -> Vec<(KeyPath, &'a Value)> {
    let mut found: Vec<(KeyPath, &Value)> = get(tree, path)
        .map(|value| children(path, value))
        .unwrap_or_default();
    let mut next = 0;
    while let Some((at, value)) = found.get(next) {
        let below = children(at, value);
        found.extend(below);
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Result<Value, toml::de::Error> {
        toml::from_str::<toml::Table>("a = 1\n[[b]]\nc = 2\n[[b]]\nc = 3").map(Value::Table)
    }

    #[test]
    fn values_are_found_and_removed_by_path() -> Result<(), Box<dyn std::error::Error>> {
        let mut tree = sample()?;
        let first = "b[0]".parse()?;
        assert_eq!(get(&tree, &"b[1].c".parse()?), Some(&Value::Integer(3)));
        assert_eq!(get(&tree, &"a.c".parse()?), None);
        assert!(remove(&mut tree, &first));
        assert_eq!(get(&tree, &"b[0].c".parse()?), Some(&Value::Integer(3)));
        assert!(remove(&mut tree, &first));
        assert!(!remove(&mut tree, &first));
        Ok(())
    }

    #[test]
    fn descendants_come_shallow_first() -> Result<(), Box<dyn std::error::Error>> {
        let tree = sample()?;
        let paths: Vec<String> = descendants(&tree, &KeyPath::root())
            .iter()
            .map(|(p, _)| p.to_string())
            .collect();
        assert_eq!(paths, ["a", "b", "b[0]", "b[1]", "b[0].c", "b[1].c"]);
        Ok(())
    }
}
