//! The few lines that a user reads at the end of a sweep.

use std::path::Path;

use afterimage_sweep::{Configuration, Plan, Results, SearchKind, Searching, State, Trial};
use afterimage_track::TextTable;

use super::tables::{groups, heading, interval, notes};

/// Characters of a value in the table.
const LONGEST: usize = 32;

/// Configurations, best first, with mean and standard error over seeds; a table a stage.
pub fn table(results: &Results) -> String {
    let tables: Vec<String> = results.by_stage().iter().map(one_table).collect();
    tables.join("\n")
}

fn one_table(results: &Results) -> String {
    let (header, rows) = cells(results);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let seeds = if results.rows.iter().any(|row| row.seed.is_some()) {
        ", mean over seeds"
    } else {
        ""
    };
    let order = match results.aims.is_empty() {
        true => "best first",
        false => "the front first, and the best of each part first",
    };
    let title = format!("{}: {}{seeds}, {order}", results.name, results.metric.name);
    let mut table = TextTable::new(title, &header);
    rows.into_iter().for_each(|row| table.row(row));
    table.to_string()
}

/// What came out of each comparison, a line an arm; empty without any.
pub fn comparisons(results: &Results) -> String {
    let mut text = String::new();
    for group in groups(&results.answers) {
        let name = group.first().map_or("", |answer| answer.compare.as_str());
        let header = ["arm", "difference", "95 %", "seeds", "verdict", "expected"];
        let less = match group.first() {
            Some(answer) if answer.control.is_empty() => "by seed",
            _ => "arm less control by seed",
        };
        let title = format!("{name}: {}, {less}", heading(group));
        let mut table = TextTable::new(title, &header);
        for answer in group {
            let number = |x: Option<f64>| TextTable::number(x.unwrap_or(f64::NAN), 4);
            let expected = answer
                .expected
                .as_ref()
                .map_or("", |(_, outcome)| outcome.words());
            table.row(vec![
                answer.arm.clone(),
                number(answer.difference),
                interval(answer.interval()),
                format!("{} of {}", answer.pairs, answer.seeds),
                answer.told.to_owned(),
                expected.to_owned(),
            ]);
        }
        text += &format!("{table}\n");
        for note in notes(group, results) {
            text += &format!("{note}\n");
        }
    }
    text
}

/// What a sweep in `out` would run: its stages with the number of their trials, and all trials.
pub fn overview(plan: &Plan, out: &Path) -> String {
    let more = match plan.searches.iter().any(|one| one.asked() < one.samples) {
        true => "; more follow, chosen from their results",
        false => "",
    };
    let count = plan.trials.len();
    let mut text = format!("{count} trials in {}{more}\n", out.display());
    for stage in &plan.stages {
        let own = |trial: &&Trial| trial.stage.as_ref() == Some(&stage.name);
        let needs = match stage.needs.as_slice() {
            [] => String::new(),
            needs => format!(", each behind its run of {}", needs.join(" and ")),
        };
        let count = plan.trials.iter().filter(own).count();
        text += &format!("stage {}: {count} trials{needs}\n", stage.name);
    }
    let forks = plan.trials.iter().filter_map(|trial| trial.fork.as_ref());
    let (count, epochs) = forks.fold((0, 0), |(count, epochs), fork| {
        (count + 1, epochs + u64::from(fork.epoch))
    });
    if count > 0 {
        let all: u64 = plan
            .trials
            .iter()
            .filter_map(|trial| trial.epochs.map(u64::from))
            .sum();
        text += &format!(
            "{count} of them begin at a checkpoint of another: {epochs} of {all} epochs are not trained again\n"
        );
    }
    generations(plan)
        .iter()
        .for_each(|line| text += &format!("{line}\n"));
    for trial in &plan.trials {
        let from = trial.fork.as_ref().map_or(String::new(), |fork| {
            format!(" (from {} at epoch {})", fork.trial, fork.epoch)
        });
        text += &format!("  {}{from}\n", trial.name);
    }
    text
}

/// How far the searches of a plan have come that learn from results, a line each.
pub fn generations(plan: &Plan) -> Vec<String> {
    let line = |search: &Searching| {
        let stage = search.stage.as_ref();
        let of = stage.map_or(String::new(), |stage| format!(" of stage {stage}"));
        let (asked, all) = (search.asked(), search.samples);
        match search
            .generations
            .iter()
            .rposition(|points| !points.is_empty())
        {
            None => format!(
                "the search{of} is driven by another program, which may ask for {all} points (--ask-tell)"
            ),
            Some(_) if search.kind == SearchKind::Ask => {
                format!("the search{of} was asked for {asked} of {all} points")
            }
            Some(last) => {
                let later = match asked < all {
                    true => "; later ones depend on the results of all before them",
                    false => "",
                };
                format!(
                    "generation {} of the search{of} by {}: {asked} of {all} points{later}",
                    last + 1,
                    search.kind.word()
                )
            }
        }
    };
    plan.searches.iter().map(line).collect()
}

/// Why searches of a plan that choose for themselves ask for no more points, though they may; a line each.
pub fn ended_early(plan: &Plan) -> Vec<String> {
    let early = plan
        .searches
        .iter()
        .filter(|search| search.kind != SearchKind::Ask && search.asked() < search.samples);
    let line = |search: &Searching| {
        let stage = search.stage.as_ref();
        let of = stage.map_or(String::new(), |stage| format!(" of stage {stage}"));
        format!(
            "the search{of} ends at {} of {} points: its last generation has no result, or its space no other point",
            search.asked(),
            search.samples
        )
    };
    early.map(line).collect()
}

/// How many trials are in which state, in words.
pub fn counts(results: &Results) -> String {
    let all = [
        State::Done,
        State::Stopped,
        State::Failed,
        State::Skipped,
        State::Running,
        State::Pending,
    ];
    let parts: Vec<String> = all
        .into_iter()
        .filter_map(|state| {
            let count = results.count(state);
            (count > 0 || state == State::Done).then(|| format!("{count} {}", state.word()))
        })
        .collect();
    let forked: Vec<f64> = results
        .rows
        .iter()
        .filter_map(|row| Some(row.standing.forked.as_ref()?.seconds))
        .collect();
    let saved = match forked.len() {
        0 => String::new(),
        count => format!(
            "; {count} began at a checkpoint of another, which saved {}",
            duration(forked.iter().sum())
        ),
    };
    format!("{} trials: {}{saved}", results.rows.len(), parts.join(", "))
}

/// So many seconds in words: in hours only where these are not next to none.
fn duration(seconds: f64) -> String {
    match seconds {
        ..360.0 => format!("{seconds:.1} seconds"),
        _ => format!("{:.2} hours", seconds / 3600.0),
    }
}

/// A value that fits into a table: whole plugins may be set.
fn shortened(text: &str) -> String {
    TextTable::within(text, LONGEST)
}

/// One column's text for a configuration.
type Cell<'a> = Box<dyn Fn(&Configuration) -> String + 'a>;

/// How many trials of a configuration are in a state.
type Count = fn(&Configuration) -> usize;

/// Header and cells of the table of configurations; columns that would be empty are left out.
pub(super) fn cells<'a>(results: &'a Results) -> (Vec<String>, Vec<Vec<String>>) {
    let all = &results.configurations;
    let any = |has: &dyn Fn(&Configuration) -> bool| all.iter().any(has);
    let mut header = Vec::new();
    let mut columns: Vec<Cell<'a>> = Vec::new();
    let mut column = |name: &str, cell: Cell<'a>| {
        header.push(name.to_owned());
        columns.push(cell);
    };
    if any(&|c| c.arm.is_some()) {
        column("arm", Box::new(|c| c.arm.clone().unwrap_or_default()));
    }
    for label in &results.labels {
        column(
            label,
            Box::new(move |c| {
                c.values
                    .get(label)
                    .map_or(String::new(), |text| shortened(text))
            }),
        );
    }
    let number = |x: Option<f64>| TextTable::number(x.unwrap_or(f64::NAN), 4);
    column(&results.metric.name, Box::new(move |c| number(c.mean)));
    if any(&|c| c.standard_error.is_some()) {
        column("± se", Box::new(move |c| number(c.standard_error)));
    }
    for name in &results.metric.against {
        column(
            name,
            Box::new(move |c| number(c.against.get(name).copied())),
        );
    }
    if !results.aims.is_empty() {
        let word = |front: bool| if front { "yes" } else { "no" };
        column(
            "front",
            Box::new(move |c| c.front.map_or("", word).to_owned()),
        );
    }
    column("done", Box::new(|c| c.done.to_string()));
    let counts: [(&str, Count); 5] = [
        ("without a number", |c| c.unmeasured),
        ("stopped", |c| c.stopped),
        ("failed", |c| c.failed),
        ("skipped", |c| c.skipped),
        ("open", |c| c.open),
    ];
    for (name, count) in counts {
        if any(&|c| count(c) > 0) {
            column(name, Box::new(move |c| count(c).to_string()));
        }
    }
    let rows = all
        .iter()
        .map(|c| columns.iter().map(|cell| cell(c)).collect())
        .collect();
    (header, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_is_told_in_seconds() {
        assert_eq!(duration(12.34), "12.3 seconds");
        assert_eq!(duration(5400.0), "1.50 hours");
    }
}
