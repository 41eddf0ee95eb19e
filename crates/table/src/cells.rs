//! What cells say that are neither numbers nor names.

/// Words that stand for a missing cell, besides nothing at all.
const MISSING: [&str; 11] = [
    "NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "?",
];

/// Whether a word stands for a missing cell in a CSV file, as `NA` and `null`; nothing at all does, too.
pub fn says_missing(text: &str) -> bool {
    text.is_empty() || MISSING.contains(&text)
}

/// What a text that is no number is likely meant as, where it would be one in another spelling.
///
/// # Examples
/// ```
/// use afterimage_table::meant;
/// assert_eq!(meant("1,25"), Some("a number with a decimal comma"));
/// assert_eq!(meant("5,600"), Some("a number with a decimal comma, or with a comma between thousands"));
/// assert_eq!(meant("1,200,000"), Some("a number with commas between thousands"));
/// assert_eq!(meant("20%"), Some("a number in percent"));
/// assert_eq!(meant("red"), None);
/// ```
pub fn meant(text: &str) -> Option<&'static str> {
    let is_number =
        |text: &str| text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<f64>().is_ok();
    if let Some(share) = text.strip_suffix('%') {
        let share = share.trim_end();
        return (is_number(share) || meant(share).is_some()).then_some("a number in percent");
    }
    let commas = text.matches(',').count();
    if commas == 0 {
        return None;
    }
    let thousands = in_thousands(text);
    match commas {
        1 if thousands => Some("a number with a decimal comma, or with a comma between thousands"),
        _ if thousands => Some("a number with commas between thousands"),
        1 if is_number(&text.replace('.', "").replace(',', ".")) => {
            Some("a number with a decimal comma")
        }
        _ => None,
    }
}

/// Whether one to three digits come first, and three behind each comma.
fn in_thousands(text: &str) -> bool {
    let whole = text.trim_start_matches(['-', '+']);
    let whole = whole.split_once('.').map_or(whole, |(whole, _)| whole);
    let mut groups = whole.split(',');
    let digits = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    // `0,125` is less than one, not a hundred and more.
    let first = groups.next().is_some_and(|first| {
        matches!(first.len(), 1..=3) && digits(first) && !first.starts_with('0')
    });
    first && groups.all(|group| group.len() == 3 && digits(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_numbers() {
        for (text, wanted) in [
            ("0,125", "decimal comma"),
            ("-1,5", "decimal comma"),
            ("1.234,5", "decimal comma"),
            ("12,345.50", "or with a comma between thousands"),
            ("-1,200,000", "with commas between thousands"),
            ("3.5 %", "in percent"),
            ("3,5%", "in percent"),
        ] {
            assert!(meant(text).is_some_and(|m| m.contains(wanted)), "{text}");
        }
        assert_eq!(meant("0,125"), Some("a number with a decimal comma"));
        for text in ["a,b", "1,2,3", "1,20,000", "", "%", ",", "nan%", "Paris, 7"] {
            assert_eq!(meant(text), None, "{text}");
        }
    }
}
