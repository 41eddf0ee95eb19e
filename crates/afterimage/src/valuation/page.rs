//! One self-contained HTML page about the values of a table.

use afterimage_track::html::{document, escape, section, short, table};
use afterimage_value::{Ranked, Score, Target, label, text};

use super::summary::{name, shortened};
use super::{Valued, heat, histogram, near, words};

/// Rows and cells in the lists.
const LIST: usize = 40;

pub(super) fn render(valued: &Valued) -> String {
    let job = valued.job();
    let title = format!(
        "Values of {}",
        job.table.file_name().map_or_else(
            || job.table.display().to_string(),
            |name| name.to_string_lossy().into_owned()
        )
    );
    let problem = &valued.table.problem;
    let mut body = format!("<h1>{}</h1>", escape(&title));
    body += &format!(
        "<p class=note>{} rows, {} columns, label <code>{}</code>. {} learners, ratio {}, seed {}. \
         {}</p>",
        problem.rows(),
        problem.columns().len(),
        escape(&valued.table.label),
        job.settings.learners,
        job.settings.ratio,
        job.settings.seed,
        meaning(valued)
    );
    if !valued.table.notes.is_empty() {
        let notes: String = valued
            .table
            .notes
            .iter()
            .map(|note| format!("<li>{}</li>", escape(note)))
            .collect();
        body += &format!("<ul class=note>{notes}</ul>");
    }
    let told: String = words::of_labels(valued)
        .iter()
        .map(|told| format!("<p>{}.</p>", escape(told)))
        .collect();
    body += &section(
        "Labels",
        "What models say of rows that they have not seen.",
        &(told + &histogram::of_rows(valued)),
    );
    let suggested = suggestions(valued);
    if !suggested.is_empty() {
        body += &section(
            "Suggested labels",
            "Labels that look wrong, the lowest rows first, with what the models say instead. All of them \
             are in the column <code>suggested</code> of rows.csv.",
            &suggested,
        );
    }
    body += &section(
        "Near duplicates",
        "Rows that are nearer to another than chance brings them, those of several labels first, then the \
         closest. All of them are in the column <code>duplicates</code> of rows.csv.",
        &near_duplicates(valued),
    );
    body += &section(
        "Cells of the lowest rows",
        "2D-OOB values, the lowest row on top; on the left row and label, on the right the row's \
         Data-OOB.",
        &heat::map(valued),
    );
    body += &match problem.target() {
        Target::Classes { .. } => section(
            "Lowest rows",
            "By Data-OOB. A label that the models contradict is wrong, or its row is a hard case.",
            &rows(valued),
        ),
        Target::Numbers(_) => section(
            "Rows farthest from what is predicted",
            "By Data-OOB. A number that the models do not come near is wrong, or its row is a hard case.",
            &rows(valued),
        ),
    };
    body += &section(
        "Lowest cells",
        "By 2D-OOB value: learners that saw this column do badly on this row.",
        &cells(valued, &valued.lowest_cells),
    );
    if !valued.farthest_cells.is_empty() {
        body += &section(
            "Farthest cells",
            "By |z|, the distance from the mean of the row's class in standard deviations: the \
             better list for cells that lie far out.",
            &cells(valued, &valued.farthest_cells),
        );
    }
    document(&title, &body)
}

/// What a value says, in one sentence.
fn meaning(valued: &Valued) -> &'static str {
    match (valued.job().settings.score, valued.table.problem.target()) {
        (_, Target::Numbers(_)) => {
            "A value is the mean of −((y − ŷ)/σ)² over learners that have not seen the row: 0 is \
             best."
        }
        (Score::Plain, _) => {
            "A value is the share of learners that have not seen the row and predict its label."
        }
        (Score::Soft, _) => {
            "A value is the mean probability of the label by learners that have not seen the row."
        }
        (Score::Distance, _) => {
            "A value is the share of learners that predict the label, plus the paper's distance \
             term."
        }
    }
}

fn rows(valued: &Valued) -> String {
    let is_class = matches!(valued.table.problem.target(), Target::Classes { .. });
    let third = if is_class { "share" } else { "off by" };
    let header = [
        "row",
        "label",
        "predicted",
        third,
        "Data-OOB",
        "± se",
        "learners",
        "marginal",
        "cells",
    ];
    let lines: Vec<Vec<String>> = valued
        .lowest_rows
        .iter()
        .take(LIST)
        .map(|&row| {
            let value = &valued.rows[row];
            vec![
                name(valued, row),
                shortened(&label(&valued.table.problem, row)),
                shortened(&words::predicted(valued, row)),
                number(words::third(valued, row)),
                number(value.data_oob.value),
                number(value.data_oob.error),
                value.data_oob.count.to_string(),
                number(value.marginal),
                words::cells(valued, row),
            ]
        })
        .collect();
    table(&header, &lines)
}

/// The first of the labels that look wrong, or nothing.
fn suggestions(valued: &Valued) -> String {
    let header = ["row", "label", "suggested", "share", "cells"];
    let lines: Vec<Vec<String>> = valued
        .lowest_rows
        .iter()
        .filter(|row| valued.said[**row].suspect)
        .take(LIST)
        .map(|&row| {
            vec![
                name(valued, row),
                shortened(&label(&valued.table.problem, row)),
                shortened(&words::predicted(valued, row)),
                number(valued.said[row].share),
                words::cells(valued, row),
            ]
        })
        .collect();
    match lines.is_empty() {
        true => String::new(),
        false => table(&header, &lines),
    }
}

/// What is said of near duplicates, and the first sets.
fn near_duplicates(valued: &Valued) -> String {
    let told: String = near::of_rows(valued)
        .iter()
        .map(|told| format!("<p>{}.</p>", escape(told)))
        .collect();
    let sets = valued.near.sets.iter().take(LIST);
    let lines: Vec<Vec<String>> = sets
        .map(|set| {
            let [rows, labels, cells] = near::set(valued, set);
            vec![rows, labels, number(set.distance), cells]
        })
        .collect();
    match lines.is_empty() {
        true => told,
        false => told + &table(&near::HEADER, &lines),
    }
}

fn cells(valued: &Valued, cells: &[Ranked]) -> String {
    let header = ["row", "column", "cell", "value", "± se", "learners", "z"];
    let lines: Vec<Vec<String>> = cells
        .iter()
        .take(LIST)
        .map(|cell| {
            let column = &valued.table.problem.columns()[cell.column];
            vec![
                name(valued, cell.row),
                shortened(&column.name),
                shortened(&text(&column.cells, cell.row)),
                number(cell.value),
                number(cell.error),
                cell.count.to_string(),
                number(cell.z),
            ]
        })
        .collect();
    table(&header, &lines)
}

fn number(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else {
        short(value)
    }
}
