//! Columns that the user says are no features.

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
    let place = |wanted: &str| {
        let named = names.iter().position(|name| name == wanted);
        let number = || wanted.parse::<usize>().ok()?.checked_sub(1);
        named.or_else(|| number().filter(|&at| at < width))
    };
    let mut places = Vec::new();
    for wanted in wanted {
        if let Some(at) = place(wanted) {
            places.push(at);
            continue;
        }
        for part in wanted.split(',').map(str::trim) {
            let Some(at) = place(part) else {
                return Err(format!(
                    "there is no column `{part}` (--ignore); its columns are {}",
                    listed(names, width)
                ));
            };
            places.push(at);
        }
    }
    Ok(places)
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
