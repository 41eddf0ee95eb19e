//! Labels: classes or numbers.

use std::collections::HashMap;

use afterimage_table::meant;

use super::column::Words;
use crate::problem::Target;

/// Up to this many whole numbers are taken for classes.
const MOST_CLASSES: usize = 100;

/// What the labels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Names of classes.
    Classification,
    /// Numbers.
    Regression,
}

/// Labels, and how they were understood.
pub(crate) struct Labels {
    pub target: Target,
    pub note: String,
}

/// The largest label in size that squares can be summed of.
const LARGEST: f64 = 1e100;

/// Understands labels; none of them is missing. An error names the row, where it has one.
pub(crate) fn target(words: Words, task: Option<Task>) -> Result<Labels, (Option<usize>, String)> {
    let rows = words.codes.len();
    let numbers: Option<Vec<f64>> = words
        .names
        .iter()
        // 0 and -0 are one number.
        .map(|name| {
            name.parse::<f64>()
                .ok()
                .filter(|v| v.is_finite())
                .map(|v| v + 0.0)
        })
        .collect();
    // Infinite numbers among numbers are no names of classes.
    if numbers.is_none() && task != Some(Task::Classification) {
        let infinite = |name: &String| name.parse::<f64>().is_ok_and(f64::is_infinite);
        let all_numbers = words.names.iter().all(|name| name.parse::<f64>().is_ok());
        let first = words
            .codes
            .iter()
            .position(|&code| infinite(&words.names[code as usize]));
        if let (true, Some(row)) = (all_numbers, first) {
            let name = &words.names[words.codes[row] as usize];
            let what = format!("the label `{name}` is not finite; correct it, or remove the row");
            return Err((Some(row), what));
        }
    }
    if numbers.is_none()
        && task.is_none()
        && let Some((row, text)) = stray(&words)
    {
        return Err((Some(row), told_stray(text)));
    }
    let classes = words.names.len();
    let seem_classes = match &numbers {
        None => true,
        Some(numbers) => are_classes(numbers, rows),
    };
    let task = task.unwrap_or(if seem_classes {
        Task::Classification
    } else {
        Task::Regression
    });
    match (task, numbers) {
        (Task::Regression, Some(numbers)) => {
            let of = |&code: &u32| numbers[code as usize];
            let values: Vec<f64> = words.codes.iter().map(of).collect();
            // Squares of larger ones are no finite numbers any more.
            if let Some(row) = values.iter().position(|v| v.abs() > LARGEST) {
                let what = format!(
                    "the label {} is beyond ±{LARGEST:e}; scale the labels",
                    values[row]
                );
                return Err((Some(row), what));
            }
            let low = values.iter().copied().fold(f64::INFINITY, f64::min);
            let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            Ok(Labels {
                note: format!(
                    "the labels are numbers from {low} to {high} (--task classification for \
                     {classes} classes)"
                ),
                target: Target::Numbers(values),
            })
        }
        (Task::Regression, None) => {
            let is_text = |code: u32| {
                let number = words.names[code as usize].parse::<f64>();
                !number.is_ok_and(f64::is_finite)
            };
            let row = words.codes.iter().position(|&code| is_text(code));
            let text = row.map_or("", |row| words.names[words.codes[row] as usize].as_str());
            let what = match meant(text) {
                Some(meant) => format!(
                    "the label `{text}` looks like {meant}; --task regression needs plain numbers with decimal \
                     points"
                ),
                None => format!("`{text}` is no finite number; --task regression needs numbers"),
            };
            Err((row, what))
        }
        (Task::Classification, numbers) => as_classes(words, numbers.is_some()),
    }
}

/// Whether different numbers, as labels of so many rows, are taken for classes: two of them, or few whole ones.
fn are_classes(numbers: &[f64], rows: usize) -> bool {
    let whole = numbers.iter().all(|number| number.fract() == 0.0);
    numbers.len() <= 2 || (whole && numbers.len() <= MOST_CLASSES.min(rows / 10).max(2))
}

/// Labels as classes; `numeric` says whether all of them are numbers.
fn as_classes(words: Words, numeric: bool) -> Result<Labels, (Option<usize>, String)> {
    let (rows, classes) = (words.codes.len(), words.names.len());
    if classes * 2 > rows && rows >= 20 {
        let spelt = words
            .names
            .first()
            .and_then(|name| Some((name, meant(name)?)));
        if let Some((name, meant)) = spelt {
            let what = format!(
                "the label `{name}` looks like {meant}; save the labels as plain numbers with decimal points"
            );
            return Err((Some(0), what));
        }
        let advice = if numeric {
            "; for numbers use --task regression"
        } else {
            ""
        };
        return Err((
            None,
            format!(
                "{classes} of {rows} labels are different; is it an id rather than a \
                 label?{advice}"
            ),
        ));
    }
    let (codes, names) = words.sorted();
    let shown: Vec<&str> = names.iter().take(8).map(String::as_str).collect();
    let more = if names.len() > shown.len() {
        ", …"
    } else {
        ""
    };
    let other = if numeric {
        " (--task regression for numbers)"
    } else {
        ""
    };
    let alike = alike(&names).map_or(String::new(), |[one, other]| {
        format!("; `{one}` and `{other}` differ in their spelling alone, and are two of them")
    });
    Ok(Labels {
        note: format!(
            "the labels are {classes} classes: {}{more}{other}{alike}",
            shown.join(", ")
        ),
        target: Target::Classes { codes, names },
    })
}

/// Numbers among labels from this share on make a text a mistake, where they are no classes.
const NUMBERS: f64 = 0.9;

/// The first label that is no number among numbers that are no classes, with its row.
fn stray(words: &Words) -> Option<(usize, &str)> {
    let numbers: Vec<Option<f64>> = words.names.iter().map(|name| name.parse().ok()).collect();
    let of = |code: &u32| numbers[*code as usize];
    let rows = words.codes.len();
    let present = words.codes.iter().filter(|code| of(code).is_some()).count();
    let different: Vec<f64> = numbers.iter().flatten().copied().collect();
    let row = words.codes.iter().position(|code| of(code).is_none())?;
    let mostly = present as f64 >= NUMBERS * rows as f64 && !are_classes(&different, rows);
    mostly.then(|| (row, words.names[words.codes[row] as usize].as_str()))
}

fn told_stray(text: &str) -> String {
    let looks = meant(text).map_or(String::new(), |meant| format!(" (it looks like {meant})"));
    format!(
        "the label `{text}` is no number{looks}, but most others are; correct it, or remove the row, or say \
         --task classification if all are names"
    )
}

/// Two of the names that are one number, or the same letters of both cases.
fn alike(names: &[String]) -> Option<[&str; 2]> {
    let mut seen: HashMap<String, &str> = HashMap::new();
    names.iter().find_map(|name| {
        let whole = name.parse::<i128>().map(|number| number.to_string());
        let real = || {
            let number = name.parse::<f64>().ok()?;
            number.is_finite().then(|| (number + 0.0).to_string())
        };
        let key = whole.ok().or_else(real);
        let key = key.unwrap_or_else(|| name.to_lowercase());
        seen.insert(key, name).map(|before| [before, name.as_str()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(labels: &[&str]) -> Words {
        let mut words = Words::default();
        labels.iter().for_each(|label| words.push(label));
        words
    }

    #[test]
    fn labels_of_one_meaning_are_found() {
        let found = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            alike(&names).map(|pair| pair.map(str::to_owned))
        };
        let pair = |one: &str, other: &str| Some([one.to_owned(), other.to_owned()]);
        assert_eq!(found(&["1", "1.0", "2"]), pair("1", "1.0"));
        assert_eq!(found(&["False", "True", "true"]), pair("True", "true"));
        assert_eq!(found(&["a", "b", "1", "2", "01x"]), None);
        assert_eq!(found(&["9007199254740992", "9007199254740993"]), None);
    }

    #[test]
    fn a_word_among_numbers_is_told_and_one_among_classes_is_not() {
        let mut numbers: Vec<String> = (0..40).map(|row| format!("{row}.5")).collect();
        numbers[7] = "x".to_owned();
        let texts: Vec<&str> = numbers.iter().map(String::as_str).collect();
        assert_eq!(stray(&words(&texts)), Some((7, "x")));
        let classes: Vec<&str> = (0..40).map(|row| ["1", "2", "3"][row % 3]).collect();
        assert_eq!(stray(&words(&[&classes[..], &["x"]].concat())), None);
        assert_eq!(stray(&words(&["a", "b", "1.5", "2.5"])), None);
    }
}
