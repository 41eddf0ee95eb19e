//! Columns that the user says are no features.

/// The flag that leaves columns out.
const FLAG: &str = "--ignore";

/// The places of the columns that `wanted` names: each by its name or its number from 1, several with
/// commas between them. Columns without `names` go by their numbers, up to `width`.
///
/// # Errors
/// A column that is not there, with those that are.
///
/// # Examples
/// ```
/// use afterimage_table::ignored;
/// let names = ["key".to_owned(), "a".to_owned(), "b,c".to_owned()];
/// assert_eq!(ignored(&["key,a".to_owned()], &names, 3), Ok(vec![0, 1]));
/// assert_eq!(ignored(&["b,c".to_owned()], &names, 3), Ok(vec![2]));
/// assert_eq!(ignored(&["2".to_owned()], &[], 3), Ok(vec![1]));
/// assert!(ignored(&["d".to_owned()], &names, 3).is_err_and(|told| told.contains("key, a")));
/// ```
pub fn ignored(wanted: &[String], names: &[String], width: usize) -> Result<Vec<usize>, String> {
    let mut places = Vec::new();
    for wanted in wanted {
        if let Ok(at) = place(wanted, FLAG, names, width) {
            places.push(at);
            continue;
        }
        for part in wanted.split(',').map(str::trim) {
            places.push(place(part, FLAG, names, width)?);
        }
    }
    Ok(places)
}

/// The place of the column that `wanted`, the word of `flag`, names: by its name, or by its number from 1.
///
/// # Errors
/// A column that is not there, with those that are; a name of several columns.
///
/// # Examples
/// ```
/// use afterimage_table::place;
/// let names = ["key".to_owned(), "a".to_owned()];
/// assert_eq!(place("a", "--id", &names, 2), Ok(1));
/// assert_eq!(place("1", "--id", &names, 2), Ok(0));
/// assert!(place("3", "--id", &[], 2).is_err_and(|told| told.contains("(--id)")));
/// let twice = ["key".to_owned(), "key".to_owned()];
/// assert!(place("key", "--id", &twice, 2).is_err_and(|told| told.contains("columns 1 and 2")));
/// ```
pub fn place(wanted: &str, flag: &str, names: &[String], width: usize) -> Result<usize, String> {
    let mut all = (0..names.len()).filter(|&at| names[at] == wanted);
    let (named, other) = (all.next(), all.next());
    if let (Some(first), Some(second)) = (named, other) {
        return Err(format!(
            "columns {} and {} are called `{wanted}` ({flag}); say which by its number",
            first + 1,
            second + 1
        ));
    }
    let number = || wanted.parse::<usize>().ok()?.checked_sub(1);
    let found = named.or_else(|| number().filter(|&at| at < width));
    found.ok_or_else(|| {
        format!(
            "there is no column `{wanted}` ({flag}); its columns are {}",
            listed(names, width)
        )
    })
}

fn listed(names: &[String], width: usize) -> String {
    const SHOWN: usize = 12;
    if names.is_empty() {
        return format!("numbered 1 to {width}");
    }
    let shown: Vec<&str> = names.iter().take(SHOWN).map(String::as_str).collect();
    let more = if names.len() > SHOWN { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}
