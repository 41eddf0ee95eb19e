//! What pandas leaves in files beside the values: the index of the frame, and columns without names.

use std::collections::BTreeSet;

use serde_json::Value;

/// The columns of the frame's index, of the file's columns: those that the metadata of pandas names, and
/// those that pyarrow names `__index_level_0__` and so on. A range that is stored as metadata alone
/// is no column.
pub(crate) fn index(metadata: Option<&str>, names: &[&str]) -> BTreeSet<usize> {
    let mut told: Vec<String> = Vec::new();
    if let Some(Value::Object(metadata)) = metadata.and_then(|text| serde_json::from_str(text).ok())
        && let Some(Value::Array(columns)) = metadata.get("index_columns")
    {
        let named = |column: &Value| column.as_str().map(str::to_owned);
        told.extend(columns.iter().filter_map(named));
    }
    let unnamed = |name: &str| {
        let level = name
            .strip_prefix("__index_level_")
            .and_then(|name| name.strip_suffix("__"));
        level.is_some_and(|level| !level.is_empty() && level.bytes().all(|b| b.is_ascii_digit()))
    };
    (0..names.len())
        .filter(|&at| unnamed(names[at]) || told.iter().any(|name| name == names[at]))
        .collect()
}

/// Whether the cells of a line are `0`, `1`, `2` and so on, as pandas names columns that have no names.
pub fn numbers_columns<'a>(cells: impl IntoIterator<Item = &'a str>) -> bool {
    let mut count = 0;
    cells.into_iter().all(|cell| {
        let same = cell.parse() == Ok(count) && !cell.starts_with('+');
        count += 1;
        same
    }) && count > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_is_told_by_metadata_or_by_its_name() {
        let names = ["a", "key", "__index_level_0__", "__index_level_x__"];
        let of = |text| index(text, &names).into_iter().collect::<Vec<_>>();
        assert_eq!(of(None), [2]);
        assert_eq!(of(Some("{\"index_columns\": [\"key\"]}")), [1, 2]);
        let range = "{\"index_columns\": [{\"kind\": \"range\", \"name\": \"a\"}]}";
        assert_eq!(of(Some(range)), [2]);
        assert_eq!(of(Some("no json")), [2]);
    }

    #[test]
    fn numbered_columns() {
        assert!(numbers_columns(["0", "1", "2"]));
        assert!(!numbers_columns(["0", "1.0"]));
        assert!(!numbers_columns(["1", "2"]));
        assert!(!numbers_columns([]));
    }
}
