//! One self-contained HTML page about several runs.

use std::collections::BTreeSet;

use afterimage_report::{Cell, Fold, Page, Section, Table, items, not_shown, prose, short};
use afterimage_sweep::Answer;
use maud::{Markup, html};

use super::figures::{End, Figure, Figures, end, figures};
use super::groups::{Group, answers, groups, sentence};
use super::one::One;
use super::{Compared, curves, settings};
use crate::sweeps::tables;

/// The page.
pub(super) fn render(runs: &[One], compared: &Compared) -> String {
    let figures = figures(runs);
    let groups = groups(runs);
    Page::new("Runs compared")
        .head(told(compared))
        .contents()
        .live()
        .section(section_of(runs))
        .sections(over_seeds(&groups, &figures))
        .section(settings::section_of(runs))
        .sections(ends(runs, &figures))
        .sections(curves::over_training(runs, &figures))
        .sections(curves::along_layers(runs, &figures))
        .section(layers(runs, &figures))
        .html()
}

/// What could not be read, and what a reader should know.
fn told(compared: &Compared) -> Markup {
    let lines = |lines: &[String]| lines.iter().map(|line| prose(line)).collect::<Vec<_>>();
    html! {
        (not_shown(lines(&compared.faults)))
        @if !compared.notes.is_empty() { ul.note { (items(lines(&compared.notes))) } }
    }
}

/// The runs and how they ended.
fn section_of(runs: &[One]) -> Section {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
            let last = run.last();
            vec![
                run.name.clone(),
                or_dash(run.seed().map(|seed| seed.to_string())),
                or_dash(run.outcome.clone()),
                or_dash(last.map(|(_, epoch)| epoch.to_string())),
                or_dash(last.map(|(step, _)| step.to_string())),
            ]
        })
        .collect();
    let header = ["run", "seed", "outcome", "epochs", "steps"];
    Section::new("Runs").content(Table::new(&header).sorts("runs").rows(rows))
}

/// Means over seeds, and differences with their intervals.
fn over_seeds(groups: &[Group<'_>], figures: &Figures) -> Vec<Section> {
    let section = Section::new("Over seeds");
    if groups.iter().all(|group| group.seeds() < 2) {
        let why = "No two of these runs that are done differ by their seed alone, so that nothing can be said of what chance \
                   makes of a config. Differences get intervals with runs of at least three seeds of each config.";
        return vec![section.content(html! { p { (why) } })];
    }
    let answers = answers(groups, figures);
    let controlled = |answer: &&Answer| {
        let mut of = figures.single.iter();
        of.any(|figure| figure.controlled && figure.tag == answer.metric)
    };
    let (first, others): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(controlled);
    let other_figures = match others.len() {
        1 => "1 other figure".to_owned(),
        count => format!("{count} other figures"),
    };
    // A learning rate that was set is told apart, too, and is no finding.
    let sentences: Vec<String> = first.iter().filter_map(|answer| sentence(answer)).collect();
    let content = html! {
        @if !sentences.is_empty() { ul { (items(sentences.iter().map(|text| prose(text)))) } }
        (differences("differences", &first))
        @if !others.is_empty() {
            (Fold::new(other_figures, differences("other-differences", &others)))
        }
        (means(groups, figures))
    };
    let note = note(groups, &answers);
    vec![
        section.note(note).content(content),
        Section::new("Means by epoch")
            .note("Bars are one standard error over seeds.")
            .figures(curves::of_groups(groups, figures)),
    ]
}

/// How the differences are to be read, or why there are none.
fn note(groups: &[Group<'_>], answers: &[Answer]) -> String {
    match (answers.is_empty(), groups.len()) {
        (true, 1) => {
            "All runs differ by their seed alone: there are means, and nothing to compare."
                .to_owned()
        }
        (true, _) => {
            "No seed is in two groups with the same data: there are means, and no differences."
                .to_owned()
        }
        (false, _) => {
            let control = groups.first().map_or("", |group| group.name.as_str());
            let arms: BTreeSet<&str> = answers.iter().map(|answer| answer.arm.as_str()).collect();
            let arm = match arms.first().filter(|_| arms.len() == 1) {
                Some(arm) => format!(", the arm {arm}"),
                None => String::new(),
            };
            let reading = tables::READING.replace('*', "");
            format!("The control is what was given first, {control}{arm}. {reading}")
        }
    }
}

fn differences(name: &str, answers: &[&Answer]) -> Markup {
    if answers.is_empty() {
        return Markup::default();
    }
    let answers: Vec<Answer> = answers.iter().map(|&answer| answer.clone()).collect();
    let (mut header, mut rows) = tables::cells(&answers);
    // One arm is named above the table.
    let one = answers.iter().all(|answer| answer.arm == answers[0].arm);
    if one {
        header.drain(..2);
        rows.iter_mut().for_each(|row| {
            row.drain(..2);
        });
    }
    let header: Vec<&str> = ["figure"].into_iter().chain(header).collect();
    let rows = answers
        .iter()
        .zip(rows)
        .map(|(answer, row)| [answer.metric.clone()].into_iter().chain(row));
    let older: usize = answers.iter().map(|answer| answer.earlier).sum();
    html! {
        (Table::new(&header).sorts(name).rows(rows))
        @if older > 0 {
            p.note {
                "Some values were last measured before the end of their runs; the table of figures \
                 has their epochs."
            }
        }
    }
}

/// A table of means: figures that have a control, a column a group.
fn means(groups: &[Group<'_>], figures: &Figures) -> Markup {
    let names = groups.iter().map(|group| group.name.clone());
    let header: Vec<String> = ["figure".to_owned()].into_iter().chain(names).collect();
    let row = |figure: &Figure| -> Vec<String> {
        let cell = |group: &Group<'_>| match group.mean(&figure.tag) {
            None => "–".to_owned(),
            Some((mean, None, _)) => format!("{} (one seed)", short(mean)),
            Some((mean, Some(error), n)) => {
                format!("{} ± {} ({n} seeds)", short(mean), short(error))
            }
        };
        let cells = groups.iter().map(cell);
        [figure.tag.clone()].into_iter().chain(cells).collect()
    };
    let of = figures.single.iter().filter(|figure| figure.controlled);
    let rows: Vec<Vec<String>> = of.map(row).collect();
    html! {
        @if !rows.is_empty() {
            h3 { "Means of the runs that are done" }
            (Table::new(&header).sorts("means").rows(rows))
        }
    }
}

/// A figure and its end in each run.
type Row = (String, Vec<Option<End>>);

/// The last values of all runs side by side.
fn ends(runs: &[One], figures: &Figures) -> [Section; 2] {
    let rows = |controlled: bool| -> Vec<Row> {
        let of = figures.single.iter();
        of.filter(|figure| figure.controlled == controlled)
            .map(|figure| row(runs, figure.tag.clone()))
            .collect()
    };
    let first = Section::new("Figures at the end")
        .note("The last value of each run; below it its epoch and what it is to be held against.");
    let others = Section::new("Other figures at the end").folded();
    [
        side_by_side(first, "figures", "figure", runs, rows(true)),
        side_by_side(others, "other-figures", "figure", runs, rows(false)),
    ]
}

/// The same for layers.
fn layers(runs: &[One], figures: &Figures) -> Section {
    let families = figures.by_layer.iter().filter(|family| family.controlled);
    let tags = families.flat_map(|family| {
        let layers = family.layers.iter();
        layers.map(|layer| format!("{}{layer}", family.prefix))
    });
    let rows = tags.map(|tag| row(runs, tag)).collect();
    let section = Section::new("Figures of layers at the end").folded();
    side_by_side(section, "figures-of-layers", "figure and layer", runs, rows)
}

fn row(runs: &[One], tag: String) -> Row {
    let ends = runs.iter().map(|run| end(run, &tag)).collect();
    (tag, ends)
}

/// The section with a table of `rows`, whose first column is called `first`; empty without rows.
fn side_by_side(
    section: Section,
    name: &str,
    first: &str,
    runs: &[One],
    rows: Vec<Row>,
) -> Section {
    if rows.is_empty() {
        return section;
    }
    let names = runs.iter().map(|run| run.name.as_str());
    let header: Vec<&str> = [first].into_iter().chain(names).collect();
    let rows = rows.into_iter().map(|(tag, ends)| {
        let cells = ends.into_iter().map(cell);
        [Cell::text(tag)].into_iter().chain(cells)
    });
    section.content(Table::new(&header).sorts(name).rows(rows))
}

/// A last value with what is to be known of it below.
fn cell(end: Option<End>) -> Cell {
    let Some(end) = end else {
        return Cell::text("–");
    };
    let mut below = format!("epoch {}", end.epoch);
    for (name, value) in &end.controls {
        below += &format!("; {name} {}", short(*value));
    }
    let error = end
        .error
        .map_or_else(String::new, |error| format!(" ± {}", short(error)));
    let value = match end.value.is_finite() {
        true => short(end.value),
        false => end.value.to_string(),
    };
    Cell::text(value + &error).worth(end.value).below(below)
}

#[cfg(test)]
mod tests {
    use super::super::one::tests::run;
    use super::*;

    fn page(runs: &[One], faults: &[&str]) -> String {
        let compared = Compared {
            runs: runs.len(),
            notes: super::super::notes(runs),
            faults: faults.iter().map(|fault| (*fault).to_owned()).collect(),
        };
        render(runs, &compared)
    }

    #[test]
    fn two_runs_stand_side_by_side_and_nothing_is_said_of_chance() {
        let a = run(
            "a<1>",
            "seed = 1\npeak = 0.1\n",
            &[("eval/knn", &[0.1, 0.5])],
        );
        let b = run(
            "b",
            "seed = 1\npeak = 0.2\n",
            &[("eval/knn", &[0.1, 0.625])],
        );
        let html = page(&[a, b], &["c: no run"]);
        for words in [
            "<td>peak</td><td class=\"number\">0.1</td><td class=\"number\">0.2</td>",
            "<td data-v=\"0.625\">0.625<small>epoch 1; before training 0.1</small></td>",
            "aria-label=\"eval/knn\"",
            "No two of these runs that are done differ by their seed alone",
            "c: no run",
            "href=\"#figures-at-the-end\"",
        ] {
            assert!(html.contains(words), "no {words:?} in\n{html}");
        }
        assert!(!html.contains("a<1>") && !html.contains("NaN"), "{html}");
    }

    #[test]
    fn seeds_have_means_and_only_figures_are_findings() {
        let mut runs = Vec::new();
        for (rate, more) in [(1, 0.0), (2, 0.1)] {
            for seed in 1..4 {
                let knn = 0.5 + more + 0.001 * f64::from(seed);
                runs.push(run(
                    &format!("{rate}-{seed}"),
                    &format!("seed = {seed}\nrate = {rate}\n"),
                    &[("eval/knn", &[0.1, knn]), ("lr", &[0.0, f64::from(rate)])],
                ));
            }
        }
        let html = page(&runs, &[]);
        for words in [
            "given first, rate = 1, the arm rate = 2. Differences",
            "<li><code>eval/knn</code> of rate = 2 is above that of rate = 1: +0.1000",
            "<td>eval/knn</td><td class=\"number\">0.6020</td><td class=\"number\">0.5020</td>",
            "rate = 2 (mean of 3)",
            "<summary>1 other figure</summary>",
        ] {
            assert!(html.contains(words), "no {words:?} in\n{html}");
        }
        assert!(!html.contains("<code>lr</code>"), "a setting is no finding");
    }

    #[test]
    fn what_does_not_fit_is_shown_and_told() {
        let a = run("a", "[limits]\ntrain = 1\n", &[("eval/knn", &[0.1, 0.5])]);
        let mut b = run("b", "[limits]\ntrain = 2\n", &[("eval/knn", &[0.1, 0.5])]);
        b.outcome = Some("running".to_owned());
        let html = page(&[a, b], &[]);
        assert!(
            html.contains("b: other data than a (<code>limits.train</code>)"),
            "{html}"
        );
        assert!(html.contains("b: not over") && html.matches("data-v=\"0.5\"").count() == 2);
    }
}
