//! A small table, and `afterimage value` on it.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;

use crate::run::{Ended, Place, call};

/// A table of 40 rows: `a` says the label but for rows 5 and 30, `b` is noise, `kind` a category.
pub fn table() -> String {
    let mut text = "a,b,kind,y\n".to_owned();
    for row in 0..40 {
        let wrong = row == 5 || row == 30;
        let label = if (row >= 20) != wrong { "yes" } else { "no" };
        let kind = ["red", "green", "blue"][row % 3];
        text += &format!("{row},{},{kind},{label}\n", (row * 17) % 23);
    }
    text
}

pub fn write(place: &Place, name: &str, text: &str) -> String {
    let path = place.path(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

pub fn value(arguments: &[&str]) -> Ended {
    call(["value", "--learners", "200"].iter().chain(arguments))
}

pub fn lines(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let cells = |line: &str| line.split(',').map(str::to_owned).collect();
    text.lines().map(cells).collect()
}
