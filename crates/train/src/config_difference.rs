//! What differs between two resolved configs, key by key, for a person to read.

use std::collections::BTreeMap;

/// Keys whose values differ, as in `schedule.peak is 0.003, was 0.002`, one after the other.
///
/// Both texts are resolved configs: one `key = value` a line, below `[table]` and `[[array]]`
/// headers.
pub fn difference(was: &str, is: &str) -> String {
    let (was, is) = (values(was), values(is));
    let mut words: Vec<String> = Vec::new();
    for (key, value) in &is {
        match was.get(key) {
            Some(before) if before == value => {}
            Some(before) => words.push(format!("{key} is {value}, was {before}")),
            None => words.push(format!("{key} is {value}, was not there")),
        }
    }
    for (key, value) in was.iter().filter(|(key, _)| !is.contains_key(*key)) {
        words.push(format!("{key} is not there, was {value}"));
    }
    words.join("; ")
}

/// Values by full key; a line that is no key, as inside a text of several lines, goes on with the
/// value before it.
fn values(text: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::<String, String>::new();
    let mut counts = BTreeMap::<&str, usize>::new();
    let (mut table, mut last) = (String::new(), None::<String>);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let header = |open: &str, close: &str| line.strip_prefix(open)?.strip_suffix(close);
        if let Some(name) = header("[[", "]]") {
            let count = counts.entry(name).or_default();
            table = format!("{name}[{count}].");
            *count += 1;
        } else if let Some(name) = header("[", "]") {
            // `[plugins.points]` belongs to the element of `plugins` that was opened last.
            let owner = counts
                .iter()
                .find_map(|(array, count)| Some((array, count, name.strip_prefix(array)?)))
                .filter(|(_, _, rest)| rest.starts_with('.'));
            table = match owner {
                Some((array, count, rest)) => format!("{array}[{}]{rest}.", count - 1),
                None => format!("{name}."),
            };
        } else if let Some((key, value)) = line.split_once(" = ") {
            let key = format!("{table}{key}");
            found.insert(key.clone(), value.to_owned());
            last = Some(key);
        } else if let Some(value) = last.as_ref().and_then(|key| found.get_mut(key)) {
            value.push_str(line);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAS: &str = "seed = 1\n\n[schedule]\npeak = 0.002\n\n[[plugins]]\nkind = \"a\"\n\n\
                       [plugins.points]\ncount = 3\n\n[[plugins]]\nkind = \"b\"\n";

    #[test]
    fn every_changed_key_is_named_with_both_values() {
        let is = WAS
            .replace("0.002", "0.003")
            .replace("count = 3", "count = 4");
        assert_eq!(
            difference(WAS, &is),
            "plugins[0].points.count is 4, was 3; schedule.peak is 0.003, was 0.002"
        );
        assert_eq!(difference(WAS, WAS), "");
    }

    #[test]
    fn keys_that_came_or_went_are_named() {
        let is = WAS
            .replace("\n[[plugins]]\nkind = \"b\"\n", "")
            .replace("seed = 1", "name = \"x\"");
        assert_eq!(
            difference(WAS, &is),
            "name is \"x\", was not there; plugins[1].kind is not there, was \"b\"; \
             seed is not there, was 1"
        );
    }
}
