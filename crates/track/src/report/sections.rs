//! The parts of the page, by what they show.

use std::collections::BTreeSet;

use afterimage_hooks::Column;

use super::chart::{Axis, Series, line_chart};
use super::load::{Run, Scalar};
use super::page::{data_uri, escape, section, short, table};
use super::ridges::ridge_chart;

/// Rows of a stored table that are shown.
const ROWS: usize = 15;

/// What stands between `unitmem/` and the site in the tags of a series, and its name.
const MEANS: [(&str, &str, bool); 3] = [
    ("unitmem/mean/train/", "training points", false),
    ("unitmem/mean/held_out/", "held-out points", true),
    ("unitmem/mean/initial/", UNTRAINED, true),
];
const UNTRAINED: &str = "untrained encoder";

/// A label; what a fine-tuning run starts with is no untrained encoder.
fn named(run: &Run, label: &str) -> String {
    match label {
        UNTRAINED if run.is_fine_tuned() => "encoder at the start".to_owned(),
        other => other.to_owned(),
    }
}

pub(super) fn series(label: &str, scalar: &Scalar, dashed: bool) -> Series {
    Series {
        label: label.to_owned(),
        points: scalar.points.clone(),
        dashed,
    }
}

/// All scalars below `prefix` in one chart; nothing if there is none.
pub(super) fn together(run: &Run, title: &str, prefix: &str) -> String {
    let lines: Vec<Series> = run
        .below(prefix)
        .map(|(rest, scalar)| series(rest, scalar, false))
        .collect();
    if lines.is_empty() {
        String::new()
    } else {
        line_chart(title, &Axis::Steps, &lines)
    }
}

/// The sentences of what was found.
pub fn found(run: &Run) -> String {
    if run.found.is_empty() {
        return String::new();
    }
    let items: String = run
        .found
        .iter()
        .map(|sentence| format!("<li>{}</li>", escape(sentence)))
        .collect();
    section("What was found", "", &format!("<ul>{items}</ul>"))
}

/// Loss and learning rate.
pub fn training(run: &Run) -> String {
    let rate = run.scalar("lr").map(|scalar| {
        line_chart(
            "learning rate",
            &Axis::Steps,
            &[series("lr", scalar, false)],
        )
    });
    let charts = together(run, "loss", "loss/")
        + &together(run, "learning rate", "lr/")
        + &rate.unwrap_or_default();
    section("Training", "", &charts)
}

/// kNN and linear probes, with their controls.
pub fn evaluation(run: &Run) -> String {
    let lines: Vec<Series> = run
        .below("eval/")
        .map(|(rest, scalar)| {
            series(
                rest,
                scalar,
                rest.contains("random") || rest.contains("initial"),
            )
        })
        .collect();
    let chart = if lines.is_empty() {
        String::new()
    } else {
        line_chart("evaluation", &Axis::Steps, &lines)
    };
    section("Evaluation", "Dashed lines are controls.", &chart)
}

/// The sites with any UnitMem scalar, in the order of the record.
fn sites(run: &Run) -> Vec<&str> {
    let mut seen = BTreeSet::new();
    let prefixes = MEANS
        .iter()
        .map(|mean| mean.0)
        .chain(["unitmem/excess/held_out/", "unitmem/excess/initial/"]);
    let all = prefixes.flat_map(|prefix| run.below(prefix).map(|(site, _)| site));
    all.filter(|site| seen.insert(site.to_owned())).collect()
}

/// UnitMem of the layers with both controls: at the end, over time, and as a table.
pub fn memorization(run: &Run) -> String {
    let sites = sites(run);
    if sites.is_empty() {
        return String::new();
    }
    let last = |prefix: &str, site: &str| run.beside(MEANS[0].0, &format!("{prefix}{site}"));
    // All sites together are no layer, and have no place on an axis of layers.
    let layers: Vec<&str> = sites
        .iter()
        .copied()
        .filter(|site| *site != "all")
        .collect();
    let names: Vec<String> = layers.iter().map(|&site| site.to_owned()).collect();
    let profile: Vec<Series> = MEANS
        .iter()
        .filter(|mean| run.below(mean.0).next().is_some())
        .map(|&(prefix, label, dashed)| {
            let points = layers
                .iter()
                .enumerate()
                .map(|(i, site)| (i as f64, last(prefix, site)))
                .collect();
            Series {
                label: named(run, label),
                points,
                dashed,
            }
        })
        .collect();
    let mut charts = String::new();
    if !profile.is_empty() && sites.len() > 1 {
        charts += &line_chart(
            "mean UnitMem by layer, last probe",
            &Axis::Names(names),
            &profile,
        );
    }
    charts += &together(
        run,
        "excess over held-out points",
        "unitmem/excess/held_out/",
    );
    charts += &together(
        run,
        &format!("excess over the {}", named(run, UNTRAINED)),
        "unitmem/excess/initial/",
    );
    charts += &together(
        run,
        "turnover: share of units with a new owner",
        "unitmem/turnover/",
    );
    let overview = section(
        "Memorization by layer",
        &format!(
            "UnitMem of a unit compares its strongest point with the mean of the others. Held-out points \
             and the {} show how much of it is there without training on the points.",
            named(run, UNTRAINED)
        ),
        &charts,
    );
    overview + &per_layer(run, &sites) + &per_layer_table(run, &sites, last)
}

fn per_layer(run: &Run, sites: &[&str]) -> String {
    let mut charts = String::new();
    for site in sites {
        let lines: Vec<Series> = MEANS
            .iter()
            .filter_map(|&(prefix, label, dashed)| {
                run.scalar(&format!("{prefix}{site}"))
                    .map(|scalar| series(&named(run, label), scalar, dashed))
            })
            .collect();
        if !lines.is_empty() {
            charts += &line_chart(site, &Axis::Steps, &lines);
        }
    }
    section(
        "Mean UnitMem over training",
        "One chart a layer, each with its own scale.",
        &charts,
    )
}

fn per_layer_table(run: &Run, sites: &[&str], last: impl Fn(&str, &str) -> f64) -> String {
    let (start, over) = match run.is_fine_tuned() {
        true => ("at the start", "excess over the start"),
        false => ("untrained", "excess over untrained"),
    };
    let header = [
        "#",
        "layer",
        "train",
        "held out",
        start,
        "excess over held out",
        over,
    ];
    let mut rows = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        let mut row = vec![(index + 1).to_string(), (*site).to_owned()];
        let prefixes = MEANS
            .iter()
            .map(|mean| mean.0)
            .chain(["unitmem/excess/held_out/", "unitmem/excess/initial/"]);
        row.extend(prefixes.map(|prefix| number(last(prefix, site))));
        rows.push(row);
    }
    section("UnitMem at the last probe", "", &table(&header, &rows))
}

/// Every stored distribution over epochs.
pub fn histograms(run: &Run) -> String {
    let order = |tag: &str| {
        let site = tag.rsplit('/').next().unwrap_or(tag);
        sites(run)
            .iter()
            .position(|&known| known == site)
            .unwrap_or(usize::MAX)
    };
    let mut tags: Vec<&String> = run.histograms.keys().collect();
    tags.sort_by_key(|tag| (order(tag), tag.as_str()));
    let charts: String = tags
        .into_iter()
        .map(|tag| ridge_chart(tag, &run.histograms[tag]))
        .collect();
    section(
        "Distributions over epochs",
        "The first epoch is on top; each row is scaled to its own peak.",
        &charts,
    )
}

/// Pictures: the last one large, earlier ones folded away.
pub fn pictures(run: &Run) -> String {
    let mut figures = String::new();
    for (tag, pictures) in &run.pictures {
        let image = |index: usize| {
            let picture = &pictures[index];
            format!(
                "<figure class=picture><img src=\"{}\" width={} height={} alt=\"{}, epoch {}\"><figcaption>epoch {}</figcaption></figure>",
                data_uri(&picture.png),
                picture.width,
                picture.height,
                escape(tag),
                picture.epoch,
                picture.epoch
            )
        };
        let Some(last) = pictures.len().checked_sub(1) else {
            continue;
        };
        figures += &format!(
            "<div class=pictures><h3>{}</h3>{}",
            escape(tag),
            image(last)
        );
        if last > 0 {
            let earlier: String = (0..last).map(image).collect();
            figures += &format!("<details><summary>earlier epochs</summary>{earlier}</details>");
        }
        figures += "</div>";
    }
    section("Pictures", "", &figures)
}

/// The scalars that no other section shows, so that nothing on record is hidden.
pub fn others(run: &Run) -> String {
    const SHOWN: [&str; 13] = [
        "loss/",
        "lr/",
        "eval/",
        "unitmem/mean/train/",
        "unitmem/mean/held_out/",
        "unitmem/mean/initial/",
        "unitmem/excess/",
        "unitmem/turnover/",
        "layermem/mean/",
        "layermem/se/",
        "layermem/calibrated/",
        "layermem/delta/",
        "alignment/gap/",
    ];
    let rest = run
        .scalars
        .iter()
        .filter(|s| s.tag != "lr" && !SHOWN.iter().any(|known| s.tag.starts_with(known)));
    let mut groups: Vec<(&str, Vec<Series>)> = Vec::new();
    for scalar in rest {
        let (group, label) = scalar.tag.rsplit_once('/').unwrap_or(("", &scalar.tag));
        let line = series(label, scalar, false);
        match groups.iter_mut().find(|(name, _)| *name == group) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((group, vec![line])),
        }
    }
    let title = |group: &str| {
        if group.is_empty() {
            "other".to_owned()
        } else {
            group.to_owned()
        }
    };
    let charts: String = groups
        .iter()
        .map(|(group, lines)| line_chart(&title(group), &Axis::Steps, lines))
        .collect();
    section("Other measurements", "", &charts)
}

/// Durations and speeds.
pub fn cost(run: &Run) -> String {
    let rows: Vec<Vec<String>> = run
        .timings
        .iter()
        .map(|scalar| {
            let finite: Vec<f64> = scalar
                .points
                .iter()
                .map(|p| p.1)
                .filter(|v| v.is_finite())
                .collect();
            let mean = finite.iter().sum::<f64>() / finite.len() as f64;
            let most = finite.iter().copied().fold(f64::NAN, f64::max);
            vec![
                scalar.tag.clone(),
                number(mean),
                number(most),
                number(scalar.last()),
            ]
        })
        .collect();
    let mut shown = plugin_costs(run);
    if !rows.is_empty() {
        shown += &table(&["measurement", "mean", "most", "last"], &rows);
    }
    section("Time and overhead", "", &shown)
}

/// Time of plugins by event, most first.
fn plugin_costs(run: &Run) -> String {
    if run.costs.is_empty() {
        return String::new();
    }
    let mut costs: Vec<_> = run.costs.iter().collect();
    costs.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let rows: Vec<Vec<String>> = costs
        .into_iter()
        .map(|cost| {
            vec![
                cost.plugin.clone(),
                cost.event.clone(),
                cost.calls.to_string(),
                number(cost.seconds),
            ]
        })
        .collect();
    let header = ["plugin", "event", "calls", "seconds, last process"];
    table(&header, &rows)
}

/// The stored tables at their last epoch.
pub fn tables(run: &Run) -> String {
    let mut html = String::new();
    for snapshot in &run.tables {
        let columns = &snapshot.table.columns;
        let count = columns.first().map_or(0, |(_, column)| column.len());
        let mut order: Vec<usize> = (0..count).collect();
        let mut how = "first";
        if let Some((_, Column::F64(values))) = columns.iter().find(|(name, _)| name == "unitmem") {
            order.sort_by(|&a, &b| {
                let key = |i: usize| {
                    if values[i].is_nan() {
                        f64::NEG_INFINITY
                    } else {
                        values[i]
                    }
                };
                key(b).total_cmp(&key(a))
            });
            how = "with the highest unitmem";
        }
        // Behind a column of ids the names of its samples, where there are any.
        let shown: Vec<(&str, &Column, bool)> = columns
            .iter()
            .map(|(name, column)| (name.as_str(), column, run.names.has(&snapshot.table, name)))
            .collect();
        let header: Vec<String> = shown
            .iter()
            .flat_map(|&(name, _, named)| {
                let names = named.then(|| format!("{name}: file"));
                [name.to_owned()].into_iter().chain(names)
            })
            .collect();
        let header: Vec<&str> = header.iter().map(String::as_str).collect();
        let cells = |row: usize| {
            let of = |&(name, column, named): &(&str, &Column, bool)| {
                let file = run.names.of_cell(&snapshot.table, name, row);
                let file = named.then(|| file.unwrap_or("–").to_owned());
                [cell(column, row)].into_iter().chain(file)
            };
            shown.iter().flat_map(of).collect()
        };
        let rows: Vec<Vec<String>> = order.iter().take(ROWS).map(|&row| cells(row)).collect();
        html += &format!(
            "<details open><summary>{}: {} of {count} rows, {how}; all in <code>{}</code></summary>{}</details>",
            escape(&snapshot.name),
            rows.len(),
            escape(&snapshot.file),
            table(&header, &rows)
        );
    }
    section("Tables", "", &html)
}

fn cell(column: &Column, row: usize) -> String {
    match column {
        Column::F64(values) => number(values[row]),
        Column::I64(values) => values[row].to_string(),
        Column::Text(values) => values[row].clone(),
    }
}

pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else {
        short(value)
    }
}
