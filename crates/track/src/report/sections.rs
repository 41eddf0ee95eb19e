//! The parts of the page, by what they show.

use std::collections::BTreeSet;

use afterimage_report::{
    Axis, Chart, Ridge, Ridges, Section, Series, Table, aligned, items, prose,
};
use maud::html;

use super::depth::{Of, maps};
use super::load::{Run, Scalar};
use crate::HistogramLine;

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
pub(super) type Dated = (Series, Vec<u32>);

pub(super) fn series(label: &str, scalar: &Scalar, dashed: bool) -> Series {
    Series::new(label, scalar.points.clone()).dashed(dashed)
}

/// All scalars below `prefix` in one chart; nothing if there is none.
pub(super) fn together(run: &Run, title: &str, prefix: &str) -> Option<Chart> {
    let lines: Vec<Dated> = run
        .below(prefix)
        .map(|(rest, scalar)| (series(rest, scalar, false), scalar.epochs.clone()))
        .collect();
    (!lines.is_empty()).then(|| Chart::over_time(title, lines))
}

/// The sentences of what was found.
pub fn found(run: &Run) -> Section {
    let section = Section::new("What was found");
    if run.found.is_empty() {
        return section;
    }
    let sentences = run.found.iter().map(|sentence| prose(sentence));
    section.content(html! { ul { (items(sentences)) } })
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
pub fn memorization(run: &Run) -> Vec<Section> {
    let sites = sites(run);
    if sites.is_empty() {
        return Vec::new();
    }
    vec![
        overview(run, &sites),
        over_epochs(run),
        per_layer_table(run, &sites),
        per_layer(run, &sites),
    ]
}

/// The last mean below `prefix` at `site`, if it is of one time with those on training points.
fn last(run: &Run, prefix: &str, site: &str) -> f64 {
    run.last_of(MEANS[0].0, prefix, site)
}

/// The last means along the layers; nothing without any, or without layers to tell apart.
fn profile(run: &Run, sites: &[&str]) -> Option<Chart> {
    // All sites together are no layer, and have no place on an axis of layers.
    let all = sites.iter().copied();
    let layers: Vec<&str> = all.filter(|site| *site != "all").collect();
    let names = layers.iter().map(|&site| site.to_owned()).collect();
    let lines: Vec<Series> = MEANS
        .iter()
        .filter(|mean| run.below(mean.0).next().is_some())
        .map(|&(prefix, label, dashed)| {
            let along = layers.iter().enumerate();
            let points = along.map(|(at, site)| (at as f64, last(run, prefix, site)));
            Series::new(named(run, label), points.collect()).dashed(dashed)
        })
        .collect();
    let is_drawn = !lines.is_empty() && sites.len() > 1;
    is_drawn.then(|| {
        Chart::lines(
            "mean UnitMem by layer, last probe",
            Axis::Layers(names),
            lines,
        )
    })
}

fn overview(run: &Run, sites: &[&str]) -> Section {
    let mut charts = vec![profile(run, sites)];
    if run.is_training() {
        let start = format!("excess over the {}", named(run, UNTRAINED));
        charts.extend([
            together(
                run,
                "excess over held-out points",
                "unitmem/excess/held_out/",
            ),
            together(run, &start, "unitmem/excess/initial/"),
            together(
                run,
                "turnover: share of units with a new owner",
                "unitmem/turnover/",
            ),
        ]);
    }
    let controls = match run.is_fine_tuned() {
        true => {
            "Held-out points show how much of it is there without training on the points, the encoder \
             at the start how much this training added."
        }
        false => {
            "Held-out points and the untrained encoder show how much of it is there without training \
             on the points; their own sets of points differ, too, so that an excess counts against \
             the excess before training."
        }
    };
    let note = format!(
        "UnitMem of a unit compares its strongest point with the mean of the others: 0 where it answers to all \
         points alike, 1 where it answers to one. That alone is no memory. {controls}"
    );
    Section::new("UnitMem by layer: how selective units are")
        .note(note)
        .figures(charts.into_iter().flatten())
}

/// UnitMem of the layers over epochs beside its nulls.
fn over_epochs(run: &Run) -> Section {
    let section = Section::new("UnitMem: layers over epochs").note(
        "The first layer is on top. All maps have one scale; the maps behind the first are its controls.",
    );
    if !run.is_training() {
        return section;
    }
    let sets = MEANS.map(|(tag, label, _)| Of {
        tag,
        error: None,
        title: format!("mean UnitMem over epochs: {}", named(run, label)),
    });
    section.content(maps(run, &sets, false))
}

fn per_layer(run: &Run, sites: &[&str]) -> Section {
    let section = Section::new("Mean UnitMem over training")
        .note("One chart a layer, each with its own scale.")
        .folded();
    if !run.is_training() {
        return section;
    }
    let chart = |site: &&str| {
        let lines: Vec<Dated> = MEANS
            .iter()
            .filter_map(|&(prefix, label, dashed)| {
                let scalar = run.scalar(&format!("{prefix}{site}"))?;
                let line = series(&named(run, label), scalar, dashed);
                Some((line, scalar.epochs.clone()))
            })
            .collect();
        (!lines.is_empty()).then(|| Chart::over_time(*site, lines))
    };
    section.figures(sites.iter().filter_map(chart))
}

fn per_layer_table(run: &Run, sites: &[&str]) -> Section {
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
        row.extend(prefixes.map(|prefix| aligned(last(run, prefix, site))));
        let excess = run.scalar(&format!("unitmem/excess/held_out/{site}"));
        row.push(aligned(excess.and_then(Scalar::first).unwrap_or(f64::NAN)));
        rows.push(row);
    }
    let title = format!("UnitMem at the last probe{}", run.at("unitmem/mean/train/"));
    Section::new(title).content(Table::new(&header).sorts("unitmem").rows(rows))
}

/// Every stored distribution over epochs.
pub fn histograms(run: &Run) -> Section {
    let order = |tag: &str| {
        let site = tag.rsplit('/').next().unwrap_or(tag);
        sites(run)
            .iter()
            .position(|&known| known == site)
            .unwrap_or(usize::MAX)
    };
    let mut tags: Vec<&String> = run.histograms.keys().collect();
    tags.sort_by_key(|tag| (order(tag), tag.as_str()));
    let charts = tags.into_iter().map(|tag| {
        let ridges = run.histograms[tag].iter().map(ridge).collect();
        Ridges::new(tag.as_str(), ridges)
    });
    Section::new("Distributions over epochs")
        .note("The first epoch is on top; each row is scaled to its own peak.")
        .figures(charts)
        .folded()
}

/// A stored distribution as it is drawn.
fn ridge(line: &HistogramLine) -> Ridge {
    let bins = &line.bins;
    Ridge {
        epoch: line.epoch,
        counts: bins.counts.clone(),
        edges: (0..=bins.counts.len()).map(|at| bins.edge(at)).collect(),
        mean: bins.mean,
        not_finite: bins.not_finite,
    }
}

/// The scalars that no other section shows, so that nothing on record is hidden.
pub fn others(run: &Run) -> Section {
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
    let charts = groups
        .into_iter()
        .map(|(group, lines)| Chart::over_time(title(group), lines));
    Section::new("Other measurements")
        .note(
            "Every other scalar on record, by its tag; docs/plugins.md says what plugins measure.",
        )
        .figures(charts)
        .folded()
}

/// Durations and speeds.
pub fn cost(run: &Run) -> Section {
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
                aligned(mean),
                aligned(most),
                aligned(scalar.last()),
            ]
        })
        .collect();
    let header = ["measurement", "mean", "most", "last"];
    let times = (!rows.is_empty()).then(|| Table::new(&header).sorts("time").rows(rows));
    let tables = [plugin_costs(run), times].into_iter().flatten();
    tables.fold(Section::new("Time and overhead").folded(), Section::content)
}

/// Time of plugins by event, most first.
fn plugin_costs(run: &Run) -> Option<Table> {
    let mut costs: Vec<_> = run.costs.iter().collect();
    costs.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let rows = costs.iter().map(|cost| {
        [
            cost.plugin.clone(),
            cost.event.clone(),
            cost.calls.to_string(),
            aligned(cost.seconds),
        ]
    });
    let header = ["plugin", "event", "calls", "seconds, last process"];
    let table = || Table::new(&header).sorts("time-of-plugins").rows(rows);
    (!costs.is_empty()).then(table)
}
