//! What a valuation says of near duplicates.

use afterimage_value::{NearDuplicates, NearSet, Reach, label};

use super::Valued;
use super::summary::{name, shortened};

/// Rows, and labels, of a set that are shown.
const SHOWN: usize = 4;

/// The header of the list of sets.
pub(super) const HEADER: [&str; 4] = ["rows", "labels", "distance", "cells of the first"];

/// How many rows have a near duplicate, and what that means, a sentence each.
pub(super) fn of_rows(valued: &Valued) -> Vec<String> {
    let near = &valued.near;
    let mut told = vec![found(near)];
    if near.compared < near.different && !near.reaches.is_empty() {
        told.push(format!(
            "Each row was compared with some {} neighbours, of {} rows: all with all would take long. Two cuts \
             into parts were made, along other directions, and pairs that both of them part are not seen",
            near.compared, near.different
        ));
    }
    told
}

fn found(near: &NearDuplicates) -> String {
    let rule = rule(near);
    let (rows, sets) = (near.duplicates(), near.sets.len());
    let contrary = match near.contrary() {
        0 => String::new(),
        1 => ", 1 of them under several labels".to_owned(),
        count => format!(", {count} of them under several labels"),
    };
    let sets = match sets {
        0 if near.reaches.is_empty() => return format!("No row equals another; {rule}"),
        0 => return format!("No row is a near duplicate of another: {rule}"),
        1 => "1 set".to_owned(),
        _ => format!("{sets} sets"),
    };
    match near.reaches.is_empty() {
        true => format!("{rows} rows equal another, in {sets}{contrary}; {rule}"),
        false => format!(
            "{rows} rows are near duplicates of another, or equal it, in {sets}{contrary}: {rule}"
        ),
    }
}

/// A share with two places, and with as many more as two digits need; 0 as it is.
fn two_digits(share: f64) -> String {
    let places = match share > 0.0 {
        true => (1.0 - share.log10().floor()).clamp(2.0, 300.0) as usize,
        false => 2,
    };
    format!("{share:.places$}")
}

/// What is near.
fn rule(near: &NearDuplicates) -> String {
    let one = |reach: &Reach| {
        format!(
            "{} times as far as the {}th neighbour",
            two_digits(reach.part),
            reach.neighbour
        )
    };
    let parts: Vec<String> = near.reaches.iter().map(one).collect();
    match parts.is_empty() {
        true => "near duplicates are told of tables with 64 different rows or more".to_owned(),
        false => format!(
            "both rows have the other within {}, where chance puts 0.05 rows of such a table",
            parts.join(", or ")
        ),
    }
}

/// A set in the columns of [`HEADER`], but for the distance, which is the third.
pub(super) fn set(valued: &Valued, set: &NearSet) -> [String; 3] {
    let problem = &valued.table.problem;
    let rows = || set.rows.iter().map(|&row| row as usize);
    let names = rows().take(SHOWN).map(|row| name(valued, row));
    let mut labels: Vec<String> = Vec::new();
    for text in rows().map(|row| label(problem, row)) {
        if !labels.contains(&text) {
            labels.push(text);
        }
        if labels.len() == SHOWN {
            break;
        }
    }
    let first = rows().next().map(|row| super::words::cells(valued, row));
    [
        joined(names.collect(), set.rows.len()),
        joined(
            labels.iter().map(|label| shortened(label)).collect(),
            set.labels,
        ),
        first.unwrap_or_default(),
    ]
}

/// The first of `count` texts.
fn joined(first: Vec<String>, count: usize) -> String {
    let more = match count.saturating_sub(first.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    first.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_shares_are_not_shown_as_zero() {
        for (share, told) in [
            (0.3, "0.30"),
            (0.0512, "0.051"),
            (0.0012, "0.0012"),
            (0.000_034_6, "0.000035"),
            (0.0, "0.00"),
        ] {
            assert_eq!(two_digits(share), told);
        }
        let all = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(joined(all.clone(), 3), "a, b and 1 more");
        assert_eq!(joined(all, 1), "a, b");
    }
}
