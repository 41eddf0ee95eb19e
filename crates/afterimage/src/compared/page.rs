//! One self-contained HTML page about several runs.

use std::collections::BTreeSet;

use afterimage_sweep::Answer;
use afterimage_track::html::{
    contents, digits, escape, folded, live_document, prose, section, short, sorted_table,
};

use super::figures::{End, Figure, Figures, end, figures};
use super::groups::{Group, answers, groups, sentence};
use super::one::One;
use super::{Compared, curves, settings};
use crate::sweeps::tables;

const TITLE: &str = "Runs compared";

/// The page.
pub(super) fn render(runs: &[One], compared: &Compared) -> String {
    let figures = figures(runs);
    let groups = groups(runs);
    let body = section_of(runs)
        + &over_seeds(&groups, &figures)
        + &settings::section_of(runs)
        + &ends(runs, &figures)
        + &curves::over_training(runs, &figures)
        + &curves::along_layers(runs, &figures)
        + &layers(runs, &figures);
    let head = format!("<h1>{TITLE}</h1>{}", told(compared));
    live_document(TITLE, &(head + &contents(&body) + &body))
}

/// What could not be read, and what a reader should know.
fn told(compared: &Compared) -> String {
    let list = |lines: &[String]| -> String {
        let items = lines.iter().map(|line| format!("<li>{}</li>", prose(line)));
        items.collect()
    };
    let mut html = String::new();
    if !compared.faults.is_empty() {
        html += &format!(
            "<div class=warning><strong>Not shown, because it cannot be read or is lost:</strong><ul>{}</ul></div>",
            list(&compared.faults)
        );
    }
    if !compared.notes.is_empty() {
        html += &format!("<ul class=note>{}</ul>", list(&compared.notes));
    }
    html
}

/// The runs and how they ended.
fn section_of(runs: &[One]) -> String {
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
    section("Runs", "", &sorted_table("runs", &header, &rows))
}

/// Means over seeds, and differences with their intervals.
fn over_seeds(groups: &[Group<'_>], figures: &Figures) -> String {
    const TITLE: &str = "Over seeds";
    if groups.iter().all(|group| group.seeds() < 2) {
        let why = "No two of these runs that are done differ by their seed alone, so that nothing can be said of what chance \
                   makes of a config. Differences get intervals with runs of at least three seeds of each config.";
        return section(TITLE, "", &format!("<p>{why}</p>"));
    }
    let answers = answers(groups, figures);
    let controlled = |answer: &&Answer| {
        let mut of = figures.single.iter();
        of.any(|figure| figure.controlled && figure.tag == answer.metric)
    };
    let (first, others): (Vec<&Answer>, Vec<&Answer>) = answers.iter().partition(controlled);
    // A learning rate that was set is told apart, too, and is no finding.
    let sentences: Vec<String> = first.iter().filter_map(|answer| sentence(answer)).collect();
    let mut html = String::new();
    if !sentences.is_empty() {
        let items = sentences
            .iter()
            .map(|text| format!("<li>{}</li>", prose(text)));
        html += &format!("<ul>{}</ul>", items.collect::<String>());
    }
    html += &differences("differences", &first);
    if !others.is_empty() {
        html += &format!(
            "<details><summary>{} other {}</summary>{}</details>",
            others.len(),
            if others.len() == 1 {
                "figure"
            } else {
                "figures"
            },
            differences("other-differences", &others)
        );
    }
    let note = match (answers.is_empty(), groups.len()) {
        (true, 1) => {
            "All runs differ by their seed alone: there are means, and nothing to compare."
                .to_owned()
        }
        (true, _) => {
            "No seed is in two groups with the same data: there are means, and no differences."
                .to_owned()
        }
        (false, _) => tables::READING.replace('*', ""),
    };
    let control = groups.first().map_or("", |group| group.name.as_str());
    let note = match answers.is_empty() {
        true => escape(&note),
        false => {
            let arms: BTreeSet<&str> = answers.iter().map(|answer| answer.arm.as_str()).collect();
            let arm = match arms.first().filter(|_| arms.len() == 1) {
                Some(arm) => format!(", the arm {}", escape(arm)),
                None => String::new(),
            };
            format!(
                "The control is what was given first, {}{arm}. {}",
                escape(control),
                escape(&note)
            )
        }
    };
    section(TITLE, &note, &(html + &means(groups, figures)))
        + &section(
            "Means by epoch",
            "Bars are one standard error over seeds.",
            &curves::of_groups(groups, figures),
        )
}

fn differences(name: &str, answers: &[&Answer]) -> String {
    if answers.is_empty() {
        return String::new();
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
    let rows: Vec<Vec<String>> = answers
        .iter()
        .zip(rows)
        .map(|(answer, row)| [answer.metric.clone()].into_iter().chain(row).collect())
        .collect();
    let older: usize = answers.iter().map(|answer| answer.earlier).sum();
    let mut html = sorted_table(name, &header, &rows);
    if older > 0 {
        html += "<p class=note>Some values were last measured before the end of their runs; the table of figures \
                 has their epochs.</p>";
    }
    html
}

/// A table of means: figures that have a control, a column a group.
fn means(groups: &[Group<'_>], figures: &Figures) -> String {
    let names = groups.iter().map(|group| group.name.clone());
    let header: Vec<String> = ["figure".to_owned()].into_iter().chain(names).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let row = |figure: &Figure| {
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
    match rows.is_empty() {
        true => String::new(),
        false => format!(
            "<h3>Means of the runs that are done</h3>{}",
            sorted_table("means", &header, &rows)
        ),
    }
}

/// The last values of all runs side by side.
fn ends(runs: &[One], figures: &Figures) -> String {
    let table = |name: &str, controlled: bool| {
        let of = figures.single.iter();
        let rows: Vec<(String, Vec<Option<End>>)> = of
            .filter(|figure| figure.controlled == controlled)
            .map(|figure| {
                let ends = runs.iter().map(|run| end(run, &figure.tag)).collect();
                (figure.tag.clone(), ends)
            })
            .collect();
        side_by_side(name, "figure", runs, &rows)
    };
    section(
        "Figures at the end",
        "The last value of each run; below it its epoch and what it is to be held against.",
        &table("figures", true),
    ) + &folded(
        "Other figures at the end",
        "",
        &table("other-figures", false),
    )
}

/// The same for layers.
fn layers(runs: &[One], figures: &Figures) -> String {
    let families = figures.by_layer.iter().filter(|family| family.controlled);
    let rows: Vec<(String, Vec<Option<End>>)> = families
        .flat_map(|family| {
            let tags = family.layers.iter();
            tags.map(|layer| format!("{}{layer}", family.prefix))
        })
        .map(|tag| {
            let ends = runs.iter().map(|run| end(run, &tag)).collect();
            (tag, ends)
        })
        .collect();
    folded(
        "Figures of layers at the end",
        "",
        &side_by_side("figures-of-layers", "figure and layer", runs, &rows),
    )
}

fn side_by_side(
    name: &str,
    first: &str,
    runs: &[One],
    rows: &[(String, Vec<Option<End>>)],
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let heads: String = runs
        .iter()
        .map(|run| format!("<th>{}</th>", escape(&run.name)))
        .collect();
    let body: String = rows
        .iter()
        .map(|(tag, ends)| {
            let cells: String = ends.iter().map(Option::as_ref).map(cell).collect();
            format!("<tr><td>{}</td>{cells}</tr>", escape(tag))
        })
        .collect();
    format!(
        "<div class=scroll><table class=sorts data-name={name}><thead><tr><th>{first}</th>{heads}</tr></thead>\
         <tbody>{body}</tbody></table></div>"
    )
}

/// A last value with what is to be known of it below.
fn cell(end: Option<&End>) -> String {
    let Some(end) = end else {
        return "<td>–</td>".to_owned();
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
    format!(
        "<td data-v=\"{}\">{value}{error}<small>{}</small></td>",
        digits(end.value),
        escape(&below)
    )
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
            "<td>peak</td><td class=number>0.1</td><td class=number>0.2</td>",
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
            "<td>eval/knn</td><td class=number>0.6020</td><td class=number>0.5020</td>",
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
