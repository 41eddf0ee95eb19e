//! One self-contained HTML page about the values of a table.

use afterimage_report::{Page, Section, Table, items, short_or_dash};
use afterimage_value::{Ranked, Score, Target, label, text};
use maud::{Markup, html};

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
    Page::new(title)
        .head(told(valued))
        .section(labels(valued))
        .section(suggested(valued))
        .section(near_duplicates(valued))
        .section(
            Section::new("Cells of the lowest rows")
                .note(
                    "2D-OOB values, the lowest row on top; on the left row and label, on the right the row's \
                     Data-OOB.",
                )
                .content(heat::map(valued)),
        )
        .section(lowest_rows(valued))
        .section(
            Section::new("Lowest cells")
                .note("By 2D-OOB value: learners that saw this column do badly on this row.")
                .content(cells(valued, &valued.lowest_cells)),
        )
        .section(farthest_cells(valued))
        .html()
}

/// What was valued, and what is to be known of it.
fn told(valued: &Valued) -> Markup {
    let (table, settings) = (&valued.table, &valued.job().settings);
    html! {
        p.note {
            (table.problem.rows()) " rows, " (table.problem.columns().len()) " columns, label "
            code { (table.label) } ". " (settings.learners) " learners, ratio " (settings.ratio)
            ", seed " (settings.seed) ". " (meaning(valued))
        }
        @if !table.notes.is_empty() { ul.note { (items(&table.notes)) } }
    }
}

fn labels(valued: &Valued) -> Section {
    let told = words::of_labels(valued);
    Section::new("Labels")
        .note("What models say of rows that they have not seen.")
        .content(html! { @for told in told { p { (told) "." } } })
        .content(histogram::of_rows(valued))
}

fn lowest_rows(valued: &Valued) -> Section {
    let (title, note) = match valued.table.problem.target() {
        Target::Classes { .. } => (
            "Lowest rows",
            "By Data-OOB. A label that the models contradict is wrong, or its row is a hard case.",
        ),
        Target::Numbers(_) => (
            "Rows farthest from what is predicted",
            "By Data-OOB. A number that the models do not come near is wrong, or its row is a hard case.",
        ),
    };
    Section::new(title).note(note).content(rows(valued))
}

fn farthest_cells(valued: &Valued) -> Section {
    let section = Section::new("Farthest cells").note(
        "By |z|, the distance from the mean of the row's class in standard deviations: the \
         better list for cells that lie far out.",
    );
    match valued.farthest_cells.is_empty() {
        true => section,
        false => section.content(cells(valued, &valued.farthest_cells)),
    }
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

fn rows(valued: &Valued) -> Table {
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
                short_or_dash(words::third(valued, row)),
                short_or_dash(value.data_oob.value),
                short_or_dash(value.data_oob.error),
                value.data_oob.count.to_string(),
                short_or_dash(value.marginal),
                words::cells(valued, row),
            ]
        })
        .collect();
    Table::new(&header).rows(lines)
}

/// The first of the labels that look wrong; empty without any.
fn suggested(valued: &Valued) -> Section {
    let section = Section::new("Suggested labels").note(html! {
        "Labels that look wrong, the lowest rows first, with what the models say instead. All of them \
         are in the column " code { "suggested" } " of rows.csv."
    });
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
                short_or_dash(valued.said[row].share),
                words::cells(valued, row),
            ]
        })
        .collect();
    match lines.is_empty() {
        true => section,
        false => section.content(Table::new(&header).rows(lines)),
    }
}

/// What is said of near duplicates, and the first sets.
fn near_duplicates(valued: &Valued) -> Section {
    let told = near::of_rows(valued);
    let section = Section::new("Near duplicates")
        .note(html! {
            "Rows that are nearer to another than chance brings them, those of several labels first, then the \
             closest. All of them are in the column " code { "duplicates" } " of rows.csv."
        })
        .content(html! { @for told in told { p { (told) "." } } });
    let sets = valued.near.sets.iter().take(LIST);
    let lines: Vec<Vec<String>> = sets
        .map(|set| {
            let [rows, labels, cells] = near::set(valued, set);
            vec![rows, labels, short_or_dash(set.distance), cells]
        })
        .collect();
    match lines.is_empty() {
        true => section,
        false => section.content(Table::new(&near::HEADER).rows(lines)),
    }
}

fn cells(valued: &Valued, cells: &[Ranked]) -> Table {
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
                short_or_dash(cell.value),
                short_or_dash(cell.error),
                cell.count.to_string(),
                short_or_dash(cell.z),
            ]
        })
        .collect();
    Table::new(&header).rows(lines)
}
