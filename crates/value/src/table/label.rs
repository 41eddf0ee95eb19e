//! Labels: classes or numbers.

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
        .map(|name| name.parse::<f64>().ok().filter(|v| v.is_finite()))
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
    let classes = words.names.len();
    let seem_classes = match &numbers {
        None => true,
        Some(numbers) => {
            let whole = numbers.iter().all(|v| v.fract() == 0.0);
            classes <= 2 || (whole && classes <= MOST_CLASSES.min(rows / 10).max(2))
        }
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
            Err((
                row,
                format!("`{text}` is no finite number; --task regression needs numbers"),
            ))
        }
        (Task::Classification, numbers) => as_classes(words, numbers.is_some()),
    }
}

/// Labels as classes; `numeric` says whether all of them are numbers.
fn as_classes(words: Words, numeric: bool) -> Result<Labels, (Option<usize>, String)> {
    let (rows, classes) = (words.codes.len(), words.names.len());
    if classes * 2 > rows && rows >= 20 {
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
    Ok(Labels {
        note: format!(
            "the labels are {classes} classes: {}{more}{other}",
            shown.join(", ")
        ),
        target: Target::Classes { codes, names },
    })
}
