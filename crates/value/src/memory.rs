//! How much memory a valuation takes, told before it starts.

use crate::forest::WAITING;
use crate::pass::BLOCK;
use crate::problem::{Cells, Problem, Target};
use crate::settings::{Learner, Settings};
use crate::tally::are_hits;
use crate::votes::Votes;

/// What the program itself takes, and the allocator beyond what is asked of it.
const PROGRAM: usize = 48 << 20;

/// Bytes that a cell takes while its block is made and written.
const BLOCK_CELL: usize = 150;

/// An upper bound in bytes of the memory that valuing `problem` and writing its values takes, the
/// table itself included.
pub fn memory_bound(problem: &Problem, settings: &Settings) -> usize {
    let (rows, columns) = (problem.rows(), problem.columns().len());
    let usable = problem.usable().len();
    let threads = settings.threads.unwrap_or_else(rayon::current_num_threads);
    let texts = |names: &[String]| names.iter().map(|name| name.len() + 48).sum::<usize>();
    let table: usize = problem
        .columns()
        .iter()
        .map(|column| match &column.cells {
            Cells::Numbers(values) => 4 * values.len(),
            Cells::Levels { codes, names } => 4 * codes.len() + texts(names),
        })
        .sum();
    let labels = match problem.target() {
        Target::Classes { names, .. } => 4 * rows + texts(names),
        Target::Numbers(_) => 8 * rows,
    };
    let ids = problem.ids().map_or(0, texts);
    // Line numbers, order and groups of the rows, their values, what is said of them, and labels in that
    // order.
    let by_row = rows * (8 + 24 + 48 + 10 + 40);
    // What learners say is counted once more while labels are checked, among others in the same order.
    let votes = 2 * Votes::bytes(problem) + rows * (16 + 40 + 24);
    let words = (settings.learners as usize).div_ceil(64);
    let tally = if are_hits(problem, settings) {
        2 * 8 * words * rows
    } else {
        8 * words * rows + 16 * rows * (usable + 1)
    };
    let dense = if settings.is_dense() {
        4 * rows * crate::design::width(problem)
    } else {
        0
    };
    let waiting = 8 * WAITING
        .min(rows * settings.learners as usize)
        .max(rows * 2 * threads);
    let threads = threads * (rows * 26 + (2 << 20) + fitting(problem, settings, usable));
    let ranks = 2 * rows * usable;
    let block = BLOCK_CELL * BLOCK.min(rows * columns).max(columns);
    let fixed = PROGRAM + table + labels + ids + by_row;
    let valuing = votes + tally + dense + waiting.max(block) + threads + ranks;
    // Near duplicates are looked for before; what is told of them stays.
    let near = crate::near::bytes(problem, settings.threads);
    fixed + 32 * rows + valuing.max(near)
}

/// What a thread takes to fit a learner that reads numbers: its bag, whose vectors grow by doubling,
/// and the learner itself.
fn fitting(problem: &Problem, settings: &Settings, usable: usize) -> usize {
    let inputs = crate::design::widest(problem, settings.subset_size(usable));
    let outputs = match problem.target() {
        Target::Classes { names, .. } => names.len(),
        Target::Numbers(_) => 1,
    };
    let bag = 2 * problem.rows() * (4 * inputs + 14);
    match settings.learner {
        Learner::Tree { .. } => 0,
        // Curvature and its factor, and some vectors as long as the coefficients.
        Learner::Linear { .. } => bag + 8 * (inputs + 1) * (inputs + 1 + 8 * outputs),
        Learner::Mlp { hidden, .. } => bag + 16 * (hidden * (inputs + 1 + outputs) + outputs),
    }
}

/// Bytes in the largest fitting unit, rounded up in the last of three digits.
pub fn readable_bytes(bytes: usize) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < units.len() {
        size /= 1000.0;
        unit += 1;
    }
    if size < 10.0 && unit > 0 {
        format!("{:.1} {}", (size * 10.0).ceil() / 10.0, units[unit])
    } else {
        format!("{:.0} {}", size.ceil(), units[unit])
    }
}

/// Reads a number of bytes, as in `500MB`, `2 GB` or `1000000`.
pub fn parse_bytes(text: &str) -> Option<usize> {
    let text = text.trim().to_ascii_uppercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let factor = match text[digits.len()..].trim() {
        "" | "B" => 1.0,
        "K" | "KB" => 1e3,
        "M" | "MB" => 1e6,
        "G" | "GB" => 1e9,
        "T" | "TB" => 1e12,
        _ => return None,
    };
    let number: f64 = digits.parse().ok()?;
    (number > 0.0 && number.is_finite()).then_some((number * factor) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(parse_bytes("500MB"), Some(500_000_000));
        assert_eq!(parse_bytes("1.5 g"), Some(1_500_000_000));
        assert_eq!(parse_bytes("12"), Some(12));
        assert_eq!(parse_bytes("-1GB"), None);
        assert_eq!(parse_bytes("many"), None);
        assert_eq!(readable_bytes(1_234_567), "1.3 MB");
        assert_eq!(readable_bytes(999), "999 B");
        assert_eq!(readable_bytes(950_100_000), "951 MB");
    }
}
