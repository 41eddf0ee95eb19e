//! The parts of the page, by what they show.

use std::collections::BTreeSet;

use super::chart::{Axis, Series, line_chart};
use super::depth::{Of, maps};
use super::load::{Run, Scalar};
use super::page::{folded, prose, section, short, sorted_table};
use super::ridges::ridge_chart;

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

/// A line, and the epoch of each of its points.
pub type Dated = (Series, Vec<u32>);

pub(super) fn series(label: &str, scalar: &Scalar, dashed: bool) -> Series {
    Series {
        label: label.to_owned(),
        points: scalar.points.clone(),
        dashed,
    }
}

/// All scalars below `prefix` in one chart; nothing if there is none.
pub(super) fn together(run: &Run, title: &str, prefix: &str) -> String {
    let lines: Vec<Dated> = run
        .below(prefix)
        .map(|(rest, scalar)| (series(rest, scalar, false), scalar.epochs.clone()))
        .collect();
    match lines.is_empty() {
        true => String::new(),
        false => over_time(title, lines),
    }
}

/// A chart of lines over epochs, or over steps where one of them has several values an epoch. With each
/// line come the epochs of its points.
pub fn over_time(title: &str, lines: Vec<Dated>) -> String {
    let by_epoch = lines
        .iter()
        .all(|(_, epochs)| epochs.windows(2).all(|pair| pair[0] < pair[1]));
    let mut drawn = Vec::new();
    for (mut line, epochs) in lines {
        if by_epoch {
            for (point, epoch) in line.points.iter_mut().zip(epochs) {
                point.0 = f64::from(epoch);
            }
        }
        drawn.push(line);
    }
    let axis = match by_epoch {
        true => Axis::Counts("epoch".to_owned()),
        false => Axis::Steps,
    };
    line_chart(title, &axis, &drawn)
}

/// The sentences of what was found.
pub fn found(run: &Run) -> String {
    if run.found.is_empty() {
        return String::new();
    }
    let items: String = run
        .found
        .iter()
        .map(|sentence| format!("<li>{}</li>", prose(sentence)))
        .collect();
    section("What was found", "", &format!("<ul>{items}</ul>"))
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
    if run.is_training() {
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
    }
    let overview = section(
        "UnitMem by layer: how selective units are",
        &format!(
            "UnitMem of a unit compares its strongest point with the mean of the others: 0 where it answers to all \
             points alike, 1 where it answers to one. That alone is no memory. {}",
            match run.is_fine_tuned() {
                true =>
                    "Held-out points show how much of it is there without training on the points, the encoder \
                         at the start how much this training added.",
                false =>
                    "Held-out points and the untrained encoder show how much of it is there without training \
                          on the points; their own sets of points differ, too, so that an excess counts against \
                          the excess before training.",
            }
        ),
        &charts,
    );
    overview + &over_epochs(run) + &per_layer_table(run, &sites, last) + &per_layer(run, &sites)
}

/// UnitMem of the layers over epochs beside its nulls.
fn over_epochs(run: &Run) -> String {
    if !run.is_training() {
        return String::new();
    }
    let sets = MEANS.map(|(tag, label, _)| Of {
        tag,
        error: None,
        title: format!("mean UnitMem over epochs: {}", named(run, label)),
    });
    section(
        "UnitMem: layers over epochs",
        "The first layer is on top. All maps have one scale; the maps behind the first are its controls.",
        &maps(run, &sets, false),
    )
}

fn per_layer(run: &Run, sites: &[&str]) -> String {
    if !run.is_training() {
        return String::new();
    }
    let mut charts = String::new();
    for site in sites {
        let lines: Vec<Dated> = MEANS
            .iter()
            .filter_map(|&(prefix, label, dashed)| {
                let scalar = run.scalar(&format!("{prefix}{site}"))?;
                let line = series(&named(run, label), scalar, dashed);
                Some((line, scalar.epochs.clone()))
            })
            .collect();
        if !lines.is_empty() {
            charts += &over_time(site, lines);
        }
    }
    folded(
        "Mean UnitMem over training",
        "One chart a layer, each with its own scale.",
        &charts,
    )
}

fn per_layer_table(run: &Run, sites: &[&str], last: impl Fn(&str, &str) -> f64) -> String {
    let (start, over, before) = match run.is_fine_tuned() {
        true => (
            "at the start",
            "excess over the start",
            "train − held out at the start",
        ),
        false => (
            "untrained",
            "excess over untrained",
            "train − held out untrained",
        ),
    };
    let header = [
        "#",
        "layer",
        "train",
        "held out",
        start,
        "train − held out",
        over,
        before,
    ];
    let mut rows = Vec::new();
    for (index, site) in sites.iter().enumerate() {
        let mut row = vec![(index + 1).to_string(), (*site).to_owned()];
        let prefixes = MEANS
            .iter()
            .map(|mean| mean.0)
            .chain(["unitmem/excess/held_out/", "unitmem/excess/initial/"]);
        row.extend(prefixes.map(|prefix| number(last(prefix, site))));
        let excess = run.scalar(&format!("unitmem/excess/held_out/{site}"));
        row.push(number(excess.and_then(Scalar::first).unwrap_or(f64::NAN)));
        rows.push(row);
    }
    let title = format!("UnitMem at the last probe{}", run.at("unitmem/mean/train/"));
    section(&title, "", &sorted_table("unitmem", &header, &rows))
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
    folded(
        "Distributions over epochs",
        "The first epoch is on top; each row is scaled to its own peak.",
        &charts,
    )
}

/// The scalars that no other section shows, so that nothing on record is hidden.
pub fn others(run: &Run) -> String {
    const SHOWN: [&str; 15] = [
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
        "layermem/area/",
        "layermem/area_se/",
        "layermem/calibrated/",
        "layermem/delta/",
        "alignment/gap/",
    ];
    let rest = run
        .scalars
        .iter()
        .filter(|s| s.tag != "lr" && !SHOWN.iter().any(|known| s.tag.starts_with(known)));
    let mut groups: Vec<(&str, Vec<Dated>)> = Vec::new();
    for scalar in rest {
        let (group, label) = scalar.tag.rsplit_once('/').unwrap_or(("", &scalar.tag));
        let line = (series(label, scalar, false), scalar.epochs.clone());
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
        .into_iter()
        .map(|(group, lines)| over_time(&title(group), lines))
        .collect();
    let note =
        "Every other scalar on record, by its tag; docs/plugins.md says what plugins measure.";
    folded("Other measurements", note, &charts)
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
        shown += &sorted_table("time", &["measurement", "mean", "most", "last"], &rows);
    }
    folded("Time and overhead", "", &shown)
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
    sorted_table("time-of-plugins", &header, &rows)
}

pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "–".to_owned()
    } else {
        readable(value)
    }
}

/// Three decimals for the size that scores and shares have, so that columns can be compared.
fn readable(value: f64) -> String {
    match value.abs() {
        size if (0.000_05..0.0005).contains(&size) => format!("{value:.4}"),
        size if (0.0005..10.0).contains(&size) && value.fract() != 0.0 => format!("{value:.3}"),
        _ => short(value),
    }
}
