//! What is told before and after a valuation.

use afterimage_files::plain;
use afterimage_track::TextTable;
use afterimage_value::{
    CELLS_CSV, FIXED_CSV, Learner, ROWS_CSV, Ranked, ReadTable, Score, Target, label,
    readable_bytes, text,
};

use super::{PAGE, ValueJob, Valued, near, words};

/// Notes that are shown of a table.
const NOTES: usize = 50;
/// Sets of near duplicates in the list.
const SETS: usize = 5;

/// The table, what was decided about it, and what is to come.
pub(super) fn before(job: &ValueJob, table: &ReadTable, memory: usize) -> String {
    let (rows, columns) = (table.problem.rows(), table.problem.columns().len());
    let usable = table.problem.usable().len();
    let mut lines = vec![format!(
        "{}: {rows} rows, {columns} columns, label `{}`",
        job.table.display(),
        table.label
    )];
    let notes = table.notes.iter().take(NOTES);
    lines.extend(notes.map(|note| format!("  {note}")));
    if let more @ 1.. = table.notes.len().saturating_sub(NOTES) {
        lines.push(format!("  and {more} notes more"));
    }
    let missing: usize = table
        .problem
        .columns()
        .iter()
        .map(|column| column.cells.missing())
        .sum();
    if missing > 0 {
        lines.push(format!("  {missing} cells are missing"));
    }
    if let (Score::Soft, Learner::Tree { depth: None, .. }, Target::Classes { .. }) = (
        job.settings.score,
        job.settings.learner,
        table.problem.target(),
    ) {
        lines.push(
            "  --score soft: trees without --max-depth have pure leaves, so that soft scores are those of \
             plain but for equal rows of several labels; say --max-depth 4, or --learner linear"
                .to_owned(),
        );
    }
    let learner = match job.settings.learner {
        Learner::Tree { .. } => "trees",
        Learner::Linear { .. } => "linear models",
        Learner::Mlp { .. } => "networks",
    };
    lines.push(format!(
        "{} {learner} on {} of {usable} columns each, seed {}; memory: at most {}",
        job.settings.learners,
        job.settings.subset_size(usable),
        job.settings.seed,
        readable_bytes(memory)
    ));
    let lines: Vec<_> = lines.iter().map(|line| plain(line)).collect();
    lines.join("\n") + "\n"
}

/// The lists of the lowest, and where the results are.
pub(super) fn after(valued: &Valued) -> String {
    let labels = words::of_labels(valued);
    let sentences: Vec<String> = (labels.iter().chain(&near::of_rows(valued)))
        .map(|told| format!("{told}.\n"))
        .collect();
    let mut parts = vec![
        sentences.concat(),
        lowest_rows(valued).to_string(),
        cells(valued, "Lowest cells by 2D-OOB value", &valued.lowest_cells).to_string(),
    ];
    if !valued.farthest_cells.is_empty() {
        let title = "Cells farthest from the mean of their class, in standard deviations (z)";
        parts.push(cells(valued, title, &valued.farthest_cells).to_string());
    }
    if !valued.near.sets.is_empty() {
        parts.push(near_duplicates(valued).to_string());
    }
    if let Some(out) = &valued.job.out {
        let mut lines = vec![
            format!("labels:  {}", out.join(ROWS_CSV).display()),
            format!("values:  {}", out.join(CELLS_CSV).display()),
            format!("page:    {}", out.join(PAGE).display()),
        ];
        if let Some(count) = valued.fixes {
            let fixed = out.join(FIXED_CSV);
            lines.push(format!("repairs: {}, {count} cells", fixed.display()));
        }
        if valued.formulas.count > 0 {
            lines.push(format!("note:    {}", valued.formulas));
        }
        let lines: Vec<_> = lines.iter().map(|line| plain(line)).collect();
        parts.push(lines.join("\n") + "\n");
    }
    parts.join("\n")
}

fn lowest_rows(valued: &Valued) -> TextTable {
    let is_class = matches!(valued.table.problem.target(), Target::Classes { .. });
    let (title, third, decimals) = match is_class {
        true => ("Lowest rows by Data-OOB", "share", 2),
        false => (
            "Rows whose labels lie farthest from what is predicted, by Data-OOB",
            "off by",
            4,
        ),
    };
    let header = [
        "row",
        "label",
        "predicted",
        third,
        "wrong?",
        "data_oob",
        "se",
        "learners",
        "marginal",
        "cells",
    ];
    // The answer to a question that numbers do not have has no column.
    let kept = |cells: [String; 10]| {
        let all = cells.into_iter().enumerate();
        all.filter(move |(at, _)| is_class || *at != 4)
            .map(|(_, cell)| cell)
    };
    let header: Vec<String> = kept(header.map(str::to_owned)).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let mut table = TextTable::new(title, &header);
    for &row in valued.lowest_rows.iter().take(valued.job.top) {
        let (value, said) = (&valued.rows[row], &valued.said[row]);
        table.row(kept([
            name(valued, row),
            shortened(&label(&valued.table.problem, row)),
            shortened(&words::predicted(valued, row)),
            TextTable::number(words::third(valued, row), decimals),
            if said.suspect { "yes" } else { "–" }.to_owned(),
            TextTable::number(value.data_oob.value, 3),
            TextTable::number(value.data_oob.error, 3),
            value.data_oob.count.to_string(),
            TextTable::number(value.marginal, 3),
            words::cells(valued, row),
        ]));
    }
    table
}

fn cells(valued: &Valued, title: &str, cells: &[Ranked]) -> TextTable {
    let header = ["row", "column", "cell", "value", "se", "learners", "z"];
    let mut table = TextTable::new(title, &header);
    for cell in cells {
        let column = &valued.table.problem.columns()[cell.column];
        table.row([
            name(valued, cell.row),
            shortened(&column.name),
            shortened(&text(&column.cells, cell.row)),
            TextTable::number(cell.value, 3),
            TextTable::number(cell.error, 3),
            cell.count.to_string(),
            TextTable::number(cell.z, 2),
        ]);
    }
    table
}

fn near_duplicates(valued: &Valued) -> TextTable {
    let title = "Near duplicates, those of several labels first, then the closest";
    let mut table = TextTable::new(title, &near::HEADER);
    for set in valued.near.sets.iter().take(SETS.min(valued.job.top)) {
        let [rows, labels, cells] = near::set(valued, set);
        table.row([rows, labels, TextTable::number(set.distance, 3), cells]);
    }
    table
}

/// The row's id, or its number from 1.
pub(super) fn name(valued: &Valued, row: usize) -> String {
    match valued.table.problem.ids() {
        Some(ids) => shortened(&ids[row]),
        None => (row + 1).to_string(),
    }
}

/// Long texts would push the numbers out of sight.
pub(super) fn shortened(text: &str) -> String {
    TextTable::within(text, 24)
}
