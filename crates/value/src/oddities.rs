//! What is odd about a table as a whole: columns that tell the label, and rows that are there twice.

use std::collections::HashMap;

use afterimage_numeric::moments;

use crate::problem::{Cells, Problem, Target};

/// Rows below which a column tells the label by chance.
const FEW_ROWS: usize = 20;
/// A correlation from which on a column of numbers is one with the labels.
const ONE: f64 = 0.999_999;
/// Rows nearer to each other than this part of each column's deviation are near duplicates.
const NEAR: f64 = 1e-3;

/// Columns that tell the label, and rows that are there twice, a sentence each; `name` names a row.
pub fn oddities(problem: &Problem, name: &dyn Fn(usize) -> String) -> Vec<String> {
    let mut told: Vec<String> = problem
        .columns()
        .iter()
        .filter(|column| tells_label(&column.cells, problem.target()))
        .map(|column| {
            format!(
                "column `{name}` tells the label of every row by itself, as a copy of the label does, or \
                 what is known only with it; say --ignore {name} if it is one",
                name = column.name
            )
        })
        .collect();
    told.extend(twins(problem, name));
    told
}

/// Whether each value of the cells stands beside one label alone, and far fewer values than rows do.
fn tells_label(cells: &Cells, target: &Target) -> bool {
    let rows = target.len();
    if rows < FEW_ROWS {
        return false;
    }
    match (target, cells) {
        (Target::Classes { codes, names }, cells) => {
            let most = names.len().max(rows / 10);
            let mut label: HashMap<u32, u32> = HashMap::new();
            let value = |row: usize| match cells {
                Cells::Numbers(values) => values[row].to_bits(),
                Cells::Levels { codes, .. } => codes[row],
            };
            let fits = (0..rows).all(|row| {
                let first = *label.entry(value(row)).or_insert(codes[row]);
                first == codes[row] && label.len() <= most
            });
            fits && label.len() > 1
        }
        (Target::Numbers(labels), Cells::Numbers(values)) => {
            values.iter().all(|value| value.is_finite()) && {
                let values = || values.iter().map(|value| f64::from(*value));
                let mean = |sum: f64| sum / rows as f64;
                let (x, y) = (mean(values().sum()), mean(labels.iter().sum()));
                let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
                for (value, label) in values().zip(labels) {
                    let (a, b) = (value - x, label - y);
                    (xy, xx, yy) = (xy + a * b, xx + a * a, yy + b * b);
                }
                xx > 0.0 && xy.abs() >= ONE * (xx * yy).sqrt()
            }
        }
        (Target::Numbers(_), Cells::Levels { .. }) => false,
    }
}

/// A sentence about rows that others equal, or nearly do.
fn twins(problem: &Problem, name: &dyn Fn(usize) -> String) -> Option<String> {
    let mut keys: Vec<(u64, u32)> = (0..problem.rows() as u32).map(|row| (0, row)).collect();
    for column in problem.columns() {
        match &column.cells {
            Cells::Numbers(values) => {
                let step = NEAR * deviation(values);
                for ((key, _), value) in keys.iter_mut().zip(values) {
                    let place = match value.is_nan() {
                        true => u64::MAX,
                        false if step > 0.0 => (f64::from(*value) / step).round() as i64 as u64,
                        false => 0,
                    };
                    *key = mix(*key, place);
                }
            }
            Cells::Levels { codes, .. } => {
                for ((key, _), code) in keys.iter_mut().zip(codes) {
                    *key = mix(*key, u64::from(*code));
                }
            }
        }
    }
    keys.sort_unstable();
    let (mut more, mut contrary, mut first) = (0usize, 0usize, 0);
    let mut pair: Option<(usize, usize, bool)> = None;
    for at in 1..keys.len() {
        if keys[at].0 != keys[at - 1].0 {
            first = at;
            continue;
        }
        let (one, other) = (keys[first].1 as usize, keys[at].1 as usize);
        let differ = !same_label(problem.target(), one, other);
        more += 1;
        contrary += usize::from(differ);
        // One under another label says more.
        if pair.is_none_or(|(_, _, told)| differ && !told) {
            pair = Some((one, other, differ));
        }
    }
    let (one, other, _) = pair?;
    let (rows, equal, they) = match more {
        1 => ("row", "equals", "it may be a duplicate"),
        _ => ("rows", "equal", "they may be duplicates"),
    };
    let under = match contrary {
        0 => String::new(),
        count => format!("; {count} of them under another label"),
    };
    Some(format!(
        "{more} {rows} {equal} one before in every column, to a thousandth of its deviation{under} (as {} and \
         {}); {they}",
        name(one),
        name(other)
    ))
}

fn same_label(target: &Target, one: usize, other: usize) -> bool {
    match target {
        Target::Classes { codes, .. } => codes[one] == codes[other],
        Target::Numbers(values) => values[one] == values[other],
    }
}

/// The standard deviation of the numbers that are there.
fn deviation(values: &[f32]) -> f64 {
    let present = values.iter().filter(|v| v.is_finite());
    moments(present.map(|v| f64::from(*v))).1.sqrt()
}

/// A step of a hash. Not `afterimage_random::mix`: which of several pairs of rows is named hangs on the order of
/// the hashes.
fn mix(key: u64, value: u64) -> u64 {
    let mut z = key.rotate_left(5) ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::problem::Column;

    fn column(name: &str, cells: Cells) -> Column {
        Column {
            name: name.to_owned(),
            cells,
        }
    }

    fn told(columns: Vec<Column>, target: Target) -> Vec<String> {
        let problem = Problem::new(columns, target, None).unwrap();
        oddities(&problem, &|row| format!("row {}", row + 1))
    }

    #[test]
    fn copies_of_the_label_are_told() {
        let codes: Vec<u32> = (0..60).map(|row| row * 7 % 3).collect();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        let x = Cells::Numbers((0..60).map(|row| (row * 13 % 60) as f32).collect());
        let copy = Cells::Numbers(codes.iter().map(|code| *code as f32 * 2.0).collect());
        let target = Target::Classes {
            codes: codes.clone(),
            names: names.clone(),
        };
        let columns = vec![column("x", x.clone()), column("copy", copy)];
        let notes = told(columns, target.clone());
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("`copy`") && notes[0].contains("--ignore copy"));
        // One row that differs, and it is a good column.
        let mut near = codes;
        near[5] = (near[5] + 1) % 3;
        let near = Cells::Levels { codes: near, names };
        assert!(told(vec![column("x", x), column("near", near)], target).is_empty());
    }

    #[test]
    fn a_column_that_is_the_number_is_told() {
        let x = |row: usize| ((row * 29) % 83) as f32;
        let y = Target::Numbers((0..83).map(|row| 2.5 * f64::from(x(row)) - 1.0).collect());
        let copy = Cells::Numbers((0..83).map(x).collect());
        let other = Cells::Numbers((0..83).map(|row| x(row) + (row % 5) as f32).collect());
        let notes = told(vec![column("copy", copy), column("other", other)], y);
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].contains("`copy`"), "{notes:?}");
    }

    #[test]
    fn rows_that_are_there_twice_are_told_with_those_of_another_label() {
        let mut x: Vec<f32> = (0..40).map(|row| row as f32 * 1.7).collect();
        (x[9], x[20], x[30]) = (x[3], x[3] + 1e-4, x[11]);
        let codes: Vec<u32> = (0..40).map(|row| u32::from(row == 20)).collect();
        let names = ["a", "b"].map(str::to_owned).to_vec();
        let notes = told(
            vec![column("x", Cells::Numbers(x))],
            Target::Classes { codes, names },
        );
        let text = notes.join("\n");
        assert!(text.contains("3 rows equal one before"), "{text}");
        assert!(
            text.contains("1 of them under another label (as row 4 and row 21)"),
            "{text}"
        );
    }
}
