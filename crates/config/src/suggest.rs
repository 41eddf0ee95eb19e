//! What was probably meant.

/// As many names as a message can list and still be read.
const LISTED: usize = 16;

/// The candidate nearest to `given`, if one is near enough to be a slip of the hand.
pub fn nearest<'a>(given: &str, candidates: &'a [String]) -> Option<&'a str> {
    let fold = |name: &str| name.to_lowercase().replace(['-', ' '], "_");
    let given = fold(given);
    let allowed = (given.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|name| {
            (
                strsim::damerau_levenshtein(&given, &fold(name)),
                name.as_str(),
            )
        })
        .filter(|&(distance, name)| distance <= allowed && distance < name.chars().count())
        .min()
        .map(|(_, name)| name)
}

/// A sentence that names the nearest candidate, or lists all of them; `None` when there are none.
///
/// `quote` is put around each name: `` ` `` for keys, `"` for values.
pub(super) fn advice(given: &str, candidates: &[String], quote: char) -> Option<String> {
    if let Some(name) = nearest(given, candidates) {
        return Some(format!("did you mean {quote}{name}{quote}?"));
    }
    let mut names: Vec<&str> = candidates.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let more = if names.len() > LISTED { ", …" } else { "" };
    let listed: Vec<String> = names
        .iter()
        .take(LISTED)
        .map(|name| format!("{quote}{name}{quote}"))
        .collect();
    (!listed.is_empty()).then(|| format!("known here: {}{more}", listed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn slips_are_recognised_and_other_words_are_not() {
        let known = names("temperature batch_size seed lr");
        assert_eq!(nearest("temprature", &known), Some("temperature"));
        assert_eq!(nearest("batch-size", &known), Some("batch_size"));
        assert_eq!(nearest("Seed", &known), Some("seed"));
        assert_eq!(nearest("sede", &known), Some("seed"));
        assert_eq!(nearest("momentum", &known), None);
        assert_eq!(nearest("x", &names("y z")), None);
    }

    #[test]
    fn without_a_near_name_all_are_listed_in_order() {
        let known = names("seed batch_size");
        assert_eq!(
            advice("momentum", &known, '`').as_deref(),
            Some("known here: `batch_size`, `seed`")
        );
        assert_eq!(advice("momentum", &[], '`'), None);
        let many: Vec<String> = (10..40).map(|i| format!("key{i}")).collect();
        assert!(advice("momentum", &many, '"').is_some_and(|text| text.ends_with("\"key25\", …")));
    }
}
