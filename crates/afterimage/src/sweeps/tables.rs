//! The tables of a study: comparisons with their verdicts, and all configurations, as Markdown and CSV.

use std::collections::BTreeSet;

use afterimage_report::csv_cell;
use afterimage_sweep::{Answer, Configuration, Results, Row, State};

use super::fronts;
use super::summary::counts;

/// Columns of `comparisons.csv`.
const COLUMNS: [&str; 17] = [
    "compare",
    "arm",
    "control",
    "metric",
    "arm_mean",
    "control_mean",
    "difference",
    "t_low",
    "t_high",
    "bootstrap_low",
    "bootstrap_high",
    "pairs",
    "seeds",
    "told",
    "expected",
    "outcome",
    "earlier",
];

/// How the answers of a sweep are to be read.
pub(crate) const READING: &str = "Differences are arm less control, run by run with the same seed, of the last values of the runs \
     unless a question asks for a mean over epochs; where it names no control, they are the arm's own values. The intervals hold 95 %: Student's t, and the percentile bootstrap over seeds (10,000 draws, the \
     same ones each time). An arm is *above* or *below* its control where both intervals leave 0 out and \
     there are at least three seeds; of few seeds the bootstrap alone would be too sure. Each interval \
     stands by itself: of twenty arms that are like their control, up to one is expected to be told apart.";

/// What is said of a question that the sweep was not begun with.
const LATER: &str = "This question is not one that the sweep was begun with: it was changed or added after trials had \
     been started.";

/// `study.md`: the answers, then every configuration.
pub(super) fn markdown(results: &Results) -> String {
    let mut text = format!("# {}\n\n{}.\n", results.name, counts(results));
    for note in &results.notes {
        text += &format!("\n{note}\n");
    }
    if !results.answers.is_empty() {
        text += &format!("\n## Comparisons\n\n{READING}\n");
        for group in groups(&results.answers) {
            text += &comparison(group, results);
        }
    }
    for part in results.by_stage() {
        text += &configurations(results, &part);
    }
    text
}

/// The answers by question.
pub(super) fn groups(answers: &[Answer]) -> Vec<&[Answer]> {
    answers.chunk_by(|a, b| a.compare == b.compare).collect()
}

/// What is compared in a group, in a line.
pub(super) fn heading(group: &[Answer]) -> String {
    let Some(first) = group.first() else {
        return String::new();
    };
    let asked = first
        .expected
        .as_ref()
        .map_or(String::new(), |(question, _)| format!("; {question}"));
    let mean = match first.last {
        1 => String::new(),
        last => format!(", mean of the last {last} epochs"),
    };
    format!("{}{mean}{asked}", first.metric)
}

/// What stands in the place of a control.
fn control(answer: &Answer) -> String {
    match answer.control.as_str() {
        "" => "none: 0".to_owned(),
        control => control.to_owned(),
    }
}

/// Header and cells of a group.
pub(crate) fn cells(group: &[Answer]) -> (Vec<&'static str>, Vec<Vec<String>>) {
    let mut header = vec![
        "arm",
        "control",
        "arm mean",
        "control mean",
        "difference",
        "95 % t",
        "95 % bootstrap",
        "seeds",
        "verdict",
    ];
    let asked = group.iter().any(|answer| answer.expected.is_some());
    header.extend(asked.then_some("expected"));
    let rows = group.iter().map(|answer| {
        let mut row = vec![
            answer.arm.clone(),
            control(answer),
            number(answer.arm_mean),
            number(answer.control_mean),
            signed(answer.difference),
            interval(answer.t),
            interval(answer.bootstrap),
            seeds(answer),
            answer.told.to_owned(),
        ];
        let outcome = answer
            .expected
            .as_ref()
            .map_or("–", |(_, outcome)| outcome.words());
        row.extend(asked.then(|| outcome.to_owned()));
        row
    });
    (header, rows.collect())
}

/// What must be known to read the answers of a group, a sentence each: for pages, terminals and Markdown.
pub(super) fn notes(group: &[Answer], results: &Results) -> Vec<String> {
    let Some(first) = group.first() else {
        return Vec::new();
    };
    let mut notes = Vec::new();
    notes.extend(first.asked_later.then(|| LATER.to_owned()));
    let meant: BTreeSet<&str> = group
        .iter()
        .flat_map(|answer| [answer.arm.as_str(), answer.control.as_str()])
        .collect();
    let is_done = |row: &&Row| {
        row.standing.state == State::Done && meant.contains(row.configuration.as_str())
    };
    let mut done = results.rows.iter().filter(is_done).peekable();
    if done.peek().is_some() && done.all(|row| !row.metrics.contains_key(&first.metric)) {
        notes.push(format!(
            "No trial of these that is done reports {}.",
            first.metric
        ));
    }
    let short = |answer: &Answer| answer.pairs == 0 && answer.last > 1;
    notes.extend(group.iter().any(short).then(|| {
        format!(
            "A run that measured {} in fewer than {} epochs counts for nothing here.",
            first.metric, first.last
        )
    }));
    let older: usize = group.iter().map(|answer| answer.earlier).sum();
    notes.extend((older > 0).then(|| {
        let pairs = if older == 1 { "pair" } else { "pairs" };
        format!(
            "In {older} {pairs} a value was last measured before the end of its run (`earlier` in its \
             result.json)."
        )
    }));
    notes
}

fn comparison(group: &[Answer], results: &Results) -> String {
    let name = group.first().map_or("", |answer| answer.compare.as_str());
    let (header, rows) = cells(group);
    let notes: String = notes(group, results)
        .into_iter()
        .map(|note| format!("\n{note}\n"))
        .collect();
    format!(
        "\n### {name}\n\n{}\n\n{}{notes}",
        heading(group),
        table(&header, &rows)
    )
}

fn configurations(all: &Results, part: &Results) -> String {
    let title = if all.stages.is_empty() {
        "Configurations".to_owned()
    } else {
        format!("Stage {}", part.name)
    };
    let mut header = vec!["configuration", part.metric.name.as_str(), "± se"];
    header.extend(part.metric.against.iter().map(String::as_str));
    header.extend((!part.aims.is_empty()).then_some("front"));
    header.push("seeds");
    let row = |c: &Configuration| {
        let mut row = vec![c.name.clone(), number(c.mean), number(c.standard_error)];
        row.extend(
            part.metric
                .against
                .iter()
                .map(|name| number(c.against.get(name).copied())),
        );
        let front = || {
            c.front
                .map_or("–", |front| if front { "yes" } else { "no" })
        };
        row.extend((!part.aims.is_empty()).then(|| front().to_owned()));
        let planned = c.done + c.stopped + c.failed + c.skipped + c.open;
        row.push(of(c.measured, planned));
        row
    };
    let rows: Vec<Vec<String>> = part.configurations.iter().map(row).collect();
    format!(
        "\n## {title}\n\n{}, the last value of each run: mean and standard error over seeds, best first.\n\n{}{}",
        part.metric.name,
        table(&header, &rows),
        fronts::markdown(part)
    )
}

pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let plain = |text: &str| text.replace('|', "\\|");
    let mut text = line(header.iter().map(|name| plain(name)).collect());
    text += &line(header.iter().map(|_| "---".to_owned()).collect());
    for row in rows {
        text += &line(row.iter().map(|cell| plain(cell)).collect());
    }
    text
}

fn number(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |x| format!("{x:.4}"))
}

fn signed(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |x| format!("{x:+.4}"))
}

pub(super) fn interval(of: Option<(f64, f64)>) -> String {
    of.map_or("–".to_owned(), |(low, high)| {
        format!("{low:+.4} … {high:+.4}")
    })
}

fn seeds(answer: &Answer) -> String {
    of(answer.pairs, answer.seeds)
}

/// How many of how many, where not all are there.
fn of(count: usize, all: usize) -> String {
    if count == all {
        count.to_string()
    } else {
        format!("{count} of {all}")
    }
}

/// `comparisons.csv`: a line an arm, with all digits.
pub(super) fn csv(answers: &[Answer]) -> String {
    let digits = |value: Option<f64>| value.map_or(String::new(), |x| x.to_string());
    let mut text = COLUMNS.join(",") + "\n";
    for answer in answers {
        let ends = |of: Option<(f64, f64)>| [of.map(|ends| ends.0), of.map(|ends| ends.1)];
        let mut cells: Vec<String> = [
            &answer.compare,
            &answer.arm,
            &answer.control,
            &answer.metric,
        ]
        .into_iter()
        .map(|text| csv_cell(text))
        .collect();
        cells.extend([answer.arm_mean, answer.control_mean, answer.difference].map(digits));
        cells.extend(ends(answer.t).map(digits));
        cells.extend(ends(answer.bootstrap).map(digits));
        cells.extend([
            answer.pairs.to_string(),
            answer.seeds.to_string(),
            answer.told.to_owned(),
        ]);
        let expected = answer.expected.as_ref();
        cells.push(expected.map_or(String::new(), |(question, _)| csv_cell(question)));
        cells.push(expected.map_or(String::new(), |(_, outcome)| outcome.words().to_owned()));
        cells.push(answer.earlier.to_string());
        text += &(cells.join(",") + "\n");
    }
    text
}
