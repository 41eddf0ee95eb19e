//! What cells say that are neither numbers nor names.

/// Words that stand for a missing cell, besides nothing at all: those of pandas, what it shows of a moment that
/// is none, and the sign of older tables.
const MISSING: [&str; 21] = [
    "NA", "N/A", "#N/A", "#N/A N/A", "#NA", "n/a", "NaN", "nan", "-NaN", "-nan", "1.#IND",
    "-1.#IND", "1.#QNAN", "-1.#QNAN", "NULL", "null", "None", "<NA>", "NaT", "?", "",
];

/// Whether a word stands for a missing cell in a CSV file or among texts of an npy file, as `NA` and `null`; nothing at all does, too.
pub fn says_missing(text: &str) -> bool {
    MISSING.contains(&text)
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
/// assert_eq!(meant("1 200 000"), Some("a number with spaces between thousands"));
/// assert_eq!(meant("$5.20"), Some("an amount of money"));
/// assert_eq!(meant("red"), None);
/// ```
pub fn meant(text: &str) -> Option<&'static str> {
    // No number is as long; signs before or behind one are taken off one by one.
    if text.len() > LONGEST {
        return None;
    }
    let is_number =
        |text: &str| text.bytes().any(|byte| byte.is_ascii_digit()) && text.parse::<f64>().is_ok();
    if let Some(share) = text.strip_suffix('%') {
        let share = share.trim_end();
        return (is_number(share) || meant(share).is_some()).then_some("a number in percent");
    }
    let amount = text.trim_matches(['$', '€', '£', '¥', '₹']).trim();
    if amount.len() < text.len() && (is_number(amount) || meant(amount).is_some()) {
        return Some("an amount of money");
    }
    if let Some(rest) = text.strip_prefix('\u{2212}') {
        return (is_number(rest) || meant(rest).is_some())
            .then_some("a number whose minus is no hyphen");
    }
    for (signs, told) in GROUPED {
        let one = text.replace(',', ".").replace(signs, ",");
        let (whole, places) = one.split_once('.').unwrap_or((one.as_str(), ""));
        let plain = places.bytes().all(|byte| byte.is_ascii_digit());
        if whole.contains(',') && plain && in_thousands(whole) {
            return Some(told);
        }
    }
    let (whole, places) = text.split_once(',').unwrap_or((text, ""));
    let plain = places.bytes().all(|byte| byte.is_ascii_digit());
    let dots = whole.matches('.').count() > 1 && !is_address(text);
    if dots && plain && in_thousands(&whole.replace('.', ",")) {
        return Some("a number with dots between thousands");
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

/// A text of more bytes is meant as no number.
const LONGEST: usize = 64;

/// Whether a text is an address of four numbers below 256, as `192.168.100.101`.
fn is_address(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    parts.len() == 4 && parts.iter().all(|part| part.parse::<u8>().is_ok())
}

/// Signs between thousands, and what a number with them is called.
const GROUPED: [(&[char], &str); 2] = [
    (
        &[' ', '\u{a0}', '\u{2009}', '\u{202f}'],
        "a number with spaces between thousands",
    ),
    (&['\'', '’'], "a number with apostrophes between thousands"),
];

/// Whether a text is a date, though none that is read, a time of the day or a duration: `18/09/2020`, `9/18/20`,
/// `18.09.2020 12:30`, `2020/09/18`, `12:30:00`, `5 days 12:30:00`, `PT5M`.
///
/// # Examples
/// ```
/// use afterimage_table::other_date;
/// assert!(other_date("18.09.2020") && other_date("9/18/20 12:30"));
/// assert!(!other_date("2020-09-18") && !other_date("1.5.0") && !other_date("1/2"));
/// ```
pub fn other_date(text: &str) -> bool {
    if crate::days(text).is_some() {
        return false;
    }
    if let Some(rest) = text.strip_prefix('P') {
        // A duration of ISO 8601.
        let begins = rest.starts_with(|c: char| c.is_ascii_digit() || c == 'T');
        return begins && rest.ends_with(['D', 'H', 'M', 'S']);
    }
    let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
    if is_clock(text) || (is_digits(first.trim_start_matches('-')) && rest.starts_with("day")) {
        return true;
    }
    let date = text.split([' ', 'T']).next().unwrap_or_default();
    ['/', '.', '-'].into_iter().any(|sign| {
        let parts: Vec<&str> = date.split(sign).collect();
        let digits = |part: &&str| part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() != 3 || !parts.iter().all(digits) {
            return false;
        }
        let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
        let number = |at: usize| parts[at].parse::<u32>().unwrap_or(0);
        let day_and_month = |one, other| {
            let (low, high) = (number(one), number(other));
            (1..=12).contains(&low.min(high)) && low.max(high) <= 31
        };
        match lengths[..] {
            [1 | 2, 1 | 2, 4] => day_and_month(0, 1),
            [1 | 2, 1 | 2, 2] => day_and_month(0, 1),
            [4, 1 | 2, 1 | 2] => day_and_month(1, 2),
            _ => false,
        }
    })
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a time of the day, as `12:30` or `12:30:05.25`.
fn is_clock(text: &str) -> bool {
    let parts: Vec<&str> = text.split(['.', ':']).collect();
    text.contains(':') && (2..=4).contains(&parts.len()) && parts.iter().all(|part| is_digits(part))
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
    fn dates_of_other_forms() {
        for text in [
            "12:30",
            "12:30:05.25",
            "3 days 00:00:00",
            "-1 days",
            "P3D",
            "PT1H5M",
            "1/2/2020",
            "31.12.99",
            "12-31-2020",
            "2020/1/5",
            "18.09.2020T12:30",
        ] {
            assert!(other_date(text), "{text}");
        }
        for text in [
            "2020-01-05",
            "13/13/2020",
            "1.2.345",
            "192.168.1.1",
            "a/b/c",
            "",
            "1/1",
            "//",
            "Paris",
            "3 dogs",
            "a:b",
            "P",
            "Pad",
            "12:",
            "5",
        ] {
            assert!(!other_date(text), "{text}");
        }
    }

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
            ("1\u{a0}200", "with spaces between thousands"),
            ("-12 345,5", "with spaces between thousands"),
            ("12'345.50", "with apostrophes between thousands"),
            ("1.234.567", "with dots between thousands"),
            ("1.234.567,8", "with dots between thousands"),
            ("5.20 €", "amount of money"),
            ("$1,200", "amount of money"),
            ("\u{2212}1.5", "minus is no hyphen"),
        ] {
            assert!(meant(text).is_some_and(|m| m.contains(wanted)), "{text}");
        }
        assert_eq!(meant("0,125"), Some("a number with a decimal comma"));
        for text in [
            "a,b",
            "1,2,3",
            "1,20,000",
            "",
            "%",
            ",",
            "nan%",
            "Paris, 7",
            "12 34",
            "1 2 3",
            "1.2.3",
            "$",
            "€ a",
            "10 000 m",
            "it's",
            "020 123 456",
            "1.234",
            "192.168.100.101",
        ] {
            assert_eq!(meant(text), None, "{text}");
        }
        for signs in ["\u{2212}", "$", "-"] {
            assert_eq!(meant(&(signs.repeat(1 << 20) + "1,5")), None);
        }
        assert_eq!(meant(&("1".to_owned() + &"%".repeat(1 << 20))), None);
    }
}
