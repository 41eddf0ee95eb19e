//! What a valuation says of the labels, in sentences.

use afterimage_track::TextTable;
use afterimage_value::{LabelCheck, Prediction, Target, text};

use super::Valued;

/// Characters of a row's cells in a list.
const CELLS: usize = 48;

/// Which labels look wrong, or how near the numbers are, a sentence each.
pub(super) fn of_labels(valued: &Valued) -> Vec<String> {
    match valued.table.problem.target() {
        Target::Classes { .. } => {
            let mut told = vec![suspects(valued)];
            told.extend(valued.check.as_ref().map(check));
            told
        }
        Target::Numbers(labels) => vec![numbers(labels, &valued.said)],
    }
}

/// How sure learners are of the class that they predict for a row, as a share; or how far its number is off.
pub(super) fn third(valued: &Valued, row: usize) -> f64 {
    let said = &valued.said[row];
    match valued.table.problem.target() {
        Target::Classes { .. } => said.share,
        Target::Numbers(labels) => labels[row] - said.number,
    }
}

fn suspects(valued: &Valued) -> String {
    let (all, count) = (valued.said.len(), valued.suspects());
    let votes = "models that have not seen the row vote for another class, as often as they do, on average, for \
                 rows labelled so, or most clearly among as many as are likely wrong";
    match count {
        0 => format!("No label of {all} looks wrong, as it would if {votes}"),
        1 => format!("1 label of {all} looks wrong: {votes}"),
        _ => format!("{count} labels of {all} look wrong: {votes}"),
    }
}

fn check(check: &LabelCheck) -> String {
    let (low, high) = check.interval();
    let LabelCheck {
        planted,
        found,
        right,
        learners,
    } = check;
    format!(
        "Check: of {planted} labels made wrong on purpose {found} look wrong by the same rule ({:.0} %, 95 % \
         interval {:.0} to {:.0} %), {right} of them with the right label as the suggestion ({learners} models; \
         mistakes that follow the cells are harder to find than these, which are random)",
        100.0 * check.share(),
        100.0 * low,
        100.0 * high
    )
}

/// How far the labels lie from what is said of them.
fn numbers(labels: &[f64], said: &[Prediction]) -> String {
    let pairs = || {
        let pairs = labels.iter().zip(said.iter().map(|said| said.number));
        pairs.filter(|(_, said)| said.is_finite())
    };
    let mut off: Vec<f64> = pairs().map(|(label, said)| (label - said).abs()).collect();
    off.sort_by(f64::total_cmp);
    let count = off.len();
    if count == 0 {
        return "No model could tell of any row".to_owned();
    }
    let mean = pairs().map(|(label, _)| label).sum::<f64>() / count as f64;
    let spread: f64 = pairs().map(|(label, _)| (label - mean).powi(2)).sum();
    let left: f64 = off.iter().map(|off| off * off).sum();
    let within = |share: f64| off[((share * count as f64) as usize).min(count - 1)];
    format!(
        "Models that have not seen a row explain {:.0} % of the variance of the labels (R²); half of the rows \
         are predicted to within {:.4}, 95 % to within {:.4}. Those farther off are wrong numbers, or hard cases",
        100.0 * (1.0 - left / spread),
        within(0.5),
        within(0.95)
    )
}

/// The predicted label of a row; a dash where no model could tell.
pub(super) fn predicted(valued: &Valued, row: usize) -> String {
    let said = &valued.said[row];
    match (valued.table.problem.target(), said.class) {
        (Target::Classes { names, .. }, Some(class)) => names[class as usize].clone(),
        (Target::Numbers(_), _) if said.number.is_finite() => format!("{:.4}", said.number),
        _ => "–".to_owned(),
    }
}

/// The cells of a row, as many as fit in a list, with the names of their columns.
pub(super) fn cells(valued: &Valued, row: usize) -> String {
    let mut told = String::new();
    for column in valued.table.problem.columns() {
        let cell = format!("{} {}", column.name, text(&column.cells, row));
        if !told.is_empty() {
            told.push_str(", ");
        }
        told.push_str(cell.trim_end());
        if told.chars().count() > CELLS {
            return TextTable::within(&told, CELLS);
        }
    }
    told
}
